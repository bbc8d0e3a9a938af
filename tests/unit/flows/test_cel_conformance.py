"""What the evaluator behind the port must answer: a change of its library has to pass this table."""

from __future__ import annotations

from typing import Any

import pytest

from flows.domain import cel
from flows.domain.compiled import ExpressionError
from flows.domain.expressions import CelExpression

SCOPE: dict[str, Any] = {
    "params": {
        "i": 3,
        "big": 2**63 - 1,
        "f": 1.5,
        "s": "héllo 中文",
        "t": True,
        "n": None,
        "list": [1, 2, 3],
        "texts": ["b", "a"],
        "items": [{"sku": "x", "qty": 2, "price": "1.10"}, {"sku": "y", "qty": 1, "price": "2.20"}],
        "map": {"z": 1, "a": {"deep": [0]}},
        "用户": "li",
        "at": "2026-11-23T23:30:00+08:00",
        "amount": "100.00",
    },
    "tasks": {"notify-user": {"output": {"ok": True}}, "deduct": {"output": {"code": 0}}},
}

VALUES: list[tuple[str, Any]] = [
    # numbers
    ("1 + 2", 3),
    ("params.i * 2 - 1", 5),
    ("7 / 2", 3),
    ("-7 / 2", -3),
    ("-7 % 2", -1),
    ("7.0 / 2.0", 3.5),
    ("params.f + 1.0", 2.5),
    ("params.big", 2**63 - 1),
    ("1u + 2u", 3),
    ("0x1F", 31),
    ("1e3", 1000.0),
    ("double(params.i) * 1.5", 4.5),
    ("int(params.f)", 1),
    ("int('12')", 12),
    # comparison, also between kinds of number where only the values tell
    ("params.i == 3", True),
    ("params.i == params.f", False),
    ("params.i > params.f", True),
    ("params.i >= 3 && params.i < 4", True),
    ("params.s != 'x'", True),
    ("params.n == null", True),
    ("params.s == 1", False),
    ("'a' < 'b'", True),
    ("params.list == [1, 2, 3]", True),
    ("params.i in [1, 2, 3]", True),
    ("'z' in params.map", True),
    # logic: a side that decides makes the other's error harmless
    ("true || params.nothing == 1", True),
    ("params.nothing == 1 || true", True),
    ("false && params.nothing == 1", False),
    ("!params.t", False),
    ("params.i > 2 ? 'many' : 'few'", "many"),
    # paths
    ("params['用户'] + '!'", "li!"),
    ("tasks['notify-user'].output.ok && tasks.deduct.output.code == 0", True),
    ("params.map.a.deep[0] + 1", 1),
    ("params.items[1].sku + ''", "y"),
    ("has(params.i)", True),
    ("has(params.nothing)", False),
    ("has(params.map.a.deep) && !has(params.map.b)", True),
    # optionals
    ("params.?nothing.orValue(7)", 7),
    ("params.?map.?a.?deep.orValue([])", [0]),
    ("params.?nothing.hasValue()", False),
    ("params[?'i'].orValue(0)", 3),
    ("[?params.?nothing, 1]", [1]),
    ("{?'a': params.?i}", {"a": 3}),
    ("optional.of(2).optMap(x, x * 2).value()", 4),
    # strings
    ("size(params.s)", 8),
    ("size('😀')", 1),
    ("params.s.contains('中')", True),
    ("params.s.startsWith('h') && params.s.endsWith('文')", True),
    ("params.s.matches('^h.llo')", True),
    ("'abc'.charAt(1)", "b"),
    ("'abc'.charAt(3)", ""),
    ("'abcabc'.indexOf('c')", 2),
    ("'abcabc'.indexOf('c', 3)", 5),
    ("'abc'.indexOf('x')", -1),
    ("'abcabc'.lastIndexOf('b')", 4),
    ("'abcabc'.lastIndexOf('b', 3)", 1),
    ("'a'.lastIndexOf('')", 1),
    ("params.texts.join()", "ba"),
    ("params.texts.join(', ')", "b, a"),
    ("[].join('-')", ""),
    ("'ÀbC'.lowerAscii()", "Àbc"),
    ("'àbC'.upperAscii()", "àBC"),
    ("'aaa'.replace('a', 'b')", "bbb"),
    ("'aaa'.replace('a', 'b', 2)", "bba"),
    ("'aaa'.replace('', 'x')", "xaxaxax"),
    ("'a,b,c'.split(',')", ["a", "b", "c"]),
    ("'a,b,c'.split(',', 2)", ["a", "b,c"]),
    ("'a,b'.split(',', 0)", []),
    ("'abc'.split('')", ["a", "b", "c"]),
    ("'abc'.split('', 2)", ["a", "bc"]),
    ("'héllo'.substring(1)", "éllo"),
    ("'héllo'.substring(1, 3)", "él"),
    ("'  a '.trim()", "a"),
    ("'abc'.reverse()", "cba"),
    ("strings.quote('a\"\\n')", '"a\\"\\n"'),
    ("'%s-%d-%.2f'.format(['x', 3, 1.5])", "x-3-1.50"),
    ("'%% %b %o %x %X'.format([5, 8, 255, 'hi'])", "% 101 10 ff 6869"),
    ("'%s'.format([[1, 'a', true, null]])", "[1, a, true, null]"),
    ("'%e'.format([1234.5])", "1.234500e+03"),
    ("'%s %s %s'.format([timestamp(0), duration('1s'), b'ab'])", "1970-01-01T00:00:00Z 1s ab"),
    ("'%s %s %b'.format([{'b': 1, 'a': null}, 0.1, true])", "{a: null, b: 1} 0.1 1"),
    ("string(1.5) + string(true) + string(3)", "1.5true3"),
    # lists and maps
    ("params.list.map(x, x * 2)", [2, 4, 6]),
    ("params.list.filter(x, x > 1)", [2, 3]),
    ("params.items.all(i, i.qty > 0)", True),
    ("params.items.exists(i, i.sku == 'y')", True),
    ("params.list.exists_one(x, x == 2)", True),
    ("params.items.map(item, item.qty)", [2, 1]),
    ("params.list + [4]", [1, 2, 3, 4]),
    ("size(params.map)", 2),
    ("{'z': 1, 'a': [1.0, null]}", {"a": [1.0, None], "z": 1}),
    ("params.t ? params.map : {}", {"a": {"deep": [0]}, "z": 1}),
    # decimals travel as strings
    ("decimal(params.amount) + decimal('0.10')", "100.1"),
    ("decimal(params.amount) * 2", "200"),
    ("3 - decimal('0.5')", "2.5"),
    ("decimal('1') / decimal('8')", "0.125"),
    ("-decimal('1.5')", "-1.5"),
    ("decimal(params.amount) > 99", True),
    ("decimal('1.10') == decimal(1.1)", True),
    ("decimal('1') <= decimal('1') && decimal('1') >= 1 && decimal(1) < 2", True),
    ("decimal('1.005', 2)", "1.01"),
    ("decimal(2, 2)", "2.00"),
    ("string(decimal('1.50'))", "1.5"),
    ("double(decimal('1.5')) + 1.0", 2.5),
    # times
    ("timestamp(params.at)", "2026-11-23T15:30:00Z"),
    ("timestamp(params.at) + duration('1h')", "2026-11-23T16:30:00Z"),
    ("timestamp(params.at) < timestamp('2027-01-01T00:00:00Z')", True),
    ("timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z')", "86400s"),
    ("duration('1.5s')", "1.5s"),
    ("duration('-90s')", "-90s"),
    ("timestamp(params.at).getHours('Asia/Shanghai')", 23),
    ("date(params.at)", "2026-11-23"),
    ("date(params.at, 1, 'Asia/Shanghai')", "2026-11-24"),
    ("date(timestamp(params.at), -1)", "2026-11-22"),
    ("date('2026-11-23T23:30:00')", "2026-11-23"),
    # comments and strings of all kinds
    ("params.i // three\n + 1", 4),
    ("r'\\d' + '''x'''", "\\dx"),
    ("'\\u4e2d' + \"}\"", "中}"),
]

