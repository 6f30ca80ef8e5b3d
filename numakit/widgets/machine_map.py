"""A machine as a picture of nodes and distances (SVG), as sentences about one node, and as a table.

Nodes stand where ``numakit.plots`` puts them: near ones together. Links are drawn as there, too, all of them on small
machines and those inside a group on large ones.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from html import escape
from itertools import combinations
from typing import NamedTuple

from numakit.machine.state import MachineState
from numakit.plots.layout import Placed, Point, gap, grouped, leaves, placed
from numakit.plots.machine import GROUND, remote_distances
from numakit.plots.node import LABELLED, label_place
from numakit.tables import text_table
from numakit.topology import Topology
from numakit.topology.idlists import format_list
from numakit.topology.show import cpus_text, memory_text, size

UNIT = 30.0  #: of the picture, in each node's radius
LINE_LOOKS = 4  #: of links, the nearest first; all further distances look like the last
LEAST_WIDTH = 560  #: pixels of a large machine's picture; where there is less room it scrolls
SIDEWAYS = 1.2  #: how much farther than along a node may be sideways and still be in that direction

DIRECTIONS = {"ArrowRight": (1, 0), "ArrowLeft": (-1, 0), "ArrowUp": (0, 1), "ArrowDown": (0, -1)}


class Use(NamedTuple):
    """Frames in use of a node, and how many it has."""

    used: int
    frames: int

    def __str__(self) -> str:
        share = f"{100 * self.used / self.frames:.0f} %" if self.frames else "nothing"
        return f"{self.used:,} of {self.frames:,} frames in use ({share})"


class Link(NamedTuple):
    """A line between two groups (a node is a group of one): the distance, both groups, and where the line ends."""

    distance: int
    groups: tuple[tuple[int, ...], tuple[int, ...]]
    ends: tuple[Point, Point]


@dataclass(frozen=True)
class Map:
    """What is drawn: the machine, where its nodes stand, and how full they are where that is known."""

    topology: Topology
    whole: Placed
    use: dict[int, Use]

    @cached_property
    def places(self) -> dict[int, Placed]:
        """Where each node stands."""
        return {node.group.nodes[0]: node for node in leaves(self.whole)}

    @cached_property
    def distances(self) -> list[int]:
        """The distances between different nodes, ascending, each once."""
        return remote_distances(self.topology)

    @cached_property
    def links(self) -> list[Link]:
        """The lines, the farthest first."""
        return sorted(_links_in(self, self.whole), key=lambda link: -link.distance)

    @property
    def labelled(self) -> bool:
        """Whether there is room for words at each node."""
        return len(self.topology.nodes) <= LABELLED


def map_of(topology: Topology, machine: MachineState | None) -> Map:
    """The picture of a topology; of a machine, with what is in use of each node now."""
    whole = placed(grouped(topology), space=2.1 if len(topology.nodes) <= LABELLED else 1.22)
    if machine is None:
        return Map(topology, whole, {})
    frames = {node: len(machine.frames_of(node)) for node in machine.node_ids}
    return Map(topology, whole, {node: Use(number - machine.nr_free(node), number) for node, number in frames.items()})


# -- keys


def neighbours(drawn: Map, node: int) -> dict[str, int]:
    """Where each arrow key leads from a node: to the nearest one on that side; it stays where there is none.

    Page up and page down go through the ids, so that every node can be reached.
    """
    places = drawn.places
    ids = list(drawn.topology.nodes)
    found = {key: _next_to(places, node, direction) for key, direction in DIRECTIONS.items()}
    at = ids.index(node)
    turns = {"PageDown": ids[(at + 1) % len(ids)], "PageUp": ids[at - 1]}
    return found | turns | {"Home": ids[0], "End": ids[-1]}


def _next_to(places: dict[int, Placed], node: int, direction: tuple[int, int]) -> int:
    x, y = places[node].center
    reached = []
    for other, place in places.items():
        right, up = place.center[0] - x, place.center[1] - y
        along, sideways = right * direction[0] + up * direction[1], abs(right * direction[1]) + abs(up * direction[0])
        if along > 1e-6 and sideways <= SIDEWAYS * along:
            reached.append((along + 2 * sideways, other))
    return min(reached)[1] if reached else node


# -- the picture


def picture(drawn: Map, node: int | None, selected: int | None, interactive: bool) -> str:
    """The picture, with the distances from ``node`` on all others if one is shown."""
    left, right, low, high = _frame(drawn)
    lines = "".join([*_grounds(drawn.whole), *(_line(drawn, link, node) for link in drawn.links)])
    focus = drawn.topology.nodes[0] if selected is None else selected
    near = frozenset() if node is None else frozenset(nearest(drawn.topology, node))
    control = _control if interactive else _no_control
    nodes = "".join(
        _node(drawn, i, node, i in near, control(drawn, i, node, i == focus, i == selected))
        for i in drawn.topology.nodes
    )
    name = escape(f"Nodes of {drawn.topology.name}")
    role = (
        f'role="group" aria-label="{name}" data-roving="" data-keys="map"'
        if interactive
        else f'role="img" aria-label="{name}"'
    )
    least = "" if drawn.labelled else f";min-width:{LEAST_WIDTH}px"
    box = f'viewBox="{left:.1f} {-high:.1f} {right - left:.1f} {high - low:.1f}"'
    return f'<svg {role} {box} style="max-width:{1.35 * (right - left):.0f}px{least}">{lines}{nodes}</svg>'


def _frame(drawn: Map) -> tuple[float, float, float, float]:
    """Left, right, low and high end of all nodes with what is written at them."""
    places = [*leaves(drawn.whole), *drawn.whole.children]
    beside, beyond = 0.25, 0.25
    if drawn.labelled:
        count = len(drawn.topology.nodes)
        sideways = any(label_place(node, count)[1] != "center" for node in leaves(drawn.whole))
        beside, beyond = 3.1 if sideways else 1.6, 1.5
    left = min(part.center[0] - part.radius for part in places) - beside
    right = max(part.center[0] + part.radius for part in places) + beside
    low = min(part.center[1] - part.radius for part in places) - beyond
    high = max(part.center[1] + part.radius for part in places) + max(beyond, 0.5)
    return left * UNIT, right * UNIT, low * UNIT, high * UNIT


def _grounds(group: Placed, outermost: bool = True) -> Iterator[str]:
    """The ground of each group of several nodes, but for the whole machine."""
    if group.children and not outermost:
        x, y = _at(group.center)
        yield f'<circle class="nk-ground" cx="{x:.1f}" cy="{y:.1f}" r="{group.radius * GROUND * UNIT:.1f}"/>'
    for child in group.children:
        yield from _grounds(child, outermost=False)


def _links_in(drawn: Map, group: Placed) -> Iterator[Link]:
    """The lines between the members of a group, and those in each of them; on large machines the nearest only."""
    for a, b in combinations(group.children, 2):
        distance = gap(drawn.topology, a.group, b.group)
        if drawn.labelled or distance == group.group.distance:
            yield Link(distance, (a.group.nodes, b.group.nodes), (_at(_edge(a, b)), _at(_edge(b, a))))
    for child in group.children:
        yield from _links_in(drawn, child)


def _line(drawn: Map, link: Link, node: int | None) -> str:
    (x0, y0), (x1, y1) = link.ends
    look = f"nk-d{min(drawn.distances.index(link.distance), LINE_LOOKS - 1)}"
    look += " nk-from" if node is not None and (node,) in link.groups else ""
    return f'<line class="{look}" x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"/>'


def _edge(start: Placed, end: Placed) -> Point:
    """Where a line from one group to another leaves the first one's ground; for a node, its middle."""
    if not start.children:
        return start.center
    along = start.radius * GROUND / math.dist(start.center, end.center)
    x, y = start.center
    return x + along * (end.center[0] - x), y + along * (end.center[1] - y)


