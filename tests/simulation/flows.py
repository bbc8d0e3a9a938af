"""Flows drawn at random: one to six tasks; now and then a deadline, a condition, an undo, a check, an odd join."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from flows.domain.compiled import CompiledFlow, Jitter, OnFailure, OnUnknown, RetryPolicy, Scope, Strategy
from tests.fakes.compiled import ASKED, make_flow


def _says(word: str) -> Callable[[Scope], bool]:
    return lambda scope: isinstance(scope["result"], dict) and scope["result"].get("done") == word


def random_flow(rng: random.Random, *, limited: bool = False) -> CompiledFlow:
    """One to six tasks; now and then a deadline, a condition, an odd join."""
    tasks: dict[str, dict[str, Any]] = {}
    for number in range(rng.randint(1, 6)):
        earlier = list(tasks)
        after = rng.sample(earlier, rng.randint(0, min(len(earlier), 3))) if earlier else []
        options: dict[str, Any] = {
            "type": rng.choice(["noop", "plain"]),
            "timeout_seconds": 5.0,
            "after": after,
            "retry": _random_policy(rng),
            "optional": rng.random() < 0.15,
        }
        if after and rng.random() < 0.4:
            options["join"] = rng.choice(["any", rng.randint(1, len(after))])
        if rng.random() < 0.15:
            options["when"] = lambda _scope: False
        if rng.random() < 0.2:
            options["on_failure"] = rng.choice([OnFailure.FAIL, OnFailure.HOLD])
        if rng.random() < 0.5:
            options["undo"] = {"retry": RetryPolicy(strategy=Strategy.AUTO, max_attempts=3, interval=1)}
        if rng.random() < 0.25:
            options["check"] = {"retry": ASKED, "success_when": _says("yes"), "failed_when": _says("no")}
            options["on_unknown"] = OnUnknown.CHECK
        if limited:
            options["config"] = {"target": "t"}
        tasks[f"t{number}"] = options
    return make_flow(
        tasks,
        on_failure=rng.choice([OnFailure.HOLD, OnFailure.COMPENSATE, OnFailure.COMPENSATE, OnFailure.FAIL]),
        max_parallel=rng.choice([None, None, 1, 2]),
        timeout_seconds=rng.choice([None, None, None, 15.0]),
    )


def _random_policy(rng: random.Random) -> RetryPolicy:
    return RetryPolicy(
        strategy=rng.choice([Strategy.AUTO, Strategy.AUTO, Strategy.MANUAL, Strategy.NO_RETRY]),
        max_attempts=rng.randint(0, 3),
        interval=rng.choice([0.0, 0.5, 4.0]),
        jitter=rng.choice(list(Jitter)),
    )
