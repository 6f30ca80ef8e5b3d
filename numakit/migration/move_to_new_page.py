"""move_to_new_page() and the migration functions: the new page takes the old one's place (mm/migrate.c of 2.6.18).

Document 3, 4, 6 to 16.
"""

from __future__ import annotations

from numakit.abi import EAGAIN
from numakit.kernels.functions import kernel_function
from numakit.machine.frames import get_page, put_page
from numakit.machine.locks import trylock_page, unlock_page
from numakit.machine.pagecache import FILE_SYSTEMS, page_mapping, slots_of
from numakit.machine.references import holder_name, noted_holders
from numakit.machine.state import MachineState
from numakit.machine.verdicts import decide_page
from numakit.moments import (
    COPY,
    COPY_FLAGS,
    COUNT,
    COUNT_AND_SLOT,
    LOCK_NEW_PAGE,
    SET_MAPPING,
    SWITCH,
    TREE_LOCK,
    UNLOCK_NEW_PAGE,
)
from numakit.rmap import remove_migration_ptes
from numakit.timeline.task import Steps


@kernel_function
def move_to_new_page(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """Make ``newpage`` take the place of ``page``.

    Needs ``page`` locked and unmapped, ``newpage`` fresh. 0: all migration entries lead to ``newpage``; or an errno:
    ``newpage`` has no mapping again, the entries still lead to ``page``. ``newpage`` is unlocked in both cases.
    """
    yield LOCK_NEW_PAGE, newpage
    locked = trylock_page(m, newpage)
    assert locked, f"the new page {newpage} was locked"
    yield SET_MAPPING, newpage
    m.set(m.index, newpage, m.index[page])
    m.set(m.mapping, newpage, m.mapping[page])
    rc = yield from migration_function(m, newpage, page)
    if not rc:
        yield from remove_migration_ptes(m, page, newpage)
    else:
        m.set(m.mapping, newpage, 0)
        m.set(m.index, newpage, 0)
    yield UNLOCK_NEW_PAGE, newpage
    unlock_page(m, newpage)
    return rc


def migration_function(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """Call what moves a page of this mapping: migrate_page for anonymous memory, else the function that the file
    system names.
    """
    mapping = page_mapping(m, page)
    name = FILE_SYSTEMS[m.table[("mapping", mapping)].file_system].migratepage if mapping else "migrate_page"
    return MIGRATION_FUNCTIONS[name](m, newpage, page)


@kernel_function
def migrate_page(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """Move a page that nothing but its mapping refers to: count and slot first, then contents and flags. 0 or
    -EAGAIN.
    """
    rc = yield from migrate_page_move_mapping(m, newpage, page)
    if not rc:
        yield from migrate_page_copy(m, newpage, page)
    return rc


@kernel_function
def migrate_page_move_mapping(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """Let the mapping lead to ``newpage``, if nobody else refers to ``page``. 0, or -EAGAIN with nothing changed.

    An anonymous page has no tree: only its count is compared, with 1, our own reference. A page of a file also has the
    reference of the page cache; count and slot are tested, and the slot switched, under the tree lock: nobody acts
    between.
    """
    mapping = page_mapping(m, page)
    if not mapping:
        yield COUNT, page
        return count_test(m, page, 1)
    yield TREE_LOCK, page
    yield COUNT_AND_SLOT, page
    slots, index = slots_of(m, mapping), m.index[page]
    if count_test(m, page, 2):
        return -EAGAIN
    if slots[index] != page + 1:
        return decide_page(m, page, -EAGAIN, "truncated")
    yield SWITCH, page
    m.set(slots, index, newpage + 1)
    get_page(m, newpage)
    put_page(m, page)
    return 0


@kernel_function
def count_test(m: MachineState, page: int, expected: int) -> int:
    """0 if the page has exactly the references expected, else -EAGAIN: somebody may still use the old frame."""
    if m.count[page] == expected:
        return 0
    others = noted_holders(m, page)
    others[m.current] -= 1
    names = tuple(sorted(holder_name(m, holder) for holder, times in others.items() if times > 0))
    return decide_page(m, page, -EAGAIN, "pinned", holders=names, count=m.count[page], expected=expected)


@kernel_function
def migrate_page_copy(m: MachineState, newpage: int, page: int) -> Steps[None]:
    """Copy contents and flags; the old page keeps neither flags nor mapping."""
    yield COPY, page
    m.set(m.contents, newpage, m.contents[page])
    yield COPY_FLAGS, page
    m.set(m.flags, newpage, m.flags[page])
    m.set(m.flags, page, 0)
    m.set(m.mapping, page, 0)


MIGRATION_FUNCTIONS = {"migrate_page": migrate_page}
