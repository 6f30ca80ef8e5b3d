"""buffer_migrate_page(): for file systems whose pages have buffers, as ext2 (mm/migrate.c of 2.6.18)."""

from __future__ import annotations

from numakit.abi import EAGAIN
from numakit.kernels.functions import kernel_function
from numakit.machine.frames import get_page, put_page
from numakit.machine.pagecache import buffer_lock, page_has_buffers
from numakit.machine.references import holder_name
from numakit.machine.state import MachineState
from numakit.machine.verdicts import decide_page
from numakit.migration.migrate_page import migrate_page, migrate_page_copy, migrate_page_move_mapping
from numakit.migration.mode import MIGRATE_ASYNC, MIGRATE_SYNC
from numakit.moments import LOCK_BUFFERS, MOVE_BUFFERS
from numakit.timeline.task import Steps


@kernel_function
def buffer_migrate_page(m: MachineState, newpage: int, page: int, mode: int = MIGRATE_SYNC) -> Steps[int]:
    """As migrate_page, and the buffers are carried over to the new page, locked meanwhile. 0 or -EAGAIN.

    Who holds a buffer (a journal) keeps it: it is the same buffer, of another page. Where the mode forbids to sleep,
    locked buffers are -EAGAIN.
    """
    if not page_has_buffers(m, page):
        return (yield from migrate_page(m, newpage, page))
    key = buffer_lock(m, page)
    if mode == MIGRATE_ASYNC and m.table.get(key):
        return decide_page(m, page, -EAGAIN, "locked", holders=(holder_name(m, m.table[key]),))
    rc = yield from migrate_page_move_mapping(m, newpage, page)
    if rc:
        return rc
    while m.table.get(key):
        yield LOCK_BUFFERS, page
    m.put(key, m.current)
    yield MOVE_BUFFERS, page
    m.set(m.private, newpage, m.private[page])
    m.set(m.private, page, 0)
    get_page(m, newpage)
    put_page(m, page)
    yield from migrate_page_copy(m, newpage, page)
    m.put(key, None)
    return 0
