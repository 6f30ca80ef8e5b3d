"""Small machines for random play, with a kernel of one's own, and what must hold of them between two calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx

from numakit import PAGE_SIZE, Machine, Topology
from numakit.kernels import Kernel
from numakit.machine.consistency import is_key, left_in_flight
from numakit.machine.vma import PTE_PFN, PTE_PRESENT, PTE_TYPE, PTE_WRITABLE, VM_SHARED, VM_WRITE


def small_machine(frames: Mapping[int, int], kernel: Kernel) -> Machine:
    """Nodes with so many frames each, two CPUs a node."""
    graph: nx.Graph[Any] = nx.Graph()
    for place, (node, number) in enumerate(frames.items()):
        graph.add_node(node, memory=number * PAGE_SIZE, cpus=(2 * place, 2 * place + 1), online=True)
    return Machine(Topology.from_networkx(graph), kernel=kernel, scale=1)


def see_that_it_is_sound(machine: Machine) -> None:
    """What holds of a machine on which no call is under way. Raises AssertionError."""
    assert machine.inconsistencies() == []
    assert left_in_flight(machine) == []
    assert written_without_right(machine) == []


def written_without_right(machine: Machine) -> list[str]:
    """PTEs that let a process write where it may not: in an area without VM_WRITE, or to private memory that another
    process reads.
    """
    wrong = []
    for key, vma in machine.table.items():
        if not is_key(key, "vma"):
            continue
        for pte in machine.arrays[vma.table][vma.first : vma.first + vma.pages]:
            page = pte >> PTE_PFN
            if pte & PTE_TYPE != PTE_PRESENT or not pte & PTE_WRITABLE:
                continue
            if not vma.flags & VM_WRITE:
                wrong.append(f"mm {vma.mm} can write to page {page} in an area that is not writable")
            if not vma.flags & VM_SHARED and machine.mapcount[page] > 1:
                wrong.append(f"mm {vma.mm} can write to page {page}, which others read as private memory")
    return wrong
