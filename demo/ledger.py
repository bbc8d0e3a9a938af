"""What a target service did, once for every idempotency key: an append-only file that survives `kill -9`."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


def made_id(prefix: str, key: str) -> str:
    """The id of what a key brings about; the same one whenever it is asked for."""
    return f"{prefix}-{hashlib.sha256(key.encode()).hexdigest()[:10]}"


class Ledger:
    """Effects by idempotency key. `once` makes an effect durable before it answers; asked again with the
    same key it gives the first entry back.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._file = path.open("a+b")
        self._read_back()

    def once(self, key: str, make: Callable[[], Entry]) -> tuple[Entry, bool]:
        """(entry, is new). `make` runs under the lock and only for a key not seen; what it raises leaves
        no trace, so that a refused effect may be asked for again.
        """
        with self._lock:
            known = self._entries.get(key)
            if known is not None:
                return known, False
            entry = {"key": key, "at": datetime.now(UTC).isoformat(), **make()}
            self._append(entry)
            self._entries[key] = entry
            return entry, True

    def entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries.values())

    def total(self, amount: Callable[[Entry], int]) -> int:
        """Sum over all effects; for use inside `make` too, where the lock is already held."""
        return sum(amount(entry) for entry in list(self._entries.values()))

    def close(self) -> None:
        self._file.close()

    def _append(self, entry: Entry) -> None:
        self._file.write(json.dumps(entry, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def _read_back(self) -> None:
        self._file.seek(0)
        end = 0
        for line in self._file:
            if not line.endswith(b"\n"):
                break  # a kill in the middle of a write: that effect was never answered for
            entry = json.loads(line)
            self._entries[entry["key"]] = entry
            end += len(line)
        self._file.truncate(end)
