"""What left this process, and a name server that says what a test tells it."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Sequence
from typing import Any

import pytest

_connects: list[Any] = []
_hooked: list[bool] = []


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect":
        _connects.append(arguments[1])


def heard() -> list[Any]:
    """Every address that Python connects to in this process from now on, until the next call of this."""
    if not _hooked:
        sys.addaudithook(_hear)  # for good: hooks cannot be taken back
        _hooked.append(True)
    _connects.clear()
    return _connects


def resolve(monkeypatch: pytest.MonkeyPatch, answers: Sequence[Sequence[str]]) -> list[str]:
    """The name server is outside: what it says is told here, one list an answer, the last one for ever.

    The list returned holds the names that were asked for.
    """
    asked: list[str] = []

    async def getaddrinfo(_loop: Any, host: str, port: int, **_kwargs: Any) -> list[Any]:
        addresses = answers[min(len(asked), len(answers) - 1)]
        asked.append(host)
        return [as_info(item, port) for item in addresses]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", getaddrinfo)
    return asked


def as_info(address: str, port: int) -> tuple[Any, ...]:
    """As `getaddrinfo` gives it."""
    if ":" in address:
        return (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, port, 0, 0))
    return (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))
