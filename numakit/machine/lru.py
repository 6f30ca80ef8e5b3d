"""LRU lists and pagevecs (mm/swap.c, include/linux/mm_inline.h of 2.6.18).

A page is on the active or the inactive list of its node, as its PG_active flag says; its place there is a stamp from
a rising clock, sorted only when somebody asks. New pages wait in a pagevec of the CPU, 14 pages, with a reference,
and reach their list when it is full or drained. (The kernel has one pagevec a list and CPU; here both share one.)
"""

from __future__ import annotations

from numakit.abi import EBUSY
from numakit.kernels.functions import kernel_function
from numakit.machine.frames import get_page, put_page
from numakit.machine.references import forget_holder
from numakit.machine.state import PAGEVEC_ROW, PAGEVEC_SIZE, PG_ACTIVE, MachineState


def lru_cache_add(m: MachineState, page: int, holder: int) -> None:
    """Put a page into this CPU's pagevec, which takes over one reference of ``holder``. A full pagevec is drained."""
    forget_holder(m, page, holder)
    begin = m.cpu_row[m.cpu] * PAGEVEC_ROW
    used = m.pagevec[begin] + 1
    m.set(m.pagevec, begin + used, page)
    m.set(m.pagevec, begin, used)
    if used == PAGEVEC_SIZE or m.table.get("lru cache disabled"):
        lru_add_drain(m, m.cpu)


def lru_add_drain(m: MachineState, cpu: int) -> None:
    """Move the pages of a CPU's pagevec to their LRU lists; those that nobody else refers to are freed."""
    begin = m.cpu_row[cpu] * PAGEVEC_ROW
    used = m.pagevec[begin]
    if not used:
        return
    m.set(m.pagevec, begin, 0)
    for slot in range(begin + 1, begin + 1 + used):
        page = m.pagevec[slot]
        if m.count[page] > 1:
            m.set(m.clock, 0, m.clock[0] + 1)
            m.set(m.stamp, page, m.clock[0])
        put_page(m, page)


@kernel_function
def lru_add_drain_all(m: MachineState) -> None:
    """Drain the pagevecs of all CPUs (migrate_prep)."""
    for cpu in m.cpu_nodes:
        lru_add_drain(m, cpu)


def lru_cache_disable(m: MachineState) -> None:
    """Switch pagevecs off, for all CPUs, and drain them: a page that is given to one goes to its list at once (since
    5.13). Calls may overlap: each switches them on again.
    """
    m.put("lru cache disabled", m.table.get("lru cache disabled", 0) + 1)
    lru_add_drain_all(m)


def lru_cache_enable(m: MachineState) -> None:
    """The caller of lru_cache_disable() does not need it any more."""
    m.put("lru cache disabled", m.table["lru cache disabled"] - 1 or None)


@kernel_function
def isolate_lru_page(m: MachineState, page: int, holder: int) -> int:
    """Take a page off its LRU list, with a reference for ``holder``. 0, or -EBUSY if it is on no list."""
    if not m.stamp[page]:
        return -EBUSY
    get_page(m, page, holder)
    m.set(m.stamp, page, 0)
    return 0


def lru_list(m: MachineState, node: int, *, active: bool) -> list[int]:
    """The pages of a node's active or inactive list, the one that came last first."""
    wanted = PG_ACTIVE if active else 0
    pages = [page for page in m.frames_of(node) if m.stamp[page] and m.flags[page] & PG_ACTIVE == wanted]
    return sorted(pages, key=lambda page: m.stamp[page], reverse=True)
