"""A database of its own on the server that a URL names, dropped afterwards."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def scratch_database(url: str) -> Iterator[str]:
    """The URL of an empty database beside the named one; SQLite ("") needs none: it lives in the scratch home."""
    if not url or url.startswith("sqlite"):
        yield ""
        return
    name = f"disttask_chaos_{os.getpid()}"
    _run(url, f"CREATE DATABASE {name}" + (" CHARACTER SET utf8mb4" if url.startswith("mysql") else ""))
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        _run(url, f"DROP DATABASE {name}" + ("" if url.startswith("mysql") else " WITH (FORCE)"))


def _run(url: str, sql: str) -> None:
    parts = urlsplit(url)
    host, port, user, password = parts.hostname or "127.0.0.1", parts.port, parts.username, parts.password or ""
    if url.startswith("mysql"):
        import MySQLdb

        connection = MySQLdb.connect(host=host, port=port or 3306, user=user, password=password)
        with connection.cursor() as cursor:
            cursor.execute(sql)
        connection.close()
        return
    import psycopg

    with psycopg.connect(
        host=host, port=port or 5432, user=user, password=password, dbname="postgres", autocommit=True
    ) as server:
        server.execute(sql)
