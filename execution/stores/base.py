"""The store: all that the engine asks of a database, one method a question.

Claims, journal and holds live behind this port and nowhere else; `sql.py` implements it for SQLite, MariaDB/MySQL
and PostgreSQL. Every method is blocking, is called from a thread that owns its connection, and leaves no
transaction open (but `hold` and `insert_instances`, which say so). Times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from execution.engine.state import Act, AttemptRow, InstanceState, Unit
from execution.stores.targets import TargetStore


class StoreUnavailable(Exception):
    """Transient: connection lost, deadlock, lock timeout, busy, server restarting. The same call again may work.

    `commit_sent` tells that COMMIT had left and its answer was lost: read (fence, rev) back before trying again.
    """

    def __init__(self, message: str, *, commit_sent: bool = False) -> None:
        super().__init__(message)
        self.commit_sent = commit_sent


class RecordRefused(Exception):
    """Data: the database will never take this group as it is (a value out of range, a constraint)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewInstance:
    """An Instance row to insert; `tags` become InstanceTag rows. It is due at once."""

    id: str
    flow_id: str
    version_id: str
    params: Mapping[str, Any]
    tags: Mapping[str, str] = field(default_factory=dict)
    digest: str
    deadline_seconds: float | None = None
    create_user: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """An instance this owner holds now. `strikes` counts leases that ran out without an outcome, this one included."""

    instance_id: str
    fence: int
    strikes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A claimed instance ready for its first event.

    `broken` says why its version or its rows cannot be read; the state then has an empty flow and no tasks, and
    the only event it may see is `Park`.
    """

    state: InstanceState
    open_attempts: Sequence[AttemptRow]
    broken: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAction:
    """An operator's act to be asked. `id` is made by the caller."""

    id: str
    instance_id: str
    task_id: str
    act: str
    payload: Mapping[str, Any]
    reason: str
    actor: str
    source: str
    request_id: str = ""
    address: str = ""


class Hold(Protocol):
    """An instance nobody else may write until the `with` block ends: in one transaction, row locked, fence taken."""

    state: InstanceState
    open_attempts: Sequence[AttemptRow]

    def apply(self, unit: Unit) -> None:
        """Write the unit in this transaction."""


class Store(Protocol):
    targets: TargetStore

    @property
    def shares_one_writer(self) -> bool:
        """One transaction writes at a time: the journal pauses between commits so that others get their turn."""

    def close(self) -> None:
        """Close this thread's connection."""

    def now(self) -> datetime:
        """The database's time."""

    def insert_instances(self, rows: Sequence[NewInstance]) -> Mapping[str, str]:
        """Insert those that are new, in id order, joining the caller's transaction if there is one.

        Returns for each id that was there already (also when it was inserted by a racing twin meanwhile) the
        digest of the row found; ids not in the answer were inserted.
        """

    def claim(
        self,
        owner: str,
        *,
        limit: int,
        struck_limit: int,
        lease: timedelta,
        now: datetime,
        held: Mapping[str, int] | None = None,
        most_of_flow: int | None = None,
    ) -> Sequence[Claim]:
        """Take up to `limit` due instances (`wake_at <= now`), a fair share of each flow that is due, oldest first.

        `held` says how many the owner has of each flow already: those with fewer go first, and none gets more than
        `most_of_flow` in all.

        Each gets fence + 1, the owner, lease_until = wake_at = now + lease. One whose lease had run out (it has an
        owner) gets strikes + 1; at most `struck_limit` of those with strikes are taken,
        and one that its next strike would park is taken without any other of them. Frozen against twins.
        """

    def load(self, claims: Sequence[Claim]) -> Sequence[Loaded]:
        """The claimed instances with their tasks and open attempts: a bounded number of queries, not one each.

        Those that are no longer held under the claim's fence are left out.
        """

    def renew(self, owner: str, fences: Mapping[str, int], *, lease: timedelta, now: datetime) -> set[str]:
        """Lengthen the leases of these instances (id -> fence). Returns the ids that are no longer this owner's.

        Works after the lease has run out too, while nobody else has claimed.
        """

    def apply(self, units: Sequence[Unit]) -> set[str]:
        """Commit the units (at most one an instance, in id order) in one transaction.

        Returns the ids whose fence is lost: nothing of those was written, all others are committed.
        Raises StoreUnavailable (nothing committed, or unknown if `commit_sent`) or RecordRefused (nothing committed).
        """

    def positions(self, ids: Iterable[str]) -> Mapping[str, tuple[int, int]]:
        """(fence, rev) of each row, to find out whether a COMMIT whose answer was lost took place."""

    def inboxes(self, ids: Iterable[str]) -> Mapping[str, int]:
        """`inbox` of each row."""

    def open_actions(self, instance_ids: Iterable[str]) -> Mapping[str, Sequence[Act]]:
        """Acts asked and not decided, in the order they were asked."""

    def ask(self, action: NewAction, *, now: datetime) -> bool:
        """Write an OperatorAction and inbox + 1 in one transaction. False: such an act is open already."""

    def hold(self, instance_id: str, *, owner: str, now: datetime) -> AbstractContextManager[Hold | None]:
        """Take the instance if no live lease holds it (fence + 1, no lease): None if a driver has it.

        Opens a transaction that commits when the block ends well. Raises LookupError where there is no such row.
        """

    def keep_stale(self, attempt: AttemptRow) -> None:
        """Note a late answer on an attempt that was given up; nothing else changes."""

    def next_due(self) -> datetime | None:
        """The earliest `wake_at` of all, or None; for the canary and the console."""

    def has_due(self, now: datetime) -> bool:
        """Whether anything could be claimed now."""

    def has_backlog(self, flow_id: str, most: int) -> bool:
        """Whether a flow has more than `most` instances that wait for a time or a worker (`wake_at` is set)."""

    def beat(
        self, session_id: str, *, host: str, pid: int, kind: str, state: str, in_flight: int, now: datetime
    ) -> None:
        """Upsert this driver's EngineSession row."""

    def freshest_beat(self) -> datetime | None:
        """The youngest heartbeat of a running session."""
