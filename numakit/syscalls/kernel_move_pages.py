"""kernel_move_pages(): the call since 4.17 (mm/migrate.c of 6.1 and 6.12).

There is no array of entries any more: the caller's arrays are read as the call goes along. Entries that follow each
other and ask for the same node make a batch, which is moved when another node is asked for, when an entry has its
answer already, or at the end. So pages have moved before a later entry is even looked at; and a batch of which a page
stays ends the call, without a status for any of its pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numakit.abi import (
    CAP_SYS_NICE,
    EACCES,
    EFAULT,
    EINVAL,
    ENODEV,
    EPERM,
    ESRCH,
    MAX_NUMNODES,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    PAGE_SHIFT,
)
from numakit.fork import mmput
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.cpuset import cpuset_mems_allowed
from numakit.machine.frames import get_page, put_page
from numakit.machine.locks import down_read, up_mmap_sem
from numakit.machine.lru import isolate_lru_page, lru_cache_disable, lru_cache_enable
from numakit.machine.process import TaskStruct, get_task_mm, process_name
from numakit.machine.state import MachineState
from numakit.machine.verdicts import because, decide_entry
from numakit.migration.migrate_pages import migrate_pages
from numakit.migration.new_page import ResultPointer
from numakit.moments import DRAIN, FOLLOW_PAGE, ISOLATE, NEXT_BATCH
from numakit.syscalls.move_pages import (
    UNSET,
    CallRecord,
    PageToNode,
    element,
    lazily,
    look_up,
    new_page_for_entry,
    not_isolated,
    shared_by,
)
from numakit.syscalls.permissions import ptrace_may_access
from numakit.syscalls.user_memory import Argument, UserArray, get_user, put_user
from numakit.timeline.state import Memory
from numakit.timeline.task import Steps

STAT_CHUNK = 16  #: addresses that a query copies in at once (DO_PAGES_STAT_CHUNK_NR)


@dataclass(frozen=True, slots=True)
class Answers:
    """Where answers go: ``outcome``, what is decided, and ``stored``, what reaches the caller's status[]."""

    caller: TaskStruct
    status: UserArray | None
    outcome: Memory
    stored: Memory
    queued: Memory

    def note(self, m: MachineState, array: Memory, i: int, value: int) -> None:
        """Note something of entry ``i``, unless the call has walked past the end of what the caller has stored."""
        if i < len(array):
            m.set(array, i, value)


@serves("sys_move_pages")
def kernel_move_pages(
    m: MachineState,
    caller: TaskStruct,
    pid: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument | None,
    status: UserArray | None,
    flags: int,
) -> Steps[int]:
    """Move pages of process ``pid`` (0: the caller), or tell where they are, entry after entry.

    0: every page that was queued has moved. More: so many pages did not move or were not even tried. Or a negative
    errno. In the last two cases earlier entries may have been moved, and have their status.
    """
    rc = check_call_now(m, caller, pid, flags)
    if rc:
        return rc
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    mm = get_task_mm(m, target.pid)
    answers = open_answers(m, caller, status, pages, nodes, nr_pages)
    if nodes is None:
        rc = yield from do_pages_stat_in_chunks(m, mm, nr_pages, pages, answers)
    else:
        rc = yield from do_pages_move(m, target, mm, nr_pages, pages, nodes, flags, answers)
    yield from mmput(m, mm)
    return rc


def check_call_now(m: MachineState, caller: TaskStruct, pid: int, flags: int) -> int:
    """What is looked at before any entry (kernel_move_pages, find_mm_struct). 0 or an errno.

    Whose process it is comes before whether it has memory; pid 0 is not asked at all. How many pages are named does
    not matter: no memory is needed for them.
    """
    unknown = flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)
    if unknown:
        return because(m, -EINVAL, "bad-flags", unknown=unknown)
    if flags & MPOL_MF_MOVE_ALL and CAP_SYS_NICE not in caller.capabilities:
        return because(m, -EPERM, "all-unprivileged", caller=process_name(m, caller.pid))
    if not pid:
        return 0
    target: TaskStruct | None = m.table.get(("process", pid))
    if target is None:
        return because(m, -ESRCH, "no-process", pid=pid)
    if ptrace_may_access(m, caller, target):
        return -EPERM
    if not target.mm:
        return because(m, -EINVAL, "kthread", target=process_name(m, target.pid))
    return 0


