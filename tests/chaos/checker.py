"""Joins what was promised, ledger, attempts and logs, and counts every broken promise (quality R1-R5, I1-I8)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from django.db.models import Count as CountOf
from django.db.models import F

from execution.models import Attempt, Instance, LocalMessage, OperatorAction, Task
from retries.models import ExceptionRecord
from tests.chaos.counts import Count
from tests.chaos.history import judge
from tests.chaos.target import HONOURING

ENDED: Final = ("success", "cancelled", "compensated")


@dataclass(kw_only=True)
class Evidence:
    """What was told to callers, and what the targets wrote down."""

    accepted: Sequence[str]
    ledger: Sequence[Mapping[str, Any]]
    decided: Sequence[str] = ()  # ids of acts that were answered `done`
    depends: Mapping[str, Sequence[str]] = field(default_factory=dict)
    db_effects: Sequence[tuple[str, str]] | None = None  # (instance, task) of rows in the target database
    most_attempts: int = 0  # of a task that no person retried; 0: not looked at

    @cached_property
    def calls(self) -> Counter[str]:
        return Counter(entry["key"] for entry in self.ledger)

    @cached_property
    def effects(self) -> Counter[str]:
        return Counter(entry["key"] for entry in self.ledger if entry["applied"])


def unfinished(accepted: Iterable[str]) -> list[str]:
    """Accepted starts that are neither ended nor parked for a person."""
    rows = {
        row[0]: row[1:] for row in Instance.objects.values_list("id", "status", "needs_attention", "closed").iterator()
    }
    return [each for each in accepted if not _rests(rows.get(each))]


def _rests(row: Sequence[Any] | None) -> bool:
    return row is not None and (row[0] in ENDED or (row[0] == "failed" and (row[1] or row[2])))


def check(evidence: Evidence, *, store: str) -> list[Count]:
    """Every count must be 0."""
    history = judge(evidence.depends)
    honoured = {entry["key"] for entry in evidence.ledger if entry["path"] in HONOURING}
    repeated = _duplicates_beyond_unknown(evidence, honoured)
    bad_db, of_db = _wrong_db_effects(evidence)
    rows: list[tuple[str, str, int, int]] = [
        (
            "R1",
            "accepted starts neither ended nor parked",
            len(unfinished(evidence.accepted)),
            len(evidence.accepted),
        ),
        ("R2", "effects without an attempt row committed before", _unrecorded(evidence), len(evidence.ledger)),
        ("R3", "effects applied twice where the key is honoured", _twice(evidence, honoured), len(honoured)),
        ("R3", "duplicates not explained by an unknown attempt", repeated, len(evidence.calls) - len(honoured)),
        ("R3", "rows of db tasks and messages not there exactly once", bad_db, of_db),
        ("R4", "tasks started before their dependencies ended well", history.early, history.starts),
        ("R4", "log rows missing, doubled or against the table of states", history.illegal, history.rows),
        ("R5", "fences with two owners", _two_owners(), _fences()),
        ("R5", "attempts begun under an older fence than one before", history.stale, history.starts),
        ("I6", "successes without an effect", _without_effect(evidence), _successes()),
        ("I8", "tasks with more attempts than allowed", _too_many(evidence.most_attempts), Task.objects.count()),
        ("I8", "failures without an open exception, or the reverse", _exceptions_astray(), Instance.objects.count()),
        ("I7", "attempts or leases left open at the end", _left_open(), Instance.objects.count()),
    ]
    if evidence.decided:
        rows.append(("R4", "acts answered done and not recorded so", _acts_lost(evidence), len(evidence.decided)))
    return [Count(id=id_, what=what, bad=bad, of=of, store=store) for id_, what, bad, of in rows if of]


def _unrecorded(evidence: Evidence) -> int:
    """Where the store did not answer on receipt: attempts begun by then must be at least as many as the calls."""
    unseen: int = sum(entry["seen"] == "unseen" for entry in evidence.ledger)
    asked = [entry for entry in evidence.ledger if entry["seen"] == "away"]
    begun: dict[str, list[datetime]] = defaultdict(list)
    for key, at in Attempt.objects.filter(key__in={entry["key"] for entry in asked}).values_list("key", "started_at"):
        begun[key].append(at)
    for entry in asked:
        at = datetime.fromtimestamp(entry["at"], UTC)
        unseen += sum(start <= at for start in begun[entry["key"]]) < int(entry["call"])
    return unseen


def _twice(evidence: Evidence, honoured: set[str]) -> int:
    """By task and run, not by key alone: a key that changed between attempts would hide a second effect."""
    runs: Counter[tuple[str, str, int]] = Counter()
    for key, instance_id, task_id, run in (
        Attempt.objects.exclude(key="").values_list("key", "instance_id", "task_id", "run").distinct()
    ):
        if key in honoured:
            runs[instance_id, task_id, run] += evidence.effects[key]
    return sum(count > 1 for count in runs.values())


def _duplicates_beyond_unknown(evidence: Evidence, honoured: set[str]) -> int:
    unknown = Counter(Attempt.objects.filter(status="unknown").values_list("key", flat=True))
    return sum(count - 1 > unknown[key] for key, count in evidence.effects.items() if key not in honoured)


def _wrong_db_effects(evidence: Evidence) -> tuple[int, int]:
    """db: one row for each success, at most one otherwise. mq: one message for each success."""
    if evidence.db_effects is None:
        return 0, 0
    rows = Counter(evidence.db_effects)
    done = {
        (instance_id, task_id)
        for instance_id, task_id in Attempt.objects.filter(status="success", task_id="c").values_list(
            "instance_id", "task_id"
        )
    }
    sent = set(LocalMessage.objects.values_list("idempotency_key", flat=True))
    told = set(Attempt.objects.filter(status="success", task_id="e").values_list("key", flat=True))
    bad = sum(count > 1 for count in rows.values()) + len(done - set(rows)) + len(told - sent)
    return bad, len(rows) + len(sent)


def _without_effect(evidence: Evidence) -> int:
    tasks = ["c", "e"] if evidence.db_effects is not None else []
    keys = Attempt.objects.filter(status="success").exclude(task_id__in=tasks).values_list("key", flat=True)
    return sum(key not in evidence.effects for key in set(keys))


def _successes() -> int:
    return Attempt.objects.filter(status="success").count()


def _fences() -> int:
    return sum(Instance.objects.values_list("fence", flat=True))


def _two_owners() -> int:
    owners = Attempt.objects.order_by().values("instance_id", "fence").annotate(owners=CountOf("worker", distinct=True))
    return owners.filter(owners__gt=1).count()


def _too_many(most: int) -> int:
    if not most:
        return 0
    retried = set(OperatorAction.objects.filter(act="retry").values_list("instance_id", flat=True))
    tried = Attempt.objects.order_by().values("instance_id", "task_id", "run").annotate(count=CountOf("id"))
    return sum(row["count"] > most and row["instance_id"] not in retried for row in tried)


def _exceptions_astray() -> int:
    """A parked or failed instance has an open exception; one that ended well has none."""
    open_ = set(ExceptionRecord.objects.filter(state="open").values_list("instance_id", flat=True))
    failed = set(Instance.objects.filter(status="failed", closed=False).values_list("id", flat=True))
    well = set(Instance.objects.filter(status="success").values_list("id", flat=True))
    return len(failed - open_) + len(open_ & well)


def _left_open() -> int:
    rest = Instance.objects.exclude(status__in=["pending", "running"])
    held = rest.exclude(owner="").count()
    return Attempt.objects.filter(status="started", instance__in=rest).count() + held


def _acts_lost(evidence: Evidence) -> int:
    done = OperatorAction.objects.filter(state="done").annotate(key=F("id")).values_list("key", flat=True)
    return len(set(evidence.decided) - set(done))
