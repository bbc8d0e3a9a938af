"""What a deployment says about targets: the breakers' numbers, and limits by target."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from execution.domain.breaker import BreakerPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetSettings:
    """`limits`: target -> (calls at a time, starts a second), 0 for none; a target's own row wins over them."""

    policy: BreakerPolicy = field(default_factory=BreakerPolicy)
    limits: Mapping[str, tuple[int, float]] = field(default_factory=dict)

    @classmethod
    def of_config(cls, config: Mapping[str, Any]) -> TargetSettings:
        policy = BreakerPolicy(
            enabled=config["BREAKER_ENABLED"],
            error_rate=config["BREAKER_ERROR_RATE"],
            min_calls=config["BREAKER_MIN_CALLS"],
            window=config["BREAKER_WINDOW_SECONDS"],
            open_seconds=config["BREAKER_OPEN_SECONDS"],
            open_most=max(config["BREAKER_OPEN_SECONDS"], config["BREAKER_OPEN_MOST_SECONDS"]),
            probes=config["BREAKER_PROBES"],
            ramp=config["BREAKER_RAMP_SECONDS"],
        )
        limits = {name: (each["concurrency"], each["rate"]) for name, each in config["LIMITS_TARGETS"].items()}
        return cls(policy=policy, limits=limits)
