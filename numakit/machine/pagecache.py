"""The page cache: address spaces, their slots, and what a file system can do (include/linux/fs.h, mm/filemap.c).

Shared anonymous memory is a file of tmpfs that has no name: its pages have a reference of the page cache, too. Pages
of a block device's file system have buffers, which hold a reference of their own (PagePrivate). Pages in the swap
cache belong to the swapper's address space, whose index is the swap slot.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from numakit.machine.frames import get_page, put_page
from numakit.machine.references import holder_name
from numakit.machine.state import PG_SWAPCACHE, MachineState
from numakit.timeline.state import Memory

SWAPPER_SPACE = 1  #: the number of the swapper's address space


class AddressSpace(NamedTuple):
    """What the pages of a file belong to.

    ``slots`` numbers an array: index -> pfn + 1, 0 for a page that is not in memory. ``disc`` numbers another: index
    -> contents on the disc, 0 for a page that was never read or written. ``size``: how many pages the file has; a
    file that was truncated has fewer than slots. ``name``: empty for shared anonymous memory, which goes with its
    last area.
    """

    file_system: str
    slots: int
    disc: int
    size: int
    name: str


class FileSystem(NamedTuple):
    """The functions of a file system that take part in migration, by name; an empty string where it has none.

    ``migratepage``: moves a page of it. ``writepage``: writes a page to disc. ``buffers``: its pages have buffers.
    ``shared_policy``: memory policies of its pages are kept with the file.
    """

    migratepage: str = ""
    writepage: str = ""
    buffers: bool = False
    shared_policy: bool = False


#: What each can do at v2.6.18 (kernel-side: grep for migratepage and writepage in fs/).
FILE_SYSTEMS: Mapping[str, FileSystem] = MappingProxyType(
    {
        "swap": FileSystem(migratepage="migrate_page", writepage="submit_write"),
        "tmpfs": FileSystem(migratepage="migrate_page", shared_policy=True),
        "ext2": FileSystem(migratepage="buffer_migrate_page", writepage="submit_write", buffers=True),
        "reiserfs": FileSystem(writepage="submit_write", buffers=True),
        "nfs": FileSystem(writepage="submit_write"),
        "faulty": FileSystem(writepage="fail_to_write"),  # a file system whose disc refuses every write
        "ramfs": FileSystem(),
    }
)


def new_address_space(m: MachineState, file_system: str, pages: int, name: str = "") -> int:
    """The number of a new file of so many pages, none of them in memory."""
    number = m.next("address_spaces")
    called = name or f"file {number}"
    slots = m.new_array(pages, "i", label=f"page cache of {called}")
    disc = m.new_array(pages if FILE_SYSTEMS[file_system].writepage else 0, "q", label=f"disc blocks of {called}")
    m.put(("mapping", number), AddressSpace(file_system, slots, disc, pages, name))
    return number


def space_of(m: MachineState, mapping: int) -> AddressSpace:
    """An address space by its number."""
    space: AddressSpace = m.table[("mapping", mapping)]
    return space


def file_system_of(m: MachineState, mapping: int) -> FileSystem:
    """What the file system of an address space can do."""
    return FILE_SYSTEMS[space_of(m, mapping).file_system]


def page_mapping(m: MachineState, page: int) -> int:
    """The address space of a page: its file's, the swapper's, or 0 for an anonymous page, which has none."""
    if m.flags[page] & PG_SWAPCACHE:
        return SWAPPER_SPACE
    return max(0, m.mapping[page])


def page_index(m: MachineState, page: int) -> int:
    """The place of a page in its address space: for the swap cache this is the slot, kept in ``private``."""
    return m.private[page] - 1 if m.flags[page] & PG_SWAPCACHE else m.index[page]


def slots_of(m: MachineState, mapping: int) -> Memory:
    """The slots of an address space."""
    return m.arrays[space_of(m, mapping).slots]


def disc_of(m: MachineState, mapping: int) -> Memory:
    """What lies on the disc for each page of an address space; empty for a file system without a disc."""
    return m.arrays[space_of(m, mapping).disc]


def page_has_buffers(m: MachineState, page: int) -> bool:
    """Whether buffers are attached to a page of a file (PagePrivate)."""
    return bool(m.private[page]) and not m.flags[page] & PG_SWAPCACHE


def in_page_cache(m: MachineState, page: int) -> bool:
    """Whether a slot of the page's address space leads to it, with a reference."""
    mapping = page_mapping(m, page)
    if not mapping or ("mapping", mapping) not in m.table:
        return False
    return slots_of(m, mapping)[page_index(m, page)] == page + 1


def add_to_page_cache(m: MachineState, page: int, mapping: int, index: int) -> None:
    """Let the slot of a file lead to the page; the page cache takes a reference."""
    get_page(m, page)
    m.set(m.mapping, page, mapping)
    m.set(m.index, page, index)
    m.set(slots_of(m, mapping), index, page + 1)


def remove_from_page_cache(m: MachineState, page: int) -> None:
    """The slot no longer leads to the page, which has no mapping then; the page cache drops its reference.

    Needs the page locked, and a reference of the caller.
    """
    m.set(slots_of(m, m.mapping[page]), m.index[page], 0)
    m.set(m.mapping, page, 0)
    put_page(m, page)


def attach_buffers(m: MachineState, page: int) -> None:
    """Give a page of a block device's file system its buffers (create_empty_buffers); they take a reference."""
    get_page(m, page)
    m.set(m.private, page, 1)


def buffer_lock(m: MachineState, page: int) -> tuple[str, int]:
    """The key under which the table has the task that has locked the buffers of a page."""
    return "buffer lock", m.mapping[page] << 32 | m.index[page]


def buffers_held_by(m: MachineState, page: int) -> str:
    """Who keeps the buffers of a page from being taken off it: journals, or I/O that has them locked; else an empty
    string (buffer_busy).
    """
    holders: tuple[str, ...] = m.table.get(("buffers held", m.mapping[page], m.index[page]), ())
    locker = m.table.get(buffer_lock(m, page))
    return " and ".join(dict.fromkeys(holders)) or (holder_name(m, locker) if locker else "")


def drop_buffers(m: MachineState, page: int) -> bool:
    """Take the buffers off a page, with their reference (try_to_free_buffers). False if somebody holds them."""
    if buffers_held_by(m, page):
        return False
    m.set(m.private, page, 0)
    put_page(m, page)
    return True


def drop_address_space(m: MachineState, mapping: int) -> None:
    """A nameless file whose last area is gone, and whose pages were truncated, ends."""
    m.drop_array(space_of(m, mapping).slots)
    m.drop_array(space_of(m, mapping).disc)
    m.put(("mapping", mapping), None)
    if ("shared policy", mapping) in m.table:
        m.put(("shared policy", mapping), None)
