"""The distance table as a heat map with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numakit.topology import Topology

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL = 0.17
"""Inches of a cell of a large table: room for a number of 5.5 points."""


def draw_distances(topology: Topology, ax: Axes | None = None) -> Axes:
    """Draw the distances from each node (row) to each node (column), dark is near, and return the axes."""
    nodes = topology.nodes
    table = [[topology.distance(i, j) for j in nodes] for i in nodes]
    # From 10 to at least 20, so that small tables do not make a little difference look large.
    low, high = min(10, *map(min, table)), max(20, *map(max, table))
    ax = ax or _new_axes(len(nodes))
    ax.imshow(table, cmap="YlGnBu_r", aspect="equal", vmin=low, vmax=high)
    font = 11.0 if len(nodes) <= 8 else 8.0 if len(nodes) <= 20 else 5.5
    for value in sorted({value for row in table for value in row}):
        at = [(x, y) for y, row in enumerate(table) for x, there in enumerate(row) if there == value]
        _write_all(ax, str(value), at, font, "white" if value < (low + high) / 2 else "black")
    labels = [str(i) for i in nodes]
    ax.set_xticks(range(len(nodes)), labels, fontsize=max(font, 6.0), rotation=90 if len(nodes) > 20 else 0)
    ax.set_yticks(range(len(nodes)), labels, fontsize=max(font, 6.0))
    ax.set_xlabel("to node")
    ax.set_ylabel("from node")
    ax.set_title(f"Distances of {topology.name} (10 is local)")
    return ax


def _new_axes(count: int) -> Axes:
    import matplotlib.pyplot as plt

    side = max(3.8, CELL * count + 1.0, 0.55 * count + 1.2 if count <= 12 else 0.0)
    _, ax = plt.subplots(figsize=(side, side), layout="constrained")
    return ax


def _write_all(ax: Axes, text: str, at: list[tuple[int, int]], font: float, colour: str) -> None:
    """The same text at many places, as one marker: thousands of text objects would take seconds."""
    from matplotlib.path import Path
    from matplotlib.textpath import TextPath

    outline = TextPath((0, 0), text, size=font)
    box = outline.get_extents()
    centered = outline.vertices - [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2]
    # A marker is scaled until its farthest point is half a unit off: this area undoes that.
    area = (2 * float(abs(centered).max())) ** 2
    columns, rows = zip(*at, strict=True)
    ax.scatter(columns, rows, s=area, marker=Path(centered, outline.codes), color=colour, linewidths=0)
