"""The acts of people on exceptions keep to the table of states."""

from __future__ import annotations

import pytest

from retries.domain.states import ACTS, EXCEPTION_TRANSITIONS, ExceptionState, may


@pytest.mark.parametrize("act", ACTS)
def test_an_act_leads_only_where_the_table_does(act: str) -> None:
    target = ACTS[act].leads_to
    for state in ACTS[act].allowed:
        assert target in (None, state) or target in EXCEPTION_TRANSITIONS[state]


def test_only_what_a_person_closed_is_reopened() -> None:
    assert may("reopen", state="ignored", handled=False)
    assert may("reopen", state="resolved", handled=True)
    assert not may("reopen", state="resolved", handled=False)
    assert not any(may("reopen", state=state, handled=True) for state in ("open", "acknowledged", "retrying"))


def test_nothing_is_handled_twice() -> None:
    assert [may("handle", state=state, handled=True) for state in ExceptionState] == [False] * 5
