"""Every number of the engine's I/O in one frozen object (architecture 4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSettings:
    """Times in seconds. Those of a lease follow `lease` where it is shortened (`of_lease`)."""

    # Leases
    lease: float = 30.0
    renew_every: float = 10.0
    loop_fresh: float = 5.0  # leases are renewed only while the loop has ticked within this time
    loop_silent: float = 20.0  # a loop silent for longer ends the process
    call_margin: float = 2.0  # a call leaves only with more lease left than this

    # Looking for work
    poll_busy: float = 0.02
    busy_for: float = 10.0  # how long after work the busy poll goes on
    poll_idle: float = 0.25
    sweep_every: float = 1.0  # inboxes and the database's time
    claim_batch: int = 100
    owned_most: int = 500  # instances held in memory at once, whatever the backlog
    struck_lane: int = 20  # of them, those whose lease ran out before
    trial: float = 5.0  # how long no other of those is claimed beside one that its next strike would park

    # Journal
    group_records: int = 500
    group_bytes: int = 4 * 1024 * 1024
    backoff_first: float = 0.05
    backoff_most: float = 2.0

    # Calls
    timeout_grace: float = 0.5  # an executor ends its own call; past this the driver gives it up

    # Sessions, bell and supervisor
    session: float = 20.0
    drain: float = 10.0
    beat_every: float = 0.5
    beat_fresh: float = 1.0  # while a heartbeat is younger nobody rings
    ring_every: float = 0.1
    canary_every: float = 10.0
    canary_within: float = 5.0
    reconcile_every: float = 60.0  # a turn of the reconciler's slow walk, on one host at a time

    max_task_timeout: float = 600.0
    workers: int = 2

    @property
    def owned_of_flow(self) -> int:
        """Of `owned_most`, instances of one flow: another flow's always find room."""
        return max(1, self.owned_most - self.owned_most // 5)

    @classmethod
    def of_lease(cls, lease: float, **others: Any) -> EngineSettings:
        """The lease's own numbers shrink with it; nothing grows beyond its usual size."""
        usual = {"renew_every": 10.0, "loop_fresh": 5.0, "loop_silent": 20.0, "call_margin": 2.0}
        share = min(1.0, lease / 30.0)
        scaled: dict[str, Any] = {name: value * share for name, value in usual.items()}
        # Below this a busy machine's hiccups would look like silence.
        scaled["loop_fresh"] = max(scaled["loop_fresh"], min(1.0, lease / 3))
        scaled["loop_silent"] = max(scaled["loop_silent"], 5.0)
        return cls(lease=lease, **(scaled | others))

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> EngineSettings:
        """From the project's settings: `ENGINE_LEASE_SECONDS`, and `ENGINE_<NAME>` for any field of this class."""
        named = {field.name: config.get(f"ENGINE_{field.name.upper()}") for field in fields(cls)}
        others = {name: value for name, value in named.items() if value is not None and name != "lease"}
        return cls.of_lease(float(config.get("ENGINE_LEASE_SECONDS", 30.0)), **others)
