"""The checker sees what it is there to see: every planted violation is counted, and a clean run has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from execution.domain.outcome import Result
from execution.engine.events import Claimed, Start
from execution.models import Attempt, ExecutionLog, Instance, Task
from tests.chaos.checker import Evidence, check
from tests.fakes.flows import flow, task
from tests.integration.execution.kit import Bench

pytestmark = [pytest.mark.django_db(transaction=True)]
DEPENDS = {"a": (), "b": ("a",)}


def call(key: str, **others: Any) -> dict[str, Any]:
    return {"key": key, "path": "/plain", "at": 0.0, "call": 1, "applied": True, "seen": "seen", **others}


@pytest.fixture
def evidence() -> Evidence:
    """A chain of two, done by the book."""
    bench = Bench()
    (instance_id,) = bench.insert(flow("chain", task("a"), task("b", "a")))
    state = bench.load().state
    bench.store.apply([bench.step(state, Claimed())])
    for task_id in ("a", "b"):
        bench.store.apply([bench.step(state, Start(task_ids=[task_id], worker="me"))])
        bench.store.apply([bench.end(state, task_id, Result(value={}))])
    calls = [call(f"{instance_id}:{task_id}") for task_id in ("a", "b")]
    return Evidence(accepted=[instance_id], ledger=calls, depends=DEPENDS, most_attempts=1)


def broken(evidence: Evidence) -> dict[str, int]:
    return {f"{each.id} {each.what}": each.bad for each in check(evidence, store="here") if each.bad}


def test_a_run_by_the_book_breaks_nothing(evidence: Evidence) -> None:
    assert broken(evidence) == {}


def _lose(_: Evidence) -> None:
    Instance.objects.update(status="running")


def _unseen(evidence: Evidence) -> None:
    evidence.ledger = [{**evidence.ledger[0], "seen": "unseen"}, *evidence.ledger[1:]]


def _without_row(evidence: Evidence) -> None:
    evidence.ledger = [{**evidence.ledger[0], "seen": "away", "call": 2}, *evidence.ledger[1:]]


def _double(evidence: Evidence) -> None:
    evidence.ledger = [*evidence.ledger, evidence.ledger[0]]


def _double_honoured(evidence: Evidence) -> None:
    evidence.ledger = [{**each, "path": "/keyed"} for each in [*evidence.ledger, evidence.ledger[0]]]


def _no_effect(evidence: Evidence) -> None:
    evidence.ledger = evidence.ledger[:1]


def _early(_: Evidence) -> None:
    """The log as it would be had b started before a's success."""
    rows = {(row.task_id, row.action): row for row in ExecutionLog.objects.exclude(task_id="")}
    success, start = rows["a", "success"], rows["b", "start"]
    ExecutionLog.objects.filter(pk__in=[success.pk, start.pk]).delete()
    success.seq, start.seq = start.seq, success.seq
    for row in (success, start):
        row.pk = f"{row.instance_id}:{row.seq}"
        row.save(force_insert=True)


def _gap(_: Evidence) -> None:
    ExecutionLog.objects.filter(seq=2).delete()


def _illegal(_: Evidence) -> None:
    Task.objects.filter(task_id="a").update(status="failed")


def _two_owners(evidence: Evidence) -> None:
    Attempt.objects.filter(task_id="b").update(worker="another")


def _stale(_: Evidence) -> None:
    Attempt.objects.filter(task_id="a").update(fence=7)


def _open(_: Evidence) -> None:
    Attempt.objects.filter(task_id="b").update(status="started")


def _too_many(evidence: Evidence) -> None:
    row = Attempt.objects.get(task_id="a")
    row.number, row.pk = 2, f"{row.pk}2"
    row.save(force_insert=True)


def _act(evidence: Evidence) -> None:
    evidence.decided = ["no such act"]


PLANTED: dict[str, Callable[[Evidence], None]] = {
    "R1 accepted": _lose,
    "R2 effects": _unseen,
    "R2 effects without": _without_row,
    "R3 duplicates": _double,
    "R3 effects applied twice": _double_honoured,
    "I6 successes": _no_effect,
    "R4 tasks started": _early,
    "R4 log rows": _gap,
    "R4 log": _illegal,
    "R5 fences": _two_owners,
    "R5 attempts": _stale,
    "I7 attempts": _open,
    "I8 tasks": _too_many,
    "R4 acts": _act,
}


@pytest.mark.parametrize("promise", PLANTED)
def test_it_counts_a_planted_violation(promise: str, evidence: Evidence) -> None:
    PLANTED[promise](evidence)
    assert any(name.startswith(promise) for name in broken(evidence)), broken(evidence)