def _at(point: Point) -> Point:
    """A place of the layout in the picture, where down is positive."""
    return point[0] * UNIT, -point[1] * UNIT


def _node(drawn: Map, i: int, node: int | None, near: bool, control: str) -> str:
    """One node: round with CPUs, square without; dashed without memory; its number, bar and distance."""
    topology, (x, y) = drawn.topology, _at(drawn.places[i].center)
    look = "nk-node" + (" nk-bare" if not topology.memory(i) else "")
    look += " nk-shown" if i == node else " nk-near" if near else ""
    parts = [_shape(topology, i), *_bar(drawn, i), *_words(drawn, i)]
    up = -8 if topology.memory(i) else 0
    parts.append(f'<text class="nk-number" y="{up}" font-size="{19 if i < 100 else 15}">{i}</text>')
    if node is not None:
        parts.append(
            '<rect class="nk-badge" x="8" y="-38" width="32" height="20" rx="10"/>'
            f'<text class="nk-far" x="24" y="-27.5" font-size="14">{topology.distance(node, i)}</text>'
        )
    parts.append('<circle class="nk-focus" r="37"/>')
    return f'<g class="{look}" data-key="{i}"{control} transform="translate({x:.1f} {y:.1f})">{"".join(parts)}</g>'


def _control(drawn: Map, i: int, node: int | None, focus: bool, selected: bool) -> str:
    """What makes a node a button: its name, and what pressing it and pointing at it set."""
    wish, over = json.dumps({"selected": i}), json.dumps({"hovered": i})
    return (
        f' role="button" tabindex="{0 if focus else -1}" aria-pressed="{str(selected).lower()}"'
        f" aria-label=\"{escape(label(drawn, i, node))}\" data-node=\"{i}\" data-set='{wish}' data-hover='{over}'"
    )


