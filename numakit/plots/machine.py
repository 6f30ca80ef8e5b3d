"""The machine as a graph: nodes with their memory, links by distance, groups of near nodes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, Literal

from numakit.plots import colours
from numakit.plots.layout import Placed, Point, gap, grouped, placed
from numakit.topology import Topology, TopologyError
from numakit.topology.idlists import format_list
from numakit.topology.show import cpus_text, memory_text, size, summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

LABELLED = 16
"""Up to this many nodes have memory and CPUs written below them; more have their number and bar only."""

GROUND = 1.04
"""Radius of a group's ground, in radii of the group."""

CROWDED = 40
"""With more links than this in one group, each is drawn thinner."""

LINKS: tuple[dict[str, Any], ...] = (
    {"color": colours.BLUE, "linewidth": 3.2, "linestyle": "-"},
    {"color": colours.SKY, "linewidth": 2.4, "linestyle": "-"},
    {"color": colours.ORANGE, "linewidth": 1.8, "linestyle": "--"},
    {"color": colours.GREY, "linewidth": 1.2, "linestyle": ":"},
)
"""How links look, the shortest remote distance first; all further ones look like the last."""


def draw_topology(topology: Topology, ax: Axes | None = None, use: Mapping[int, int] | None = None) -> Axes:
    """Draw the machine and return its axes; `describe_topology` says the same in words.

    `use` gives the bytes in use of each node, for the bars; without it bars show how much memory there is.
    Raises `TopologyError` if `use` names a node that is not online, or more memory than it has.
    """
    _check_use(topology, use)
    ax = ax or _new_axes(len(topology.nodes))
    labelled = len(topology.nodes) <= LABELLED
    whole = placed(grouped(topology), space=2.1 if labelled else 1.22)
    _set_limits(ax, whole, labelled)
    distances = _remote_distances(topology)
    drawn = _draw_group(ax, topology, whole, distances, outermost=True)
    for node in _leaves(whole):
        _draw_node(ax, topology, node, whole, use)
    ax.set_title(f"{topology.name}: {summary(topology)}", fontsize=12)
    _write_legend(ax, [*_link_handles(distances, drawn), *_node_handles(topology, use)], _notes(topology))
    return ax


def _new_axes(count: int) -> Axes:
    import matplotlib.pyplot as plt

    width = 5.6 if count <= 4 else 8.0 if count <= LABELLED else 8.6
    _, ax = plt.subplots(figsize=(width, width + (0.4 if count > 2 else -1.0)), layout="constrained")
    return ax


def _set_limits(ax: Axes, whole: Placed, labelled: bool) -> None:
    """Room for all nodes, the grounds of their groups, and the labels around them."""
    parts = _leaves(whole) + list(whole.children)
    beside, above = (3.2, 1.9) if labelled and len(parts) > 4 else (1.6, 1.9) if labelled else (0.3, 0.3)
    ax.set_xlim(
        min(part.center[0] - part.radius for part in parts) - beside,
        max(part.center[0] + part.radius for part in parts) + beside,
    )
    ax.set_ylim(
        min(part.center[1] - part.radius for part in parts) - above,
        max(part.center[1] + part.radius for part in parts) + above,
    )
    ax.set_aspect("equal")
    ax.set_axis_off()


def _leaves(group: Placed) -> list[Placed]:
    if not group.children:
        return [group]
    return [node for child in group.children for node in _leaves(child)]


def _remote_distances(topology: Topology) -> list[int]:
    return sorted({topology.distance(i, j) for i in topology.nodes for j in topology.nodes if i != j})


def _look(distances: list[int], distance: int) -> dict[str, Any]:
    return dict(LINKS[min(distances.index(distance), len(LINKS) - 1)])


