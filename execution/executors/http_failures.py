"""The failures of an exchange over HTTP, sorted by whether the target can have seen the request."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp
from yarl import URL

from disttask_project.kernel.messages import Message, text
from execution.domain.outcome import Sort, TaskFailed
from execution.executors.sealing import outside_text


@dataclass(slots=True)
class Progress:
    """How far a request came: once `connected`, the target may have seen it."""

    connected: bool = False


def bad_url(reason: str) -> TaskFailed:
    return TaskFailed(Sort.REFUSED, "BAD_URL", text("The url cannot be called: {reason}.", reason=reason))


def too_large(size: int) -> TaskFailed:
    return TaskFailed(
        Sort.REFUSED,
        "REQUEST_TOO_LARGE",
        text("The request body of {size} bytes is above the limit.", size=size),
    )


def timed_out(url: URL, progress: Progress) -> TaskFailed:
    if progress.connected:
        return TaskFailed(
            Sort.MAYBE_APPLIED,
            "TIMEOUT",
            text("{host} did not answer in time; it may have done what was asked.", host=url.host),
            type="Timeout",
        )
    return TaskFailed(
        Sort.NEVER_SENT,
        "CONNECT_TIMEOUT",
        text("No connection to {host}:{port} in time.", host=url.host, port=url.port),
        type="Timeout",
    )


def not_found(url: URL, error: BaseException) -> TaskFailed:
    return TaskFailed(
        Sort.NEVER_SENT,
        "DNS_FAILED",
        text("The name {host} was not found: {reason}.", host=url.host, reason=reason_of(error)),
    )


def not_secure(url: URL, error: BaseException) -> TaskFailed:
    return TaskFailed(
        Sort.NEVER_SENT,
        "TLS_FAILED",
        text("No secure connection to {host}: {reason}.", host=url.host, reason=reason_of(error)),
    )


def broken(url: URL, error: BaseException, progress: Progress) -> TaskFailed:
    if not progress.connected:
        return TaskFailed(
            Sort.NEVER_SENT,
            "CONNECT_FAILED",
            text("No connection to {host}:{port}: {reason}.", host=url.host, port=url.port, reason=reason_of(error)),
            type="ConnectionFailed",
        )
    return TaskFailed(
        Sort.MAYBE_APPLIED,
        "CONNECTION_LOST",
        text("The connection to {host} broke before an answer: {reason}.", host=url.host, reason=reason_of(error)),
        type="ConnectionLost",
    )


def unreadable(url: URL, reason: str) -> TaskFailed:
    reason = outside_text(reason, 300).partition("\n")[0].rstrip(" .:")
    return TaskFailed(
        Sort.MAYBE_APPLIED,
        "BROKEN_RESPONSE",
        text("{host} answered with something that is no HTTP: {reason}.", host=url.host, reason=reason),
        type="BrokenResponse",
    )


def reason_of(error: BaseException) -> Message | str:
    return outside_text(str(error) or type(error).__name__, 300).rstrip(".")


def sorted_failure(url: URL, error: Exception, progress: Progress) -> TaskFailed:
    """What an error of aiohttp says about the target."""
    if isinstance(error, TimeoutError):
        return timed_out(url, progress)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return not_found(url, error.os_error)
    if isinstance(error, aiohttp.ClientSSLError | aiohttp.ClientConnectorCertificateError):
        return not_secure(url, error)
    if isinstance(error, aiohttp.InvalidURL):
        return bad_url(outside_text(error))
    if isinstance(error, aiohttp.ClientResponseError):
        return unreadable(url, error.message)  # its own text quotes the URL, query and all
    return broken(url, error, progress)