def _no_control(*_: object) -> str:
    return ""


def _shape(topology: Topology, i: int) -> str:
    if topology.cpus(i) or not topology.knows_cpus(i):
        return '<circle class="nk-shape" r="30"/>'
    return '<rect class="nk-shape" x="-27" y="-27" width="54" height="54" rx="6"/>'


def _bar(drawn: Map, i: int) -> Iterator[str]:
    """How long it is tells the memory; how much of it is filled, what is in use."""
    most = max(drawn.topology.memory(j) for j in drawn.topology.nodes)
    if drawn.topology.memory(i):
        long = max(4.0, 38 * drawn.topology.memory(i) / most)
        yield f'<rect class="nk-full" x="-19" y="8" width="{long:.1f}" height="9"/>'
        used = long * drawn.use[i].used / drawn.use[i].frames if drawn.use else long
        if used:
            yield f'<rect class="nk-used" x="-19" y="8" width="{used:.1f}" height="9"/>'


def _words(drawn: Map, i: int) -> Iterator[str]:
    """Memory and CPUs on the side of the node that looks away from the others, where there is room."""
    if drawn.labelled:
        memory = memory_text(drawn.topology, i)
        lines = ["no memory" if memory == "none" else memory, _cpus(drawn.topology, i)]
        _, side, end = label_place(drawn.places[i], len(drawn.topology.nodes))
        x, anchor = {"left": (37, "start"), "right": (-37, "end"), "center": (0, "middle")}[side]
        y = {"bottom": -66, "top": 43, "center": -6}[end]
        for row, line in enumerate(lines):
            where = f'x="{x}" y="{y + 17 * row}" style="text-anchor:{anchor}" font-size="13.5"'
            yield f'<text class="nk-word" {where}>{escape(line)}</text>'


def _cpus(topology: Topology, i: int) -> str:
    if not topology.knows_cpus(i):
        return "CPUs unknown"
    number = len(topology.cpus(i))
    return f"{number or 'no'} CPU{'s' * (number != 1)}"


# -- words


def nearest(topology: Topology, node: int) -> tuple[int, ...]:
    """The other nodes that are as near to a node as any."""
    others = [j for j in topology.nodes if j != node]
    least = min((topology.distance(node, j) for j in others), default=0)
    return tuple(j for j in others if topology.distance(node, j) == least)


def label(drawn: Map, i: int, node: int | None) -> str:
    """A node in one line: what it has, and how far it is from the one that is shown."""
    topology = drawn.topology
    parts = [f"node {i}", _cpus(topology, i), _memory(topology, i)]
    if i in drawn.use and topology.memory(i):
        parts.append(str(drawn.use[i]))
    if node is not None and node != i:
        near = ", as near as any" if i in nearest(topology, node) else ""
        parts.append(f"distance {topology.distance(node, i)} from node {node}{near}")
    return ", ".join(parts)


def _memory(topology: Topology, i: int) -> str:
    if not topology.memory(i):
        return "no memory"
    kind = topology.kind(i)
    return size(topology.memory(i)) + (" of memory" if kind == "ram" else f" of {kind} memory")


