"""kernel_move_pages() in bulk: the call since 4.17, of 6.1 and 6.12.

Its batches are cut by the entries: where another node is asked for, and behind an entry that has its answer already.
All entries are looked up first, which is not what the kernel does: so an entry whose page an earlier one moves is left
to the readable functions, which look again. Batches in which every page is ordinary move at once, many together; other
batches are handed over, each in its turn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from numakit.abi import MAX_NUMNODES, MPOL_MF_MOVE_ALL
from numakit.bulk.columns import Column, column_of
from numakit.bulk.look_up import FOUND, HERE, QUEUED, THERE, Found, areas_of, look_up
from numakit.bulk.migrate import CHUNK, TICKS, Course, Order, move
from numakit.bulk.move_pages import BLOCK, BulkReport, Call, as_signed
from numakit.bulk.pages import gather
from numakit.bulk.passes import NO_ROW, rows_to_take_from, runs
from numakit.bulk.shared import Sharers
from numakit.bulk.verdicts import Verdicts
from numakit.bulk.views import Bools, Frames, Ints, rows_of, view
from numakit.fork import mmput
from numakit.machine.bug import KernelBug
from numakit.machine.cpuset import cpuset_mems_allowed
from numakit.machine.lru import lru_cache_disable
from numakit.machine.mempolicy import cpuset_update_task_memory_state
from numakit.machine.process import TaskStruct, get_task_mm
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict, because, forget_verdicts, take_verdict
from numakit.migration.kernel_6_12 import NR_MAX_BATCHED_MIGRATION
from numakit.syscalls.kernel_move_pages import Answers, check_call_now, end_of_moves, move_entries, open_answers
from numakit.syscalls.move_pages import UNSET, CallRecord
from numakit.syscalls.report import Report, entry_verdict, report_move_pages, why_it_returned
from numakit.syscalls.user_memory import Argument, UserArray
from numakit.timeline.task import Steps


def order_of_6_1(places: Ints, pages: int) -> Order:
    """Page after page; the old one is freed at once, after the new one went to its LRU list (unmap_and_move_6_1)."""
    begin = TICKS * np.arange(pages)
    return Order(begin, begin + 4, begin + 2)


def order_of_6_12(places: Ints, pages: int) -> Order:
    """All new pages of a batch are taken first, then its pages move one after the other (migrate_pages_batch).
    ``places``: of the pages in what was given to migrate_pages(), which cuts it.
    """
    place = places % NR_MAX_BATCHED_MIGRATION
    begin = 2 * TICKS * NR_MAX_BATCHED_MIGRATION * np.cumsum(place == 0)
    moves = begin + TICKS * (NR_MAX_BATCHED_MIGRATION + place)
    return Order(begin + place, moves + 4, moves + 2)


def report_kernel_move_pages_in_bulk(m: MachineState, *arguments: Any) -> Steps[Report]:
    """Make the call and report on it, as report_move_pages()."""
    return (yield from report_answered_as_it_goes(m, is_refused, verdicts_of, do_pages_move_in_bulk, *arguments))


def report_answered_as_it_goes(
    m: MachineState,
    refused: Callable[[MachineState, TaskStruct, int, int], bool],
    verdicts_on: Callable[[Call, Ints], Verdicts],
    do_pages_move: Callable[[MachineState, TaskStruct, int, Call, Verdicts, Answers, int], Steps[int]],
    caller: TaskStruct,
    pid: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument | None,
    status: UserArray | None,
    flags: int,
) -> Steps[Report]:
    """Make a call of a kernel that stores statuses as it goes along, since 2.6.29, and report on it. One that is
    ``refused``, or whose arrays lie in memory of the caller, is handed to report_move_pages().
    """
    arguments = (m, caller, pid, nr_pages, pages, nodes, status, flags)
    if isinstance(pages, UserArray) or isinstance(nodes, UserArray) or status is not None or not nr_pages:
        return (yield from report_move_pages(*arguments))
    addresses, wanted = column_of(pages), None if nodes is None else column_of(nodes)
    if addresses is None or (nodes is not None and wanted is None) or refused(m, caller, pid, flags):
        return (yield from report_move_pages(*arguments))
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    mm = get_task_mm(m, target.pid)
    cpuset_update_task_memory_state(m)
    answers = open_answers(m, caller, None, Column(addresses), None if wanted is None else Column(wanted), nr_pages)
    record: CallRecord = m.table[("call", m.current)]
    call = Call(
        areas_of(m, mm), as_signed(addresses), wanted,
        view(m.arrays[record.queued]), np.zeros(nr_pages, np.int8), view(answers.outcome), answers.outcome,
    )  # fmt: skip
    verdicts = verdicts_on(call, addresses)
    ret: int | None = None
    try:
        if wanted is None:
            ret = do_pages_stat_in_bulk(m, call, verdicts, answers)
        else:
            ret = yield from do_pages_move(m, target, mm, call, verdicts, answers, flags)
        why = why_it_returned(m)
        yield from mmput(m, mm)
    except KernelBug as bug:
        why = Verdict(0, "bug", (("what", str(bug)),))
    m.put(("call", m.current), None)
    forget_verdicts(m)
    m.drop_array(record.outcome)
    m.drop_array(record.queued)
    assert record.stored is not None
    m.drop_array(record.stored)
    return BulkReport(ret, why, Column(view(answers.stored), UNSET), verdicts, replace(m.costs))  # type: ignore[arg-type]


def verdicts_of(call: Call, addresses: Ints) -> Verdicts:
    """The verdicts on a call. An entry's page is told even where it was not queued."""
    return Verdicts(call.areas, addresses, call.nodes, call.rows, np.zeros(len(addresses), np.int32), call.answers)


