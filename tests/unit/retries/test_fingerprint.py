from __future__ import annotations

import pytest

from retries.domain.fingerprint import fingerprint, normalised


@pytest.mark.parametrize(
    ("message", "shape"),
    [
        ("out of stock", "out of stock"),
        ("order 20260101 not found", "order # not found"),
        ("order A-17 not found", "order # not found"),
        ("timeout after 30.5 s at 10.0.0.1:8080", "timeout after # s at #"),
        ("id aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee gone", "id # gone"),
        ("库存不足: SKU-9", "库存不足: #"),
    ],
)
def test_it_leaves_out_what_differs_each_time(message: str, shape: str) -> None:
    assert normalised(message) == shape


def test_it_looks_at_the_beginning_of_long_messages() -> None:
    assert normalised("x" * 500 + "y") == "x" * 500


def test_it_is_the_same_for_the_same_cause() -> None:
    first = fingerprint(flow_id="f", task_id="t", error_code="E", message="order 1 failed")
    assert first == fingerprint(flow_id="f", task_id="t", error_code="E", message="order 2 failed")
    assert len(first) == 32


@pytest.mark.parametrize("change", [{"flow_id": "g"}, {"task_id": "u"}, {"error_code": "F"}, {"message": "other"}])
def test_it_differs_with_each_part(change: dict[str, str]) -> None:
    parts = {"flow_id": "f", "task_id": "t", "error_code": "E", "message": "m"}
    assert fingerprint(**parts) != fingerprint(**{**parts, **change})
