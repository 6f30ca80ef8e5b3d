"""Walking the pages of a range in bulk, for mbind(2), migrate_pages(2) and cpusets: all PTEs of an area at once.

These functions serve in the roles of the readable ones (``syscalls.page_range``), whose control flow stays as it is.
Isolated pages have no reference of the acting task yet: it comes when one is handed to the readable functions.
"""

from __future__ import annotations

import numpy as np

from numakit.abi import MPOL_MF_MOVE_ALL, PAGE_SHIFT, PAGE_SIZE
from numakit.bulk.columns import Column
from numakit.bulk.fates import Part, PassedPages
from numakit.bulk.move_pages import BLOCK, take_off_lru
from numakit.bulk.shared import Sharers
from numakit.bulk.views import NONE, Bools, Frames, Ints, rows_of, view
from numakit.kernels.functions import serves
from numakit.machine.frames import get_page
from numakit.machine.state import PG_RESERVED, MachineState
from numakit.machine.verdicts import Verdict, decide_page, take_verdict
from numakit.machine.vma import PTE_PFN, PTE_PRESENT, PTE_TYPE, VmAreaStruct
from numakit.syscalls.page_range import (
    INVERT,
    MPOL_MF_MOVING,
    Walk,
    check_range,
    queue_pages_range,
)
from numakit.timeline.task import Steps


class WalkInBulk(Walk):
    """What a walk found, with its pages as columns."""

    __slots__ = ()

    @property
    def isolated(self) -> Column:  # type: ignore[override]
        """The pages that are off the LRU now."""
        return self.passed.isolated if isinstance(self.passed, PassedPages) else Column(NONE)

    @property
    def busy(self) -> int:
        """How many pages could not be isolated."""
        return self.passed.busy if isinstance(self.passed, PassedPages) else 0


@serves("check_range")
def check_range_in_bulk(
    m: MachineState, mm: int, start: int, end: int, nodes: tuple[int, ...], flags: int
) -> Steps[WalkInBulk]:
    """The walk of this kernel, as check_range(). After an error the pages are the caller's to put back, so each is held
    then.
    """
    readable = queue_pages_range if "check_range" in m.kernel.functions else check_range.__wrapped__  # type: ignore[attr-defined]
    walk = WalkInBulk(*(yield from readable(m, mm, start, end, nodes, flags)))
    for page in walk.isolated.values.tolist() if walk.rc else ():
        get_page(m, page, m.current)
    return walk


@serves("note_untried")
def note_untried_in_bulk(m: MachineState, walk: Walk) -> None:
    """Note it where nobody will try the pages. (Else it is noted of those that are left, see kernel_migrate_pages.)
    What an earlier call has left noted of them goes.
    """
    isolated: Column = walk.isolated  # type: ignore[assignment]
    take_noted(m, isolated.values)
    for page in isolated.values.tolist() if walk.rc else ():
        decide_page(m, page, 0, "left-untried")


def take_noted(m: MachineState, pages: Ints) -> dict[int, Verdict]:
    """What is noted of some pages: those that the readable functions tried and could not move, and those that nobody
    tried. It is not kept in the state any longer.
    """
    noted = [key[2] for key in m.table if isinstance(key, tuple) and key[:2] == ("page verdict", m.current)]
    among = np.array(noted)[np.isin(noted, pages)].tolist() if noted else []
    return {page: take_verdict(m, "page verdict", m.current, page) for page in among}  # type: ignore[misc]


@serves("check_pte_range")
def check_pte_range_in_bulk(
    m: MachineState, vma: VmAreaStruct, start: int, end: int, nodes: tuple[int, ...], flags: int
) -> Steps[PassedPages]:
    """Go through the PTEs of an area, as check_pte_range()."""
    yield from ()
    addresses, pages, of_pages = misplaced_pages(m, vma, start, end, nodes, flags)
    if not flags & MPOL_MF_MOVING:
        untried = [Verdict(0, "left-untried")]
        return PassedPages((Part(addresses[:1], pages[:1], of_pages[:1], np.zeros(len(pages[:1]), np.int64), untried),))
    frames = Frames(m)
    left, verdicts = np.full(len(pages), -1, np.int64), [Verdict(0, "left-busy")]
    to_isolate: Ints = np.arange(len(pages))
    shared: Bools = frames.mapcount[pages] > 1
    if not flags & MPOL_MF_MOVE_ALL and shared.any():
        sharers = EverySharer(m, frames)
        left[shared] = sharers.numbers_of(pages[shared]) + 1
        verdicts += [Verdict(0, "left-shared", (("sharers", names),)) for names in sharers.columns()[2]]
        to_isolate = to_isolate[~shared]
    isolated = take_off_lru(frames, pages[to_isolate])
    left[to_isolate[~isolated]] = 0
    return PassedPages((Part(addresses, pages, of_pages, left, verdicts),))


@serves("left_in_a_locked_area")
def left_in_a_locked_area_in_bulk(
    m: MachineState, vma: VmAreaStruct, start: int, end: int, nodes: tuple[int, ...], flags: int
) -> PassedPages:
    """The pages of an area that is left out as a whole, as left_in_a_locked_area()."""
    addresses, pages, of_pages = misplaced_pages(m, vma, start, end, nodes, flags)
    why = Verdict(0, "left-locked", (("area", (vma.start, vma.end)),))
    return PassedPages((Part(addresses, pages, of_pages, np.zeros(len(pages), np.int64), [why]),))


def misplaced_pages(
    m: MachineState, vma: VmAreaStruct, start: int, end: int, nodes: tuple[int, ...], flags: int
) -> tuple[Ints, Ints, Ints]:
    """The addresses, pages and nodes of the pages that a walk is looking for (misplaced)."""
    node_ids, found = np.array(m.node_ids), [(NONE, NONE, NONE)]
    wanted = np.array([(node in nodes) != bool(flags & INVERT) for node in m.node_ids])
    first, last = (vma.first + ((address - vma.start) >> PAGE_SHIFT) for address in (start, end + PAGE_SIZE - 1))
    table, reserved = view(m.arrays[vma.table]), view(m.flags)
    for begin in range(first, last, BLOCK):
        ptes = table[begin : min(begin + BLOCK, last)]
        places = np.flatnonzero(ptes & PTE_TYPE == PTE_PRESENT)
        pages = ptes[places] >> PTE_PFN
        rows = rows_of(m, pages)
        looked_for = wanted[rows] & (reserved[pages] & PG_RESERVED == 0)
        addresses = start + ((places[looked_for] + (begin - first)) << PAGE_SHIFT)
        found.append((addresses, pages[looked_for].astype(np.int64), node_ids[rows[looked_for]]))
    columns = zip(*found, strict=True)
    addresses, pages, of_pages = (np.concatenate(column) for column in columns)
    return addresses, pages, of_pages


class EverySharer(Sharers):
    """Who maps pages that several PTEs map, whoever they are: a walk counts PTEs, on all kernels."""

    def _number(self, mms: list[int], pattern: Ints) -> int:
        those = tuple(sorted({mm for mm, hit in zip(mms, pattern, strict=True) if hit}))
        return self._number_of.setdefault(those, len(self._number_of))
