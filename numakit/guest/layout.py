"""The machine that the guest is: four nodes with a CPU each, in a ring, and a fifth that has only memory."""

from __future__ import annotations

import networkx as nx

from numakit.topology import Topology

MIB = 1 << 20

#: Memory of the nodes. It differs, so that nobody takes one node for another.
MEMORY = (224 * MIB, 208 * MIB, 208 * MIB, 208 * MIB, 176 * MIB)
NEIGHBOUR, OPPOSITE, FAR = 16, 22, 28


def guest_topology() -> Topology:
    """The topology of the guest, for QEMU and for the model.

    The node without CPUs is the last one: Linux numbers nodes in the order in which the firmware names them, those with
    CPUs first.
    """
    graph: nx.DiGraph[int] = nx.DiGraph(name="guest")
    ring = range(4)
    for node, memory in enumerate(MEMORY):
        graph.add_node(node, memory=memory, cpus=(node,) if node in ring else ())
    for i in graph:
        for j in graph:
            if i != j:
                graph.add_edge(i, j, distance=_distance(i, j))
    return Topology.from_networkx(graph)


def _distance(i: int, j: int) -> int:
    if 4 in (i, j):
        return FAR
    return OPPOSITE if (i - j) % 4 == 2 else NEIGHBOUR
