"""Watches the hands: keeps one queue cluster alive, proves that it works, replaces it whole (architecture 4.10).

A cluster whose processes all live may still be wedged (research/reliability 2.4), so only answers count.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol

import structlog

from disttask_project.kernel.crashpoints import crash_point
from disttask_project.kernel.ids import new_id
from execution.engine.processes import kill_all, leader_of, members, read_leader
from execution.engine.sessions import (
    CLUSTER_VARIABLE,
    PARENT_VARIABLE,
    CanaryStamp,
    DrainFlag,
    SessionSlots,
    run_folder,
)
from execution.engine.settings import EngineSettings

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = 0.25
FIRST_CANARY: Final = 20.0  # a cluster that starts on a busy machine may take so long for its first answer
OUTAGE_GRACE: Final = 20.0  # after the store was away the queue's pusher sleeps 10 s, dies and is reborn
STABLE_AFTER: Final = 60.0
BACKOFF: Final = (0.5, 1.0, 2.0, 5.0, 10.0)


class Queue(Protocol):
    """What the supervisor asks of queue and store; each may raise whatever they raise."""

    def needs_bell(self) -> bool:
        """Something is due, and no session lives."""

    def ring(self) -> None: ...

    def reconcile(self) -> None:
        """Have a worker look for rows that disagree."""

    def send_canary(self, word: str) -> str:
        """Returns the message's id."""

    def has_recorded(self, message_id: str) -> bool:
        """Whether the queue has written the result of the message (and forgets it)."""

    def store_answers(self) -> bool: ...

    def beat(self, state: str) -> None:
        """Tell readers that hands are there though nothing is to be done: sessions live only while there is work."""


class Canary:
    """One message that a worker must stamp and whose result the queue must record."""

    __slots__ = ("deadline", "message_id", "word")

    def __init__(self, word: str, message_id: str, deadline: float) -> None:
        self.word = word
        self.message_id = message_id
        self.deadline = deadline


class Cluster:
    """One life of the queue cluster: a session of processes that knows its token."""

    def __init__(self, command: Sequence[str], *, home: Path, environment: Mapping[str, str]) -> None:
        self.token = new_id()
        self.drain = DrainFlag(home, self.token)
        self.stamp = CanaryStamp(home, self.token)
        self.started = time.monotonic()
        own = {CLUSTER_VARIABLE: self.token, PARENT_VARIABLE: str(os.getpid())}
        self._process = subprocess.Popen(command, env={**environment, **own}, start_new_session=True)
        crash_point("cluster.spawned")
        self._leader = leader_of(self._process.pid)
        # For whoever comes after us, should we be killed. (The cluster ends with us then, where the kernel helps.)
        self._record = run_folder(home) / "cluster"
        self._record.write_text(f"{self.token} {self._leader}")

    @property
    def exit_code(self) -> int | None:
        return self._process.poll()

    def end(self) -> None:
        left = kill_all(self._leader)
        if left:
            log.error("cluster_processes_left", pids=list(left))
        self._process.wait(5)
        self.drain.lower()
        self.stamp.remove()
        self._record.unlink(missing_ok=True)

    @staticmethod
    def end_leftover(home: Path) -> None:
        """The cluster of a supervisor that died: its processes may still be at work."""
        record = run_folder(home) / "cluster"
        if not record.exists():
            return
        token, _, rest = record.read_text().partition(" ")
        leader = read_leader(rest)
        pids = members(leader) if leader is not None else []
        if leader is not None and pids:
            log.warning("leftover_cluster_ended", pids=pids)
            kill_all(leader)
        DrainFlag(home, token or "none").lower()
        CanaryStamp(home, token or "none").remove()
        record.unlink(missing_ok=True)


