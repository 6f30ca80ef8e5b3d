"""sys_migrate_pages(): move the pages of a process from some nodes to others (mm/mempolicy.c of 2.6.18).

Pages keep their places relative to each other: what was on the first node of the old ones goes to the first of the new
ones, and so on. Nothing says whether a page that somebody else maps, or that is locked in memory, was left behind.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numakit.abi import CAP_SYS_NICE, EINVAL, ENOMEM, EPERM, ESRCH, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL
from numakit.fork import mmput
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.cpuset import cpuset_mems_allowed
from numakit.machine.frames import alloc_pages_node
from numakit.machine.locks import down_read, up_mmap_sem
from numakit.machine.nodemask import node_remap
from numakit.machine.process import TaskStruct, get_task_mm, process_name
from numakit.machine.state import MachineState
from numakit.machine.verdicts import because, decide_page
from numakit.machine.vma import vmas_of
from numakit.migration.migrate_pages import migrate_pages
from numakit.migration.new_page import ResultPointer
from numakit.moments import NEXT_PAIR
from numakit.syscalls.mempolicy import get_nodes
from numakit.syscalls.page_range import DISCONTIG_OK, END_OF_MEMORY, Passed, check_range, note_untried
from numakit.syscalls.permissions import check_same_user, ptrace_may_access
from numakit.timeline.task import Steps


class Moves(NamedTuple):
    """What a call about all pages of a process did: its return code, the pairs of nodes in their order, and the pages
    that it came by.
    """

    ret: int
    pairs: tuple[tuple[int, int], ...] = ()
    passed: tuple[Passed, ...] = ()


@kernel_function
def sys_migrate_pages(
    m: MachineState, caller: TaskStruct, pid: int, old: tuple[int, ...], new: tuple[int, ...]
) -> Steps[Moves]:
    """Move pages of process ``pid`` (0: the caller) from the nodes ``old`` to the nodes ``new``.

    How many pages were taken off the LRU and not moved, or a negative errno. The new nodes need not be online: a node
    that gives no page leaves its pages where they are.
    """
    rc = get_nodes(m, old) or get_nodes(m, new) or check_target(m, caller, pid)
    if rc:
        return Moves(rc)
    target: TaskStruct = m.table[("process", pid or caller.pid)]
    if outside_its_cpuset(m, caller, target, new):
        return Moves(-EPERM)
    mm = get_task_mm(m, target.pid)
    flags = MPOL_MF_MOVE_ALL if CAP_SYS_NICE in caller.capabilities else MPOL_MF_MOVE
    moves = yield from do_migrate_pages(m, mm, old, new, flags)
    yield from mmput(m, mm)
    return moves


def check_target(m: MachineState, caller: TaskStruct, pid: int) -> int:
    """Whether there is such a process, with memory, that the caller may touch. 0 or an errno."""
    target: TaskStruct | None = m.table.get(("process", pid or caller.pid))
    if target is None:
        return because(m, -ESRCH, "no-process", pid=pid)
    if not target.mm:
        return because(m, -EINVAL, "kthread", target=process_name(m, target.pid))
    return check_same_user(m, caller, target)


def outside_its_cpuset(m: MachineState, caller: TaskStruct, target: TaskStruct, new: tuple[int, ...]) -> bool:
    """Whether the target's cpuset forbids a new node; only CAP_SYS_NICE may move a process out of its cpuset."""
    mems = cpuset_mems_allowed(m, target.pid)
    outside = tuple(node for node in new if node not in mems)
    if not outside or CAP_SYS_NICE in caller.capabilities:
        return False
    because(m, -EPERM, "target-cpuset", nodes=outside, target=process_name(m, target.pid), mems=mems)
    return True


