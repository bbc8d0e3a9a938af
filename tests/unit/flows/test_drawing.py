from __future__ import annotations

import itertools
import re
import time
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given

from flows.domain.diffing import diff_definitions
from flows.domain.drawing import Graph, draw_svg, graph_of, to_json, to_mermaid, truncated
from flows.domain.layout import MAX_BENDS, lay_out
from tests.unit.flows.builders import compiled, flow, task
from tests.unit.flows.test_graph import dags

SVG = "{http://www.w3.org/2000/svg}"
NASTY = "<script>alert('x')</script>&\"]"


def graph(*tasks: dict[str, object]) -> Graph:
    return graph_of(compiled(flow(*tasks)))


def diamond() -> Graph:
    return graph(task("a", description="扣款"), task("b", "a"), task("c", "a"), task("d", "b", "c", "a"))


def nodes_of(picture: str) -> dict[str, ET.Element]:
    found = ET.fromstring(picture).iter(f"{SVG}g")
    return {node.attrib["data-task-id"]: node for node in found if "data-task-id" in node.attrib}


def test_every_task_is_a_node_with_a_title() -> None:
    nodes = nodes_of(draw_svg(diamond()))
    assert list(nodes) == ["a", "b", "c", "d"]
    titles = {id_: node.findtext(f"{SVG}title") for id_, node in nodes.items()}
    assert titles == {"a": "a · 扣款 · noop", "b": "b · noop · noop", "c": "c · noop · noop", "d": "d · noop · noop"}


def test_a_status_is_a_class_and_a_word() -> None:
    picture = draw_svg(diamond(), statuses={"a": "success", "b": "brand new!"}, words={"success": "成功"})
    nodes = nodes_of(picture)
    assert nodes["a"].attrib["class"] == "node status-success"
    assert nodes["b"].attrib["class"] == "node status-brand-new-"
    assert nodes["c"].attrib["class"] == "node"
    assert "成功" in "".join(nodes["a"].itertext())
    assert "brand new!" in "".join(nodes["b"].itertext())


def test_edges_name_their_ends_and_the_marker_of_their_picture() -> None:
    picture = ET.fromstring(draw_svg(diamond(), uid="run-7"))
    edges = [path.attrib for path in picture.iter(f"{SVG}path") if path.attrib["class"] == "edge"]
    assert {(edge["data-from"], edge["data-to"]) for edge in edges} == {
        ("a", "b"),
        ("a", "c"),
        ("b", "d"),
        ("c", "d"),
        ("a", "d"),
    }
    assert {edge["marker-end"] for edge in edges} == {"url(#run-7-arrow)"}


def test_nodes_link_where_they_are_told() -> None:
    picture = draw_svg(diamond(), link=lambda task_id: f"?task={task_id}&x=1")
    assert 'href="?task=a&amp;x=1"' in picture
    assert "<a " not in draw_svg(diamond())


def test_only_a_picture_that_stands_alone_brings_its_style() -> None:
    assert "<style>" in draw_svg(diamond(), standalone=True)
    assert "style" not in draw_svg(diamond())


def test_text_is_escaped() -> None:
    nasty = Graph(name=NASTY, nodes=graph(task("a", description=NASTY)).nodes)
    picture = draw_svg(nasty, statuses={"a": NASTY}, link=lambda _id: NASTY, uid=NASTY, standalone=True)
    assert "<script" not in picture
    ET.fromstring(picture)
    assert "<" not in to_mermaid(nasty).replace("-->", "")


@pytest.mark.parametrize(
    ("label", "columns", "shown"),
    [
        ("short", 10, "short"),
        ("exactly ten", 11, "exactly ten"),
        ("a longer label", 8, "a longe…"),
        ("扣款任务说明", 12, "扣款任务说明"),
        ("扣款任务说明", 11, "扣款任务说…"),
        ("扣款任务说明", 8, "扣款任…"),
        ("é" * 5, 5, "é" * 5),
        ("e\u0301e\u0301", 2, "e\u0301e\u0301"),
        ("two\nlines\tand more", 30, "two lines and more"),
        ("", 5, ""),
    ],
)
def test_labels_are_cut_by_what_they_take_on_screen(label: str, columns: int, shown: str) -> None:
    assert truncated(label, columns) == shown


def boxes(picture: str) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in re.findall(r'<rect x="(-?\d+)" y="(-?\d+)"', picture)]


