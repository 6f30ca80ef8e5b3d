"""The TopologyView: every node, distance and key against the topology."""

from __future__ import annotations

import re
from typing import Any

import networkx as nx
import pytest

from numakit import Machine, Topology, TopologyError
from numakit.widgets import TopologyView, machine_map
from numakit.widgets.machine_map import map_of, neighbours

MACHINES = [*Topology.presets(), *Topology.dumps()]


def _topology(name: str) -> Topology:
    return Topology.preset(name) if name in Topology.presets() else Topology.load(name)


def _press(view: TopologyView, *keys: str) -> None:
    """What the front does with keys: it sets what was said with the panels."""
    for key in keys:
        view.set_state(view.wishes["map"][key])


def _panels(view: TopologyView) -> dict[str, Any]:
    return {name: value for name, value in view.get_state().items() if name.startswith(("html_", "wishes"))}


def _nodes(html: str) -> dict[int, str]:
    """The picture of each node, by its id."""
    return {int(node): inside for node, inside in re.findall(r'<g class="[^"]*" data-key="(\d+)"(.*?)</g>', html)}


@pytest.mark.parametrize("name", MACHINES)
def test_every_node_tells_its_distance_from_the_one_that_is_shown(name: str) -> None:
    topology = _topology(name)
    view = TopologyView(topology)
    for node in topology.nodes:
        view.select(node)
        drawn = _nodes(view.html_map)
        assert tuple(drawn) == topology.nodes
        for other, inside in drawn.items():
            assert re.findall(r'class="nk-far"[^>]*>(\d+)<', inside) == [str(topology.distance(node, other))]
        least = min((topology.distance(node, j) for j in topology.nodes if j != node), default=0)
        near = [j for j in topology.nodes if j != node and topology.distance(node, j) == least]
        assert view.html_map.count("nk-near") == len(near) == len(machine_map.nearest(topology, node))


@pytest.mark.parametrize("name", MACHINES)
def test_every_node_can_be_reached_by_keys(name: str) -> None:
    drawn = map_of(_topology(name), None)
    ways = nx.DiGraph([(i, j) for i in drawn.topology.nodes for j in neighbours(drawn, i).values()])
    assert nx.is_strongly_connected(ways)


def test_arrows_lead_where_they_point() -> None:
    """ring4 stands in a square: 0 and 1 above, 3 and 2 below."""
    view = TopologyView(Topology.preset("ring4"))
    _press(view, "ArrowRight")
    assert view.selected == 0
    for key, node in (("ArrowRight", 1), ("ArrowDown", 2), ("ArrowLeft", 3), ("ArrowUp", 0), ("ArrowUp", 0)):
        _press(view, key)
        assert view.selected == node
    for key, node in (("End", 3), ("PageDown", 0), ("PageUp", 3), ("Home", 0)):
        _press(view, key)
        assert view.selected == node
    _press(view, "Escape")
    assert (view.selected, view.shown) == (-1, None)
    _press(view, "Enter")
    assert view.selected == 0


def test_one_node_at_a_time_is_in_the_tab_order_and_pressed() -> None:
    view = TopologyView(Topology.preset("glueless8"))
    assert view.html_map.count('tabindex="0"') == 1
    assert 'aria-pressed="true"' not in view.html_map
    view.select(5)
    assert view.html_map.count('tabindex="0"') == view.html_map.count('aria-pressed="true"') == 1
    assert 'tabindex="0" aria-pressed="true"' in _nodes(view.html_map)[5]


def test_what_is_pointed_at_goes_before_what_is_kept() -> None:
    view = TopologyView(Topology.preset("ring4"))
    view.set_state({"selected": 2})
    kept = _panels(view)
    view.set_state({"hovered": 1})
    assert (view.shown, view.selected) == (1, 2)
    assert "Node 1:" in view.html_about
    view.set_state({"hovered": -1})
    assert _panels(view) == kept


def test_a_node_that_is_not_online_is_refused_and_from_the_front_none() -> None:
    tiers = Topology.load("fakeheteromemtiers.tar.bz2")
    view = TopologyView(tiers)
    view.select(4)
    for node in (3, 99, -1, True):
        if node is not True:
            with pytest.raises(TopologyError, match=f"node={node}"):
                view.select(node)
    assert view.selected == 4
    view.set_state({"selected": 3})
    assert view.selected == -1
    with pytest.raises(TypeError, match="a Topology or a Machine"):
        TopologyView("ring4")  # type: ignore[arg-type]