def open_answers(
    m: MachineState,
    caller: TaskStruct,
    status: UserArray | None,
    pages: Argument,
    nodes: Argument | None,
    nr_pages: int,
) -> Answers:
    """Make outcome[], and what is stored for each entry, and let the call show them.

    They are as long as the arrays that the caller has, however many entries it claims. (For the reader's eyes only: the
    kernel keeps neither.)
    """
    shown = min(nr_pages, pages.length if isinstance(pages, UserArray) else len(pages))
    arrays = [m.new_array(shown, "i", UNSET, label=label) for label in ("outcome", "stored status")]
    queued = m.new_array(shown, "i", label="queued page of entry")
    addresses = () if isinstance(pages, UserArray) else tuple(pages)
    wanted = tuple(nodes) if nodes is not None and not isinstance(nodes, UserArray) else (None,) * shown
    m.put(("call", m.current), CallRecord(arrays[0], queued, addresses, wanted, arrays[1]))
    return Answers(caller, status, m.arrays[arrays[0]], m.arrays[arrays[1]], m.arrays[queued])


def store_status(m: MachineState, answers: Answers, start: int, value: int, number: int = 1) -> Steps[int]:
    """Write a status for entries from ``start`` on to the caller's memory. 0, or -EFAULT at the first that fails."""
    for i in range(start, start + number):
        if answers.status is not None and (yield from put_user(m, answers.caller.mm, answers.status, i, value)):
            return because(m, -EFAULT, "status-unwritable", entries=(i,), address=element(answers.status, i))
        answers.note(m, answers.stored, i, value)
    return 0


@kernel_function
def do_pages_move(
    m: MachineState,
    target: TaskStruct,
    mm: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument,
    flags: int,
    answers: Answers,
) -> Steps[int]:
    """Go through the entries; move a batch whenever it is complete. 0, how many did not move, or a negative errno.

    mmap_sem is held for read while an entry is looked up, and not while its page moves. Pagevecs are switched off
    until the end: no page hides there, not even one that has just moved.
    """
    yield DRAIN, 0
    lru_cache_disable(m)
    rc = yield from move_entries(m, target, mm, nr_pages, pages, nodes, flags, answers, range(nr_pages))
    return end_of_moves(m, rc, sum(page > 0 for page in answers.queued))


def end_of_moves(m: MachineState, rc: int, queued: int) -> int:
    """Switch pagevecs on again, and say why a call that ``queued`` so many pages returns ``rc``; returns it."""
    lru_cache_enable(m)
    if rc > 0:
        return because(m, rc, "stayed", stayed=rc)
    return rc or because(m, 0, "ok", lazily=True, queued=queued)


def move_entries(
    m: MachineState,
    target: TaskStruct,
    mm: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument,
    flags: int,
    answers: Answers,
    entries: range,
) -> Steps[int]:
    """Go through neighbouring entries, the loop of do_pages_move(); what is queued at their end moves. Needs pagevecs
    switched off. 0, how many of all ``nr_pages`` did not move, or a negative errno.
    """
    i = start = entries.start
    rc = 0
    node: int | None = None
    queued: dict[int, PageToNode] = {}  # the batch: page -> the entry, from start on, that queued it
    while i < entries.stop:
        entry = yield from fetch_entry(m, target, i, pages, nodes, answers)
        if isinstance(entry, int):
            rc = entry
            break
        if entry.node != node:
            rc = yield from move_pages_and_store_status(m, node, queued, start, i, nr_pages, answers)
            node, start, queued = entry.node, i, {}
            if rc:
                break
        found = yield from add_page_for_migration(m, mm, entry, queued, flags, answers)
        if found is None:
            assert entry.page is not None
            queued[entry.page] = entry
        else:
            rc = yield from store_status(m, answers, i, found)
            if rc:
                break
            rc = yield from move_pages_and_store_status(m, node, queued, start, i, nr_pages, answers)
            node, queued = None, {}
            if rc:
                rc -= rc > 0  # entry i has its answer
                break
        i += 1
    if queued:  # also after an error: what is isolated goes on its way
        moved = yield from move_pages_and_store_status(m, node, queued, start, i, nr_pages, answers)
        rc = rc if rc < 0 else moved
    return rc


