"""Reclaim: memory is freed by writing pages out and dropping them (mm/vmscan.c of 2.6.18).

The kernel's kswapd leaves a page that is being written for its next round; here the same round waits for the disc.
"""

from __future__ import annotations

from collections.abc import Sequence

from numakit.disc import clear_page_dirty_for_io, writepage
from numakit.kernels.functions import kernel_function
from numakit.machine.frames import put_page
from numakit.machine.locks import lock_page, trylock_page, unlock_page
from numakit.machine.lru import isolate_lru_page, lru_cache_add
from numakit.machine.pagecache import (
    drop_buffers,
    file_system_of,
    page_has_buffers,
    page_mapping,
    remove_from_page_cache,
)
from numakit.machine.state import PG_DIRTY, PG_SWAPCACHE, MachineState
from numakit.machine.swap import add_to_swap_cache, delete_from_swap_cache, get_swap_page
from numakit.machine.verdicts import take_verdict
from numakit.moments import FREE_PAGE, SHRINK_PAGE, SLEEP_ON_WRITEBACK
from numakit.rmap import try_to_unmap
from numakit.timeline.task import Steps


def reclaim_pages(m: MachineState, pages: Sequence[int]) -> Steps[int]:
    """Try to free pages: each is taken off the LRU, unmapped, written if it is dirty, and freed. How many were."""
    freed = 0
    for page in pages:
        if not isolate_lru_page(m, page, m.current):
            yield SHRINK_PAGE, page
            freed += yield from shrink_page(m, page)
    return freed


@kernel_function
def shrink_page(m: MachineState, page: int) -> Steps[bool]:
    """Try to free one isolated page; if it cannot be freed it goes back to the LRU. Whether it was freed."""
    freed = False
    if trylock_page(m, page):
        ready = yield from unmap_and_write(m, page)
        if ready:
            yield FREE_PAGE, page
            freed = remove_mapping(m, page)
        unlock_page(m, page)
    if freed:
        put_page(m, page, m.current)
    else:
        lru_cache_add(m, page, m.current)
    return freed


def unmap_and_write(m: MachineState, page: int) -> Steps[bool]:
    """Bring a locked page to the point where it can be freed: in swap or in a file, unmapped, clean. Whether it is
    there.

    The page is locked again at the end.
    """
    if ("writeback", page) in m.table or not (m.mapping[page] or m.flags[page] & PG_SWAPCACHE):
        return False
    if m.mapping[page] < 0 and not m.flags[page] & PG_SWAPCACHE:
        slot = get_swap_page(m)
        if slot is None:
            return False
        add_to_swap_cache(m, page, slot)
        m.set(m.flags, page, m.flags[page] | PG_DIRTY)  # the slot has nothing of it yet
    rc = yield from try_to_unmap(m, page, False)
    take_verdict(m, "page verdict", m.current, page)
    if rc:
        return False
    if not m.flags[page] & PG_DIRTY:
        return True
    if not file_system_of(m, page_mapping(m, page)).writepage:
        return False
    clear_page_dirty_for_io(m, page)
    if writepage(m, page):
        return False
    while ("writeback", page) in m.table:
        yield SLEEP_ON_WRITEBACK, page
    yield from lock_page(m, page)
    return not m.flags[page] & PG_DIRTY and not m.mapcount[page]


def remove_mapping(m: MachineState, page: int) -> bool:
    """Take a clean page out of its cache if only that and the caller refer to it. Whether it was taken."""
    if page_has_buffers(m, page) and not drop_buffers(m, page):
        return False
    if m.count[page] != 2 or m.flags[page] & PG_DIRTY or m.mapcount[page]:
        return False
    if m.flags[page] & PG_SWAPCACHE:
        delete_from_swap_cache(m, page)
    elif m.mapping[page] > 0:
        remove_from_page_cache(m, page)
    else:
        return False
    return True
