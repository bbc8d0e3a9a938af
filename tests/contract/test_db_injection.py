"""No name and no value of a db task's config becomes SQL."""

from __future__ import annotations

from typing import Any

import pytest

from execution.domain.outcome import Sort
from execution.executors.db.config import OPERATORS
from tests.contract.db_target import Target

pytestmark = pytest.mark.store

HOSTILE = [
    *("a; DROP TABLE orders", "a--", "a/*", "a' OR '1'='1", 'a" OR "1"="1', "a` OR `1`=`1", "order_id) VALUES (1)--"),
    *("order_id = 1 OR 1", "1=1", "(SELECT 1)", "*", "orders.order_id", "a.b.c", "", " ", "order_id ", " order_id"),
    *("order_id\x00", "order_id\n", "order_id\t", "order_id\\", '"order_id"', "`order_id`", "[order_id]", "'order_id'"),
    *(
        "order_id%s",
        "order_id%",
        "%(a)s",
        "?",
        "$1",
        ":a",
        "@a",
        "@@version",
        "rowid;",
        "café",
        "ｏｒｄｅｒ＿ｉｄ",
        "订单",
    ),
    *("order_id" * 20, "0order", "-", "order-id", "order id", "order_id,amount", "order_id AS x", "order_id/**/"),
    *(
        "CAST(1 AS int)",
        "pg_sleep(5)",
        "sleep(5)",
        "load_extension('x')",
        "1e1",
        "0x41",
        "\u202eorder_id",
        "order_id\u200b",
    ),
    *(
        '"a" = "a" --',
        "``",
        '""',
        "''",
        "order_id;--",
        "order_id UNION SELECT 1",
        "x' AND 1=(SELECT COUNT(*) FROM t)--",
    ),
]


@pytest.mark.parametrize("place", ["table", "data", "where", "returning", "operator", "operation", "connection"])
def test_no_identifier_escapes(target: Target, place: str) -> None:
    target.insert("o1", amount=1)
    for hostile in HOSTILE:
        config: dict[str, Any] = {"operation": "update", "data": {"amount": 2}, "where": {"order_id": "none"}}
        if place in {"table", "operation", "connection"}:
            config[place] = hostile
        elif place == "data":
            config["data"] = {hostile: 2}
        elif place == "where":
            config["where"] = {hostile: "none"}
        elif place == "operator":
            config["where"] = {"order_id": {hostile: "none"}}
        else:
            config["returning"] = [hostile]
        sort, code = target.refused(**config)
        assert sort is Sort.REFUSED, hostile
        assert code in {
            "BAD_CONFIG", "DB_TABLE_DENIED", "DB_UNKNOWN_COLUMN", "DB_UNKNOWN_CONNECTION"
        }, hostile  # fmt: skip
    assert target.sql("SELECT order_id, amount FROM orders") == [("o1", 1)]


def test_no_value_escapes(target: Target) -> None:
    for number, hostile in enumerate(HOSTILE):
        value = hostile.replace("\x00", "")[:20]
        target.insert(f"o{number}", note=value)
        rows = target.do(operation="select", where={"note": value, "order_id": f"o{number}"})["rows"]
        assert [row["note"] for row in rows] == [value]
    for operator in OPERATORS[:6]:
        target.do(operation="select", where={"note": {operator: "' OR 1=1 --"}})
    assert target.do(operation="select", where={"note": {"in": ["') OR ('1'='1"]}})["rows"] == []
    assert target.sql("SELECT COUNT(*) FROM orders") == [(len(HOSTILE),)]
