"""Databases of their own on the server that a URL names, dropped afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from tests.chaos.flow import TABLE

IDENTITY = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "mysql": "BIGINT PRIMARY KEY AUTO_INCREMENT",
    "postgres": "BIGSERIAL PRIMARY KEY",
}


@contextmanager
def scratch_database(url: str, *, suffix: str = "") -> Iterator[str]:
    """The URL of an empty database beside the named one; SQLite ("") needs none: it lives in the scratch home."""
    if not url or url.startswith("sqlite"):
        yield ""
        return
    name = f"disttask_chaos_{os.getpid()}{suffix}"
    more = " CHARACTER SET utf8mb4" if url.startswith("mysql") else ""
    run(url, f"CREATE DATABASE {name}{more}", on_server=True)
    try:
        yield beside(url, name)
    finally:
        run(url, f"DROP DATABASE {name}" + ("" if url.startswith("mysql") else " WITH (FORCE)"), on_server=True)


@contextmanager
def target_database(url: str, home: Path) -> Iterator[str]:
    """Where the db tasks of a run write: a database of the same kind as the store's, with the table of effects."""
    with scratch_database(url, suffix="_target") as server:
        found = server or f"sqlite:///{home / 'target.sqlite3'}"
        vendor = found.partition(":")[0]
        run(
            found,
            f"CREATE TABLE {TABLE} (id {IDENTITY[vendor]}, instance VARCHAR(64) NOT NULL, task VARCHAR(64) NOT NULL)",
        )
        yield found


def beside(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def run(url: str, sql: str, *, on_server: bool = False) -> list[tuple[object, ...]]:
    """One statement, committed, in the named database, or in none of them."""
    vendor = url.partition(":")[0]
    if vendor == "sqlite":
        return _run_sqlite(url, sql)
    name = "" if on_server else urlsplit(url).path[1:]
    return _run_mysql(url, sql, name) if vendor == "mysql" else _run_postgres(url, sql, name)


def _run_sqlite(url: str, sql: str) -> list[tuple[object, ...]]:
    import sqlite3

    connection = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=20)
    try:
        with connection:
            return list(connection.execute(sql).fetchall())
    finally:
        connection.close()


def _run_mysql(url: str, sql: str, name: str) -> list[tuple[object, ...]]:
    import MySQLdb

    parts = urlsplit(url)
    connection = MySQLdb.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=parts.username,
        password=parts.password or "",
        autocommit=True,
        **({"database": name} if name else {}),
    )
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())
    finally:
        connection.close()


def _run_postgres(url: str, sql: str, name: str) -> list[tuple[object, ...]]:
    import psycopg

    parts = urlsplit(url)
    with psycopg.connect(
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 5432,
        user=parts.username,
        password=parts.password or "",
        dbname=name or "postgres",
        autocommit=True,
    ) as server:
        cursor = server.execute(sql)
        return list(cursor.fetchall()) if cursor.description else []
