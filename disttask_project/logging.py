"""Logging: structlog's events and every library's records through standard logging, one line each.

JSON in production, a coloured console in development. Whoever handles a request or a task binds
`request_id`, `instance_id`, `task_id`, `attempt` once (`structlog.contextvars`); every line below carries them.
"""

from __future__ import annotations

import json
import logging
import logging.config
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Final

import structlog

from disttask_project.kernel.redaction import add_secret_names, redact

Event = MutableMapping[str, Any]

MAX_TEXT: Final = 4_000  # characters of one value
MAX_TRACE: Final = 16_000
MAX_LINE: Final = 32_000
MAX_DEPTH: Final = 6
MAX_ITEMS: Final = 100
# Control characters, and what some readers take for the end of a line or for a change of direction.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_FIRST: Final = ("timestamp", "level", "logger", "event")
_PLAIN: Final = (str, int, float, bool, type(None), list, tuple, dict)
_SHARED: Final[tuple[Any, ...]] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
)


def configure(settings: Mapping[str, Any]) -> None:
    """What `LOGGING_CONFIG` names: `settings` is `LOGGING`, {level, format, output, redact}."""
    add_secret_names(settings["redact"])
    console = settings["format"] == "console"
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    level = settings["level"].upper()
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": formatter, "console": console}},
            "handlers": {"line": {**_handler(settings["output"]), "formatter": "line"}},
            "root": {"level": level, "handlers": ["line"]},
            "loggers": {
                # Django and django-q2 bring handlers of their own, in other formats.
                "django": {"level": level, "handlers": [], "propagate": True},
                "django.server": {"level": "WARNING", "handlers": [], "propagate": True},
                # A line for each wake-up it carries would drown ours.
                "django-q": {"level": "DEBUG" if level == "DEBUG" else "WARNING", "handlers": [], "propagate": True},
                # Says at debug what a production log must not hold: SQL with its values.
                "django.db.backends": {"level": "INFO"},
                "asyncio": {"level": "WARNING"},
            },
        }
    )


def formatter(*, console: bool) -> logging.Formatter:
    renderer: Any = _console_renderer() if console else _json_line
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _without_frames_of_refusals,
            structlog.processors.format_exc_info,
            _only_data,
            _redacted,
            _bounded_and_escaped(multiline=console),
            renderer,
        ],
    )


def _handler(output: str) -> dict[str, Any]:
    if output in ("stderr", "stdout"):
        return {"class": "logging.StreamHandler", "stream": f"ext://sys.{output}"}
    # Watched: logrotate may move the file away.
    return {"class": "logging.handlers.WatchedFileHandler", "filename": output, "encoding": "utf-8"}


def _without_frames_of_refusals(_logger: Any, _method: str, event: Event) -> Event:
    """A scanner's wrong Host header is one line; where in Django it was noticed helps nobody."""
    if str(event.get("logger", "")).startswith("django.security"):
        event.pop("exc_info", None)
    return event


def _only_data(_logger: Any, _method: str, event: Event) -> Event:
    """Libraries put requests, sockets and frames into `extra`; their repr may show anything."""
    for key in [key for key, value in event.items() if not isinstance(value, _PLAIN)]:
        value = event[key]
        event[key] = str(value) if isinstance(value, BaseException) or key == "event" else type(value).__name__
    return event


def _redacted(_logger: Any, _method: str, event: Event) -> Event:
    cleaned: Event = redact(event)
    return cleaned


def _bounded_and_escaped(*, multiline: bool) -> Callable[[Any, str, Event], Event]:
    def process(_logger: Any, _method: str, event: Event) -> Event:
        trace = event.pop("exception", None)
        result: Event = _bounded(event, 0)
        if isinstance(trace, str):
            lines = [_escape(line) for line in _cut(trace, MAX_TRACE).splitlines()]
            # Indented, so that no line of an exception's text can pass for an event.
            result["exception"] = "\n".join(f"    | {line}" for line in lines) if multiline else "\n".join(lines)
        return result

    return process


def _bounded(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _escape(_cut(value, MAX_TEXT))
    if isinstance(value, Mapping):
        if depth >= MAX_DEPTH:
            return "{...}"
        items = list(value.items())[:MAX_ITEMS]
        return {_escape(_cut(str(key), 200)): _bounded(inner, depth + 1) for key, inner in items}
    if isinstance(value, list | tuple):
        return "[...]" if depth >= MAX_DEPTH else [_bounded(item, depth + 1) for item in value[:MAX_ITEMS]]
    return value if isinstance(value, _PLAIN) else _escape(type(value).__name__)


def _escape(text: str) -> str:
    return _CONTROL.sub(lambda match: ascii(match[0])[1:-1], text)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text) - limit} more)"


def _json_line(_logger: Any, _method: str, event: Event) -> str:
    event = {**{key: event[key] for key in _FIRST if key in event}, **event}
    line = json.dumps(event, ensure_ascii=False, default=str)
    if len(line) <= MAX_LINE:
        return line
    kept = {key: value for key, value in event.items() if isinstance(value, str | int) and len(str(value)) <= 200}
    return json.dumps({**kept, "event": str(event.get("event"))[:1000], "cut": len(line)}, ensure_ascii=False)


def _console_renderer() -> Any:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback, sort_keys=False
    )
