"""Load, write, load again: the same machine, for each form that can carry it; and JSON by other hands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import networkx as nx
import pytest

from numakit.topology import Topology, TopologyError
from numakit.topology.readers import shipped_texts

MIB = 1 << 20
NAMES = (*Topology.presets(), *Topology.dumps(), *(t for t in shipped_texts() if t[:2] not in ("10", "15")))


def machine(name: str) -> Topology:
    """A preset or a shipped file."""
    return Topology.preset(name) if name in Topology.presets() else Topology.load(name)


def numactl_can_carry(topology: Topology) -> bool:
    """Whole MB, ordinary memory, no nodes that are offline."""
    whole = all(topology.memory(i) % MIB == 0 and topology.kind(i) == "ram" for i in topology.nodes)
    return whole and topology.possible == topology.nodes


@pytest.mark.parametrize("name", NAMES)
def test_json_and_back_is_the_same_machine(name: str, tmp_path: Path) -> None:
    topology, path = machine(name), tmp_path / "machine.json"
    path.write_text(topology.to_json())
    again = Topology.load(path)
    assert (again, again.name, again.has_distances) == (topology, topology.name, topology.has_distances)
    assert [again.free(i) for i in again.nodes] == [topology.free(i) for i in topology.nodes]


@pytest.mark.parametrize("name", NAMES)
def test_networkx_and_back_is_the_same_machine(name: str) -> None:
    topology = machine(name)
    again = Topology.from_networkx(topology.graph)
    assert (again, again.has_distances) == (topology, topology.has_distances)
    assert [again.free(i) for i in again.nodes] == [topology.free(i) for i in topology.nodes]


@pytest.mark.parametrize("name", NAMES)
def test_numactl_and_back_is_the_same_machine(name: str, tmp_path: Path) -> None:
    topology, path = machine(name), tmp_path / "machine.txt"
    text = topology.to_numactl()
    path.write_text(text)
    again = Topology.load(path)
    if numactl_can_carry(topology):
        assert again == topology
    assert again.to_numactl() == text


def test_most_machines_can_be_carried_by_a_text() -> None:
    assert sum(numactl_can_carry(machine(name)) for name in NAMES) * 2 >= len(NAMES)


@pytest.mark.parametrize("file", ["01-two-node-classic.txt", "05-memoryless-with-cpus.txt", "09-single-node.txt"])
def test_the_text_is_word_for_word_that_of_numactl(file: str) -> None:
    original = Path(__file__).parents[2] / "numakit/topology/dumps/numactl" / file
    assert Topology.load(file).to_numactl().split() == original.read_text().split()


def test_json_of_networkx_itself_is_read(tmp_path: Path) -> None:
    """Its older name for edges too."""
    data: dict[str, Any] = nx.node_link_data(Topology.preset("ring4").graph, edges="links")
    (tmp_path / "ring").write_text(json.dumps(data))
    assert Topology.load(tmp_path / "ring") == Topology.preset("ring4")


NODE = {"id": 0, "memory": 4096}


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("{", "line 1: this is not JSON"),
        ('{\n"a": }', "line 2: this is not JSON"),
        ('{"nodes": ' + "[" * 100_000, "this JSON is too deep"),
        ('{"nodes": [' + "9" * 5000 + "]}", "a number of too many digits"),
        ({"nodes": 3}, "nodes is not a list of objects"),
        ({"nodes": [3]}, "nodes is not a list of objects"),
        ({"nodes": [{"id": "0"}]}, "a node has the id '0'; allowed are integers"),
        ({"nodes": [{"id": 1024}]}, "node id 1024 is out of range"),
        ({"nodes": [NODE | {"memory": 1e400}]}, "node 0: memory=inf; allowed are 0 to"),
        ({"nodes": [NODE | {"cpus": [[]]}]}, "node 0: cpus has []"),
        ({"nodes": [NODE | {"cpus": "x" * 1000}]}, "node 0: cpus='xxx"),
        ({"nodes": [NODE | {"free": -1}]}, "node 0: free=-1; allowed are None and 0 to"),
        ({"nodes": [NODE], "edges": [{"source": 0, "target": 7}]}, "an edge has the target 7, which is no node's id"),
        ({"nodes": [NODE], "edges": [{"source": 0, "target": 0, "distance": 300}]}, "distance=300 from node 0"),
        ({"nodes": [NODE], "edges": [{"source": 0, "target": 0}]}, "has no attribute distance"),
        ({"nodes": [NODE], "multigraph": True}, "this is a multigraph"),
        ({"nodes": [NODE], "graph": {"name": "a\nb"}}, "the name 'a\\nb' is not up to 200 characters in one line"),
        ({"edges": []}, "at least one node"),
    ],
)
def test_json_that_is_no_machine_is_refused(tmp_path: Path, data: object, problem: str) -> None:
    path = tmp_path / "machine.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    with pytest.raises(TopologyError) as caught:
        Topology.load(path)
    assert str(path) in str(caught.value)
    assert problem in str(caught.value)
