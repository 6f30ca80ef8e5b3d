"""sys_move_pages_in_chunks() in bulk: the call from 2.6.29 to 4.16.

A chunk is looked up, isolated and moved as the whole call was in 2006; the next one sees what it left.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from numakit.abi import MAX_NUMNODES
from numakit.bulk.columns import Column, column_of
from numakit.bulk.kernel_move_pages import do_pages_stat_in_bulk
from numakit.bulk.look_up import areas_of
from numakit.bulk.move_pages import BulkReport, Call, as_signed, isolate, move_queued
from numakit.bulk.shared import Sharers
from numakit.bulk.verdicts import Verdicts
from numakit.bulk.views import Frames, Ints, view
from numakit.fork import mmput
from numakit.machine.bug import KernelBug
from numakit.machine.cpuset import cpuset_mems_allowed
from numakit.machine.lru import lru_add_drain_all
from numakit.machine.mempolicy import cpuset_update_task_memory_state
from numakit.machine.process import TaskStruct, get_task_mm
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict, because, forget_verdicts, take_verdict
from numakit.syscalls import move_pages_in_chunks
from numakit.syscalls.kernel_move_pages import Answers, open_answers
from numakit.syscalls.move_pages import UNSET, CallRecord, check_process, fetch_entry_of_2006
from numakit.syscalls.report import Report, report_move_pages, why_it_returned
from numakit.syscalls.user_memory import Argument, UserArray
from numakit.timeline.task import Steps


def report_move_pages_in_chunks_in_bulk(
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
    if isinstance(pages, UserArray) or isinstance(nodes, UserArray) or status is not None or not nr_pages:
        return (yield from report_move_pages(*arguments))
    addresses, wanted = column_of(pages), None if nodes is None else column_of(nodes)
    if addresses is None or (nodes is not None and wanted is None) or is_refused(m, caller, pid, flags):
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
    chunk = move_pages_in_chunks.CHUNK
    verdicts = Verdicts(call.areas, addresses, wanted, call.rows, call.found, call.answers, chunk=chunk)
    ret: int | None = None
    try:
        if wanted is None:
            ret = do_pages_stat_in_bulk(m, call, verdicts, answers)
        else:
            ret = yield from do_pages_move_in_bulk(m, target, call, verdicts, answers, flags)
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


def is_refused(m: MachineState, caller: TaskStruct, pid: int, flags: int) -> bool:
    """Whether the call will fail before any entry is looked at, or could not take mmap_sem at once."""
    if check_process(m, caller, pid, flags):
        take_verdict(m, "return", m.current)
        return True
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    return ("mmap_sem", target.mm) in m.table or not any(map(m.nr_free, m.node_ids))


def do_pages_move_in_bulk(
    m: MachineState, target: TaskStruct, call: Call, verdicts: Verdicts, answers: Answers, flags: int
) -> Steps[int]:
    """Move chunk after chunk, up to the one with a bad node (do_pages_move_in_chunks). 0 or a negative errno."""
    assert call.nodes is not None
    task_nodes = cpuset_mems_allowed(m, target.pid)
    bad = first_bad_node(m, task_nodes, call.nodes)
    frames, stored, stayed = Frames(m), view(answers.stored), 0
    sharers = Sharers(m, frames)
    try:
        for start in range(0, len(call.nodes), verdicts.chunk):
            chunk = range(start, min(start + verdicts.chunk, len(call.nodes)))
            if bad in chunk:
                columns = Column(verdicts.addresses), Column(call.nodes)
                fetched = yield from fetch_entry_of_2006(m, answers.caller, target, task_nodes, bad, *columns)
                assert isinstance(fetched, int), "the node of the entry is no good one"
                return fetched
            lru_add_drain_all(m)
            isolate(m, frames, call, verdicts, sharers, chunk, flags)
            rc = yield from move_queued(m, frames, call, verdicts, chunk)
            if rc < 0:
                return because(m, rc, "full", chunk=(chunk.start, chunk.stop))
            stayed += rc
            stored[chunk.start : chunk.stop] = call.answers[chunk.start : chunk.stop]
    finally:
        verdicts.shared_entries, verdicts.shared, verdicts.sharers = sharers.columns()
    return because(m, 0, "ok", uncounted=stayed, queued=verdicts.queued())


def first_bad_node(m: MachineState, task_nodes: tuple[int, ...], nodes: Ints) -> int:
    """The first entry whose node ends the call (fetch_entry_of_2006); the number of entries if there is none."""
    allowed = np.zeros(MAX_NUMNODES + 1, bool)
    allowed[[node for node in task_nodes if m.frames_of(node)]] = True
    good = allowed[np.where((nodes >= 0) & (nodes < MAX_NUMNODES), nodes, MAX_NUMNODES)]
    return len(nodes) if good.all() else int(np.argmin(good))
