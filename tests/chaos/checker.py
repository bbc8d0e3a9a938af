"""Joins the target's ledger with the attempts: what was promised, counted (quality R1-R3, checker I1-I8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from django.db.models import Count, Max

from execution.models import Attempt, ExecutionLog, Instance

ENDED = ("success", "cancelled", "compensated")


def unfinished(accepted: Iterable[str]) -> list[str]:
    """Accepted starts that are neither ended nor parked for a person."""
    rows = {row.id: row for row in Instance.objects.only("id", "status", "needs_attention", "closed")}
    return [
        instance_id
        for instance_id in accepted
        if (row := rows.get(instance_id)) is None
        or not (row.status in ENDED or (row.status == "failed" and (row.needs_attention or row.closed)))
    ]


def check(accepted: Iterable[str], ledger: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Counts; all but those of `info_` must be 0."""
    accepted, entries = list(accepted), list(ledger)
    effects = Counter(entry["key"] for entry in entries)
    attempts = Counter(Attempt.objects.values_list("key", flat=True))
    unknown = Counter(Attempt.objects.filter(status="unknown").values_list("key", flat=True))
    succeeded = set(Attempt.objects.filter(status="success").values_list("key", flat=True))
    return {
        "lost": len(unfinished(accepted)),
        "unrecorded": sum(not entry["seen"] for entry in entries),
        "without_attempt": sum(key not in attempts for key in effects),
        "more_effects_than_attempts": sum(count > attempts[key] for key, count in effects.items()),
        "unexplained_duplicates": sum(count - 1 > unknown[key] for key, count in effects.items()),
        "success_without_effect": len(succeeded - set(effects)),
        "attempts_left_open": Attempt.objects.filter(status="started").count(),
        "leases_left": Instance.objects.exclude(owner="").count(),
        "log_gaps": _log_gaps(),
        "tasks_before_their_dependency": _out_of_order(),
        "info_accepted": len(accepted),
        "info_effects": len(entries),
        "info_unknown": sum(unknown.values()),
        "info_parked": Instance.objects.filter(status="failed").count(),
        "info_success": Instance.objects.filter(status="success").count(),
    }


def _log_gaps() -> int:
    rows = ExecutionLog.objects.values("instance_id").annotate(last=Max("seq"), count=Count("seq")).order_by()
    return sum(row["last"] != row["count"] for row in rows)


def _out_of_order() -> int:
    """The flow is a chain: b starts after a has succeeded, c after b."""
    starts: dict[tuple[str, str], int] = {}
    ends: dict[tuple[str, str], int] = {}
    rows = ExecutionLog.objects.filter(action__in=["start", "success"]).exclude(task_id="")
    for instance_id, task_id, action, seq in rows.values_list("instance_id", "task_id", "action", "seq"):
        key = (instance_id, task_id)
        if action == "start":
            starts[key] = min(seq, starts.get(key, seq))
        else:
            ends[key] = seq
    before = {"b": "a", "c": "b"}
    return sum(
        task_id in before and not ends.get((instance_id, before[task_id]), seq) < seq
        for (instance_id, task_id), seq in starts.items()
    )
