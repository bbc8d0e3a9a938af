"""The hosts of a driver as processes: the cluster is watched, replaced whole, drained; the bell costs only latency."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django_q.models import OrmQ

from execution import jobs
from execution.engine.loading import current_store
from execution.engine.processes import members, read_leader
from execution.engine.sessions import CLUSTER_VARIABLE, CanaryStamp, DrainFlag, SessionSlots
from execution.engine.settings import EngineSettings
from execution.engine.supervisor import Supervisor
from tests.fakes.flows import flow, task
from tests.integration.execution.kit import Bench, wait_for

# A stand-in for the queue's cluster: `qcluster` in its command line, and a child like the real one has. It answers
# canaries written to a file, unless it is told to be deaf.
CLUSTER = """
import os, sys, time
from pathlib import Path
home, token = Path(sys.argv[2]), os.environ["DISTTASK_CLUSTER"]
child = os.fork()
while True:
    word = home / "word"
    if child and not (home / "deaf").exists() and word.exists():
        (home / "run" / f"canary-{token}").write_text(word.read_text())
    time.sleep(0.02)
"""


class FileQueue:
    """What the supervisor asks, answered from files and switches."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self.due = False
        self.rings = 0
        self.answers = True
        self.recorded = True
        self.said: list[str] = []
        self.turns = 0

    def reconcile(self) -> None:
        self.turns += 1

    def needs_bell(self) -> bool:
        return self.due

    def ring(self) -> None:
        self.rings += 1

    def send_canary(self, word: str) -> str:
        (self._home / "word").write_text(word)
        return "message"

    def has_recorded(self, message_id: str) -> bool:
        return self.recorded and bool(message_id)

    def store_answers(self) -> bool:
        return self.answers

    def beat(self, state: str) -> None:
        self.said.append(state)


class Watched:
    """A supervisor on a thread, over the stand-in."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("execution.engine.supervisor.FIRST_CANARY", 1.0)
        self.home = home
        self.queue = FileQueue(home)
        (home / "qcluster.py").write_text(CLUSTER)
        self.supervisor = Supervisor(
            command=[sys.executable, str(home / "qcluster.py"), "qcluster", str(home)],
            home=home,
            environment=dict(os.environ),
            settings=EngineSettings(canary_every=0.5, canary_within=1.5, workers=3, drain=1.0),
            queue=self.queue,
        )

    def pids(self) -> list[int]:
        record = self.home / "run" / "cluster"
        leader = read_leader(record.read_text().partition(" ")[2]) if record.exists() else None
        return members(leader) if leader else []


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    import threading

    cluster = Watched(tmp_path, monkeypatch)
    thread = threading.Thread(target=cluster.supervisor.run, daemon=True)
    thread.start()
    wait_for(lambda: len(cluster.pids()) == 2)
    yield cluster
    cluster.supervisor.stop()
    thread.join(20)
    assert not thread.is_alive()
    assert cluster.pids() == []


def replaced(cluster: Watched, old: list[int]) -> Callable[[], bool]:
    return lambda: len(cluster.pids()) == 2 and not set(cluster.pids()) & set(old)


def test_a_cluster_that_answers_is_left_alone(watched: Watched) -> None:
    before = watched.pids()
    time.sleep(2.5)
    assert watched.pids() == before
    assert "ready" in watched.queue.said


def test_a_wedged_cluster_is_replaced_whole(watched: Watched) -> None:
    before = watched.pids()
    time.sleep(0.7)
    (watched.home / "deaf").touch()
    wait_for(lambda: not set(watched.pids()) & set(before))
    (watched.home / "deaf").unlink()
    wait_for(replaced(watched, before))


def test_a_cluster_that_records_no_result_is_replaced(watched: Watched) -> None:
    before = watched.pids()
    watched.queue.recorded = False
    wait_for(lambda: not set(watched.pids()) & set(before))


def test_an_exit_takes_the_orphans_along(watched: Watched) -> None:
    before = watched.pids()
    os.kill(min(before), signal.SIGKILL)
    wait_for(replaced(watched, before))


def test_a_store_that_is_away_is_no_reason_to_kill(watched: Watched) -> None:
    before = watched.pids()
    watched.queue.answers = False
    (watched.home / "deaf").touch()
    time.sleep(2.5)
    assert watched.pids() == before


def test_it_rings_each_second_while_something_is_due(watched: Watched) -> None:
    watched.queue.due = True
    wait_for(lambda: watched.queue.rings >= 2)


def test_a_leftover_of_an_earlier_life_is_ended_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from execution.engine.supervisor import Cluster

    first = Watched(tmp_path, monkeypatch)
    monkeypatch.setenv(CLUSTER_VARIABLE, "earlier")
    orphaned = Cluster(first.supervisor._command, home=tmp_path, environment=dict(os.environ))
    wait_for(lambda: len(first.pids()) == 2)
    before = first.pids()
    Cluster.end_leftover(tmp_path)
    assert not [pid for pid in before if _runs(pid)]
    orphaned.end()


def test_at_most_workers_minus_one_sessions_at_once(tmp_path: Path) -> None:
    slots = SessionSlots(tmp_path, 3)
    with slots.taken() as first, SessionSlots(tmp_path, 3).taken() as second, slots.taken() as third:
        assert (first, second, third) == (True, True, False)
        assert slots.free() == 0
    assert slots.all_free()


def test_a_drain_flag_is_its_own_clusters(tmp_path: Path) -> None:
    DrainFlag(tmp_path, "one").lift()
    assert DrainFlag(tmp_path, "one").is_up()
    assert not DrainFlag(tmp_path, "two").is_up()


def test_a_canary_is_stamped_by_its_own_cluster(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLUSTER_VARIABLE, "mine")
    jobs.canary("mine:7")
    assert CanaryStamp(project.HOME, "mine").read() == "mine:7"
    assert not OrmQ.objects.exists()


def test_another_clusters_canary_is_passed_on_a_few_times(queue: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CLUSTER_VARIABLE, "mine")
    jobs.canary("theirs:7")
    assert queue() == ["theirs:7:1"]
    jobs.canary("theirs:7:20")
    assert queue() == ["theirs:7:1"]


def test_a_broken_message_harms_nobody(bench: Bench) -> None:
    jobs.canary("nonsense")


@pytest.fixture
def queue(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The words of the messages that wait."""
    monkeypatch.setattr(jobs, "_rung_at", -1.0)
    OrmQ.objects.all().delete()
    return lambda: [message.task["args"][0] for message in OrmQ.objects.order_by("pk")]


