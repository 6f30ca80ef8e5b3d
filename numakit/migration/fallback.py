"""fallback_migrate_page(): for file systems without a migration function (mm/migrate.c of 2.6.18).

Only a clean page without buffers can be moved then. A dirty one is written out first and tried again in a later pass.
"""

from __future__ import annotations

from numakit.abi import EAGAIN, EBUSY, EINVAL, EIO
from numakit.disc import clear_page_dirty_for_io, writepage
from numakit.kernels.functions import kernel_function
from numakit.machine.bug import hit_bug
from numakit.machine.locks import lock_page
from numakit.machine.pagecache import (
    buffers_held_by,
    drop_buffers,
    file_system_of,
    page_has_buffers,
    page_mapping,
    space_of,
)
from numakit.machine.state import PG_DIRTY, MachineState
from numakit.machine.verdicts import decide_page
from numakit.migration.migrate_page import migrate_page
from numakit.migration.mode import MIGRATE_SYNC
from numakit.moments import LOCK_PAGE, RELEASE_BUFFERS, WRITEOUT, WRITEPAGE
from numakit.rmap import remove_migration_ptes
from numakit.timeline.task import Steps


@kernel_function
def fallback_migrate_page(m: MachineState, newpage: int, page: int, mode: int = MIGRATE_SYNC) -> Steps[int]:
    """Move a clean page; write out a dirty one. 0, -EAGAIN, -EINVAL or -EIO. Needs both pages locked, ``page``
    unmapped.
    """
    busy = -EAGAIN if mode == MIGRATE_SYNC else -EBUSY  # who may not sleep does not come back for a disc
    if m.flags[page] & PG_DIRTY:
        if mode != MIGRATE_SYNC:
            return decide_page(m, page, busy, "written", file=space_of(m, m.mapping[page]).name, passes=m.kernel.passes)
        return (yield from writeout(m, page))
    if page_has_buffers(m, page):
        yield RELEASE_BUFFERS, page
        if not drop_buffers(m, page):
            facts = {"holder": buffers_held_by(m, page), "file": space_of(m, m.mapping[page]).name}
            return decide_page(m, page, busy, "buffers", **facts, passes=m.kernel.passes)
    return (yield from migrate_page(m, newpage, page))


@kernel_function
def writeout(m: MachineState, page: int) -> Steps[int]:
    """Write a dirty page, so that it can be moved when it is clean.

    Needs the page locked. -EAGAIN: it is being written, to be tried again; -EINVAL: its file system has no writepage;
    -EIO: the write failed. The page is locked again, and its PTEs are back: while it is written it may be used.
    """
    yield WRITEOUT, page
    space = space_of(m, page_mapping(m, page))
    facts = {"file": space.name, "file_system": space.file_system}
    if not file_system_of(m, page_mapping(m, page)).writepage:
        return decide_page(m, page, -EINVAL, "no-write", **facts)
    if not clear_page_dirty_for_io(m, page):
        return decide_page(m, page, -EAGAIN, "writeback")
    # writepage may unlock the page, and a migration entry for an unlocked page would be a bug.
    yield from remove_migration_ptes(m, page, page)
    yield WRITEPAGE, page
    if writepage(m, page):
        if not m.kernel.failed_write_locks_again:
            hit_bug(m, f"unlock_page() of page {page}, which writepage had unlocked when the write failed")
        return decide_page(m, page, -EIO, "write-fails", **facts)
    yield LOCK_PAGE, page
    yield from lock_page(m, page)
    return decide_page(m, page, -EAGAIN, "written", **facts, passes=m.kernel.passes)
