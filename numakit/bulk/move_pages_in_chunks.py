"""sys_move_pages_in_chunks() in bulk: the call from 2.6.29 to 4.16.

A chunk is looked up, isolated and moved as the whole call was in 2006; the next one sees what it left.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from numakit.abi import MAX_NUMNODES
from numakit.bulk.columns import Column
from numakit.bulk.kernel_move_pages import report_answered_as_it_goes
from numakit.bulk.move_pages import Call, isolate, move_queued
from numakit.bulk.shared import Sharers
from numakit.bulk.verdicts import Verdicts
from numakit.bulk.views import Frames, Ints, view
from numakit.machine.cpuset import cpuset_mems_allowed
from numakit.machine.lru import lru_add_drain_all
from numakit.machine.process import TaskStruct
from numakit.machine.state import MachineState
from numakit.machine.verdicts import because, take_verdict
from numakit.syscalls import move_pages_in_chunks
from numakit.syscalls.kernel_move_pages import Answers
from numakit.syscalls.move_pages import check_process, fetch_entry_of_2006
from numakit.syscalls.report import Report
from numakit.timeline.task import Steps


def report_move_pages_in_chunks_in_bulk(m: MachineState, *arguments: Any) -> Steps[Report]:
    """Make the call and report on it, as report_move_pages()."""
    return (yield from report_answered_as_it_goes(m, is_refused, verdicts_of, do_pages_move_in_bulk, *arguments))


def verdicts_of(call: Call, addresses: Ints) -> Verdicts:
    """The verdicts on a call that goes chunk by chunk."""
    chunk = move_pages_in_chunks.CHUNK
    return Verdicts(call.areas, addresses, call.nodes, call.rows, call.found, call.answers, chunk=chunk)


def is_refused(m: MachineState, caller: TaskStruct, pid: int, flags: int) -> bool:
    """Whether the call will fail before any entry is looked at, or could not take mmap_sem at once."""
    if check_process(m, caller, pid, flags):
        take_verdict(m, "return", m.current)
        return True
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    return ("mmap_sem", target.mm) in m.table or not any(map(m.nr_free, m.node_ids))


def do_pages_move_in_bulk(
    m: MachineState, target: TaskStruct, mm: int, call: Call, verdicts: Verdicts, answers: Answers, flags: int
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
