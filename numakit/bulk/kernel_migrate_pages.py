"""migrate_pages() in bulk, of the pages of a walk: runs of ordinary ones at once, in the order of each kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from numakit.abi import EAGAIN, ENOMEM
from numakit.bulk.columns import Column
from numakit.bulk.kernel_move_pages import order_of_6_1, order_of_6_12
from numakit.bulk.migrate import CHUNK, Course, move
from numakit.bulk.move_pages import migrate_pages_of_2006
from numakit.bulk.new_pages import new_pages
from numakit.bulk.pages import gather
from numakit.bulk.passes import NO_ROW, hold, runs, try_each
from numakit.bulk.views import NONE, Bools, Frames, Ints, pages_by_row
from numakit.kernels.functions import serves
from numakit.machine.bug import KernelBug
from numakit.machine.numastat import INTERLEAVE_HIT
from numakit.machine.state import NUMASTAT_COUNTERS, MachineState
from numakit.machine.verdicts import decide_page
from numakit.migration.kernel_6_12 import NR_MAX_BATCHED_MIGRATION, migrate_pages_sync
from numakit.migration.new_page import NewPage
from numakit.migration.putback import putback_lru_pages
from numakit.migration.unmap_and_move import unmap_and_move
from numakit.moments import PASS
from numakit.timeline.task import Steps


@dataclass
class WalkQueue:
    """The pages of a walk, in order. ``done``: so many of them were moved or handed over."""

    m: MachineState
    pages: Ints
    rows: Ints
    in_turn: Bools
    get_new_page: NewPage
    private: Any
    held: int = 0
    done: int = 0

    def new_page(self, at: int) -> tuple[NewPage, Any]:
        """The same for all."""
        return self.get_new_page, self.private

    def new_page_for(self, pages: Sequence[int]) -> tuple[NewPage, Any]:
        """The same for all."""
        return self.get_new_page, self.private

    def note_moved(self, m: MachineState, begin: int, end: int) -> None:
        """A page that went to the node whose turn it was is counted (alloc_page_interleave)."""
        self.done = end
        in_turn = self.rows[begin:end][self.in_turn[begin:end]]
        for row, pages in enumerate(pages_by_row(m, in_turn) if len(in_turn) else ()):
            at = NUMASTAT_COUNTERS * row + INTERLEAVE_HIT
            m.set(m.zone_stat, at, m.zone_stat[at] + pages)

    def note_handed_over(self, at: int) -> None:
        """What the readable functions find noted of a page that they are about to try (note_untried)."""
        self.done = at + 1
        decide_page(self.m, int(self.pages[at]), 0, "left-untried")

    def note_untried(self) -> None:
        """Note of all others that nobody has tried them."""
        for at in range(self.done, len(self.pages)):
            self.note_handed_over(at)

    def room(self, begin: int, end: int) -> bool:
        """Whether the nodes have a frame for each of these pages, whatever comes free meanwhile."""
        wanted = pages_by_row(self.m, self.rows[begin:end])
        return all(number <= self.m.nr_free(node) for node, number in zip(self.m.node_ids, wanted, strict=True))


@serves("migrate_pages")
def migrate_pages_in_bulk(m: MachineState, pages: Sequence[int], get_new_page: NewPage, private: Any) -> Steps[int]:
    """Move the isolated pages of a walk (WalkInBulk), as migrate_pages() of this kernel."""
    assert isinstance(pages, Column), "the walk was made in bulk"
    frames = Frames(m)
    rows, in_turn = new_pages(m, frames, get_new_page, private, pages.values)
    queue = WalkQueue(m, pages.values, rows, in_turn, get_new_page, private)
    ways = {"migrate_pages_6_1": migrate_pages_of_6_1, "migrate_pages_in_batches": migrate_pages_of_6_12}
    way = ways.get(m.kernel.functions.get("migrate_pages", ""), migrate_pages_of_2006)
    try:
        return (yield from way(m, frames, queue))
    finally:
        queue.note_untried()


def migrate_pages_of_6_1(m: MachineState, frames: Frames, queue: WalkQueue) -> Steps[int]:
    """As migrate_pages_6_1(): what stays goes back to the LRU when all passes are over."""
    done = yield from try_each(m, frames, queue, Course(False, partial(order_of_6_1, NONE)))
    stayed = [page for page, rc in done.left if rc != -EAGAIN]
    retry, untried, ended = done.retry, 0, done.ended is not None
    if done.ended is not None:
        behind = queue.pages[done.ended :].tolist()
        retry, untried = retry + behind, len(behind) - 1
    for number in range(1, m.kernel.passes):
        if not retry or ended:
            break
        yield PASS, number
        m.costs.passes += 1
        todo, retry = retry, []
        for at, page in enumerate(todo):
            m.costs.attempts += 1
            new_page = queue.new_page_for(todo)
            rc = yield from unmap_and_move(m, *new_page, page, number >= m.kernel.polite_passes)
            if rc == -ENOMEM:
                retry, untried, ended = retry + todo[at:], len(todo) - at - 1, True
                break
            if rc == -EAGAIN:
                retry.append(page)
            elif rc:
                stayed.append(page)
    number_stayed = putback_lru_pages(m, stayed + retry)
    m.set(m.vmstat, 0, m.vmstat[0] + len(queue.pages) - number_stayed)
    m.set(m.vmstat, 1, m.vmstat[1] + number_stayed - untried)
    return -ENOMEM if ended else number_stayed


def migrate_pages_of_6_12(m: MachineState, frames: Frames, queue: WalkQueue) -> Steps[int]:
    """As migrate_pages_in_batches(): batches in which every page is ordinary move at once, many together; each of the
    others is handed over.
    """
    stayed: list[int] = []
    chunk = CHUNK // NR_MAX_BATCHED_MIGRATION * NR_MAX_BATCHED_MIGRATION
    for start in range(0, len(queue.pages), chunk):
        for begin, end, at_once in parts_of_chunk(m, frames, queue, start, min(start + chunk, len(queue.pages))):
            if at_once and queue.room(begin, end):
                move_batches(m, frames, queue, begin, end)
                continue
            rc, left = yield from hand_over_batch(m, queue, begin, end)
            stayed += left
            if rc < 0:
                hold(m, queue, end)
                putback_lru_pages(m, [*stayed, *queue.pages[end:].tolist()])
                return rc
    m.set(m.vmstat, 0, m.vmstat[0] + len(queue.pages) - len(stayed))
    m.set(m.vmstat, 1, m.vmstat[1] + len(stayed))
    return putback_lru_pages(m, stayed)


def parts_of_chunk(
    m: MachineState, frames: Frames, queue: WalkQueue, start: int, stop: int
) -> list[tuple[int, int, bool]]:
    """(begin, end, whether all pages are ordinary) of neighbouring batches that go together: good ones if there are
    frames for all of them now, others alone.
    """
    size = NR_MAX_BATCHED_MIGRATION
    ordinary = gather(m, frames, queue.pages[start:stop], queue.held).ordinary & (queue.rows[start:stop] != NO_ROW)
    parts = []
    for first, last, good in runs(np.logical_and.reduceat(ordinary, np.arange(0, stop - start, size))):
        begin, end = start + first * size, min(start + last * size, stop)
        step = end - begin if good and queue.room(begin, end) else size
        parts += [(at, min(at + step, end), good) for at in range(begin, end, step)]
    return parts


def move_batches(m: MachineState, frames: Frames, queue: WalkQueue, begin: int, end: int) -> None:
    """Move the pages of good batches. There have to be frames for them."""
    gathered = gather(m, frames, queue.pages[begin:end], queue.held)
    course = Course(False, partial(order_of_6_12, np.arange(end - begin)))
    moved = move(m, frames, gathered, queue.rows[begin:end], course, queue.held)
    assert moved == end - begin, "there were frames for all pages"
    queue.note_moved(m, begin, end)
    m.costs.passes += -(-moved // NR_MAX_BATCHED_MIGRATION)
    m.costs.attempts += moved


def hand_over_batch(m: MachineState, queue: WalkQueue, begin: int, end: int) -> Steps[tuple[int, list[int]]]:
    """Let the readable function move a batch, as migrate_pages_sync()."""
    batch = queue.pages[begin:end].tolist()
    hold(m, queue, begin, end)
    for at in range(begin, end):
        queue.note_handed_over(at)
    try:
        return (yield from migrate_pages_sync(m, batch, *queue.new_page_for(batch)))
    except KernelBug:
        hold(m, queue, end)
        raise
