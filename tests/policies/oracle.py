"""Where a page should come from, written a second time: from the words of set_mempolicy(2) and cpuset(7), and from
nothing of the model but its plain facts (free frames, distances, who is where).
"""

from __future__ import annotations

from typing import NamedTuple

from numakit import MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, Machine


class Wish(NamedTuple):
    """A policy as a test keeps it."""

    mode: int
    nodes: tuple[int, ...]


class Place(NamedTuple):
    """What an oracle says: the node, the node that was wanted, and whether interleaving gave what it wanted."""

    node: int | None
    wanted: int
    interleave_hit: bool


def expected_place(machine: Machine, home: int, allowed: frozenset[int], wish: Wish | None, offset: int) -> Place:
    """Where a page at ``offset`` of its object lies if a process on node ``home`` touches it now."""
    mode = wish.mode if wish else 0
    nodes = sorted(wish.nodes) if wish else []
    if mode == MPOL_BIND and allowed & set(nodes):
        order = [node for node in nodes if machine.topology.memory(node)]
    elif mode == MPOL_PREFERRED and nodes:
        order = near(machine, nodes[0])
    elif mode == MPOL_INTERLEAVE:
        order = near(machine, nodes[offset % len(nodes)])
    else:
        order = near(machine, home)
    for node in order:
        if node in allowed and machine.free_frames(node):
            return Place(node, order[0], mode == MPOL_INTERLEAVE and node == order[0])
    return Place(None, order[0], False)


def near(machine: Machine, home: int) -> list[int]:
    """The nodes with memory, the nearest to ``home`` first."""
    topology = machine.topology
    with_memory = [node for node in topology.nodes if topology.memory(node)]
    return sorted(with_memory, key=lambda node: (topology.distance(home, node), node))
