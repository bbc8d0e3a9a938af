"""The contract of every task type, asked of this one against a gateway on a loopback socket."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from disttask_sms import SmsExecutor

from execution.domain.outcome import Sort
from execution.executors.base import Executor
from execution.testing.contract import ExecutorContract
from execution.testing.peer import Given, Peer

pytestmark = pytest.mark.django_db(transaction=True)  # a secret that is not set is looked for in the store


class Gateway(BaseHTTPRequestHandler):
    keys: list[str]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.keys.append(self.headers["Idempotency-Key"])
        status = 200
        if body["text"] == "slow":
            time.sleep(3)
        elif body["text"].isdigit():
            status = int(body["text"])
        answer = json.dumps({"id": "m-1", "said": self.headers["Authorization"]}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_args: Any) -> None:
        """Nothing."""


class SmsPeer(Peer):
    type = "sms"
    shows_masks = True

    def __enter__(self) -> SmsPeer:
        self.handler: Any = type("Own", (Gateway,), {"keys": []})
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.failures = {
            "SMS_BAD_NUMBER": (Sort.REFUSED, ({"token": "t"}, {"phone": "123", "text": "x"})),
            "SMS_BAD_TEXT": (Sort.REFUSED, ({"token": "t"}, {"phone": "+1", "text": ""})),
            "SMS_403": (Sort.REFUSED, self.message("403")),
            "SMS_429": (Sort.REFUSED_NOW, self.message("429")),
            "SMS_500": (Sort.MAYBE_APPLIED, self.message("500")),
            "BAD_CONFIG": (Sort.REFUSED, ({"token": ""}, {"phone": "+1", "text": "x"})),
        }
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def message(text: str, token: str = "a-token") -> Given:
        return {"token": token}, {"phone": "+4912345", "text": text}

    def executor(self) -> Executor:
        return SmsExecutor(f"http://127.0.0.1:{self.server.server_port}/messages")

    def ok(self) -> Given:
        return self.message("hello")

    def slow(self) -> tuple[Given, AbstractContextManager[None]]:
        return self.message("slow"), nullcontext()

    def keys(self) -> list[str]:
        return list(self.handler.keys)

    def telling(self, reference: str) -> Given:
        return self.message("hello", reference)


class TestSms(ExecutorContract):
    @pytest.fixture
    def peer(self) -> Iterator[Peer]:
        with SmsPeer() as peer:
            yield peer
