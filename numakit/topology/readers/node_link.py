"""JSON in networkx' node-link form, as `Topology.to_json` and `networkx.node_link_data` write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from numakit.topology.description import Description, TopologyError, is_int
from numakit.topology.graph import ATTRIBUTES, read_graph
from numakit.topology.idlists import shortened
from numakit.topology.readers.content import beginning, decoded, read_content

MAX_NAME = 200
"""Characters of a machine's name."""


def is_json(path: Path) -> bool:
    """Whether a file is named *.json or begins like an object."""
    return path.suffix == ".json" or beginning(path).lstrip().startswith(b"{")


def read_node_link(path: Path) -> Description:
    """The machine of the file; raises `TopologyError` naming the file and the line, or the node."""
    return parse_node_link(decoded(read_content(path), str(path)), str(path), path.stem)


def parse_node_link(text: str, origin: str, name: str) -> Description:
    """The same for a text that is no file: `origin` stands for it in errors."""
    import networkx as nx

    try:
        description = read_graph(nx.node_link_graph(_known(json.loads(text)), edges="edges"))
    except json.JSONDecodeError as error:
        raise TopologyError(f"{origin}, line {error.lineno}: this is not JSON ({error.msg})") from None
    except TopologyError as error:
        raise TopologyError(f"{origin}: {error}") from None
    except (RecursionError, ValueError) as error:
        raise TopologyError(f"{origin}: this JSON is too deep, or has a number of too many digits") from error
    return description._replace(name=name) if description.name == "graph" else description


def _known(data: Any) -> dict[str, Any]:
    """The part of the data that makes a topology, in the form that networkx takes without complaint."""
    if not isinstance(data, dict):
        raise TopologyError("allowed is an object with nodes and edges")
    if data.get("multigraph"):
        raise TopologyError("this is a multigraph; allowed is one edge from a node to another")
    # networkx called them links before 3.4.
    nodes, edges = _objects(data, "nodes"), _objects(data, "edges" if "edges" in data else "links")
    ids = {node["id"] for node in map(_node, nodes)}
    return {
        "directed": data.get("directed") is not False,
        "multigraph": False,
        "graph": _of_graph(data.get("graph")),
        "nodes": [_node(node) for node in nodes],
        "edges": [_edge(edge, ids) for edge in edges],
    }


def _objects(data: dict[str, Any], key: str) -> list[dict[str, Any]]:
    found = data.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise TopologyError(f"{key} is not a list of objects")
    return found


def _of_graph(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        return {}
    name = found.get("name", "")
    if not isinstance(name, str) or len(name) > MAX_NAME or not name.isprintable():
        raise TopologyError(f"the name {shortened(repr(name))} is not up to {MAX_NAME} characters in one line")
    return {key: found[key] for key in ("name", "distances") if key in found}


def _node(node: dict[str, Any]) -> dict[str, Any]:
    if not is_int(node.get("id")):
        raise TopologyError(f"a node has the id {shortened(repr(node.get('id')))}; allowed are integers")
    return {key: node[key] for key in ("id", *ATTRIBUTES) if key in node}


def _edge(edge: dict[str, Any], nodes: set[int]) -> dict[str, Any]:
    for end in ("source", "target"):
        if not is_int(edge.get(end)) or edge[end] not in nodes:
            raise TopologyError(f"an edge has the {end} {shortened(repr(edge.get(end)))}, which is no node's id")
    return {key: edge[key] for key in ("source", "target", "distance") if key in edge}