def is_refused(m: MachineState, caller: TaskStruct, pid: int, flags: int) -> bool:
    """Whether the call will fail before any entry is looked at, or could not take mmap_sem at once."""
    if check_call_now(m, caller, pid, flags):
        take_verdict(m, "return", m.current)
        return True
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    return not target.mm or ("mmap_sem", target.mm) in m.table


def do_pages_stat_in_bulk(m: MachineState, call: Call, verdicts: Verdicts, answers: Answers) -> int:
    """Tell for each entry on which node its page is. 0 (do_pages_stat_in_chunks)."""
    node_ids = np.array(m.node_ids)
    for begin in range(0, len(call.addresses), BLOCK):
        block = slice(begin, begin + BLOCK)
        found = look_up(m, call.areas, call.addresses[block])
        here = found.rows == FOUND
        verdicts.pages[block] = found.pages + 1
        call.rows[block] = np.where(here, HERE, found.rows)
        call.answers[block] = np.where(here, node_ids[rows_of(m, found.pages)], found.answers)
    view(answers.stored)[:] = call.answers
    return because(m, 0, "query")


def do_pages_move_in_bulk(
    m: MachineState, target: TaskStruct, mm: int, call: Call, verdicts: Verdicts, answers: Answers, flags: int
) -> Steps[int]:
    """Go through the entries, many batches at once where all their pages are ordinary (do_pages_move). As that."""
    lru_cache_disable(m)
    assert call.nodes is not None
    frames, rc = Frames(m), 0
    ahead = look_ahead(m, frames, target, call, verdicts, flags)
    todo = list(reversed(ahead.parts()))
    while todo and not rc:
        part = todo.pop()
        if part.at_once and not ahead.there_are_frames(m, part):
            todo += reversed(part.batches())
        elif part.at_once:
            move_batches(m, frames, call, ahead, part, answers)
        else:
            entries = ahead.entries(part)
            rc = yield from move_entries(
                m, target, mm, len(call.nodes), Column(call.addresses), Column(call.nodes), flags, answers, entries
            )
            keep_verdicts(m, call, verdicts, entries)
    return end_of_moves(m, rc, int(np.count_nonzero(call.found)))


class Part(NamedTuple):
    """Neighbouring batches, from number ``first`` to before ``last``, that move at once or are handed over."""

    first: int
    last: int
    at_once: bool

    def batches(self) -> list[Part]:
        """Each batch alone; one that is alone is handed over."""
        alone = self.last - self.first == 1
        return [Part(number, number + 1, not alone) for number in range(self.first, self.last)]


