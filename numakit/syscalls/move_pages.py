"""sys_move_pages(): move individual pages of a process, or tell where they are (mm/migrate.c of 2.6.18).

The order of the checks is part of the contract; :data:`CHECKS` lists it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from numakit.abi import (
    CAP_SYS_NICE,
    E2BIG,
    EACCES,
    EBUSY,
    EFAULT,
    EINVAL,
    ENODEV,
    ENOENT,
    ENOMEM,
    EPERM,
    ESRCH,
    MAX_NUMNODES,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    PAGE_SHIFT,
    PAGE_SIZE,
    ULONG_MAX,
)
from numakit.fork import mmput
from numakit.kernels.functions import kernel_function
from numakit.machine.bug import hit_bug
from numakit.machine.cpuset import cpuset_mems_allowed
from numakit.machine.frames import alloc_pages_node, alloc_pages_this_node, get_page, mems_allowed, put_page
from numakit.machine.locks import down_read, up_mmap_sem
from numakit.machine.lru import isolate_lru_page, lru_add_drain_all
from numakit.machine.mempolicy import cpuset_update_task_memory_state
from numakit.machine.pagecache import space_of
from numakit.machine.process import TaskStruct, get_task_mm, process_name, processes_of
from numakit.machine.references import FIRST_PIN, holder_name, in_pagevecs, noted_holders
from numakit.machine.state import PG_RESERVED, MachineState
from numakit.machine.verdicts import because, decide_entry, decide_page
from numakit.machine.vma import (
    PTE_NONE,
    PTE_PFN,
    PTE_PRESENT,
    PTE_SWAP,
    PTE_TYPE,
    VM_READ,
    VM_WRITE,
    VmAreaStruct,
    find_vma,
    mms_that_map,
    pte_at,
    vmas_of,
)
from numakit.migration.migrate_pages import migrate_pages
from numakit.migration.new_page import ResultPointer
from numakit.moments import DRAIN, FOLLOW_PAGE, ISOLATE
from numakit.syscalls.permissions import check_same_user
from numakit.syscalls.user_memory import Argument, UserArray, get_user, put_user
from numakit.timeline.state import Memory
from numakit.timeline.task import Steps

UNSET = -(2**31)  #: an element of outcome[] for which nothing was decided yet
PAGE_TO_NODE_SIZE = 24  #: bytes of struct page_to_node on 64-bit machines; the call needs one more than it has entries

#: The checks of the call, in the kernel's order: (row of the contract, return code). 9 to 12 go entry by entry.
CHECKS = (
    ("bad-flags", -EINVAL),
    ("all-unprivileged", -EPERM),
    ("no-process", -ESRCH),
    ("kthread", -EINVAL),
    ("other-user", -EPERM),
    ("too-many", -E2BIG),
    ("no-array", -ENOMEM),
    ("pages-unreadable", -EFAULT),
    ("nodes-unreadable", -EFAULT),
    ("offline", -ENODEV),
    ("cpuset", -EACCES),
)


@dataclass(slots=True)
class PageToNode:
    """One entry of the call (struct page_to_node): an address, the node asked for, and the page once it is found."""

    entry: int
    address: int
    node: int | None
    page: int | None = None


class CallRecord(NamedTuple):
    """What a running call shows of itself: the numbers of its arrays, one element an entry, and what it was asked."""

    outcome: int  #: the answers; UNSET where nothing was decided yet
    queued: int  #: pfn + 1 of the page that the entry queued for moving, 0 where it queued none
    addresses: tuple[int, ...]
    nodes: tuple[int | None, ...]
    stored: int | None = None  #: what the kernel has stored for each entry so far, where it stores them one by one


@kernel_function
def sys_move_pages(
    m: MachineState,
    caller: TaskStruct,
    pid: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument | None,
    status: UserArray | None,
    flags: int,
) -> Steps[int]:
    """Move pages of process ``pid`` (0: the caller) to the nodes asked for; with ``nodes`` None tell where they are.

    Returns 0 or a negative errno. The answers stand in outcome[] (see CallRecord); they are copied to ``status``, an
    array in the caller's memory, only if the call would return 0. (None: whoever called takes them from outcome[].)
    """
    rc = check_call(m, caller, pid, nr_pages, flags)
    if rc:
        return rc
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    mm = get_task_mm(m, target.pid)
    cpuset_update_task_memory_state(m)  # the kernel allocates its array now
    fetched = yield from fetch_entries(m, caller, target, nr_pages, pages, nodes)
    if isinstance(fetched, int):
        rc = fetched
    else:
        outcome = open_outcome(m, fetched)
        if nodes is None:
            rc = yield from do_pages_stat(m, mm, fetched, outcome)
        else:
            rc = yield from do_move_pages(m, mm, fetched, outcome, flags)
        if rc >= 0 and status is not None:
            rc = yield from copy_status(m, caller, status, outcome, rc)
    yield from mmput(m, mm)
    return rc


@kernel_function
def check_call(m: MachineState, caller: TaskStruct, pid: int, nr_pages: int, flags: int) -> int:
    """Checks 1 to 8: everything that is looked at before the caller's arrays are read. 0 or the errno of the first
    that holds.
    """
    rc = check_process(m, caller, pid, flags)
    if rc:
        return rc
    if nr_pages >= ULONG_MAX // PAGE_TO_NODE_SIZE - 1:
        return because(m, -E2BIG, "too-many", nr_pages=nr_pages, limit=ULONG_MAX // PAGE_TO_NODE_SIZE - 1)
    wanted, free = (nr_pages + 1) * PAGE_TO_NODE_SIZE, sum(map(m.nr_free, m.node_ids)) * PAGE_SIZE
    if wanted > free:  # the array is only compared with what is free: it takes no frames here
        return because(m, -ENOMEM, "no-array", nr_pages=nr_pages, wanted=wanted, free=free)
    return 0


def check_process(m: MachineState, caller: TaskStruct, pid: int, flags: int) -> int:
    """Checks 1 to 5: the flags, and whether the caller may touch the process. 0 or the errno of the first."""
    unknown = flags & ~(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)
    if unknown:
        return because(m, -EINVAL, "bad-flags", unknown=unknown)
    if flags & MPOL_MF_MOVE_ALL and CAP_SYS_NICE not in caller.capabilities:
        return because(m, -EPERM, "all-unprivileged", caller=process_name(m, caller.pid))
    target: TaskStruct | None = m.table.get(("process", pid or caller.pid))
    if target is None:
        return because(m, -ESRCH, "no-process", pid=pid)
    if not target.mm:
        return because(m, -EINVAL, "kthread", target=process_name(m, target.pid))
    return -EPERM if check_same_user(m, caller, target) else 0


@kernel_function
def fetch_entries(
    m: MachineState,
    caller: TaskStruct,
    target: TaskStruct,
    nr_pages: int,
    pages: Argument,
    nodes: Argument | None,
) -> Steps[list[PageToNode] | int]:
    """Checks 9 to 12, entry by entry: copy the arrays in and look at every node before any page is touched.

    The entries, or the errno of the first bad one. What the target's cpuset allows is asked once, at the beginning.
    """
    task_nodes = cpuset_mems_allowed(m, target.pid)
    entries = []
    for i in range(nr_pages):
        entry = yield from fetch_entry_of_2006(m, caller, target, task_nodes, i, pages, nodes)
        if isinstance(entry, int):
            return entry
        entries.append(entry)
    return entries


def fetch_entry_of_2006(
    m: MachineState,
    caller: TaskStruct,
    target: TaskStruct,
    task_nodes: tuple[int, ...],
    i: int,
    pages: Argument,
    nodes: Argument | None,
) -> Steps[PageToNode | int]:
    """Checks 9 to 12 of entry ``i``. The entry, or the errno of the first that holds. ``task_nodes``: what the target's
    cpuset allowed when the call began.
    """
    address = yield from get_user(m, caller.mm, pages, i)
    if address is None:
        return because(m, -EFAULT, "pages-unreadable", entry=i, address=element(pages, i), **lazily(m))
    if nodes is None:
        return PageToNode(i, address, None)
    node = yield from get_user(m, caller.mm, nodes, i)
    if node is None:
        return because(m, -EFAULT, "nodes-unreadable", entry=i, address=element(nodes, i), **lazily(m))
    if not 0 <= node < MAX_NUMNODES and not m.kernel.node_ids_are_checked:
        hit_bug(m, f"node_online({node}) reads outside the node mask, which has {MAX_NUMNODES} bits")
    exists = 0 <= node < MAX_NUMNODES and node in m.row
    if not exists or (m.kernel.targets_have_memory and not m.frames_of(node)):
        return because(m, -ENODEV, "offline", entry=i, node=node, online=m.node_ids, **lazily(m))
    if node not in task_nodes:
        names = {"target": process_name(m, target.pid), "mems": task_nodes}
        return because(m, -EACCES, "cpuset", entry=i, node=node, **names, **lazily(m))
    return PageToNode(i, address, node)


def lazily(m: MachineState) -> dict[str, bool]:
    """The fact that entries before a bad one may have been moved already, where it is one."""
    return {} if m.kernel.checks_all_first else {"lazily": True}


def element(array: Argument, i: int) -> int:
    """The address of an element in the caller's memory, for a report; 0 for a sequence, which can always be read."""
    return array.address + i * array.size if isinstance(array, UserArray) else 0