class Supervisor:
    """`run` returns once `stop` was called and the cluster has ended."""

    def __init__(
        self,
        *,
        command: Sequence[str],
        home: Path,
        environment: Mapping[str, str],
        settings: EngineSettings,
        queue: Queue,
    ) -> None:
        self._command = command
        self._home = home
        self._environment = environment
        self._settings = settings
        self._queue = queue
        self._slots = SessionSlots(home, settings.workers)
        self._stopping = False
        self._failures = 0
        self._canary: Canary | None = None
        self._next_canary = 0.0
        self._next_bell = 0.0
        self._next_turn = time.monotonic() + settings.reconcile_every
        self._outage_at: float | None = None
        self._canaries = 0

    def stop(self) -> None:
        self._stopping = True

    def run(self) -> None:
        Cluster.end_leftover(self._home)
        while not self._stopping:
            cluster = self._start()
            reason = self._watch(cluster)
            if reason == "stop":
                self._drain(cluster)
            else:
                log.error("cluster_replaced", reason=reason, lived=round(time.monotonic() - cluster.started, 1))
            cluster.end()
            if not self._stopping:
                self._back_off(cluster)
        self._say_ended()

    def _say_ended(self) -> None:
        try:
            self._queue.beat("ended")
        except Exception as error:
            self._note_outage(error)

    def _start(self) -> Cluster:
        cluster = Cluster(self._command, home=self._home, environment=self._environment)
        self._canary = None
        self._next_canary = cluster.started + 1.0
        log.info("cluster_started", cluster=cluster.token)
        return cluster

    def _watch(self, cluster: Cluster) -> str:
        """Until the cluster has to end; returns why."""
        while not self._stopping:
            time.sleep(LOOK_EVERY)
            code = cluster.exit_code
            if code is not None:
                # Also 0: the queue's main process says so when its guard was killed and orphans go on.
                return f"exit code {code}"
            self._mind_bell()
            if self._mind_canary(cluster):
                return "canary unanswered"
        return "stop"

    def _drain(self, cluster: Cluster) -> None:
        cluster.drain.lift()
        deadline = time.monotonic() + self._settings.drain + 2
        while time.monotonic() < deadline and cluster.exit_code is None and not self._slots.all_free():
            time.sleep(0.05)

    def _back_off(self, cluster: Cluster) -> None:
        if time.monotonic() - cluster.started > STABLE_AFTER:
            self._failures = 0
        wait = time.monotonic() + BACKOFF[min(self._failures, len(BACKOFF) - 1)]
        self._failures += 1
        while time.monotonic() < wait and not self._stopping:
            time.sleep(0.05)

    def _mind_bell(self) -> None:
        now = time.monotonic()
        if now < self._next_bell:
            return
        self._next_bell = now + 1.0
        try:
            if self._queue.needs_bell():
                self._queue.ring()
            if now >= self._next_turn:
                self._next_turn = now + self._settings.reconcile_every
                self._queue.reconcile()
        except Exception as error:
            self._note_outage(error)

    def _mind_canary(self, cluster: Cluster) -> bool:
        """True: it was not answered, though queue and store do answer us."""
        now = time.monotonic()
        try:
            if self._canary is None:
                if now >= self._next_canary:
                    self._send_canary(cluster)
                return False
            if self._is_answered(cluster, self._canary):
                self._canary = None
                self._queue.beat("ready")
                return False
            return now > self._canary.deadline and self._is_wedged()
        except Exception as error:
            self._note_outage(error)
            return False

    def _send_canary(self, cluster: Cluster) -> None:
        self._canaries += 1
        word = f"{cluster.token}:{self._canaries}"
        message_id = self._queue.send_canary(word)
        now = time.monotonic()
        young = cluster.started + FIRST_CANARY
        self._canary = Canary(word, message_id, max(now + self._settings.canary_within, young))
        self._next_canary = now + self._settings.canary_every

    def _is_answered(self, cluster: Cluster, canary: Canary) -> bool:
        return cluster.stamp.read() == canary.word and self._queue.has_recorded(canary.message_id)

    def _is_wedged(self) -> bool:
        if not self._queue.store_answers():
            self._outage_at = time.monotonic()
            return False
        return self._outage_at is None or time.monotonic() - self._outage_at > OUTAGE_GRACE

    def _note_outage(self, error: Exception) -> None:
        now = time.monotonic()
        if self._outage_at is None or now - self._outage_at > OUTAGE_GRACE:
            log.warning("queue_or_store_away", error=str(error)[:300])
        self._outage_at = now


def environment_of(settings_module: str, base: Path) -> dict[str, str]:
    """The environment in which `python -m django` finds the project from any folder."""
    path = os.pathsep.join(filter(None, [str(base), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "DJANGO_SETTINGS_MODULE": settings_module, "PYTHONPATH": path}
