"""`configs/app.toml`: the documented example, written from the table of keys."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from disttask_project.config.keys import KEYS, TABLES, Key
from disttask_project.kernel.json import dumps

_HEAD = """\
# Configuration of disttask: every key with its default. Take the # away to change one.
#
# The environment wins over this file: [database] host is DISTTASK_DATABASE_HOST, and the keys of [app] go
# without the section's name (DISTTASK_PORT). A secret may stand in a file of its own that the variable with
# _FILE at its end names (DISTTASK_SECRET_KEY_FILE=/run/secrets/key). Lists are separated by commas there.
# Another file than this one: DISTTASK_CONFIG=/etc/disttask.toml.
# `manage.py showconfig` says what holds and why; `manage.py check` says what is wrong.
"""
_ENTRY_NAMES = {
    "limits.targets": '"http:bank.example:443"',
    "db.connections": "orders",
    "http.tls": "bank",
    "rpc.services": "PaymentService",
}


def example_toml() -> str:
    sections: dict[str, list[Key]] = {}
    for key in KEYS:
        sections.setdefault(key.section, []).append(key)
    parts = [_HEAD]
    parts += ["\n".join([f"[{section}]", *_lines(keys)]) + "\n" for section, keys in sections.items()]
    for table, keys in TABLES.items():
        lines = _lines(list(keys))
        parts.append(
            "\n".join([f"# One section for each name: [{table}.NAME].", f"# [{table}.{_ENTRY_NAMES[table]}]", *lines])
            + "\n"
        )
    return "\n".join(parts)


def _lines(keys: list[Key]) -> Iterator[str]:
    for key in keys:
        about = f"{key.help} One of: {', '.join(key.choices)}." if key.choices else key.help
        yield from textwrap.wrap(about, 100, initial_indent="## ", subsequent_indent="## ")
        yield f"# {key.name} = {_toml(key.default)}"


def _toml(value: Any) -> str:
    # Strings, numbers, booleans and lists of strings are written alike in JSON and in TOML.
    return dumps(value).replace('","', '", "')
