"""move_to_new_page(): the new page takes the old one's place (mm/migrate.c of 2.6.18). Document 3, 4, 16 and 19."""

from __future__ import annotations

from numakit.kernels.functions import kernel_function
from numakit.machine.locks import trylock_page, unlock_page
from numakit.machine.pagecache import file_system_of, page_mapping
from numakit.machine.state import MachineState
from numakit.migration.buffers import buffer_migrate_page
from numakit.migration.fallback import fallback_migrate_page
from numakit.migration.migrate_page import migrate_page
from numakit.migration.mode import MIGRATE_SYNC
from numakit.moments import LOCK_NEW_PAGE, SET_MAPPING, UNLOCK_NEW_PAGE
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


def migration_function(m: MachineState, newpage: int, page: int, mode: int = MIGRATE_SYNC) -> Steps[int]:
    """Call what moves a page of this mapping: migrate_page for anonymous memory, the function that the file system
    names, or fallback_migrate_page where it names none. ``mode``: whether it may sleep.
    """
    mapping = page_mapping(m, page)
    name = file_system_of(m, mapping).migratepage or "fallback_migrate_page" if mapping else "migrate_page"
    how = () if mode == MIGRATE_SYNC else (mode,)  # the functions of 2006 know one way
    return MIGRATION_FUNCTIONS[name](m, newpage, page, *how)


MIGRATION_FUNCTIONS = {
    "migrate_page": migrate_page,
    "buffer_migrate_page": buffer_migrate_page,
    "fallback_migrate_page": fallback_migrate_page,
}
