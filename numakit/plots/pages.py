"""The pages of a process as strips: one cell a page, coloured and labelled by the node on which it lies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from numakit.facade.process import Process
from numakit.facade.vma import Vma
from numakit.plots import colours
from numakit.plots.theme import Theme, dress, new_axes, theme_named
from numakit.topology.idlists import format_list

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Nodes: TypeAlias = "Sequence[int | None]"

#: Fill and pattern of the nodes, by their place among the machine's nodes; beyond eight the patterns change.
FILLS = (
    colours.SKY,
    colours.ORANGE,
    colours.GREEN,
    colours.YELLOW,
    colours.PURPLE,
    colours.VERMILLION,
    colours.BLUE,
    colours.GREY,
)
PATTERNS = ("", "//", "..", "xx", "\\\\", "++", "oo", "--")
WHITE_TEXT = frozenset({colours.GREEN, colours.VERMILLION, colours.BLUE})

WIDTH = 32  #: pages in one row of a strip
SHOWN_PAGES = 1024  #: pages of an area that are drawn


class Strip(NamedTuple):
    """A row of cells: what it is called, the number of its first page, and a node for each page (None: not present)."""

    name: str
    first: int
    nodes: tuple[int | None, ...]


def draw_pages(pages: Vma | Process, ax: Axes | None = None, before: Nodes | None = None, theme: str = "light") -> Axes:
    """Draw the pages of an area, or of all areas of a process, and return the axes; `describe_pages` says it in words.

    Each cell is a page, filled and labelled by its node; hollow where no page is present. `before` is a list of nodes
    that was taken earlier (`area.nodes`; for a process those of its areas one after the other): it is drawn above, and
    pages that changed their node have a thick frame. `theme` is "light" or "dark". Raises ValueError if `before` is not
    as long as there are pages, and for another theme.
    """
    look = theme_named(theme)
    strips = _strips(pages, before)
    nodes = _owner(pages).machine.node_ids
    moved = _moved(pages, before)
    ax = ax or _new_axes(strips, look)
    for row, strip in enumerate(strips):
        _draw_strip(ax, strip, row, nodes, moved if strip.name.endswith("after") else frozenset(), look)
    _set_limits(ax, strips)
    cut = any(len(area) > SHOWN_PAGES for area in _areas(pages))
    more = f", the first {SHOWN_PAGES} of an area drawn" if cut else ""
    ax.set_title(_title(pages) + more, fontsize=11, loc="left")
    dress(ax, look)
    _write_legend(ax, strips, nodes, look)
    return ax


def describe_pages(pages: Vma | Process, before: Nodes | None = None) -> str:
    """Plain sentences with all that `draw_pages` shows, one a line."""
    lines = [f"{_title(pages)}."]
    now = _nodes_now(pages)
    if before is not None:
        _check(before, now)
        lines.append(f"Before: {_where(before)}.")
        lines.append(f"After: {_where(now)}.")
        changed = [i for i, (a, b) in enumerate(zip(before, now, strict=True)) if a != b]
        lines.append(f"Changed: {_pages(changed)}." if changed else "No page changed its node.")
    else:
        lines.append(f"{_where(now)}.")
    return "\n".join(lines)


# -- what is drawn


def _areas(pages: Vma | Process) -> list[Vma]:
    return pages.vmas if isinstance(pages, Process) else [pages]


def _owner(pages: Vma | Process) -> Process:
    return pages if isinstance(pages, Process) else pages.process


def _nodes_now(pages: Vma | Process) -> list[int | None]:
    return [node for area in _areas(pages) for node in area.nodes]


def _check(before: Nodes, now: Nodes) -> None:
    if len(before) != len(now):
        raise ValueError(
            f"before has {len(before)} nodes, but there are {len(now)} pages: take area.nodes before the call"
        )


def _moved(pages: Vma | Process, before: Nodes | None) -> frozenset[int]:
    """The pages, counted through all areas, whose node is another than before."""
    if before is None:
        return frozenset()
    return frozenset(i for i, (a, b) in enumerate(zip(before, _nodes_now(pages), strict=True)) if a != b)


def _strips(pages: Vma | Process, before: Nodes | None) -> list[Strip]:
    """The rows of the picture from the top: for each stretch of pages what was before, if known, and what is."""
    now = _nodes_now(pages)
    if before is not None:
        _check(before, now)
    strips, offset = [], 0
    for area in _areas(pages):
        for first in range(0, min(len(area), SHOWN_PAGES), WIDTH):
            cut = slice(offset + first, offset + min(first + WIDTH, len(area)))
            name = f"{area[first]:#x}"
            if before is not None:
                strips.append(Strip(f"{name} before", offset + first, tuple(before[cut])))
                name = "after"
            strips.append(Strip(name, offset + first, tuple(now[cut])))
        offset += len(area)
    return strips


def _title(pages: Vma | Process) -> str:
    owner, count = _owner(pages), len(_nodes_now(pages))
    what = "1 page" if count == 1 else f"{count} pages"
    return f"{owner.name}: {what}" + (f" from {pages.start:#x}" if isinstance(pages, Vma) else "")


def _where(nodes: Nodes) -> str:
    """ "pages 0-3 on node 1; pages 4-5 not present" """
    places: dict[int | None, list[int]] = {}
    for i, node in enumerate(nodes):
        places.setdefault(node, []).append(i)
    known = sorted((node, which) for node, which in places.items() if node is not None)
    parts = [f"{_pages(which)} on node {node}" for node, which in known]
    if None in places:
        parts.append(f"{_pages(places[None])} not present")
    return "; ".join(parts) or "no pages"


def _pages(which: list[int]) -> str:
    return f"page{'' if len(which) == 1 else 's'} {format_list(which)}"


# -- how it is drawn


def _new_axes(strips: list[Strip], theme: Theme) -> Axes:
    widest = max((len(strip.nodes) for strip in strips), default=1)
    return new_axes(max(5.2, 0.34 * widest + 2.6), 0.42 * len(strips) + 1.5, theme)


def _draw_strip(ax: Axes, strip: Strip, row: int, nodes: Sequence[int], moved: frozenset[int], theme: Theme) -> None:
    from matplotlib.patches import Rectangle

    for column, node in enumerate(strip.nodes):
        changed = strip.first + column in moved
        ax.add_patch(
            Rectangle(
                (column + 0.06, row + 0.09),
                0.88,
                0.82,
                facecolor=theme.ground if node is None else fill(nodes, node),
                hatch=None if node is None else pattern(nodes, node),
                edgecolor=_edge_colour(node, changed, theme),
                linestyle=":" if node is None else "-",
                linewidth=2.4 if changed else 0.7,
            )
        )
        if node is not None:
            _label(ax, column, row, node, nodes)


def _edge_colour(node: int | None, changed: bool, theme: Theme) -> str:
    """A pattern has the colour of the edge, so that only a changed page's frame may be of the theme."""
    if node is None:
        return colours.GREY
    return theme.ink if changed else colours.BLACK


