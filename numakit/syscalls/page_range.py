"""Walking the pages of a range, for mbind(2), migrate_pages(2) and cpusets (check_range in mm/mempolicy.c of 2.6.18).

What is on a wrong node is taken off the LRU, to be moved. What is left out on the way is noted for the reader: the
kernel itself keeps no account of it.
"""

from __future__ import annotations

from typing import NamedTuple

from numakit.abi import EFAULT, EIO, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, MPOL_MF_STRICT, PAGE_SHIFT, PAGE_SIZE
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.frames import get_page, put_page
from numakit.machine.lru import isolate_lru_page, lru_add_drain_all
from numakit.machine.process import process_name, processes_of
from numakit.machine.state import PG_RESERVED, MachineState
from numakit.machine.verdicts import Verdict, because, decide_page
from numakit.machine.vma import (
    PTE_PFN,
    PTE_PRESENT,
    PTE_TYPE,
    VM_LOCKED,
    VmAreaStruct,
    maps,
    mms_that_map,
    pte_at,
    vmas_of,
)
from numakit.moments import DRAIN, FOLLOW_PAGE, ISOLATE
from numakit.timeline.task import Steps

MPOL_MF_MOVING = MPOL_MF_MOVE | MPOL_MF_MOVE_ALL
DISCONTIG_OK, INVERT = 16, 32  #: MPOL_MF_DISCONTIG_OK, MPOL_MF_INVERT: flags of the kernel's own

END_OF_MEMORY = 1 << 47  #: TASK_SIZE


class Passed(NamedTuple):
    """A page that a walk came by: where, on which node it was then, and why it was left out (None: it was isolated)."""

    address: int
    page: int
    node: int
    left: Verdict | None = None


class Walk(NamedTuple):
    """What a walk found: 0 or a negative errno, the first area, and the pages on wrong nodes, in order."""

    rc: int
    first: VmAreaStruct | None
    passed: tuple[Passed, ...]

    @property
    def isolated(self) -> list[int]:
        """The pages that are off the LRU now, with a reference of the acting task."""
        return [one.page for one in self.passed if one.left is None]

    @property
    def busy(self) -> int:
        """How many pages could not be isolated."""
        return sum(one.left is not None and one.left.row == "left-busy" for one in self.passed)


@kernel_function
def check_range(m: MachineState, mm: int, start: int, end: int, nodes: tuple[int, ...], flags: int) -> Steps[Walk]:
    """Isolate the pages of a range that lie on ``nodes`` or, with INVERT, that do not. Needs mmap_sem.

    Without MOVE and MOVE_ALL, STRICT alone: -EIO at the first such page. -EFAULT at a hole inside or behind the range,
    unless DISCONTIG_OK (a hole at its beginning is not seen). Areas that are VM_LOCKED are left out when pages are to
    be moved. After an error the pages isolated so far are the caller's to put back.
    """
    if flags & MPOL_MF_MOVING:
        yield DRAIN, 0
        lru_add_drain_all(m)
    areas = [vma for vma in vmas_of(m, mm) if vma.end > start]
    if not areas:
        return Walk(because(m, -EFAULT, "range-hole", start=start, end=end), None, ())
    passed: tuple[Passed, ...] = ()
    reached = areas[0].start
    for vma in areas:
        if vma.start >= end:
            break
        if not flags & DISCONTIG_OK and reached < vma.start:
            return Walk(because(m, -EFAULT, "range-hole", start=reached, end=vma.start), None, passed)
        reached = vma.end
        first, last = max(start, vma.start), min(end, vma.end)
        if flags & MPOL_MF_STRICT or (flags & MPOL_MF_MOVING and migratable(m, vma)):
            found = yield from check_pte_range(m, vma, first, last, nodes, flags)
            passed += found
            if found and not flags & MPOL_MF_MOVING:
                where = {"address": found[0].address, "node": found[0].node}
                return Walk(because(m, -EIO, "misplaced", **where), None, passed)
        elif flags & MPOL_MF_MOVING:
            passed += left_in_a_locked_area(m, vma, first, last, nodes, flags)
    if not flags & DISCONTIG_OK and reached < end:
        return Walk(because(m, -EFAULT, "range-hole", start=reached, end=end), None, passed)
    return Walk(0, areas[0], passed)