def test_words_say_what_is_shown() -> None:
    view = TopologyView(Topology.preset("cxl"))
    view.select(0)
    assert view.text().splitlines()[:6] == [
        "cxl: 4 nodes, 32 CPUs, 320 GiB",
        "Node 0: 16 CPUs (0-15), 64 GiB of memory.",
        "14 to node 2 (nearest).",
        "21 to node 1.",
        "24 to node 3.",
        "An allocation here tries the nodes 0, 2, 1, 3, in this order.",
    ]
    view.select(3)
    assert "Node 3: no CPUs, 128 GiB of cxl memory." in view.text()


def test_a_way_back_that_is_longer_is_told() -> None:
    graph = Topology.preset("ring4").graph
    graph.edges[0, 1]["distance"] = 22
    view = TopologyView(Topology.from_networkx(graph))
    view.select(1)
    assert "Back from node 0: 22." in view.html_about
    assert 'class="nk-far" x="24" y="-27.5" font-size="14">16<' in _nodes(view.html_map)[0]


def test_shapes_tell_what_a_node_lacks() -> None:
    cxl = _nodes(TopologyView(Topology.preset("cxl")).html_map)
    assert ["circle" if '<circle class="nk-shape"' in cxl[i] else "square" for i in cxl] == [
        "circle", "circle", "square", "square",
    ]  # fmt: skip
    bare = TopologyView(Topology.load("05-memoryless-with-cpus.txt"))
    assert bare.html_map.count("nk-bare") == sum(not bare.topology.memory(i) for i in bare.topology.nodes) > 0


def test_offline_nodes_holes_and_oddities_are_told() -> None:
    assert "Possible but offline: 3,5,7." in TopologyView(Topology.load("fakeheteromemtiers.tar.bz2")).html_notes
    large = Topology.load("03-holes-large-ids.txt")
    (told,) = re.findall(r"No node has the id ([\d,-]+)\.", TopologyView(large).text())
    assert str(max(large.nodes)) not in told.split(",")
    assert TopologyView(large).topology.nodes == large.nodes
    buggy = Topology.load("8em64t-2s2ca2c-buggynuma.tar.bz2")
    assert all(warning in TopologyView(buggy).text() for warning in buggy.warnings)


def test_a_machine_shows_how_full_its_nodes_are() -> None:
    machine = Machine(Topology.preset("ring4"), scale=1 << 14)
    view = TopologyView(machine)
    shell = machine.spawn("shell", node=1)
    shell.write(shell.mmap(pages=64))
    view.select(1)
    assert "0 of 128 frames in use (0 %)" in view.text()
    view.update()
    assert "64 of 128 frames in use (50 %)" in view.text()
    assert "64 of 128 frames in use (50 %)" in view.html_about
    assert '<rect class="nk-used" x="-19" y="8" width="19.0" height="9"/>' in _nodes(view.html_map)[1]
    for node in machine.node_ids:
        used = len(machine.frames_of(node)) - machine.nr_free(node)
        assert f"<td>{used} of 128</td>" in view.html_all


def test_equal_views_are_equal_bytes_however_one_comes_there() -> None:
    one, other = (TopologyView(Topology.preset("altix")) for _ in range(2))
    _press(one, "End", "ArrowUp", "PageDown", "Home", "PageDown", "PageDown")
    one.hovered = 7
    one.hovered = -1
    other.select(2)
    assert _panels(one) == _panels(other)
    assert one.static_html() == other.static_html()


def test_the_output_carries_view_picture_and_text_and_promises_nothing() -> None:
    view = TopologyView(Topology.preset("two-sockets"))
    view.select(0)
    data, _ = view._repr_mimebundle_()
    assert (data["text/plain"], data["text/html"]) == (view.text(), view.static_html())
    assert "application/vnd.jupyter.widget-view+json" in data
    assert not re.search(r"<button|<script|https?:|url\(|@import|tabindex=|data-set=|data-hover=", view.static_html())
    assert repr(view) == "<TopologyView: two-sockets: 2 nodes, 16 CPUs, 32 GiB>"


def test_names_of_machines_are_escaped() -> None:
    graph = Topology.preset("ring4").graph
    graph.graph["name"] = "<img src=x>"
    view = TopologyView(Topology.from_networkx(graph))
    assert "<img" not in view.static_html() + "".join(map(str, _panels(view).values()))
