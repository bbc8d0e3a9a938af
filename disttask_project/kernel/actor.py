"""Who asks: the same value from console, REST, gRPC and commands, so that services check and audit one thing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from disttask_project.kernel.errors import Forbidden
from disttask_project.kernel.messages import text

Source = Literal["console", "rest", "grpc", "cli", "engine", "code"]


def _nothing(_permission: str) -> bool:
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """`name` is the username; `may` answers whether a permission (`app.codename`) is held."""

    name: str
    source: Source
    may: Callable[[str], bool] = field(default=_nothing, repr=False, compare=False)
    request_id: str = ""
    address: str = ""

    def require(self, permission: str) -> None:
        """Raise `Forbidden`, naming the permission, unless it is held."""
        if not self.may(permission):
            if not self.name:
                raise Forbidden(text("Sign in first: the permission {permission} is needed.", permission=permission))
            raise Forbidden(
                text(
                    "{name} may not do this: the permission {permission} is missing.",
                    name=self.name,
                    permission=permission,
                )
            )


def system_actor(name: str = "system", *, source: Source = "code") -> Actor:
    """An actor of our own: the engine, a command run by whoever owns the host."""
    return Actor(name=name, source=source, may=lambda _permission: True)