@serves("sys_migrate_pages")
def kernel_migrate_pages(
    m: MachineState, caller: TaskStruct, pid: int, old: tuple[int, ...], new: tuple[int, ...]
) -> Steps[Moves]:
    """The same in 6.1: who may look into a process may move it, and only nodes with memory that the *caller's* cpuset
    allows count as new ones; -EINVAL if none is left.
    """
    rc = get_nodes(m, old) or get_nodes(m, new)
    target: TaskStruct | None = m.table.get(("process", pid or caller.pid))
    if not rc and target is None:
        rc = because(m, -ESRCH, "no-process", pid=pid)
    if rc or target is None:
        return Moves(rc)
    if ptrace_may_access(m, caller, target):
        return Moves(-EPERM)
    if outside_its_cpuset(m, caller, target, new):
        return Moves(-EPERM)
    mems = cpuset_mems_allowed(m, caller.pid)
    left = tuple(node for node in new if node in mems and node in m.row and m.frames_of(node))
    if not left:
        return Moves(because(m, -EINVAL, "no-node-left", nodes=new, mems=mems))
    if not target.mm:
        return Moves(because(m, -EINVAL, "kthread", target=process_name(m, target.pid)))
    mm = get_task_mm(m, target.pid)
    flags = MPOL_MF_MOVE_ALL if CAP_SYS_NICE in caller.capabilities else MPOL_MF_MOVE
    moves = yield from do_migrate_pages(m, mm, old, left, flags)
    yield from mmput(m, mm)
    return moves


@kernel_function
def next_pair(
    m: MachineState, left: tuple[int, ...], old: tuple[int, ...], new: tuple[int, ...]
) -> tuple[int, int] | None:
    """The next (source, destination): the first whose destination is no source that is still to be emptied, so that no
    page is moved twice; where all are, the last one. None when nothing is left to move.
    """
    pair = None
    for source in left:
        if m.kernel.overlap_is_left and len(old) != len(new) and source in new:
            continue
        destination = node_remap(source, old, new)
        if source == destination:
            continue
        pair = source, destination
        if destination not in left:
            break
    return pair


@kernel_function
def do_migrate_pages(m: MachineState, mm: int, old: tuple[int, ...], new: tuple[int, ...], flags: int) -> Steps[Moves]:
    """Move pages pair by pair of nodes. How many stayed, or a negative errno, which ends it. Holds mmap_sem for read
    from the beginning to the end.
    """
    yield from down_read(m, mm)
    left, busy, rc = old, 0, 0
    pairs: tuple[tuple[int, int], ...] = ()
    passed: tuple[Passed, ...] = ()
    while pair := next_pair(m, left, old, new):
        source, destination = pair
        left = tuple(node for node in left if node != source)
        pairs += (pair,)
        yield NEXT_PAIR, source
        rc, seen = yield from migrate_to_node(m, mm, source, destination, flags)
        passed += seen
        if rc < 0:
            break
        busy += rc
    up_mmap_sem(m, mm)
    if rc < 0:
        return Moves(because(m, rc, "full", source=source, destination=destination), pairs, passed)
    row = "stayed" if busy else "ok"
    return Moves(because(m, busy, row, stayed=busy, pairs=pairs), pairs, passed)


@kernel_function
def migrate_to_node(
    m: MachineState, mm: int, source: int, destination: int, flags: int
) -> Steps[tuple[int, tuple[Passed, ...]]]:
    """Move all pages that are on one node to another. How many stayed, or a negative errno; and the pages that it came
    by. Needs mmap_sem.
    """
    if not vmas_of(m, mm):
        return 0, ()
    walk = yield from check_range(m, mm, 0, END_OF_MEMORY, (source,), flags | DISCONTIG_OK)
    note_untried(m, walk)
    rc = 0
    if walk.isolated:
        rc = yield from migrate_pages(m, walk.isolated, new_node_page, destination)
    if rc >= 0 and m.kernel.busy_pages_are_counted:
        rc += walk.busy
    return rc, walk.passed


@kernel_function
def new_node_page(m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
    """The new_page_t of migrate_pages(2): a page of the destination."""
    node: int = private
    if node not in m.row:
        return None
    newpage = alloc_pages_node(m, node)
    if newpage is None:
        decide_page(m, page, -ENOMEM, "full", node=node, frames=len(m.frames_of(node)), mems=())
    return newpage
