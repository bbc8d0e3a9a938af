"""What a gRPC status says about the target."""

from __future__ import annotations

from typing import Any, Final

import grpc
from grpc import aio

from disttask_project.kernel.messages import text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.sealing import outside_text

_CODE: Final = grpc.StatusCode
_REFUSED: Final = frozenset(
    {
        _CODE.INVALID_ARGUMENT,
        _CODE.NOT_FOUND,
        _CODE.ALREADY_EXISTS,
        _CODE.PERMISSION_DENIED,
        _CODE.FAILED_PRECONDITION,
        _CODE.OUT_OF_RANGE,
        _CODE.UNIMPLEMENTED,
        _CODE.UNAUTHENTICATED,
    }
)
_NOT_NOW: Final = frozenset({_CODE.RESOURCE_EXHAUSTED, _CODE.ABORTED})
# The library's own words, under codes that else are the service's: the reply was too large for us, or the stream was
# torn down. The work may well be done.
_OUR_SIDE: Final = (
    "message larger than max",
    "metadata size exceeds",
    "RST_STREAM",
    "Stream removed",
    "Cardinality violation",
)
_PUSHBACK: Final = "grpc-retry-pushback-ms"


def status_failure(error: aio.AioRpcError, *, sent: bool = True) -> TaskFailed:
    """A call that ended with a status, sorted. `sent` is False where the request had not left yet."""
    code = error.code()
    details = outside_text(error.details() or "", 2_000)
    sort = _sort(code, details) if sent else Sort.NEVER_SENT
    return TaskFailed(
        sort,
        f"GRPC_{code.name}",
        text("The service answered {status}: {details}", status=code.name, details=details or "-"),
        type="GrpcStatus",
        retry_after=_pushback(error),
        response={"status": code.name, "details": details},
    )


def _sort(code: grpc.StatusCode, details: str) -> Sort:
    """Once sent, UNAVAILABLE never means that nothing arrived: a status of the library and one that a service passes
    on from another look alike, to the letter.
    """
    if any(words in details for words in _OUR_SIDE):
        return Sort.MAYBE_APPLIED
    if code in _REFUSED:
        return Sort.REFUSED
    return Sort.REFUSED_NOW if code in _NOT_NOW else Sort.MAYBE_APPLIED


def _pushback(error: aio.AioRpcError) -> float | None:
    trailers: Any = error.trailing_metadata() or ()
    for key, value in trailers:
        if key == _PUSHBACK and str(value).isdigit():
            return int(str(value)[:9]) / 1000
    return None
