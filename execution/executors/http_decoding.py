"""Taking a body's content encoding off as it arrives, never beyond a size or a ratio (a bomb stops there)."""

from __future__ import annotations

import zlib
from typing import Final

from disttask_project.kernel.messages import Message, text

ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
_FREE: Final = 64 * 1024  # small bodies may have any ratio: a page of zeros harms nobody


def is_packed(encoding: str) -> bool:
    """Whether the encoding is one that `Unpacker` knows; others are kept as they came."""
    return encoding.strip().lower() in ENCODINGS


class Unpacker:
    """`feed` every chunk until it says False; then `body`, `cut` and `broken` tell what came of it."""

    def __init__(self, encoding: str, *, limit: int, ratio: int) -> None:
        is_gzip = "gzip" in encoding.strip().lower()
        # "deflate" means zlib's format by the standard and the bare one by some servers.
        self._wbits = [16 + zlib.MAX_WBITS] if is_gzip else [-zlib.MAX_WBITS, zlib.MAX_WBITS]
        self._is_gzip = is_gzip
        self._limit = limit
        self._ratio = ratio
        self._raw = bytearray()
        self._taken = 0
        self._body = bytearray()
        self._unpacker = zlib.decompressobj(self._wbits.pop())
        self._is_plain = False
        self.cut = False
        self._damaged = False

    def feed(self, chunk: bytes) -> bool:
        """False: enough is known."""
        self._taken += len(chunk)
        if not self._body and not self._is_plain:
            self._raw += chunk  # to begin anew with, as long as nothing came out
        if self._is_plain:
            self._body += chunk
        else:
            self._unpack(chunk)
        size = len(self._body)
        self.cut = size > self._limit or size > max(_FREE, self._ratio * self._taken)
        return not self.cut and not self._damaged

    def _unpack(self, chunk: bytes) -> None:
        try:
            while chunk:
                self._body += self._unpacker.decompress(chunk, self._limit + 1 - len(self._body))
                if len(self._body) > self._limit:
                    return
                chunk = self._unpacker.unused_data
                if not self._unpacker.eof or not self._is_gzip:
                    return
                if chunk:  # gzip may have several members
                    self._unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        except zlib.error:
            self._begin_anew()

    def _begin_anew(self) -> None:
        if self._body:
            self._damaged = True
            return
        raw = bytes(self._raw)
        if self._wbits:
            self._unpacker = zlib.decompressobj(self._wbits.pop())
            self._unpack(raw)
        else:  # it only says that it is packed
            self._is_plain = True
            self._body += raw

    @property
    def body(self) -> bytes:
        return bytes(self._body[: self._limit])

    @property
    def broken(self) -> Message | None:
        """Why the body is not whole, where it ended before its end."""
        if self._damaged or not (self.cut or self._is_plain or self._unpacker.eof or not self._taken):
            return text("its compression is damaged")
        return None
