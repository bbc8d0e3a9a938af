"""Random people, drivers and faults on the real services and a real store; the model says what must come of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Final

import pytest
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from disttask_project.kernel.errors import Conflict
from execution.engine import core
from execution.engine.events import Acts, Claimed, Event, Start
from execution.engine.loading import current_store
from execution.models import Attempt, ExecutionLog, Instance, OperatorAction, Task
from execution.services import acts
from execution.services.purge import purge
from execution.services.reconcile import reconcile_all
from execution.services.start import start_instance
from retries.models import ExceptionRecord
from retries.services import handle_exception, retry_exception
from tests.statemachine.holding import ACTOR, Holder
from tests.statemachine.model import BUSY, FLOWS, LOST, NO, OK, Asked, ModelInstance

NAMES: Final = ("i0", "i1", "i2")
LEASE: Final = timedelta(hours=1)
outcomes = st.lists(st.sampled_from([OK, OK, OK, BUSY, NO, LOST]), min_size=1, max_size=6)
names = st.sampled_from(NAMES)
task_ids = st.sampled_from(["a", "b", "c", "d", "x", ""])


class Services(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.model: dict[str, ModelInstance] = {}
        self.holders: dict[str, Holder] = {}
        self.sleepers: list[tuple[str, Holder]] = []  # whose instance another one has meanwhile

    @initialize()
    def clear(self) -> None:
        for model in (ExceptionRecord, OperatorAction, ExecutionLog, Attempt, Task, Instance):
            model.objects.all().delete()

    # Starts

    @rule(name=names, flow=st.sampled_from(sorted(FLOWS)))
    def start(self, name: str, flow: str) -> None:
        known = self.model.get(name)
        if known is not None and known.flow != flow:
            with pytest.raises(Conflict, match="is taken"):
                start_instance(flow_name=flow, instance_id=name, actor=ACTOR)
            return
        started = start_instance(flow_name=flow, instance_id=name, actor=ACTOR)
        assert started.created == (known is None)
        self.model.setdefault(name, ModelInstance(flow))

    # Drivers

    @rule(answers=outcomes, most=st.integers(0, 8))
    def drive(self, answers: list[str], most: int) -> None:
        """A driver claims what is due and works on it until so many calls have ended; then it sleeps."""
        store = current_store()
        claims = store.claim("driver", limit=50, struck_limit=50, lease=LEASE, now=store.now())
        assert {claim.instance_id for claim in claims} == {name for name, each in self.model.items() if each.is_due}
        for loaded in sorted(store.load(claims), key=lambda each: each.state.id):
            name, model = loaded.state.id, self.model[loaded.state.id]
            if name in self.holders:
                self.sleepers.append((name, self.holders[name]))
            holder = self.holders[name] = Holder(loaded.state)
            events: list[Event] = [Claimed(open_attempts=loaded.open_attempts)]
            model.claimed()
            if model.asked:
                events.append(Acts(acts=store.open_actions([name])[name], inbox=holder.state.inbox))
                self._taken_up(model)
            assert holder.step(*events)
            most = self._work(name, answers, most)

    def _taken_up(self, model: ModelInstance) -> None:
        for _ in model.take_up():
            """Verdicts are compared by the invariant, from the rows."""

    def _work(self, name: str, answers: list[str], most: int) -> int:
        holder, model = self.holders[name], self.model[name]
        while True:
            begun = model.start()
            assert core.startable(holder.state) == begun
            if begun:
                assert holder.step(Start(task_ids=begun, worker="driver"))
            if model.is_idle:
                model.holder = ""
                del self.holders[name]
                return most
            task_id = sorted(holder.open)[0]
            if most <= 0:
                return most
            most -= 1
            answer = answers[most % len(answers)]
            assert holder.step(holder.ended(task_id, answer))
            model.ended(task_id, answer)

    @precondition(lambda self: self.holders)
    @rule(answers=outcomes, most=st.integers(1, 8))
    def wake(self, answers: list[str], most: int) -> None:
        """Sleeping drivers go on: first with what was asked meanwhile. (Also after their lease: nobody has claimed.)"""
        for name in sorted(self.holders):
            model, holder = self.model[name], self.holders[name]
            if model.asked:
                asked = current_store().open_actions([name])[name]
                inbox = current_store().inboxes([name])[name]
                assert holder.step(Acts(acts=asked, inbox=inbox))
                self._taken_up(model)
                holder.open = {task: holder.open[task] for task in model.in_flight}
            most = self._work(name, answers, most)

    @precondition(lambda self: self.sleepers)
    @rule(answer=st.sampled_from([OK, NO]))
    def wake_too_late(self, answer: str) -> None:
        """Another has the instance: not one word of the sleeper is written."""
        _name, holder = self.sleepers.pop()
        if holder.open:
            assert not holder.step(holder.ended(sorted(holder.open)[0], answer))

    # Time

    @precondition(lambda self: self.holders)
    @rule()
    def leases_run_out(self) -> None:
        past = current_store().now() - timedelta(seconds=1)
        Instance.objects.exclude(owner="").update(lease_until=past, wake_at=past)
        for model in self.model.values():
            if model.holder == "live":
                model.holder = "expired"

    @rule()
    def time_passes(self) -> None:
        """Retries fall due, but not of what a driver has in memory."""
        past = current_store().now() - timedelta(seconds=1)
        free = [name for name, model in self.model.items() if not model.holder]
        Task.objects.filter(instance_id__in=free, status="retrying").update(next_at=past)
        Instance.objects.filter(pk__in=free, status="running", wake_at__isnull=False).update(wake_at=past)
        for name in free:
            for task in self.model[name].tasks.values():
                task.due = task.due or task.status == "retrying"

    # People

    @precondition(lambda self: self.model)
    @rule(name=names, act=st.sampled_from(["pause", "resume", "cancel", "close"]), force=st.booleans())
    def act_on_instance(self, name: str, act: str, force: bool) -> None:
        call: Callable[..., Any] = getattr(acts, act)
        named = {"reason": "why"} | ({"force": True} if act == "cancel" and force else {})
        self._ask(name, Asked(act, force=force), lambda: call(instance_id=name, actor=ACTOR, **named))

    @precondition(lambda self: self.model)
    @rule(name=names, task_id=task_ids, act=st.sampled_from(["retry", "retry", "skip", "mark_success"]))
    def act_on_task(self, name: str, task_id: str, act: str) -> None:
        model = self.model.get(name)
        if model is None or (task_id and task_id not in model.tasks) or (not task_id and act != "retry"):
            return
        call: Callable[..., Any] = getattr(acts, act)
        asked = Asked(act, task_id)
        self._ask(name, asked, lambda: call(instance_id=name, task_id=task_id, reason="why", actor=ACTOR))

    def _ask(self, name: str, asked: Asked, call: Callable[[], Any]) -> None:
        model = self.model.get(name)
        if model is None:
            return
        said = ""
        try:
            state = call().state
        except Conflict as conflict:
            state, said = "refused", conflict.symbol
        if any((each.act, each.task_id) == (asked.act, asked.task_id) for each in model.asked):
            assert (state, said) == ("refused", "ALREADY_ASKED")
            return
        model.asked.append(asked)
        if model.holder == "live":
            assert state == "asked"
            return
        self._held(model)
        decided = dict(_verdicts(model))
        expected = decided[id(asked)]
        assert (state, said) == (("done", "") if not expected else ("refused", expected)), (state, said, expected)

    def _held(self, model: ModelInstance) -> None:
        """A service takes what nobody holds: an expired driver's calls are lost, as after a claim."""
        if model.holder == "expired":
            model.strikes += 1
            model.waiting = None
            if model.in_flight:
                model.strikes -= 1
                model.holder = "expired"
                model.claimed()
        model.holder = ""

    @precondition(lambda self: self.model)
    @rule(name=names, task_id=task_ids, again=st.booleans())
    def act_on_exception(self, name: str, task_id: str, again: bool) -> None:
        record = ExceptionRecord.objects.filter(instance_id=name, task_id=task_id).first()
        if record is None:
            return
        if again and task_id:
            self._ask(name, Asked("retry", task_id), lambda: retry_exception(exception_id=record.pk, actor=ACTOR))
            return
        model = self.model[name]
        if record.handled:
            with pytest.raises(Conflict, match="already handled"):
                handle_exception(exception_id=record.pk, remark="by phone", actor=ACTOR)
            return
        handle_exception(exception_id=record.pk, remark="by phone", actor=ACTOR)
        if task_id:
            model.tasks[task_id].record = "resolved"
        else:
            model.poisoned = "resolved"

    @rule()
    def purge_what_is_closed(self) -> None:
        past = timezone.now() - timedelta(days=400)
        Instance.objects.update(created_at=past)
        Instance.objects.exclude(completed_at=None).update(completed_at=past)
        gone = {name for name, model in self.model.items() if model.closed and not model.holder and not model.asked}
        assert purge(older_than=timedelta(days=90), actor=ACTOR).instances == len(gone)
        for name in gone:
            del self.model[name]
            self.sleepers = [each for each in self.sleepers if each[0] != name]

    # What must hold after every step

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        rows = {row.pk: row for row in Instance.objects.all()}
        assert rows.keys() == self.model.keys()
        tasks = {(task.instance_id, task.task_id): task for task in Task.objects.all()}
        records = {(each.instance_id, each.task_id): each.state for each in ExceptionRecord.objects.all()}
        opened = set(Attempt.objects.filter(status="started").values_list("instance_id", "task_id"))
        for name, model in self.model.items():
            row = rows[name]
            told = (row.status, row.closed, row.needs_attention, row.strikes, bool(row.owner))
            said = (model.status, model.closed, model.needs_attention, model.strikes, bool(model.holder))
            assert told == said, name
            assert records.get((name, ""), "") == model.poisoned, name
            for task_id, task in model.tasks.items():
                found = tasks.get((name, task_id))
                stands = (found.status, found.attempt) if found else ("pending", 0)
                assert stands == (task.status, task.attempt), (name, task_id)
                assert records.get((name, task_id), "") == task.record, (name, task_id)
                assert ((name, task_id) in opened) == task.in_flight, (name, task_id)
            asked = OperatorAction.objects.filter(instance_id=name, state="asked").count()
            assert asked == len(model.asked), name
            numbers = list(ExecutionLog.objects.filter(instance_id=name).order_by("seq").values_list("seq", flat=True))
            assert numbers == list(range(1, row.seq + 1)), name

    @invariant()
    def nothing_disagrees(self) -> None:
        assert reconcile_all(actor=ACTOR, dry_run=True).found == []


def _verdicts(model: ModelInstance) -> list[tuple[int, str]]:
    return [(id(asked), symbol) for asked, symbol in model.take_up()]
