"""What the queue calls, and who rings it. Messages are wake-ups: one short string, no state, no result.

Losing, repeating, reordering or delaying one changes nothing but latency.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta

import structlog
from django.conf import settings
from django.db import connections
from django_q.models import Task
from django_q.tasks import async_task

from disttask_project.kernel.actor import system_actor
from disttask_project.kernel.crashpoints import crash_point
from disttask_project.kernel.ids import new_id
from execution.engine.driver import Driver
from execution.engine.hosting import Host
from execution.engine.loading import current_store, engine_settings, failure_port, new_executors, target_settings
from execution.engine.processes import bind_family
from execution.engine.sessions import CLUSTER_VARIABLE, PARENT_VARIABLE, CanaryStamp, DrainFlag, SessionSlots
from execution.services.following import start_due
from execution.services.reconcile import reconcile_turn

log = structlog.get_logger(__name__)

MOST_HOPS = 20  # of a canary between clusters that share a queue
FOLLOW_EVERY = 1.0  # seconds between looks for failure flows that are due
COLLECT_AFTER = 50_000  # objects made and not freed: some tens of megabytes
_bell = threading.Lock()
_rung_at = -1.0


def join_queue() -> None:
    """Called once at start-up. In a cluster that `runcluster` watches, all processes end with their parents."""
    if PARENT_VARIABLE in os.environ:
        bind_family(int(os.environ[PARENT_VARIABLE]))


def owner_name() -> str:
    """The id of a session, and the `owner` of what it claims."""
    return f"{socket.gethostname()[:24]}:{os.getpid()}:{new_id()[-12:]}"


# Ringing


def ring() -> None:
    """Wake a driver after a start, unless one is awake or this process has just rung. Never raises."""
    if not _may_ring():
        return
    try:
        store = current_store()
        beat = store.freshest_beat()
        fresh = timedelta(seconds=engine_settings().beat_fresh)
        if beat is None or store.now() - beat > fresh:
            enqueue_drive("bell")
    except Exception:
        log.warning("bell_lost", exc_info=True)


def _may_ring() -> bool:
    global _rung_at  # noqa: PLW0603  a process has one bell
    now = time.monotonic()
    with _bell:
        if now - _rung_at < engine_settings().ring_every and _rung_at >= 0:
            return False
        _rung_at = now
    return True


def enqueue_drive(note: str) -> None:
    crash_point("bell.before")
    async_task("execution.jobs.drive", note, q_options={"save": False})
    crash_point("bell.after")


# Called by the queue


def drive(note: str) -> None:
    """Run a session of the driver, unless this cluster has enough of them."""
    crash_point("drive.begin")
    try:
        with _slots().taken() as has_slot:
            if has_slot and not _drain_flag().is_up():
                run_driver(ClusterHost())
    except Exception:
        log.exception("session_failed", note=note)
    finally:
        connections.close_all()
        crash_point("drive.end")


def canary(word: str) -> None:
    """Answer the supervisor of our cluster; another's canary is passed on to the queue again."""
    try:
        token, number, *hops = word.split(":")
        if token == os.environ.get(CLUSTER_VARIABLE):
            CanaryStamp(settings.HOME, token).write(f"{token}:{number}")
            return
        hop = int(hops[0]) + 1 if hops else 1
        if hop <= MOST_HOPS:
            async_task("execution.jobs.canary", f"{token}:{number}:{hop}", q_options={"save": False})
    except Exception:
        log.exception("canary_failed")


def reconcile() -> None:
    """A turn of the reconciler, unless another host has just had one; and what no awake session has followed."""
    follow_failures()
    try:
        reconcile_turn(actor=system_actor("reconciler", source="engine"), every=engine_settings().reconcile_every / 2)
    except Exception:
        log.exception("reconcile_failed")
    finally:
        connections.close_all()


def reconcile_beside(is_over: Callable[[], bool]) -> None:
    """Turns without a queue, on a thread of their own, until it is over."""

    def turns() -> None:
        due = time.monotonic() + engine_settings().reconcile_every
        while not is_over():
            time.sleep(0.5)
            if time.monotonic() >= due:
                due = time.monotonic() + engine_settings().reconcile_every
                reconcile()

    threading.Thread(target=turns, name="reconciler", daemon=True).start()


