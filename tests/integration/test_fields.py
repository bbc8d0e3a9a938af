"""Ids are bytes and payloads are text, on every store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from flows.models import Flow, FlowVersion, TaskDefinition

pytestmark = [pytest.mark.store, pytest.mark.django_db]

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def make_flow(flow_id: str, *, live_name: str | None = None) -> Flow:
    return Flow.objects.create(id=flow_id, name=flow_id, live_name=live_name, created_at=NOW, updated_at=NOW)


@pytest.mark.parametrize("other", ["a1", "A1 ", "Á1", "A１"])
def test_it_tells_ids_apart_by_every_byte(other: str) -> None:
    make_flow("A1")
    make_flow(other)
    assert Flow.objects.get(pk="A1").name == "A1"
    assert Flow.objects.get(pk=other).name == other
    assert Flow.objects.filter(pk__in=["A1"]).count() == 1


def test_it_joins_a_binary_key_to_its_foreign_key() -> None:
    for flow_id in ("A1", "a1"):
        FlowVersion.objects.create(flow=make_flow(flow_id), number=1, definition={}, compiled={}, created_at=NOW)
    assert [v.flow_id for v in FlowVersion.objects.filter(flow__name="a1")] == ["a1"]


def test_it_refuses_the_same_live_name_twice_and_allows_many_deleted() -> None:
    make_flow("f1", live_name="order")
    make_flow("f2")
    make_flow("f3")
    with pytest.raises(IntegrityError), transaction.atomic():
        make_flow("f4", live_name="order")


@pytest.mark.parametrize(
    "value",
    [
        {"b": 1, "a": 2, "": None},
        {"amount": 0.1, "big": 2**63 - 1, "text": "事务 \U0001f600 \\ ' \" \n\t"},
        [],
        "plain",
        0,
        False,
    ],
)
def test_it_returns_a_payload_as_it_was_given(value: Any) -> None:
    TaskDefinition.objects.create(name="t", type="http", config=value, created_at=NOW, updated_at=NOW)
    read = TaskDefinition.objects.get(pk="t").config
    assert read == value
    assert type(read) is type(value)
    if isinstance(value, dict):
        assert list(read) == list(value)


def test_it_keeps_the_current_version_of_a_flow() -> None:
    flow = make_flow("f1")
    flow.current = FlowVersion.objects.create(flow=flow, number=1, definition={}, compiled={}, created_at=NOW)
    flow.save()
    assert Flow.objects.select_related("current").get(pk="f1").current == flow.current