def open_outcome(m: MachineState, entries: list[PageToNode]) -> Memory:
    """Make outcome[], one answer an entry, and let the call show it."""
    outcome = m.new_array(len(entries), "i", UNSET, label="outcome")
    queued = m.new_array(len(entries), "i", label="queued page of entry")
    addresses, nodes = tuple(entry.address for entry in entries), tuple(entry.node for entry in entries)
    m.put(("call", m.current), CallRecord(outcome, queued, addresses, nodes))
    return m.arrays[outcome]


@kernel_function
def do_move_pages(m: MachineState, mm: int, entries: list[PageToNode], outcome: Memory, flags: int) -> Steps[int]:
    """Look up and isolate what is to be moved, then move it. Holds mmap_sem for read from the beginning to the end.

    0, or -ENOENT if there was nothing that would require moving.
    """
    yield from down_read(m, mm)
    yield DRAIN, 0
    lru_add_drain_all(m)
    queued: dict[int, PageToNode] = {}  # page -> the entry that queued it
    pages_of_entries = m.arrays[m.table[("call", m.current)].queued]
    for entry in entries:
        yield FOLLOW_PAGE, entry.address >> PAGE_SHIFT
        rc = yield from isolate_entry(m, mm, entry, queued, flags)
        if rc is None:
            assert entry.page is not None
            queued[entry.page] = entry
            m.set(pages_of_entries, entry.entry, entry.page + 1)
        else:
            m.set(outcome, entry.entry, rc)
    stayed = 0
    if queued:
        where = entries_by_first_match(m, entries, queued, outcome) if m.kernel.first_match else queued
        stayed = yield from migrate_pages(m, list(queued), new_page_node, (where, outcome))
    up_mmap_sem(m, mm)
    if stayed < 0:
        return because(m, stayed, "full", queued=len(queued))
    if not queued and not (m.kernel.busy_is_an_answer and any(answer == -EBUSY for answer in outcome)):
        return because(m, -ENOENT, "nothing", entries=len(entries))
    if stayed and m.kernel.returns_what_stayed:
        return because(m, stayed, "stayed", stayed=stayed, queued=len(queued))
    return because(m, 0, "ok", queued=len(queued))


