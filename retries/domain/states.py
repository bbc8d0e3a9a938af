"""States of an exception record, what people may do in which of them, and the words for how one was closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class ExceptionState(StrEnum):
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RETRYING = "retrying"
    RESOLVED = "resolved"
    IGNORED = "ignored"


class Resolution(StrEnum):
    """How a person closed a record. Without one it was closed by the task's success."""

    FIXED_BY_RETRY = "fixed_by_retry"
    FIXED_OUTSIDE = "fixed_outside"
    DUPLICATE = "duplicate"
    EXPECTED = "expected"
    WONT_FIX = "wont_fix"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Where an act may begin and where it leads; None: the state stays."""

    allowed: frozenset[ExceptionState]
    leads_to: ExceptionState | None


_S = ExceptionState
_LIVE: Final = frozenset({_S.OPEN, _S.ACKNOWLEDGED, _S.RETRYING})

# retrying -> open: its last retry failed too; resolved, ignored -> open, retrying: it occurred again. Those are the
# engine's (retries/port.py), which never waits for a person; people's acts are the table below.
EXCEPTION_TRANSITIONS: Final[Mapping[ExceptionState, frozenset[ExceptionState]]] = {
    _S.OPEN: frozenset({_S.ACKNOWLEDGED, _S.RETRYING, _S.RESOLVED, _S.IGNORED}),
    _S.ACKNOWLEDGED: frozenset({_S.OPEN, _S.RETRYING, _S.RESOLVED, _S.IGNORED}),
    _S.RETRYING: frozenset({_S.OPEN, _S.RESOLVED, _S.IGNORED}),
    _S.RESOLVED: frozenset({_S.OPEN, _S.RETRYING}),
    _S.IGNORED: frozenset({_S.OPEN, _S.RETRYING, _S.RESOLVED}),
}

ACTS: Final[Mapping[str, Act]] = {
    "acknowledge": Act(allowed=frozenset({_S.OPEN}), leads_to=_S.ACKNOWLEDGED),
    "assign": Act(allowed=_LIVE, leads_to=None),
    "ignore": Act(allowed=_LIVE, leads_to=_S.IGNORED),
    # A record that the engine resolved may be handled too: the remark is kept with it.
    "handle": Act(allowed=frozenset(_S), leads_to=_S.RESOLVED),
    "reopen": Act(allowed=frozenset({_S.RESOLVED, _S.IGNORED}), leads_to=_S.OPEN),
}


def may(act: str, *, state: str, handled: bool) -> bool:
    """Whether the record's state admits the act.

    Only what a person closed can be handled no second time, and be reopened: what the engine resolved has succeeded.
    """
    if ExceptionState(state) not in ACTS[act].allowed:
        return False
    if act == "handle":
        return not handled
    return act != "reopen" or handled or state == ExceptionState.IGNORED
