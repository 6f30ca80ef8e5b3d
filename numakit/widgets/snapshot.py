"""Where the pages of processes are at one time: taken with numpy from page tables and frames, so a million are cheap.

A page's state is one small number: five that are the same on every machine, then two for each node, one for anonymous
pages there and one for pages of the page cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numakit.abi import PAGE_SHIFT, PAGE_SIZE
from numakit.facade.machine import Machine
from numakit.facade.process import Process
from numakit.facade.vma import Vma
from numakit.machine.process import processes
from numakit.machine.vma import (
    MIGRATION_ENTRIES,
    PTE_NONE,
    PTE_PFN,
    PTE_PRESENT,
    PTE_SWAP,
    PTE_TYPE,
    VmAreaStruct,
    vmas_of,
)

UNMAPPED, NOT_PRESENT, SWAPPED, ZERO_PAGE, MIGRATING, FIRST_NODE = range(6)
NAMES = ("not mapped", "not present", "swapped out", "zero page", "migration entry")

States: TypeAlias = NDArray[np.int32]


class Area(NamedTuple):
    """An area of a process and the state of each of its pages; ``file`` is the name of the file that it maps."""

    pid: int
    process: str
    start: int
    file: str
    states: States

    @property
    def pages(self) -> int:
        """How many pages it has."""
        return len(self.states)

    @property
    def end(self) -> int:
        """The first address behind it."""
        return self.start + self.pages * PAGE_SIZE


class Placement:
    """Where pages were when it was taken; it stays as it is while the machine goes on.

    ``counts`` says it in figures: ``{"node 0": 5, "zero page": 1, "not present": 2}``.
    """

    def __init__(self, title: str, node_ids: tuple[int, ...], areas: tuple[Area, ...]) -> None:
        self.title, self.node_ids, self.areas = title, node_ids, areas

    def __len__(self) -> int:
        return sum(area.pages for area in self.areas)

    @property
    def counts(self) -> dict[str, int]:
        """How many pages are in each state that occurs: nodes first, then the others."""
        total = sum((np.bincount(a.states, minlength=self.nr_states) for a in self.areas), self._none())
        return {self.name_of(state): int(total[state]) for state in self.order(total)}

    @property
    def nr_states(self) -> int:
        """How many states there are on this machine."""
        return FIRST_NODE + 2 * len(self.node_ids)

    def name_of(self, state: int) -> str:
        """What a state is called: "node 1", "node 1 (file)", "zero page"."""
        if state < FIRST_NODE:
            return NAMES[state]
        row, file = divmod(state - FIRST_NODE, 2)
        return f"node {self.node_ids[row]}" + (" (file)" if file else "")

    def order(self, counts: NDArray[Any]) -> Iterator[int]:
        """The states that occur, those of nodes first: what is somewhere is looked for first."""
        found = [int(state) for state in np.flatnonzero(counts)]
        yield from sorted(found, key=lambda state: (state < FIRST_NODE, state))

    def _none(self) -> NDArray[Any]:
        return np.zeros(self.nr_states, np.int64)

    def __repr__(self) -> str:
        where = ", ".join(f"{number} {on(name)}" for name, number in self.counts.items())
        return f"<Placement of {self.title}: {where or 'no pages'}>"


def on(name: str) -> str:
    """A state behind a number: "8 on node 1", "2 not present"."""
    return f"on {name}" if name.startswith("node") else name


def placement(what: Process | Vma | Machine) -> Placement:
    """Where the pages of a process, of one of its areas, or of all processes of a machine are now.

    A machine that stands in its past tells where they were there. A process that does not exist then has no pages.
    """
    if isinstance(what, Vma):
        machine, pids = what.process.machine, {what.process.pid}
        title = f"{what.process.name}, {pages_text(what.pages)} from {what.start:#x}"
    elif isinstance(what, Process):
        machine, pids, title = what.machine, {what.pid}, what.name
    elif isinstance(what, Machine):
        machine, pids, title = what, {struct.pid for struct in processes(what)}, "all processes"
    else:
        raise TypeError(f"what={what!r}: a process, an area or a machine is wanted")
    node_rows = np.repeat(np.arange(len(machine.node_ids), dtype=np.int32), [b - a for a, b in _frames(machine)])
    areas = [
        _area(machine, node_rows, struct.pid, struct.name, vma)
        for struct in processes(machine)
        if struct.pid in pids
        for vma in vmas_of(machine, struct.mm)
    ]
    kept = [_cut(area, what) for area in areas] if isinstance(what, Vma) else areas
    return Placement(title, machine.node_ids, tuple(area for area in kept if area.pages))


def pages_text(number: int) -> str:
    """ "1 page", "1,000,000 pages"."""
    return f"{number:,} page{'s' * (number != 1)}"


def _frames(machine: Machine) -> Iterator[tuple[int, int]]:
    return pairwise(machine.first_frame)


def _area(machine: Machine, node_rows: NDArray[np.int32], pid: int, process: str, vma: VmAreaStruct) -> Area:
    """An area as it is now. The arrays are the machine's own, looked at and not copied."""
    ptes = np.frombuffer(machine.arrays[vma.table], np.int64)[vma.first : vma.first + vma.pages]
    kinds = ptes & PTE_TYPE
    states = np.full(len(ptes), NOT_PRESENT, np.int32)
    states[kinds == PTE_SWAP] = SWAPPED
    for entry in MIGRATION_ENTRIES:
        states[kinds == entry] = MIGRATING
    assert PTE_NONE == 0, "what is left is not present"
    there = kinds == PTE_PRESENT
    pfns = ptes[there] >> PTE_PFN
    in_file = np.frombuffer(machine.mapping, np.int32)[pfns] > 0
    present = FIRST_NODE + 2 * node_rows[pfns] + in_file
    present[pfns == machine.table["zero page"]] = ZERO_PAGE
    states[there] = present
    file = machine.table[("mapping", vma.file)].name or "shared memory" if vma.file else ""
    return Area(pid, process, vma.start, file, states)


