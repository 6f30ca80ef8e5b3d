"""unmap_and_move(): one attempt to move one page (mm/migrate.c of 2.6.18). Document 1, 2, 5, 19 and 20."""

from __future__ import annotations

from typing import Any

from numakit.abi import EAGAIN, ENOMEM
from numakit.kernels.functions import kernel_function
from numakit.machine.locks import lock_page, trylock_page, unlock_page
from numakit.machine.references import holder_name
from numakit.machine.state import MachineState
from numakit.machine.verdicts import decide_page, take_verdict
from numakit.migration.move_to_new_page import move_to_new_page
from numakit.migration.new_page import NewPage, ResultPointer
from numakit.migration.putback import move_to_lru
from numakit.moments import (
    FREED,
    GET_NEW_PAGE,
    LOCK_PAGE,
    PUT_BACK,
    PUT_BACK_NEW,
    SLEEP_ON_WRITEBACK,
    UNLOCK_PAGE,
    WRITEBACK,
)
from numakit.rmap import remove_migration_ptes, try_to_unmap
from numakit.timeline.task import Steps


@kernel_function
def unmap_and_move(m: MachineState, get_new_page: NewPage, private: Any, page: int, force: bool) -> Steps[int]:
    """Try to move one page.

    Needs the page isolated, with the acting task's reference. Returns 0: moved, or freed under us; -EAGAIN: still
    isolated, worth another pass; any other errno: permanent. Except after -EAGAIN (and after an -ENOMEM that ends the
    call) the page has gone back to the LRU. The new page always goes to the LRU, where an unused one is freed.
    """
    result = ResultPointer()
    yield GET_NEW_PAGE, page
    newpage = get_new_page(m, page, private, result)
    if newpage is None:
        note_no_memory(m, page)
        if not m.kernel.no_memory_ends_call:  # as the text promises: a status, and the others go on
            move_to_lru(m, page)
            result.write(m, -ENOMEM)
        return -ENOMEM
    yield FREED, page
    if m.count[page] == 1:
        rc = decide_page(m, page, 0, "gone")
    else:
        rc = yield from lock_and_move(m, newpage, page, force)
    yield PUT_BACK, page
    if rc != -EAGAIN:
        move_to_lru(m, page)
    yield PUT_BACK_NEW, newpage
    m.costs.thrown_away += m.count[newpage] == 1
    move_to_lru(m, newpage)
    m.costs.retries += rc == -EAGAIN
    if rc == -EAGAIN:
        result.write(m, m.kernel.busy_status)
    else:
        result.write(m, rc or m.node(newpage))
    return rc


def note_no_memory(m: MachineState, page: int) -> None:
    """Note that a page got no new page, unless the allocator has told more."""
    noted = m.table.get(("page verdict", m.current, page))
    if noted is None or noted.value != -ENOMEM:
        decide_page(m, page, -ENOMEM, "full")


@kernel_function
def lock_and_move(m: MachineState, newpage: int, page: int, force: bool) -> Steps[int]:
    """Lock the page, unmap it, and let ``newpage`` take its place. 0 or an errno; then the page is mapped as it was.

    (The middle of the kernel's unmap_and_move, between its labels.) Leaves both pages unlocked.
    """
    rc = yield from lock_old_page(m, page, force)
    if rc:
        return rc
    rc = yield from try_to_unmap(m, page)
    if not rc:
        rc = yield from move_to_new_page(m, newpage, page)
    if rc:
        yield from remove_migration_ptes(m, page, page)
    elif m.count[newpage] == 1:
        decide_page(m, page, 0, "gone")  # its last user let go after we had looked: nobody took to the new page
    else:
        take_verdict(m, "page verdict", m.current, page)  # an earlier attempt may have left one
    yield UNLOCK_PAGE, page
    unlock_page(m, page)
    return rc


@kernel_function
def lock_old_page(m: MachineState, page: int, force: bool) -> Steps[int]:
    """Lock the page when nobody writes it to disc. 0 with the page locked; -EAGAIN, unlocked, where that would mean
    to sleep and the pass is a polite one.
    """
    yield LOCK_PAGE, page
    if not trylock_page(m, page):
        if not force:
            return decide_page(m, page, -EAGAIN, "locked", holders=(holder_name(m, m.owner[page]),))
        m.costs.waits += 1
        yield from lock_page(m, page)
    yield WRITEBACK, page
    while ("writeback", page) in m.table:
        if not force:
            unlock_page(m, page)
            return decide_page(m, page, -EAGAIN, "writeback")
        m.costs.waits += 1
        yield SLEEP_ON_WRITEBACK, page
    return 0
