"""Whatever is sent, a check answers: valid documents are accepted, broken ones refused with a place."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flows.domain.definition import compile_flow, prepare_definition
from flows.domain.drawing import draw_svg, graph_of
from tests.unit.flows.builders import catalog

CATALOG = catalog()
SOURCES = ["params.x > 1", "params.ok", "size(params.l) == 3", "true", "params.a == 'b' || !params.c"]
words = st.text(max_size=12)
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
plain_values = json_values.filter(lambda value: "$" not in json.dumps(value) and "\\u0000" not in json.dumps(value))


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    """Any valid flow, its tasks in any order."""
    count = draw(st.integers(1, 8))
    tasks: list[dict[str, Any]] = []
    for number in range(count):
        needed = draw(st.lists(st.integers(0, number - 1), max_size=3, unique=True)) if number else []
        made: dict[str, Any] = {"id": f"t{number}", "task_name": draw(st.sampled_from(["noop", "rpc", "db", "mq"]))}
        optional: dict[str, st.SearchStrategy[Any]] = {
            "when": st.sampled_from(SOURCES),
            "success_when": st.just("result.code == 0"),
            "config": st.dictionaries(st.text(alphabet="abc", min_size=1, max_size=4), plain_values, max_size=3),
            "retry": st.fixed_dictionaries(
                {},
                optional={
                    "strategy": st.sampled_from(["auto", "manual", "no_retry"]),
                    "max_attempts": st.integers(0, 9),
                    "jitter": st.sampled_from(["equal", "full", "none"]),
                },
            ),
            "on_failure": st.sampled_from(["hold", "fail"]),
            "optional": st.booleans(),
            "timeout_seconds": st.integers(1, 500) | st.floats(0.1, 500),
            "output": st.just("value") | st.just({"x": "${result.x}"}),
            "description": words.filter(lambda word: "\x00" not in word),
            "idempotency_key": st.just("${params.order}-${task.id}"),
        }
        for key, strategy in optional.items():
            if draw(st.booleans()):
                made[key] = draw(strategy)
        if needed:
            made["depends_on"] = [f"t{other}" for other in needed]
            made["join"] = draw(st.sampled_from(["all", "any", 1, len(needed)]))
            made["input"] = {"x": f"${{tasks.t{needed[0]}.output}}"}
        tasks.append(made)
    return {"name": "f", "tasks": draw(st.permutations(tasks)), "on_failure": draw(st.sampled_from(["hold", "fail"]))}


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)
@given(documents())
def test_every_valid_document_is_accepted_compiled_and_drawn(document: dict[str, Any]) -> None:
    prepared = prepare_definition(document, catalog=CATALOG)
    assert prepared.report.problems == ()
    assert prepared.pinned is not None
    made = compile_flow(json.loads(json.dumps(prepared.pinned)))
    seen: set[str] = set()
    for task in made.tasks.values():
        assert seen.issuperset(task.depends_on)
        seen.add(task.id)
    assert seen == {task["id"] for task in document["tasks"]}
    assert draw_svg(graph_of(made)).count("data-task-id") == len(seen)


def paths(value: Any, loc: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [loc, *(path for key, item in inner for path in paths(item, (*loc, key)))]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=100)
@given(documents(), json_values, st.data())
def test_a_mutation_is_refused_with_a_place_or_accepted(
    document: dict[str, Any], junk: Any, data: st.DataObject
) -> None:
    changed = copy.deepcopy(document)
    path = data.draw(st.sampled_from([path for path in paths(changed) if path]))
    owner: Any = changed
    for step in path[:-1]:
        owner = owner[step]
    match data.draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            owner[path[-1]] = junk
        case "remove":
            del owner[path[-1]]
        case _:
            if isinstance(owner, dict):
                owner[data.draw(words)] = junk
            else:
                owner.append(junk)
    prepared = prepare_definition(changed, catalog=CATALOG)
    for problem in prepared.report.problems:
        place: Any = changed
        for step in problem.loc[:-1]:
            place = place[step]  # every path but its last step exists
        assert problem.code.isidentifier()
        assert problem.message
    if prepared.pinned is not None:
        compile_flow(prepared.pinned)


@given(json_values)
def test_any_json_is_answered(value: Any) -> None:
    assert prepare_definition(value, catalog=CATALOG).report.problems
    assert prepare_definition({"name": "f", "tasks": value}, catalog=CATALOG).report.problems
    assert prepare_definition({"name": "f", "tasks": [value]}, catalog=CATALOG).report.problems


@given(st.text() | st.binary())
def test_any_bytes_are_answered(value: str | bytes) -> None:
    assert prepare_definition(value, catalog=CATALOG).report.problems


@given(st.text(alphabet="params.tk()[]'\"+-?:{}$ 10&|!<>=\\/\n", max_size=60))
def test_any_condition_is_answered(source: str) -> None:
    prepared = prepare_definition(
        {"name": "f", "tasks": [{"id": "a", "task_name": "noop", "when": source, "input": {"x": "${" + source + "}"}}]},
        catalog=CATALOG,
    )
    assert all(problem.loc[:2] == ("tasks", 0) for problem in prepared.report.problems)
