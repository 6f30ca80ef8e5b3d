"""`Topology`: graphs in and out, limits, order of the zonelist, equality, looks."""

from __future__ import annotations

import copy
from typing import Any

import networkx as nx
import pytest

from numakit.topology import Topology, TopologyError

GIB = 1 << 30


def _graph(*nodes: int) -> nx.DiGraph[int]:
    """Nodes of 1 GiB with all remote distances 20."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(nodes, memory=GIB)
    graph.add_edges_from((i, j, {"distance": 20}) for i in nodes for j in nodes if i != j)
    return graph


def test_presets_have_the_tables_that_their_sources_show() -> None:
    assert Topology.preset("two-sockets").distance(1, 0) == 21
    ring = Topology.preset("ring4")
    assert [[ring.distance(i, j) for j in range(4)] for i in range(2)] == [[10, 16, 22, 16], [16, 10, 16, 22]]
    assert Topology.preset("altix") == Topology.load("altix.tar.bz2")
    allowed = "two-sockets, ring4, glueless8, altix, multi-die, cxl"
    with pytest.raises(TopologyError, match=f"name='ring5' is not a preset; allowed are {allowed}"):
        Topology.preset("ring5")


def test_ring4_is_cut_out_of_the_real_machine_that_its_docstring_names() -> None:
    ring, real = Topology.preset("ring4"), Topology.load("48amd64-4pa2n6c-sparse.tar.bz2")
    at = (0, 1, 33, 2)
    for i in ring.nodes:
        for j in ring.nodes:
            assert ring.distance(i, j) == real.distance(at[i], at[j])


def test_glueless8_has_the_whole_table_of_the_real_machine_that_its_docstring_names() -> None:
    made, real = Topology.preset("glueless8"), Topology.load("48amd64-4pa2n6c-sparse.tar.bz2")
    table = [[real.distance(i, j) for j in real.nodes] for i in real.nodes]
    assert [[made.distance(i, j) for j in made.nodes] for i in made.nodes] == table


def test_multi_die_is_12_in_a_socket_and_32_to_the_other() -> None:
    topology = Topology.preset("multi-die")
    assert [topology.distance(1, j) for j in topology.nodes] == [12, 10, 12, 12, 32, 32, 32, 32]
    assert [topology.distance(6, j) for j in topology.nodes] == [32, 32, 32, 32, 12, 12, 10, 12]


def test_memory_on_cxl_has_no_cpus_and_is_nearer_to_its_socket() -> None:
    topology = Topology.preset("cxl")
    assert [(topology.kind(i), bool(topology.cpus(i))) for i in topology.nodes] == [("ram", True)] * 2 + [
        ("cxl", False)
    ] * 2
    assert topology.nearest(0) == (0, 2, 1, 3)
    assert topology.nearest(1) == (1, 3, 0, 2)


@pytest.mark.parametrize("name", Topology.presets())
def test_presets_have_no_warnings(name: str) -> None:
    assert Topology.preset(name).warnings == ()


def test_free_memory_is_no_part_of_what_a_machine_is() -> None:
    graph = _graph(0, 1)
    graph.nodes[0]["free"] = 4096
    topology = Topology.from_networkx(graph)
    assert (topology.free(0), topology.free(1)) == (4096, None)
    assert topology == Topology.from_networkx(_graph(0, 1))
    assert hash(topology) == hash(Topology.from_networkx(_graph(0, 1)))


def test_unknown_cpus_are_not_no_cpus() -> None:
    graph = _graph(0, 1)
    graph.nodes[0]["cpus"] = None
    topology = Topology.from_networkx(graph)
    assert (topology.knows_cpus(0), topology.knows_cpus(1), topology.cpus(0)) == (False, True, ())
    assert topology.warnings == ("The CPUs of node 0 are unknown: the source does not tell.",)
    assert "unknown" in str(topology)
    assert topology != Topology.from_networkx(_graph(0, 1))


def test_asymmetric_distances_survive_the_graph() -> None:
    graph = _graph(0, 5)
    graph.edges[5, 0]["distance"] = 40
    topology = Topology.from_networkx(graph)
    assert (topology.distance(0, 5), topology.distance(5, 0)) == (20, 40)
    assert topology.warnings == ("Distances are asymmetric: from node 0 to node 5 it is 20, back it is 40.",)
    assert Topology.from_networkx(topology.graph) == topology


def test_an_undirected_graph_means_symmetric_distances() -> None:
    graph: nx.Graph[int] = nx.Graph()
    graph.add_edge(1, 3, distance=17)
    topology = Topology.from_networkx(graph)
    assert (topology.distance(1, 3), topology.distance(3, 1), topology.distance(1, 1)) == (17, 17, 10)


def test_a_graph_without_edges_gets_linux_distances_and_keeps_the_warning() -> None:
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from((0, 1), memory=GIB)
    topology = Topology.from_networkx(graph)
    again = Topology.from_networkx(topology.graph)
    assert topology.distance(0, 1) == 20
    assert topology.warnings == again.warnings
    assert "No distances were found" in topology.warnings[0]
    assert again == topology


def test_offline_nodes_need_no_distance() -> None:
    graph = _graph(0, 1)
    graph.add_node(7, online=False)
    topology = Topology.from_networkx(graph)
    assert (topology.nodes, topology.possible) == ((0, 1), (0, 1, 7))
    assert topology.online == {0, 1}
    assert (topology.distance(0, 7), topology.distance(7, 7)) == (20, 10)
    assert Topology.from_networkx(topology.graph) == topology


@pytest.mark.parametrize(
    ("attribute", "value", "problem"),
    [
        ("memory", -1, "node 0: memory=-1; allowed are 0 to"),
        ("memory", 1.5, "node 0: memory=1.5"),
        ("memory", 1 << 53, "node 0: memory=9007199254740992"),
        ("cpus", "0-3", "node 0: cpus='0-3'; allowed is a sequence of CPU numbers"),
        ("cpus", 3, "node 0: cpus=3; allowed is a sequence"),
        ("cpus", (0, -1), "node 0: cpus has -1; allowed are integers from 0 to 8191"),
        ("cpus", (True,), "node 0: cpus has True"),
        ("cpus", (1, 1), "node 0: cpus names a CPU twice"),
        ("online", 1, "node 0: online=1; allowed are True and False"),
        ("kind", "magic", "node 0: kind='magic'; allowed are ram, hbm, pmem, cxl, device"),
    ],
)
def test_wrong_attributes_are_refused_with_what_is_allowed(attribute: str, value: Any, problem: str) -> None:
    graph = _graph(0, 1)
    graph.nodes[0][attribute] = value
    with pytest.raises(TopologyError) as caught:
        Topology.from_networkx(graph)
    assert str(caught.value).startswith(problem)


def test_wrong_graphs_are_refused_with_what_is_allowed() -> None:
    far, cut, bare, offline = _graph(0, 1), _graph(0, 1), _graph(0, 1), _graph(0)
    far.edges[0, 1]["distance"] = 256
    cut.remove_edge(1, 0)
    del bare.edges[0, 1]["distance"]
    offline.nodes[0]["online"] = False
    cases: list[tuple[Any, str]] = [
        (nx.DiGraph(), "at least one node"),
        (offline, "no node is online"),
        (_graph(1024), "node id 1024 is out of range; allowed are 0 to 1023"),
        (_graph(-1), "node id -1 is out of range"),
        (nx.path_graph(["a"]), "node id 'a' is not an integer"),
        (far, "distance=256 from node 0 to node 1; allowed are 0 to 255"),
        (cut, "no distance from node 1 to node 0"),
        (bare, "the edge from node 0 to node 1 has no attribute distance"),
        (nx.MultiDiGraph([(0, 1)]), "multigraph"),
        ({0: 1}, "graph=dict; allowed are networkx"),
    ]
    for graph, problem in cases:
        with pytest.raises(TopologyError, match=problem):
            Topology.from_networkx(graph)


def test_odd_distances_load_with_warnings_that_name_nodes() -> None:
    graph = _graph(0, 1, 2)
    graph.add_edge(2, 2, distance=12)
    graph.edges[0, 1]["distance"] = graph.edges[1, 0]["distance"] = 255
    graph.edges[0, 2]["distance"] = graph.edges[2, 0]["distance"] = 9
    assert Topology.from_networkx(graph).warnings == (
        "The distance to itself is not 10 for node 2 (node 2: 12).",
        "Distances below 10 (SLIT: not allowed): from node 0 to node 2 it is 9, and 1 more.",
        "Unreachable (distance 255): from node 0 to node 1 it is 255, and 1 more.",
    )


def test_nearest_is_the_node_itself_then_by_distance_then_by_id() -> None:
    assert Topology.preset("ring4").nearest(2) == (2, 1, 3, 0)
    buggy = Topology.load("8em64t-2s2ca2c-buggynuma.tar.bz2")
    assert buggy.nearest(5) == (5, 0, 1, 2, 3, 4, 6, 7)


def test_nearest_leaves_out_nodes_without_memory() -> None:
    graph = _graph(0, 1, 2)
    graph.nodes[1]["memory"] = 0
    assert Topology.from_networkx(graph).nearest(1) == (0, 2)


def test_asking_for_a_node_that_is_not_there_names_argument_value_and_allowed_ids() -> None:
    topology = Topology.preset("ring4")
    for ask in (topology.memory, topology.cpus, topology.nearest, topology.kind):
        with pytest.raises(TopologyError, match="i=4 is not a node of 'ring4'; allowed are 0-3"):
            ask(4)
    with pytest.raises(TopologyError, match="j=9 is not a node"):
        topology.distance(0, 9)
    with pytest.raises(TopologyError, match=r"i=\[\] is not a node"):
        topology.memory([])  # type: ignore[arg-type]


def test_a_topology_cannot_be_changed_from_outside() -> None:
    topology = Topology.preset("ring4")
    graph = topology.graph
    graph.nodes[0]["memory"] = 0
    graph.remove_node(3)
    assert topology == Topology.preset("ring4")
    with pytest.raises(AttributeError):
        topology.nodes = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        topology.extra = 1  # type: ignore[attr-defined]


def test_equality_is_by_content_not_by_name() -> None:
    ring = Topology.preset("ring4")
    graph = ring.graph
    graph.graph["name"] = "other"
    other = Topology.from_networkx(graph)
    assert (ring == other, hash(ring) == hash(other), other.name) == (True, True, "other")
    assert copy.deepcopy(ring) == ring
    assert ring != Topology.preset("two-sockets")
    assert ring != "ring4"


def test_plain_text_shows_nodes_distances_and_warnings() -> None:
    graph = _graph(0, 12)
    graph.nodes[0]["cpus"] = (0, 1, 2, 8)
    graph.nodes[12].update(memory=0, kind="cxl")
    graph.graph["name"] = "small"
    graph.add_node(3, online=False)
    topology = Topology.from_networkx(graph)
    assert repr(topology) == "<Topology 'small': 2 nodes, 4 CPUs, 1 GiB>"
    assert str(topology).splitlines() == [
        "Topology 'small': 2 nodes, 4 CPUs, 1 GiB",
        "node  CPUs   memory",
        "   0  0-2,8   1 GiB",
        "  12  none     none",
        "possible but offline: 3",
        "distances",
        "       0  12",
        "  0:  10  20",
        " 12:  20  10",
        "Warning: Only node 0 has memory: no page can be moved to another node.",
    ]


def test_html_is_escaped_and_has_headers_for_rows_and_columns() -> None:
    graph = _graph(0, 1)
    graph.graph["name"] = "<b>'"
    html = Topology.from_networkx(graph)._repr_html_()
    assert "<b>" not in html
    assert '<th scope="col">to 1</th>' in html
    assert '<th scope="row">0</th><td>none</td><td>1 GiB</td><td>10</td><td>20</td>' in html
