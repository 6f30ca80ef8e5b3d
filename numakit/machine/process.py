"""Processes: credentials, the CPU they run on, and the life of an mm (include/linux/sched.h, kernel/fork.c of
2.6.18).
"""

from __future__ import annotations

from typing import NamedTuple

from numakit.machine.mempolicy import Mempolicy
from numakit.machine.state import MachineState


class TaskStruct(NamedTuple):
    """A process. ``mm`` 0: a kernel thread, or a process that is exiting. ``capabilities`` are names such as
    CAP_SYS_NICE.

    ``mems``: the nodes that its cpuset allowed when it noticed last, ``mems_generation`` which state of the cpuset that
    was. ``mempolicy``: its own policy, None for the default one; ``il_next``: whose turn it is if that interleaves.
    """

    pid: int
    name: str
    mm: int
    uid: int
    euid: int
    suid: int
    capabilities: tuple[str, ...]
    cpu: int
    parent: int
    mems: tuple[int, ...]
    mempolicy: Mempolicy | None = None
    il_next: int = 0
    cpuset: int = 0
    mems_generation: int = 0


class MmStruct(NamedTuple):
    """An address space's life: ``users`` count the process and whoever looks at it (get_task_mm)."""

    users: int
    next_address: int  #: where the next mmap without a wish goes


FIRST_ADDRESS = 0x10000000


def new_mm(m: MachineState) -> int:
    """The number of a new, empty mm with one user."""
    mm = m.next("mms")
    m.put(("mm", mm), MmStruct(1, FIRST_ADDRESS))
    m.put(("vmas", mm), ())
    return mm


def get_task_mm(m: MachineState, pid: int) -> int:
    """The mm of a process, with one more user; 0 if it has none. Give it back with mmput."""
    process: TaskStruct = m.table[("process", pid)]
    if process.mm:
        mm: MmStruct = m.table[("mm", process.mm)]
        m.put(("mm", process.mm), mm._replace(users=mm.users + 1))
    return process.mm


def processes(m: MachineState) -> list[TaskStruct]:
    """All processes, by pid."""
    return sorted(value for key, value in m.table.items() if isinstance(key, tuple) and key[0] == "process")


def processes_of(m: MachineState, mm: int) -> list[TaskStruct]:
    """The processes that use an mm, by pid."""
    return [process for process in processes(m) if process.mm == mm]


def process_name(m: MachineState, pid: int) -> str:
    """A process for a sentence: "child (pid 2)"."""
    process = m.table.get(("process", pid))
    return f"{process.name} (pid {pid})" if process else f"pid {pid}, which has exited"
