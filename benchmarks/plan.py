"""The runs: who does what, how often, in which order. Names tell them apart in the results."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.running import Run

GROWN_INSTANCES: Final = 1_000_000
# Flows a run: a few seconds each at the rates of a machine with two cores.
OURS: Final = {"W1": 2_000, "W2": 400, "W3": 8_000, "W4": 200}
DBOS: Final = {"W1": (400, 16), "W2": (100, 8), "W3": (1_000, 16), "W4": (24, 4)}  # count, threads a process
CELERY: Final = {"W1": 600, "W3": 2_000}
NAIVE: Final = 250
PLAIN: Final = 1_000
CEILING: Final = {"W1": 5_000, "W3": 20_000}
LATENCY: Final = 60
QUICK_SHARE: Final = 20
WITHOUT_QUEUE: Final = ("W1", "W3")  # the second row, by runengine
WORKLOADS: Final = ("W1", "W2", "W3", "W4")


def ours_name(workload: str, store: str, host: str, processes: int) -> str:
    return f"disttask {workload} {store} {host} x{processes}"


def grown_name(store: str) -> str:
    return f"disttask W1 {store} grown"


def clusters_name(store: str) -> str:
    return f"disttask W1 {store} two clusters"


def all_runs(stores: Sequence[str], *, quick: bool) -> Iterator[Run]:
    """In the order of one round: participants of one comparison stand next to each other."""
    share = QUICK_SHARE if quick else 1
    for workload in WORKLOADS:
        yield _dbos(workload, share)
        for store in stores:
            yield _ours(workload, store, "runcluster", 2, share)
            if workload in WITHOUT_QUEUE:
                yield _ours(workload, store, "runengine", 2, share)
        if workload in CELERY:
            yield _celery(workload, share)
            yield from (_ceiling(workload, store, share) for store in stores)
        if workload == "W1":
            for store in stores:
                yield _naive(store, share)
                yield _grown(store, share)
                yield _ours("W1", store, "runcluster", 1, share)
                yield _clusters(store, share)
        if workload == "W3":
            yield from (_plain(store, share) for store in stores)
    yield _dbos_latency(share)
    for store in stores:
        yield _ours_latency(store, share)
        yield _rest(store, quick=quick)
        yield _dag(store, quick=quick)


def _few(count: int, share: int) -> int:
    return max(4, count // share // 2 * 2)


def _dbos(workload: str, share: int) -> Run:
    count, threads = DBOS[workload]
    count = _few(count, share)
    return Run(
        name=f"dbos {workload}",
        module="benchmarks.peers.dbos_flows",
        arguments=(workload, "--processes", "2", "--threads", str(threads), "--count", str(count)),
        count=count,
        store="postgres",
        is_peer=True,
    )


def _dbos_latency(share: int) -> Run:
    count = _few(LATENCY, share)
    return Run(
        name="dbos latency W1",
        module="benchmarks.peers.dbos_flows",
        arguments=("W1", "--latency", "--count", str(count)),
        count=count,
        store="postgres",
        is_peer=True,
    )


def _ours(workload: str, store: str, host: str, processes: int, share: int) -> Run:
    count = _few(OURS[workload], share)
    return Run(
        name=ours_name(workload, store, host, processes),
        module="benchmarks.ours.rate",
        arguments=(workload, "--host", host, "--processes", str(processes), "--count", str(count)),
        count=count,
        store=store,
    )


def _grown(store: str, share: int) -> Run:
    count = _few(OURS["W1"], share)
    return Run(
        name=grown_name(store),
        module="benchmarks.ours.rate",
        arguments=("W1", "--host", "runcluster", "--processes", "2", "--count", str(count), "--keep"),
        count=count,
        store=store,
        is_grown=True,
    )


def _clusters(store: str, share: int) -> Run:
    """Two clusters of one session each, for docs/scaling.md."""
    count = _few(OURS["W1"], share)
    return Run(
        name=clusters_name(store),
        module="benchmarks.ours.rate",
        arguments=("W1", "--processes", "2", "--clusters", "2", "--count", str(count)),
        count=count,
        store=store,
    )


def _ours_latency(store: str, share: int) -> Run:
    count = _few(LATENCY, share)
    return Run(
        name=f"disttask latency W1 {store}",
        module="benchmarks.ours.latency",
        arguments=("W1", "--count", str(count)),
        count=count,
        store=store,
    )


def _rest(store: str, *, quick: bool) -> Run:
    seconds = "0.5" if quick else "2.5"
    return Run(
        name=f"rest {store}", module="benchmarks.ours.rest", arguments=("--seconds", seconds), count=1, store=store
    )


def _dag(store: str, *, quick: bool) -> Run:
    size = ("--layers", "10", "--width", "10") if quick else ("--layers", "100", "--width", "100")
    return Run(name=f"dag {store}", module="benchmarks.ours.dag", arguments=size, count=1, store=store)


def _celery(workload: str, share: int) -> Run:
    count = _few(CELERY[workload], share)
    return Run(
        name=f"celery {workload}",
        module="benchmarks.peers.celery_flows",
        arguments=(workload, "--workers", "4", "--count", str(count)),
        count=count,
        store="redis",
        is_peer=True,
    )


def _naive(store: str, share: int) -> Run:
    count = _few(NAIVE, share)
    return Run(
        name=f"naive W1 {store}",
        module="benchmarks.peers.naive_flows",
        arguments=("W1", "--count", str(count)),
        count=count,
        store=store,
        is_peer=True,
    )


def _plain(store: str, share: int) -> Run:
    count = _few(PLAIN, share)
    return Run(
        name=f"django-q2 W3 {store}",
        module="benchmarks.peers.naive_flows",
        arguments=("W3", "--plain", "--count", str(count)),
        count=count,
        store=store,
        is_peer=True,
    )


def _ceiling(workload: str, store: str, share: int) -> Run:
    count = _few(CEILING[workload], share)
    return Run(
        name=f"ceiling {workload} {store}",
        module="benchmarks.ceiling",
        arguments=(workload, "--processes", "2", "--count", str(count)),
        count=count,
        store=store,
    )
