"""A file becomes shorter: its pages leave all page tables and the page cache (mm/truncate.c, mm/memory.c of 2.6.18)."""

from __future__ import annotations

from numakit.abi import PAGE_SHIFT
from numakit.kernels.functions import kernel_function
from numakit.machine.frames import clear_flag, get_page, put_page
from numakit.machine.locks import lock_page, lock_rmap, unlock_page, unlock_rmap
from numakit.machine.pagecache import (
    buffer_lock,
    drop_buffers,
    page_has_buffers,
    remove_from_page_cache,
    slots_of,
    space_of,
)
from numakit.machine.state import PG_DIRTY, MachineState
from numakit.machine.vma import PTE_NONE, Pte, VmAreaStruct, pte_address, zap_pte
from numakit.moments import LOCK_BUFFERS, SLEEP_ON_WRITEBACK, TRUNCATE_PAGE, ZAP_PTE
from numakit.timeline.task import Steps


def do_truncate(m: MachineState, mapping: int, size: int) -> Steps[int]:
    """Make a file ``size`` pages long, or leave it as short as it is (vmtruncate). 0.

    First the size, so that no fault brings a page back; then the PTEs, of private copies too; then the pages.
    """
    space = space_of(m, mapping)
    m.put(("mapping", mapping), space._replace(size=min(size, space.size)))
    yield from unmap_mapping_range(m, mapping, size)
    yield from truncate_inode_pages(m, mapping, size)
    return 0


def unmap_mapping_range(m: MachineState, mapping: int, first: int) -> Steps[None]:
    """Drop all PTEs that lead to pages of a file from index ``first`` on, in all processes, and to their private
    copies.
    """
    yield from lock_rmap(m, mapping)
    for number in m.table.get(("rmap", mapping), ()):
        vma: VmAreaStruct = m.table[("vma", number)]
        for place in range(max(0, first - vma.pgoff), vma.pages):
            pte = Pte(vma, m.arrays[vma.table], vma.first + place)
            if pte.value != PTE_NONE:
                yield ZAP_PTE, pte_address(pte) >> PAGE_SHIFT
                zap_pte(m, pte)
    unlock_rmap(m, mapping)


@kernel_function
def truncate_inode_pages(m: MachineState, mapping: int, first: int) -> Steps[None]:
    """Take the pages of a file from index ``first`` on out of the page cache; each is locked for that, and its
    writeback and the I/O of its buffers awaited.

    A page that somebody still holds lives on without a mapping until the last reference is dropped.
    """
    slots = slots_of(m, mapping)
    for index in range(first, len(slots)):
        while slots[index]:
            page = slots[index] - 1
            get_page(m, page, m.current)
            yield TRUNCATE_PAGE, page
            yield from lock_page(m, page)
            while ("writeback", page) in m.table:
                yield SLEEP_ON_WRITEBACK, page
            while page_has_buffers(m, page) and buffer_lock(m, page) in m.table:
                yield LOCK_BUFFERS, page
            if slots[index] == page + 1:  # else a migration has put another page in its place
                truncate_complete_page(m, page)
            unlock_page(m, page)
            put_page(m, page, m.current)


def truncate_complete_page(m: MachineState, page: int) -> None:
    """The page loses its buffers, its dirty flag and its slot. Needs the page locked."""
    if page_has_buffers(m, page):
        m.put(("buffers held", m.mapping[page], m.index[page]), None)  # a journal gives up what is truncated
        drop_buffers(m, page)
    clear_flag(m, page, PG_DIRTY)
    remove_from_page_cache(m, page)