FAILURES: list[tuple[str, str]] = [
    ("params.nothing + 1", "EXPRESSION_MISSING"),
    ("params.s + 1", "EXPRESSION_TYPE"),
    ("params.s > 1", "EXPRESSION_TYPE"),
    ("params.i + 1.5", "EXPRESSION_TYPE"),
    ("params.i && true", "EXPRESSION_TYPE"),
    ("params.i ? 1 : 2", "EXPRESSION_TYPE"),
    ("params.i / 0", "EXPRESSION"),
    ("params.big + 1", "EXPRESSION"),
    ("params.s.x + 1", "EXPRESSION"),
    ("params.n.x + 1", "EXPRESSION"),
    ("params.list[7] + 1", "EXPRESSION"),
    ("params.list[-1] + 1", "EXPRESSION"),
    ("int('x')", "EXPRESSION"),
    ("int(1e30)", "EXPRESSION"),
    ("timestamp('yesterday')", "EXPRESSION"),
    ("params.?nothing", "EXPRESSION_TYPE"),
    ("optional.none()", "EXPRESSION_TYPE"),
    ("[params.?nothing]", "EXPRESSION_TYPE"),
    ("params.?nothing.value()", "EXPRESSION"),
    ("18446744073709551615u", "EXPRESSION_TYPE"),
    ("double('nan')", "EXPRESSION_TYPE"),
    ("1.0 / 0.0", "EXPRESSION_TYPE"),
    ("b'abc'", "EXPRESSION_TYPE"),
    ("type(1)", "EXPRESSION_TYPE"),
    ("{1: 2}", "EXPRESSION_TYPE"),
    ("'abc'.charAt(9)", "EXPRESSION"),
    ("'abc'.substring(2, 1)", "EXPRESSION"),
    ("'abc'.indexOf('a', 9)", "EXPRESSION"),
    ("'abc'.lastIndexOf('a', -1)", "EXPRESSION"),
    ("params.items.map(i, i.qty).map(q, dyn(q)).join()", "EXPRESSION"),
    ("'%d'.format([1.5])", "EXPRESSION"),
    ("'%s %s'.format([1])", "EXPRESSION"),
    ("'%q'.format([1])", "EXPRESSION"),
    ("'%.999f'.format([1.0])", "EXPRESSION"),
    ("'%'.format([1])", "EXPRESSION"),
    ("'a'.matches('(')", "EXPRESSION"),
    ("decimal('x')", "EXPRESSION"),
    ("decimal(true)", "EXPRESSION"),
    ("decimal('123456789012345678901234567890123456789012345', 30)", "EXPRESSION"),
    ("decimal('1e999999999')", "EXPRESSION"),
    ("decimal('nan')", "EXPRESSION"),
    ("decimal(1) / decimal(0)", "EXPRESSION"),
    ("decimal('1', 31)", "EXPRESSION"),
    ("decimal('1' + params.s)", "EXPRESSION"),
    ("date('yesterday')", "EXPRESSION"),
    ("date(1)", "EXPRESSION"),
    ("date(params.at, 99999999)", "EXPRESSION"),
    ("date(params.at, 0, '../etc/passwd')", "EXPRESSION"),
    ("date(params.at, 0, 'Mars/Olympus')", "EXPRESSION"),
]

