import time

from hypothesis import given
from hypothesis import strategies as st

from flows.domain.graph import Ancestors, dependents_of, find_cycle, layers_of, topological_order

DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


@st.composite
def dags(draw: st.DrawFn) -> dict[str, list[str]]:
    """Any acyclic graph, its nodes in any order."""
    count = draw(st.integers(1, 25))
    names = [f"n{number}" for number in range(count)]
    edges = {
        name: draw(st.lists(st.sampled_from(names[:index]), max_size=4)) if index else []
        for index, name in enumerate(names)
    }
    return {name: edges[name] for name in draw(st.permutations(names))}


def reachable(edges: dict[str, list[str]], start: str) -> set[str]:
    seen: set[str] = set()
    stack = list(edges[start])
    while stack:
        node = stack.pop()
        if node not in seen:
            seen.add(node)
            stack.extend(edges[node])
    return seen


def test_it_puts_every_task_after_what_it_depends_on() -> None:
    assert topological_order({"d": ["b", "c"], "c": ["a"], "b": ["a"], "a": []}) == ["a", "c", "b", "d"]


def test_it_keeps_the_documents_order_among_equals() -> None:
    assert topological_order({"x": [], "m": [], "a": []}) == ["x", "m", "a"]


def test_it_counts_a_dependency_named_twice_once() -> None:
    assert topological_order({"a": [], "b": ["a", "a"]}) == ["a", "b"]
    assert dependents_of({"a": [], "b": ["a", "a"]}) == {"a": ("b",), "b": ()}


def test_it_lists_dependents_in_the_documents_order() -> None:
    assert dependents_of(DIAMOND) == {"a": ("b", "c"), "b": ("d",), "c": ("d",), "d": ()}


def test_it_finds_no_cycle_where_there_is_none() -> None:
    assert find_cycle(DIAMOND) is None


def test_it_names_a_cycle_in_the_order_of_waiting() -> None:
    edges = {"start": [], "a": ["c", "start"], "b": ["a"], "c": ["b"], "after": ["c"]}
    assert find_cycle(edges) == ["a", "b", "c"]


def test_it_names_a_task_that_waits_for_itself() -> None:
    assert find_cycle({"a": ["a"]}) == ["a"]


def test_it_knows_ancestors_near_and_far() -> None:
    ancestors = Ancestors(DIAMOND)
    assert ancestors.of("d") == ["a", "b", "c"]
    assert ancestors.of("a") == []
    assert ancestors.includes("d", "a")
    assert not ancestors.includes("b", "c")
    assert not ancestors.includes("a", "a")


def test_it_layers_by_the_longest_way() -> None:
    assert layers_of({"a": [], "b": ["a"], "c": ["a", "b"]}) == {"a": 0, "b": 1, "c": 2}


def test_it_takes_a_chain_of_ten_thousand_within_a_second() -> None:
    chain = {f"t{number}": [f"t{number - 1}"] if number else [] for number in range(10_000)}
    started = time.process_time()
    order = topological_order(chain)
    assert Ancestors(chain, order).includes("t9999", "t0")
    assert layers_of(chain, order)["t9999"] == 9_999
    chain["t0"] = ["t9999"]
    assert len(find_cycle(chain) or ()) == 10_000
    assert time.process_time() - started < 1


@given(dags())
def test_every_order_is_valid(edges: dict[str, list[str]]) -> None:
    order = topological_order(edges)
    place = {name: index for index, name in enumerate(order)}
    assert sorted(order) == sorted(edges)
    assert all(place[other] < place[name] for name, needed in edges.items() for other in needed)
    assert find_cycle(edges) is None


@given(dags())
def test_ancestors_are_exactly_what_is_reachable(edges: dict[str, list[str]]) -> None:
    ancestors = Ancestors(edges)
    for name in edges:
        assert set(ancestors.of(name)) == reachable(edges, name)


@given(dags(), st.data())
def test_every_cycle_is_found_and_is_one(edges: dict[str, list[str]], data: st.DataObject) -> None:
    first = data.draw(st.sampled_from(sorted(edges)))
    second = data.draw(st.sampled_from(sorted({first, *reachable(edges, first)})))
    edges[second] = [*edges[second], first]
    cycle = find_cycle(edges)
    assert cycle is not None
    assert len(set(cycle)) == len(cycle)
    assert all(cycle[index - 1] in edges[name] for index, name in enumerate(cycle))


@given(dags())
def test_layers_grow_along_every_edge(edges: dict[str, list[str]]) -> None:
    layers = layers_of(edges)
    for name, needed in edges.items():
        assert layers[name] == max((layers[other] + 1 for other in needed), default=0)