@serves("check_range")
def queue_pages_range(
    m: MachineState, mm: int, start: int, end: int, nodes: tuple[int, ...], flags: int
) -> Steps[Walk]:
    """The same in 6.1 (queue_pages_test_walk): a hole at the beginning is seen, too; a hole is seen before the pages of
    the area in front of it are looked at; and a range in no area at all is -EFAULT, DISCONTIG_OK or not.
    """
    walk_range = check_range.__wrapped__  # type: ignore[attr-defined]
    areas = [vma for vma in vmas_of(m, mm) if vma.start < end and start < vma.end]
    hole = (start, end) if not areas else None if flags & DISCONTIG_OK else first_hole(areas, start, end)
    if hole is None:
        return (yield from walk_range(m, mm, start, end, nodes, flags))  # type: ignore[no-any-return]
    seen = max((vma.start for vma in areas if vma.start < hole[0]), default=start)
    passed: tuple[Passed, ...] = ()
    if start < seen:
        walk: Walk = yield from walk_range(m, mm, start, seen, nodes, flags)
        if walk.rc:
            return walk
        passed = walk.passed
    return Walk(because(m, -EFAULT, "range-hole", start=hole[0], end=hole[1]), None, passed)


def first_hole(areas: list[VmAreaStruct], start: int, end: int) -> tuple[int, int] | None:
    """The first addresses of a range, (first, behind), that lie in none of its areas."""
    reached = start
    for vma in areas:
        if reached < vma.start:
            return reached, vma.start
        reached = vma.end
    return (reached, end) if reached < end else None


def migratable(m: MachineState, vma: VmAreaStruct) -> bool:
    """Whether pages of an area are moved at all (vma_migratable): until 2.6.20 not those that are VM_LOCKED."""
    return not (m.kernel.locked_areas_left_out and vma.flags & VM_LOCKED)


def misplaced(m: MachineState, pte: int, nodes: tuple[int, ...], flags: int) -> bool:
    """Whether a PTE leads to a page that the walk is looking for. Pages of the kernel's own, such as the zero page, are
    passed over.
    """
    if pte & PTE_TYPE != PTE_PRESENT or m.flags[pte >> PTE_PFN] & PG_RESERVED:
        return False
    return (m.node(pte >> PTE_PFN) in nodes) != bool(flags & INVERT)


@kernel_function
def check_pte_range(
    m: MachineState, vma: VmAreaStruct, start: int, end: int, nodes: tuple[int, ...], flags: int
) -> Steps[tuple[Passed, ...]]:
    """Go through the PTEs of an area. The pages that are looked for, isolated or left out; only the first where none is
    to be moved.
    """
    passed: list[Passed] = []
    for address in range(start, end, PAGE_SIZE):
        if not misplaced(m, pte_at(m, vma, address).value, nodes, flags):
            continue
        yield FOLLOW_PAGE, address >> PAGE_SHIFT
        pte = pte_at(m, vma, address).value
        if not misplaced(m, pte, nodes, flags):
            continue
        page = pte >> PTE_PFN
        if not flags & MPOL_MF_MOVING:
            return (Passed(address, page, m.node(page), Verdict(0, "left-untried")),)
        get_page(m, page, m.current)  # the kernel holds the lock of the page table instead
        yield ISOLATE, page
        left = migrate_page_add(m, vma, address, page, flags)
        put_page(m, page, m.current)
        passed.append(Passed(address, page, m.node(page), left))
    return tuple(passed)


@kernel_function
def migrate_page_add(m: MachineState, vma: VmAreaStruct, address: int, page: int, flags: int) -> Verdict | None:
    """Isolate a page that this PTE alone maps or, with MOVE_ALL, any. None, or why it was left out."""
    if not maps(pte_at(m, vma, address).value, page):
        return Verdict(0, "left-gone")
    if m.mapcount[page] > 1 and not flags & MPOL_MF_MOVE_ALL:
        pids = sorted(process.pid for mm in mms_that_map(m, page) for process in processes_of(m, mm))
        return Verdict(0, "left-shared", (("sharers", tuple(process_name(m, pid) for pid in pids)),))
    if isolate_lru_page(m, page, m.current):
        return Verdict(0, "left-busy")
    return None


@kernel_function
def note_untried(m: MachineState, walk: Walk) -> None:
    """Note of each isolated page that nobody has tried to move it. Who tries it notes why it stays, or takes the note
    away; where the call ends before that, the page is among those that were left.
    """
    for page in walk.isolated:
        decide_page(m, page, 0, "left-untried")


@kernel_function
def left_in_a_locked_area(
    m: MachineState, vma: VmAreaStruct, start: int, end: int, nodes: tuple[int, ...], flags: int
) -> tuple[Passed, ...]:
    """The pages of an area that is left out as a whole, as far as they would have been looked for."""
    why = Verdict(0, "left-locked", (("area", (vma.start, vma.end)),))
    ptes = ((address, pte_at(m, vma, address).value) for address in range(start, end, PAGE_SIZE))
    return tuple(
        Passed(address, pte >> PTE_PFN, m.node(pte >> PTE_PFN), why)
        for address, pte in ptes
        if misplaced(m, pte, nodes, flags)
    )
