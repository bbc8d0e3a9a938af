"""The engine's own driver as a process of the machine; what it calls goes to the world's target."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from execution.domain.outcome import Failure, Outcome, Result, TaskFailed
from execution.engine.driver import Driver
from execution.engine.hosting import Standalone
from execution.engine.settings import EngineSettings
from execution.executors.base import Call, Executor
from execution.executors.noop import NoopConfig
from tests.simulation.connection import Connection
from tests.simulation.loop import VirtualLoop
from tests.simulation.machine import Process, Waiter
from tests.simulation.target import LOST

if TYPE_CHECKING:
    from tests.simulation.world import World

LEASE = 6.0


def settings(world: World) -> EngineSettings:
    """Looks are rarer than in life: between two of them nothing would happen."""
    return EngineSettings.of_lease(
        LEASE,
        loop_fresh=2.0,
        poll_busy=0.3,
        poll_idle=1.2,
        busy_for=2.0,
        sweep_every=2.5,
        beat_every=2.5,
        claim_batch=4,
        owned_most=8,
        struck_lane=2,
        trial=2.0,
        group_records=world.rng.choice([1, 3, 500]),
        drain=1.0,
    )


class Engine:
    """A process with a driver in it."""

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self.process = process
        self.host = Standalone()
        self.loop = VirtualLoop(world.machine, process)
        world.machine.at(0.0, self._boot, process=process)

    def _boot(self) -> None:
        self.loop.begin(self._main)

    async def _main(self) -> None:
        world = self._world
        lacks_until = world.machine.time + 8 if world.fails(0.08) else 0.0
        driver = _MortalDriver(
            store=Connection(world, self.process, lacks_version_until=lacks_until),  # type: ignore[arg-type]
            executors={"noop": OnLoop(world, self.process), "plain": InThread(world, self.process)},
            port=world.port,
            settings=settings(world),
            host=self.host,
            owner=self.process.name,
            targets=world.target_settings,
            rng=world.rng,
        )
        driver.process = self.process
        await driver.run()
        world.kill(self.process, "at its end")


class _MortalDriver(Driver):
    process: Process

    async def _end(self) -> None:
        if not self.process.dead:  # else its coroutine is only being collected
            await super()._end()


class _Type(Executor):
    config_model = NoopConfig

    def __init__(self, world: World, process: Process) -> None:
        self._world = world
        self._process = process
        self.max_in_flight = self.max_threads = world.rng.randint(1, 4)  # type: ignore[misc]

    @classmethod
    def target(cls, config: Any) -> str:
        return str(config.get("target", ""))


class OnLoop(_Type):
    name = "noop"
    is_async = True

    async def execute(self, call: Call) -> Result:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Outcome] = loop.create_future()

        def settle(outcome: Outcome) -> None:
            if not answer.done():
                answer.set_result(outcome)

        def told(outcome: Outcome) -> None:
            loop.call_soon_threadsafe(settle, outcome)

        self._world.send(self._process, call, told)
        return _raised(await answer)


class InThread(_Type):
    name = "plain"

    def execute(self, call: Call) -> Result:
        waiter = Waiter(self._process)
        answer: list[Outcome] = []

        def told(outcome: Outcome) -> None:
            if not waiter.done:
                answer.append(outcome)
            self._world.machine.resume(waiter, True)

        self._world.send(self._process, call, told)
        left = call.deadline - self._process.monotonic() + self._world.overdue()
        self._world.machine.wait(waiter, left)
        return _raised(answer[0] if answer else LOST)


def _raised(outcome: Outcome) -> Result:
    if isinstance(outcome, Failure):
        raise TaskFailed(outcome.sort, outcome.code, str(outcome.message), type=outcome.type)
    return outcome
