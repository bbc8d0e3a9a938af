"""One event, one line, nothing secret, nothing forged."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from disttask_project.kernel.redaction import register_secret
from disttask_project.logging import configure, formatter

HOSTILE = 'a\nb\r\n\x1b[31mred\x00\x85\u2028\u202e{"event": "forged"}'


class Lines:
    """A logger of its own that writes to memory in the given form."""

    def __init__(self, *, console: bool) -> None:
        self.stream = io.StringIO()
        handler = logging.StreamHandler(self.stream)
        handler.setFormatter(formatter(console=console))
        self.logger = logging.getLogger(f"test.lines.{console}")
        self.logger.handlers, self.logger.propagate = [handler], False
        self.logger.setLevel("INFO")
        self.events = structlog.get_logger(self.logger.name)

    def read(self) -> list[str]:
        return self.stream.getvalue().split("\n")[:-1]

    def objects(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.read()]


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    structlog.contextvars.clear_contextvars()
    yield
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines() -> Lines:
    return Lines(console=False)


def test_it_writes_json_with_what_was_bound_once(lines: Lines) -> None:
    structlog.contextvars.bind_contextvars(request_id="r1", instance_id="i1", task_id="t", attempt=2)
    lines.events.info("task_failed", code="HTTP_503")
    lines.logger.warning("from a %s", "library", extra={"status_code": 500})
    ours, theirs = lines.objects()
    assert (ours["event"], ours["level"], ours["code"]) == ("task_failed", "info", "HTTP_503")
    assert (theirs["event"], theirs["status_code"]) == ("from a library", 500)
    for line in (ours, theirs):
        assert (line["request_id"], line["instance_id"], line["attempt"]) == ("r1", "i1", 2)
        assert line["timestamp"].endswith("Z")


@pytest.mark.parametrize("console", [False, True])
def test_it_keeps_one_event_on_one_line(console: bool) -> None:
    lines = Lines(console=console)
    lines.events.info(HOSTILE, value=HOSTILE, nested={HOSTILE: [HOSTILE]})
    lines.logger.info(HOSTILE)
    assert len(lines.read()) == 2
    for line in lines.read():
        assert len(line.splitlines()) == 1
        assert "\\x1b[31mred" in line or "\\\\x1b[31mred" in line


def test_it_keeps_an_exception_inside_its_event(lines: Lines) -> None:
    lines.logger.error("broken", exc_info=ValueError(HOSTILE))
    [line] = lines.objects()
    assert "ValueError" in line["exception"]
    assert "\x1b" not in line["exception"]


def test_it_indents_an_exception_on_the_console() -> None:
    lines = Lines(console=True)
    lines.events.error("broken", exc_info=ValueError("x\n2026-11-23T12:00:00Z [info] forged"))
    first, *rest = lines.read()
    assert "broken" in first
    assert rest
    assert all(line.startswith("    | ") for line in rest)


def test_it_masks_secrets_by_name_and_by_value(lines: Lines) -> None:
    register_secret("s3cret-of-the-test")
    lines.events.info("sent", headers={"Authorization": "Bearer x"}, url="https://h/?k=s3cret-of-the-test")
    lines.logger.info("with s3cret-of-the-test")
    text = lines.stream.getvalue()
    assert "Bearer x" not in text
    assert "s3cret-of-the-test" not in text


def test_it_bounds_a_line(lines: Lines) -> None:
    lines.events.info("x" * 100_000, **{f"k{i}": "y" * 5_000 for i in range(50)})
    [line] = lines.read()
    assert len(line) < 33_000
    assert json.loads(line)["cut"] > 33_000


def test_it_names_the_type_of_what_is_no_data(lines: Lines) -> None:
    lines.logger.info("request", extra={"request": object(), "deep": [[[[[[[[["x"]]]]]]]]]})
    [line] = lines.objects()
    assert line["request"] == "object"
    assert "[...]" in json.dumps(line["deep"])


def test_it_writes_to_a_file(tmp_path: Any) -> None:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        path = tmp_path / "log"
        configure({"level": "info", "format": "json", "output": str(path), "redact": []})
        logging.getLogger("somewhere").info("hello")
        logging.getLogger("somewhere").debug("not this")
        assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["hello"]
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers, root.level = handlers, level


def test_it_spends_one_short_line_on_a_wrong_host_header() -> None:
    lines = Lines(console=False)
    logger = logging.getLogger("django.security.DisallowedHost")
    before = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = lines.logger.handlers, False
    try:
        logger.error("Invalid HTTP_HOST header", exc_info=ValueError("x"))
    finally:
        logger.handlers, logger.propagate = before
    assert "exception" not in lines.objects()[0]
