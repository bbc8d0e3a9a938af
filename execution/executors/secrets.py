"""Secrets by reference: `${secret:NAME}` in a config, put in at the moment of sending and nowhere else.

What was put in is remembered with the call, so that messages and responses can be cleaned of it by value.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from disttask_project.kernel.messages import text
from disttask_project.kernel.redaction import register_secret
from execution.domain.outcome import Sort, TaskFailed

REFERENCE: Final = re.compile(r"\$\{secret:([^}]*)\}")
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_PREFIX: Final = "DISTTASK_SECRET_"
RESERVED: Final = frozenset({"KEY", "KEY_FILE"})  # DISTTASK_SECRET_KEY signs sessions; no task may send it
_MARK: Final = "${secret:"
_REGISTERED: set[str] = set()
# File secrets by path: (mtime in ns, size, value). Rotated files are seen at the next call.
_FILES: dict[str, tuple[int, int, str]] = {}


def reveal(config: Mapping[str, Any]) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The config with its secrets put in, and their values. Raises `TaskFailed` where one is not known."""
    if not _mentions(config):
        return config, ()
    values: list[str] = []
    return _reveal(config, values), tuple(dict.fromkeys(values))


def read_secret(name: str) -> str:
    """The value of a secret: `DISTTASK_SECRET_<NAME>`, else the file `DISTTASK_SECRET_<NAME>_FILE` names."""
    value = ""
    if NAME.fullmatch(name) and name not in RESERVED:
        value = os.environ.get(_PREFIX + name, "")
        path = os.environ.get(f"{_PREFIX}{name}_FILE", "")
        if not value and path:
            value = _read_file(name, path)
    if not value:
        raise TaskFailed(
            Sort.REFUSED,
            "SECRET_MISSING",
            text(
                "The secret {name} is not set. Set DISTTASK_SECRET_{name} or DISTTASK_SECRET_{name}_FILE where the "
                "engine runs.",
                name=name,
            ),
            type="SecretMissing",
        )
    return value


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
