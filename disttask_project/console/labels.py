"""How a status looks: icon, word, tone. A value that is not listed shows as plain text, never as an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import pgettext_lazy


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """`tone` is a CSS class suffix: ok, bad, warn, run, idle, off."""

    icon: str
    word: Any
    tone: str


_PENDING = Look(icon="clock", word=pgettext_lazy("status", "pending"), tone="idle")
_RUNNING = Look(icon="play", word=pgettext_lazy("status", "running"), tone="run")
_SUCCESS = Look(icon="check", word=pgettext_lazy("status", "success"), tone="ok")
_FAILED = Look(icon="cross", word=pgettext_lazy("status", "failed"), tone="bad")
_CANCELLED = Look(icon="stop", word=pgettext_lazy("status", "cancelled"), tone="off")
_UNDOING = Look(icon="undo", word=pgettext_lazy("status", "compensating"), tone="warn")
_UNDONE = Look(icon="undo", word=pgettext_lazy("status", "compensated"), tone="off")

LOOKS: Final[Mapping[str, Mapping[str, Look]]] = {
    "instance": {
        "pending": _PENDING,
        "running": _RUNNING,
        "success": _SUCCESS,
        "failed": _FAILED,
        "paused": Look(icon="pause", word=pgettext_lazy("status", "paused"), tone="warn"),
        "compensating": _UNDOING,
        "compensated": _UNDONE,
        "cancelled": _CANCELLED,
    },
    "task": {
        "pending": _PENDING,
        "running": _RUNNING,
        "success": _SUCCESS,
        "failed": _FAILED,
        "retrying": Look(icon="retry", word=pgettext_lazy("status", "waiting to retry"), tone="warn"),
        "waiting": Look(icon="clock", word=pgettext_lazy("status", "waiting"), tone="idle"),
        "skipped": Look(icon="skip", word=pgettext_lazy("status", "skipped"), tone="off"),
        "unknown": Look(icon="question", word=pgettext_lazy("status", "outcome unknown"), tone="warn"),
        "cancelled": _CANCELLED,
        "compensating": _UNDOING,
        "compensated": _UNDONE,
    },
    "attempt": {
        "started": _RUNNING,
        "success": _SUCCESS,
        "failed": _FAILED,
        "unknown": Look(icon="question", word=pgettext_lazy("status", "outcome unknown"), tone="warn"),
    },
    "exception": {
        "open": Look(icon="alert", word=pgettext_lazy("exception state", "open"), tone="bad"),
        "acknowledged": Look(icon="eye", word=pgettext_lazy("exception state", "acknowledged"), tone="warn"),
        "retrying": Look(icon="retry", word=pgettext_lazy("exception state", "retrying"), tone="run"),
        "resolved": Look(icon="check", word=pgettext_lazy("exception state", "resolved"), tone="ok"),
        "ignored": Look(icon="stop", word=pgettext_lazy("exception state", "ignored"), tone="off"),
    },
    "worker": {
        "ready": Look(icon="check", word=pgettext_lazy("worker state", "ready"), tone="ok"),
        "running": Look(icon="play", word=pgettext_lazy("worker state", "at work"), tone="ok"),
        "draining": Look(icon="pause", word=pgettext_lazy("worker state", "draining"), tone="warn"),
        "ended": Look(icon="stop", word=pgettext_lazy("worker state", "ended"), tone="off"),
        "silent": Look(icon="alert", word=pgettext_lazy("worker state", "silent"), tone="bad"),
    },
    "target": {
        "closed": Look(icon="check", word=pgettext_lazy("breaker state", "closed: calls pass"), tone="ok"),
        "open": Look(icon="stop", word=pgettext_lazy("breaker state", "open: no calls"), tone="bad"),
        "half_open": Look(icon="question", word=pgettext_lazy("breaker state", "half-open: probing"), tone="warn"),
    },
    "version": {
        "draft": Look(icon="clock", word=pgettext_lazy("version state", "draft"), tone="idle"),
        "published": Look(icon="check", word=pgettext_lazy("version state", "published"), tone="ok"),
    },
    "flow": {
        "active": Look(icon="check", word=pgettext_lazy("flow state", "active"), tone="ok"),
        "inactive": Look(icon="pause", word=pgettext_lazy("flow state", "inactive"), tone="off"),
    },
    "action": {
        "asked": Look(icon="clock", word=pgettext_lazy("action state", "asked"), tone="run"),
        "done": Look(icon="check", word=pgettext_lazy("action state", "done"), tone="ok"),
        "refused": Look(icon="cross", word=pgettext_lazy("action state", "refused"), tone="bad"),
    },
}

SKIP_REASONS: Final[Mapping[str, Any]] = {
    "condition": pgettext_lazy("skip reason", "its condition was false"),
    "branch": pgettext_lazy("skip reason", "its branch was not taken"),
    "operator": pgettext_lazy("skip reason", "skipped by a person"),
    "marked": pgettext_lazy("skip reason", "stated by a person"),
}

# Words of the execution log and of the operations log; others show as they are.
ACTIONS: Final[Mapping[str, Any]] = {
    "start": pgettext_lazy("log", "started"),
    "retry": pgettext_lazy("log", "retry"),
    "success": pgettext_lazy("log", "succeeded"),
    "failed": pgettext_lazy("log", "failed"),
    "complete": pgettext_lazy("log", "completed"),
    "skip": pgettext_lazy("log", "skipped"),
    "mark_success": pgettext_lazy("log", "marked as successful"),
    "unknown": pgettext_lazy("log", "outcome unknown"),
    "pause": pgettext_lazy("log", "paused"),
    "resume": pgettext_lazy("log", "resumed"),
    "cancel": pgettext_lazy("log", "cancelled"),
    "close": pgettext_lazy("log", "closed"),
    "handle": pgettext_lazy("log", "handled"),
    "acknowledge": pgettext_lazy("log", "acknowledged"),
    "assign": pgettext_lazy("log", "assigned"),
    "ignore": pgettext_lazy("log", "ignored"),
    "comment": pgettext_lazy("log", "commented"),
    "exception.reopen": pgettext_lazy("log", "reopened"),
    "asked": pgettext_lazy("log", "act asked"),
    "timeout": pgettext_lazy("log", "deadline passed"),
    "retry_now": pgettext_lazy("log", "retried by a person"),
    "reopen": pgettext_lazy("log", "taken up again"),
    "reset": pgettext_lazy("log", "reset"),
    "running": pgettext_lazy("log", "running"),
    "rerun": pgettext_lazy("log", "run again from here"),
    "compensate": pgettext_lazy("log", "to be undone"),
    "compensated": pgettext_lazy("log", "undone"),
    "partly_compensated": pgettext_lazy("log", "a part is undone"),
    "left": pgettext_lazy("log", "left as it is"),
    "failure_flow": pgettext_lazy("log", "failure flow asked for"),
    "failure_flow_started": pgettext_lazy("log", "failure flow started"),
    "failure_flow_refused": pgettext_lazy("log", "failure flow not started"),
    "attention": pgettext_lazy("log", "needs a person"),
    "check_later": pgettext_lazy("log", "will be asked"),
    "check_answered": pgettext_lazy("log", "the check answered"),
    "check_undecided": pgettext_lazy("log", "the check did not settle it"),
    "ask_now": pgettext_lazy("log", "asked at once by a person"),
    "create_flow": pgettext_lazy("log", "made a flow"),
    "save_draft": pgettext_lazy("log", "saved a draft"),
    "save_version": pgettext_lazy("log", "saved a version"),
    "publish_version": pgettext_lazy("log", "published a version"),
    "activate_flow": pgettext_lazy("log", "activated a flow"),
    "deactivate_flow": pgettext_lazy("log", "deactivated a flow"),
    "delete_flow": pgettext_lazy("log", "deleted a flow"),
    "create_task_definition": pgettext_lazy("log", "made a task type"),
    "edit_task_definition": pgettext_lazy("log", "edited a task type"),
    "delete_task_definition": pgettext_lazy("log", "removed a task type"),
    "put_descriptor_set": pgettext_lazy("log", "put in a descriptor set"),
    "remove_descriptor_set": pgettext_lazy("log", "took out a descriptor set"),
    "create_token": pgettext_lazy("log", "made a token"),
    "revoke_token": pgettext_lazy("log", "revoked a token"),
    "open": pgettext_lazy("log", "opened"),
    "limit": pgettext_lazy("log", "set limits"),
    "purge": pgettext_lazy("log", "purged old rows"),
    "add_secret": pgettext_lazy("log", "stored a secret"),
    "replace_secret": pgettext_lazy("log", "replaced a secret"),
    "delete_secret": pgettext_lazy("log", "removed a secret"),
    "reseal_secrets": pgettext_lazy("log", "resealed the secrets"),
    "try_task": pgettext_lazy("log", "tried a task type"),
    "tried_task": pgettext_lazy("log", "outcome of a try"),
    "reconcile": pgettext_lazy("log", "rows brought together"),
    "heal": pgettext_lazy("log", "rows brought together"),
}

OBJECTS: Final[Mapping[str, Any]] = {
    "instance": pgettext_lazy("object", "instance"),
    "task": pgettext_lazy("object", "task"),
    "exception": pgettext_lazy("object", "exception"),
    "flow": pgettext_lazy("object", "flow"),
    "task_definition": pgettext_lazy("object", "task type"),
    "descriptor_set": pgettext_lazy("object", "descriptor set"),
    "token": pgettext_lazy("object", "token"),
    "secret": pgettext_lazy("object", "secret"),
    "task_type": pgettext_lazy("object", "task type"),
    "target": pgettext_lazy("object", "target"),
}


def look(kind: str, value: str) -> Look:
    """The look of a status, or a plain one that shows the value itself."""
    return LOOKS.get(kind, {}).get(value) or Look(icon="dot", word=value, tone="idle")


def choices(kind: str) -> list[tuple[str, Any]]:
    """Values and words of a kind, for a select."""
    return [(value, entry.word) for value, entry in LOOKS[kind].items()]


def action_word(value: str) -> Any:
    """The word for an act or a log row's action (`task.retry` is a retry); an unknown one as it is."""
    return ACTIONS.get(value) or ACTIONS.get(value.rpartition(".")[2], value)
