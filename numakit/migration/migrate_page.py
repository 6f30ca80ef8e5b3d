"""migrate_page(): move a page that nothing but its mapping refers to (mm/migrate.c of 2.6.18). Document 6 to 15."""

from __future__ import annotations

from collections import Counter

from numakit.abi import EAGAIN
from numakit.kernels.functions import kernel_function
from numakit.machine.frames import get_page, put_page
from numakit.machine.holders import references
from numakit.machine.pagecache import page_has_buffers, page_index, page_mapping, slots_of
from numakit.machine.references import holder_name
from numakit.machine.state import PG_SWAPCACHE, MachineState
from numakit.machine.verdicts import decide_page
from numakit.migration.mode import MIGRATE_SYNC
from numakit.moments import COPY, COPY_FLAGS, COUNT, COUNT_AND_SLOT, SWITCH, TREE_LOCK
from numakit.timeline.task import Steps


@kernel_function
def migrate_page(m: MachineState, newpage: int, page: int, mode: int = MIGRATE_SYNC) -> Steps[int]:
    """Count and slot first, then contents and flags. 0 or -EAGAIN. Needs both pages locked, ``page`` unmapped. It does
    not sleep, whatever the ``mode``.
    """
    rc = yield from migrate_page_move_mapping(m, newpage, page)
    if not rc:
        yield from migrate_page_copy(m, newpage, page)
    return rc


@kernel_function
def migrate_page_move_mapping(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """Let the mapping lead to ``newpage``, if nobody else refers to ``page``. 0, or -EAGAIN with nothing changed.

    An anonymous page has no tree: only its count is compared, with 1, our own reference. A page of a file, or in the
    swap cache, also has the reference of that cache, and one more with buffers; count and slot are tested, and the
    slot switched, under the tree lock: nobody acts between.
    """
    mapping = page_mapping(m, page)
    if not mapping:
        yield COUNT, page
        return count_test(m, page, 1)
    yield TREE_LOCK, page
    yield COUNT_AND_SLOT, page
    slots, index = slots_of(m, mapping), page_index(m, page)
    if count_test(m, page, 2 + page_has_buffers(m, page)):
        return -EAGAIN
    if slots[index] != page + 1:
        return decide_page(m, page, -EAGAIN, "truncated")
    yield SWITCH, page
    get_page(m, newpage)
    if m.flags[page] & PG_SWAPCACHE:
        m.set(m.flags, newpage, m.flags[newpage] | PG_SWAPCACHE)
        m.set(m.private, newpage, m.private[page])
    m.set(slots, index, newpage + 1)
    put_page(m, page)
    return 0


@kernel_function
def count_test(m: MachineState, page: int, expected: int) -> int:
    """0 if the page has exactly the references expected, else -EAGAIN: somebody may still use the old frame."""
    if m.count[page] == expected:
        return 0
    facts = {"count": m.count[page], "expected": expected, "passes": m.kernel.passes}
    return decide_page(m, page, -EAGAIN, "pinned", holders=other_holders(m, page), **facts)


def other_holders(m: MachineState, page: int) -> tuple[str, ...]:
    """Who holds references to an unmapped page beside those expected: our own, its cache's and its buffers'."""
    expected = (holder_name(m, m.current), "page cache", "swap cache", "buffers")
    return tuple(sorted(Counter(references(m, page)) - Counter(expected)))


@kernel_function
def migrate_page_copy(m: MachineState, newpage: int, page: int) -> Steps[None]:
    """Copy contents and flags; the old page keeps neither flags nor mapping nor a place in the swap cache."""
    yield COPY, page
    m.set(m.contents, newpage, m.contents[page])
    yield COPY_FLAGS, page
    m.set(m.flags, newpage, m.flags[page])
    if m.flags[page] & PG_SWAPCACHE:
        m.set(m.private, page, 0)
    m.set(m.flags, page, 0)
    m.set(m.mapping, page, 0)