REFUSED: list[tuple[str, int, int]] = [
    ("1 +", 1, 4),
    ("", 1, 1),
    ("a b", 1, 3),
    ("foo.bar", 1, 4),
    ("1 + 1.5", 1, 3),
    ("1 == 1.0", 1, 3),
    ("params.i\n  + )", 2, 5),
    ("'a' + 1", 1, 5),
    ("size(1)", 1, 5),
    ("true ? 1 : 'a'", 1, 6),
    ("'open", 1, 1),
    ("params.用户", 1, 8),
    ("__import__('os')", 1, 11),
    ("''.__class__", 1, 3),
    ("params.s.foo()", 1, 13),
    ("decimal(1) == 1", 1, 12),
]


@pytest.mark.parametrize(("source", "expected"), VALUES)
def test_it_computes(source: str, expected: Any) -> None:
    value = CelExpression(source).evaluate(SCOPE)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(("source", "code"), FAILURES)
def test_it_fails_instead_of_guessing(source: str, code: str) -> None:
    with pytest.raises(ExpressionError) as failed:
        CelExpression(source).evaluate(SCOPE)
    assert failed.value.code == code
    assert source[:100] in str(failed.value)


@pytest.mark.parametrize(("source", "line", "column"), REFUSED)
def test_it_refuses_to_compile_and_says_where(source: str, line: int, column: int) -> None:
    with pytest.raises(cel.CompileFailed) as failed:
        cel.compile_(source)
    assert (line, column) in [(fault.line, fault.column) for fault in failed.value.faults]


def test_it_says_the_type_where_it_is_known() -> None:
    assert cel.compile_("1 + 1").type_name == "INT"
    assert cel.compile_("1 < 2").type_name == "BOOL"
    assert cel.compile_("params.x").type_name == "DYN"


def test_the_table_has_at_least_eighty_cases() -> None:
    assert len(VALUES) + len(FAILURES) + len(REFUSED) >= 80
