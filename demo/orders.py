"""The orders service: it owns an SQLite file that the db executor writes to, and shows what arrived there.

python -m demo.orders --port 8083 --database var/demo/orders.sqlite3
"""

from __future__ import annotations

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from demo.places import HOST

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS orders (
    order_no TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    sku TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity > 0),
    created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""
PAGE: Final = 200


def create(database: Path) -> None:
    """Lay out the database; an existing one stays as it is."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(database, timeout=20)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        with connection:
            connection.execute(SCHEMA)


class Orders:
    def __init__(self, database: Path) -> None:
        self._database = database

    async def show_all(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self._rows("ORDER BY rowid DESC LIMIT ?", PAGE))

    async def show_one(self, request: web.Request) -> web.StreamResponse:
        rows = self._rows("WHERE order_no = ?", request.match_info["order_no"])
        if not rows:
            return web.json_response({"message": "no such order"}, status=404)
        return web.json_response(rows[0])

    def _rows(self, rest: str, value: str | int) -> list[dict[str, Any]]:
        with closing(sqlite3.connect(self._database, timeout=20)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(f"SELECT * FROM orders {rest}", (value,))]  # noqa: S608


async def _healthy(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "ok"})


def build(database: Path) -> web.Application:
    orders = Orders(database)
    app = web.Application()
    app.router.add_get("/orders", orders.show_all)
    app.router.add_get("/orders/{order_no}", orders.show_one)
    app.router.add_get("/health", _healthy)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Orders service of the disttask demo.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", type=Path, required=True)
    options = parser.parse_args()
    create(options.database)
    print(f"orders service (its database is {options.database.name}) listens on {HOST}:{options.port}", flush=True)
    web.run_app(build(options.database), host=HOST, port=options.port, print=None, access_log=None, shutdown_timeout=1)


if __name__ == "__main__":
    main()
