"""Expressions written to hurt: each ends quickly, with an error of ours or a harmless value."""

from __future__ import annotations

import resource
import time
from typing import Any

import pytest

from flows.domain import limits
from flows.domain.compiled import ExpressionError
from flows.domain.expressions import expression
from flows.domain.tokens import read

DATA: dict[str, Any] = {
    "list": list(range(300)),
    "long": list(range(20_000)),
    "text": "x" * 1_000_000,
    "texts": ["y" * 1000] * 1000,
    "items": [{"sku": f"s{number}", "qty": number} for number in range(1000)],
    "word": "xxxxxxxxxxxxxxxx",
}


def chained(step: str, times: int, start: str = "[params.word]") -> str:
    return start + step * times


MUST_FAIL = [
    "params.list.map(a, params.list.map(b, params.list.map(c, a * b * c)))",
    "params.list.all(a, params.list.all(b, params.list.all(c, true)))",
    "params.list.exists(a, params.list.exists(b, params.list.exists(c, false)))",
    chained(".map(a, a + a)", 24) + "[0].size()",
    chained(".map(a, a + a)", 24, "[[1, 2, 3]]"),
    chained(".optMap(a, a + a)", 25, "optional.of(params.word)") + ".value()",
    "params.text.replace('x', params.text)",
    "params.text.replace('', params.text)",
    "params.texts.join(params.text)",
    "params.text.split('').join(params.text)",
    "params.long.map(i, params.text)",
    "params.list.map(i, params.text)",
    "params.list.map(i, params.text + params.text)",
    "params.list.map(i, params.text.replace('x', 'xx'))",
    "params.long.all(i, params.text.matches('(y+)+$'))",
    "params.long.all(i, params.long == params.long)",
    "'%s%s'.format([params.text, params.text]).replace('x', params.word)",
    "'%.100000000f'.format([1.0])",
    "decimal('9' + params.text)",
    "decimal('1e100000000')",
    "decimal('1e-100000000')",
    "'a'.matches('((a{100}){100}){100}')",
    "(" * 100 + "1" + ")" * 100,
    "[" * 200 + "]" * 200,
    "1" + "+1" * 1000,
    "params" + ".a" * 1000 + " + 1",
    "params.__class__ + 1",
    "params.text.__class__.__mro__ + 1",
    "''.__class__",
    "__import__('os').system('true')",
    "().__class__.__bases__[0].__subclasses__()",
    "params['__class__'] + 1",
    "params.list.__len__()",
    "eval('1')",
    "google.protobuf.Any{type_url: 'x'}",
    "a" * 100_000,
    "'" + "a" * 100_000,
    "\x00",
    "\ud800",
    "params.nothing" + " || params.nothing" * 20,
]


@pytest.mark.parametrize("source", MUST_FAIL, ids=lambda source: source[:50].encode("ascii", "replace").decode())
def test_it_ends_quickly_with_an_error(source: str) -> None:
    started = time.process_time()
    with pytest.raises(ExpressionError):
        expression(source).evaluate({"params": DATA})
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    "source",
    [
        "params.items.map(i, i.sku + ':' + string(i.qty)).join(',')",
        "params.items.filter(i, i.qty > 10).map(i, i.qty * 2 + 1)",
        "params.items.all(i, i.sku.startsWith('s'))",
        "params.list.map(a, a + 1).map(b, b + 1).filter(c, c > 3)",
        "params.texts.exists(t, t.contains('z'))",
        "params.text.size() + 1",
        "params.text + params.text",
        "params.text.replace('x', 'yy')",
        "params.text.matches('^x+$')",
        "params.word.split('').map(c, c + c).join()",
    ],
)
def test_honest_work_of_that_size_is_done(source: str) -> None:
    started = time.process_time()
    expression(source).evaluate({"params": DATA})
    assert time.process_time() - started < 5


def test_hostile_sources_leave_no_memory_behind() -> None:
    for source in MUST_FAIL:
        with pytest.raises(ExpressionError):
            expression(source).evaluate({"params": DATA})
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 2_000_000


def test_it_refuses_more_data_than_an_expression_should_read() -> None:
    for value in (["a"] * 300_000, "x" * 9_000_000, {"a": ["x" * 5_000_000, "y" * 5_000_000]}):
        with pytest.raises(ExpressionError, match="too much data") as failed:
            expression("size(params.x)").evaluate({"params": {"x": value}})
        assert failed.value.code == "EXPRESSION_BUDGET"


def test_a_plain_path_takes_data_of_any_size() -> None:
    value = ["a"] * 300_000
    assert expression("params.x").evaluate({"params": {"x": value}}) is value


def test_it_refuses_an_answer_that_is_too_large() -> None:
    with pytest.raises(ExpressionError, match="too large"):
        expression("params.list.map(i, params.t)").evaluate({"params": {"list": DATA["list"], "t": "x" * 100_000}})


def test_the_allowance_is_granted_anew_for_each_evaluation() -> None:
    text = "x" * 4_000_000
    for _ in range(10):
        assert expression("params.t.reverse().size()").evaluate({"params": {"t": text}}) == len(text)


def test_additions_in_loops_leave_less_to_functions() -> None:
    source = "params.l.map(i, params.t.replace('x', 'yy') + 'z').size()"
    scope = {"params": {"l": list(range(1000)), "t": "x" * 60_000}}
    with pytest.raises(ExpressionError, match="too much text"):
        expression(source).evaluate(scope)


def test_it_admits_by_weight() -> None:
    reading = read("params.a.all(x, true)")
    limits.admit(reading, "", {"params": {"a": [1, 2]}})
    with pytest.raises(ExpressionError, match="go over too much data"):
        limits.admit(reading, "", {"params": {"a": [[0] * 100] * 1_900}})
