"""migrate_pages() as it is since 6.3, here of 6.12: in batches (mm/migrate.c).

All pages of a batch are unmapped first and moved afterwards, so that the other CPUs have to flush their TLBs once, and
not for each page. That is tried without sleeping; pages that were busy are then moved one by one, as ever.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numakit.abi import EAGAIN, EBUSY, ENOMEM
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.frames import get_page, put_page
from numakit.machine.locks import lock_page, trylock_page, unlock_page
from numakit.machine.references import holder_name
from numakit.machine.state import MachineState
from numakit.machine.verdicts import decide_page, take_verdict
from numakit.migration.kernel_6_1 import move_to_new_folio
from numakit.migration.mode import MIGRATE_ASYNC, MIGRATE_SYNC
from numakit.migration.new_page import NewPage, ResultPointer
from numakit.migration.putback import move_to_lru, putback_lru_pages
from numakit.migration.unmap_and_move import note_no_memory
from numakit.moments import (
    FREED,
    GET_NEW_PAGE,
    LOCK_NEW_PAGE,
    LOCK_PAGE,
    PASS,
    PUT_BACK_NEW,
    SLEEP_ON_WRITEBACK,
    UNLOCK_NEW_PAGE,
    UNLOCK_PAGE,
    WRITEBACK,
)
from numakit.rmap import remove_migration_ptes, try_to_unmap
from numakit.timeline.task import Steps

NR_MAX_BATCHED_MIGRATION = 512  #: pages of a batch
NR_MAX_MIGRATE_ASYNC_RETRY, NR_MAX_MIGRATE_SYNC_RETRY = 3, 7  #: passes without sleeping, and with


class Unmapped(NamedTuple):
    """A page that is locked and unmapped, its new page, locked too, and where its status goes."""

    src: int
    dst: int
    result: ResultPointer


@serves("migrate_pages")
def migrate_pages_in_batches(m: MachineState, pages: Sequence[int], get_new_page: NewPage, private: Any) -> Steps[int]:
    """Move pages, 512 at a time. How many stayed, or -ENOMEM: the batch in which a page got no new one was the last.

    Needs the pages off the LRU, with a reference of the acting task to each. Every page that stays goes back to the
    LRU. (In the kernel the caller puts them back.)
    """
    stayed: list[int] = []
    for start in range(0, len(pages), NR_MAX_BATCHED_MIGRATION):
        batch = list(pages[start : start + NR_MAX_BATCHED_MIGRATION])
        rc, left = yield from migrate_pages_sync(m, batch, get_new_page, private)
        stayed += left
        if rc < 0:
            stayed += pages[start + NR_MAX_BATCHED_MIGRATION :]
            putback_lru_pages(m, stayed)
            return rc
    m.set(m.vmstat, 0, m.vmstat[0] + len(pages) - len(stayed))
    m.set(m.vmstat, 1, m.vmstat[1] + len(stayed))
    return putback_lru_pages(m, stayed)


@kernel_function
def migrate_pages_sync(
    m: MachineState, pages: list[int], get_new_page: NewPage, private: Any
) -> Steps[tuple[int, list[int]]]:
    """Move a batch: all at once without sleeping, then what is left one by one. (0 or -ENOMEM, the pages that stay)."""
    rc, left = yield from migrate_pages_batch(m, pages, get_new_page, private, MIGRATE_ASYNC)
    stayed: list[int] = []
    while left and not rc:
        page, *left = left
        rc, again = yield from migrate_pages_batch(m, [page], get_new_page, private, MIGRATE_SYNC)
        stayed += again
    return rc, stayed + left


@kernel_function
def migrate_pages_batch(
    m: MachineState, pages: list[int], get_new_page: NewPage, private: Any, mode: int
) -> Steps[tuple[int, list[int]]]:
    """Unmap all pages, in some passes, then move all that are unmapped, in as many. (0 or -ENOMEM, the pages that were
    not moved: they are mapped as they were, and still isolated).
    """
    passes = NR_MAX_MIGRATE_ASYNC_RETRY if mode == MIGRATE_ASYNC else NR_MAX_MIGRATE_SYNC_RETRY
    unmapped: list[Unmapped] = []
    failed: list[int] = []
    retry, rc_saved = pages, 0
    for number in range(passes):
        if not retry or rc_saved:
            break
        yield PASS, number
        m.costs.passes += 1
        todo, retry = retry, []
        for at, page in enumerate(todo):
            m.costs.attempts += 1
            done = yield from migrate_folio_unmap(m, get_new_page, private, page, mode)
            if isinstance(done, Unmapped):
                unmapped.append(done)
            elif done == -ENOMEM:  # what is unmapped is still moved
                rc_saved, failed = done, failed + todo[at:]
                break
            elif done == -EAGAIN:
                retry.append(page)
            elif done:
                failed.append(page)
    failed += retry
    for _ in range(passes):
        todo_now, unmapped = unmapped, []
        for one in todo_now:
            rc = yield from migrate_folio_move(m, one, mode)
            if rc == -EAGAIN:
                unmapped.append(one)
            elif rc:
                failed.append(one.src)
    for one in unmapped:
        yield from migrate_folio_undo(m, one)
        failed.append(one.src)
    order = {page: at for at, page in enumerate(pages)}
    return rc_saved, sorted(failed, key=order.__getitem__)


@kernel_function
def migrate_folio_unmap(
    m: MachineState, get_new_page: NewPage, private: Any, src: int, mode: int
) -> Steps[Unmapped | int]:
    """Get a new page, lock both and unmap the old one. What is to be moved; 0: it was freed under us; or an errno,
    with the page as it was and the new page freed.
    """
    yield FREED, src
    if m.count[src] == 1:
        decide_page(m, src, 0, "gone")
        put_page(m, src, m.current)
        return 0
    result = ResultPointer()
    yield GET_NEW_PAGE, src
    dst = get_new_page(m, src, private, result)
    if dst is None:
        note_no_memory(m, src)
        result.write(m, -ENOMEM)
        return -ENOMEM
    rc = yield from lock_folio(m, src, mode)
    if not rc:
        yield LOCK_NEW_PAGE, dst
        locked = trylock_page(m, dst)
        assert locked, f"the new page {dst} was locked"
        rc = yield from try_to_unmap(m, src)
        one = Unmapped(src, dst, result)
        if not rc:
            return one
        yield from remove_migration_ptes(m, src, src)
        unlock_page(m, dst)
        yield UNLOCK_PAGE, src
        unlock_page(m, src)
    write_failure(m, result, rc)
    put_page(m, dst, m.current)
    return rc


@kernel_function
def lock_folio(m: MachineState, src: int, mode: int) -> Steps[int]:
    """Lock a page that nobody writes to disc. 0 with the page locked; without sleeping: -EAGAIN for the lock, -EBUSY
    for writeback, which takes longer than another pass would wait.
    """
    yield LOCK_PAGE, src
    if not trylock_page(m, src):
        if mode == MIGRATE_ASYNC:
            return decide_page(m, src, -EAGAIN, "locked", holders=(holder_name(m, m.owner[src]),))
        m.costs.waits += 1
        yield from lock_page(m, src)
    yield WRITEBACK, src
    while ("writeback", src) in m.table:
        if mode == MIGRATE_ASYNC:
            unlock_page(m, src)
            return decide_page(m, src, -EBUSY, "writeback")
        m.costs.waits += 1
        yield SLEEP_ON_WRITEBACK, src
    return 0


@kernel_function
def migrate_folio_move(m: MachineState, one: Unmapped, mode: int) -> Steps[int]:
    """Move a page that is unmapped. 0: the new page is mapped and on its way to the LRU, the old one freed; -EAGAIN:
    both are still locked, and the page unmapped; another errno: undone.
    """
    rc = yield from move_to_new_folio(m, one.dst, one.src, mode)
    if rc == -EAGAIN:
        write_failure(m, one.result, rc)
        return rc
    if rc:
        yield from migrate_folio_undo(m, one)
        write_failure(m, one.result, rc)
        return rc
    yield PUT_BACK_NEW, one.dst
    get_page(m, one.dst, m.current)
    move_to_lru(m, one.dst)
    yield from remove_migration_ptes(m, one.src, one.dst)
    yield UNLOCK_NEW_PAGE, one.dst
    unlock_page(m, one.dst)
    put_page(m, one.dst, m.current)
    yield UNLOCK_PAGE, one.src
    unlock_page(m, one.src)
    take_verdict(m, "page verdict", m.current, one.src)  # an earlier attempt may have left one
    one.result.write(m, m.node(one.dst))
    put_page(m, one.src, m.current)
    return 0


@kernel_function
def migrate_folio_undo(m: MachineState, one: Unmapped) -> Steps[None]:
    """Map a page again as it was, unlock it, and free its new page (migrate_folio_undo_src, migrate_folio_undo_dst)."""
    yield from remove_migration_ptes(m, one.src, one.src)
    yield UNLOCK_PAGE, one.src
    unlock_page(m, one.src)
    unlock_page(m, one.dst)
    m.costs.thrown_away += 1
    put_page(m, one.dst, m.current)


def write_failure(m: MachineState, result: ResultPointer, rc: int) -> None:
    """Tell why an attempt failed; a later one may decide anew."""
    m.costs.retries += rc == -EAGAIN
    result.write(m, m.kernel.busy_status if rc == -EAGAIN else rc)
