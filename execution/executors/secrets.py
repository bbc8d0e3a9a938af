"""Secrets by reference: `${secret:NAME}` in a config, put in at the moment of sending and nowhere else.

A name is looked for in the environment, then in a file, then in the console's encrypted store.

What was put in is remembered with the call, so that messages and responses can be cleaned of it by value.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from django.db import connection

from disttask_project.kernel.messages import text
from disttask_project.kernel.redaction import register_secret
from disttask_project.secretstore.selectors import SecretValues
from disttask_project.secretstore.services import NAME
from execution.domain.outcome import Sort, TaskFailed

REFERENCE: Final = re.compile(r"\$\{secret:([^}]*)\}")
_PREFIX: Final = "DISTTASK_SECRET_"
RESERVED: Final = frozenset({"KEY", "KEY_FILE"})  # DISTTASK_SECRET_KEY signs sessions; no task may send it
_MARK: Final = "${secret:"
_REGISTERED: set[str] = set()
# File secrets by path: (mtime in ns, size, value). Rotated files are seen at the next call.
_FILES: dict[str, tuple[int, int, str]] = {}
_STORED: Final = SecretValues()


async def reveal_on_loop(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """`reveal` for the event loop, which must not wait for the database."""
    if _mentions(config) and not _STORED.is_fresh:
        await asyncio.to_thread(_refresh_in_thread)
    return reveal(config)


def _refresh_in_thread() -> None:
    try:
        _STORED.refresh()
    finally:
        connection.close()  # the pool's thread may never come back to it


def reveal(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The config with its secrets put in, and their values. Raises `TaskFailed` where one is not known."""
    if not _mentions(config):
        return config, ()
    values: list[str] = []
    return _reveal(config, values), tuple(dict.fromkeys(values))


def read_secret(name: str) -> str:
    """The value of a secret: `DISTTASK_SECRET_<NAME>`, else the file `DISTTASK_SECRET_<NAME>_FILE` names, else what
    the store holds. Raises `TaskFailed`."""
    value = ""
    if NAME.fullmatch(name) and name not in RESERVED:
        value = os.environ.get(_PREFIX + name, "")
        path = os.environ.get(f"{_PREFIX}{name}_FILE", "")
        if not value and path:
            value = _read_file(name, path)
        value = value or _stored(name)
    if not value:
        raise TaskFailed(
            Sort.REFUSED,
            "SECRET_MISSING",
            text(
                "The secret {name} is not set. Add it in the console under Secrets, or set DISTTASK_SECRET_{name} or "
                "DISTTASK_SECRET_{name}_FILE where the engine runs.",
                name=name,
            ),
            type="SecretMissing",
        )
    return value


def _stored(name: str) -> str:
    if not _STORED.is_fresh and not _on_loop():
        _STORED.refresh()
    if not _STORED.was_read:
        raise TaskFailed(
            Sort.NEVER_SENT,
            "SECRETS_UNAVAILABLE",
            text(
                "The secret {name} could not be read: the database with the stored secrets did not answer.", name=name
            ),
            type="SecretMissing",
        )
    return _STORED.get(name)


def _on_loop() -> bool:
    """Django refuses queries there; `reveal_on_loop` has read the store before."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _register(secret: str) -> None:
    """Logs mask it by value from now on. Registering anew rebuilds the pattern, so each only once."""
    if secret not in _REGISTERED:
        _REGISTERED.add(secret)
        register_secret(secret)


def _read_file(name: str, path: str) -> str:
    try:
        stat = os.stat(path)
        known = _FILES.get(path)
        if known is None or known[:2] != (stat.st_mtime_ns, stat.st_size):
            value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
            known = _FILES[path] = (stat.st_mtime_ns, stat.st_size, value)
    except (OSError, UnicodeDecodeError) as error:
        raise TaskFailed(
            Sort.REFUSED,
            "SECRET_MISSING",
            text("The file of the secret {name} cannot be read.", name=name),
            type="SecretMissing",
        ) from error
    return known[2]


def _mentions(value: Any) -> bool:
    if isinstance(value, str):
        return _MARK in value
    if isinstance(value, Mapping):
        return any(map(_mentions, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_mentions, value))
    return False


def _reveal(value: Any, values: list[str]) -> Any:
    if isinstance(value, str):

        def put_in(match: re.Match[str]) -> str:
            secret = read_secret(match[1])
            values.append(secret)
            _register(secret)
            return secret

        return REFERENCE.sub(put_in, value) if _MARK in value else value
    if isinstance(value, Mapping):
        return {key: _reveal(item, values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_reveal(item, values) for item in value]
    return value
