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

APART = 1.4
"""Room between groups, 1.0 is touching."""


@dataclass(frozen=True)
class Group:
    """Nodes that belong together: `distance` links the `children`; a single node has none, and 0."""

    nodes: tuple[int, ...]
    distance: int = 0
    children: tuple[Group, ...] = ()


@dataclass(frozen=True)
class Placed:
    """A group and where it stands; `middle` is the center of the group around it, `children` stand around its own."""

    group: Group
    center: Point
    radius: float
    middle: Point
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


def placed(group: Group, space: float) -> Placed:
    """The group and all in it put on the plane; `space` is the room between neighbours, 1.0 is touching.

    Groups, that have room of their own around their nodes, stand no farther from each other than `APART`.
    """
    return _placed_at(group, space, (0.0, 0.0), (0.0, 0.0), upright=False)


def _placed_at(group: Group, space: float, center: Point, middle: Point, upright: bool) -> Placed:
    """The same at a place; two members stand side by side, or one above the other, in turn from group to group."""
    if not group.children:
        return Placed(group, center, 1.0, middle)
    sizes = [placed(child, space).radius for child in group.children]
    count, size = len(sizes), max(sizes)
    ring = size * (min(space, APART) if size > 1 else space) / math.sin(math.pi / count)
    turned = math.pi / count if count == 4 or (count == 2 and not upright) else 0.0
    children = []
    for place, child in enumerate(group.children):
        angle = math.pi / 2 + turned - 2 * math.pi * place / count
        at = (center[0] + ring * math.cos(angle), center[1] + ring * math.sin(angle))
        children.append(_placed_at(child, space, at, center, upright=count == 2 and not upright))
    return Placed(group, center, ring + size, middle, tuple(children))


def leaves(group: Placed) -> list[Placed]:
    """The nodes of a group, in the order in which they stand."""
    if not group.children:
        return [group]
    return [node for child in group.children for node in leaves(child)]


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
