"""Which acts the run page offers, safest first. An offer is a convenience: the service decides (console rule 5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django import forms
from django.utils.translation import gettext_lazy as _

from disttask_project.kernel import json
from disttask_project.kernel.errors import InvalidInput
from execution.models import Instance
from execution.selectors.run_page import RunTask
from flows.domain.compiled import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """`fields` are the JSON inputs the act takes; `hint` says in a line what it does."""

    act: str
    label: Any
    hint: Any
    permission: str
    icon: str
    needs_reason: bool
    fields: Sequence[str] = ()
    tone: str = "plain"

    @property
    def is_simple(self) -> bool:
        """One click is enough: nothing to fill in."""
        return not self.needs_reason and not self.fields


RETRY: Final = Offer(
    act="retry",
    label=_("Retry"),
    hint=_("Runs the task once more with the same input and the same idempotency key."),
    permission="execution.retry_instance",
    icon="retry",
    needs_reason=False,
    tone="main",
)
RETRY_CHANGED: Final = Offer(
    act="retry_changed",
    label=_("Retry with changed input"),
    hint=_("Starts a new run of the task with this input and config; it gets a new idempotency key."),
    permission="execution.edit_input",
    icon="retry",
    needs_reason=True,
    fields=("input", "config"),
)
MARK_SUCCESS: Final = Offer(
    act="mark_success",
    label=_("Mark success"),
    hint=_("The work was done outside: the flow goes on with the output given here."),
    permission="execution.mark_task_success",
    icon="check",
    needs_reason=True,
    fields=("output",),
)
SKIP: Final = Offer(
    act="skip",
    label=_("Skip"),
    hint=_("The task is not done at all; those that depend on it run with an empty output."),
    permission="execution.skip_task",
    icon="skip",
    needs_reason=True,
)
RERUN: Final = Offer(
    act="rerun",
    label=_("Retry from here"),
    hint=_("Runs this task and everything after it once more, each with a new idempotency key. Nothing is undone."),
    permission="execution.retry_instance",
    icon="retry",
    needs_reason=True,
)
ASK_NOW: Final = Offer(
    act="retry",
    label=_("Ask now"),
    hint=_("Asks the target at once whether the call took effect, instead of waiting for the next time."),
    permission="execution.retry_instance",
    icon="question",
    needs_reason=False,
    tone="main",
)
RETRY_UNDO: Final = Offer(
    act="retry",
    label=_("Retry the undo"),
    hint=_("Sends the undo once more with the same input and the same idempotency key."),
    permission="execution.retry_instance",
    icon="retry",
    needs_reason=False,
    tone="main",
)
MARK_UNDONE: Final = Offer(
    act="mark_success",
    label=_("Mark as undone"),
    hint=_("It was undone outside: what came before it is undone next."),
    permission="execution.mark_task_success",
    icon="check",
    needs_reason=True,
)
SKIP_UNDO: Final = Offer(
    act="skip",
    label=_("Leave as it is"),
    hint=_("The effect of this task stays in place; what came before it is undone all the same."),
    permission="execution.skip_task",
    icon="skip",
    needs_reason=True,
)
COMPENSATE: Final = Offer(
    act="compensate",
    label=_("Undo…"),
    hint=_("Shows what would be undone, in which order, before anything happens."),
    permission="execution.compensate_instance",
    icon="undo",
    needs_reason=True,
)
PAUSE: Final = Offer(
    act="pause",
    label=_("Pause"),
    hint=_("Nothing new starts; calls in flight end and are recorded."),
    permission="execution.cancel_instance",
    icon="pause",
    needs_reason=False,
)
RESUME: Final = Offer(
    act="resume",
    label=_("Resume"),
    hint=_("Goes on where it stood."),
    permission="execution.cancel_instance",
    icon="play",
    needs_reason=False,
    tone="main",
)
CLOSE: Final = Offer(
    act="close",
    label=_("Close"),
    hint=_("Nobody will take it up again: it stays failed and asks for no more attention."),
    permission="execution.cancel_instance",
    icon="stop",
    needs_reason=True,
    tone="danger",
)
CANCEL: Final = Offer(
    act="cancel",
    label=_("Cancel"),
    hint=_("Ends the instance for good. What is done already stays done: nothing is undone."),
    permission="execution.cancel_instance",
    icon="cross",
    needs_reason=True,
    tone="danger",
)

OFFERS: Final = {
    offer.act: offer
    for offer in (RETRY, RETRY_CHANGED, RERUN, MARK_SUCCESS, SKIP, COMPENSATE, PAUSE, RESUME, CLOSE, CANCEL)
}


def task_offers(instance: Instance, task: RunTask, may: Callable[[str], bool]) -> list[Offer]:
    """What can be done about a task that failed, waits for its retry, or whose outcome nobody knows."""
    if instance.closed or not task.is_problem or instance.status in ("success", "cancelled", "compensated"):
        return []
    offers: Sequence[Offer] = (RETRY, RETRY_CHANGED, MARK_SUCCESS, SKIP)
    if task.row.kind == Kind.UNDO:
        offers = (RETRY_UNDO, RETRY_CHANGED, MARK_UNDONE, SKIP_UNDO)
    elif "compensating" in (instance.status, instance.paused_from):
        return []  # only its undo can be acted on
    elif task.status == "unknown":
        offers = (ASK_NOW, MARK_SUCCESS, SKIP)
    return [offer for offer in offers if may(offer.permission)]


def rerun_offer(instance: Instance, task: RunTask, may: Callable[[str], bool]) -> Offer | None:
    """ "Retry from here" at a task that has ended, while its instance is open and not being undone."""
    if instance.closed or instance.status not in ("failed", "paused", "running") or task.row.kind != Kind.FORWARD:
        return None
    if instance.paused_from == "compensating":
        return None
    ended = task.status in ("success", "skipped", "failed", "compensated", "cancelled")
    return RERUN if ended and task.row.error_type != "UnknownOutcome" and may(RERUN.permission) else None


def instance_offers(instance: Instance, may: Callable[[str], bool], *, can_undo: bool = False) -> list[Offer]:
    """What can be done with the whole instance in its state."""
    if instance.closed:
        return []
    by_status: dict[str, Sequence[Offer]] = {
        "pending": (PAUSE, CANCEL),
        "running": (PAUSE, COMPENSATE, CANCEL),
        "paused": (RESUME, COMPENSATE, CANCEL),
        "failed": (COMPENSATE, CLOSE, CANCEL),
        "compensating": (PAUSE,),
    }
    if instance.paused_from == "compensating":
        by_status["paused"] = (RESUME,)
    offers = by_status.get(instance.status, ())
    return [offer for offer in offers if may(offer.permission) and (can_undo or offer is not COMPENSATE)]


class ActForm(forms.Form):
    """One act as posted. JSON fields are parsed strictly; an empty one means "not given"."""

    act = forms.ChoiceField(choices=[(name, name) for name in OFFERS])
    task_id = forms.CharField(required=False, max_length=128)
    reason = forms.CharField(required=False, max_length=2000, strip=True)
    input = forms.CharField(required=False, strip=True, max_length=1_000_000)
    config = forms.CharField(required=False, strip=True, max_length=1_000_000)
    output = forms.CharField(required=False, strip=True, max_length=1_000_000)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        offer = OFFERS.get(cleaned.get("act", ""))
        if offer is None:
            return cleaned
        if offer.needs_reason and not cleaned.get("reason"):
            self.add_error("reason", _("Say why: this act is kept in the operations log with its reason."))
        for name in offer.fields:
            cleaned[name] = self._object(name, cleaned.get(name, ""))
        return cleaned

    def _object(self, name: str, text: str) -> Any:
        if not text:
            return None
        try:
            value = json.loads(text)
        except InvalidInput as error:
            self.add_error(name, str(error))
            return None
        if not isinstance(value, dict):
            self.add_error(name, _("This must be a JSON object, { ... }."))
        return value
