"""Areas of virtual memory, their PTEs, and the lists that lead from a page back to them (include/linux/mm.h,
mm/mmap.c).

A page table is one integer array for each mapped range. An area is (table, first place in it), so that when an area
is cut in two both parts go on using the same table. Neighbouring areas are not merged again, as the kernel would.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from numakit.abi import PAGE_SHIFT, PAGE_SIZE
from numakit.machine.frames import get_page, put_page, set_flag
from numakit.machine.mempolicy import Mempolicy
from numakit.machine.references import forget_holder
from numakit.machine.state import PG_DIRTY, PG_SWAPCACHE, MachineState
from numakit.machine.swap import free_swap_and_cache, remove_exclusive_swap_page
from numakit.timeline.state import Memory

# A PTE: pfn << PTE_PFN | bits | type. None, present, a migration entry that will be read-only or writable again, or
# swap.
PTE_NONE, PTE_PRESENT, PTE_MIGRATION_READ, PTE_MIGRATION_WRITE, PTE_SWAP = range(5)
PTE_TYPE, PTE_WRITABLE, PTE_DIRTY, PTE_YOUNG, PTE_PFN = 7, 8, 16, 32, 6
MIGRATION_ENTRIES = (PTE_MIGRATION_READ, PTE_MIGRATION_WRITE)

VM_READ, VM_WRITE, VM_SHARED, VM_LOCKED = 1, 2, 8, 0x2000


class VmAreaStruct(NamedTuple):
    """An area of an mm. Its page i has the PTE ``arrays[table][first + i]`` and the index ``pgoff + i`` in its mapping.

    ``anon_vma``: the negative number under which the anonymous pages of the area, and of its copies in children, are
    listed. ``file``: the address_space that it maps, 0 for anonymous memory.
    """

    number: int
    mm: int
    start: int  #: first address
    pages: int
    pgoff: int
    table: int
    first: int
    anon_vma: int
    file: int
    flags: int
    driver: str = ""  #: the driver whose mmap made the area, and set VM_LOCKED on it
    policy: Mempolicy | None = None  #: where its pages are to come from; None: where the task's policy says

    @property
    def end(self) -> int:
        """The first address behind the area."""
        return self.start + self.pages * PAGE_SIZE


class Pte(NamedTuple):
    """Where a PTE is: the table and the place in it, and the area that it belongs to."""

    vma: VmAreaStruct
    table: Memory
    at: int

    @property
    def value(self) -> int:
        """What the PTE holds now."""
        return self.table[self.at]


def find_vma(m: MachineState, mm: int, address: int) -> VmAreaStruct | None:
    """The area that contains the address, or None. (The kernel's find_vma also returns one that begins behind it.)"""
    for number in m.table.get(("vmas", mm), ()):
        vma: VmAreaStruct = m.table[("vma", number)]
        if vma.start <= address < vma.end:
            return vma
    return None


def vmas_of(m: MachineState, mm: int) -> list[VmAreaStruct]:
    """The areas of an mm, by address."""
    return [m.table[("vma", number)] for number in m.table.get(("vmas", mm), ())]


def pte_at(m: MachineState, vma: VmAreaStruct, address: int) -> Pte:
    """The PTE of an address in the area."""
    return Pte(vma, m.arrays[vma.table], vma.first + ((address - vma.start) >> PAGE_SHIFT))


def pte_address(pte: Pte) -> int:
    """The address of the first byte that a PTE maps."""
    return pte.vma.start + ((pte.at - pte.vma.first) << PAGE_SHIFT)


def link_vma(m: MachineState, vma: VmAreaStruct) -> None:
    """Put an area into the list of its mm and into the reverse map of its mappings."""
    m.put(("vma", vma.number), vma)
    numbers = (*m.table[("vmas", vma.mm)], vma.number)
    m.put(("vmas", vma.mm), tuple(sorted(numbers, key=lambda number: m.table[("vma", number)].start)))
    for mapping in mappings_of(vma):
        m.put(("rmap", mapping), (*m.table.get(("rmap", mapping), ()), vma.number))


def unlink_vma(m: MachineState, vma: VmAreaStruct) -> None:
    """Take an area out of the list of its mm and out of the reverse map."""
    m.put(("vmas", vma.mm), tuple(n for n in m.table[("vmas", vma.mm)] if n != vma.number))
    for mapping in mappings_of(vma):
        m.put(("rmap", mapping), tuple(n for n in m.table[("rmap", mapping)] if n != vma.number) or None)
    m.put(("vma", vma.number), None)
    if not any(m.table[("vma", n)].table == vma.table for n in m.table[("vmas", vma.mm)]):
        m.drop_array(vma.table)


def mappings_of(vma: VmAreaStruct) -> tuple[int, ...]:
    """The mappings whose reverse maps list the area: its anon_vma and, if it maps a file, the file's."""
    return (vma.anon_vma, vma.file) if vma.file else (vma.anon_vma,)


def rmap_walk(m: MachineState, page: int) -> Iterator[Pte]:
    """The PTEs where the page's mapping says that it may be mapped. The caller keeps the areas from changing."""
    index = m.index[page]
    for number in m.table.get(("rmap", m.mapping[page]), ()):
        vma: VmAreaStruct = m.table[("vma", number)]
        place = index - vma.pgoff
        if 0 <= place < vma.pages:
            yield Pte(vma, m.arrays[vma.table], vma.first + place)


def maps(pte: int, page: int) -> bool:
    """Whether a PTE is present and maps the page."""
    return pte & PTE_TYPE == PTE_PRESENT and pte >> PTE_PFN == page


def is_migration_entry(pte: int, page: int) -> bool:
    """Whether a PTE is a migration entry for the page."""
    return pte & PTE_TYPE in MIGRATION_ENTRIES and pte >> PTE_PFN == page


def mms_that_map(m: MachineState, page: int) -> set[int]:
    """The mm's in which some PTE maps the page."""
    return {pte.vma.mm for pte in rmap_walk(m, page) if maps(pte.value, page)}


def set_pte_mapped(m: MachineState, pte: Pte, page: int, bits: int, holder: int = 0) -> None:
    """Map a page. The PTE has a reference of its own; with ``holder`` it takes over that one's (page_add_rmap)."""
    if holder:
        forget_holder(m, page, holder)
    else:
        get_page(m, page)
    m.set(pte.table, pte.at, page << PTE_PFN | PTE_PRESENT | bits)
    m.set(m.mapcount, page, m.mapcount[page] + 1)


def unmap_pte(m: MachineState, pte: Pte, replacement: int = PTE_NONE) -> None:
    """Replace a present PTE; the page takes over its dirty bit and loses its reference (page_remove_rmap)."""
    value = pte.value
    page = value >> PTE_PFN
    if value & PTE_DIRTY:
        set_flag(m, page, PG_DIRTY)
    m.set(pte.table, pte.at, replacement)
    m.set(m.mapcount, page, m.mapcount[page] - 1)
    put_page(m, page)


def zap_pte(m: MachineState, pte: Pte) -> None:
    """Drop one PTE: a mapped page loses a reference, a swap slot a use; a migration entry is just forgotten."""
    value = pte.value
    if value & PTE_TYPE == PTE_PRESENT:
        unmap_pte(m, pte)
        if m.flags[value >> PTE_PFN] & PG_SWAPCACHE:
            remove_exclusive_swap_page(m, value >> PTE_PFN)
        return
    m.set(pte.table, pte.at, PTE_NONE)
    if value & PTE_TYPE == PTE_SWAP:
        free_swap_and_cache(m, value >> PTE_PFN)


def present_page(m: MachineState, mm: int, address: int, *, write: bool = False) -> int | None:
    """The page (pfn) through which an address can be accessed now, without a fault; None if there is none."""
    vma = find_vma(m, mm, address)
    if vma is None or not (write or vma.flags & VM_READ):
        return None
    value = pte_at(m, vma, address).value
    usable = value & PTE_TYPE == PTE_PRESENT and (not write or value & PTE_WRITABLE)
    return value >> PTE_PFN if usable else None