@dataclass
class Ahead:
    """What was seen of the entries before any page moved. ``starts``: the first entry of each batch, and their number;
    ``movers``: the entries whose pages are to move, ``first_mover``: how many of them lie before each batch.
    """

    found: Found
    rows: Ints
    movers: Ints
    starts: Ints
    first_mover: Ints
    good: Bools

    def entries(self, part: Part) -> range:
        """The entries of some batches."""
        return range(int(self.starts[part.first]), int(self.starts[part.last]))

    def places(self, part: Part) -> slice:
        """The places of a part's pages in ``movers``."""
        return slice(int(self.first_mover[part.first]), int(self.first_mover[part.last]))

    def parts(self) -> list[Part]:
        """All batches, in order: good ones together up to a chunk of pages, bad ones together."""
        found = []
        for begin, end, good in runs(self.good) if len(self.good) else ():
            first = begin
            while good and first < end:
                last = int(np.searchsorted(self.first_mover, self.first_mover[first] + CHUNK, side="right")) - 1
                last = min(max(last, first + 1), end)
                found.append(Part(first, last, at_once=True))
                first = last
            if not good:
                found.append(Part(begin, end, at_once=False))
        return found

    def there_are_frames(self, m: MachineState, part: Part) -> bool:
        """Whether the nodes have a frame for each page of a part, whatever comes free meanwhile."""
        wanted = np.bincount(self.rows[self.places(part)], minlength=len(m.node_ids)).tolist()
        return all(number <= m.nr_free(node) for node, number in zip(m.node_ids, wanted, strict=True))


def look_ahead(
    m: MachineState, frames: Frames, target: TaskStruct, call: Call, verdicts: Verdicts, flags: int
) -> Ahead:
    """Look up all entries as if none of them moved anything, and cut them into batches. A batch is bad if one of its
    entries has to be looked up again, or one of its pages is not ordinary.
    """
    assert call.nodes is not None
    number = first_bad_node(m, target, call.nodes)
    nodes, sharers = call.nodes[:number], Sharers(m, frames)
    found = Found(np.full(number, -1, np.int64), np.zeros(number, np.int8), np.zeros(number, np.int32))
    row_of = np.full(MAX_NUMNODES, NO_ROW, np.int16)
    row_of[list(m.row)] = list(m.row.values())
    for begin in range(0, number, BLOCK):
        block = slice(begin, min(begin + BLOCK, number))
        seen = look_up(m, call.areas, call.addresses[block])
        there = (seen.rows == FOUND) & (rows_of(m, seen.pages) == row_of[nodes[block]])
        seen.rows[there], seen.answers[there] = THERE, nodes[block][there]
        to_move: Ints = np.flatnonzero(seen.rows == FOUND)
        if not flags & MPOL_MF_MOVE_ALL:
            to_move = sharers.leave_out(seen, to_move, begin)
        seen.rows[to_move] = QUEUED
        for whole, part in zip(found, seen, strict=True):
            whole[block] = part
    verdicts.pages[:number] = found.pages + 1
    verdicts.shared_entries, verdicts.shared, verdicts.sharers = sharers.columns()
    movers = np.flatnonzero(found.rows == QUEUED)
    rows = rows_to_take_from(m, nodes[movers])
    obstacles = named_before(m, found.pages, movers)
    obstacles[movers[~can_move(m, frames, found.pages[movers], rows)]] = True
    # Whether an entry that is looked up again moves anything is open: its batch goes on, to be cut when that is known.
    starts = first_of_batches((found.rows == QUEUED) | obstacles, nodes)
    bad = np.add.reduceat(obstacles, starts) > 0 if len(starts) else np.zeros(0, bool)
    if number < len(call.nodes):  # from the batch on that is open when the bad node is seen
        starts, bad = (starts, bad) if len(starts) else (np.zeros(1, np.int64), np.ones(1, bool))
        bad[-1] = True
    ends = np.append(starts, len(call.nodes))
    return Ahead(found, rows, movers, ends, np.searchsorted(movers, ends), ~bad)


