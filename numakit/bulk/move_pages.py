"""sys_move_pages() of 2006 in bulk: all entries are looked up at once, then the pages move in runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from numakit.abi import EBUSY, ENOENT, MAX_NUMNODES, MPOL_MF_MOVE_ALL
from numakit.bulk.columns import Column, column_of
from numakit.bulk.look_up import (
    BY_STEPS,
    DUPLICATE,
    FOUND,
    HERE,
    OFF_LRU,
    OWN_NODE,
    QUEUED,
    THERE,
    Areas,
    areas_of,
    look_up,
)
from numakit.bulk.migrate import COURSE_OF_2006
from numakit.bulk.passes import Queue, first_pass, later_passes, rows_to_take_from
from numakit.bulk.shared import Sharers
from numakit.bulk.verdicts import Verdicts
from numakit.bulk.views import Bools, Frames, Ints, regular, rows_of, view
from numakit.fork import mmput
from numakit.machine.bug import KernelBug
from numakit.machine.cpuset import cpuset_mems_allowed
from numakit.machine.locks import down_read, up_mmap_sem
from numakit.machine.lru import lru_add_drain_all
from numakit.machine.mempolicy import cpuset_update_task_memory_state
from numakit.machine.process import TaskStruct, get_task_mm
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict, because, forget_verdicts, take_verdict
from numakit.migration.new_page import NewPage
from numakit.migration.putback import putback_lru_pages
from numakit.syscalls.move_pages import (
    UNSET,
    CallRecord,
    PageToNode,
    check_call,
    new_page_node,
    not_isolated,
)
from numakit.syscalls.report import Report, entry_verdict, report_move_pages, why_it_returned
from numakit.syscalls.user_memory import Argument, UserArray
from numakit.timeline.state import Memory
from numakit.timeline.task import Steps

BLOCK = 1 << 15  #: entries that are looked up at once

HIGHEST = np.uint64(1 << 62)  #: addresses from here on lie in no area, and do not fit a signed integer


class BulkReport(Report):
    """A report on a call that was made in bulk: status and verdicts are columns."""

    @property
    def engine(self) -> str:
        """This one."""
        return "bulk"

    @property
    def told(self) -> Sequence[int | None]:
        """What user memory holds."""
        return self.status

    @property
    def outcome(self) -> Sequence[int | None]:
        """The answer of each entry."""
        verdicts: Any = self.verdicts
        return verdicts.values  # type: ignore[no-any-return]


class Call(NamedTuple):
    """A call that can be made in bulk: its entries as columns, and where their answers go."""

    areas: Areas
    addresses: Ints
    nodes: Ints | None
    found: Ints  #: the page of each entry + 1, 0 where none was found
    rows: Ints
    answers: Ints
    outcome: Memory  #: the memory that ``answers`` shows


def report_move_pages_in_bulk(
    m: MachineState,
    caller: TaskStruct,
    pid: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument | None,
    status: UserArray | None,
    flags: int,
) -> Steps[Report]:
    """Make the call and report on it, as report_move_pages(). A call that is refused, or whose arrays lie in memory of
    the caller, is handed to that.
    """
    arguments = (m, caller, pid, nr_pages, pages, nodes, status, flags)
    if isinstance(pages, UserArray) or isinstance(nodes, UserArray) or status is not None:
        return (yield from report_move_pages(*arguments))
    addresses, wanted = column_of(pages), None if nodes is None else column_of(nodes)
    if addresses is None or (nodes is not None and wanted is None) or not nr_pages:
        return (yield from report_move_pages(*arguments))
    if is_refused(m, caller, pid, nr_pages, wanted, flags):
        return (yield from report_move_pages(*arguments))
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    mm = get_task_mm(m, target.pid)
    cpuset_update_task_memory_state(m)
    outcome, queued = open_columns(m, addresses, wanted)
    yield from down_read(m, mm)
    call = Call(
        areas_of(m, mm), as_signed(addresses), wanted,
        view(m.arrays[queued]), np.zeros(nr_pages, np.int8), view(m.arrays[outcome]),
        m.arrays[outcome],
    )  # fmt: skip
    verdicts = Verdicts(call.areas, addresses, wanted, call.rows, call.found, call.answers)
    ret: int | None = None
    try:
        ret = yield from do_move_or_stat(m, mm, call, verdicts, flags)
        why = why_it_returned(m)
        yield from mmput(m, mm)
    except KernelBug as bug:
        why = Verdict(0, "bug", (("what", str(bug)),))
    m.put(("call", m.current), None)
    forget_verdicts(m)
    m.drop_array(outcome)
    m.drop_array(queued)
    written = call.answers if ret is not None and ret >= 0 else np.broadcast_to(np.int32(UNSET), nr_pages)
    return BulkReport(ret, why, Column(written, UNSET), verdicts, replace(m.costs))  # type: ignore[arg-type]


def as_signed(addresses: Ints) -> Ints:
    """Addresses as signed integers; those too high for that are in no area, and stay so."""
    if addresses.dtype == np.int64:
        return addresses
    fitting = np.minimum(addresses, HIGHEST) if addresses.dtype == np.uint64 else addresses
    return fitting.astype(np.int64)


def do_move_or_stat(m: MachineState, mm: int, call: Call, verdicts: Verdicts, flags: int) -> Steps[int]:
    """What the call does with its entries. Needs mmap_sem, and gives it back."""
    if call.nodes is not None:
        return (yield from do_move_pages_in_bulk(m, mm, call, verdicts, flags))
    ret = do_pages_stat_in_bulk(m, call)
    up_mmap_sem(m, mm)
    return ret


def is_refused(m: MachineState, caller: TaskStruct, pid: int, nr_pages: int, nodes: Ints | None, flags: int) -> bool:
    """Whether one of the checks before any page is touched will fail (check_call, fetch_entries)."""
    if check_call(m, caller, pid, nr_pages, flags):
        take_verdict(m, "return", m.current)
        return True
    if nodes is None:
        return False
    allowed = np.zeros(MAX_NUMNODES, bool)
    allowed[list(cpuset_mems_allowed(m, pid or caller.pid))] = True
    return not (nodes.min() >= 0 and nodes.max() < MAX_NUMNODES and allowed[nodes].all())


def open_columns(m: MachineState, addresses: Ints, nodes: Ints | None) -> tuple[int, int]:
    """The numbers of outcome[] and of the array of queued pages, which the call shows (open_outcome)."""
    outcome = m.new_array(len(addresses), "i", UNSET, label="outcome")
    queued = m.new_array(len(addresses), "i", label="queued page of entry")
    shown = Column(np.full(1, -1), -1) if nodes is None else Column(nodes)
    m.put(("call", m.current), CallRecord(outcome, queued, Column(addresses), shown))  # type: ignore[arg-type]
    return outcome, queued


def do_pages_stat_in_bulk(m: MachineState, call: Call) -> int:
    """Tell for each entry on which node its page is. 0. Needs mmap_sem (do_pages_stat)."""
    node_ids = np.array(m.node_ids)
    for begin in range(0, len(call.addresses), BLOCK):
        block = slice(begin, begin + BLOCK)
        found = look_up(m, call.areas, call.addresses[block])
        here = found.rows == FOUND
        call.found[block] = found.pages + 1
        call.rows[block] = np.where(here, HERE, found.rows)
        call.answers[block] = np.where(here, node_ids[rows_of(m, found.pages)], found.answers)
    return because(m, 0, "query")


def do_move_pages_in_bulk(m: MachineState, mm: int, call: Call, verdicts: Verdicts, flags: int) -> Steps[int]:
    """Look up and isolate what is to be moved, then move it. 0, -ENOENT if there was nothing to move, or what the
    kernel says of pages that stayed (do_move_pages). Needs mmap_sem, and gives it back.
    """
    lru_add_drain_all(m)
    frames, entries = Frames(m), range(len(call.rows))
    sharers = Sharers(m, frames)
    isolate(m, frames, call, verdicts, sharers, entries, flags)
    verdicts.shared_entries, verdicts.shared, verdicts.sharers = sharers.columns()
    queued = int(np.count_nonzero(call.rows == QUEUED))
    stayed = yield from move_queued(m, frames, call, verdicts, entries)
    up_mmap_sem(m, mm)
    if stayed < 0:
        return because(m, stayed, "full", queued=queued)
    if not queued and not (m.kernel.busy_is_an_answer and (call.answers == -EBUSY).any()):
        return because(m, -ENOENT, "nothing", entries=len(call.rows))
    if stayed and m.kernel.returns_what_stayed:
        return because(m, stayed, "stayed", stayed=stayed, queued=queued)
    return because(m, 0, "ok", queued=queued)


def isolate(
    m: MachineState, frames: Frames, call: Call, verdicts: Verdicts, sharers: Sharers, entries: range, flags: int
) -> None:
    """Look up neighbouring entries, in order, and take what is to be moved off the LRU; the others get their answers
    (isolate_entry). Needs mmap_sem.
    """
    assert call.nodes is not None
    busy = []
    row_of = np.full(MAX_NUMNODES, -1, np.int16)
    row_of[list(m.row)] = list(m.row.values())
    for begin in range(entries.start, entries.stop, BLOCK):
        block = slice(begin, min(begin + BLOCK, entries.stop))
        found = look_up(m, call.areas, call.addresses[block])
        call.found[block] = found.pages + 1
        nodes, seen = call.nodes[block], found.rows == FOUND
        there = seen & (rows_of(m, found.pages) == row_of[nodes])
        if there.any():
            found.rows[there], found.answers[there] = THERE, nodes[there]
        to_move: Ints = np.flatnonzero(seen & ~there)
        if not flags & MPOL_MF_MOVE_ALL:
            to_move = sharers.leave_out(found, to_move, begin)
        first = take_off_lru(frames, found.pages[to_move])
        if not first.all():
            late = to_move[~first]
            found.rows[late], found.answers[late] = DUPLICATE, -EBUSY
            busy.append(late + begin)
            to_move = to_move[first]
        queued = regular(to_move)
        found.rows[queued], found.answers[queued] = QUEUED, UNSET
        call.rows[block], call.answers[block] = found.rows, found.answers
    if busy:
        tell_duplicates(m, call, verdicts, entries, np.concatenate(busy))


def take_off_lru(frames: Frames, pages: Ints) -> Bools:
    """Take pages off their LRU lists, in order. For each whether it was on one: not if it was named before
    (isolate_lru_page; the reference of isolation comes later, see passes.Queue).
    """
    on_list: Bools = frames.stamp[pages] != 0
    chosen = pages if on_list.all() else pages[on_list]
    if len(chosen) > 1 and not (np.diff(chosen) > 0).all():
        numbers = np.arange(len(chosen))
        frames.stamp[chosen[::-1]] = numbers[::-1]  # of equal pages the first one stays
        on_list[np.flatnonzero(on_list)[frames.stamp[chosen] != numbers]] = False
    frames.stamp[chosen] = 0
    return on_list


def tell_duplicates(m: MachineState, call: Call, verdicts: Verdicts, entries: range, busy: Ints) -> None:
    """Of the ``entries`` that were not isolated tell those whose page an earlier one queued from those that were on no
    list before (not_isolated).
    """
    part = slice(entries.start, entries.stop)
    queued = call.found[part][call.rows[part] == QUEUED]
    for entry in busy[~np.isin(call.found[busy], queued)].tolist():
        call.rows[entry] = OFF_LRU
        page = int(call.found[entry]) - 1
        not_isolated(m, page, PageToNode(entry, int(call.addresses[entry]), None, page), {})
        verdicts.single[entry] = take_verdict(m, "entry", m.current, entry)


@dataclass
class MoveQueue:
    """The queue of a move_pages() call. ``entries``: the entry that queued each page; ``asked``: the one whose node it
    gets, and to which its status goes; it is looked for from entry ``first`` on.
    """

    pages: Ints
    rows: Ints
    held: int
    entries: Ints
    asked: Ints
    first: int
    call: Call
    handed_over: list[int]

    @classmethod
    def of(cls, m: MachineState, call: Call, among: range, entries: Ints) -> MoveQueue:
        """The queue of the ``entries`` that are to move, ``among`` all that are looked at together."""
        assert call.nodes is not None
        asked = first_that_names(m, call, among, entries) if m.kernel.first_match else entries
        pages = call.found[regular(entries)] - np.int32(1)
        return cls(pages, rows_to_take_from(m, call.nodes[regular(asked)]), 0, entries, asked, among.start, call, [])

    def new_page(self, at: int) -> tuple[NewPage, Any]:
        """new_page_node(), and what it finds for this page."""
        return new_page_node, ({int(self.pages[at]): self._entry(at)}, self.call.outcome)

    def _entry(self, at: int) -> PageToNode:
        assert self.call.nodes is not None
        entry = int(self.asked[at])
        return PageToNode(entry, int(self.call.addresses[entry]), int(self.call.nodes[entry]), int(self.pages[at]))

    def new_page_for(self, pages: Sequence[int]) -> tuple[NewPage, Any]:
        """The same for pages that were handed over."""
        at_of = {int(self.pages[at]): at for at in self.handed_over}
        return new_page_node, ({page: self._entry(at_of[page]) for page in pages}, self.call.outcome)

    def note_moved(self, m: MachineState, begin: int, end: int) -> None:
        """The status of each is the node that it asked for."""
        assert self.call.nodes is not None
        asked = self.asked[begin:end]
        where = regular(asked)
        self.call.answers[where] = self.call.nodes[where]
        m.costs.scanned += int(asked.sum()) + (1 - self.first) * len(asked)

    def note_handed_over(self, at: int) -> None:
        """The page at this place is moved by the readable functions."""
        self.handed_over.append(at)


def first_that_names(m: MachineState, call: Call, among: range, entries: Ints) -> Ints:
    """For each entry that queued a page the first one that names it (entries_by_first_match); one that is not the first
    has its status already: 0.
    """
    named = np.flatnonzero(call.found[among.start : among.stop]) + among.start
    if len(named) == len(entries):
        return entries
    first = np.empty(m.nr_frames + 1, np.int64)
    first[call.found[named[::-1]]] = named[::-1]
    asked = first[call.found[entries]]
    late = entries[asked != entries]
    call.rows[late], call.answers[late] = OWN_NODE, 0
    return asked


def move_queued(m: MachineState, frames: Frames, call: Call, verdicts: Verdicts, among: range) -> Steps[int]:
    """Move what was queued for the entries ``among`` which it was looked for. How many pages stayed, or -ENOMEM."""
    entries = np.flatnonzero(call.rows[among.start : among.stop] == QUEUED) + among.start
    if not len(entries):
        return 0
    queue = MoveQueue.of(m, call, among, entries)
    try:
        return (yield from migrate_pages_of_2006(m, frames, queue))
    finally:
        note_handed_over(m, call, verdicts, queue)


def migrate_pages_of_2006(m: MachineState, frames: Frames, queue: Queue) -> Steps[int]:
    """migrate_pages(): how many pages were not moved, or -ENOMEM."""
    done = yield from first_pass(m, frames, queue, COURSE_OF_2006)
    if done.rc:
        return done.rc
    retry, failed = done.retry, done.failed
    if retry:
        done = yield from later_passes(m, retry, *queue.new_page_for(retry))
        if done.rc:
            return done.rc
        failed += done.failed
        failed += putback_lru_pages(m, done.retry)
    m.set(m.vmstat, 0, m.vmstat[0] + len(queue.pages) - failed)
    m.set(m.vmstat, 1, m.vmstat[1] + failed)
    return failed


def note_handed_over(m: MachineState, call: Call, verdicts: Verdicts, queue: MoveQueue) -> None:
    """Keep the verdicts on the entries whose pages were handed to the readable functions."""
    record: CallRecord = m.table[("call", m.current)]
    for at in queue.handed_over:
        entry = int(queue.entries[at])
        if call.rows[entry] != OWN_NODE:
            verdicts.single[entry] = entry_verdict(m, record, entry)
            call.rows[entry] = BY_STEPS
