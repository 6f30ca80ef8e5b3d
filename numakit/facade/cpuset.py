"""A cpuset as people see it: which nodes it allows, and who is in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from numakit.facade.call import Call, Prepared
from numakit.facade.engine import bulk_calls, mapped_pages
from numakit.facade.vma import whole
from numakit.machine.cpuset import TOP_CPUSET, Cpuset, cpusets, tasks_in
from numakit.machine.state import MachineState
from numakit.syscalls.cpuset import attach_task, unless_bug, update_nodemask
from numakit.timeline.task import Steps

if TYPE_CHECKING:
    from numakit.facade.machine import Machine
    from numakit.facade.process import Process


class CpusetView:
    """A cpuset of a machine. It is its number; what it allows stands in the machine, and goes back with it."""

    def __init__(self, machine: Machine, number: int) -> None:
        self._machine, self.number = machine, number

    @property
    def machine(self) -> Machine:
        """The machine that it is on."""
        return self._machine

    @property
    def notation(self) -> str:
        """What it is called in the notation of schedules."""
        return f"cpuset({self.number})"

    @property
    def struct(self) -> Cpuset:
        """What the kernel knows of it now. Raises ValueError where there is none: before its birth."""
        struct: Cpuset | None = self._machine.table.get(("cpuset", self.number))
        if struct is None:
            raise ValueError(f"cpuset {self.number} does not exist now")
        return struct

    @property
    def name(self) -> str:
        """Its name."""
        return self.struct.name

    @property
    def mems(self) -> frozenset[int]:
        """The nodes that it allows now. Those of a process follow when it allocates the next time."""
        return frozenset(self.struct.mems)

    @property
    def memory_migrate(self) -> bool:
        """Whether pages move along when its nodes change, or when a process comes into it."""
        return self.struct.memory_migrate

    @property
    def parent(self) -> CpusetView | None:
        """The cpuset above it; None for the top cpuset."""
        return None if self.number == TOP_CPUSET else CpusetView(self._machine, self.struct.parent)

    @property
    def children(self) -> list[CpusetView]:
        """The cpusets directly below it, by number."""
        below = [c for c in cpusets(self._machine) if c.number != TOP_CPUSET and c.parent == self.number]
        return [CpusetView(self._machine, cpuset.number) for cpuset in below]

    @property
    def processes(self) -> list[Process]:
        """The processes in it, by pid."""
        return [self._machine.process(task.pid) for task in tasks_in(self._machine, self.number)]

    @Call
    def attach(self, pid: int) -> Prepared[int | None]:
        """Move the process ``pid`` into this cpuset; its pages move along if ``memory_migrate`` is set. 0, -ESRCH,
        -ENOSPC if this cpuset has no nodes; None where the kernel hit a BUG.

        An administrator does it, by writing the pid to the cpuset's file of tasks.
        """
        if not isinstance(pid, int) or isinstance(pid, bool):
            raise ValueError(f"pid={pid!r}: a number is wanted: process.pid")
        return self._prepare("attach", [pid], lambda m: unless_bug(attach_task(m, self.number, pid)))

    @Call
    def set_mems(self, nodes: Iterable[int]) -> Prepared[int | None]:
        """Allow other nodes, as an administrator who writes the cpuset's file of mems. The pages of its processes move
        along if ``memory_migrate`` is set.

        0; -EACCES for nodes that the parent does not allow, and (since 2.6.19) for the top cpuset; -EBUSY if a child
        has nodes that would be lost; for no nodes -EINVAL, on kernels since 2.6.24 -ENOSPC if a process is in it; None
        where the kernel hit a BUG.
        """
        asked = [whole(node) for node in nodes] if isinstance(nodes, Iterable) else nodes
        online = self._machine.node_ids
        if not isinstance(asked, list) or not all(isinstance(node, int) and node in online for node in asked):
            raise ValueError(f"nodes={nodes!r}: online nodes are wanted, those are {online}")
        mems = tuple(sorted(set(asked)))
        pids = [task.pid for task in tasks_in(self._machine, self.number)]
        return self._prepare("set_mems", pids, lambda m: unless_bug(update_nodemask(m, self.number, mems)))

    def _prepare(
        self, name: str, pids: list[int], start: Callable[[MachineState], Steps[int | None]]
    ) -> Prepared[int | None]:
        """What an administrator does, and what may move pages of some processes."""
        pages, cpu = mapped_pages(self._machine, pids), self._machine.first_cpu
        return Prepared(name, start, lambda rc: rc, cpu, in_bulk=lambda m: bulk_calls().moves(m, start), pages=pages)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CpusetView) and (other._machine, other.number) == (self._machine, self.number)

    def __hash__(self) -> int:
        return hash((id(self._machine), self.number))

    def __repr__(self) -> str:
        if ("cpuset", self.number) not in self._machine.table:
            return f"<cpuset {self.number}: does not exist now>"
        struct = self.struct
        nodes = ", ".join(map(str, struct.mems))
        names = ", ".join(process.name for process in self.processes) or "no process"
        migrate = ", pages move along" if struct.memory_migrate else ""
        return f"<cpuset {struct.name}: nodes {nodes}{migrate}; {names}>"
