"""The payment service: gRPC with reflection, business codes in its replies, one effect a key.

python -m demo.payment.server --port 8081 --ledger var/demo/payment.ledger
"""

from __future__ import annotations

import argparse
import signal
import threading
from concurrent import futures
from pathlib import Path
from typing import Any, Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from demo.ledger import Entry, Ledger, made_id
from demo.payment import payment_pb2
from demo.places import HOST

SERVICE: Final = payment_pb2.DESCRIPTOR.services_by_name["PaymentService"].full_name
OK: Final = 0
BALANCE_LOW: Final = 1001
BAD_AMOUNT: Final = 1002
# Everybody else is rich. In cents.
BALANCES: Final = {"mallory": 20_00}


class Refused(Exception):
    """The business says no; nothing was taken."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.reply = payment_pb2.DeductReply(code=code, message=message)


class Payments:
    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def deduct(self, request: payment_pb2.DeductRequest, context: grpc.ServicerContext) -> payment_pb2.DeductReply:
        key = _idempotency_key(context)
        if not key:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "the metadata idempotency-key is missing")
        try:
            entry, _new = self._ledger.once(key, lambda: self._take(request, key))
        except Refused as refusal:
            return refusal.reply
        return payment_pb2.DeductReply(code=OK, message="OK", payment_id=entry["payment_id"])

    def _take(self, request: payment_pb2.DeductRequest, key: str) -> Entry:
        if request.amount <= 0:
            raise Refused(BAD_AMOUNT, f"BAD_AMOUNT: an amount of {request.amount} cents cannot be deducted")
        if request.user_id in BALANCES:
            left = BALANCES[request.user_id] - self._spent(request.user_id)
            if request.amount > left:
                raise Refused(
                    BALANCE_LOW,
                    f"BALANCE_LOW: {request.user_id} has {left} cents, the order asks for {request.amount}",
                )
        return {
            "payment_id": made_id("pay", key),
            "user_id": request.user_id,
            "amount": request.amount,
            "order_id": request.order_id,
        }

    def _spent(self, user_id: str) -> int:
        return self._ledger.total(lambda entry: entry["amount"] if entry["user_id"] == user_id else 0)


def _idempotency_key(context: grpc.ServicerContext) -> str:
    return next((str(value) for name, value in context.invocation_metadata() if name == "idempotency-key"), "")


def build(ledger: Ledger, *, port: int) -> tuple[grpc.Server, int]:
    """(server not yet started, its port). Raises `RuntimeError` where the port is taken."""
    # Without this option a second copy would share the port, and each would see half of the calls.
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16), options=[("grpc.so_reuseport", 0)])
    method: Any = grpc.unary_unary_rpc_method_handler(
        Payments(ledger).deduct,
        request_deserializer=payment_pb2.DeductRequest.FromString,
        response_serializer=payment_pb2.DeductReply.SerializeToString,
    )
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, {"deduct": method})])
    checks = health.HealthServicer()
    checks.set(SERVICE, health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(checks, server)
    reflection.enable_server_reflection([SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    return server, server.add_insecure_port(f"{HOST}:{port}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Payment service of the disttask demo.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ledger", type=Path, required=True)
    options = parser.parse_args()
    ledger = Ledger(options.ledger)
    server, port = build(ledger, port=options.port)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    server.start()
    print(f"payment service (gRPC, reflection on) listens on {HOST}:{port}", flush=True)
    stop.wait()
    server.stop(grace=1).wait()
    ledger.close()


if __name__ == "__main__":
    main()
