"""Placements as strips of cells, as tables and as words: HTML without a script.

A strip is drawn run by run: neighbouring cells that look alike are one element, so that a million pages on two nodes
are two. A cell of several states shows the first above and the second below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from typing import NamedTuple

import numpy as np

from numakit.abi import PAGE_SIZE
from numakit.plots import colours
from numakit.plots.pages import FILLS
from numakit.tables import text_table
from numakit.widgets.snapshot import (
    FIRST_NODE,
    MIGRATING,
    NOT_PRESENT,
    SWAPPED,
    UNMAPPED,
    ZERO_PAGE,
    Cells,
    Placement,
    Strip,
    any_in_cells,
    in_cells,
    on,
    pages_text,
)

MOST_CELLS = 600  #: of one strip
ALL_CELLS = 1200  #: of all strips together, as long as each has a few
FEWEST_CELLS = 50
MOST_NAMED = 8  #: states that a sentence names
LONG_LIST = 24  #: rows from which on a list scrolls
SHOWN_AREAS = 24
SEPARATE = 64  #: up to so many cells each has an edge of its own
ROOM_OF_A_LETTER = 2.0  #: percent of a strip, in a narrow window

#: What stands in a run: short, for there is little room.
SHORT = {UNMAPPED: "unmapped", NOT_PRESENT: "–", SWAPPED: "swap", ZERO_PAGE: "zero", MIGRATING: "migr."}
LOOKS = {UNMAPPED: "unmapped", NOT_PRESENT: "absent", SWAPPED: "swap", ZERO_PAGE: "zero", MIGRATING: "migrating"}


class Window(NamedTuple):
    """The pages of a strip that are shown: all of them, or those that are looked at more closely."""

    number: int  #: of the strip
    first: int
    end: int
    cells: int  #: at most so many

    @property
    def edges(self) -> list[int]:
        """Where the cells begin, and where the last ends, in pages of the strip."""
        count = len(self)
        return [self.first + (self.end - self.first) * i // max(1, count) for i in range(count + 1)]

    def __len__(self) -> int:
        return min(self.cells, self.end - self.first)

    def pages_of(self, cells: tuple[int, int]) -> tuple[int, int]:
        """The pages of the cells from the first to the last of a pair: (first page, behind the last)."""
        edges = self.edges
        return edges[min(cells)], edges[max(cells) + 1]


def windows(strips: Sequence[Strip]) -> list[Window]:
    """One for each strip that is shown, whole. The more strips there are the fewer cells each has."""
    shown = strips[:SHOWN_AREAS]
    cells = min(MOST_CELLS, max(FEWEST_CELLS, ALL_CELLS // max(1, len(shown))))
    return [Window(number, 0, strip.area.pages, cells) for number, strip in enumerate(shown)]


# -- strips


def strip_html(named: Placement, strip: Strip, window: Window, slider: str, interactive: bool) -> str:
    """One area: its name, its pages before and now, and counts of both. ``slider``: the name of its control."""
    cut = slice(window.first, window.end)
    rows = [] if strip.before is None else [("before", in_cells(strip.before[cut], window.cells))]
    rows.append(("after" if rows else "now", in_cells(strip.after[cut], window.cells)))
    tracks = "".join(
        f'<span class="nk-when">{when}</span><div class="nk-track-of-cells{_separate(cells)}"'
        f' style="--n:{len(cells)}">{"".join(_runs(named, cells))}</div>'
        for when, cells in rows
    )
    if strip.before is not None:
        marks = any_in_cells(strip.changed[cut], window.cells)
        tracks += f'<span class="nk-when">changed</span><div class="nk-marks">{"".join(_marks(marks))}</div>'
    title = heading(strip, window)
    control = (
        f' tabindex="0" role="slider" aria-orientation="horizontal" data-keys="{slider}" aria-valuemin="1"'
        f' aria-valuemax="{len(window)}" aria-valuenow="1" aria-valuetext="" aria-label="{escape(title)}: cells"'
        if interactive
        else ""
    )
    over = (
        f'<div class="nk-over" data-strip="{slider}" data-cells="{len(window)}"><b class="nk-cursor" hidden></b></div>'
    )
    return (
        f'<section class="nk-area" data-key="{slider}"><div role="heading" aria-level="3">{escape(title)}'
        f" <small>{escape(_cell_size(window))}</small></div>"
        f'<div class="nk-strip"{control}><div class="nk-tracks" aria-hidden="true">{tracks}</div>'
        f"{over if interactive else ''}</div>"
        f'<p class="nk-counts">{escape(sentence(named, strip, window.first, window.end))}</p></section>'
    )


def heading(strip: Strip, window: Window) -> str:
    """Which pages of which area of whom."""
    area = strip.area
    file = f", {area.file}" if area.file else ""
    whole = window.end - window.first == area.pages
    which = pages_text(area.pages) if whole else f"{page_range(window.first, window.end)} of {area.pages:,}"
    return f"{area.process} {area.start:#x}{file}: {which}"


def page_range(first: int, end: int) -> str:
    """ "page 7", "pages 1,000-1,999"."""
    return f"page {first:,}" if end == first + 1 else f"pages {first:,}-{end - 1:,}"


def _cell_size(window: Window) -> str:
    pages, cells = window.end - window.first, len(window)
    if pages == cells:
        return "one page a cell"
    low, high = pages // cells, -(-pages // cells)
    return f"{low:,} pages a cell" if low == high else f"{low:,} or {high:,} pages a cell"


def _separate(cells: Cells) -> str:
    return " nk-few" if len(cells) <= SEPARATE else ""


def _runs(named: Placement, cells: Cells) -> Iterator[str]:
    """The runs of cells that look alike."""
    at, count = 0, len(cells)
    for (most, second), run in groupby(zip(cells.most, cells.second, strict=True)):
        length = sum(1 for _ in run)
        yield _run(named, (most, second), 100 * at / count, 100 * length / count)
        at += length


def _run(named: Placement, states: tuple[int, int], left: float, width: float) -> str:
    most, second = states
    label = short(named, most) + (f" + {short(named, second)}" if second >= 0 else "")
    if len(label) * ROOM_OF_A_LETTER > width:
        label = short(named, most) if len(short(named, most)) * ROOM_OF_A_LETTER <= width else ""
    below = f'<u class="{_look(named, second)}" style="{_fill(named, second)}"></u>' if second >= 0 else ""
    where = f"left:{left:.3f}%;width:{width:.3f}%"
    said = f"<s>{label}</s>" if label else ""
    return f'<i class="{_look(named, most)}" style="{where}{_fill(named, most)}">{below}{said}</i>'


def short(named: Placement, state: int) -> str:
    """A state where there is little room: the number of the node, with an f for a file's page."""
    if state < FIRST_NODE:
        return SHORT[state]
    row, file = divmod(state - FIRST_NODE, 2)
    return f"{named.node_ids[row]}" + ("f" if file else "")


