"""As JSON, in networkx' node-link form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numakit.topology.topology import Topology


def node_link_text(topology: Topology) -> str:
    """The JSON: one line for each node, and one for the distances from each node."""
    import networkx as nx

    data: dict[str, Any] = nx.node_link_data(topology.graph, edges="edges")
    nodes, edges = data.pop("nodes"), data.pop("edges")
    rows: dict[int, list[str]] = {}
    for edge in edges:
        rows.setdefault(edge["source"], []).append(json.dumps(edge))
    head = json.dumps(data)[1:-1]
    node_lines = ",\n".join(json.dumps(node) for node in nodes)
    edge_lines = ",\n".join(", ".join(row) for row in rows.values())
    return f'{{{head},\n"nodes": [\n{node_lines}\n],\n"edges": [\n{edge_lines}\n]}}\n'
