"""One node of the machine's picture: its shape, its number, the bar of its memory, and what is written beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from numakit.plots.layout import Placed, Point
from numakit.plots.theme import Theme
from numakit.topology import Topology
from numakit.topology.show import cpus_text, memory_text, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED = 16
"""Up to this many nodes have memory and CPUs written below them; more have their number and bar only."""

Horizontal = Literal["left", "right", "center"]
Vertical = Literal["top", "bottom", "center"]


@dataclass(frozen=True)
class Canvas:
    """What all parts of a picture are drawn with: axes, machine, colours, and memory in use."""

    ax: Axes
    topology: Topology
    theme: Theme
    use: Mapping[int, int] | None

    @property
    def labelled(self) -> bool:
        """Whether there is room for words at each node."""
        return len(self.topology.nodes) <= LABELLED

    @property
    def most_memory(self) -> int:
        """Bytes of the node with the longest bar."""
        return max(self.topology.memory(i) for i in self.topology.nodes)


def draw_node(canvas: Canvas, node: Placed) -> None:
    """A circle, or a square without CPUs; filled if there is memory; its number, and the bar of its memory."""
    i = node.group.nodes[0]
    _draw_shape(canvas, i, node.center)
    _write_number(canvas, i, node.center)
    if canvas.topology.memory(i):
        _draw_bar(canvas, i, node.center)
    if canvas.labelled:
        _write_label(canvas, i, node)


def _draw_shape(canvas: Canvas, i: int, center: Point) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch

    memory, (x, y) = canvas.topology.memory(i), center
    look: dict[str, Any] = {
        "facecolor": canvas.theme.paper if memory else canvas.theme.bare,
        "edgecolor": canvas.theme.ink,
        "linewidth": 1.4,
        "linestyle": "-" if memory else "--",
        "zorder": 3,
    }
    if canvas.topology.cpus(i) or not canvas.topology.knows_cpus(i):
        canvas.ax.add_patch(Circle(center, 1.0, **look))
    else:
        canvas.ax.add_patch(FancyBboxPatch((x - 0.75, y - 0.75), 1.5, 1.5, boxstyle="round,pad=0.12", **look))


def _write_number(canvas: Canvas, i: int, center: Point) -> None:
    canvas.ax.text(
        center[0],
        center[1] + (0.22 if canvas.topology.memory(i) else 0.0),
        str(i),
        ha="center",
        va="center",
        color=canvas.theme.ink,
        weight="bold",
        fontsize=min(15.0, max(5.0, _points_per_unit(canvas.ax) * (0.72 if i < 100 else 0.55))),
        zorder=5,
    )


def _draw_bar(canvas: Canvas, i: int, center: Point) -> None:
    """How long it is tells the memory; with `use`, how much of it is filled tells what is in use."""
    from matplotlib.patches import Rectangle

    memory, theme = canvas.topology.memory(i), canvas.theme
    full, at = 1.3 * memory / canvas.most_memory, (center[0] - 0.65, center[1] - 0.6)
    canvas.ax.add_patch(Rectangle(at, full, 0.3, facecolor=theme.unused if canvas.use else theme.bar, zorder=4))
    if canvas.use:
        used = full * canvas.use.get(i, 0) / memory
        canvas.ax.add_patch(Rectangle(at, used, 0.3, facecolor=theme.used, zorder=4))
    canvas.ax.add_patch(Rectangle(at, full, 0.3, fill=False, edgecolor=theme.ink, linewidth=0.6, zorder=4))


def _write_label(canvas: Canvas, i: int, node: Placed) -> None:
    """Memory and CPUs, on the side of the node that looks away from the middle of the picture."""
    (x, y), ha, va = label_place(node, len(canvas.topology.nodes))
    canvas.ax.text(
        x,
        y,
        f"{_memory_label(canvas, i)}\n{_cpus_label(canvas.topology, i)}",
        ha=ha,
        va=va,
        zorder=5,
        color=canvas.theme.ink,
        linespacing=1.15,
        fontsize=min(10.0, max(6.5, _points_per_unit(canvas.ax) * 0.42)),
    )


def _memory_label(canvas: Canvas, i: int) -> str:
    if not canvas.topology.memory(i):
        return "no memory"
    of = f"{size(canvas.use.get(i, 0))} of\n" if canvas.use else ""
    return of + memory_text(canvas.topology, i)


def _cpus_label(topology: Topology, i: int) -> str:
    if not topology.knows_cpus(i):
        return "CPUs unknown"
    if not topology.cpus(i):
        return "no CPUs"
    label = f"CPU{'' if len(topology.cpus(i)) == 1 else 's'} {cpus_text(topology, i)}"
    return label if len(label) <= 16 else f"{len(topology.cpus(i))} CPUs"


def label_place(node: Placed, count: int) -> tuple[Point, Horizontal, Vertical]:
    """Where the label of one of `count` nodes stands, and what of it: on the side that looks away from its group."""
    (x, y), right, up = node.center, node.center[0] - node.middle[0], node.center[1] - node.middle[1]
    if count > 2 and abs(up) < 0.3 * abs(right) and node.middle == (0.0, 0.0):
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
