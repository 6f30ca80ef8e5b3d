"""Arguments for QEMU: what they say, what is refused in our own words, and that QEMU takes them."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import networkx as nx
import pytest

from numakit.topology import Topology, TopologyError

GIB = 1 << 30
SLOW = {"altix": pytest.mark.slow}  # QEMU takes some ten seconds to make its processors
QEMU = shutil.which("qemu-system-x86_64")


def _graph(*nodes: int) -> nx.DiGraph[int]:
    """Nodes of 1 GiB with a CPU each, all remote distances 20."""
    graph: nx.DiGraph[int] = nx.DiGraph(name="made")
    for cpu, i in enumerate(nodes):
        graph.add_node(i, memory=GIB, cpus=(cpu,))
    graph.add_edges_from((i, j, {"distance": 20}) for i in nodes for j in nodes if i != j)
    return graph


def test_arguments_say_memory_cpus_and_distances() -> None:
    graph = _graph(0, 1)
    graph.nodes[0]["cpus"] = (0, 2, 3)
    graph.add_edge(1, 0, distance=31)
    assert " ".join(Topology.from_networkx(graph).to_qemu()) == (
        "-machine q35 -m 2048M -smp 4"
        " -object memory-backend-ram,id=ram0,size=1024M -numa node,nodeid=0,cpus=0,cpus=2-3,memdev=ram0"
        " -object memory-backend-ram,id=ram1,size=1024M -numa node,nodeid=1,cpus=1,memdev=ram1"
        " -numa dist,src=0,dst=0,val=10 -numa dist,src=0,dst=1,val=20"
        " -numa dist,src=1,dst=0,val=31 -numa dist,src=1,dst=1,val=10"
    )


def test_memory_is_scaled_in_proportion() -> None:
    arguments = Topology.preset("cxl").to_qemu(memory=5 * GIB)
    assert [text.split("size=")[1] for text in arguments if "size=" in text] == ["1024M", "1024M", "1024M", "2048M"]


def test_holes_in_the_numbers_of_cpus_are_closed_in_their_order() -> None:
    arguments = Topology.load("nvidiaDGX2.xml").to_qemu(GIB)
    assert "-smp 4,sockets=2" in " ".join(arguments)
    assert "node,nodeid=1,cpus=2-3,memdev=ram1" in arguments


def test_nodes_without_cpus_or_memory_are_kept() -> None:
    arguments = Topology.load("05-memoryless-with-cpus.txt").to_qemu(GIB)
    assert "node,nodeid=0,cpus=0-2,cpus=12-14" in arguments


def test_a_machine_of_more_cpus_than_can_be_emulated_gets_fewer_in_each_node() -> None:
    arguments = Topology.preset("altix").to_qemu(GIB)
    assert "192,sockets=64" in arguments
    assert "node,nodeid=63,cpus=189-191,memdev=ram63" in arguments


@pytest.mark.parametrize("name", ["48amd64-4pa2n6c-sparse.tar.bz2", "03-holes-large-ids.txt"])
def test_ids_with_holes_are_refused_in_our_words(name: str) -> None:
    with pytest.raises(TopologyError, match=r"cannot be a QEMU machine: its node ids .* have holes; allowed are 0-"):
        Topology.load(name).to_qemu()


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"edge": (0, 1, 9)}, "the distance from node 0 to node 1 is 9; allowed are 10 to 255"),
        ({"edge": (1, 1, 11)}, "the distance of node 1 to itself is 11; allowed is 10"),
        ({"cpus": (0,)}, "CPU 0 is in nodes 0 and 1"),
    ],
)
def test_what_qemu_cannot_have_is_refused_in_our_words(change: dict[str, Any], problem: str) -> None:
    graph = _graph(0, 1)
    if "edge" in change:
        i, j, distance = change["edge"]
        graph.add_edge(i, j, distance=distance)
    else:
        graph.nodes[1]["cpus"] = change["cpus"]
    with pytest.raises(TopologyError, match=f"'made' cannot be a QEMU machine: {problem}"):
        Topology.from_networkx(graph).to_qemu()


def test_a_machine_with_nothing_to_run_or_remember_is_refused() -> None:
    with pytest.raises(TopologyError, match="no node has CPUs, or they are unknown"):
        Topology.load("17-no-cpu-lines-old.txt").to_qemu()
    with pytest.raises(TopologyError, match="it has 129 nodes; allowed are 128"):
        Topology.from_networkx(_graph(*range(129))).to_qemu()
    for memory in (1, 0, "1G", True):
        with pytest.raises(TopologyError, match=r"memory=.*; allowed are None and bytes, at least 1 MiB for each node"):
            Topology.preset("ring4").to_qemu(memory)  # type: ignore[arg-type]


@pytest.mark.skipif(QEMU is None, reason="qemu-system-x86_64 is not installed")
@pytest.mark.parametrize("name", [pytest.param(name, marks=SLOW.get(name, ())) for name in Topology.presets()])
def test_qemu_takes_the_arguments_of_each_preset_and_its_monitor_answers(name: str) -> None:
    assert QEMU is not None
    topology = Topology.preset(name)
    bare = ["-S", "-display", "none", "-nodefaults", "-accel", "tcg,thread=single", "-monitor", "stdio"]
    done = subprocess.run(
        [QEMU, *bare, *topology.to_qemu(GIB)],
        input="info numa\nquit\n",
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{len(topology.nodes)} nodes" in done.stdout
    assert done.stdout.count(" size: ") == len(topology.nodes)
