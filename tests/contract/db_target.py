"""The db executor on a database of the run's vendor, and a second session beside it."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from django.db import connections

from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db.executor import DbExecutor
from execution.executors.db.sessions import Session
from execution.executors.db.vendor import BARRIER
from execution.executors.options import DbOptions
from tests.unit.execution.executors.calls import call

IDENTITY = {
    "sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT",
    "mysql": "INTEGER PRIMARY KEY AUTO_INCREMENT",
    "postgresql": "SERIAL PRIMARY KEY",
}


class Target:
    """The executor on `orders`, and a second session to look and to stand in the way."""

    def __init__(self, url: str) -> None:
        tables = {"orders": None, "people": ["id", "name"]}
        raw = {"url": url, "tables": tables, "max_rows": 50, "statement_timeout": 5}
        self.options = DbOptions(connections={"default": raw, "bare": {**raw, "create_barrier": False}})
        self.executor = DbExecutor(self.options)
        self.other = DbExecutor(self.options)
        self.vendor = connections["default"].vendor
        for table in ("orders", "people", BARRIER):
            self.sql(f"DROP TABLE IF EXISTS {table}")
        self.sql(
            f"CREATE TABLE orders (id {IDENTITY[self.vendor]}, order_id VARCHAR(20) UNIQUE NOT NULL, "
            "note VARCHAR(20), amount INTEGER, price DECIMAL(20, 4), paid_at TIMESTAMP NULL)"
        )
        self.sql("CREATE TABLE people (id INTEGER PRIMARY KEY, name VARCHAR(20), salary INTEGER)")

    @property
    def session(self) -> Session:
        return self.other._sessions.take(self.other._spec("default")[0], deadline=time.monotonic() + 5)

    def sql(self, text: str) -> list[Any]:
        cursor = self.session.connection.cursor()
        cursor.execute(text)
        return list(cursor.fetchall()) if cursor.description else []

    def do(self, key: str = "k", timeout: float = 5, run: int = 1, **config: Any) -> Any:
        return self.executor.execute(call({"table": "orders", **config}, key=key, timeout=timeout, run=run)).value

    def refused(self, key: str = "k", timeout: float = 5, **config: Any) -> tuple[Sort, str]:
        with pytest.raises(TaskFailed) as caught:
            self.do(key, timeout, **config)
        return caught.value.failure.sort, caught.value.failure.code

    def insert(self, order: str, **data: Any) -> Any:
        return self.do(f"key-{order}", operation="insert", data={"order_id": order, **data})

    def close(self) -> None:
        asyncio.run(self.executor.close())
        asyncio.run(self.other.close())