def first_bad_node(m: MachineState, target: TaskStruct, nodes: Ints) -> int:
    """The first entry whose node ends the call (fetch_entry); the number of entries if there is none."""
    allowed = np.zeros(MAX_NUMNODES + 1, bool)
    allowed[[node for node in cpuset_mems_allowed(m, target.pid) if m.frames_of(node)]] = True
    good = allowed[np.where((nodes >= 0) & (nodes < MAX_NUMNODES), nodes, MAX_NUMNODES)]
    return len(nodes) if good.all() else int(np.argmin(good))


def named_before(m: MachineState, pages: Ints, movers: Ints) -> Bools:
    """For each entry whether an earlier one moves its page."""
    entries = np.arange(len(pages))
    first = np.full(m.nr_frames + 1, len(pages), np.int64)
    first[pages[movers[::-1]]] = movers[::-1]  # of equal pages the first entry stays
    return (pages >= 0) & (first[pages] < entries)


def can_move(m: MachineState, frames: Frames, pages: Ints, rows: Ints) -> Bools:
    """For each page that is to move whether it is on its LRU list and ordinary, and its new page simply one of the
    node asked for.
    """
    able: Bools = (frames.stamp[pages] != 0) & (rows != NO_ROW)
    for begin in range(0, len(pages), CHUNK):
        block = slice(begin, begin + CHUNK)
        able[block] &= gather(m, frames, pages[block], 0).ordinary
    return able


def first_of_batches(moves: Bools, nodes: Ints) -> Ints:
    """The entries with which batches begin: the first; one behind an entry that moves nothing; one for another node."""
    if not len(moves):
        return np.zeros(0, np.int64)
    begins = np.append(True, ~moves[:-1] | (nodes[1:] != nodes[:-1]))
    return np.flatnonzero(begins)


def move_batches(m: MachineState, frames: Frames, call: Call, ahead: Ahead, part: Part, answers: Answers) -> None:
    """Isolate the pages of some good batches, move them, and store all statuses. There have to be frames for them."""
    assert call.nodes is not None
    entries, places = ahead.entries(part), ahead.places(part)
    block = slice(entries.start, entries.stop)
    call.rows[block], call.answers[block] = ahead.found.rows[block], ahead.found.answers[block]
    movers, firsts = ahead.movers[places], ahead.first_mover[part.first : part.last + 1]
    pages, sizes = ahead.found.pages[movers], np.diff(firsts)
    within = np.arange(len(movers)) - np.repeat(firsts[:-1] - firsts[0], sizes)
    order_of, size = order_of_kernel(m)
    for begin in range(0, len(movers), CHUNK):
        chunk = slice(begin, begin + CHUNK)
        frames.stamp[pages[chunk]] = 0
        gathered = gather(m, frames, pages[chunk], 0)
        course = Course(False, partial(order_of, within[chunk]))
        moved = move(m, frames, gathered, ahead.rows[places][chunk], course, 0)
        assert moved == len(gathered.pages), "there were frames for all pages"
    call.answers[movers] = call.nodes[movers]
    call.found[movers] = pages + 1
    view(answers.stored)[block] = call.answers[block]
    m.costs.passes += int((-(-sizes // size)).sum())
    m.costs.attempts += len(movers)
    m.set(m.vmstat, 0, m.vmstat[0] + len(movers))


def order_of_kernel(m: MachineState) -> tuple[Callable[[Ints, int], Order], int]:
    """In which order this kernel moves pages, and how many of them its migrate_pages() takes on in one pass."""
    if m.kernel.functions["migrate_pages"] == "migrate_pages_in_batches":
        return order_of_6_12, NR_MAX_BATCHED_MIGRATION
    return order_of_6_1, sys.maxsize


def keep_verdicts(m: MachineState, call: Call, verdicts: Verdicts, entries: range) -> None:
    """Keep the verdicts on entries that were handed to the readable functions."""
    record: CallRecord = m.table[("call", m.current)]
    for entry in entries:
        verdicts.single[entry] = entry_verdict(m, record, entry)
