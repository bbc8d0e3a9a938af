"""The demo's target services, as their callers see them: over real sockets, killed and restarted."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import grpc
import pytest
from aiohttp import ClientSession, ServerDisconnectedError, web
from aiohttp.test_utils import TestServer

from demo import inventory, orders
from demo.ledger import Ledger
from demo.payment import payment_pb2, server


@pytest.fixture
def channel(tmp_path: Path) -> Iterator[grpc.Channel]:
    ledger = Ledger(tmp_path / "payment.ledger")
    payment, port = server.build(ledger, port=0)
    payment.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    payment.stop(grace=0).wait()
    ledger.close()


def deduct(channel: grpc.Channel, *, key: str = "k1", user: str = "alice", amount: int = 500) -> Any:
    method: Any = channel.unary_unary(
        "/PaymentService/deduct",
        request_serializer=payment_pb2.DeductRequest.SerializeToString,
        response_deserializer=payment_pb2.DeductReply.FromString,
    )
    request = payment_pb2.DeductRequest(user_id=user, amount=amount, order_id="SO-1")
    return method(request, metadata=[("idempotency-key", key)] if key else [], timeout=5)


def test_it_deducts_once_for_each_key(channel: grpc.Channel) -> None:
    first, again, other = deduct(channel), deduct(channel), deduct(channel, key="k2")
    assert (first.code, first.payment_id) == (0, again.payment_id)
    assert other.payment_id != first.payment_id


def test_it_refuses_a_low_balance_by_business_code(channel: grpc.Channel) -> None:
    reply = deduct(channel, user="mallory", amount=2001)
    assert reply.code == server.BALANCE_LOW
    assert reply.message.startswith("BALANCE_LOW: mallory has 2000 cents")
    assert deduct(channel, user="mallory", amount=2000).code == 0, "a refusal leaves no trace under its key"


def test_it_refuses_an_amount_that_is_none(channel: grpc.Channel) -> None:
    assert deduct(channel, amount=0).code == server.BAD_AMOUNT


def test_it_wants_a_key(channel: grpc.Channel) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        deduct(channel, key="")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


Asked = tuple[str, str, Any, dict[str, str]]  # method, path, json, headers


def call(app: web.Application, *requests_: Asked) -> list[tuple[int, Any]]:
    """The answers one after the other; a dropped connection is status 0."""

    async def talk() -> list[tuple[int, Any]]:
        answers: list[tuple[int, Any]] = []
        async with TestServer(app) as served, ClientSession() as session:
            for method, path, body, headers in requests_:
                try:
                    async with session.request(method, served.make_url(path), json=body, headers=headers) as answer:
                        answers.append((answer.status, await answer.json()))
                except ServerDisconnectedError:
                    answers.append((0, None))
        return answers

    return asyncio.run(talk())


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[web.Application]:
    ledger = Ledger(tmp_path / "inventory.ledger")
    yield inventory.build(ledger, tmp_path / "inventory.mode")
    ledger.close()


def reservation(sku: str = "lamp", *, key: str = "k1", quantity: Any = 2) -> Asked:
    return "POST", "/reserve", {"order_no": "SO-1", "sku": sku, "quantity": quantity}, {"Idempotency-Key": key}


def mode(word: str, **more: Any) -> Asked:
    return "POST", "/mode", {"mode": word, **more}, {}


STOCK: Asked = ("GET", "/stock", None, {})


def test_it_reserves_once_for_each_key(warehouse: web.Application) -> None:
    first, again, stock = call(warehouse, reservation(), reservation(), STOCK)
    assert first[0] == 200
    assert first[1]["total"] == 98_00
    assert again == first
    assert stock[1]["lamp"] == 999_998


def test_it_says_what_it_cannot_reserve(warehouse: web.Application) -> None:
    asked = [
        reservation("clock"),
        reservation("teapot"),
        reservation("sofa"),
        reservation(quantity=0),
        reservation(quantity=True),
        reservation(key=""),
        mode("sideways"),
        mode("slow", seconds=1e9),
        ("POST", "/reserve", ["no object"], {"Idempotency-Key": "k"}),
    ]
    codes = [(status, body["code"]) for status, body in call(warehouse, *asked)]
    assert codes == [
        (409, "OUT_OF_STOCK"),
        (503, "COUNTING"),
        (422, "UNKNOWN_SKU"),
        (422, "BAD_QUANTITY"),
        (422, "BAD_QUANTITY"),
        (400, "NO_KEY"),
        (422, "BAD_MODE"),
        (422, "BAD_SECONDS"),
        (422, "BAD_BODY"),
    ]


def test_it_breaks_and_mends(warehouse: web.Application) -> None:
    answers = call(warehouse, mode("fail"), reservation(), STOCK, mode("ok"), reservation())
    assert [status for status, _ in answers] == [200, 503, 200, 200, 200]
    assert answers[2][1]["lamp"] == 1_000_000, "nothing is reserved while it is down"


def test_it_works_but_drops_the_answer_in_mode_twice(warehouse: web.Application) -> None:
    answers = call(warehouse, mode("twice"), reservation(), STOCK, reservation(), STOCK)
    assert [status for status, _ in answers] == [200, 0, 200, 200, 200]
    assert answers[2][1]["lamp"] == answers[4][1]["lamp"] == 999_998


def test_it_is_slow_when_told(warehouse: web.Application) -> None:
    assert [status for status, _ in call(warehouse, mode("slow", seconds=0.05), reservation())] == [200, 200]


def test_a_sold_out_article_can_be_restocked(warehouse: web.Application) -> None:
    restock: Asked = ("POST", "/stock", {"sku": "clock", "quantity": 3}, {})
    answers = call(warehouse, reservation("clock"), restock, restock, reservation("clock"), STOCK)
    assert [status for status, _ in answers] == [409, 200, 200, 200, 200]
    assert answers[-1][1]["clock"] == 4


def test_the_ledger_survives_a_kill_in_the_middle_of_a_write(tmp_path: Path) -> None:
    path = tmp_path / "ledger"
    ledger = Ledger(path)
    ledger.once("k1", lambda: {"n": 1})
    ledger.close()
    with path.open("ab") as file:
        file.write(b'{"key": "k2", "n"')
    ledger = Ledger(path)
    assert [entry["key"] for entry in ledger.entries()] == ["k1"]
    _, is_new = ledger.once("k1", lambda: {"n": 2})
    assert not is_new
    ledger.once("k3", lambda: {"n": 3})
    ledger.close()
    ledger = Ledger(path)
    assert [entry["n"] for entry in ledger.entries()] == [1, 3]
    ledger.close()


def test_the_orders_service_shows_what_arrived(tmp_path: Path) -> None:
    database = tmp_path / "orders.sqlite3"
    orders.create(database)
    orders.create(database)
    row = "INSERT INTO orders (order_no, user_id, sku, quantity) VALUES ('SO-1', 'alice', 'lamp', 2)"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(row)
    asked: list[Asked] = [("GET", path, None, {}) for path in ("/orders", "/orders/SO-1", "/orders/SO-2", "/health")]
    listed, one, none, health = call(orders.build(database), *asked)
    assert listed[1] == [one[1]]
    assert one[1]["sku"] == "lamp"
    assert (none[0], health[0]) == (404, 200)
