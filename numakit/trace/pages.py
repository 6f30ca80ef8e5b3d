"""The pages of a trace, numbered from 0 on over all its areas, in the memory of the processes that are made for it."""

from __future__ import annotations

import numpy as np

from numakit.abi import PAGE_SHIFT, PAGE_SIZE
from numakit.facade.machine import Machine
from numakit.machine.vma import PTE_PFN, PTE_PRESENT, PTE_TYPE, find_vma
from numakit.trace.trace import Integers, Trace, distinct

MOST_TRACED_PAGES = 1 << 26
NOWHERE = -1  #: instead of a node: the page is not present
PAGE_BITS = 35  #: page numbers of user space fit in, and leave room for the process above them


class TracedPages:
    """Maps the areas of a trace, where the trace has them, in a new process for each of its pids.

    ``address``, ``owner``: of each page its address, and the place of its process among ``processes``. Raises
    ValueError for areas that are too large together, before anything is made.
    """

    def __init__(self, machine: Machine, trace: Trace) -> None:
        areas = trace.areas
        pages = np.array([area.pages for area in areas])
        if (total := int(pages.sum())) > MOST_TRACED_PAGES:
            raise ValueError(f"trace: its areas have {total:,} pages; {MOST_TRACED_PAGES:,} are allowed")
        self._machine, self._trace = machine, trace
        self.pids = trace.pids
        self.processes = [machine.spawn(f"traced {pid}") for pid in self.pids]
        owners = np.searchsorted(self.pids, [area.pid for area in areas])
        self.address = np.concatenate([area.start + np.arange(area.pages) * PAGE_SIZE for area in areas])
        self.owner = np.repeat(owners, pages)
        self._begins = owners << PAGE_BITS | np.array([area.start >> PAGE_SHIFT for area in areas])
        self._firsts = np.cumsum(pages) - pages
        self._tables = []
        for owner, area in zip(owners.tolist(), areas, strict=True):
            self.processes[owner].mmap(area.pages, address=area.start)
            vma = find_vma(machine, self.processes[owner].mm, area.start)
            assert vma is not None, f"no room at {area.start:#x} in a new process"
            self._tables.append(vma.table)

    def __len__(self) -> int:
        return len(self.address)

    def accessed(self, part: slice) -> Integers:
        """The number of the page of each access: how far it is behind the first page of its area."""
        pages = self._trace.address[part] >> PAGE_SHIFT
        if len(self.pids) > 1:
            pages |= np.searchsorted(self.pids, self._trace.pid[part]) << PAGE_BITS
        if len(self._begins) == 1:
            return pages - int(self._begins[0])
        area = np.searchsorted(self._begins, pages, side="right") - 1
        pages -= (self._begins - self._firsts)[area]
        return pages

    def rows(self, pages: Integers) -> Integers:
        """The rows of the nodes on which pages lie now, NOWHERE for those that are not present, as the page tables say.
        (An area that is cut goes on using the same table.)
        """
        m, area_of = self._machine, np.searchsorted(self._firsts, pages, side="right") - 1
        ptes = np.empty(len(pages), dtype=np.int64)
        for area in distinct(area_of).tolist():
            among = np.flatnonzero(area_of == area)
            ptes[among] = np.asarray(m.arrays[self._tables[area]])[pages[among] - self._firsts[area]]
        rows = np.searchsorted(m.first_frame[1:-1], ptes >> PTE_PFN, side="right")
        return np.where(ptes & PTE_TYPE == PTE_PRESENT, rows, NOWHERE)

    def stretches(self, pages: Integers) -> list[Integers]:
        """Pages, each once, cut into stretches of neighbours in one area."""
        numbers = distinct(pages)
        cuts = np.flatnonzero((np.diff(numbers) != 1) | np.isin(numbers[1:], self._firsts)) + 1
        return [stretch for stretch in np.split(numbers, cuts) if len(stretch)]

    def block_of(self, page: int, size: int) -> range:
        """The pages of an area that lie with ``page`` in the same aligned block of ``size`` pages."""
        area = int(np.searchsorted(self._firsts, page, side="right")) - 1
        ends = [*self._firsts[1:].tolist(), len(self)]
        begin = page - (int(self.address[page]) >> PAGE_SHIFT) % size
        return range(max(begin, int(self._firsts[area])), min(begin + size, ends[area]))