def _draw_group(ax: Axes, topology: Topology, group: Placed, distances: list[int], outermost: bool) -> set[int]:
    """Draw a group's ground and the links between its members; returns the distances that were drawn."""
    from matplotlib.patches import Circle

    drawn: set[int] = set()
    if group.children and not outermost:
        ground = {"color": colours.GREY, "alpha": 0.13, "linewidth": 0, "zorder": 0}
        ax.add_patch(Circle(group.center, group.radius * GROUND, **ground))
    all_links = len(topology.nodes) <= LABELLED
    pairs = list(combinations(group.children, 2))
    for a, b in pairs:
        distance = gap(topology, a.group, b.group)
        if all_links or distance == group.group.distance:
            (x0, y0), (x1, y1) = _edge(a, b), _edge(b, a)
            zorder = 2 - distances.index(distance) / len(distances)
            look = _look(distances, distance)
            look["linewidth"] *= max(0.1, min(1.0, CROWDED / len(pairs)))
            ax.plot([x0, x1], [y0, y1], zorder=zorder, **look)
            drawn.add(distance)
    for child in group.children:
        drawn |= _draw_group(ax, topology, child, distances, outermost=False)
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


def _draw_node(ax: Axes, topology: Topology, node: Placed, whole: Placed, use: Mapping[int, int] | None) -> None:
    """A circle, or a square without CPUs; white if there is memory; its number, and the bar of its memory."""
    from matplotlib.patches import Circle, FancyBboxPatch, Rectangle

    i, (x, y) = node.group.nodes[0], node.center
    memory, cpus = topology.memory(i), topology.cpus(i)
    look: dict[str, Any] = {
        "facecolor": "#FFFFFF" if memory else "#EEEEEE",
        "edgecolor": colours.BLACK,
        "linewidth": 1.4,
        "linestyle": "-" if memory else "--",
        "zorder": 3,
    }
    if cpus:
        ax.add_patch(Circle((x, y), 1.0, **look))
    else:
        box = FancyBboxPatch((x - 0.75, y - 0.75), 1.5, 1.5, boxstyle="round,pad=0.12", **look)
        ax.add_patch(box)
    points = _points_per_unit(ax)
    number_height = 0.22 if memory else 0.0
    ax.text(
        x,
        y + number_height,
        str(i),
        ha="center",
        va="center",
        color=colours.BLACK,
        weight="bold",
        fontsize=min(15.0, max(5.0, points * (0.72 if i < 100 else 0.55))),
        zorder=5,
    )
    if memory:
        full = 1.3 * memory / max(topology.memory(j) for j in topology.nodes)
        left, bottom = x - 0.65, y - 0.6
        ax.add_patch(Rectangle((left, bottom), full, 0.3, facecolor="#DDDDDD" if use else colours.GREEN, zorder=4))
        if use:
            ax.add_patch(
                Rectangle((left, bottom), full * use.get(i, 0) / memory, 0.3, facecolor=colours.VERMILLION, zorder=4)
            )
        ax.add_patch(Rectangle((left, bottom), full, 0.3, fill=False, edgecolor=colours.BLACK, linewidth=0.6, zorder=4))
    if len(topology.nodes) <= LABELLED:
        _label_node(ax, topology, node, whole, use)


