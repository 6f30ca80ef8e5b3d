"""A small machine for one kernel: two nodes of 16 frames, and a third that is farther away."""

from __future__ import annotations

from dataclasses import dataclass

import networkx as nx

from numakit import PAGE_SIZE, Machine, Process, Topology, Vma

FRAMES = 16


@dataclass(frozen=True)
class SmallWorld:
    """A machine, and an unprivileged process with four pages that it has written to on node 0."""

    machine: Machine
    shell: Process
    area: Vma

    def fill(self, node: int) -> None:
        """Take all free frames of a node."""
        while self.machine.alloc_page(node) is not None:
            pass


def small_world(kernel: str) -> SmallWorld:
    """Nodes 0, 1 and 2; 1 is nearer to 2 than 0 is."""
    graph: nx.DiGraph[int] = nx.DiGraph(name="three nodes")
    for node in range(3):
        graph.add_node(node, memory=FRAMES * PAGE_SIZE, cpus=(node,))
    for i, j, distance in ((0, 1, 20), (0, 2, 30), (1, 2, 15)):
        graph.add_edge(i, j, distance=distance)
        graph.add_edge(j, i, distance=distance)
    machine = Machine(Topology.from_networkx(graph), kernel)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(4)
    shell.write(area)
    return SmallWorld(machine, shell, area)