def entries_by_first_match(
    m: MachineState, entries: list[PageToNode], queued: dict[int, PageToNode], outcome: Memory
) -> dict[int, PageToNode]:
    """Page -> the first entry that names it, whether it queued the page or had its answer already: the code of 2006
    walks along the array from its start until it comes to the page.

    An entry that queued a page which an earlier one names keeps the status that it got when its page was isolated: 0.
    """
    first: dict[int, PageToNode] = {}
    for entry in entries:
        if entry.page is not None:
            first.setdefault(entry.page, entry)
    for page, entry in queued.items():
        if first[page] is not entry:
            m.set(outcome, entry.entry, decide_entry(m, entry.entry, 0, "own-node", earlier=first[page].entry))
    return first


@kernel_function
def isolate_entry(
    m: MachineState, mm: int, entry: PageToNode, queued: dict[int, PageToNode], flags: int
) -> Steps[int | None]:
    """Look up one entry. Its status if that is decided already, else None: its page is isolated, and to be moved.

    Needs mmap_sem. The reference of the look-up is dropped again; that of isolation is kept.
    """
    found = look_up(m, mm, entry)
    if found < 0:
        return found
    page = entry.page = found
    if m.node(page) == entry.node:
        return m.node(page)
    get_page(m, page, m.current)
    yield ISOLATE, page
    rc: int | None = None
    sharers = shared_by(m, page)
    if sharers and not flags & MPOL_MF_MOVE_ALL:
        rc = decide_entry(m, entry.entry, -EACCES, "shared", page=page, sharers=sharers)
    elif isolate_lru_page(m, page, m.current):
        rc = not_isolated(m, page, entry, queued)
    put_page(m, page, m.current)
    return rc


@kernel_function
def look_up(m: MachineState, mm: int, entry: PageToNode) -> int:
    """The page (pfn) behind an entry's address; -EFAULT in no VMA or for the zero page, -ENOENT where none is
    present.
    """
    vma = find_vma(m, mm, entry.address)
    if vma is None:
        around = neighbours(vmas_of(m, mm), entry.address)
        seen = m.kernel.holes_are_seen or "above" not in around
        return decide_entry(m, entry.entry, -EFAULT if seen else -ENOENT, "hole", **around)
    pte = pte_at(m, vma, entry.address).value
    if pte & PTE_TYPE != PTE_PRESENT:
        facts = {"file": space_of(m, vma.file).name} if vma.file else {}
        row = why_not_present(vma, pte)
        value = m.kernel.untouched_status if row == "untouched" else -ENOENT
        return decide_entry(m, entry.entry, value, row, vma=(vma.start, vma.end), **facts)
    page = pte >> PTE_PFN
    if not m.kernel.forbidden_pages_are_found and not vma.flags & (VM_READ | VM_WRITE):
        return decide_entry(m, entry.entry, -ENOENT, "hinting", page=page)
    if m.flags[page] & PG_RESERVED:
        return decide_entry(m, entry.entry, m.kernel.zero_page_status, "zero", page=page)
    return page