def _cut(area: Area, wanted: Vma) -> Area:
    """What of an area lies within the wanted one."""
    first = max(0, (wanted.start - area.start) >> PAGE_SHIFT)
    last = max(first, min(area.pages, (wanted.end - area.start) >> PAGE_SHIFT))
    return area._replace(start=area.start + first * PAGE_SIZE, states=area.states[first:last])


# -- two of them side by side


class Strip(NamedTuple):
    """The pages of an area, as they were (None: that is not asked) and as they are."""

    area: Area
    before: States | None
    after: States

    @property
    def changed(self) -> NDArray[np.bool_]:
        """For each page whether its state is another than before."""
        return np.zeros(len(self.after), np.bool_) if self.before is None else self.before != self.after


def side_by_side(before: Placement | None, after: Placement) -> list[Strip]:
    """The areas of ``after``, each with what was there before; then what was there before only.

    Areas are compared by address, since a call may have cut them. Raises ValueError for two different machines.
    """
    if before is None:
        return [Strip(area, None, area.states) for area in after.areas]
    if before.node_ids != after.node_ids:
        raise ValueError(f"before: nodes {before.node_ids}, but after: nodes {after.node_ids}; the same are wanted")
    strips = [Strip(area, _states_at(before, area), area.states) for area in after.areas]
    for area in before.areas:
        left = _states_at(after, area)
        for first, end in _runs(left == UNMAPPED):
            gone = area._replace(start=area.start + first * PAGE_SIZE, states=area.states[first:end])
            strips.append(Strip(gone, gone.states, left[first:end]))
    return sorted(strips, key=lambda strip: (strip.area.pid, strip.area.start))


def _states_at(there: Placement, area: Area) -> States:
    """What was at the addresses of an area."""
    states = np.full(area.pages, UNMAPPED, np.int32)
    for other in there.areas:
        if other.pid == area.pid and other.start < area.end and area.start < other.end:
            low, high = max(area.start, other.start), min(area.end, other.end)
            ours = slice((low - area.start) >> PAGE_SHIFT, (high - area.start) >> PAGE_SHIFT)
            states[ours] = other.states[(low - other.start) >> PAGE_SHIFT : (high - other.start) >> PAGE_SHIFT]
    return states


def _runs(wanted: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The stretches of True, as (first, behind the last)."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], wanted, [False]))))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


# -- a strip in cells


class Cells(NamedTuple):
    """A stretch of pages in cells: where each begins (and where the last ends), and what most of its pages are.

    ``second``: the state that comes next in number, -1 where all pages of the cell are alike. Of equally many the
    lower state is named first.
    """

    edges: list[int]
    most: list[int]
    second: list[int]

    def __len__(self) -> int:
        return len(self.most)


def edges_of(pages: int, most_cells: int) -> NDArray[np.int64]:
    """Where the cells of so many pages begin, and where the last ends: one a page, or as even as can be."""
    cells = min(pages, most_cells)
    return np.arange(cells + 1, dtype=np.int64) * pages // max(1, cells)


def in_cells(states: States, most_cells: int) -> Cells:
    """The states in at most so many cells."""
    edges = edges_of(len(states), most_cells)
    cells = len(edges) - 1
    if not cells:
        return Cells([0], [], [])
    occurring = np.flatnonzero(np.bincount(states))
    place = np.zeros(occurring[-1] + 1, np.int64)
    place[occurring] = np.arange(len(occurring))
    cell_of = np.repeat(np.arange(cells), np.diff(edges))
    counts = np.bincount(cell_of * len(occurring) + place[states], minlength=cells * len(occurring))
    counts = counts.reshape(cells, len(occurring))
    most = counts.argmax(axis=1)
    counts[np.arange(cells), most] = 0
    second = np.where(counts.any(axis=1), occurring[counts.argmax(axis=1)], -1)
    return Cells(edges.tolist(), occurring[most].tolist(), second.tolist())


def any_in_cells(wanted: NDArray[np.bool_], most_cells: int) -> list[bool]:
    """For each cell whether any of its pages is wanted."""
    edges = edges_of(len(wanted), most_cells)
    return np.logical_or.reduceat(wanted, edges[:-1]).tolist() if len(wanted) else []
