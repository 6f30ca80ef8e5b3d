"""A cpuset as people see it: which nodes it allows, and who is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numakit.machine.cpuset import TOP_CPUSET, Cpuset, cpusets, tasks_in

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
