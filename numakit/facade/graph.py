"""A machine as one networkx graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numakit.facade.frame import mapped_at
from numakit.machine.process import processes
from numakit.machine.state import MachineState

if TYPE_CHECKING:
    import networkx as nx

LARGEST_GRAPH = 1 << 16  #: frames in use above which nobody could look at the graph


def machine_graph(m: MachineState) -> nx.DiGraph[Any]:
    """Vertices ("node", id), ("page", pfn), ("process", pid); edges page -> node ("lies on"), process -> page
    ("maps"), process -> node ("runs on"), node -> node with their distance. Raises ValueError above 65,536 frames in
    use.
    """
    import networkx as nx

    used = [page for page in range(m.nr_frames) if m.count[page]]
    if len(used) > LARGEST_GRAPH:
        raise ValueError(f"{len(used)} frames are in use: a graph is made of at most {LARGEST_GRAPH}")
    graph: nx.DiGraph[Any] = nx.DiGraph()
    for node in m.node_ids:
        graph.add_node(("node", node), kind="node", frames=len(m.frames_of(node)), free=m.nr_free(node))
    for a in m.node_ids:
        for b in m.node_ids:
            if a != b:
                graph.add_edge(("node", a), ("node", b), relation="distance", distance=m.topology.distance(a, b))
    for process in processes(m):
        graph.add_node(("process", process.pid), kind="process", name=process.name)
        graph.add_edge(("process", process.pid), ("node", m.cpu_nodes[process.cpu]), relation="runs on")
    for page in used:
        graph.add_node(("page", page), kind="page", count=m.count[page], mapcount=m.mapcount[page])
        graph.add_edge(("page", page), ("node", m.node(page)), relation="lies on")
    add_mappings(m, graph)
    return graph


def add_mappings(m: MachineState, graph: nx.DiGraph[Any]) -> None:
    """An edge for each PTE that is present, from each process that has it."""
    for page in [vertex[1] for vertex in graph if vertex[0] == "page"]:
        for place in mapped_at(m, page):
            for pid in place.pids:
                graph.add_edge(("process", pid), ("page", page), relation="maps", address=place.address)
