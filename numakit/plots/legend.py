"""The legend below the machine's picture: what things mean, and above that what cannot be drawn."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from numakit.plots.node import Canvas
from numakit.topology.idlists import format_list
from numakit.topology.show import size

if TYPE_CHECKING:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

NAMED_DISTANCES = 10
"""With more distances than this, the legend gives the range of the further ones."""


def write_legend(canvas: Canvas, looks: Sequence[tuple[int, dict[str, Any] | None]]) -> None:
    """`looks` has each distance and how its links look, None where none was drawn."""
    width = _inches(canvas) * 12
    legend = canvas.ax.legend(
        handles=[*_link_handles(looks), *_node_handles(canvas), *_bar_handles(canvas)],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        ncols=2,
        frameon=False,
        fontsize=9,
        labelcolor=canvas.theme.ink,
        title="\n".join(textwrap.fill(note, int(width)) for note in _notes(canvas)),
        title_fontsize=8.5,
        alignment="left",
    )
    legend.get_title().set_color(canvas.theme.ink)


def _inches(canvas: Canvas) -> float:
    figure = canvas.ax.get_figure(root=True)
    assert figure is not None
    return float(figure.get_size_inches()[0])


def _link_handles(looks: Sequence[tuple[int, dict[str, Any] | None]]) -> list[Line2D]:
    from matplotlib.lines import Line2D

    handles: list[Line2D] = []
    for place, (distance, look) in enumerate(looks[:NAMED_DISTANCES]):
        if look is not None:
            nearest = " (nearest)" if place == 0 and len(looks) > 1 else ""
            handles.append(Line2D([], [], label=f"distance {distance}{nearest}", **look))
        else:
            handles.append(Line2D([], [], linestyle="none", label=f"distance {distance} (not drawn)"))
    if further := looks[NAMED_DISTANCES:]:
        label = f"{len(further)} more distances, {further[0][0]} to {further[-1][0]}"
        handles.append(Line2D([], [], label=label, **(further[-1][1] or {"linestyle": "none"})))
    return handles


def _node_handles(canvas: Canvas) -> list[Line2D]:
    """One entry for each kind of node that is there."""
    from matplotlib.lines import Line2D

    topology, theme = canvas.topology, canvas.theme
    found = {(bool(topology.cpus(i)), topology.knows_cpus(i), bool(topology.memory(i))) for i in topology.nodes}
    handles: list[Line2D] = []
    for cpus, known, memory in sorted(found, reverse=True):
        words = [word for there, word in ((cpus, "CPUs"), (memory, "memory")) if there]
        label = " and ".join(words) or "neither CPUs nor memory"
        label += ", CPUs unknown" if not known else " only" if len(words) == 1 else ""
        look: dict[str, Any] = {"linestyle": "none", "marker": "o" if cpus or not known else "s", "markersize": 11}
        face = theme.paper if memory else theme.bare
        handles.append(
            Line2D([], [], markeredgecolor=theme.ink, markerfacecolor=face, label=f"node with {label}", **look)
        )
    return handles


def _bar_handles(canvas: Canvas) -> list[Patch]:
    from matplotlib.patches import Patch

    theme, full = canvas.theme, size(canvas.most_memory)
    if not canvas.most_memory:
        return []
    if not canvas.use:
        return [Patch(facecolor=theme.bar, edgecolor=theme.ink, label=f"memory (full bar: {full})")]
    return [
        Patch(facecolor=theme.used, edgecolor=theme.ink, label="memory in use"),
        Patch(facecolor=theme.unused, edgecolor=theme.ink, label=f"memory not in use (full bar: {full})"),
    ]


def _notes(canvas: Canvas) -> list[str]:
    """What a line between groups means, offline nodes, warnings."""
    topology = canvas.topology
    grouped_only = "A line between groups: the distance of their nearest nodes. Others are left out."
    notes = [] if canvas.labelled else [grouped_only]
    offline = [i for i in topology.possible if i not in topology.online]
    if offline:
        notes.append(f"Possible but offline: {format_list(offline)}.")
    return [*notes, *topology.warnings]
