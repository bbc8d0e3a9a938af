"""The port of message backends, and their registry.

A backend sends one message and must send it once for a key, or carry the key to where consumers see it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent. `keys` are the idempotency key and the sender's own, for the broker's index."""

    topic: str
    body: str
    idempotency_key: str
    tag: str = ""
    key: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    ordering_key: str = ""

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.idempotency_key, self.key) if self.key else (self.idempotency_key,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """Where a message went. `offset` where the broker tells one."""

    message_id: str
    queue: str
    offset: int | None = None


class Backend(ABC):
    """One way to send. Plain calls on the mq pool's threads; one object a process."""

    name: ClassVar[str]

    @abstractmethod
    def send(self, message: Message, *, deadline: float) -> Sent:
        """Send by `deadline` (`time.monotonic()`). Raises `TaskFailed`, sorted."""

    def close(self) -> None:  # noqa: B027  the local one holds nothing
        """Release connections."""


_BACKENDS: dict[str, type[Backend]] = {}
# Named in the configuration already, so that a deployer reads "not yet" and not "unknown".
COMING: Final = ("rocketmq4", "rocketmq5")


def register_backend(backend: type[Backend]) -> type[Backend]:
    """Class decorator; a name taken twice is a programming error."""
    taken = _BACKENDS.setdefault(backend.name, backend)
    if taken is not backend:
        raise ValueError(f"mq backend {backend.name!r} is registered twice: {taken!r} and {backend!r}")
    return backend


def backends() -> Mapping[str, type[Backend]]:
    return dict(sorted(_BACKENDS.items()))
