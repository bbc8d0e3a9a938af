"""Where exactly the parts of a picture stand: what a reader of the drawing would see shifted, crossed or gone."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from flows.domain import layout as layout_module
from flows.domain.drawing import Direction, Graph, draw_svg, graph_of, to_json, to_mermaid
from flows.domain.layout import Point, lay_out
from tests.unit.flows.builders import compiled, flow, task

SVG = "{http://www.w3.org/2000/svg}"


def graph(*tasks: dict[str, object]) -> Graph:
    return graph_of(compiled(flow(*tasks)))


def fork() -> Graph:
    return graph(task("a"), task("b", "a"), task("c", "a"))


def drawn(shown: Graph) -> list[ET.Element]:
    return ET.fromstring(draw_svg(shown)).findall(f"{SVG}g[@class='nodes']/{SVG}g")


def paths(picture: str) -> dict[str, str]:
    edges = [path.attrib for path in ET.fromstring(picture).iter(f"{SVG}path") if path.attrib["class"] == "edge"]
    return {f"{edge['data-from']}{edge['data-to']}": edge["d"] for edge in edges}


@pytest.mark.parametrize(
    ("direction", "size", "corners", "curve"),
    [
        ("right", "440 156", {"a": (16, 52), "b": (248, 16), "c": (248, 88)}, "M192 78C220 78 220 114 248 114"),
        ("down", "404 192", {"a": (114, 16), "b": (16, 124), "c": (212, 124)}, "M202 68C202 96 300 96 300 124"),
    ],
)
def test_a_fork_stands_where_it_should(
    direction: Direction, size: str, corners: dict[str, tuple[int, int]], curve: str
) -> None:
    picture = draw_svg(fork(), direction=direction)
    root = ET.fromstring(picture)
    nodes = [node for node in root.iter(f"{SVG}g") if "data-task-id" in node.attrib]
    boxes = {node.attrib["data-task-id"]: node.find(f"{SVG}rect") for node in nodes}
    assert root.attrib["viewBox"] == f"0 0 {size}"
    assert f"{root.attrib['width']} {root.attrib['height']}" == size
    assert {
        id_: (int(box.attrib["x"]), int(box.attrib["y"])) for id_, box in boxes.items() if box is not None
    } == corners
    assert paths(picture)["ac"] == curve


def test_a_long_edge_runs_straight_along_the_layer_it_passes() -> None:
    path = paths(draw_svg(graph(task("a"), task("b", "a"), task("c", "a", "b"))))["ac"]
    start, straight, end = path.partition("L")
    assert straight
    assert end.count("C") == start.count("C") == 1
    entry, leaving = start.split()[-2:], end.partition("C")[0].split()
    assert int(leaving[0]) - int(entry[0]) == 176
    assert leaving[1] == entry[1]


def test_edges_lie_under_the_nodes_in_a_group_of_their_own() -> None:
    edges, nodes = ET.fromstring(draw_svg(fork())).findall(f"{SVG}g")
    assert (edges.attrib["class"], nodes.attrib["class"]) == ("edges", "nodes")
    assert [len(edges), len(nodes)] == [2, 3]


def test_the_words_of_a_node_stand_in_its_box() -> None:
    [first, *_] = drawn(fork())
    words = {one.attrib["class"]: (one.attrib["x"], one.attrib["y"]) for one in first.iter(f"{SVG}text")}
    assert words == {"node-label": ("28", "74"), "node-type": ("28", "92")}


def test_a_node_with_a_name_of_its_own_shows_its_id_below() -> None:
    [named, plain] = drawn(graph(task("a", description="Pay"), task("b", "a", description="b")))
    assert [one.text for one in named.iter(f"{SVG}text")] == ["Pay", "a"]
    assert [one.text for one in plain.iter(f"{SVG}text")] == ["b", "noop"]


def test_labels_are_cut_to_the_width_of_the_box() -> None:
    [node] = drawn(graph(task("i" * 40, description="d" * 40)))
    assert [one.text for one in node.iter(f"{SVG}text")] == ["d" * 21 + "…", "i" * 25 + "…"]


def test_data_gives_layers_ranks_and_statuses() -> None:
    data = to_json(fork(), statuses={"b": "failed"})
    found = [(node["id"], node["layer"], node["rank"], node["status"]) for node in data["nodes"]]
    assert found == [("a", 0, 0.5, ""), ("b", 1, 0.0, "failed"), ("c", 1, 1.0, "")]
    assert "status" not in to_json(fork())["nodes"][0]
    assert data["edges"] == [{"from": "a", "to": "b"}, {"from": "a", "to": "c"}]


def test_mermaid_is_written_line_by_line() -> None:
    assert to_mermaid(fork(), statuses={"b": "Failed!"}).splitlines() == [
        "flowchart LR",
        '  n0["noop"]',
        '  n1["noop"]',
        '  n2["noop"]',
        "  n0 --> n1",
        "  n0 --> n2",
        "  class n1 failed-",
    ]


def test_a_join_stands_in_the_middle_of_its_branches() -> None:
    layout = lay_out({"a": [], "b": ["a"], "c": ["a"], "d": ["a"], "e": ["b", "c", "d"]})
    assert dict(layout.places) == {
        "a": Point(0, 1.0),
        "b": Point(1, 0.0),
        "c": Point(1, 1.0),
        "d": Point(1, 2.0),
        "e": Point(2, 1.0),
    }
    assert (layout.layer_count, layout.rank_count) == (3, 3.0)


def test_a_long_edge_bends_beside_the_nodes_it_passes() -> None:
    layout = lay_out({"a": [], "b": ["a"], "c": ["a", "b"]})
    [bend] = layout.bends["a", "c"]
    assert bend.layer == 1
    assert abs(bend.rank - layout.places["b"].rank) == 1.0
    assert ("a", "b") not in layout.bends


def test_long_edges_bend_up_to_the_last_point_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    edges = {"a": [], "b": ["a"], "c": ["b"], "d": ["c", "a"]}
    monkeypatch.setattr(layout_module, "MAX_BENDS", 2)
    assert [len(points) for points in lay_out(edges).bends.values()] == [2]
    monkeypatch.setattr(layout_module, "MAX_BENDS", 1)
    assert lay_out(edges).bends == {}


def test_branches_that_cross_on_the_way_up_are_sorted_too() -> None:
    layout = lay_out({"a": [], "b": [], "c": [], "x": ["c"], "y": ["b"], "z": ["a"]})
    ranks = {name: point.rank for name, point in layout.places.items()}
    assert [ranks["a"], ranks["b"], ranks["c"]] == [ranks["z"], ranks["y"], ranks["x"]]
