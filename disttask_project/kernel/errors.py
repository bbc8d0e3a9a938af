"""The errors that cross a layer, grouped by what a caller can do about them.

DisttaskError
 +-- InvalidInput     the caller's content is wrong; mend it and ask again     (422)
 |    +-- Malformed   not even readable: broken JSON, a wrong envelope          (400)
 +-- NotFound         no such object, or none that this actor may see           (404)
 +-- Forbidden        the actor lacks the named permission                      (403)
 +-- Conflict         the object's state, or another actor, got there first     (409)
 +-- TooMany          a limit; ask again after `retry_after` seconds            (429)
 +-- Unavailable      a part we depend on is away; asking again may help        (503)

Each carries `symbol`, the stable name that REST, gRPC and the commands show and `docs/errors.md` lists.
Messages are lazy translations or plain English; `str(error)` gives the text in the active language.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with an input.

    `loc` is the list of keys and indexes that leads to it, `code` a stable lower-case word,
    `message` the fault and its mend in the active language.
    """

    loc: tuple[str | int, ...]
    code: str
    message: str

    def as_dict(self) -> dict[str, object]:
        return {"loc": list(self.loc), "code": self.code, "message": str(self.message)}


class DisttaskError(Exception):
    """Base of all errors that a caller is told about."""

    symbol = "ERROR"

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), symbol: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.problems = tuple(problems)
        if symbol is not None:
            self.symbol = symbol

    def __str__(self) -> str:
        return str(self.message)


class InvalidInput(DisttaskError):
    symbol = "INVALID_INPUT"


class Malformed(InvalidInput):
    symbol = "MALFORMED"


class NotFound(DisttaskError):
    symbol = "NOT_FOUND"


class Forbidden(DisttaskError):
    symbol = "FORBIDDEN"


class Conflict(DisttaskError):
    symbol = "CONFLICT"


class TooMany(DisttaskError):
    symbol = "TOO_MANY_REQUESTS"

    def __init__(self, message: str, *, retry_after: float, symbol: str | None = None) -> None:
        super().__init__(message, symbol=symbol)
        self.retry_after = retry_after


class Unavailable(DisttaskError):
    symbol = "UNAVAILABLE"
