"""A machine as a networkx graph, there and back.

Vertices are node ids with the attributes memory (bytes), cpus (None: unknown), online, kind, and free (bytes) where
it is known; edges carry `distance`. We write a directed graph with a loop at each node, since real tables have
asymmetric pairs and wrong diagonals; we read undirected ones too, and take 10 for a loop that is missing. The graph
of a machine without a table of its own says so: graph.graph["distances"] == "assumed".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import networkx as nx

from numakit.topology.description import LOCAL_DISTANCE, Description, Node, TopologyError
from numakit.topology.idlists import shortened

ATTRIBUTES = ("memory", "cpus", "online", "kind", "free")


def read_graph(graph: nx.Graph[Any]) -> Description:
    """What a graph describes; raises `TopologyError` for multigraphs and unusable attributes."""
    if not isinstance(graph, nx.Graph):
        raise TopologyError(f"graph={type(graph).__name__}; allowed are networkx.DiGraph and networkx.Graph")
    if graph.is_multigraph():
        raise TopologyError("graph is a multigraph; allowed are networkx.DiGraph and networkx.Graph")
    nodes = {i: _read_node(i, attributes) for i, attributes in graph.nodes(data=True)}
    name = graph.graph.get("name", "") or "graph"
    if not isinstance(name, str):
        raise TopologyError(f"the graph's name={name!r}; allowed is a string")
    assumed = graph.graph.get("distances") == "assumed"
    return Description(name, nodes, None if assumed else _read_distances(graph, nodes))


def build_graph(description: Description) -> nx.DiGraph[int]:
    """A new graph; changing it changes nothing else."""
    graph: nx.DiGraph[int] = nx.DiGraph(name=description.name)
    for i, node in description.nodes.items():
        graph.add_node(i, **_attributes(node))
    for i, row in (description.distances or {}).items():
        graph.add_edges_from((i, j, {"distance": value}) for j, value in row.items())
    return graph


def _attributes(node: Node) -> dict[str, Any]:
    found = {"memory": node.memory, "cpus": node.cpus, "online": node.online, "kind": node.kind}
    if not node.cpus_known:
        found["cpus"] = None
    return found if node.free is None else {**found, "free": node.free}


def _read_node(i: Any, attributes: dict[str, Any]) -> Node:
    known = {key: attributes[key] for key in ATTRIBUTES if key in attributes}
    cpus: object = known.pop("cpus", ())
    if cpus is None:
        return Node(cpus_known=False, **known)
    if isinstance(cpus, str | bytes) or not isinstance(cpus, Iterable):
        raise TopologyError(f"node {i!r}: cpus={shortened(repr(cpus))}; allowed is a sequence of CPU numbers")
    return Node(cpus=tuple(cpus), **known)


def _read_distances(graph: nx.Graph[Any], nodes: dict[Any, Node]) -> dict[int, dict[int, int]] | None:
    if not graph.number_of_edges():
        return None if len(nodes) > 1 else {i: {i: LOCAL_DISTANCE} for i in nodes}
    distances: dict[int, dict[int, int]] = {i: {} for i in nodes}
    for i, j, attributes in graph.edges(data=True):
        if "distance" not in attributes:
            raise TopologyError(f"the edge from node {i!r} to node {j!r} has no attribute distance")
        distances[i][j] = attributes["distance"]
        if not graph.is_directed():
            distances[j][i] = attributes["distance"]
    for i in nodes:
        if nodes[i].online:
            distances[i].setdefault(i, LOCAL_DISTANCE)
    return {i: row for i, row in distances.items() if row}
