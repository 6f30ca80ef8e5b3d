"""Small machines for random play, with a kernel of one's own, and what must hold of them between two calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx

from numakit import PAGE_SIZE, Machine, Topology
from numakit.kernels import Kernel
from numakit.machine.consistency import left_in_flight


def small_machine(frames: Mapping[int, int], kernel: Kernel) -> Machine:
    """Nodes with so many frames each, two CPUs a node."""
    graph: nx.Graph[Any] = nx.Graph()
    for place, (node, number) in enumerate(frames.items()):
        graph.add_node(node, memory=number * PAGE_SIZE, cpus=(2 * place, 2 * place + 1), online=True)
    return Machine(Topology.from_networkx(graph), kernel=kernel, scale=1)


def see_that_it_is_sound(machine: Machine) -> None:
    """What holds of a machine on which no call is under way. Raises AssertionError."""
    assert machine.inconsistencies() == []
    assert left_in_flight(machine) == []
