import time

import pytest

from flows.domain.tokens import read, string_value, tokens


def paths(source: str) -> list[str]:
    return [".".join(reference.path) for reference in read(source).references]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("params.a.b > 1", ["params.a.b"]),
        ("params . a", ["params.a"]),
        (".params.a", ["params.a"]),
        ("1 + .params.a", ["params.a"]),
        ("(params).a", ["params"]),
        ("tasks['notify-user'].output", ["tasks.notify-user.output"]),
        ('tasks["a"]["b"]', ["tasks.a.b"]),
        ("tasks[r'a'].x", ["tasks.a.x"]),
        ("tasks['''a'''].x", ["tasks.a.x"]),
        ("tasks['a\\x62'].x", ["tasks"]),
        ("tasks[params.x].y", ["tasks", "params.x"]),
        ("tasks['a' + 'b']", ["tasks"]),
        ("params.?a.?b.orValue(1)", ["params.a.b"]),
        ("params[?'a'].x", ["params.a.x"]),
        ("params.`a-b`.c", ["params.a-b.c"]),
        ("params.items.size()", ["params.items"]),
        ("params.items[0].sku", ["params.items"]),
        ("has(params.a)", ["params.a"]),
        ("'params.x' + \"tasks.y\"", []),
        ("1 // params.x\n + params.y", ["params.y"]),
        ("true ? params.a : tasks.b.c", ["params.a", "tasks.b.c"]),
        ("{'a': params.b}", ["params.b"]),
        ("params.l.map(x, x.y + params.z)", ["params.l", "params.z"]),
        ("params.l.map(k, v, v.y)", ["params.l"]),
        ("null == params.a && 1 in params.b", ["params.a", "params.b"]),
        ("params.", ["params"]),
        ("params.?", ["params"]),
        ("params['a'", ["params"]),
        ("a.?b", ["a.b"]),
        ("x?.y:z", ["x", "y", "z"]),
    ],
)
def test_it_sees_what_a_source_reads(source: str, expected: list[str]) -> None:
    assert paths(source) == expected


def test_it_counts_what_can_grow() -> None:
    reading = read("params.l.map(a, a + '+').filter(b, b != '') + [1, 2]")
    assert (reading.additions, reading.macros, reading.commas) == (2, 2, 3)
    assert reading.bound == {"a", "b"}


def test_it_takes_a_name_that_only_looks_like_a_macro_for_a_field() -> None:
    assert read("params.map + params.filter.all").macros == 0
    assert read("map(x, y)").macros == 0


@pytest.mark.parametrize(
    ("token", "value"),
    [("'a'", "a"), ('"a"', "a"), ("'''a'''", "a"), ("r'a'", "a"), ("b'a'", None), ("'\\n'", None)],
)
def test_it_reads_plain_strings_only(token: str, value: str | None) -> None:
    assert string_value(token) == value


def test_it_starts_where_it_is_told() -> None:
    assert [token.text for token in tokens("ab + cd", 2)] == ["+", "cd"]


@pytest.mark.parametrize("part", ['"""', "'", '"', "r'''", "//", "`", "'\\", "a.", "{", "[?"])
def test_it_reads_any_text_in_linear_time(part: str) -> None:
    started = time.process_time()
    list(tokens(part * 100_000))
    assert time.process_time() - started < 2
