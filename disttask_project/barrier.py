"""A barrier for target services: do a call once, undo it once, and never do what was undone before it came.

For authors of target services: this module needs the standard library alone. The rows stand in the service's own
database and are written in the transaction of its work, so both are there or neither (the three cases are those of
DTM's sub-transaction barrier: duplicate, empty undo, late action).

    key = request.headers["Idempotency-Key"]
    with transaction.atomic(), connection.cursor() as cursor:
        if first_call(cursor, key):
            ...  # the work
        return the_answer()

and in the endpoint that undoes it `if first_undo(cursor, key):`. Where either says False, the service answers as if
it had just done the work: disttask has asked again because it never heard the first answer.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, Protocol

TABLE: Final = "disttask_barrier"
UNDO_SUFFIX: Final = ":undo"  # of the key that disttask sends with an undo
_KEY_LENGTH: Final = 255

# The same table that the db executor keeps, so that one database may hold both kinds of rows.
_DDL: Final = {
    "mysql": f"""CREATE TABLE IF NOT EXISTS {TABLE} (
        gid VARCHAR(255) NOT NULL, branch VARCHAR(140) NOT NULL, op VARCHAR(16) NOT NULL, result LONGTEXT,
        created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (gid, branch, op))
        ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin""",
    "postgresql": f"""CREATE TABLE IF NOT EXISTS {TABLE} (
        gid VARCHAR(255) NOT NULL, branch VARCHAR(140) NOT NULL, op VARCHAR(16) NOT NULL, result TEXT,
        created_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (gid, branch, op))""",
    "sqlite": f"""CREATE TABLE IF NOT EXISTS {TABLE} (
        gid TEXT NOT NULL, branch TEXT NOT NULL, op TEXT NOT NULL, result TEXT,
        created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (gid, branch, op))""",
}
_MODULES: Final = {
    "sqlite3": "sqlite",
    "psycopg": "postgresql",
    "psycopg2": "postgresql",
    "MySQLdb": "mysql",
    "pymysql": "mysql",
    "mysql": "mysql",
}


class Cursor(Protocol):
    """A cursor of sqlite3, psycopg, MySQLdb, PyMySQL, MySQL Connector or Django, inside an open transaction."""

    @property
    def rowcount(self) -> int: ...

    def execute(self, sql: str, values: Any = ..., /) -> Any: ...


def create_table(cursor: Cursor) -> None:
    """Make the table unless it is there: once, in a migration or at start."""
    cursor.execute(_DDL[vendor_of(cursor)])


def first_call(cursor: Cursor, key: str) -> bool:
    """True: do the work now. False: it is done already, or was undone before this call arrived.

    A second call of the same key waits until the first one's transaction ends.
    """
    return _take(cursor, key, "call")


def first_undo(cursor: Cursor, key: str, *, undoes: str | None = None) -> bool:
    """True: undo the work now. False: there is nothing to undo, or it is undone already.

    `undoes` is the key of the call to undo; without it that of `key` less its suffix `:undo`. Where that call has not
    arrived, its place is taken here: should it arrive later, `first_call` says False.
    """
    never_came = _take(cursor, undoes or key.removesuffix(UNDO_SUFFIX), "call")
    is_first = _take(cursor, key, "undo")
    return is_first and not never_came


def vendor_of(cursor: Cursor) -> str:
    """sqlite, postgresql or mysql; raises `TypeError` for a cursor that is not known."""
    vendor = getattr(getattr(cursor, "db", None), "vendor", "") or _MODULES.get(type(cursor).__module__.split(".")[0])
    if vendor not in _DDL:
        raise TypeError(f"no barrier for cursors of {type(cursor).__module__}")
    return str(vendor)


def _take(cursor: Cursor, key: str, op: str) -> bool:
    """Whether the row is new."""
    gid = key if len(key) <= _KEY_LENGTH else sha256(key.encode()).hexdigest()
    vendor = vendor_of(cursor)
    mark = "?" if type(cursor).__module__ == "sqlite3" else "%s"
    verb, tail = ("INSERT IGNORE", "") if vendor == "mysql" else ("INSERT", " ON CONFLICT DO NOTHING")
    cursor.execute(
        f"{verb} INTO {TABLE} (gid, branch, op) VALUES ({mark}, '', {mark}){tail}",
        (gid, op),
    )
    return cursor.rowcount == 1
