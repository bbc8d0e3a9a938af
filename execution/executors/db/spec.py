"""A named connection as the configuration gives it, read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from disttask_project.kernel.messages import text
from execution.executors.db.config import IDENTIFIER, TABLE
from execution.executors.options import DEFAULT_PORTS, Place, database_place
from execution.executors.schema import unknown_key

_VENDORS: Final = {
    "sqlite": "sqlite",
    "sqlite3": "sqlite",
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgres": "postgres",
    "postgresql": "postgres",
    "pgsql": "postgres",
}
_KEYS: Final = (
    *("url", "engine", "host", "port", "username", "user", "password", "name", "database", "options"),
    *("tables", "max_rows", "max_affected", "statement_timeout", "connect_timeout", "create_barrier"),
)
ANY_TABLE: Final = "*"


class BadConnection(ValueError):
    """A connection's configuration cannot be used; the message says what to mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSpec:
    """`tables` maps an allowed table to its allowed columns, None for all; `*` allows every table."""

    alias: str
    vendor: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = field(default="", repr=False)
    name: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    max_rows: int = 1_000
    max_affected: int = 1_000
    statement_timeout: float = 30.0
    connect_timeout: float = 5.0
    create_barrier: bool = True

    @property
    def place(self) -> Place:
        """Which database this is, to compare it with our own."""
        return database_place(self.vendor, self.host, self.port, self.name)


def read_spec(alias: str, raw: Mapping[str, Any], *, home: str = "") -> ConnectionSpec:
    """The connection `[db.connections.<alias>]`; a relative SQLite file lies in `home`. Raises `BadConnection`."""
    unknown = [key for key in raw if key not in _KEYS]
    if unknown:
        raise BadConnection(unknown_key(unknown[0], _KEYS))
    where = _from_url(str(raw["url"])) if raw.get("url") else _from_keys(raw)
    if where["vendor"] != "sqlite" and not where["host"]:
        raise BadConnection(text("the host is missing"))
    if not where["name"]:
        raise BadConnection(text("the name of the database is missing"))
    if where["vendor"] == "sqlite":
        where["name"] = str(Path(home, where["name"]))
    max_rows = _positive(raw, "max_rows", 1_000, int)
    return ConnectionSpec(
        alias=alias,
        tables=_tables(raw.get("tables", ())),
        max_rows=max_rows,
        max_affected=_positive(raw, "max_affected", max_rows, int),
        statement_timeout=_positive(raw, "statement_timeout", 30.0, float),
        connect_timeout=_positive(raw, "connect_timeout", 5.0, float),
        create_barrier=raw.get("create_barrier", True) not in (False, "false", "0", 0),
        **where,
    )


def _from_url(url: str) -> dict[str, Any]:
    try:
        parts = urlsplit(url)
        vendor = _VENDORS.get(parts.scheme.partition("+")[0])
        port = parts.port
    except ValueError as error:
        raise BadConnection(text("the url cannot be read")) from error
    if vendor is None:
        raise BadConnection(text("the url must begin with sqlite:///, mysql:// or postgres://"))
    options = dict(parse_qsl(parts.query))
    if vendor == "sqlite":
        return {"vendor": vendor, "host": "", "name": unquote(parts.path)[1:], "options": options}
    return {
        "vendor": vendor,
        "host": parts.hostname or "",
        "port": port or DEFAULT_PORTS[vendor],
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "name": unquote(parts.path)[1:],
        "options": options,
    }


def _from_keys(raw: Mapping[str, Any]) -> dict[str, Any]:
    vendor = _VENDORS.get(str(raw.get("engine", "")).lower())
    if vendor is None:
        raise BadConnection(text("it needs a url, or an engine: sqlite, mysql or postgres"))
    return {
        "vendor": vendor,
        "host": "" if vendor == "sqlite" else str(raw.get("host", "")),
        "port": 0 if vendor == "sqlite" else _positive(raw, "port", DEFAULT_PORTS[vendor], int),
        "user": str(raw.get("username", raw.get("user", ""))),
        "password": str(raw.get("password", "")),
        "name": str(raw.get("name", raw.get("database", ""))),
        "options": {str(key): str(value) for key, value in dict(raw.get("options", {})).items()},
    }


def _tables(raw: Any) -> dict[str, frozenset[str] | None]:
    if isinstance(raw, str):
        raw = [part.strip() for part in raw.split(",") if part.strip()]
    entries = raw.items() if isinstance(raw, Mapping) else ((table, None) for table in raw)
    tables: dict[str, frozenset[str] | None] = {}
    for table, columns in entries:
        if table != ANY_TABLE and not TABLE.fullmatch(str(table)):
            raise BadConnection(text("{table} is no table name", table=repr(table)))
        bad = [column for column in columns or () if not IDENTIFIER.fullmatch(str(column))]
        if bad:
            raise BadConnection(text("{column} is no column name", column=repr(bad[0])))
        tables[str(table)] = frozenset(columns) if columns else None
    return tables


def _positive(raw: Mapping[str, Any], key: str, default: Any, kind: Any) -> Any:
    if raw.get(key) in (None, "", 0) and key == "port":
        return default
    try:
        value = kind(raw.get(key, default))
    except (TypeError, ValueError) as error:
        raise BadConnection(text("{key} must be a number", key=key)) from error
    if value <= 0:
        raise BadConnection(text("{key} must be above 0", key=key))
    return value
