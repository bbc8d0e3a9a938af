"""What store and driver tests share: a store over flows built by hand, and a driver run until something holds."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connections

from execution.engine import core
from execution.engine.driver import Driver
from execution.engine.events import Claimed, Ended, Event, Start
from execution.engine.hosting import Standalone
from execution.engine.loading import failure_port, new_executors
from execution.engine.settings import EngineSettings
from execution.engine.state import InstanceState, Unit
from execution.engine.target_settings import TargetSettings
from execution.executors.base import Executor
from execution.models import Instance
from execution.stores.base import Claim, Loaded, Store
from execution.stores.sql.store import SqlStore
from flows.domain.compiled import CompiledFlow
from tests.fakes.flows import FlowShelf, rows

LEASE = timedelta(seconds=30)


class Bench:
    """A store and the flows it knows."""

    def __init__(self) -> None:
        self.shelf = FlowShelf()
        self.store = SqlStore(compiled=self.shelf.compiled, tables=failure_port().tables)

    def insert(self, flow: CompiledFlow, count: int = 1, *, prefix: str = "", **params: Any) -> list[str]:
        """Instances of a new flow; their ids."""
        prefix = prefix or f"{flow.name}-"
        news = rows(count, self.shelf.put(flow), prefix=prefix, params=params)
        self.store.insert_instances(news)
        return [each.id for each in news]

    def claim(self, owner: str = "me", **others: Any) -> Sequence[Claim]:
        asked: dict[str, Any] = {"limit": 100, "struck_limit": 100, "lease": LEASE, "now": self.later()}
        return self.store.claim(owner, **(asked | others))

    def later(self, seconds: float = 1) -> datetime:
        return self.store.now() + timedelta(seconds=seconds)

    def load(self, owner: str = "me") -> Loaded:
        """The only due instance, claimed and loaded."""
        (loaded,) = self.store.load(self.claim(owner))
        return loaded

    def step(self, state: InstanceState, *events: Event) -> Unit:
        """What the core writes for these events, folded."""
        unit: Unit | None = None
        for event in events:
            effects = core.step(state, event, now=self.store.now(), rng=random.Random(1), port=failure_port())
            if effects.unit is not None:
                unit = effects.unit if unit is None else core.fold(unit, effects.unit)
        assert unit is not None
        return unit

    def start(self, state: InstanceState, *task_ids: str) -> Unit:
        return self.step(state, Claimed(), Start(task_ids=task_ids, worker="me"))

    def end(self, state: InstanceState, task_id: str, outcome: Any) -> Unit:
        return self.step(state, Ended(task_id=task_id, attempt=1, outcome=outcome, duration_ms=1.0))


def quick_settings(**others: Any) -> EngineSettings:
    return EngineSettings.of_lease(others.pop("lease", 5.0), **({"drain": 3.0} | others))


class TestedHost(Standalone):
    """`runengine`'s host, with a session's end where a test sets one."""

    claim_seconds: float | None = None
    end_seconds: float | None = None
    handed_over = False

    def hand_over(self, *, busy: bool) -> bool:
        self.handed_over = True
        return True


class RunningDriver:
    """A driver on a thread of its own."""

    def __init__(
        self,
        store: Store,
        *,
        executors: Mapping[str, Executor] | None = None,
        settings: EngineSettings | None = None,
        owner: str = "driver",
        targets: TargetSettings | None = None,
    ) -> None:
        self.host = TestedHost()
        self.driver = Driver(
            store=store,
            executors=executors or new_executors(),
            port=failure_port(),
            settings=settings or quick_settings(),
            host=self.host,
            owner=owner,
            targets=targets,
        )
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        try:
            asyncio.run(self.driver.run())
        except BaseException as error:
            self.error = error
        finally:
            connections.close_all()

    def __enter__(self) -> RunningDriver:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.host.going = True
        self._thread.join(20)
        assert not self._thread.is_alive(), "the driver did not end"
        if self.error is not None:
            raise self.error


def wait_for(holds: Callable[[], object], *, within: float = 15.0, what: str = "") -> None:
    """Fails unless the condition comes true in time."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError(f"not within {within} s: {what or holds}")


def drive(bench: Bench, *executors: Executor, **settings: Any) -> RunningDriver:
    """A driver that knows these executors beside the usual ones."""
    named = new_executors() | {each.name: each for each in executors}
    return RunningDriver(bench.store, executors=named, settings=quick_settings(**settings))


def status(instance_id: str) -> str:
    return Instance.objects.values_list("status", flat=True).get(pk=instance_id)


def done(*ids: str, as_: str = "success") -> bool:
    """Whether all stand so and are given back."""
    return Instance.objects.filter(pk__in=ids, status=as_, owner="").count() == len(ids)
