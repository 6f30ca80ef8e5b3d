"""Small machines for random play, with a kernel of one's own, and what must hold of them between two calls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import networkx as nx

from numakit import PAGE_SIZE, Machine, Topology
from numakit.kernels import Kernel
from numakit.machine.consistency import is_key, left_in_flight
from numakit.machine.pagecache import disc_of, in_page_cache, page_has_buffers
from numakit.machine.state import PG_DIRTY, PG_SWAPCACHE
from numakit.machine.vma import PTE_DIRTY, PTE_PFN, PTE_PRESENT, PTE_TYPE, PTE_WRITABLE, VM_SHARED, VM_WRITE


def small_machine(frames: Mapping[int, int], kernel: Kernel, swap_pages: int | None = None) -> Machine:
    """Nodes with so many frames each, two CPUs a node, and a swap disc of so many pages (None: as many as frames)."""
    graph: nx.Graph[Any] = nx.Graph()
    for place, (node, number) in enumerate(frames.items()):
        graph.add_node(node, memory=number * PAGE_SIZE, cpus=(2 * place, 2 * place + 1), online=True)
    return Machine(Topology.from_networkx(graph), kernel=kernel, scale=1, swap_pages=swap_pages)


def see_that_it_is_sound(machine: Machine) -> None:
    """What holds of a machine on which no call is under way. Raises AssertionError."""
    wrong = [*machine.inconsistencies(), *left_in_flight(machine), *written_without_right(machine)]
    wrong += [*clean_and_not_on_the_disc(machine), *of_no_file(machine)]
    assert not wrong, "\n".join(wrong)


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


def clean_and_not_on_the_disc(machine: Machine) -> list[str]:
    """Pages of files or in the swap cache that are not dirty, neither by their flag nor by a PTE, and hold something
    else than their disc does: reclaim would lose it.
    """
    dirty = dirty_by_their_ptes(machine)
    wrong = []
    for key, space in machine.table.items():
        if not is_key(key, "mapping"):
            continue
        blocks = disc_of(machine, key[1])
        for index, slot in enumerate(machine.arrays[space.slots]):
            page = slot - 1
            if not slot or machine.flags[page] & PG_DIRTY or page in dirty:
                continue
            holds, on_disc = machine.contents[page], blocks[index] if blocks else 0
            if holds != on_disc:
                wrong.append(f"page {page} of mapping {key[1]} is clean, holds {holds}, and its disc {on_disc}")
    return wrong


def of_no_file(machine: Machine) -> list[str]:
    """Pages that have buffers, or are said to be in the swap cache, though no slot leads to them: nobody frees them."""
    return [
        f"page {page} has buffers or a swap slot, but no slot leads to it"
        for page in range(machine.nr_frames)
        if (page_has_buffers(machine, page) or machine.flags[page] & PG_SWAPCACHE) and not in_page_cache(machine, page)
    ]


def dirty_by_their_ptes(machine: Machine) -> set[int]:
    """The pages that some process has written to through a PTE that is there."""
    areas = [vma for key, vma in machine.table.items() if is_key(key, "vma")]
    ptes = [pte for vma in areas for pte in machine.arrays[vma.table][vma.first : vma.first + vma.pages]]
    return {pte >> PTE_PFN for pte in ptes if pte & PTE_TYPE == PTE_PRESENT and pte & PTE_DIRTY}