def _label(ax: Axes, column: int, row: int, node: int, nodes: Sequence[int]) -> None:
    """The node's number; on a pattern it gets a plain ground, or it could not be read."""
    filled = fill(nodes, node)
    ground = {"facecolor": filled, "edgecolor": "none", "pad": 0.8} if pattern(nodes, node) else None
    ax.text(
        column + 0.5,
        row + 0.5,
        str(node),
        ha="center",
        va="center_baseline",
        fontsize=9 if node < 100 else 7,
        color="white" if filled in WHITE_TEXT else colours.BLACK,
        bbox=ground,
    )


def fill(nodes: Sequence[int], node: int) -> str:
    """The colour of a node: its place among the machine's nodes decides, so that pictures of a machine agree."""
    return FILLS[nodes.index(node) % len(FILLS)]


def pattern(nodes: Sequence[int], node: int) -> str | None:
    """The pattern of a node: none for the first eight, then one for each further eight."""
    return PATTERNS[nodes.index(node) // len(FILLS) % len(PATTERNS)] or None


def _set_limits(ax: Axes, strips: list[Strip]) -> None:
    widest = max((len(strip.nodes) for strip in strips), default=1)
    ax.set_xlim(0, widest)
    ax.set_ylim(max(1, len(strips)), 0)
    ax.set_yticks([row + 0.5 for row in range(len(strips))], [strip.name for strip in strips], fontsize=9)
    step = 1 if widest <= 16 else 4
    ax.set_xticks([i + 0.5 for i in range(0, widest, step)], [str(i) for i in range(0, widest, step)], fontsize=8)
    ax.set_xlabel("page of the row", fontsize=9)
    ax.tick_params(length=0)
    for side in ("top", "right", "bottom", "left"):
        ax.spines[side].set_visible(False)


def _write_legend(ax: Axes, strips: list[Strip], nodes: Sequence[int], theme: Theme) -> None:
    from matplotlib.patches import Patch

    seen = sorted({node for strip in strips for node in strip.nodes if node is not None})
    # A legend of more nodes than colours would be larger than the picture; each cell has its number.
    named = seen if len(seen) <= len(FILLS) else []
    handles = [
        Patch(facecolor=fill(nodes, n), hatch=pattern(nodes, n), edgecolor=colours.BLACK, label=f"node {n}")
        for n in named
    ]
    if any(node is None for strip in strips for node in strip.nodes):
        handles.append(Patch(facecolor=theme.ground, edgecolor=colours.GREY, linestyle=":", label="not present"))
    if any(strip.name.endswith("after") for strip in strips):
        handles.append(Patch(facecolor=theme.ground, edgecolor=theme.ink, linewidth=2.4, label="changed"))
    if handles:
        ax.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            frameon=False,
            fontsize=9,
            labelcolor=theme.ink,
        )
