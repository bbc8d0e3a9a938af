"""Run one seed; what goes wrong carries the seed and the trace that led there."""

from __future__ import annotations

import traceback

from tests.simulation.installed import LOOK, Log, virtual_engine
from tests.simulation.machine import Threads
from tests.simulation.world import World


class Broken(AssertionError):
    """A seed that broke a promise."""


def run_seed(seed: int, *, bugs: frozenset[str] = frozenset()) -> World:
    """Play a seed to its end; raises `Broken`, whatever it was that broke."""
    world = World(seed, bugs=bugs)
    Threads.machine = world.machine
    Log.notes = lambda event, values: world.note(world.machine.process.name, event, values)
    try:
        with virtual_engine(world.rng, look=1.0 if world.is_limited else LOOK):
            try:
                world.run()
            finally:
                Log.notes = None
                world.end()
    except Exception as error:
        lines = [f"seed {seed}: {error!r}", *(_line(words) for words in world.trace)]
        lines += traceback.format_exception(error)
        lines.append(f"again: python -m tests.simulation --start {seed} --seeds 1")
        raise Broken("\n".join(lines)) from error
    return world


def _line(words: tuple[object, ...]) -> str:
    time, *rest = words
    return f"{time:10.4f} " + " ".join(str(word) for word in rest)