def follow_failures() -> None:
    """Start the failure flows that are due."""
    try:
        start_due(actor=system_actor("failure flow", source="engine"))
    except Exception:
        log.exception("following_failed")


def _follow_beside(is_over: threading.Event) -> threading.Thread:
    """Failure flows, on a thread of their own for as long as a session lasts."""

    def turns() -> None:
        try:
            while not is_over.wait(FOLLOW_EVERY):
                follow_failures()
        finally:
            connections.close_all()

    thread = threading.Thread(target=turns, name="following", daemon=True)
    thread.start()
    return thread


def run_driver(host: Host) -> None:
    """One session, to its end. Everything it needs is made here, after any fork."""
    _spare_collector()
    is_over = threading.Event()
    following = _follow_beside(is_over)
    try:
        asyncio.run(_new_driver(host).run())
    finally:
        is_over.set()
        following.join(5)


def _new_driver(host: Host) -> Driver:
    return Driver(
        store=current_store(),
        executors=new_executors(),
        port=failure_port(),
        settings=engine_settings(),
        targets=target_settings(),
        host=host,
        owner=owner_name(),
    )


def _spare_collector() -> None:
    """Keep the cycle collector off what lives as long as the process, and off what dies by itself.

    All modules and settings are loaded by now; walking them again and again, and every few hundred new objects, took
    a sixth of a driver's CPU. Cycles are still found: what a driver holds is bounded, so is what waits to be found.
    """
    if not gc.get_freeze_count():  # once a process: what a session leaves must stay in sight
        gc.collect()
        gc.freeze()
    gc.set_threshold(COLLECT_AFTER, 20, 20)


class ClusterHost:
    """A worker of the django-q2 cluster (`engine.hosting.Host`)."""

    kind = "cluster"

    def __init__(self) -> None:
        self._drain = _drain_flag()
        self._slots = _slots()

    @property
    def claim_seconds(self) -> float | None:
        return engine_settings().session

    @property
    def end_seconds(self) -> float | None:
        return float(settings.Q_CLUSTER["timeout"])

    def should_go(self) -> bool:
        return self._drain.is_up()

    def hand_over(self, *, busy: bool) -> bool:
        """An idle session just ends: the next start rings. A busy one stays where no worker is free for another."""
        if not busy:
            return True
        return self._call_another("successor")

    def call_help(self) -> None:
        self._call_another("help")

    def _call_another(self, note: str) -> bool:
        if not self._slots.free():
            return False
        try:
            enqueue_drive(note)
        except Exception:
            log.warning("bell_lost", exc_info=True)
            return False
        finally:
            connections.close_all()
        return True


def _slots() -> SessionSlots:
    return SessionSlots(settings.HOME, engine_settings().workers)


def _drain_flag() -> DrainFlag:
    return DrainFlag(settings.HOME, os.environ.get(CLUSTER_VARIABLE, "none"))


class WatchedQueue:
    """What `runcluster` asks of queue and store (`engine.supervisor.Queue`)."""

    def needs_bell(self) -> bool:
        store = current_store()
        now = store.now()
        beat = store.freshest_beat()
        if beat is not None and now - beat <= timedelta(seconds=2 * engine_settings().beat_fresh):
            return False
        return store.has_due(now)

    def ring(self) -> None:
        enqueue_drive("due")

    def reconcile(self) -> None:
        async_task("execution.jobs.reconcile", q_options={"save": False})

    def send_canary(self, word: str) -> str:
        return str(async_task("execution.jobs.canary", word, q_options={"save": True}))

    def has_recorded(self, message_id: str) -> bool:
        deleted, _ = Task.objects.filter(id=message_id).delete()
        return bool(deleted)

    def beat(self, state: str) -> None:
        store = current_store()
        host, pid = socket.gethostname(), os.getpid()
        # Not "running": that is a session's word, and while one is fresh nobody rings.
        store.beat(
            f"{host[:24]}:{pid}:cluster", host=host, pid=pid, kind="cluster", state=state, in_flight=0, now=store.now()
        )

    def store_answers(self) -> bool:
        try:
            current_store().now()
            Task.objects.filter(id="none").exists()
        except Exception:
            connections.close_all()
            return False
        return True
