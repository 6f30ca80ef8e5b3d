"""Writing pages to disc: writepage functions, and the disc that takes its time (mm/page-writeback.c, fs/buffer.c of
2.6.18).

While a page is under writeback the disc reads its frame: migration waits for it. A disc is a task that acts when
nobody else can, unless a schedule says otherwise.
"""

from __future__ import annotations

from numakit.abi import EIO
from numakit.kernels.functions import kernel_function
from numakit.machine.frames import clear_flag, get_page, put_page, set_flag
from numakit.machine.locks import lock_page, unlock_page
from numakit.machine.pagecache import disc_of, file_system_of, page_index, page_mapping
from numakit.machine.state import PG_DIRTY, MachineState
from numakit.moments import END_WRITEBACK, HOLD, START_WRITEBACK
from numakit.timeline.task import Steps, Task


def clear_page_dirty_for_io(m: MachineState, page: int) -> bool:
    """Take the dirty flag away before the page is written; False if it was not dirty. Needs the page locked."""
    if not m.flags[page] & PG_DIRTY:
        return False
    clear_flag(m, page, PG_DIRTY)
    return True


def submit_write(m: MachineState, page: int) -> int:
    """A writepage that works: the page is under writeback and unlocked; a disc ends it later. 0. Needs the page
    locked.
    """
    assert m.run is not None
    disc = m.run.spawn(Task("the disc", lambda m: end_writeback(m, page), m.cpu, idle=True))
    set_page_writeback(m, page, disc.number)
    unlock_page(m, page)
    return 0


def fail_to_write(m: MachineState, page: int) -> int:
    """A writepage whose disc refuses: -EIO, the page stays locked, and dirty, so that nothing is lost."""
    set_flag(m, page, PG_DIRTY)
    return -EIO


WRITEPAGE = {"submit_write": submit_write, "fail_to_write": fail_to_write}


@kernel_function
def writepage(m: MachineState, page: int) -> int:
    """Call the writepage of the page's file system. 0 with the page unlocked, or -EIO with it still locked."""
    return WRITEPAGE[file_system_of(m, page_mapping(m, page)).writepage](m, page)


def set_page_writeback(m: MachineState, page: int, disc: int) -> None:
    """The disc begins to read the frame; what it writes is what stands in it now."""
    assert ("writeback", page) not in m.table, f"page {page} is under writeback already"
    m.put(("writeback", page), disc)
    blocks = disc_of(m, page_mapping(m, page))
    if blocks:
        m.set(blocks, page_index(m, page), m.contents[page])


def end_page_writeback(m: MachineState, page: int) -> None:
    """The disc is done with the frame; who waits for it may go on."""
    m.put(("writeback", page), None)


def end_writeback(m: MachineState, page: int) -> Steps[int]:
    """The disc's task: end the writeback when its turn comes. 0."""
    yield END_WRITEBACK, page
    end_page_writeback(m, page)
    return 0


def write_for_a_while(m: MachineState, mapping: int, page: int) -> Steps[int]:
    """A flusher writes a dirty page of a file, and the disc takes until a later turn. 0, also where there is nothing
    to write, or no disc that would take it: then the page stays dirty.
    """
    if page_mapping(m, page) != mapping:
        return 0
    get_page(m, page, m.current)
    yield START_WRITEBACK, page
    yield from lock_page(m, page)
    ours = page_mapping(m, page) == mapping and file_system_of(m, mapping).writepage == "submit_write"
    written = ours and ("writeback", page) not in m.table and clear_page_dirty_for_io(m, page)
    if written:
        set_page_writeback(m, page, m.current)
    unlock_page(m, page)
    if written:
        yield HOLD, page
        end_page_writeback(m, page)
    put_page(m, page, m.current)
    return 0
