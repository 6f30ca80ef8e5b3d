"""In which order an allocation tries the nodes (build_zonelists and find_next_best_node, mm/page_alloc.c)."""

from __future__ import annotations

from numakit.topology import Topology


def zonelists(topology: Topology, *, spread: bool) -> dict[int, tuple[int, ...]]:
    """For each node the nodes with memory in the order in which they are tried: itself, then by distance.

    Of nodes that are equally far the lowest comes first or, with ``spread`` as in the kernel, the next one after the
    node itself, unless it is first in more of the lists that were built before. (The kernel also prefers nodes without
    CPUs, but builds its lists at boot, when it knows of no CPU yet.)
    """
    if not spread:
        return {node: topology.nearest(node) for node in topology.nodes}
    load = dict.fromkeys(topology.nodes, 0)
    return {node: _build_zonelist(topology, node, load) for node in topology.nodes}


def _build_zonelist(topology: Topology, local: int, load: dict[int, int]) -> tuple[int, ...]:
    """The list of one node. In each group of nodes that are equally far, the first one's load grows."""
    left = [node for node in topology.nodes if topology.memory(node)]
    order: list[int] = []
    while left:
        best = min(left, key=lambda node: (node != local, topology.distance(local, node) + (node < local), load[node]))
        if topology.distance(local, best) != topology.distance(local, order[-1] if order else local):
            load[best] += 1
        left.remove(best)
        order.append(best)
    return tuple(order)
