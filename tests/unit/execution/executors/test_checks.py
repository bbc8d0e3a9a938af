from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from django.core.checks import CheckMessage
from pydantic import BaseModel

from execution import checks
from execution.apps import load_executors
from execution.domain.outcome import Result
from execution.executors import base
from execution.executors.base import Call, Executor, executor_types, register
from execution.executors.db.spec import BadConnection, read_spec
from flows.domain.catalog import TASK_TYPES


def ids(found: Any) -> list[str | None]:
    return [message.id for message in found if isinstance(message, CheckMessage)]


def configured(settings: Any, **keys: Any) -> None:
    settings.DISTTASK = {**settings.DISTTASK, **keys}


def test_our_own_types_are_complete_and_known_to_the_language() -> None:
    load_executors()  # a second time does no harm
    assert ids(checks.check_task_types()) == []
    assert {"http", "rpc", "mq", "db", "noop"} <= set(executor_types())
    for name, executor in executor_types().items():
        known = TASK_TYPES.get(name)
        assert known is not None
        assert known.description == executor.description
        assert known.schema["additionalProperties"] is False


def test_an_incomplete_type_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "_TYPES", dict(base._TYPES))

    class Loose(BaseModel):
        a: int = 0

    @register
    class Half(Executor):
        name: ClassVar[str] = "half"
        config_model: ClassVar[type[BaseModel]] = Loose
        is_async: ClassVar[bool] = True

        def execute(self, call: Call) -> Result:
            return Result(value=dict(call.input))

    messages = [str(message.msg) for message in checks.check_task_types()]
    assert len(messages) == 3
    assert "unknown keys" in messages[0]
    assert "no description" in messages[1]
    assert "is_async" in messages[2]


def test_a_name_taken_twice_stops_the_start() -> None:
    class Http(Executor):
        name: ClassVar[str] = "http"

        def execute(self, call: Call) -> Result:
            return Result(value=dict(call.input))

    with pytest.raises(ValueError, match="registered twice"):
        register(Http)


def test_malformed_targets_are_reported(settings: Any) -> None:
    configured(
        settings,
        HTTP_ALLOW_NETWORKS=["10.0.0.0/8", "10.0.0/8"],
        RPC_ALLOW_HOSTS=["http://pay.internal", "*.svc.cluster.local"],
        RPC_SERVICES={"pay": {"protocol": "grpc"}, "stock": {"target": "stock:50051"}},
        MQ_BACKEND="rocketmq4",
    )
    assert ids(checks.check_targets()) == ["execution.E004", "execution.E005"]
    [service] = checks.check_services()
    assert "[rpc.services.pay]" in str(service.msg)
    [backend] = checks.check_backend()
    assert "not available yet" in str(backend.msg)


def test_malformed_connections_are_reported(settings: Any, tmp_path: Path) -> None:
    own = settings.DATABASES["default"]
    mine = {"sqlite3": f"sqlite:///{own['NAME']}"}.get(own["ENGINE"].rpartition(".")[2])
    connections = {
        "bad": {"url": "oracle://x/y"},
        "empty": {"url": f"sqlite:///{tmp_path}/a.sqlite3"},
        "good": {"url": f"sqlite:///{tmp_path}/a.sqlite3", "tables": ["orders"]},
    }
    expected = ["execution.E002", "execution.W001"]
    if mine:
        connections["mine"] = {"url": mine, "tables": ["orders", "execution_instance"]}
        expected.append("execution.E003")
    configured(settings, DB_CONNECTIONS=connections)
    assert ids(checks.check_connections()) == expected


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"url": "mysql:///orders"}, "host"),
        ({"url": "mysql://h"}, "name of the database"),
        ({"url": "mysql://h:abc/orders"}, "url"),
        ({"engine": "oracle"}, "engine"),
        ({"engine": "mysql", "host": "h"}, "name of the database"),
        ({"url": "mysql://h/o", "tabels": []}, "did you mean tables"),
        ({"url": "mysql://h/o", "tables": ["a;b"]}, "no table name"),
        ({"url": "mysql://h/o", "tables": {"a": ["b c"]}}, "no column name"),
        ({"url": "mysql://h/o", "max_rows": 0}, "above 0"),
        ({"url": "mysql://h/o", "statement_timeout": "soon"}, "number"),
    ],
)
def test_it_says_what_is_wrong_with_a_connection(raw: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadConnection, match=reason):
        read_spec("x", raw)


def test_it_reads_connections_in_every_form() -> None:
    spec = read_spec("a", {"url": "mysql://u%40x:p%3Aw@h:3307/orders?ssl_ca=/ca", "tables": "orders, items"})
    assert (spec.vendor, spec.host, spec.port, spec.user, spec.password) == ("mysql", "h", 3307, "u@x", "p:w")
    assert (spec.name, set(spec.tables), spec.options) == ("orders", {"orders", "items"}, {"ssl_ca": "/ca"})
    assert "p:w" not in repr(spec)
    spec = read_spec("a", {"engine": "postgres", "host": "h", "port": 0, "username": "u", "name": "orders", "url": ""})
    assert (spec.vendor, spec.port, spec.user) == ("postgres", 5432, "u")
    assert read_spec("a", {"url": "sqlite:///orders.sqlite3"}, home="/srv").name == "/srv/orders.sqlite3"
    assert read_spec("a", {"url": "sqlite:////data/o.sqlite3"}, home="/srv").name == "/data/o.sqlite3"
