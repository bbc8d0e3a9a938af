"""How an act is performed: held and done in one transaction, or asked of the driver and awaited (architecture 4.6)."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from django.db import transaction

from disttask_project.audit.services import record
from disttask_project.kernel.actor import Actor
from disttask_project.kernel.crashpoints import crash_point
from disttask_project.kernel.errors import NotFound
from disttask_project.kernel.json import JSON
from disttask_project.kernel.messages import Message, text
from execution.engine import core
from execution.engine.events import Acts, Claimed, Event
from execution.engine.loading import current_store, failure_port
from execution.engine.state import Act, Unit, Verdict
from execution.models import Instance, OperatorAction, Task
from execution.repository.actions import insert_action
from execution.services.bell import ring_on_commit
from execution.services.faults import telling_store_faults
from execution.services.refusals import already_asked, refused
from execution.stores.base import Hold, NewAction

VERDICT_WAIT_SECONDS: Final = 2.0
POLL_SECONDS: Final = 0.05
HOLD_EVERY: Final = 5  # polls: a driver that has just let go takes no more notice of the inbox


@dataclass(frozen=True, slots=True, kw_only=True)
class ActAnswer:
    """What became of an act. `asked`: a driver will take it up; `action_id` finds it again."""

    state: Literal["done", "asked"]
    message: Message
    instance_id: str
    task_id: str
    act: str
    status: str
    action_id: str

    def as_dict(self) -> dict[str, Any]:
        shown = {
            "instance_id": self.instance_id,
            "act": self.act,
            "state": self.state,
            "status": self.status,
            "action_id": self.action_id,
        }
        return shown | ({"task_id": self.task_id} if self.task_id else {})


class Performance:
    """One act on its way. It is refused by raising `Conflict`, which tells who was first."""

    def __init__(self, action: NewAction, actor: Actor) -> None:
        self._action = action
        self._actor = actor
        self._store = current_store()

    def run(self) -> ActAnswer:
        with telling_store_faults():
            return self._run()

    def _run(self) -> ActAnswer:
        verdict = self._hold(insert=True)
        if verdict is None:
            self._ask()
            verdict = self._await_verdict()
        if verdict is None:
            return self._answer("asked", text("A worker holds this instance; it will take the act up."))
        if not verdict.done:
            raise refused(self._action, verdict)
        return self._answer("done", text("done"))

    def _hold(self, *, insert: bool) -> Verdict | None:
        """Take the instance if nobody has it and do what is asked of it. None: a driver has it."""
        owner = f"act:{self._action.id}"
        try:
            with (
                transaction.atomic(),
                self._store.hold(self._action.instance_id, owner=owner, now=self._store.now()) as hold,
            ):
                return None if hold is None else self._decide(hold, insert=insert)
        except LookupError as error:
            raise NotFound(text("There is no transaction {id}.", id=self._action.instance_id[:64])) from error

    def _decide(self, hold: Hold, *, insert: bool) -> Verdict | None:
        action = self._action
        open_acts = list(self._store.open_actions([action.instance_id]).get(action.instance_id, ()))
        if insert:
            if any(act.act == action.act and act.task_id == action.task_id for act in open_acts):
                raise already_asked(action)
            insert_action(action, now=self._store.now())
            open_acts.append(_act_of(action))
        unit = self._step(hold, open_acts)
        if unit is None:
            return None
        hold.apply(unit)
        verdict = next((each for each in unit.verdicts if each.action_id == action.id), None)
        if verdict is not None and verdict.done:
            self._audit(before=verdict.before, after=verdict.after)
        ring_on_commit()
        return verdict

    def _step(self, hold: Hold, acts: Sequence[Act]) -> Unit | None:
        """What an expired driver left open is settled first; then the acts, and the row is given back at once."""
        events: list[Event] = []
        if hold.open_attempts:
            events.append(Claimed(open_attempts=hold.open_attempts))
        events.append(Acts(acts=acts, inbox=hold.state.inbox, release=True))
        unit: Unit | None = None
        for event in events:
            effects = core.step(
                hold.state, event, now=self._store.now(), rng=random.SystemRandom(), port=failure_port()
            )
            if effects.unit is not None:
                unit = effects.unit if unit is None else core.fold(unit, effects.unit)
        return unit

    def _ask(self) -> None:
        with transaction.atomic():
            before = picture(self._action)
            if not self._store.ask(self._action, now=self._store.now()):
                raise already_asked(self._action)
            self._audit(before=before, after={"asked": self._action.id})
            crash_point("ask.before_commit")
        crash_point("ask.after_commit")

    def _await_verdict(self) -> Verdict | None:
        deadline = time.monotonic() + VERDICT_WAIT_SECONDS
        polls = 0
        while time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            polls += 1
            verdict = stored_verdict(self._action.id)
            if verdict is None and polls % HOLD_EVERY == 0:
                verdict = self._hold(insert=False)
            if verdict is not None:
                return verdict
        return None

    def _audit(self, *, before: JSON, after: JSON) -> None:
        action = self._action
        record(
            actor=self._actor,
            act=f"{'task' if action.task_id else 'instance'}.{action.act}",
            object_type="task" if action.task_id else "instance",
            object_id=f"{action.instance_id}:{action.task_id}" if action.task_id else action.instance_id,
            reason=action.reason,
            before=before,
            after=after,
        )

    def _answer(self, state: Literal["done", "asked"], message: Message) -> ActAnswer:
        action = self._action
        status = Instance.objects.filter(pk=action.instance_id).values_list("status", flat=True).first()
        return ActAnswer(
            state=state,
            message=message,
            instance_id=action.instance_id,
            task_id=action.task_id,
            act=action.act,
            status=status or "",
            action_id=action.id,
        )


def stored_verdict(action_id: str) -> Verdict | None:
    """What a driver has written on the action, or None while it is open."""
    row = OperatorAction.objects.filter(pk=action_id).first()
    if row is None or row.state == OperatorAction.State.ASKED:
        return None
    verdict = row.verdict or {}
    return Verdict(
        action_id=row.pk,
        done=row.state == OperatorAction.State.DONE,
        code=verdict.get("code", ""),
        message=verdict.get("message", ""),
        before=verdict.get("before"),
        after=verdict.get("after"),
    )


def picture(action: NewAction) -> JSON:
    """How things stand when an act is asked of a driver: the `before` of its audit row."""
    instance = Instance.objects.filter(pk=action.instance_id).values("status", "needs_attention", "closed").first()
    if instance is None:
        return None
    if action.task_id:
        task = Task.objects.filter(instance_id=action.instance_id, task_id=action.task_id)
        shown: dict[str, Any] = dict(task.values("status", "run").first() or {"status": "pending"})
        return {**instance, "task": shown}
    return dict(instance)


def _act_of(action: NewAction) -> Act:
    return Act(
        action_id=action.id,
        act=action.act,
        task_id=action.task_id,
        payload=action.payload,
        actor=action.actor,
        reason=action.reason,
    )
