"""move_pages() from 2.6.29 to 4.16 (mm/migrate.c of 2.6.29): the entries go through the kernel a chunk at a time.

A chunk is what fits into one page of the kernel. It is checked, moved and answered before the next one is read. So the
search for the entry of a page ends after a chunk, however long the call is; and an error in one chunk leaves those
before it moved and answered. How many pages stayed is forgotten from chunk to chunk: the call returns 0.
"""

from __future__ import annotations

from typing import Any

from numakit.abi import ENOMEM, PAGE_SHIFT, PAGE_SIZE
from numakit.fork import mmput
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.cpuset import cpuset_mems_allowed
from numakit.machine.locks import down_read, up_mmap_sem
from numakit.machine.lru import lru_add_drain_all
from numakit.machine.mempolicy import cpuset_update_task_memory_state
from numakit.machine.process import TaskStruct, get_task_mm
from numakit.machine.state import MachineState
from numakit.machine.verdicts import because, take_verdict
from numakit.migration.migrate_pages import migrate_pages
from numakit.migration.new_page import ResultPointer
from numakit.moments import DRAIN, FOLLOW_PAGE
from numakit.syscalls.kernel_move_pages import Answers, do_pages_stat_in_chunks, open_answers, store_status
from numakit.syscalls.move_pages import (
    PAGE_TO_NODE_SIZE,
    PageToNode,
    check_process,
    entries_by_first_match,
    fetch_entry_of_2006,
    isolate_entry,
    new_page_for_entry,
    new_page_node,
)
from numakit.syscalls.user_memory import Argument, UserArray
from numakit.timeline.task import Steps

#: Entries of a chunk: one less than there is room for, since the last place of the page marks its end.
CHUNK = PAGE_SIZE // PAGE_TO_NODE_SIZE - 1


@serves("sys_move_pages")
def sys_move_pages_in_chunks(
    m: MachineState,
    caller: TaskStruct,
    pid: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument | None,
    status: UserArray | None,
    flags: int,
) -> Steps[int]:
    """Move pages of process ``pid`` (0: the caller), or tell where they are, chunk after chunk.

    0 or a negative errno; then chunks before the one that met it were moved, and have their statuses.
    """
    rc = check_process(m, caller, pid, flags)
    if rc:
        return rc
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    mm = get_task_mm(m, target.pid)
    cpuset_update_task_memory_state(m)
    answers = open_answers(m, caller, status, pages, nodes, nr_pages)
    if nodes is None:
        rc = yield from do_pages_stat_in_chunks(m, mm, nr_pages, pages, answers)
    else:
        rc = yield from do_pages_move_in_chunks(m, target, mm, nr_pages, pages, nodes, flags, answers)
    yield from mmput(m, mm)
    return rc


@kernel_function
def do_pages_move_in_chunks(
    m: MachineState,
    target: TaskStruct,
    mm: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument,
    flags: int,
    answers: Answers,
) -> Steps[int]:
    """Check, move and answer a chunk, then the next (do_pages_move() of 2.6.29). 0 or a negative errno.

    The kernel needs one page for its entries, which takes no frame here. What the target's cpuset allows is asked once,
    at the beginning. (An entry without a page begins as such here; in the kernel it may still name the page that the
    same place of an earlier chunk had.)
    """
    task_nodes = cpuset_mems_allowed(m, target.pid)
    if not any(map(m.nr_free, m.node_ids)):
        return because(m, -ENOMEM, "no-array", nr_pages=nr_pages, wanted=PAGE_SIZE, free=0)
    stayed = 0
    for start in range(0, nr_pages, CHUNK):
        chunk: list[PageToNode] = []
        for i in range(start, min(start + CHUNK, nr_pages)):
            entry = yield from fetch_entry_of_2006(m, answers.caller, target, task_nodes, i, pages, nodes)
            if isinstance(entry, int):
                return entry
            chunk.append(entry)
        rc = yield from do_move_page_to_node_array(m, mm, chunk, flags, answers)
        if rc < 0:
            return because(m, rc, "full", chunk=(start, start + len(chunk)))
        stayed += rc
        for entry in chunk:
            rc = yield from store_status(m, answers, entry.entry, answers.outcome[entry.entry])
            if rc:
                return rc
    return because(m, 0, "ok", uncounted=stayed, queued=sum(page > 0 for page in answers.queued))


@kernel_function
def do_move_page_to_node_array(
    m: MachineState, mm: int, chunk: list[PageToNode], flags: int, answers: Answers
) -> Steps[int]:
    """Look up and isolate what a chunk wants moved, then move it. How many pages stayed, or -ENOMEM.

    Takes mmap_sem for read, and gives it back: between two chunks others may change the areas. Pagevecs are emptied for
    each chunk, before that.
    """
    yield DRAIN, 0
    lru_add_drain_all(m)
    yield from down_read(m, mm)
    queued: dict[int, PageToNode] = {}  # page -> the entry that queued it
    for entry in chunk:
        yield FOLLOW_PAGE, entry.address >> PAGE_SHIFT
        rc = yield from isolate_entry(m, mm, entry, queued, flags)
        if rc is None:
            assert entry.page is not None
            queued[entry.page] = entry
            answers.note(m, answers.queued, entry.entry, entry.page + 1)
        else:
            answers.note(m, answers.outcome, entry.entry, rc)
    stayed = 0
    if queued:
        where = entries_by_first_match(m, chunk, queued, answers.outcome)
        stayed = yield from migrate_pages(m, list(queued), new_page_node, (where, answers.outcome))
    for page, entry in queued.items():
        keep_verdict(m, page, entry, answers)
    up_mmap_sem(m, mm)
    return stayed


def keep_verdict(m: MachineState, page: int, entry: PageToNode, answers: Answers) -> None:
    """What was noted of a page is its entry's from now on: a later chunk may name the page again, or another one that
    has its frame by then.
    """
    noted = m.table.get(("page verdict", m.current, page))
    failed = entry.entry < len(answers.outcome) and answers.outcome[entry.entry] < 0
    if noted is not None and ("entry", m.current, entry.entry) not in m.table and (noted.value < 0) == failed:
        m.put(("entry", m.current, entry.entry), take_verdict(m, "page verdict", m.current, page))


@serves("new_page_node")
def new_page_node_of_chunk(m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
    """The new_page_t of a chunk: the entry is looked for from the beginning of its chunk, and the page is of the node
    that it asks for, or none (GFP_THISNODE).
    """
    m.costs.scanned += private[0][page].entry % CHUNK + 1
    return new_page_for_entry(m, page, private, result, True)