def test_a_start_rings_once_in_a_while(queue: Any) -> None:
    for _ in range(5):
        jobs.ring()
    assert queue() == ["bell"]


def test_nobody_rings_while_a_driver_is_awake(queue: Any) -> None:
    store = current_store()
    beat = {"host": "h", "pid": 1, "kind": "engine", "in_flight": 0, "now": store.now()}
    store.beat("driver", state="running", **beat)  # type: ignore[arg-type]
    jobs.ring()
    assert queue() == []


def test_a_driver_that_has_gone_does_not_silence_the_bell(queue: Any) -> None:
    store = current_store()
    beat = {"host": "h", "pid": 1, "kind": "engine", "in_flight": 0, "now": store.now()}
    store.beat("driver", state="ended", **beat)  # type: ignore[arg-type]
    jobs.ring()
    assert queue() == ["bell"]


def test_the_supervisor_is_told_of_due_work_that_nobody_drives(bench: Bench) -> None:
    watched = jobs.WatchedQueue()
    assert not watched.needs_bell()
    bench.insert(flow("f", task("a")))
    assert watched.needs_bell()
    store = bench.store
    store.beat("driver", host="h", pid=1, kind="engine", state="running", in_flight=0, now=store.now())
    assert not watched.needs_bell()


def _runs(pid: int) -> bool:
    done = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return bool(done.stdout.strip()) and not done.stdout.startswith("Z")


# What a cluster's process does first: it binds itself to the parent that is named, then goes on for a while.
BOUND = """
import os, sys, time
from execution.engine.processes import bind_family
bind_family(int(sys.argv[1]))
child = os.fork()
if not child:
    time.sleep(30)
print("bound", flush=True)
os.waitpid(child, 0)
"""


@pytest.mark.slow
def test_a_process_whose_parent_died_before_it_was_bound_is_no_orphan() -> None:
    """Found by the crash point `cluster.spawned`: six processes of a queue that nobody watched, for ever."""
    command = [sys.executable, "-c", BOUND, "1"]
    late = subprocess.run(command, cwd=project.BASE_DIR, capture_output=True, text=True, timeout=60, check=False)
    assert late.returncode == -signal.SIGKILL
    assert late.stdout == ""


@pytest.mark.slow
def test_a_bound_process_lives_as_long_as_its_parent() -> None:
    command = [sys.executable, "-c", BOUND, str(os.getpid())]
    bound = subprocess.Popen(command, cwd=project.BASE_DIR, stdout=subprocess.PIPE, text=True)
    assert bound.stdout is not None
    assert bound.stdout.readline() == "bound\n"
    assert bound.poll() is None
    bound.kill()
    bound.communicate(timeout=20)
