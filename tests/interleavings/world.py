"""Small machines for scenarios of two CPUs, kernels with one function broken, and what is asked of every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import networkx as nx

from numakit import MPOL_MF_MOVE_ALL, PAGE_SIZE, Machine, Process, Result, Run, Stuck, Topology, Vma
from numakit.kernels import SEED, Kernel
from numakit.kernels.functions import serves
from numakit.machine.consistency import left_in_flight

R = TypeVar("R")

FRAMES = 16  #: frames of a node
MOST_STEPS = 2000  #: a run of a scenario that takes more has lost its way


def broken(role: str) -> Callable[[Callable[..., Any]], Kernel]:
    """Make a function into the kernel ``seed`` in which it serves in ``role``."""

    def register(function: Callable[..., Any]) -> Kernel:
        serves(role)(function)
        return SEED.with_function(role, function.__name__)

    return register


@dataclass(frozen=True)
class Scenario:
    """A check that the kernel ``seed`` passes, and kernels with a yield, a lock or a check taken away that do not."""

    check: Callable[[Kernel], None]
    broken: tuple[Kernel, ...]


@dataclass(frozen=True)
class World:
    """A machine, an unprivileged process with memory on node 0, and root on node 1."""

    machine: Machine
    shell: Process
    area: Vma
    root: Process

    def move_all(self) -> Run[Result]:
        """A call of root that moves the shell's area to node 1, shared or not; it has not begun."""
        targets = [1] * len(self.area)
        return self.machine.begin(self.root.move_pages, self.shell.pid, self.area, targets, MPOL_MF_MOVE_ALL)

    def move(self) -> Run[Result]:
        """A call of the shell itself that moves its area to node 1; it has not begun."""
        return self.machine.begin(self.shell.move_pages, 0, self.area, [1] * len(self.area))

    def page(self, process: Process | None = None) -> int:
        """The page (pfn) behind the first address of the area, which is present."""
        page = (process or self.shell).page(self.area[0])
        assert page is not None
        return page

    def free_frames(self) -> int:
        """Free frames, when those that wait in pagevecs to be freed are free."""
        self.machine.migrate_prep()
        return sum(self.machine.free_frames(node) for node in self.machine.node_ids)

    def see_quiet(self) -> None:
        """Nothing is left of the run: no lock, no migration entry, no verdict; the machine is sound."""
        self.see_quiet_without_changes()
        self.machine.migrate_prep()
        assert self.machine.inconsistencies() == []

    def see_quiet_without_changes(self) -> None:
        """The same, and the machine's future is not forgotten."""
        assert left_in_flight(self.machine) == []
        assert self.machine.inconsistencies() == []


def new_world(kernel: Kernel, pages: int = 1, nodes: int = 2, shared: bool = False) -> World:
    """Nodes of 16 frames and two CPUs each; the shell has written to each page of its area."""
    graph: nx.Graph[Any] = nx.Graph()
    for node in range(nodes):
        graph.add_node(node, memory=FRAMES * PAGE_SIZE, cpus=(2 * node, 2 * node + 1))
    machine = Machine(Topology.from_networkx(graph), kernel, scale=1)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(pages, shared=shared)
    assert shell.write(area) == 0
    return World(machine, shell, area, machine.spawn("root", uid=0, node=1))


def finish(run: Run[R]) -> R:
    """The run's result. The machine has to be sound after each step, and nobody may sleep for ever."""
    steps = -1
    while steps < len(run):
        steps = len(run)
        assert steps < MOST_STEPS, "the run does not come to an end"
        run.forward()
        assert run.machine.inconsistencies() == []
    try:
        return run.finish()
    except Stuck as stuck:
        raise AssertionError(f"stuck: {stuck}") from None


def moments_of(run: Run[Any], task: str) -> list[str]:
    """The moments of one task of a run, in order."""
    return [step.moment.name for step in run.steps if step.task.name == task]


def passes_of(run: Run[Any]) -> int:
    """How many passes the call of a run took."""
    return sum(step.moment.name == "PASS" and step.task is run.call for step in run.steps)


def steps_of(run: Run[Any], task: str, moment: str = "") -> list[int]:
    """The steps that a task made, all or those from one moment."""
    return [s.number for s in run.steps if s.task.name == task and moment in ("", s.moment.name)]


def newest_token(machine: Machine) -> int:
    """What the newest write to any page left in it."""
    return machine.clock[1]
