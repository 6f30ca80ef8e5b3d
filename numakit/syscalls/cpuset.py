"""What a change of cpusets does to processes and their pages (kernel/cpuset.c of 2.6.18)."""

from __future__ import annotations

from numakit.abi import EACCES, EINVAL, ENOSPC, ESRCH, MPOL_MF_MOVE_ALL
from numakit.fork import mmput
from numakit.kernels.functions import kernel_function
from numakit.machine.bug import KernelBug
from numakit.machine.cpuset import TOP_CPUSET, cpuset_numbered, set_cpuset_mems, tasks_in, validate_change
from numakit.machine.mempolicy import mpol_rebind_mm, tell_task_its_cpuset
from numakit.machine.process import TaskStruct, get_task_mm
from numakit.machine.state import MachineState
from numakit.machine.verdicts import take_verdict
from numakit.syscalls.migrate_pages import Moves, do_migrate_pages
from numakit.timeline.task import Steps


def unless_bug(change: Steps[int]) -> Steps[int | None]:
    """Make a change of a cpuset. What it returns; None where the kernel hits a BUG on the way: who writes the cpuset's
    file never comes back from it.
    """
    try:
        return (yield from change)
    except KernelBug:
        return None


@kernel_function
def attach_task(m: MachineState, number: int, pid: int) -> Steps[int]:
    """Move a process into a cpuset. Its pages move along if the new cpuset says so. 0; -ENOSPC: it has no nodes;
    -ESRCH: no such process.

    The process learns of its new nodes at its next allocation; the policies of its areas are rebound at once.
    """
    new = cpuset_numbered(m, number)
    if not new.mems:
        return -ENOSPC
    task: TaskStruct | None = m.table.get(("process", pid))
    if task is None:
        return -ESRCH
    old = cpuset_numbered(m, task.cpuset)
    m.put(("process", pid), task._replace(cpuset=number))
    if m.kernel.cpusets_tell_tasks:
        tell_task_its_cpuset(m, pid)
    mm = get_task_mm(m, pid)
    if mm:
        yield from mpol_rebind_mm(m, mm, old.mems, new.mems)
        if new.memory_migrate:
            yield from cpuset_migrate_mm(m, mm, old.mems, new.mems)
        yield from mmput(m, mm)
    return 0


@kernel_function
def update_nodemask(m: MachineState, number: int, mems: tuple[int, ...]) -> Steps[int]:
    """Write the nodes of a cpuset. 0; -EACCES: its parent has not all of them, or it is the top cpuset and that one is
    fixed; -EBUSY: a child needs others; no nodes at all are -EINVAL in 2006, later -ENOSPC if a process is in it.

    The policies of the areas of all its processes are rebound and, if the cpuset says so, their pages moved.
    """
    old = cpuset_numbered(m, number)
    if number == TOP_CPUSET and m.kernel.top_cpuset_is_fixed:
        return -EACCES
    if not mems and not m.kernel.cpusets_may_be_empty:
        return -EINVAL
    if old.mems == mems:
        return 0
    rc = validate_change(m, old._replace(mems=mems))
    if rc:
        return rc
    set_cpuset_mems(m, number, mems)
    for task in tasks_in(m, number) if m.kernel.cpusets_tell_tasks else ():
        tell_task_its_cpuset(m, task.pid)
    mms = [get_task_mm(m, task.pid) for task in tasks_in(m, number) if task.mm]
    for mm in dict.fromkeys(mms):
        yield from mpol_rebind_mm(m, mm, old.mems, mems)
        if old.memory_migrate:
            yield from cpuset_migrate_mm(m, mm, old.mems, mems)
    for mm in mms:
        yield from mmput(m, mm)
    return 0


@kernel_function
def cpuset_migrate_mm(m: MachineState, mm: int, old: tuple[int, ...], new: tuple[int, ...]) -> Steps[None]:
    """Move the pages of an mm from the old nodes of its cpuset to the new ones, shared ones too.

    Who writes the cpuset may allocate on the new nodes for that time, whatever its own cpuset says. (Here that is an
    administrator outside all cpusets.)
    """
    moves = yield from do_migrate_pages(m, mm, old, new, MPOL_MF_MOVE_ALL)
    take_verdict(m, "return", m.current)
    forget_fates(m, moves)


@kernel_function
def forget_fates(m: MachineState, moves: Moves) -> None:
    """Nobody asks what became of the pages: what was noted of them is not kept."""
    for one in moves.passed:
        take_verdict(m, "page verdict", m.current, one.page)
