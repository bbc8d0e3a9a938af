"""What must not be shown: values under telling key names, and registered secrets wherever they turn up.

Logs, the console and the executors share these rules. A secret is found raw, percent-encoded, JSON-escaped and
in base64, also in the middle of a longer base64 text (`Basic` credentials).
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, Final
from urllib.parse import quote, quote_plus

MASK: Final = "***"
NAMES: Final = (
    "password", "passwd", "secret", "token", "authorization", "api_key", "cookie", "id_card", "phone",
)  # fmt: skip
MIN_SECRET: Final = 6  # shorter ones would blot out ordinary text

# A reference is no secret, and whoever reads a config wants to see which one it names.
_REFERENCE: Final = re.compile(r"(?:[A-Za-z]+ )?\$\{secret:[A-Za-z0-9_]+\}")
_SEPARATORS: Final = re.compile(r"[^a-z0-9]")


class Redactor:
    """The rules with their registered secrets. Safe to share between threads."""

    def __init__(self, names: Iterable[str] = NAMES) -> None:
        self._names = tuple(_plain(name) for name in names)
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self._lock = Lock()

    def add_names(self, names: Iterable[str]) -> None:
        with self._lock:
            self._names = tuple(dict.fromkeys((*self._names, *(_plain(name) for name in names if _plain(name)))))

    def register(self, secret: str) -> None:
        """From now on `secret` is masked in every text."""
        if len(secret) < MIN_SECRET:
            return
        with self._lock:
            self._forms |= secret_forms(secret)
            longest_first = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def is_secret_name(self, name: str) -> bool:
        plain = _plain(name)
        return any(secret in plain for secret in self._names)

    def text(self, text: str) -> str:
        return self._pattern.sub(MASK, text) if self._pattern else text

    def value(self, value: Any) -> Any:
        """A copy of a JSON value with its secrets masked; the given value is not changed."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self._key(key): self._under(key, inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def _key(self, key: Any) -> Any:
        return self.text(key) if isinstance(key, str) else key

    def _under(self, key: Any, inner: Any) -> Any:
        if inner is None or isinstance(inner, bool) or inner == "" or not self.is_secret_name(str(key)):
            return self.value(inner)
        if isinstance(inner, str) and _REFERENCE.fullmatch(inner):
            return inner
        return MASK


def secret_forms(secret: str) -> set[str]:
    """Every spelling of `secret` that counts as showing it."""
    forms = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    forms.add(json.dumps(secret, ensure_ascii=False)[1:-1])
    raw = secret.encode("utf-8", "surrogatepass")
    for offset in range(3):
        # Whole groups of the encoding only: the characters at the rims mix with what stands beside the secret.
        inner = base64.b64encode(bytes(offset) + raw)
        start = 0 if offset == 0 else 4
        middle = inner[start : (offset + len(raw)) // 3 * 4].decode()
        forms |= {middle, middle.translate(str.maketrans("+/", "-_"))}
    return {form for form in forms if len(form) >= MIN_SECRET}


def _plain(name: str) -> str:
    return _SEPARATORS.sub("", name.lower())


_shared = Redactor()


def register_secret(secret: str) -> None:
    """Have `secret` masked by `redact` in this process from now on."""
    _shared.register(secret)


def add_secret_names(names: Iterable[str]) -> None:
    """Further key names, beside `NAMES`, whose values are masked."""
    _shared.add_names(names)


def redact(value: Any) -> Any:
    """A copy of a JSON value, or of a text, fit to be shown."""
    return _shared.value(value)


def is_secret_name(name: str) -> bool:
    return _shared.is_secret_name(name)
