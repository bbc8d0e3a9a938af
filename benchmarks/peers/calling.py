"""The http task of every peer: one POST with `requests`, a session a thread, keep-alive, JSON both ways."""

from __future__ import annotations

import os
import threading
from typing import Any, Final

import requests

from benchmarks.workloads import PARAMS, STUB_VARIABLE

URL: Final = os.environ[STUB_VARIABLE]
_own = threading.local()


def post() -> dict[str, Any]:
    session = getattr(_own, "session", None)
    if session is None:
        session = _own.session = requests.Session()
        session.trust_env = False
    answer = session.post(URL, json=PARAMS, timeout=10)
    answer.raise_for_status()
    result: dict[str, Any] = answer.json()
    return result
