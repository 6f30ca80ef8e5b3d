"""Looking up many addresses of a process at once: look_up() of move_pages()."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from numakit.abi import EFAULT, ENOENT, PAGE_SHIFT
from numakit.bulk.views import Ints, groups, regular, view
from numakit.machine.pagecache import space_of
from numakit.machine.state import PG_RESERVED, MachineState
from numakit.machine.vma import (
    PTE_MIGRATION_READ,
    PTE_MIGRATION_WRITE,
    PTE_NONE,
    PTE_PFN,
    PTE_PRESENT,
    PTE_SWAP,
    PTE_TYPE,
    VM_READ,
    VM_WRITE,
    VmAreaStruct,
    vmas_of,
)

# The rows of the contract that an entry can end in, as small numbers, so that a column of them takes a byte an entry.
ROWS = (
    *("found", "hole", "untouched", "not-read", "swapped", "migrating", "hinting", "zero"),
    *("there", "here", "shared", "duplicate", "off-lru", "own-node", "queued", "by steps"),
)
FOUND, HOLE, UNTOUCHED, NOT_READ, SWAPPED, MIGRATING, HINTING, ZERO = range(8)
THERE, HERE, SHARED, DUPLICATE, OFF_LRU, OWN_NODE, QUEUED, BY_STEPS = range(8, 16)

FEW_BOUNDS = 24  #: up to here comparing with every bound is faster than a binary search


class Areas(NamedTuple):
    """The areas of an mm by address, with the names of the files that they map; where each begins, and where
    one begins or ends (``bounds``).
    """

    vmas: list[VmAreaStruct]
    files: dict[int, str]
    starts: Ints
    bounds: Ints

    def parts_of(self, addresses: Ints) -> Ints:
        """How many bounds do not lie above each address: odd for one in an area, even for one in a hole."""
        if len(self.bounds) >= FEW_BOUNDS:
            return np.searchsorted(self.bounds, addresses, side="right")
        parts = np.zeros(len(addresses), np.int8)
        for bound in self.bounds:
            parts += addresses >= bound
        return parts


def areas_of(m: MachineState, mm: int) -> Areas:
    """The areas of an mm as they are now."""
    vmas = vmas_of(m, mm)
    files = {vma.number: space_of(m, vma.file).name for vma in vmas if vma.file}
    starts = np.array([vma.start for vma in vmas])
    return Areas(vmas, files, starts, np.array([bound for vma in vmas for bound in (vma.start, vma.end)]))


class Found(NamedTuple):
    """For each address its page (pfn), -1 where there is none; the row that decides, FOUND if none does yet; and what
    the entry's answer is then.
    """

    pages: Ints
    rows: Ints
    answers: Ints


def look_up(m: MachineState, areas: Areas, addresses: Ints) -> Found:
    """The pages behind addresses (look_up in syscalls.move_pages). Needs mmap_sem."""
    for vma in areas.vmas:  # nearly always all lie in one area
        if vma.start <= addresses[0] < vma.end and vma.start <= addresses.min() and addresses.max() < vma.end:
            return look_up_in(m, vma, addresses)
    found = Found(
        np.full(len(addresses), -1, np.int64),
        np.full(len(addresses), HOLE, np.int8),
        np.full(len(addresses), -EFAULT, np.int32),
    )
    if not areas.vmas:
        return found
    for part, of_it in groups(areas.parts_of(addresses)):
        those = slice(None) if of_it is None else of_it
        if part % 2:
            for whole, some in zip(found, look_up_in(m, areas.vmas[part // 2], addresses[those]), strict=True):
                whole[those] = some
        elif not m.kernel.holes_are_seen and part < len(areas.bounds):
            found.answers[those] = -ENOENT  # the area above is taken for the one that the address lies in
    return found


def look_up_in(m: MachineState, vma: VmAreaStruct, addresses: Ints) -> Found:
    """The pages behind addresses that lie in one area."""
    places = regular(((addresses - vma.start) >> PAGE_SHIFT) + vma.first)
    ptes = view(m.arrays[vma.table])[places]
    kinds, pages = ptes & PTE_TYPE, ptes >> PTE_PFN
    rows, answers = np.zeros(len(ptes), np.int8), np.zeros(len(ptes), np.int32)
    if not (kinds == PTE_PRESENT).all():
        row_of, answer_of = by_kind(m, vma)
        rows, answers = row_of[kinds], answer_of[kinds]
        pages = np.where(kinds == PTE_PRESENT, pages, -1)
    if not m.kernel.forbidden_pages_are_found and not vma.flags & (VM_READ | VM_WRITE):
        rows[kinds == PTE_PRESENT], answers[kinds == PTE_PRESENT] = HINTING, -ENOENT
        return Found(pages, rows, answers)
    zero = pages == m.table["zero page"]
    if zero.any():
        assert m.flags[m.table["zero page"]] & PG_RESERVED
        rows[zero], answers[zero] = ZERO, m.kernel.zero_page_status
    return Found(pages, rows, answers)


def by_kind(m: MachineState, vma: VmAreaStruct) -> tuple[Ints, Ints]:
    """Row and answer for each kind of PTE in an area (why_not_present)."""
    row_of, answer_of = np.zeros(PTE_TYPE + 1, np.int8), np.zeros(PTE_TYPE + 1, np.int32)
    answer_of[[PTE_NONE, PTE_SWAP, PTE_MIGRATION_READ, PTE_MIGRATION_WRITE]] = -ENOENT
    row_of[PTE_NONE], row_of[PTE_SWAP] = NOT_READ if vma.file else UNTOUCHED, SWAPPED
    row_of[[PTE_MIGRATION_READ, PTE_MIGRATION_WRITE]] = MIGRATING
    if not vma.file:
        answer_of[PTE_NONE] = m.kernel.untouched_status
    return row_of, answer_of
