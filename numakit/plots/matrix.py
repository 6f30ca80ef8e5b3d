"""The distance table as a heat map with its numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numakit.plots.theme import Theme, dress, new_axes, theme_named
from numakit.topology import Topology
from numakit.topology.idlists import shortened

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CELL = 0.17
"""Inches of a cell of a large table: room for a number of 5.5 points."""


def draw_distances(topology: Topology, ax: Axes | None = None, theme: str = "light") -> Axes:
    """Draw the distances from each node (row) to each node (column), what is near stands out, and return the axes.

    `describe_distances` says it in words. Raises ValueError for a theme other than "light" and "dark".
    """
    import numpy as np

    look = theme_named(theme)
    nodes = topology.nodes
    table = [[topology.distance(i, j) for j in nodes] for i in nodes]
    # From 10 to at least 20, so that small tables do not make a little difference look large.
    low, high = min(10, *map(min, table)), max(20, *map(max, table))
    ax = ax or _new_axes(len(nodes), look)
    image = ax.imshow(table, cmap=look.heat, aspect="equal", vmin=low, vmax=high)
    font = 11.0 if len(nodes) <= 8 else 8.0 if len(nodes) <= 20 else 5.5
    for value in sorted({value for row in table for value in row}):
        at = [(x, y) for y, row in enumerate(table) for x, there in enumerate(row) if there == value]
        _write_all(ax, str(value), at, font, readable_on(image.to_rgba(np.array([value]))[0].tolist()))
    labels = [str(i) for i in nodes]
    ax.set_xticks(range(len(nodes)), labels, fontsize=max(font, 6.0), rotation=90 if len(nodes) > 20 else 0)
    ax.set_yticks(range(len(nodes)), labels, fontsize=max(font, 6.0))
    ax.set_xlabel("to node")
    ax.set_ylabel("from node")
    ax.set_title(_title(topology, ax), fontsize=10.5)
    dress(ax, look)
    return ax


def _new_axes(count: int, theme: Theme) -> Axes:
    side = max(3.8, CELL * count + 1.0, 0.55 * count + 1.2 if count <= 12 else 0.0)
    return new_axes(side, side, theme)


def _title(topology: Topology, ax: Axes) -> str:
    """What it is, in two lines where one would be longer than the picture is wide."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    what, local = f"Distances of {topology.name}", "(10 is local)"
    width = int(figure.get_size_inches()[0] * 9)
    return f"{what} {local}" if len(what) + len(local) < width else f"{shortened(what)}\n{local}"


def readable_on(colour: list[float]) -> str:
    """Black or white, whichever has more contrast (relative luminance as WCAG 2 defines it)."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour[:3])
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.179 else "white"


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
