"""A page frame as people see it: all that the kernel keeps about it, and who holds it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import NamedTuple

from numakit.machine.holders import references
from numakit.machine.process import processes_of
from numakit.machine.state import FLAG_NAMES, MachineState
from numakit.machine.vma import is_migration_entry, maps, pte_address, rmap_walk
from numakit.tables import html_table


class MappedAt(NamedTuple):
    """A PTE that leads to the page, or a migration entry for it: whose it is and where.

    ``processes`` are the names of those who have it, which may repeat; ``pids`` say which they are.
    """

    processes: tuple[str, ...]
    address: int
    migration_entry: bool
    pids: tuple[int, ...]


@dataclass(frozen=True)
class FrameView:
    """What is known of a frame at this moment; see :data:`numakit.machine.state.FRAME_FIELDS` for the fields."""

    page: int
    node: int
    count: int
    holders: dict[str, int]
    mapcount: int
    flags: tuple[str, ...]
    mapping: str
    index: int
    contents: int
    on_lru: bool
    locked_by: int

    def _repr_html_(self) -> str:
        rows = [(name, getattr(self, name)) for name in [field.name for field in fields(self)][2:]]
        return html_table(f"frame {self.page} on node {self.node}", ("field", "value"), rows)


def view_frame(m: MachineState, page: int) -> FrameView:
    """The frame as it is now. Raises ValueError for a number that is no frame of the machine."""
    if not isinstance(page, int) or not 0 <= page < m.nr_frames:
        raise ValueError(f"page={page!r}: this machine has frames 0 to {m.nr_frames - 1}")
    flags = tuple(name for flag, name in FLAG_NAMES.items() if m.flags[page] & flag)
    mapping = m.mapping[page]
    name = f"file {mapping}" if mapping > 0 else f"anon_vma {-mapping}" if mapping else "none"
    return FrameView(
        page, m.node(page), m.count[page], references(m, page), m.mapcount[page], flags, name, m.index[page],
        m.contents[page], bool(m.stamp[page]), m.owner[page],
    )  # fmt: skip


def mapped_at(m: MachineState, page: int) -> list[MappedAt]:
    """The PTEs that lead to the page, present ones and migration entries, in the order of the reverse map."""
    found = []
    for pte in rmap_walk(m, page):
        entry = is_migration_entry(pte.value, page)
        if entry or maps(pte.value, page):
            users = processes_of(m, pte.vma.mm)
            names, pids = tuple(user.name for user in users), tuple(user.pid for user in users)
            found.append(MappedAt(names, pte_address(pte), entry, pids))
    return found
