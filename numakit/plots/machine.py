"""The machine as a graph: nodes with their memory, links by distance, groups of near nodes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any

from numakit.plots.layout import Placed, Point, gap, grouped, leaves, placed
from numakit.plots.legend import write_legend
from numakit.plots.node import LABELLED, Canvas, draw_node, label_place
from numakit.plots.theme import Theme, new_axes, theme_named
from numakit.topology import Topology, TopologyError
from numakit.topology.idlists import format_list
from numakit.topology.show import summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GROUND = 1.04
"""Radius of a group's ground, in radii of the group."""

CROWDED = 40
"""With more links than this in one group, each is drawn thinner."""

LINKS: tuple[dict[str, Any], ...] = (
    {"linewidth": 3.2, "linestyle": "-"},
    {"linewidth": 2.4, "linestyle": "-"},
    {"linewidth": 1.8, "linestyle": "--"},
    {"linewidth": 1.2, "linestyle": ":"},
)
"""How links look, the shortest remote distance first; all further ones look like the last."""


def draw_topology(
    topology: Topology, ax: Axes | None = None, use: Mapping[int, int] | None = None, theme: str = "light"
) -> Axes:
    """Draw the machine and return its axes; `describe_topology` says the same in words.

    `use` gives the bytes in use of each node, for the bars; without it bars show how much memory there is. `theme` is
    "light" or "dark". Raises `TopologyError` if `use` names a node that is not online, or more memory than it has;
    ValueError for another theme.
    """
    colours = theme_named(theme)
    check_use(topology, use)
    whole = placed(grouped(topology), space=2.1 if len(topology.nodes) <= LABELLED else 1.22)
    frame = _frame(whole, lines=3 if use else 2)
    ax = ax or _new_axes(len(topology.nodes), frame, colours)
    ax.set(xlim=frame[:2], ylim=frame[2:], aspect="equal")
    ax.set_axis_off()
    canvas = Canvas(ax, topology, colours, use)
    distances = remote_distances(topology)
    drawn = _draw_group(canvas, whole, distances, outermost=True)
    for node in leaves(whole):
        draw_node(canvas, node)
    ax.set_title(f"{topology.name}: {summary(topology)}", fontsize=12, color=colours.ink, wrap=True)
    looks = [(distance, _look(colours, distances, distance) if distance in drawn else None) for distance in distances]
    write_legend(canvas, looks)
    return ax


def check_use(topology: Topology, use: Mapping[int, int] | None) -> None:
    """Raise `TopologyError` for a node that is not there, or more memory than a node has."""
    for i, used in (use or {}).items():
        if i not in topology.online:
            raise TopologyError(f"use names node {i!r}; allowed are {format_list(topology.nodes)}")
        if not 0 <= used <= topology.memory(i):
            raise TopologyError(f"use[{i}]={used!r}; allowed are 0 to {topology.memory(i)} bytes")


def remote_distances(topology: Topology) -> list[int]:
    """The distances between different nodes, ascending, each once."""
    return sorted({topology.distance(i, j) for i in topology.nodes for j in topology.nodes if i != j})


def _new_axes(count: int, frame: tuple[float, float, float, float], theme: Theme) -> Axes:
    """A figure with the shape of what is drawn, and room for title and legend."""
    left, right, low, high = frame
    width = 5.6 if count <= 4 else 8.0 if count <= LABELLED else 8.6
    return new_axes(width, width * (high - low) / (right - left) + 1.5, theme)


def _frame(whole: Placed, lines: int) -> tuple[float, float, float, float]:
    """Left, right, low and high end of all nodes, the grounds of their groups, and labels of so many lines."""
    nodes = leaves(whole)
    parts = nodes + list(whole.children)
    beside, above = 0.3, 0.3
    if len(nodes) <= LABELLED:
        at_sides = any(label_place(node, len(nodes))[1] != "center" for node in nodes)
        beside, above = 3.4 if at_sides or len(nodes) == 1 else 1.6, 0.7 + 0.6 * lines
    return (
        min(part.center[0] - part.radius for part in parts) - beside,
        max(part.center[0] + part.radius for part in parts) + beside,
        min(part.center[1] - part.radius for part in parts) - above,
        max(part.center[1] + part.radius for part in parts) + above,
    )


def _look(theme: Theme, distances: list[int], distance: int) -> dict[str, Any]:
    place = min(distances.index(distance), len(LINKS) - 1)
    return {"color": theme.links[place], **LINKS[place]}


def _draw_group(canvas: Canvas, group: Placed, distances: list[int], outermost: bool) -> set[int]:
    """Draw a group's ground and the links between its members; returns the distances that were drawn."""
    from matplotlib.patches import Circle

    drawn: set[int] = set()
    if group.children and not outermost:
        ground = {"color": canvas.theme.area, "alpha": 0.16, "linewidth": 0, "zorder": 0}
        canvas.ax.add_patch(Circle(group.center, group.radius * GROUND, **ground))
    all_links = len(canvas.topology.nodes) <= LABELLED
    pairs = list(combinations(group.children, 2))
    for a, b in pairs:
        distance = gap(canvas.topology, a.group, b.group)
        if all_links or distance == group.group.distance:
            (x0, y0), (x1, y1) = _edge(a, b), _edge(b, a)
            zorder = 2 - distances.index(distance) / len(distances)
            look = _look(canvas.theme, distances, distance)
            look["linewidth"] *= max(0.1, min(1.0, CROWDED / len(pairs)))
            canvas.ax.plot([x0, x1], [y0, y1], zorder=zorder, **look)
            drawn.add(distance)
    for child in group.children:
        drawn |= _draw_group(canvas, child, distances, outermost=False)
    return drawn


def _edge(start: Placed, end: Placed) -> Point:
    """Where a line from one group to another leaves the first one's ground; for a node, its middle."""
    if not start.children:
        return start.center
    along = start.radius * GROUND / math.dist(start.center, end.center)
    return (
        start.center[0] + along * (end.center[0] - start.center[0]),
        start.center[1] + along * (end.center[1] - start.center[1]),
    )
