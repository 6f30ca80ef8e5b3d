"""Cpusets: which nodes the processes in them may take memory from (kernel/cpuset.c of 2.6.18).

They are a tree: a child's nodes are among its parent's. A process learns of a change of its cpuset when it allocates
the next time; until then it goes on with the nodes that it knew (TaskStruct.mems). CPUs of a cpuset are not modelled,
nor its flags but for memory_migrate.
"""

from __future__ import annotations

from typing import NamedTuple

from numakit.abi import EACCES, EBUSY, ENOSPC
from numakit.machine.process import TaskStruct, processes
from numakit.machine.state import MachineState

TOP_CPUSET = 0  #: the number of the cpuset that all processes are in which were put into no other


class Cpuset(NamedTuple):
    """A cpuset. Kept under ("cpuset", number); ``parent`` is a number, the top cpuset's own for itself.

    ``generation`` is renewed with every change of ``mems``, so that processes notice: see :func:`set_cpuset_mems`.
    """

    number: int
    name: str
    parent: int
    mems: tuple[int, ...]
    memory_migrate: bool = False
    generation: int = 0


def make_top_cpuset(m: MachineState) -> None:
    """At boot: the cpuset of all processes that are put into no other."""
    m.put(("cpuset", TOP_CPUSET), Cpuset(TOP_CPUSET, "/", TOP_CPUSET, m.node_ids))


def new_cpuset(
    m: MachineState, name: str, mems: tuple[int, ...], parent: int = TOP_CPUSET, memory_migrate: bool = False
) -> int:
    """The number of a new cpuset. Its nodes were checked with :func:`validate_change` of what it is to be."""
    number = m.next("cpusets")
    m.put(("cpuset", number), Cpuset(number, name, parent, mems, memory_migrate, m.next("mems generations")))
    return number


def cpuset_numbered(m: MachineState, number: int) -> Cpuset:
    """A cpuset by its number."""
    cpuset: Cpuset = m.table[("cpuset", number)]
    return cpuset


def cpusets(m: MachineState) -> list[Cpuset]:
    """All cpusets, by number."""
    return sorted(value for key, value in m.table.items() if isinstance(key, tuple) and key[0] == "cpuset")


def cpuset_mems_allowed(m: MachineState, pid: int) -> tuple[int, ...]:
    """The nodes that the cpuset of a process allows now, whether the process has noticed or not."""
    process: TaskStruct = m.table[("process", pid)]
    return cpuset_numbered(m, process.cpuset).mems


def tasks_in(m: MachineState, number: int) -> list[TaskStruct]:
    """The processes in a cpuset, by pid; those in its children are not among them."""
    return [process for process in processes(m) if process.cpuset == number]


def validate_change(m: MachineState, trial: Cpuset) -> int:
    """Whether a cpuset may become ``trial``: -EBUSY if a child needs more nodes, -EACCES if the parent has fewer,
    -ENOSPC if it would have none while processes are in it, or 0. Exclusive cpusets are not modelled.
    """
    children = [other for other in cpusets(m) if other.parent == trial.number != other.number]
    if any(not set(child.mems) <= set(trial.mems) for child in children):
        return -EBUSY
    if trial.number != TOP_CPUSET and not set(trial.mems) <= set(cpuset_numbered(m, trial.parent).mems):
        return -EACCES
    return -ENOSPC if not trial.mems and tasks_in(m, trial.number) else 0


def set_cpuset_mems(m: MachineState, number: int, mems: tuple[int, ...]) -> None:
    """Write a cpuset's nodes, which were checked. Its processes notice when they allocate the next time; their areas'
    policies and their pages are the business of who writes.
    """
    cpuset = cpuset_numbered(m, number)
    m.put(("cpuset", number), cpuset._replace(mems=mems, generation=m.next("mems generations")))
