"""A task type's other side, for the contract: a real server on loopback that the executor under test talks to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from execution.domain.outcome import Sort
from execution.executors.base import Executor

Given = tuple[dict[str, Any], dict[str, Any]]  # config, input


class Peer(ABC):
    """`failures` maps an error code to its sort and to the call that brings it about.

    `reaches_target`: calls leave the process, so keys can be seen. `shows_masks`: what `telling` sends comes back
    in the result, where it must be masked.
    """

    type: ClassVar[str]
    reaches_target: ClassVar[bool] = True
    shows_masks: ClassVar[bool] = False
    slow_fails: ClassVar[bool] = True  # False: the obstacle of `slow` may be gone before the deadline
    failures: Mapping[str, tuple[Sort, Given]]

    @abstractmethod
    def executor(self) -> Executor:
        """A new one, configured to reach the peer."""

    @abstractmethod
    def ok(self) -> Given:
        """A call that succeeds, however often it is made."""

    @abstractmethod
    def slow(self) -> tuple[Given, AbstractContextManager[None]]:
        """A call that outlasts any deadline while the context is entered."""

    @abstractmethod
    def keys(self) -> list[str]:
        """The idempotency keys that reached the peer."""

    def telling(self, reference: str) -> Given | None:
        """A call that sends a secret, by this reference, to a peer that says it back; None: it sends none."""
        del reference
        return None

    def other(self) -> Given:
        """A second call that succeeds beside `ok`."""
        return self.ok()

    def is_quiet(self) -> bool:
        """Whether no connection of a cancelled call is left open."""
        return True
