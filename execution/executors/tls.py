"""Certificates of connections: files of the deployer's, or secrets by reference; read anew when they change.

Named in the configuration only (`[http.tls.<name>]`, `[rpc.services.<name>]`), never in a task: whoever may edit a
flow shall not make us read files.
"""

from __future__ import annotations

import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.sealing import outside_text
from execution.executors.secrets import REFERENCE, read_secret

CHECK_SECONDS: Final = 10.0  # between two looks at the files


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """Where they are: a path or `${secret:NAME}`, each. Without `ca_file` the system's are trusted."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Certificates:
        """The three keys of one entry of the configuration."""
        return cls(**{key: str(raw.get(key) or "") for key in ("ca_file", "cert_file", "key_file")})

    @property
    def fault(self) -> bool:
        """One of certificate and key is there without the other."""
        return bool(self.cert_file) != bool(self.key_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pems:
    """Their contents; None where there is none."""

    ca: bytes | None
    cert: bytes | None
    key: bytes | None


def read_pems(certificates: Certificates, *, name: str) -> Pems:
    """Raises `TaskFailed` (refused, `BAD_CERTIFICATES`) where one cannot be read."""
    return Pems(
        ca=_content(certificates.ca_file, name),
        cert=_content(certificates.cert_file, name),
        key=_content(certificates.key_file, name),
    )


def stamp_of(certificates: Certificates) -> tuple[Any, ...]:
    """Differs once a file or a secret has changed."""
    return tuple(map(_stamp, (certificates.ca_file, certificates.cert_file, certificates.key_file)))


class TlsContexts:
    """A client context for each entry of `[http.tls]`, the same object until its files change."""

    def __init__(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        self._entries = entries
        self._known: dict[str, tuple[float, tuple[Any, ...], ssl.SSLContext]] = {}

    def __call__(self, name: str) -> ssl.SSLContext:
        """Raises `TaskFailed` (refused)."""
        entry = self._entries.get(name)
        if entry is None:
            raise _bad(name, text("the configuration has no [http.tls] entry of that name"))
        known = self._known.get(name)
        now = time.monotonic()
        if known is not None and now - known[0] < CHECK_SECONDS:
            return known[2]
        certificates = Certificates.read(entry)
        stamp = stamp_of(certificates)
        context = known[2] if known is not None and known[1] == stamp else _made(certificates, name)
        self._known[name] = (now, stamp, context)
        return context


def _made(certificates: Certificates, name: str) -> ssl.SSLContext:
    if certificates.fault:
        raise _bad(name, text("a certificate needs its key, and a key its certificate"))
    return context_of(read_pems(certificates, name=name), name=name)


def context_of(pems: Pems, *, name: str) -> ssl.SSLContext:
    """Raises `TaskFailed` (refused) where they are none, or do not belong together."""
    try:
        context = ssl.create_default_context(cadata=None if pems.ca is None else pems.ca.decode("ascii", "replace"))
        if pems.cert is not None and pems.key is not None:
            _load_chain(context, pems.cert + b"\n" + pems.key)
    except (ssl.SSLError, ValueError) as error:
        raise _bad(name, outside_text(error, 300)) from None  # its frames hold the key
    return context


def _load_chain(context: ssl.SSLContext, pem: bytes) -> None:
    # OpenSSL takes a client's chain from a file only: one that nobody else may read, gone at once.
    descriptor, path = tempfile.mkstemp(prefix="disttask-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
        # Without a password of ours OpenSSL would ask for one on the terminal.
        context.load_cert_chain(path, password="")
    finally:
        os.unlink(path)


def _content(where: str, name: str) -> bytes | None:
    if not where:
        return None
    reference = REFERENCE.fullmatch(where)
    if reference is not None:
        return read_secret(reference[1]).encode()
    try:
        return Path(where).read_bytes()
    except OSError as error:
        raise _bad(name, text("{file} cannot be read", file=where)) from error


def _stamp(where: str) -> Any:
    reference = REFERENCE.fullmatch(where)
    if reference is not None:
        return hash(read_secret(reference[1]))
    try:
        found = os.stat(where) if where else None
    except OSError:
        return -1
    return found and (found.st_mtime_ns, found.st_size, found.st_ino)


def _bad(name: str, reason: str) -> TaskFailed:
    return TaskFailed(
        Sort.REFUSED,
        "BAD_CERTIFICATES",
        text("The certificates of {name} cannot be used: {reason}.", name=name, reason=reason),
    )
