"""How a secret lies in the database: Fernet (AES-128-CBC with HMAC-SHA256), under a key that is not in it.

The key is `[security] secrets_key`, or derived from the application's secret key where none is set. Keys that were
in use before stand in `[security] old_secrets_keys`: they still open, and `secret reseal` lets them go.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from disttask_project.kernel import json

_PURPOSE: Final = b"disttask secret store"


class CannotOpen(Exception):
    """Sealed under a key that this process does not have, or not what was sealed."""


def seal(name: str, value: str) -> str:
    """The stored form. The name is sealed in, so that a row put under another name does not open."""
    return _fernet(*_keys()).encrypt(json.dumps({"name": name, "value": value}).encode()).decode()


def open_sealed(name: str, sealed: str) -> str:
    """The value; raises `CannotOpen`."""
    try:
        found = json.loads_stored(_fernet(*_keys()).decrypt(sealed.encode()).decode())
    except InvalidToken as error:
        raise CannotOpen(name) from error
    if not isinstance(found, dict) or found.get("name") != name:
        raise CannotOpen(name)
    return str(found["value"])


def _keys() -> tuple[str, ...]:
    options = settings.DISTTASK
    return (options["SECURITY_SECRETS_KEY"] or settings.SECRET_KEY, *options["SECURITY_OLD_SECRETS_KEYS"])


@lru_cache(maxsize=4)
def _fernet(*keys: str) -> MultiFernet:
    return MultiFernet([Fernet(_derived(key)) for key in keys])


def _derived(key: str) -> bytes:
    """32 bytes from a key of any length, for this purpose alone (HKDF, RFC 5869)."""
    return base64.urlsafe_b64encode(
        HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode("utf-8"))
    )
