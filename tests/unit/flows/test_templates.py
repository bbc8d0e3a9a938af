from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.domain.compiled import ExpressionError
from flows.domain.templates import Embedded, Secret, TemplateFault, parse, strings_in, template

SCOPE: dict[str, Any] = {
    "params": {
        "i": 3,
        "f": 1.5,
        "s": "text",
        "t": True,
        "n": None,
        "list": [1, {"a": 2}],
        "object": {"z": 1, "a": 2},
        "leak": "${secret:DB}",
        "half": "{secret:DB}",
        "deep": {"a": ["${secret:DB}"]},
    }
}


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("plain", "plain"),
        ("", ""),
        (7, 7),
        (None, None),
        ("${params.i}", 3),
        ("${ params.f }", 1.5),
        ("${params.t}", True),
        ("${params.n}", None),
        ("${params.list}", [1, {"a": 2}]),
        ("${params.object}", {"z": 1, "a": 2}),
        ("${params.i + 1}", 4),
        ("no ${params.i}", "no 3"),
        ("${params.i}${params.f}", "31.5"),
        ("${params.t} ${params.s}", "true text"),
        ("${!params.t}!", "false!"),
        ("$${params.i}", "${params.i}"),
        ("$$${params.i}", "$${params.i}"),
        ("a$${b}c${params.i}", "a${b}c3"),
        ("${params.i}$${x}", "3${x}"),
        ("$ {x} $", "$ {x} $"),
        ("cost: $5", "cost: $5"),
        ("${'}'}", "}"),
        ('${"{" + params.s}', "{text"),
        ("${{'a': {'b': params.i}}}", {"a": {"b": 3}}),
        ("${{'a': 1}.a}", 1),
        ("${params.s // a comment }\n}", "text"),
        ({"a": ["${params.i}", {"b": "x${params.i}"}], "c": 1}, {"a": [3, {"b": "x3"}], "c": 1}),
        (["a", 1], ["a", 1]),
        ({}, {}),
    ],
)
def test_it_renders(source: Any, value: Any) -> None:
    rendered = template(source).render(SCOPE)
    assert rendered == value
    assert type(rendered) is type(value)


def test_it_keeps_the_order_of_keys() -> None:
    rendered = template({"z": "${params.object}", "a": 1}).render(SCOPE)
    assert list(rendered) == ["z", "a"]
    assert list(rendered["z"]) == ["z", "a"]


def test_it_knows_what_is_constant() -> None:
    assert template({"a": ["$${x}", "b"]}).is_constant
    assert not template({"a": ["${params.i}"]}).is_constant
    assert template("${secret:DB}", keeps_secrets=True).is_constant


@pytest.mark.parametrize("source", ["x${params.n}", "x${params.list}", "x${params.object}"])
def test_it_refuses_to_write_objects_and_null_into_a_text(source: str) -> None:
    with pytest.raises(ExpressionError, match="cannot be put into a text") as failed:
        template(source).render(SCOPE)
    assert failed.value.code == "EXPRESSION_TYPE"


def test_a_missing_path_is_an_error_never_an_empty_text() -> None:
    for source in ("${params.x}", "x${params.x}", {"a": ["${params.x}"]}):
        with pytest.raises(ExpressionError) as failed:
            template(source).render(SCOPE)
        assert failed.value.code == "EXPRESSION_MISSING"


@pytest.mark.parametrize(
    ("source", "offset"),
    [("${params.i", 0), ("ab ${{}", 3), ("${'}", 0), ("ok ${params.i} ${", 15), ("${secret:1x}", 0), ("${secret:", 0)],
)
def test_it_finds_an_expression_without_end(source: str, offset: int) -> None:
    with pytest.raises(TemplateFault) as failed:
        parse(source)
    assert failed.value.offset == offset
    with pytest.raises(ExpressionError):
        template(source).render(SCOPE)


def test_it_tells_the_parts_of_a_string() -> None:
    assert parse("a ${params.i} ${secret:DB}$${x}") == [
        "a ",
        Embedded("params.i", 4),
        " ",
        Secret("${secret:DB}", 14),
        "${x}",
    ]


def test_a_secret_stays_a_reference() -> None:
    config = {"auth": "Bearer ${secret:TOKEN}", "who": "${params.s}:${secret:TOKEN}"}
    assert template(config, keeps_secrets=True).render(SCOPE) == {
        "auth": "Bearer ${secret:TOKEN}",
        "who": "text:${secret:TOKEN}",
    }


@pytest.mark.parametrize(
    "source",
    ["${params.leak}", "x ${params.leak}", "${'$'}${params.half}", "${params.deep}", "a$${x}${params.leak}"],
)
def test_a_value_cannot_bring_a_secret_into_the_config(source: str) -> None:
    with pytest.raises(ExpressionError) as failed:
        template({"url": source}, keeps_secrets=True).render(SCOPE)
    assert failed.value.code == "SECRET_IN_VALUE"


def test_outside_a_config_such_a_text_is_only_text() -> None:
    assert template("${params.leak}").render(SCOPE) == "${secret:DB}"


def test_it_finds_strings_wherever_they_are() -> None:
    value = {"a": ["${x}", {"b": "${y}"}], "${k}": 1, "c": "plain"}
    assert list(strings_in(value)) == [
        (("${k}",), "${k}", True),
        (("a", 0), "${x}", False),
        (("a", 1, "b"), "${y}", False),
    ]


def test_it_shows_its_source() -> None:
    assert repr(template("${params.i}")) == "CompiledTemplate('${params.i}')"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_a_whole_value_passes_through_unchanged(value: Any) -> None:
    assert template("${params.x}").render({"params": {"x": value}}) == value


@given(st.text())
def test_an_escaped_text_renders_to_itself(text: str) -> None:
    rendered = template(text.replace("${", "$${")).render({})
    assert rendered == text or "$$" in text


@given(st.text(alphabet="${}\"'a.[]params \\/"))
def test_any_text_is_parsed_or_refused_at_its_opening(text: str) -> None:
    faults: list[TemplateFault] = []
    try:
        parse(text)
    except TemplateFault as fault:
        faults.append(fault)
    assert all(text.startswith("${", fault.offset) for fault in faults)
