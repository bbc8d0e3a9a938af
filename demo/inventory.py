"""The inventory service: http, one reservation an `Idempotency-Key`, and a switch that breaks it.

    python -m demo.inventory --port 8082 --ledger var/demo/inventory.ledger --mode-file var/demo/inventory.mode

`POST /mode {"mode": ...}`: `ok`; `fail` answers 503; `slow` takes `seconds` (3) to answer; `twice` does the work
and drops the answer, so that the caller has to ask twice, which the key makes harmless.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from demo.ledger import Entry, Ledger, made_id
from demo.places import HOST

MODES: Final = ("ok", "fail", "slow", "twice")
# Prices in cents. `clock` is sold out; `teapot` is being counted, so that whoever asks is told to come back.
GOODS: Final = {
    "lamp": {"price": 49_00, "stock": 1_000_000},
    "chair": {"price": 129_00, "stock": 1_000_000},
    "desk": {"price": 399_00, "stock": 1_000_000},
    "clock": {"price": 25_00, "stock": 0},
    "teapot": {"price": 35_00, "stock": 0},
}
COUNTING: Final = "teapot"
COUNTING_SECONDS: Final = 1800

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Refused(Exception):
    """What the service answers instead of reserving; nothing was changed."""

    def __init__(self, status: int, code: str, message: str, **headers: str) -> None:
        super().__init__(message)
        self.answer = web.json_response({"code": code, "message": message}, status=status, headers=headers)


class Inventory:
    def __init__(self, ledger: Ledger, mode_file: Path) -> None:
        self._ledger = ledger
        self._mode_file = mode_file

    # Kept in a file: a restart in the middle of an outage must not end the outage.
    def mode(self) -> dict[str, Any]:
        try:
            mode: dict[str, Any] = json.loads(self._mode_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {"mode": "ok"}
        return mode

    def stock(self) -> dict[str, int]:
        return {sku: self._left(sku) for sku in GOODS}

    async def reserve(self, request: web.Request) -> web.StreamResponse:
        key = request.headers.get("Idempotency-Key", "")
        mode = self.mode()
        if mode["mode"] == "fail":
            raise Refused(503, "INVENTORY_DOWN", "the warehouse system is down")
        if mode["mode"] == "slow":
            await asyncio.sleep(mode.get("seconds", 3))
        if not key:
            raise Refused(400, "NO_KEY", "the header Idempotency-Key is missing")
        order = await _body(request)
        # fsync in a thread: one slow disk write must not keep the others waiting.
        entry, is_new = await asyncio.to_thread(self._ledger.once, key, lambda: self._reservation(order, key))
        if mode["mode"] == "twice" and is_new and request.transport is not None:
            request.transport.abort()
        return web.json_response(entry)

    async def restock(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        sku, quantity = _sku(body), _quantity(body)
        key = request.headers.get("Idempotency-Key") or f"restock-{sku}-{len(self._ledger.entries())}"
        await asyncio.to_thread(self._ledger.once, key, lambda: {"sku": sku, "quantity": -quantity})
        return web.json_response({"sku": sku, "stock": self._left(sku)})

    async def set_mode(self, request: web.Request) -> web.StreamResponse:
        body = await _body(request)
        seconds = body.get("seconds", 3)
        if body.get("mode") not in MODES:
            raise Refused(422, "BAD_MODE", f"mode must be one of {', '.join(MODES)}")
        if not isinstance(seconds, int | float) or not 0 <= seconds <= 60:
            raise Refused(422, "BAD_SECONDS", "seconds must be a number from 0 to 60")
        mode = {"mode": body["mode"], "seconds": seconds}
        self._mode_file.write_text(json.dumps(mode), encoding="utf-8")
        print(f"mode is now {mode['mode']}", flush=True)
        return web.json_response(mode)

    async def show_mode(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self.mode())

    async def show_stock(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self.stock())

    async def show_reservations(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response(self._ledger.entries())

    def _reservation(self, order: Entry, key: str) -> Entry:
        sku, quantity = _sku(order), _quantity(order)
        left = self._left(sku)
        if sku == COUNTING and left < quantity:
            message = f"{sku} is being counted, ask again in {COUNTING_SECONDS} s"
            raise Refused(503, "COUNTING", message, **{"Retry-After": str(COUNTING_SECONDS)})
        if left < quantity:
            raise Refused(409, "OUT_OF_STOCK", f"{left} of {sku} left, the order asks for {quantity}")
        return {
            "reservation_id": made_id("res", key),
            "order_no": str(order.get("order_no", "")),
            "sku": sku,
            "quantity": quantity,
            "total": GOODS[sku]["price"] * quantity,
        }

    def _left(self, sku: str) -> int:
        return GOODS[sku]["stock"] - self._ledger.total(lambda entry: entry["quantity"] if entry["sku"] == sku else 0)


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.text())
    except ValueError as error:
        raise Refused(400, "BAD_JSON", "the body is not JSON") from error
    if not isinstance(body, dict):
        raise Refused(422, "BAD_BODY", "the body must be a JSON object")
    return body


def _sku(body: dict[str, Any]) -> str:
    sku = body.get("sku")
    if not isinstance(sku, str) or sku not in GOODS:
        raise Refused(422, "UNKNOWN_SKU", f"sku must be one of {', '.join(GOODS)}")
    return sku


def _quantity(body: dict[str, Any]) -> int:
    quantity = body.get("quantity")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
        raise Refused(422, "BAD_QUANTITY", "quantity must be a whole number from 1")
    return quantity


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refusal:
        return refusal.answer


async def _healthy(_request: web.Request) -> web.StreamResponse:
    return web.json_response({"status": "ok"})


def build(ledger: Ledger, mode_file: Path) -> web.Application:
    inventory = Inventory(ledger, mode_file)
    app = web.Application(middlewares=[_answer_refusals])
    app.router.add_post("/reserve", inventory.reserve)
    app.router.add_get("/reservations", inventory.show_reservations)
    app.router.add_get("/stock", inventory.show_stock)
    app.router.add_post("/stock", inventory.restock)
    app.router.add_get("/mode", inventory.show_mode)
    app.router.add_post("/mode", inventory.set_mode)
    app.router.add_get("/health", _healthy)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="Inventory service of the disttask demo.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--mode-file", type=Path, required=True)
    options = parser.parse_args()
    ledger = Ledger(options.ledger)
    app = build(ledger, options.mode_file)
    print(f"inventory service (http) listens on {HOST}:{options.port}", flush=True)
    web.run_app(app, host=HOST, port=options.port, print=None, access_log=None, shutdown_timeout=1)
    ledger.close()


if __name__ == "__main__":
    main()