def _look(named: Placement, state: int) -> str:
    """The classes: the colour of a node goes on with other patterns beyond eight nodes; a file's page has lines."""
    if state < FIRST_NODE:
        return f"nk-{LOOKS[state]}"
    row, file = divmod(state - FIRST_NODE, 2)
    turn = row // len(FILLS)
    return "nk-on" + (f" nk-turn{(turn - 1) % 3 + 1}" if turn else "") + (" nk-file" if file else "")


def _fill(named: Placement, state: int) -> str:
    if state < FIRST_NODE:
        return ""
    fill = FILLS[(state - FIRST_NODE) // 2 % len(FILLS)]
    return f";--fill:{fill}" + (";--on-fill:#fff" if fill == colours.BLUE else "")


def _marks(marks: list[bool]) -> Iterator[str]:
    at = 0
    for marked, run in groupby(marks):
        length = sum(1 for _ in run)
        if marked:
            yield f'<i style="left:{100 * at / len(marks):.3f}%;width:{100 * length / len(marks):.3f}%"></i>'
        at += length


# -- legend, table


def legend_html(named: Placement, strips: Sequence[Strip]) -> str:
    """What the looks mean that occur."""
    samples = "".join(
        f'<li><span class="nk-sample {_look(named, state)}" style="{_fill(named, state)[1:]}" aria-hidden="true">'
        f"<s>{short(named, state)}</s></span> {escape(named.name_of(state))}</li>"
        for state in named.order(_total(named, strips).sum(axis=0))
    )
    both = "a cell of several: most of its pages above, the next below"
    samples += f'<li><span class="nk-sample nk-both" aria-hidden="true"></span> {both}</li>'
    return _scrolling(f'<ul class="nk-legend" aria-label="Legend">{samples}</ul>', samples.count("<li>"), "Legend")


def _scrolling(html: str, rows: int, name: str) -> str:
    """A list that scrolls by itself where it is long."""
    if rows <= LONG_LIST:
        return html
    return f'<div class="nk-scrolls" tabindex="0" role="group" aria-label="{name}">{html}</div>'


def table_html(named: Placement, strips: Sequence[Strip]) -> str:
    """How many pages are in each state, before and now."""
    head, rows = _counted(named, strips)
    th = "".join(f'<th scope="col">{name}</th>' for name in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>'
        for row in rows
    )
    table = (
        f'<table class="nk-sums"><caption class="nk-sr">Pages in each state</caption><thead><tr>{th}</tr></thead>'
        f"<tbody>{body}</tbody></table>"
    )
    return _scrolling(table, len(rows), "Pages in each state")


def _total(named: Placement, strips: Sequence[Strip]) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """How many pages are in each state: a row for before, a row for after."""
    total = np.zeros((2, named.nr_states), np.int64)
    for strip in strips:
        if strip.before is not None:
            total[0] += np.bincount(strip.before, minlength=named.nr_states)
        total[1] += np.bincount(strip.after, minlength=named.nr_states)
    return total


def _counted(named: Placement, strips: Sequence[Strip]) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    total = _total(named, strips)
    both = any(strip.before is not None for strip in strips)
    rows = []
    for state in named.order(total.sum(axis=0)):
        before, after = (int(number) for number in total[:, state])
        figures = (f"{before:,}", f"{after:,}", f"{after - before:+,}" if after != before else "0")
        rows.append((named.name_of(state), *(figures if both else figures[1:2])))
    return (("pages", "before", "after", "difference") if both else ("pages", "now")), rows


# -- words


def sentence(named: Placement, strip: Strip, first: int, end: int) -> str:
    """Where some pages of a strip are, and were: "before: 8 on node 0; after: 6 on node 1, 2 not present; ..."."""
    after = _where(named, strip.after[first:end])
    if strip.before is None:
        return after
    changed = int(strip.changed[first:end].sum())
    told = f"{changed:,} changed" if changed else "nothing changed"
    return f"before: {_where(named, strip.before[first:end])}; after: {after}; {told}"


def _where(named: Placement, states: np.ndarray[tuple[int], np.dtype[np.int32]]) -> str:
    counts = np.bincount(states, minlength=named.nr_states)
    there = list(named.order(counts))
    told = [f"{int(counts[state]):,} {on(named.name_of(state))}" for state in there]
    if len(told) > MOST_NAMED:
        others = there[MOST_NAMED - 1 :]
        told[MOST_NAMED - 1 :] = [f"{int(counts[others].sum()):,} in {len(others)} other places"]
    return ", ".join(told) or "no pages"


def address_range(strip: Strip, first: int, end: int) -> str:
    """The addresses of some pages of a strip."""
    start = strip.area.start
    return f"{start + first * PAGE_SIZE:#x}-{start + end * PAGE_SIZE:#x}"


def text(title: str, named: Placement, strips: Sequence[Strip], closer: Window | None) -> str:
    """All of it for a terminal, a screen reader, and wherever HTML is not shown."""
    lines = [title]
    for strip, window in zip(strips, windows(strips), strict=False):
        lines.append(f"{heading(strip, window)}: {sentence(named, strip, 0, strip.area.pages)}")
    lines += [more_text(strips)] if more_text(strips) else []
    if closer is not None:
        strip = strips[closer.number]
        lines.append(f"closer: {heading(strip, closer)}: {sentence(named, strip, closer.first, closer.end)}")
    return "\n".join([*lines, text_table(*_counted(named, strips))])


def more_text(strips: Sequence[Strip]) -> str:
    """What is not drawn, and how it can be seen."""
    more = len(strips) - SHOWN_AREAS
    return f"... and {more} more areas; PlacementView(area) shows one of them" if more > 0 else ""
