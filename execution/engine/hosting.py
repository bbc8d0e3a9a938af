"""Where a driver runs: how long it may claim, who tells it to go, and who takes over (architecture 4.3, 4.10)."""

from __future__ import annotations

from typing import Protocol


class Host(Protocol):
    """All methods are quick: they are called on the driver's loop, but `call_help` and `hand_over` on a thread."""

    kind: str  # cluster, engine

    @property
    def claim_seconds(self) -> float | None:
        """How long to claim before handing over; None: until told to go."""

    @property
    def end_seconds(self) -> float | None:
        """When the host ends the driver by force: no call may still be under way then."""

    def should_go(self) -> bool:
        """The host is being stopped or replaced."""

    def hand_over(self, *, busy: bool) -> bool:
        """The time to claim is over. True: somebody else will claim, or nothing is to be done; False: go on."""

    def call_help(self) -> None:
        """There is more work than this driver can take."""


class Standalone:
    """`runengine`: claims until it is told to go."""

    kind = "engine"
    claim_seconds: float | None = None
    end_seconds: float | None = None

    def __init__(self) -> None:
        self.going = False

    def should_go(self) -> bool:
        return self.going

    def hand_over(self, *, busy: bool) -> bool:
        return False

    def call_help(self) -> None:
        """Other engines run beside this one or not; nobody is started from here."""
