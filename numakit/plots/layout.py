"""Where nodes stand in a picture: near ones together, the same machine always the same.

Nodes that the smallest remote distance links form a group; groups that the next distance links form a group
of groups, and so on: a hierarchy of boards, racks and cabinets, read off the distance table. The members of
each group stand on a circle (four: a square), in the order of a short round trip. No chance is in it, and no
optimiser.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from numakit.topology import Topology

Point = tuple[float, float]


@dataclass(frozen=True)
class Group:
    """Nodes that belong together: `distance` links the `children`; a single node has none, and 0."""

    nodes: tuple[int, ...]
    distance: int = 0
    children: tuple[Group, ...] = ()


@dataclass(frozen=True)
class Placed:
    """Nodes that belong together: `distance` links the `children`; a single node has none."""

    group: Group
    center: Point
    radius: float
    children: tuple[Placed, ...] = ()


def link(topology: Topology, i: int, j: int) -> int:
    """The smaller of the distances there and back."""
    return min(topology.distance(i, j), topology.distance(j, i))


def gap(topology: Topology, a: Group, b: Group) -> int:
    """The distance of the nearest nodes of two groups."""
    return min(link(topology, i, j) for i in a.nodes for j in b.nodes)


def grouped(topology: Topology) -> Group:
    """The hierarchy of groups of all online nodes."""
    groups = [Group((i,)) for i in topology.nodes]
    while len(groups) > 1:
        gaps = {(a, b): gap(topology, groups[a], groups[b]) for a, b in combinations(range(len(groups)), 2)}
        nearest = min(gaps.values())
        joined = _components(len(groups), [pair for pair, value in gaps.items() if value == nearest])
        groups = [_union([groups[a] for a in part], nearest, topology) for part in joined]
    return groups[0]


def placed(group: Group, space: float, center: Point = (0.0, 0.0)) -> Placed:
    """The group and all in it put on the plane; `space` is the room between neighbours, 1.0 is touching."""
    if not group.children:
        return Placed(group, center, 1.0)
    sizes = [placed(child, space).radius for child in group.children]
    count, size = len(sizes), max(sizes)
    ring = size * space / math.sin(math.pi / count)
    first = math.pi / 2 + math.pi / count if count in (2, 4) else math.pi / 2
    children = []
    for place, child in enumerate(group.children):
        angle = first - 2 * math.pi * place / count
        middle = (center[0] + ring * math.cos(angle), center[1] + ring * math.sin(angle))
        children.append(placed(child, space, middle))
    return Placed(group, center, ring + size, tuple(children))


def _components(count: int, pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Members 0 to count - 1 split into the parts that the pairs connect, in ascending order."""
    part = list(range(count))
    for a, b in pairs:
        old, new = max(part[a], part[b]), min(part[a], part[b])
        part = [new if value == old else value for value in part]
    return [[member for member in range(count) if part[member] == value] for value in sorted(set(part))]


def _union(groups: list[Group], distance: int, topology: Topology) -> Group:
    if len(groups) == 1:
        return groups[0]
    nodes = tuple(sorted(i for group in groups for i in group.nodes))
    return Group(nodes, distance, tuple(_round_trip(groups, topology)))


def _round_trip(groups: list[Group], topology: Topology) -> list[Group]:
    """The groups in the order of a short closed tour: each next one the nearest, then 2-opt."""
    gaps = {
        (a, b): gap(topology, groups[a], groups[b]) for a in range(len(groups)) for b in range(len(groups)) if a != b
    }
    tour = [0]
    while len(tour) < len(groups):
        rest = [place for place in range(len(groups)) if place not in tour]
        tour.append(min(rest, key=lambda place: (gaps[tour[-1], place], place)))
    improved = len(tour) > 3
    while improved:
        improved = False
        for a, b in combinations(range(1, len(tour)), 2):
            after = tour[(b + 1) % len(tour)]
            before = gaps[tour[a - 1], tour[a]] + gaps[tour[b], after]
            if gaps[tour[a - 1], tour[b]] + gaps[tour[a], after] < before:
                tour[a : b + 1] = reversed(tour[a : b + 1])
                improved = True
    return [groups[place] for place in tour]