def about(drawn: Map, node: int) -> list[str]:
    """Sentences about a node: what it has, how full it is, how far the others are, where its allocations go."""
    topology = drawn.topology
    cpus = f" ({cpus_text(topology, node)})" if topology.cpus(node) else ""
    lines = [f"Node {node}: {_cpus(topology, node)}{cpus}, {_memory(topology, node)}."]
    if node in drawn.use and topology.memory(node):
        lines.append(f"{drawn.use[node]}.")
    by_distance: dict[int, list[int]] = {}
    for j in topology.nodes:
        if j != node:
            by_distance.setdefault(topology.distance(node, j), []).append(j)
    for place, (distance, nodes) in enumerate(sorted(by_distance.items())):
        near = " (nearest)" if not place and len(by_distance) > 1 else ""
        lines.append(f"{distance} to node{'s' * (len(nodes) > 1)} {format_list(nodes)}{near}.")
    lines += [
        f"Back from node {j}: {topology.distance(j, node)}."
        for j in topology.nodes
        if topology.distance(j, node) != topology.distance(node, j)
    ]
    order = topology.nearest(node)
    tried = ", ".join(map(str, order[:LABELLED])) + (", ..." if len(order) > LABELLED else "")
    return [*lines, f"An allocation here tries the nodes {tried}, in this order." if len(order) > 1 else ""]


def notes(topology: Topology) -> list[str]:
    """What cannot be drawn: nodes that are offline, ids that no node has, and what is odd."""
    lines = []
    if offline := [i for i in topology.possible if i not in topology.online]:
        lines.append(f"Possible but offline: {format_list(offline)}.")
    if holes := sorted(set(range(max(topology.possible))) - set(topology.possible)):
        lines.append(f"No node has the id {format_list(holes)}.")
    if not topology.has_distances:
        lines.append("The source has no distances: 10 and 20 are Linux' own.")
    return [*lines, *topology.warnings]


def rows(drawn: Map) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """The machine as a table: head and rows."""
    topology = drawn.topology
    head = ("node", "CPUs", "memory", *(["in use"] if drawn.use else []), "distances")
    body = []
    for i in topology.nodes:
        by_distance: dict[int, list[int]] = {}
        for j in topology.nodes:
            by_distance.setdefault(topology.distance(i, j), []).append(j)
        far = "; ".join(f"{distance} to {format_list(nodes)}" for distance, nodes in sorted(by_distance.items()))
        used = [f"{drawn.use[i].used:,} of {drawn.use[i].frames:,}"] if i in drawn.use else []
        body.append((str(i), cpus_text(topology, i), memory_text(topology, i), *used, far))
    return head, body


def table_html(drawn: Map) -> str:
    """The same, folded."""
    head, body = rows(drawn)
    th = "".join(f'<th scope="col">{name}</th>' for name in head)
    trs = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{escape(cell)}</td>" for cell in row[1:])}</tr>'
        for row in body
    )
    return (
        "<details><summary>All nodes as a table</summary><table>"
        f"<thead><tr>{th}</tr></thead><tbody>{trs}</tbody></table></details>"
    )


def key_html(drawn: Map) -> str:
    """What lines and shapes mean."""
    distances, items = drawn.distances, []
    lines = {link.distance for link in drawn.links}
    for rank, distance in enumerate(distances[:LINE_LOOKS]):
        last = rank == LINE_LOOKS - 1 and len(distances) > LINE_LOOKS
        name = f"{distance} to {distances[-1]}" if last else str(distance)
        name += "" if lines & set(distances[rank:] if last else [distance]) else " (not drawn)"
        line = (
            f'<svg viewBox="0 0 30 16" aria-hidden="true"><line class="nk-d{rank}" x1="0" y1="8" x2="30" y2="8"/></svg>'
        )
        items.append(f'<li class="nk-map">{line} distance {name}</li>')
    bar = "bar: memory" + (", and how much of it is in use" if drawn.use else "")
    shapes = ["round: with CPUs", "square: no CPUs", "dashed: no memory", bar]
    there = [any(map(drawn.topology.cpus, drawn.topology.nodes)), *_odd(drawn.topology), True]
    items += [f"<li>{shape}</li>" for shape, shown in zip(shapes, there, strict=True) if shown]
    if any(group.children for group in drawn.whole.children):
        items.append("<li>a line between groups: the distance of their nearest nodes</li>")
    return f'<ul class="nk-key" aria-label="Legend">{"".join(items)}</ul>'


def _odd(topology: Topology) -> list[bool]:
    """Whether there are nodes without CPUs, and without memory."""
    without = [i for i in topology.nodes if not topology.cpus(i) and topology.knows_cpus(i)]
    return [bool(without), any(not topology.memory(i) for i in topology.nodes)]


def text(title: str, drawn: Map, node: int | None) -> str:
    """All of it for a terminal, a screen reader, and wherever HTML is not shown."""
    told = [line for line in about(drawn, node) if line] if node is not None else []
    return "\n".join([title, *told, text_table(*rows(drawn)), *notes(drawn.topology)])
