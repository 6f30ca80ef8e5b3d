"""Policies of areas and changes of cpusets, made without the calls that migrate pages, too."""

from __future__ import annotations

from collections.abc import Sequence

from numakit import PAGE_SIZE, Machine, Process, Vma
from numakit.facade.call import Prepared
from numakit.machine.cpuset import cpuset_numbered, set_cpuset_mems, tasks_in
from numakit.machine.mempolicy import Mempolicy, mpol_rebind_mm, policy_vma
from numakit.machine.state import MachineState
from numakit.machine.vma import find_vma
from numakit.mmap import cut_vma
from numakit.timeline.task import Steps


def give_policy(process: Process, addresses: Sequence[int], mode: int, nodes: Sequence[int] = ()) -> None:
    """Neighbouring pages of one area get a policy; the area is cut where they end."""
    start, end, mm = addresses[0], addresses[-1] + PAGE_SIZE, process.mm

    def begin(m: MachineState) -> Steps[int]:
        vma = find_vma(m, mm, start)
        assert vma is not None
        part = yield from cut_vma(m, vma, start, end)
        policy_vma(m, part, Mempolicy(mode, tuple(nodes)) if mode else None)
        return 0

    assert process.machine.perform(Prepared("give_policy", begin, int, process.cpu, process.pid)) == 0


def write_mems(machine: Machine, number: int, mems: Sequence[int]) -> None:
    """A cpuset's nodes change, and the policies of its processes' areas; no page is moved."""

    def begin(m: MachineState) -> Steps[int]:
        old = cpuset_numbered(m, number).mems
        set_cpuset_mems(m, number, tuple(mems))
        for task in tasks_in(m, number):
            if task.mm:
                yield from mpol_rebind_mm(m, task.mm, old, tuple(mems))
        return 0

    assert machine.perform(Prepared("write mems", begin, int, machine.first_cpu)) == 0


def touched(process: Process, pages: int) -> list[int | None]:
    """The nodes on which the pages of a new area lie, when the process has written to them."""
    area = process.mmap(pages)
    assert process.write(area) == 0
    return nodes_of(area)


def nodes_of(area: Vma) -> list[int | None]:
    """The node of each page of an area, None where none is present."""
    return list(area.nodes)
