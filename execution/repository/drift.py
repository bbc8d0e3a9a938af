"""What rows of an instance may disagree about, found by reading; bounded by the ids that are asked about.

Nothing here writes, and nothing here is a verdict: rows are read one query after the other while drivers write. Who
heals looks again under the instance's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Max, Q

from execution.domain.states import InstanceStatus, TaskStatus
from execution.models import Attempt, ExecutionLog, Instance, InstanceTag, OperatorAction, Task
from flows.domain.compiled import Kind
from flows.domain.errands import kind_of

OPEN: Final = ("pending", "running", "compensating")
WAITING: Final = ("retrying", "unknown")
UNREAD: Final = "UNLOADABLE"  # parked unread: what its tasks were at stays as it was, for whoever can read it
LATE: Final = timedelta(minutes=1)  # how long after the last reason to look a `wake_at` may lie


@dataclass(frozen=True, slots=True, order=True, kw_only=True)
class Drift:
    """One disagreement. `task_id` is empty where it is the instance's own."""

    instance_id: str
    kind: str
    task_id: str = ""
    found: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """An exception record, as far as drift goes."""

    task_id: str
    run: int
    state: str


Records = Callable[[Sequence[str]], Mapping[str, Sequence[Record]]]


def _no_records(_ids: Sequence[str]) -> Mapping[str, Sequence[Record]]:
    return {}


_records: Records = _no_records


def register_records(records: Records) -> None:
    """Who keeps the exception records says how to read them."""
    global _records  # noqa: PLW0603  one app keeps them
    _records = records


@dataclass(slots=True)
class Rows:
    """All that is read of one instance."""

    row: dict[str, Any]
    tasks: dict[str, dict[str, Any]] = field(default_factory=dict)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)  # task -> the status that its log says
    last_seq: int = 0
    tags: set[str] = field(default_factory=set)
    asked: bool = False
    records: Sequence[Record] = ()

    @property
    def is_open(self) -> bool:
        """Something happens to it by itself."""
        return self.row["status"] in OPEN and not self.is_held_undoing

    @property
    def is_held_undoing(self) -> bool:
        return bool(self.row["status"] == "compensating" and self.row["needs_attention"])

    @property
    def is_closed(self) -> bool:
        return bool(self.row["closed"]) or InstanceStatus(self.row["status"]).is_terminal

    @property
    def is_unread(self) -> bool:
        """In the middle of an undo the instance keeps its first error, so any that is held counts."""
        parked = (self.row["error"] or {}).get("code") == UNREAD and not self.is_closed
        return parked or self.is_held_undoing


def look(ids: Collection[str], *, now: datetime, tags_of: Callable[[str], Collection[str]]) -> list[Drift]:
    """Everything that is wrong with these instances, but for those that a live lease holds.

    `tags_of` gives the tags that a version's instances have.
    """
    found: list[Drift] = []
    for rows in _read(sorted(ids)):
        until = rows.row["lease_until"]
        if rows.row["owner"] and until is not None and until > now:
            continue
        for check in CHECKS:
            found += check(rows, now)
        missing = sorted(set(tags_of(rows.row["version_id"])) - rows.tags)
        found += [_drift(rows, "tag_missing", found=key) for key in missing]
    return sorted(found)


def _read(ids: Sequence[str]) -> Iterable[Rows]:
    columns = ("id", "status", "closed", "needs_attention", "error", "owner", "lease_until", "wake_at", "deadline_at")
    found = {row["id"]: Rows(row) for row in Instance.objects.filter(pk__in=ids).values(*columns, "seq", "version_id")}
    some = sorted(found)
    for task in Task.objects.filter(instance_id__in=some).values("instance_id", "task_id", "status", "next_at"):
        found[task["instance_id"]].tasks[task["task_id"]] = dict(task)
    attempts = Attempt.objects.filter(instance_id__in=some, status="started")
    for attempt in attempts.values("instance_id", "task_id", "number"):
        found[attempt["instance_id"]].attempts.append(dict(attempt))
    logs = ExecutionLog.objects.filter(instance_id__in=some).exclude(task_id="").order_by("instance_id", "seq")
    for instance_id, task_id, details in logs.values_list("instance_id", "task_id", "details"):
        if isinstance(details, dict) and "to" in details:
            found[instance_id].told[task_id] = str(details["to"])
    last = ExecutionLog.objects.filter(instance_id__in=some).values("instance_id").annotate(last=Max("seq"))
    for row in last:
        found[row["instance_id"]].last_seq = row["last"]
    for instance_id, key in InstanceTag.objects.filter(instance_id__in=some).values_list("instance_id", "key"):
        found[instance_id].tags.add(key)
    asked = OperatorAction.objects.filter(instance_id__in=some, state="asked")
    for instance_id in asked.values_list("instance_id", flat=True):
        found[instance_id].asked = True
    for instance_id, records in _records(some).items():
        found[instance_id].records = records
    return found.values()


def _drift(rows: Rows, kind: str, task_id: str = "", found: str = "") -> Drift:
    return Drift(instance_id=rows.row["id"], kind=kind, task_id=task_id, found=found)