def _label_node(ax: Axes, topology: Topology, node: Placed, whole: Placed, use: Mapping[int, int] | None) -> None:
    """Memory and CPUs, on the side of the node that looks away from the middle of the picture."""
    i = node.group.nodes[0]
    memory = memory_text(topology, i) if topology.memory(i) else "no memory"
    if use and topology.memory(i):
        memory = f"{size(use.get(i, 0))} of {memory}"
    cpus = f"CPUs {cpus_text(topology, i)}" if topology.cpus(i) else "no CPUs"
    if len(cpus) > 16:
        cpus = f"{len(topology.cpus(i))} CPUs"
    (x, y), ha, va = _label_place(node, whole, len(topology.nodes))
    ax.text(
        x,
        y,
        f"{memory}\n{cpus}",
        ha=ha,
        va=va,
        zorder=5,
        linespacing=1.15,
        fontsize=min(10.0, max(6.5, _points_per_unit(ax) * 0.42)),
        bbox={"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
    )


def _label_place(
    node: Placed, whole: Placed, count: int
) -> tuple[Point, Literal["left", "right", "center"], Literal["top", "bottom", "center"]]:
    (x, y), right, up = node.center, node.center[0] - whole.center[0], node.center[1] - whole.center[1]
    if count > 2 and abs(up) < 0.3 * whole.radius:
        return ((x + 1.2, y), "left", "center") if right > 0 else ((x - 1.2, y), "right", "center")
    return ((x, y + 1.18), "center", "bottom") if up > 0.1 else ((x, y - 1.18), "center", "top")


def _points_per_unit(ax: Axes) -> float:
    """How many points a unit of the drawing is long, as far as one can know before it is laid out."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    box = ax.get_position()
    width, height = figure.get_size_inches()
    low, high = ax.get_xlim()
    bottom, top = ax.get_ylim()
    return float(min(72 * width * box.width / (high - low), 72 * height * box.height / (top - bottom)))


def _link_handles(distances: list[int], drawn: set[int]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    handles: list[Line2D] = []
    for distance in distances:
        if distance in drawn:
            nearest = " (nearest)" if distance == distances[0] and len(distances) > 1 else ""
            handles.append(Line2D([], [], label=f"distance {distance}{nearest}", **_look(distances, distance)))
        else:
            handles.append(Line2D([], [], linestyle="none", label=f"distance {distance} (not drawn)"))
    return handles


def _node_handles(topology: Topology, use: Mapping[int, int] | None) -> list[Line2D | Patch]:
    """One entry for each kind of node that is there, and for the bars."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found = sorted({(bool(topology.cpus(i)), bool(topology.memory(i))) for i in topology.nodes}, reverse=True)
    handles: list[Line2D | Patch] = []
    for cpus, memory in found:
        words = [word for there, word in ((cpus, "CPUs"), (memory, "memory")) if there]
        handles.append(
            Line2D(
                [],
                [],
                linestyle="none",
                marker="o" if cpus else "s",
                markersize=11,
                markeredgecolor=colours.BLACK,
                markerfacecolor="#FFFFFF" if memory else "#DDDDDD",
                label="node with "
                + (" and ".join(words) or "neither CPUs nor memory")
                + (" only" if len(words) == 1 else ""),
            )
        )
    if use:
        handles.append(Patch(facecolor=colours.VERMILLION, edgecolor=colours.BLACK, label="memory in use"))
    most = max(topology.memory(i) for i in topology.nodes)
    free = "memory free" if use else f"memory (full bar: {size(most)})"
    handles.append(Patch(facecolor="#DDDDDD" if use else colours.GREEN, edgecolor=colours.BLACK, label=free))
    return handles


def _write_legend(ax: Axes, handles: list[Line2D | Patch], notes: list[str]) -> None:
    """Below the picture: what things mean, and above that, as the legend's title, what cannot be drawn."""
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=2,
        frameon=False,
        fontsize=9,
        title="\n".join(textwrap.fill(note, 96) for note in notes),
        title_fontsize=8.5,
        alignment="left",
    )


def _notes(topology: Topology) -> list[str]:
    """What a line between groups means, offline nodes, warnings."""
    grouped_only = "A line between groups: the distance of their nearest nodes. Others are left out."
    notes = [] if len(topology.nodes) <= LABELLED else [grouped_only]
    offline = [i for i in topology.possible if i not in topology.online]
    if offline:
        notes.append(f"Possible but offline: {format_list(offline)}.")
    return [*notes, *topology.warnings]


def _check_use(topology: Topology, use: Mapping[int, int] | None) -> None:
    for i, used in (use or {}).items():
        if i not in topology.online:
            raise TopologyError(f"use names node {i!r}; allowed are {format_list(topology.nodes)}")
        if not 0 <= used <= topology.memory(i):
            raise TopologyError(f"use[{i}]={used!r}; allowed are 0 to {topology.memory(i)} bytes")
