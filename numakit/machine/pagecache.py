"""The page cache: address spaces, their slots, and what a file system can do (include/linux/fs.h, mm/filemap.c).

Shared anonymous memory is a file of tmpfs that has no name: its pages have a reference of the page cache, too.
"""

from __future__ import annotations

from typing import NamedTuple

from numakit.machine.frames import get_page, put_page
from numakit.machine.state import MachineState
from numakit.timeline.state import Memory


class AddressSpace(NamedTuple):
    """What the pages of a file belong to. ``slots`` numbers an array: index -> pfn + 1, 0 for a page that is not
    there.
    """

    file_system: str
    slots: int


class FileSystem(NamedTuple):
    """The functions of a file system that take part in migration, by name; an empty string where it has none."""

    migratepage: str = ""


FILE_SYSTEMS = {"tmpfs": FileSystem(migratepage="migrate_page")}


def new_address_space(m: MachineState, file_system: str, pages: int) -> int:
    """The number of a new file of so many pages, none of them in memory."""
    number = m.next("address_spaces")
    m.put(
        ("mapping", number),
        AddressSpace(file_system, m.new_array(pages, "i", label=f"page cache of file {number}")),
    )
    return number


def page_mapping(m: MachineState, page: int) -> int:
    """The address space of a page, 0 for an anonymous one, which has an anon_vma only."""
    return max(0, m.mapping[page])


def slots_of(m: MachineState, mapping: int) -> Memory:
    """The slots of an address space."""
    space: AddressSpace = m.table[("mapping", mapping)]
    return m.arrays[space.slots]


def add_to_page_cache(m: MachineState, page: int, mapping: int, index: int) -> None:
    """Let the slot of a file lead to the page; the page cache takes a reference."""
    get_page(m, page)
    m.set(m.mapping, page, mapping)
    m.set(m.index, page, index)
    m.set(slots_of(m, mapping), index, page + 1)


def remove_from_page_cache(m: MachineState, page: int) -> None:
    """Empty the slot that leads to a page; the page loses its mapping and the reference of the page cache. Needs it
    locked.
    """
    m.set(slots_of(m, m.mapping[page]), m.index[page], 0)
    m.set(m.mapping, page, 0)
    put_page(m, page)


def drop_address_space(m: MachineState, mapping: int) -> None:
    """A file without pages ceases to exist."""
    m.drop_array(m.table[("mapping", mapping)].slots)
    m.put(("mapping", mapping), None)
