"""Page frames: allocation and reference counts (mm/page_alloc.c, include/linux/mm.h)."""

from __future__ import annotations

from numakit.machine.numastat import zone_statistics
from numakit.machine.references import ONE_REFERENCE, forget_holder, note_holder
from numakit.machine.state import PG_RESERVED, MachineState


def mems_allowed(m: MachineState) -> tuple[int, ...] | None:
    """The nodes on which the acting process may allocate, as far as it knows its cpuset; None: the kernel itself acts,
    on any.
    """
    process = m.table.get(("process", m.pid))
    return process.mems if process else None


def alloc_page_on(m: MachineState, node: int) -> int | None:
    """A frame of exactly this node: count 1, held by the acting task, unmapped, on no list. None if there is none free.

    Deterministic: the frame that was freed last, else the lowest one that was never used.
    """
    row = m.row[node]
    top = m.free_top[row]
    if top:
        page = m.free[m.first_frame[row] + top - 1]
        m.set(m.free_top, row, top - 1)
    elif m.never_used[row]:
        page = m.first_frame[row + 1] - m.never_used[row]
        m.set(m.never_used, row, m.never_used[row] - 1)
    else:
        return None
    m.set(m.count, page, 1)
    m.set(m.holder, page, m.current + ONE_REFERENCE)  # as note_holder() does: a free page has no other holder
    return page


def alloc_pages_node(m: MachineState, node: int) -> int | None:
    """A frame for the acting task on ``node`` and no other, or, where the kernel falls back, on the next node of its
    zonelist. None if there is none.
    """
    if not m.kernel.this_node_only:
        return alloc_pages(m, m.zonelists[node])
    return alloc_pages_this_node(m, node)


def alloc_pages_this_node(m: MachineState, node: int) -> int | None:
    """A frame for the acting task on ``node`` and no other (__GFP_THISNODE); None if its cpuset forbids it or it is
    full.
    """
    allowed = mems_allowed(m)
    if allowed is not None and node not in allowed:
        return None
    page = alloc_page_on(m, node)
    if page is not None:
        zone_statistics(m, node, node)
    return page


def alloc_pages(m: MachineState, zonelist: tuple[int, ...]) -> int | None:
    """A frame of the first node of a zonelist that the acting task's cpuset allows and that has one free
    (__alloc_pages). None if there is none.

    The first node of the list is the one that was wanted, also if the cpuset forbids it. What the kernel allocates for
    itself in an emergency, beyond the cpuset, is not modelled.
    """
    allowed = mems_allowed(m)
    for node in zonelist:
        if allowed is None or node in allowed:
            page = alloc_page_on(m, node)
            if page is not None:
                zone_statistics(m, zonelist[0], node)
                return page
    return None


def get_page(m: MachineState, page: int, holder: int = 0) -> None:
    """Take a reference, for a task or pin (``holder``), or (0) for a PTE, the page cache or a pagevec."""
    assert m.count[page], f"a reference was taken to page {page}, which is free"
    m.set(m.count, page, m.count[page] + 1)
    if holder:
        note_holder(m, page, holder)


def put_page(m: MachineState, page: int, holder: int = 0) -> None:
    """Drop a reference. With the last one the frame is free: it must not be mapped or locked then."""
    count = m.count[page] - 1
    assert count >= 0, f"page {page}: a reference too many was dropped"
    if holder:
        forget_holder(m, page, holder)
    m.set(m.count, page, count)
    if not count:
        free_page(m, page)


def free_page(m: MachineState, page: int) -> None:
    """Give a frame without references back to its node."""
    assert not m.mapcount[page], f"page {page} was freed while it is mapped"
    assert not m.owner[page], f"page {page} was freed while it is locked"
    assert not m.holder[page], f"page {page} was freed while somebody holds it"
    for field in (m.stamp, m.flags, m.mapping, m.index, m.private, m.contents):
        if field[page]:
            m.set(field, page, 0)
    row = m.row[m.node(page)]
    m.set(m.free, m.first_frame[row] + m.free_top[row], page)
    m.set(m.free_top, row, m.free_top[row] + 1)


def make_zero_page(m: MachineState) -> None:
    """At boot: the page of zeroes that every read of untouched memory maps (ZERO_PAGE(0)). It is never freed or
    moved.
    """
    node = next(node for node in m.node_ids if m.nr_free(node))
    page = alloc_page_on(m, node)
    assert page is not None
    forget_holder(m, page, m.current)
    m.set(m.flags, page, PG_RESERVED)
    m.put("zero page", page)


def set_flag(m: MachineState, page: int, flag: int) -> None:
    """Set a page flag."""
    if not m.flags[page] & flag:
        m.set(m.flags, page, m.flags[page] | flag)


def clear_flag(m: MachineState, page: int, flag: int) -> None:
    """Clear a page flag."""
    if m.flags[page] & flag:
        m.set(m.flags, page, m.flags[page] & ~flag)