@kernel_function
def fetch_entry(
    m: MachineState, target: TaskStruct, i: int, pages: Argument, nodes: Argument, answers: Answers
) -> Steps[PageToNode | int]:
    """Read entry ``i`` from the caller's arrays and look at its node. The entry, or a negative errno that ends the
    call.
    """
    address = yield from get_user(m, answers.caller.mm, pages, i)
    if address is None:
        return because(m, -EFAULT, "pages-unreadable", entry=i, address=element(pages, i), **lazily(m))
    node = yield from get_user(m, answers.caller.mm, nodes, i)
    if node is None:
        return because(m, -EFAULT, "nodes-unreadable", entry=i, address=element(nodes, i), **lazily(m))
    if not (0 <= node < MAX_NUMNODES and node in m.row and m.frames_of(node)):
        return because(m, -ENODEV, "offline", entry=i, node=node, online=m.node_ids, **lazily(m))
    mems = cpuset_mems_allowed(m, target.pid)
    if node not in mems:
        names = {"target": process_name(m, target.pid), "mems": mems}
        return because(m, -EACCES, "cpuset", entry=i, node=node, **names, **lazily(m))
    return PageToNode(i, address, node)


@kernel_function
def add_page_for_migration(
    m: MachineState, mm: int, entry: PageToNode, queued: dict[int, PageToNode], flags: int, answers: Answers
) -> Steps[int | None]:
    """Look an entry up and isolate its page. Its status if that is decided already, else None: its page is isolated.

    Takes mmap_sem for read, and gives it back: a page that is isolated is safe without it.
    """
    yield from down_read(m, mm)
    yield FOLLOW_PAGE, entry.address >> PAGE_SHIFT
    rc: int | None = look_up(m, mm, entry)
    assert rc is not None
    if rc >= 0:
        page = entry.page = rc
        rc = m.node(page)
        if rc != entry.node:
            get_page(m, page, m.current)
            yield ISOLATE, page
            rc = None
            if m.mapcount[page] > 1 and not flags & MPOL_MF_MOVE_ALL:
                rc = decide_entry(m, entry.entry, -EACCES, "shared", page=page, sharers=shared_by(m, page))
            elif isolate_lru_page(m, page, m.current):
                rc = not_isolated(m, page, entry, queued)
            else:
                answers.note(m, answers.queued, entry.entry, page + 1)
            put_page(m, page, m.current)
    if rc is not None:
        answers.note(m, answers.outcome, entry.entry, rc)
    up_mmap_sem(m, mm)
    return rc


@kernel_function
def move_pages_and_store_status(
    m: MachineState,
    node: int | None,
    queued: dict[int, PageToNode],
    start: int,
    i: int,
    nr_pages: int,
    answers: Answers,
) -> Steps[int]:
    """Move a batch, entries ``start`` to before ``i``, to its node. 0 with a status stored for each of them.

    More than 0: so many pages stayed, or were not even tried since the call ends here; less: an errno. Then no status
    is stored for any entry of the batch, not even for those that moved.
    """
    if not queued or node is None:
        return 0
    yield NEXT_BATCH, i
    rc = yield from migrate_pages(m, list(queued), alloc_migration_target, (queued, answers.outcome))
    if rc > 0:
        return rc + nr_pages - i
    if rc < 0:
        return because(m, rc, "full", node=node, entries=(start, i))
    return (yield from store_status(m, answers, start, node, i - start))


@kernel_function
def alloc_migration_target(m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
    """The new_page_t since 4.17: a batch has one node, so nobody has to look for the entry of a page."""
    return new_page_for_entry(m, page, private, result, True)


@kernel_function
def do_pages_stat_in_chunks(m: MachineState, mm: int, nr_pages: int, pages: Argument, answers: Answers) -> Steps[int]:
    """Tell where pages are, sixteen at a time: do_pages_stat() since 2.6.28. 0, or -EFAULT where an array ends; chunks
    before have their statuses.
    """
    for start in range(0, nr_pages, STAT_CHUNK):
        chunk = range(start, min(start + STAT_CHUNK, nr_pages))
        entries = []
        for i in chunk:
            address = yield from get_user(m, answers.caller.mm, pages, i)
            if address is None:
                return because(m, -EFAULT, "pages-unreadable", entry=i, address=element(pages, i), **lazily(m))
            entries.append(PageToNode(i, address, None))
        statuses = []
        yield from down_read(m, mm)
        for entry in entries:
            yield FOLLOW_PAGE, entry.address >> PAGE_SHIFT
            found = look_up(m, mm, entry)
            found = m.node(found) if found >= 0 else found
            answers.note(m, answers.outcome, entry.entry, found)
            statuses.append(found)
        up_mmap_sem(m, mm)
        for i in chunk:
            rc = yield from store_status(m, answers, i, statuses[i - start])
            if rc:
                return rc
    return because(m, 0, "query")
