"""From configured values to DATABASES and the broker, with the durable settings the engine relies on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import environ

ENGINES: Final = {
    "mysql": "django.db.backends.mysql",
    "postgres": "django.db.backends.postgresql",
    "mongodb": "django_mongodb_backend",
    "sqlite": "django.db.backends.sqlite3",
}
SCHEMES: Final = {
    "mysql": "mysql",
    "mariadb": "mysql",
    "postgres": "postgres",
    "postgresql": "postgres",
    "mongodb": "mongodb",
    "mongodb+srv": "mongodb",
    "sqlite": "sqlite",
}
BUSY_SECONDS: Final = 20


def database(values: Mapping[str, Any], *, home: Path) -> dict[str, Any]:
    """One entry of DATABASES from `url`, or `engine host port username password name`.

    Without any of url, host and name: SQLite in `home`. Raises `ValueError` with the reason.
    """
    if values["url"]:
        settings, engine = _from_url(values["url"], home)
    elif values["host"] or values["name"]:
        engine = values["engine"]
        settings = _from_parts(values, engine, home)
    else:
        engine = "sqlite"
        settings = {"NAME": str(home / "disttask.sqlite3")}
    return _durable({**settings, "ENGINE": ENGINES[engine]}, engine, values.get("conn_max_age", 600), home)


def _from_url(url: str, home: Path) -> tuple[dict[str, Any], str]:
    scheme = url.partition(":")[0].lower()
    engine = SCHEMES.get(scheme)
    if engine is None:
        raise ValueError(f"the scheme {scheme!r} is none of {', '.join(sorted(SCHEMES))}")
    parts = urlsplit(url)
    name = parts.path.removeprefix("/")
    if engine == "mongodb":
        if not name:
            raise ValueError("the URL names no database (mongodb://host:27017/name)")
        return {"HOST": url, "NAME": name}, engine
    if engine == "sqlite":
        if not name:
            raise ValueError("the URL names no file (sqlite:////srv/disttask.sqlite3)")
        return {"NAME": str(home / name)}, engine
    if not name:
        raise ValueError(f"the URL names no database ({scheme}://user:password@host/name)")
    settings = environ.Env.db_url_config(url.replace(f"{parts.scheme}:", f"{engine}:", 1))
    return dict(settings), engine


def _from_parts(values: Mapping[str, Any], engine: str, home: Path) -> dict[str, Any]:
    name = values["name"] or "disttask"
    if engine == "sqlite":
        return {"NAME": str(home / name)}
    host, port = values["host"] or "127.0.0.1", values["port"]
    settings = {"NAME": name, "HOST": host, "USER": values["username"], "PASSWORD": values["password"]}
    if port:
        settings["PORT"] = port
    return settings


def _durable(settings: dict[str, Any], engine: str, conn_max_age: int, home: Path) -> dict[str, Any]:
    options: dict[str, Any] = dict(settings.get("OPTIONS", {}))
    if engine == "sqlite":
        options |= {
            "transaction_mode": "IMMEDIATE",
            "timeout": BUSY_SECONDS,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        }
        # A file, not memory: the engine's threads each need a connection of their own.
        return {**settings, "OPTIONS": options, "TEST": {"NAME": str(home / "test.sqlite3")}}
    settings = {**settings, "CONN_MAX_AGE": conn_max_age, "CONN_HEALTH_CHECKS": True}
    if engine == "mysql":
        options |= {
            "charset": "utf8mb4",
            "isolation_level": "read committed",
            "init_command": "SET sql_mode='STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION'",
            "connect_timeout": 10,
        }
        settings["TEST"] = {"CHARSET": "utf8mb4"}
    if engine == "postgres":
        options.setdefault("connect_timeout", 10)
    return {**settings, "OPTIONS": options}


def broker(url: str) -> dict[str, Any]:
    """The broker's part of Q_CLUSTER. Raises `ValueError` with the reason."""
    if url == "orm":
        return {"orm": "default"}
    if url.startswith(("redis://", "rediss://", "unix://")):
        return {"redis": url}
    raise ValueError("expected orm or redis://host:6379/0")
