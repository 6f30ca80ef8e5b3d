"""migrate_pages() and unmap_and_move() as they are in 6.1 (mm/migrate.c).

The passes are those of 2006. What differs: the count of a page that its last user left is looked at before a new page
is asked for; both pages are locked before the old one is unmapped; a new page that is not used is freed at once; and
when there is no memory for one page the whole call ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numakit.abi import EAGAIN, ENOMEM
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.frames import get_page, put_page
from numakit.machine.locks import trylock_page, unlock_page
from numakit.machine.state import MachineState
from numakit.machine.verdicts import decide_page, take_verdict
from numakit.migration.mode import MIGRATE_SYNC
from numakit.migration.move_to_new_page import migration_function
from numakit.migration.new_page import NewPage, ResultPointer
from numakit.migration.putback import move_to_lru, putback_lru_pages
from numakit.migration.unmap_and_move import lock_old_page, note_no_memory, unmap_and_move
from numakit.moments import (
    FREED,
    GET_NEW_PAGE,
    LOCK_NEW_PAGE,
    PASS,
    PUT_BACK_NEW,
    SET_MAPPING,
    UNLOCK_NEW_PAGE,
    UNLOCK_PAGE,
)
from numakit.rmap import remove_migration_ptes, try_to_unmap
from numakit.timeline.task import Steps


@serves("migrate_pages")
def migrate_pages_6_1(m: MachineState, pages: Sequence[int], get_new_page: NewPage, private: Any) -> Steps[int]:
    """Move pages, in ten passes. How many stayed; or -ENOMEM, at the first page that got no new one: it and those
    behind it were not moved.

    Needs the pages off the LRU, with a reference of the acting task to each. Every page that stays goes back to the
    LRU. (In the kernel the caller puts them back.)
    """
    stayed: list[int] = []
    retry, tried, rc = list(pages), 0, 0
    for number in range(m.kernel.passes):
        if not retry or rc == -ENOMEM:
            break
        yield PASS, number
        m.costs.passes += 1
        todo, retry = retry, []
        for at, page in enumerate(todo):
            m.costs.attempts += 1
            rc = yield from unmap_and_move(m, get_new_page, private, page, number >= m.kernel.polite_passes)
            if rc == -ENOMEM:
                retry, tried = retry + todo[at:], len(todo) - at - 1
                break
            if rc == -EAGAIN:
                retry.append(page)
            elif rc:
                stayed.append(page)
    number_stayed = putback_lru_pages(m, stayed + retry)
    m.set(m.vmstat, 0, m.vmstat[0] + len(pages) - number_stayed)
    m.set(m.vmstat, 1, m.vmstat[1] + number_stayed - tried)
    return -ENOMEM if rc == -ENOMEM else number_stayed


@serves("unmap_and_move")
def unmap_and_move_6_1(m: MachineState, get_new_page: NewPage, private: Any, page: int, force: bool) -> Steps[int]:
    """Try to move one page. 0: moved, or freed under us; the reference is gone. Else an errno, and the page is still
    isolated: -EAGAIN is worth another pass, -ENOMEM: no new page, others are permanent.
    """
    yield FREED, page
    if m.count[page] == 1:
        decide_page(m, page, 0, "gone")
        put_page(m, page, m.current)
        return 0
    result = ResultPointer()
    yield GET_NEW_PAGE, page
    newpage = get_new_page(m, page, private, result)
    if newpage is None:
        note_no_memory(m, page)
        result.write(m, -ENOMEM)
        return -ENOMEM
    rc = yield from lock_both_and_move(m, newpage, page, force)
    result.write(m, (m.kernel.busy_status if rc == -EAGAIN else rc) or m.node(newpage))
    if rc:
        m.costs.thrown_away += 1
        m.costs.retries += rc == -EAGAIN
    else:
        put_page(m, page, m.current)  # nobody else refers to it: it is freed
    put_page(m, newpage, m.current)
    return rc


@kernel_function
def lock_both_and_move(m: MachineState, newpage: int, page: int, force: bool) -> Steps[int]:
    """Lock both pages, unmap the old one, and let the new one take its place (__unmap_and_move). 0 or an errno; then
    the page is mapped as it was. Leaves both unlocked; after success the new one is on its way to the LRU.
    """
    rc = yield from lock_old_page(m, page, force)
    if rc:
        return rc
    yield LOCK_NEW_PAGE, newpage
    locked = trylock_page(m, newpage)
    assert locked, f"the new page {newpage} was locked"
    rc = yield from try_to_unmap(m, page)
    if not rc:
        rc = yield from move_to_new_folio(m, newpage, page, MIGRATE_SYNC)
    if not rc:
        yield PUT_BACK_NEW, newpage
        get_page(m, newpage, m.current)
        move_to_lru(m, newpage)
    yield from remove_migration_ptes(m, page, page if rc else newpage)
    yield UNLOCK_NEW_PAGE, newpage
    unlock_page(m, newpage)
    yield UNLOCK_PAGE, page
    unlock_page(m, page)
    if not rc:
        take_verdict(m, "page verdict", m.current, page)  # an earlier attempt may have left one
    return rc


@kernel_function
def move_to_new_folio(m: MachineState, dst: int, src: int, mode: int) -> Steps[int]:
    """Make ``dst`` take the place of ``src``. 0, or an errno with nothing changed. Needs both locked, and ``src``
    unmapped; the migration entries are the caller's business.

    (``dst`` gets mapping and index here; the kernel does it a little later, when nothing can fail any more.)
    """
    yield SET_MAPPING, dst
    m.set(m.index, dst, m.index[src])
    m.set(m.mapping, dst, m.mapping[src])
    rc = yield from migration_function(m, dst, src, mode)
    if rc:
        m.set(m.mapping, dst, 0)
        m.set(m.index, dst, 0)
    return rc
