"""A file as people see it: pages in the page cache, and what happens to them without a process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numakit.disc import write_for_a_while
from numakit.facade.call import Call, Prepared
from numakit.machine.pagecache import AddressSpace, slots_of, space_of
from numakit.machine.state import MachineState
from numakit.moments import HOLD, LOCK_BUFFERS
from numakit.tables import html_table
from numakit.timeline.task import Steps
from numakit.truncate import do_truncate

if TYPE_CHECKING:
    from numakit.facade.machine import Machine

SHOWN_PAGES = 32  #: pages that a table shows before it is cut


class File:
    """A file of a machine. A process maps it: ``shell.mmap(4, file=log, shared=True)``."""

    def __init__(self, machine: Machine, number: int) -> None:
        self._machine, self.number = machine, number

    @property
    def machine(self) -> Machine:
        """The machine that it is on."""
        return self._machine

    @property
    def notation(self) -> str:
        """What it is called in the notation of schedules."""
        return f"file({self.number})"

    @property
    def struct(self) -> AddressSpace:
        """Its address space now. Raises ValueError where there is none: before its birth."""
        if ("mapping", self.number) not in self._machine.table:
            raise ValueError(f"file {self.number} does not exist now")
        return space_of(self._machine, self.number)

    @property
    def name(self) -> str:
        """Its name."""
        return self.struct.name

    @property
    def pages(self) -> list[int | None]:
        """The page (pfn) in the page cache for each page of the file, None where it is not in memory."""
        slots = slots_of(self._machine, self.number)[: self.struct.size]
        return [slot - 1 if slot else None for slot in slots]

    def _index(self, index: int) -> int:
        if not isinstance(index, int) or not 0 <= index < self.struct.size:
            raise ValueError(f"index={index!r}: {self.name} has pages 0 to {self.struct.size - 1}")
        return index

    def _prepare(self, name: str, start: Any) -> Prepared[int]:
        return Prepared(name, start, lambda rc: rc, self._machine.first_cpu)

    @Call
    def truncate(self, pages: int) -> Prepared[int]:
        """Make the file so many pages long; what lies behind leaves all page tables and the page cache. 0."""
        if not isinstance(pages, int) or not 0 <= pages <= self.struct.size:
            raise ValueError(f"pages={pages!r}: {self.name} has {self.struct.size} pages; 0 to that many are allowed")
        return self._prepare("truncate", lambda m: do_truncate(m, self.number, pages))

    @Call
    def write_back(self, index: int) -> Prepared[int]:
        """A flusher writes page ``index`` if it is dirty, and the disc takes until a later turn: an actor beside a
        call. 0.
        """
        place = self._index(index)

        def start(m: MachineState) -> Steps[int]:
            page = slots_of(m, self.number)[place] - 1
            return (yield from write_for_a_while(m, self.number, page)) if page >= 0 else 0

        return self._prepare("the disc", start)

    @Call
    def hold_buffers(self, index: int, holder: str = "the journal") -> Prepared[int]:
        """A journal holds the buffers of page ``index`` until a later turn: they cannot be taken off the page. 0.

        An actor beside a call; without ``until`` it lets go when nobody else can act.
        """
        key = ("buffers held", self.number, self._index(index))

        def start(m: MachineState) -> Steps[int]:
            m.put(key, (*m.table.get(key, ()), holder))
            yield HOLD, 0
            others = list(m.table.get(key, ()))
            if others:  # else a truncation has made all of them give up
                others.remove(holder)
                m.put(key, tuple(others) or None)
            return 0

        return self._prepare(holder, start)

    @Call
    def lock_buffers(self, index: int) -> Prepared[int]:
        """I/O locks the buffers of page ``index`` until a later turn: who migrates the page waits for it. 0.

        It sleeps itself while somebody else has them locked, unless the page leaves memory, and its buffers with it.
        """
        place = self._index(index)
        key = ("buffer lock", self.number << 32 | place)

        def start(m: MachineState) -> Steps[int]:
            while key in m.table:
                page = slots_of(m, self.number)[place] - 1
                if page < 0:
                    return 0
                yield LOCK_BUFFERS, page
            m.put(key, m.current)
            yield HOLD, 0
            m.put(key, None)
            return 0

        return self._prepare("buffer I/O", start)

    def __repr__(self) -> str:
        struct = self.struct
        in_memory = sum(page is not None for page in self.pages)
        return f"<File {struct.name}: {struct.size} pages on {struct.file_system}, {in_memory} in memory>"

    def _repr_html_(self) -> str:
        m = self._machine
        rows = []
        for index, page in enumerate(self.pages[:SHOWN_PAGES]):
            frame = None if page is None else m.frame(page)
            rows.append(
                (index, "not in memory") if frame is None else (index, f"page {frame.page} on node {frame.node}")
            )
        return html_table(repr(self)[1:-1], ("index", "page cache"), rows)
