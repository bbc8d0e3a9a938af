from __future__ import annotations

import threading
from pathlib import Path

import pytest

from disttask_project.kernel.errors import NotFound
from disttask_project.paging import PageRequest
from flows import selectors, services
from flows.domain.compiled import CompiledFlow
from flows.domain.drawing import draw_svg
from flows.versioncache import VersionCache
from tests.integration.flows.builders import ADMIN, document

pytestmark = [pytest.mark.django_db, pytest.mark.store]


def test_it_finds_flows_by_id_and_by_name_byte_for_byte() -> None:
    flow = services.create_flow(definition=document("A1"), actor=ADMIN)
    assert selectors.find_flow("A1") == selectors.get_flow(flow.pk) == flow
    for name in ("a1", "A1 ", "B"):
        with pytest.raises(NotFound):
            selectors.find_flow(name)
    with pytest.raises(NotFound):
        selectors.get_flow("nothing")
    assert selectors.name_exists("A1")
    assert not selectors.name_exists("a1")


def test_it_lists_page_by_page() -> None:
    for number in range(5):
        services.create_flow(definition=document(f"f{number}"), flow_type="t" if number else "", actor=ADMIN)
    page = selectors.list_flows(asked=PageRequest(page_size=2, ordering="name"))
    assert [flow.name for flow in page.rows] == ["f0", "f1"]
    assert page.total == 5
    following = selectors.list_flows(asked=PageRequest(page_size=2, ordering="name", cursor=page.next or ""))
    assert [flow.name for flow in following.rows] == ["f2", "f3"]


def test_it_narrows_a_list() -> None:
    first = services.create_flow(definition=document("order-a"), flow_type="t", actor=ADMIN)
    services.create_flow(definition=document("pay-b"), actor=ADMIN)
    services.set_active(flow_id=first.pk, is_active=False, actor=ADMIN)

    def names(**narrow: object) -> list[str]:
        filters = selectors.FlowFilter(**narrow)  # type: ignore[arg-type]
        return sorted(flow.name for flow in selectors.list_flows(filters=filters).rows)

    assert names() == ["order-a", "pay-b"]
    assert names(name="pay-b") == ["pay-b"]
    assert names(flow_type="t") == ["order-a"]
    assert names(is_active=False) == ["order-a"]
    assert names(search="AY") == ["pay-b"]
    services.delete_flow(flow_id=first.pk, actor=ADMIN)
    assert names() == ["pay-b"]


def test_a_list_reads_no_definitions(django_assert_num_queries: object) -> None:
    for number in range(3):
        services.create_flow(definition=document(f"f{number}"), actor=ADMIN)
    with django_assert_num_queries(1):  # type: ignore[operator]
        rows = selectors.list_flows().rows
        assert [flow.current.number for flow in rows if flow.current] == [1, 1, 1]
    assert "definition" in rows[0].current.get_deferred_fields()  # type: ignore[union-attr]


def test_it_compares_and_draws_versions() -> None:
    flow = services.create_flow(definition=document(), actor=ADMIN)
    changed = document(tasks=[*document()["tasks"], {"id": "b", "task_name": "deduct", "depends_on": ["a"]}])
    services.save_version(flow_id=flow.pk, definition=changed, actor=ADMIN)
    difference = selectors.diff_versions(flow.pk, 1, 2)
    assert (difference.added, difference.removed, difference.changed) == (["b"], [], [])
    graph = selectors.version_graph(selectors.get_version(flow.pk, 2))
    assert graph.edges == [("a", "b")]
    assert draw_svg(graph).count("data-task-id") == 2
    with pytest.raises(NotFound):
        selectors.diff_versions(flow.pk, 1, 3)


def test_it_validates_against_the_real_executors() -> None:
    report = selectors.validate_definition(
        {"name": "x", "tasks": [{"id": "a", "task_name": "http", "config": {"url": 7, "methd": "POST"}}]}
    )
    assert {problem.loc for problem in report.problems} == {
        ("tasks", 0, "config", "url"),
        ("tasks", 0, "config", "methd"),
    }


def test_a_version_that_is_not_there_is_told() -> None:
    with pytest.raises(NotFound):
        selectors.compiled_version("nothing")


def test_the_cache_keeps_what_is_used() -> None:
    loaded: list[str] = []

    def load(version_id: str) -> CompiledFlow:
        loaded.append(version_id)
        return CompiledFlow(name=version_id, tasks={}, dependents={})

    cache = VersionCache(load, max_tasks=2)
    for version_id in ("a", "b", "a", "c", "a", "b"):
        assert cache.get(version_id).name == version_id
    assert loaded == ["a", "b", "c", "b"]
    assert len(cache) == 2


def test_the_cache_serves_many_threads() -> None:
    cache = VersionCache(lambda name: CompiledFlow(name=name, tasks={}, dependents={}), max_tasks=5)
    wrong: list[str] = []

    def read() -> None:
        for number in range(2_000):
            name = str(number % 9)
            if cache.get(name).name != name:
                wrong.append(name)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(cache) <= 5


def test_two_threads_that_load_one_version_keep_one() -> None:
    cache = VersionCache(lambda name: CompiledFlow(name=name, tasks={}, dependents={}))
    first = CompiledFlow(name="x", tasks={}, dependents={})
    cache._keep("x", first)
    cache._keep("x", CompiledFlow(name="x", tasks={}, dependents={}))
    assert cache.get("x") is first


SEED = sorted(path for path in Path("tests/fixtures/seed").glob("*.json") if path.name != "params.json")


@pytest.mark.parametrize("path", SEED, ids=lambda path: path.stem)
def test_the_seeds_flows_are_accepted_by_the_real_executors(path: Path) -> None:
    assert selectors.validate_definition(path.read_text(encoding="utf-8")).problems == ()
