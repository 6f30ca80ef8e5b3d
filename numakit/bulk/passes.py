"""migrate_pages() over many pages: runs of ordinary pages at once, all others one by one by the readable functions.

Nobody else acts meanwhile, so whether a page is ordinary does not depend on what happens to those before it; only
whether there is a frame for it does, and that is planned for each run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from numakit.abi import EAGAIN, ENOMEM
from numakit.bulk.migrate import CHUNK, Course, move
from numakit.bulk.pages import gather
from numakit.bulk.views import Bools, Frames, Ints
from numakit.machine.bug import KernelBug
from numakit.machine.frames import get_page, mems_allowed
from numakit.machine.state import MachineState
from numakit.migration.new_page import NewPage
from numakit.migration.putback import putback_lru_pages
from numakit.migration.unmap_and_move import unmap_and_move
from numakit.moments import PASS
from numakit.timeline.task import Steps

SHORTEST_RUN = 24  #: so many ordinary pages in a row are worth the array operations

NO_ROW = -1  #: the row of a page whose new page is not simply one of a certain node


class Queue(Protocol):
    """Pages to be moved, each once. They are off the LRU; with ``held`` references of the acting task to each.

    ``rows``: the row of the node from which each is to get its new page, or NO_ROW. A page that is not held yet gets
    its reference when it is handed to the readable functions.
    """

    pages: Ints
    rows: Ints
    held: int

    def new_page(self, at: int) -> tuple[NewPage, Any]:
        """The new_page_t, and its private argument, for the page at a place of the queue."""

    def new_page_for(self, pages: Sequence[int]) -> tuple[NewPage, Any]:
        """The same for pages that were handed over."""

    def note_moved(self, m: MachineState, begin: int, end: int) -> None:
        """The pages from ``begin`` to before ``end`` have moved to where they were to go."""

    def note_handed_over(self, at: int) -> None:
        """The page at this place is moved by the readable functions."""


class Tried(NamedTuple):
    """What became of pages that were tried once: which did not move, in order, and why (an errno each); and the place
    of the page for which there was no memory, where that ended the call (None: it did not).
    """

    left: list[tuple[int, int]]
    ended: int | None

    @property
    def retry(self) -> list[int]:
        """Those that are worth another pass."""
        return [page for page, rc in self.left if rc == -EAGAIN]


class FirstPass(NamedTuple):
    """What the first pass left: pages worth another one, how many others failed, and -ENOMEM if it ended the call (then
    all pages that stay are back on the LRU).
    """

    retry: list[int]
    failed: int
    rc: int


def rows_to_take_from(m: MachineState, nodes: Ints) -> Ints:
    """The rows of the nodes from which alloc_pages_node() takes pages for ``nodes``, as long as there are any; NO_ROW
    where the cpuset has a say.
    """
    allowed = mems_allowed(m)
    row_of = np.full(max(m.node_ids) + 1, NO_ROW, np.int16)
    for node, row in m.row.items():
        if (allowed is None or node in allowed) and m.frames_of(node):
            row_of[node] = row
    return row_of[nodes]


def runs(wanted: Bools) -> Iterator[tuple[int, int, bool]]:
    """(begin, end, value) of each run of equal values."""
    ends = [*(np.flatnonzero(wanted[1:] != wanted[:-1]) + 1).tolist(), len(wanted)]
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        yield begin, end, bool(wanted[begin])


def first_pass(m: MachineState, frames: Frames, queue: Queue, course: Course) -> Steps[FirstPass]:
    """Try each page once, in order (of kernels on which a page that failed is back on the LRU)."""
    tried = yield from try_each(m, frames, queue, course)
    retry = tried.retry
    failed = len(tried.left) - len(retry)
    if tried.ended is None:
        return FirstPass(retry, failed, 0)
    putback_lru_pages(m, [*retry, *queue.pages[tried.ended :].tolist()])
    return FirstPass([], failed, -ENOMEM)


def try_each(m: MachineState, frames: Frames, queue: Queue, course: Course) -> Steps[Tried]:
    """Try each page once, in order, up to one for which there is no memory if that ends the call; all behind it are
    held then.
    """
    yield PASS, 0
    m.costs.passes += 1
    left: list[tuple[int, int]] = []
    for start in range(0, len(queue.pages), CHUNK):
        chunk = slice(start, start + CHUNK)
        gathered = gather(m, frames, queue.pages[chunk].astype(np.int64), queue.held)
        ordinary = gathered.ordinary & (queue.rows[chunk] != NO_ROW)
        for first, last, at_once in runs(ordinary):
            begin, end = start + first, start + last
            if at_once and end - begin >= SHORTEST_RUN:
                if last - first < len(ordinary):
                    gathered = gather(m, frames, queue.pages[begin:end].astype(np.int64), queue.held)
                moved = move(m, frames, gathered, queue.rows[begin:end], course, queue.held)
                queue.note_moved(m, begin, begin + moved)
                m.costs.attempts += moved
                begin += moved
            for at in range(begin, end):
                try:
                    rc = yield from hand_over(m, queue, at)
                except KernelBug:  # the kernel stops with whatever it holds: the others are isolated
                    hold(m, queue, at + 1)
                    raise
                if rc == -ENOMEM and m.kernel.no_memory_ends_call:
                    hold(m, queue, at + 1)
                    return Tried(left, at)
                if rc:
                    left.append((int(queue.pages[at]), rc))
    return Tried(left, None)


def hand_over(m: MachineState, queue: Queue, at: int) -> Steps[int]:
    """Let the readable function try a page, for the first time. As unmap_and_move()."""
    page = int(queue.pages[at])
    if not queue.held:
        get_page(m, page, m.current)
    queue.note_handed_over(at)
    m.costs.attempts += 1
    return (yield from unmap_and_move(m, *queue.new_page(at), page, False))


def hold(m: MachineState, queue: Queue, begin: int, end: int | None = None) -> None:
    """Take the reference of isolation to the pages from ``begin`` on, or up to ``end``."""
    if not queue.held:
        for page in queue.pages[begin:end].tolist():
            get_page(m, page, m.current)


def later_passes(m: MachineState, retry: list[int], get_new_page: NewPage, private: Any) -> Steps[FirstPass]:
    """The passes after the first over the pages that are left: as in migrate_pages() of 2.6.18."""
    failed = 0
    for number in range(1, m.kernel.passes):
        if not retry:
            break
        yield PASS, number
        m.costs.passes += 1
        todo, retry = retry, []
        for at, page in enumerate(todo):
            m.costs.attempts += 1
            rc = yield from unmap_and_move(m, get_new_page, private, page, number >= m.kernel.polite_passes)
            if rc == -ENOMEM and m.kernel.no_memory_ends_call:
                putback_lru_pages(m, retry + todo[at:])
                return FirstPass([], failed, rc)
            if rc == -EAGAIN:
                retry.append(page)
            elif rc:
                failed += 1
    return FirstPass(retry, failed, 0)