def _wakes(rows: Rows, now: datetime) -> list[Drift]:
    """Somebody must look at what is open, or has been asked for, and not too late."""
    wake_at = rows.row["wake_at"]
    if not rows.is_open and not rows.asked:
        return []
    if wake_at is None:
        return [_drift(rows, "never_woken", found="act" if rows.asked else rows.row["status"])]
    times = [task["next_at"] for task in rows.tasks.values()] + [rows.row["deadline_at"], rows.row["lease_until"]]
    last = max([now, *(at for at in times if at is not None)])
    if rows.asked:
        last = now
    return [_drift(rows, "woken_too_late", found=wake_at.isoformat())] if wake_at > last + LATE else []


def _counts(rows: Rows, _now: datetime) -> list[Drift]:
    """The next log row's number must be free."""
    if rows.row["seq"] == rows.last_seq:
        return []
    return [_drift(rows, "log_number", found=f"{rows.row['seq']}, and the log ends at {rows.last_seq}")]


def _attention(rows: Rows, _now: datetime) -> list[Drift]:
    if rows.row["status"] == "compensating":
        return []  # whether a person is needed is for its next step to say
    needs = rows.row["status"] == "failed" and not rows.row["closed"]
    return [] if needs == rows.row["needs_attention"] else [_drift(rows, "attention", found=str(not needs).lower())]


def _told(rows: Rows, _now: datetime) -> list[Drift]:
    """A task stands as its log says."""
    return [
        _drift(rows, "task_and_log", task_id, found=f"{task['status']}, and the log says {rows.told[task_id]}")
        for task_id, task in rows.tasks.items()
        if task_id in rows.told and rows.told[task_id] != task["status"] and not _begins_anew(task_id, task)
    ]


def _begins_anew(task_id: str, task: Mapping[str, Any]) -> bool:
    """An undo or a check that is asked for again goes back to pending unsaid; its start is told."""
    return kind_of(task_id) is not Kind.FORWARD and task["status"] == "pending"


def _under_way(rows: Rows, _now: datetime) -> list[Drift]:
    """Nothing is under way in an instance at rest; an open attempt belongs to a running task."""
    if rows.is_unread:
        return []
    found = []
    at_rest = not rows.is_open
    for attempt in rows.attempts:
        status = rows.tasks.get(attempt["task_id"], {}).get("status")
        if at_rest or status != TaskStatus.RUNNING:
            found.append(_drift(rows, "open_attempt", attempt["task_id"], found=str(attempt["number"])))
    for task_id, task in rows.tasks.items():
        resting = task["status"] == "running" and at_rest
        if resting or (task["status"] in WAITING and at_rest and rows.row["status"] != "paused"):
            found.append(_drift(rows, "task_under_way", task_id, found=task["status"]))
    return found


def _exceptions(rows: Rows, _now: datetime) -> list[Drift]:
    """What failed for good is on record; what is well is not still asked about."""
    found = []
    live = {record.task_id for record in rows.records if record.state in ("open", "retrying")}
    known = {record.task_id for record in rows.records}
    for task_id in sorted(live):
        status = rows.tasks.get(task_id, {}).get("status", "")
        if status in ("success", "skipped", "cancelled"):
            found.append(_drift(rows, "exception_left", task_id))
    for task_id, task in rows.tasks.items():
        held = rows.row["status"] == "failed" and not rows.row["closed"]
        if task["status"] == "failed" and held and task_id not in known and _records is not _no_records:
            found.append(_drift(rows, "exception_missing", task_id))
    return found


CHECKS: Final = (_counts, _told, _under_way, _attention, _exceptions, _wakes)


# Which to look at


def window(after: Mapping[str, Any], *, size: int, only_open: bool) -> tuple[list[str], dict[str, Any]]:
    """The next instances in the order of their creation, and where the window after them begins; {} at the end."""
    rows = Instance.objects.order_by("created_at", "pk")
    if only_open:
        rows = rows.filter(status__in=OPEN)
    if after:
        moment = datetime.fromisoformat(after["at"])
        rows = rows.filter(created_at__gte=moment).filter(Q(created_at__gt=moment) | Q(pk__gt=after["id"]))
    found = list(rows.values_list("pk", "created_at")[:size])
    if len(found) < size:
        return [pk for pk, _ in found], {}
    last_id, last_at = found[-1]
    return [pk for pk, _ in found], {"at": last_at.isoformat(), "id": last_id}


def asked_of(limit: int) -> list[str]:
    """Instances of which something has been asked: few, and found by the unique key of open acts."""
    rows = OperatorAction.objects.filter(open_key__isnull=False, state="asked").order_by("open_key")
    return list(rows.values_list("instance_id", flat=True)[:limit])


def stale_keys(limit: int) -> list[tuple[str, str, bool]]:
    """Acts whose key is taken though they are decided, or whose instance is gone: (id, instance, decided)."""
    rows = OperatorAction.objects.filter(open_key__isnull=False).order_by("open_key")[:limit]
    acts = list(rows.values_list("pk", "instance_id", "state"))
    there = set(Instance.objects.filter(pk__in={row[1] for row in acts}).values_list("pk", flat=True))
    return [(pk, owner, state != "asked") for pk, owner, state in acts if state != "asked" or owner not in there]
