"""Swap: slots on a disc, and the swap cache (mm/swapfile.c, mm/swap_state.c of 2.6.18).

A slot is in use while PTEs lead to it (``swap_map`` counts them) or while the swap cache has its page. The reference
of the swap cache is one of the page's references; the page keeps its anon_vma, and its slot stands in ``private``.
"""

from __future__ import annotations

from numakit.machine.frames import clear_flag, get_page, put_page, set_flag
from numakit.machine.pagecache import SWAPPER_SPACE, new_address_space, slots_of
from numakit.machine.state import PG_DIRTY, PG_SWAPCACHE, MachineState
from numakit.timeline.state import Memory


def swap_on(m: MachineState, pages: int) -> None:
    """At boot: a swap disc of so many pages."""
    number = new_address_space(m, "swap", pages, "the swap disc")
    assert number == SWAPPER_SPACE
    m.put("swap map", m.new_array(pages, "i", label="PTEs that lead to swap slot"))


def swap_map(m: MachineState) -> Memory:
    """How many PTEs lead to each slot."""
    number: int = m.table["swap map"]
    return m.arrays[number]


def get_swap_page(m: MachineState) -> int | None:
    """A free slot, the lowest one; None if the disc is full."""
    cached, used = slots_of(m, SWAPPER_SPACE), swap_map(m)
    return next((slot for slot in range(len(used)) if not used[slot] and not cached[slot]), None)


def add_to_swap_cache(m: MachineState, page: int, slot: int) -> None:
    """Let a slot lead to an anonymous page; the swap cache takes a reference."""
    get_page(m, page)
    m.set(m.private, page, slot + 1)
    set_flag(m, page, PG_SWAPCACHE)
    m.set(slots_of(m, SWAPPER_SPACE), slot, page + 1)


def delete_from_swap_cache(m: MachineState, page: int) -> None:
    """The slot no longer leads to the page. Needs the page locked and a reference of the caller's."""
    m.set(slots_of(m, SWAPPER_SPACE), m.private[page] - 1, 0)
    m.set(m.private, page, 0)
    clear_flag(m, page, PG_SWAPCACHE)
    put_page(m, page)


def swap_duplicate(m: MachineState, slot: int) -> None:
    """One more PTE leads to a slot."""
    m.set(swap_map(m), slot, swap_map(m)[slot] + 1)


def free_swap_and_cache(m: MachineState, slot: int) -> None:
    """A PTE no longer leads to a slot. If it was the last one, a page that only the swap cache holds is dropped."""
    m.set(swap_map(m), slot, swap_map(m)[slot] - 1)
    page = slots_of(m, SWAPPER_SPACE)[slot] - 1
    if page >= 0:
        remove_exclusive_swap_page(m, page)


def remove_exclusive_swap_page(m: MachineState, page: int) -> None:
    """Drop a page from the swap cache, and free it, if no PTE leads to its slot and nobody else holds it.

    One that somebody has locked, holds, or writes stays in the swap cache until reclaim finds it.
    """
    used = swap_map(m)[m.private[page] - 1]
    if used or m.owner[page] or m.count[page] != 1 or ("writeback", page) in m.table:
        return
    get_page(m, page, m.current)
    clear_flag(m, page, PG_DIRTY)
    delete_from_swap_cache(m, page)
    put_page(m, page, m.current)