def neighbours(vmas: list[VmAreaStruct], address: int) -> dict[str, int]:
    """The ends of the areas below and above a hole, as far as there are any."""
    below = [vma.end for vma in vmas if vma.end <= address]
    above = [vma.start for vma in vmas if vma.start > address]
    return ({"below": max(below)} if below else {}) | ({"above": min(above)} if above else {})


def why_not_present(vma: VmAreaStruct, pte: int) -> str:
    """The row for a PTE that is not present."""
    if pte & PTE_TYPE == PTE_NONE:
        return "not-read" if vma.file else "untouched"
    return "swapped" if pte & PTE_TYPE == PTE_SWAP else "migrating"


@kernel_function
def shared_by(m: MachineState, page: int) -> tuple[str, ...]:
    """The names of the processes that map a page if it is shared: mapped in two mm's or more, or, where the kernel
    counts PTEs, by two of them.
    """
    if m.mapcount[page] < 2:
        return ()
    mms = mms_that_map(m, page)
    pids = sorted(process.pid for mm in mms for process in processes_of(m, mm))
    shared = len(mms) > 1 or not m.kernel.shared_by_mm
    return tuple(process_name(m, pid) for pid in pids) if shared else ()


def not_isolated(m: MachineState, page: int, entry: PageToNode, queued: dict[int, PageToNode]) -> int:
    """-EBUSY, with the cause: an earlier entry queued the page, it waits in a pagevec, or another task, or kernel code,
    has it. (Pins isolate nothing.)
    """
    if page in queued:
        return decide_entry(m, entry.entry, -EBUSY, "duplicate", page=page, earlier=queued[page].entry)
    holders = tuple(holder_name(m, h) for h in noted_holders(m, page) if h != m.current and h < FIRST_PIN)
    return decide_entry(m, entry.entry, -EBUSY, "off-lru", page=page, holders=holders, cpus=tuple(in_pagevecs(m, page)))


@kernel_function
def new_page_node(m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
    """The new_page_t of move_pages() until 4.16: look for the entry that asked for the page, from the first one on, and
    get a page where it says.
    """
    m.costs.scanned += private[0][page].entry + 1
    return new_page_for_entry(m, page, private, result, m.kernel.this_node_only)


def new_page_for_entry(
    m: MachineState, page: int, private: Any, result: ResultPointer, this_node_only: bool
) -> int | None:
    """A page on the node that the entry asked for, and perhaps no other; result points to its status."""
    entry_of, outcome = private
    entry = entry_of[page]
    result.point_to(outcome, entry.entry)
    if not this_node_only:
        return alloc_pages_node(m, entry.node)
    newpage = alloc_pages_this_node(m, entry.node)
    if newpage is None:
        allowed = mems_allowed(m)
        forbidden = allowed is not None and entry.node not in allowed
        decide_page(
            m,
            page,
            -ENOMEM,
            "full",
            node=entry.node,
            frames=len(m.frames_of(entry.node)),
            mems=allowed if forbidden else (),
        )
    return newpage


@kernel_function
def do_pages_stat(m: MachineState, mm: int, entries: list[PageToNode], outcome: Memory) -> Steps[int]:
    """Tell for each entry on which node its page is. Takes no references and looks at no flags. Always 0."""
    yield from down_read(m, mm)
    for entry in entries:
        yield FOLLOW_PAGE, entry.address >> PAGE_SHIFT
        found = look_up(m, mm, entry)
        if found >= 0:
            found = m.node(found)
        m.set(outcome, entry.entry, found)
    up_mmap_sem(m, mm)
    return because(m, 0, "query")


@kernel_function
def copy_status(m: MachineState, caller: TaskStruct, status: UserArray, outcome: Memory, rc: int) -> Steps[int]:
    """Copy the answers to the caller's memory. A fault makes the call return -EFAULT; elements that can be written
    still are.
    """
    bad = []
    for i, answer in enumerate(outcome):
        if (yield from put_user(m, caller.mm, status, i, answer)):
            bad.append(i)
    if bad:
        rc = because(m, -EFAULT, "status-unwritable", entries=tuple(bad), address=element(status, bad[0]))
    return rc
