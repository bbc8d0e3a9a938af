"""MariaDB and MySQL as a target, by mysqlclient."""

from __future__ import annotations

import importlib
import math
from typing import Any, ClassVar, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db import vendor
from execution.executors.db.spec import ConnectionSpec
from execution.executors.db.statements import Dialect, Statement
from execution.executors.db.vendor import Fault, Vendor

_LOST: Final = frozenset({1053, 1927, 2002, 2003, 2006, 2013, 2055, 4031})
_TOO_SLOW: Final = frozenset({1317, 1969, 3024})
_CONSTRAINT: Final = frozenset({1022, 1048, 1062, 1169, 1216, 1217, 1364, 1451, 1452, 1557, 1761, 3819, 4025})
_FORBIDDEN: Final = frozenset({1044, 1045, 1142, 1143, 1227, 1370})
_SHORT_OF: Final = frozenset({1021, 1037, 1040, 1041, 1114, 1203, 1226, 1290, 1792, 1836, 3100})


class Mysql(Vendor):
    dialect: ClassVar[Dialect] = Dialect(quote="`", mark="%s", on_duplicate=True)
    returns: ClassVar[frozenset[str]] = frozenset()  # MariaDB has it for some, MySQL for none
    barrier_ddl = f"""CREATE TABLE IF NOT EXISTS {vendor.BARRIER} (
        gid VARCHAR(255) NOT NULL, branch VARCHAR(140) NOT NULL, op VARCHAR(16) NOT NULL, result LONGTEXT,
        created_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, PRIMARY KEY (gid, branch, op))
        ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin"""
    barrier_insert = f"INSERT INTO {vendor.BARRIER} (gid, branch, op) VALUES (%s, %s, %s)"  # noqa: S608

    def connect(self, spec: ConnectionSpec, timeout: float) -> Any:
        driver = _driver()
        seconds = max(1, math.ceil(timeout))
        silent = math.ceil(spec.statement_timeout) + 5
        connection = driver.connect(
            host=spec.host,
            port=spec.port,
            user=spec.user,
            password=spec.password,
            database=spec.name,
            connect_timeout=seconds,
            read_timeout=silent,
            write_timeout=silent,
            charset="utf8mb4",
            autocommit=True,
            # `affected` counts matched rows, as the other databases do, not those that changed.
            client_flag=importlib.import_module("MySQLdb.constants.CLIENT").FOUND_ROWS,
            **_tls(spec),
        )
        cursor = connection.cursor()
        # Strict: a value that does not fit is an error, never a truncated row.
        cursor.execute("SET SESSION sql_mode = CONCAT_WS(',', NULLIF(@@SESSION.sql_mode, ''), 'STRICT_TRANS_TABLES')")
        cursor.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED")
        return connection

    def error_type(self) -> type[Exception]:
        error: type[Exception] = _driver().Error
        return error

    def fault(self, error: Exception) -> Fault:
        code = error.args[0] if error.args and isinstance(error.args[0], int) else 0
        for codes, fault in (
            (_LOST, vendor.lost),
            (_TOO_SLOW, vendor.too_slow),
            (_CONSTRAINT, vendor.constraint),
            (_FORBIDDEN, vendor.forbidden),
            (_SHORT_OF, vendor.unavailable),
            ({1213}, vendor.deadlock),
            ({1205}, vendor.locked),
        ):
            if code in codes:
                return fault()
        driver = _driver()
        if code == 0 and isinstance(error, driver.InterfaceError):
            return vendor.lost()
        if isinstance(error, driver.IntegrityError):
            return vendor.constraint()
        if isinstance(error, driver.DataError) or code in {1264, 1265, 1366, 1406, 1292}:
            return vendor.bad_data()
        return vendor.bad_statement(missing_table=code == 1146)

    def begin(self, connection: Any, seconds: float) -> None:
        cursor = connection.cursor()
        whole = max(1, math.ceil(seconds))
        # MariaDB limits every statement, MySQL only SELECT; the lock wait is limited on both.
        limit = (
            f"max_statement_time = {seconds:.3f}"
            if "MariaDB" in connection.get_server_info()
            else f"max_execution_time = {int(seconds * 1000)}"
        )
        cursor.execute(f"SET SESSION innodb_lock_wait_timeout = {whole}, {limit}")
        cursor.execute("BEGIN")

    def columns(self, connection: Any, table: str) -> tuple[list[str], list[str]]:
        schema, _, name = table.rpartition(".")
        statement = Statement(
            "SELECT column_name, column_key = 'PRI' FROM information_schema.columns "
            "WHERE table_schema = COALESCE(%s, DATABASE()) AND table_name = %s ORDER BY ordinal_position",
            (schema or None, name),
        )
        rows = self.run(connection, statement).fetchall()
        return [row[0] for row in rows], [row[0] for row in rows if row[1]]

    def ping(self, connection: Any) -> None:
        connection.ping()

    def fileno(self, connection: Any) -> int | None:
        number: int = connection.fileno()
        return number

    def insert_barrier(self, connection: Any, key: Any) -> bool:
        try:
            return super().insert_barrier(connection, key)
        except _driver().IntegrityError as error:
            if error.args[0] == 1062:  # rolls back the statement alone, and the transaction goes on
                return False
            raise


def _driver() -> Any:
    try:
        return importlib.import_module("MySQLdb")
    except ImportError as error:
        raise TaskFailed(
            Sort.REFUSED,
            "DB_DRIVER_MISSING",
            text(
                "The driver for {vendor} is not installed: pip install disttask[{extra}].",
                vendor="MySQL",
                extra="mysql",
            ),
        ) from error


def _tls(spec: ConnectionSpec) -> dict[str, Any]:
    tls: dict[str, Any] = {}
    if "ssl_ca" in spec.options:
        tls["ssl"] = {"ca": spec.options["ssl_ca"]}
    if "ssl_mode" in spec.options:
        tls["ssl_mode"] = spec.options["ssl_mode"]
    return tls
