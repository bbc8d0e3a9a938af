from __future__ import annotations

from typing import Any

import pytest

from execution.domain.outcome import Sort, TaskFailed
from execution.executors.db.config import DbConfig
from execution.executors.http_config import HttpConfig
from execution.executors.mq.executor import MqConfig
from execution.executors.noop import NoopConfig
from execution.executors.rpc.executor import RpcConfig
from execution.executors.schema import ParsedConfigs, config_problems, config_schema, parse


def found(model: Any, config: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    return sorted((problem.loc, problem.code) for problem in config_problems(model, config))


def test_it_reports_every_fault_with_its_path() -> None:
    config = {"url": "ftp://x", "metod": "GET", "headers": {"a\nb": "c"}, "query": 7, "success_status": "abc"}
    assert found(HttpConfig, config) == [
        (("headers",), "bad_value"),
        (("metod",), "unknown_key"),
        (("query",), "wrong_type"),
        (("success_status",), "bad_value"),
        (("url",), "bad_value"),
    ]


def test_it_names_the_nearest_key() -> None:
    [problem] = config_problems(HttpConfig, {"url": "http://a.example", "metod": "GET"})
    assert problem.message == "Unknown key metod; did you mean method?"


def test_it_names_what_is_missing() -> None:
    assert found(HttpConfig, {}) == [(("url",), "required")]
    assert found(RpcConfig, {}) == [(("method",), "required"), (("service",), "required")]


@pytest.mark.parametrize(
    ("model", "config"),
    [
        (HttpConfig, {"url": "${input.url}", "method": "${input.m}", "success_status": "${params.ok}"}),
        (HttpConfig, {"url": "http://${input.host}/a", "headers": "${input.headers}", "query": "${input.q}"}),
        (NoopConfig, {"sleep_ms": "${input.ms}"}),
        (MqConfig, {"topic": "${input.topic}", "delay_seconds": "${input.delay}"}),
        (RpcConfig, {"service": "${input.s}", "method": "${input.m}", "target": "${input.t}"}),
        (DbConfig, {"operation": "${input.op}", "table": "${input.t}", "where": "${input.w}"}),
        (DbConfig, {"operation": "update", "table": "t", "data": "${input.d}", "where": {"id": {"in": "${input.i}"}}}),
        (DbConfig, {"operation": "select", "table": "t", "where": {"id": {"between": "${input.i}"}}, "limit": "${1}"}),
    ],
)
def test_it_lets_an_expression_stand_for_any_value(model: Any, config: dict[str, Any]) -> None:
    assert found(model, config) == []


def test_it_still_finds_faults_beside_an_expression() -> None:
    assert found(NoopConfig, {"sleep_ms": "${input.ms}", "sleep": 1}) == [(("sleep",), "unknown_key")]
    assert found(NoopConfig, {"sleep_ms": 10_001}) == [(("sleep_ms",), "bad_value")]


def test_it_checks_again_at_the_call_without_showing_values() -> None:
    with pytest.raises(TaskFailed) as caught:
        parse(HttpConfig, {"url": "http://a.example", "query": "hunter2-hunter2", "success_status": "hunter2"})
    failure = caught.value.failure
    assert (failure.sort, failure.code) == (Sort.REFUSED, "BAD_CONFIG")
    assert "config.query: Must be an object." in failure.message
    assert "hunter2" not in failure.message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("given", "ranges"),
    [
        (200, ((200, 200),)),
        ("2xx", ((200, 299),)),
        ("200-204", ((200, 204),)),
        ([200, "404", "5XX"], ((200, 200), (404, 404), (500, 599))),
    ],
)
def test_it_reads_statuses_in_every_form(given: Any, ranges: Any) -> None:
    assert parse(HttpConfig, {"url": "http://a.example", "success_status": given}).success_status == ranges


def test_it_parses_the_same_object_once() -> None:
    parsed = ParsedConfigs(HttpConfig)
    config = {"url": "http://a.example"}
    assert parsed(config) is parsed(config)
    assert parsed(dict(config)) is not parsed(config)
    for number in range(600):
        assert parsed({"url": f"http://a.example/{number}"}).url.endswith(f"/{number}")


@pytest.mark.parametrize("model", [HttpConfig, DbConfig, MqConfig, RpcConfig, NoopConfig])
def test_it_has_a_json_schema_that_forbids_unknown_keys(model: Any) -> None:
    schema = config_schema(model)
    assert schema["additionalProperties"] is False
    assert schema["properties"]