@pytest.mark.parametrize("direction", ["right", "down"])
def test_no_two_nodes_stand_on_each_other(direction: str) -> None:
    tasks = [
        task("root"),
        *(task(f"t{number}", "root") for number in range(30)),
        task("end", *(f"t{n}" for n in range(30))),
    ]
    picture = draw_svg(graph(*tasks), direction="right" if direction == "right" else "down")
    places = boxes(picture)
    assert len(places) == 32
    for index, (x, y) in enumerate(places):
        for other_x, other_y in places[index + 1 :]:
            assert abs(x - other_x) >= 176 or abs(y - other_y) >= 52
    width, height = map(int, re.findall(r'viewBox="0 0 (\d+) (\d+)"', picture)[0])
    assert all(0 <= x <= width - 176 and 0 <= y <= height - 52 for x, y in places)


@given(dags())
def test_any_graph_is_laid_out_in_layers(edges: dict[str, list[str]]) -> None:
    layout = lay_out(edges)
    assert set(layout.places) == set(edges)
    by_layer: dict[int, list[float]] = {}
    for name, point in layout.places.items():
        by_layer.setdefault(point.layer, []).append(point.rank)
        assert all(layout.places[other].layer < point.layer for other in edges[name])
        assert 0 <= point.rank <= layout.rank_count
    for ranks in by_layer.values():
        ordered = sorted(ranks)
        assert all(high - low > 0.999 for low, high in itertools.pairwise(ordered))


def test_crossed_lines_are_uncrossed() -> None:
    layout = lay_out({"a": [], "b": [], "x": ["b"], "y": ["a"]})
    assert (layout.places["a"].rank < layout.places["b"].rank) == (layout.places["y"].rank < layout.places["x"].rank)


def test_long_edges_are_led_between_the_layers_until_there_are_too_many() -> None:
    chain = {f"t{number}": [f"t{number - 1}"] if number else [] for number in range(5)}
    assert len(lay_out({**chain, "t4": ["t3", "t0"]}).bends["t0", "t4"]) == 3
    many = {f"t{number}": [f"t{number - 1}", "t0"] if number > 1 else ["t0"] * number for number in range(300)}
    assert sum(range(300)) > MAX_BENDS
    assert lay_out(many).bends == {}


def test_it_draws_an_empty_layout() -> None:
    assert lay_out({}).layer_count == 0


def test_it_gives_plain_data() -> None:
    data = to_json(diamond(), statuses={"a": "success"})
    assert data["nodes"][0] == {
        "id": "a",
        "name": "扣款",
        "task_name": "noop",
        "type": "noop",
        "layer": 0,
        "rank": data["nodes"][0]["rank"],
        "status": "success",
    }
    assert {"from": "a", "to": "b"} in data["edges"]
    assert "status" not in to_json(diamond())["nodes"][0]


def test_it_writes_mermaid() -> None:
    text = to_mermaid(graph(task("end"), task("b", "end", description='a "b"')), statuses={"end": "success"})
    assert text == 'flowchart LR\n  n0["noop"]\n  n1["a #34;b#34;"]\n  n0 --> n1\n  class n0 success\n'


def test_ten_thousand_tasks_are_drawn_within_two_seconds() -> None:
    tasks = [task(f"t{number}", *([f"t{number // 3}"] if number else [])) for number in range(10_000)]
    large = graph(*tasks)
    started = time.process_time()
    assert draw_svg(large).count("data-task-id") == 10_000
    assert time.process_time() - started < 2


def test_a_diff_names_tasks_and_keys() -> None:
    before = flow(task("a"), task("b", when="params.x > 1"), task("gone"), description="old")
    after = flow(task("new"), task("b", when="params.x > 2"), task("a"), on_failure="fail", description="old")
    difference = diff_definitions(before, after, names=("version 1", "version 2"))
    assert (difference.added, difference.removed, difference.changed) == (["new"], ["gone"], ["b"])
    assert difference.flow_keys == ["on_failure"]
    assert '+      "when": "params.x > 2"' in difference.text
    assert difference.text.startswith("--- version 1\n+++ version 2")
    assert not difference.is_empty


def test_order_alone_is_no_difference() -> None:
    before, after = flow(task("a"), task("b")), flow(task("b"), task("a"))
    assert diff_definitions(before, after).is_empty
    assert diff_definitions(before, before).text == ""


def test_a_huge_diff_has_no_text() -> None:
    tasks = [task(f"t{number}") for number in range(6_000)]
    difference = diff_definitions(flow(*tasks), flow(*tasks[:-1]))
    assert (difference.text, difference.removed) == ("", ["t5999"])
