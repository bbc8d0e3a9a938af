from __future__ import annotations

from typing import Any

import pytest

from flows.domain.catalog import (
    CODE_ENTRIES,
    TASK_TYPES,
    Catalog,
    CatalogEntry,
    entry_problems,
    field_as_json,
    field_from_json,
    merged_config,
    register_task_type,
)
from flows.domain.compiled import InputField
from tests.unit.flows.builders import catalog, types


def test_the_seeds_entries_are_there() -> None:
    seed = {
        item.name: (item.type, [(field.name, field.type, field.required) for field in item.input_fields])
        for item in CODE_ENTRIES
    }
    assert seed == {
        "deduct": ("rpc", [("user_id", "string", True), ("amount", "int", True), ("order_id", "string", True)]),
        "deduct_inventory": ("rpc", [("sku", "string", True), ("quantity", "int", True)]),
        "notify": ("mq", [("user_id", "string", True), ("order_id", "string", True), ("status", "string", True)]),
        "http_request": ("http", [("body", "*", False)]),
    }
    assert all(item.is_code for item in CODE_ENTRIES)


def test_a_bare_type_is_an_entry_without_fields() -> None:
    assert catalog().find("noop") == CatalogEntry(name="noop", type="noop")
    assert catalog().find("nothing") is None


def test_an_entry_comes_before_a_type_of_its_name() -> None:
    own = CatalogEntry(name="http", type="noop")
    assert Catalog(entries={"http": own}, types=types()).find("http") is own


def test_it_lists_every_name() -> None:
    assert catalog().names() == [
        "db",
        "deduct",
        "deduct_inventory",
        "http",
        "http_request",
        "mq",
        "noop",
        "notify",
        "rpc",
    ]


def test_the_tasks_config_wins_key_by_key() -> None:
    base = CatalogEntry(name="x", type="http", config={"url": "a", "headers": {"a": 1}})
    assert merged_config(base, {"headers": {"b": 2}}) == {"url": "a", "headers": {"b": 2}}


def test_a_registered_type_is_known_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASK_TYPES, "_types", dict(TASK_TYPES._types))  # the registry is the process's
    register_task_type("unit-test", lambda _config: (), {"type": "object"}, "for this test", idempotent=False)
    known = TASK_TYPES.get("unit-test")
    assert known is not None
    assert (known.description, known.idempotent, known.schema) == ("for this test", False, {"type": "object"})
    assert "unit-test" in [item.name for item in TASK_TYPES]


def test_fields_survive_the_store() -> None:
    for item in (
        InputField(name="a", type="int", required=True),
        InputField(name="b", type="*", default=None, has_default=True),
        InputField(name="c", type="string", default="x", has_default=True),
    ):
        assert field_from_json(field_as_json(item)) == item


GOOD: dict[str, Any] = {
    "name": "charge",
    "type": "http",
    "description": "",
    "config": {"url": "http://x"},
    "input_fields": [{"name": "amount", "type": "int", "required": True, "default": 3, "description": "in cents"}],
}


def test_a_good_entry_has_no_problems() -> None:
    assert entry_problems(GOOD, types()) == ()
    assert entry_problems({**GOOD, "config": {}}, types()) == ()  # the task may bring the url


@pytest.mark.parametrize(
    ("change", "loc", "code"),
    [
        ({"name": ""}, ("name",), "bad_name"),
        ({"name": "1x"}, ("name",), "bad_name"),
        ({"name": 7}, ("name",), "bad_name"),
        ({"name": "http"}, ("name",), "bad_name"),
        ({"type": "soap"}, ("type",), "unknown_type"),
        ({"type": None}, ("type",), "unknown_type"),
        ({"description": 7}, ("description",), "wrong_type"),
        ({"description": "\x00"}, ("description",), "wrong_type"),
        ({"config": []}, ("config",), "wrong_type"),
        ({"config": {"url": 7}}, ("config", "url"), "wrong_type"),
        ({"input_fields": {}}, ("input_fields",), "wrong_type"),
        ({"input_fields": ["x"]}, ("input_fields", 0), "wrong_type"),
        ({"input_fields": [{"type": "int"}]}, ("input_fields", 0, "name"), "bad_name"),
        ({"input_fields": [{"name": "a", "type": "number"}]}, ("input_fields", 0, "type"), "bad_value"),
        ({"input_fields": [{"name": "a", "type": []}]}, ("input_fields", 0, "type"), "bad_value"),
        (
            {"input_fields": [{"name": "a", "type": "int", "required": 1}]},
            ("input_fields", 0, "required"),
            "wrong_type",
        ),
        (
            {"input_fields": [{"name": "a", "type": "int", "default": "x"}]},
            ("input_fields", 0, "default"),
            "wrong_type",
        ),
        (
            {"input_fields": [{"name": "a", "type": "*", "default": "\x00"}]},
            ("input_fields", 0, "default"),
            "bad_value",
        ),
        ({"input_fields": [{"name": "a", "type": "int", "min": 1}]}, ("input_fields", 0, "min"), "unknown_key"),
        (
            {"input_fields": [{"name": "a", "type": "int"}, {"name": "a", "type": "int"}]},
            ("input_fields", 1, "name"),
            "duplicate_name",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_it_refuses_an_entry(change: dict[str, Any], loc: tuple[Any, ...], code: str) -> None:
    assert [(problem.loc, problem.code) for problem in entry_problems({**GOOD, **change}, types())] == [(loc, code)]
