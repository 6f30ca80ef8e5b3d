"""Processes begin and end: fork and exit (kernel/fork.c, kernel/exit.c, mm/memory.c of 2.6.18)."""

from __future__ import annotations

from numakit.abi import PAGE_SHIFT
from numakit.kernels.functions import kernel_function
from numakit.machine.frames import clear_flag, get_page
from numakit.machine.locks import down_write, up_mmap_sem
from numakit.machine.process import MmStruct, TaskStruct, new_mm
from numakit.machine.state import PG_ANON_EXCLUSIVE, PG_RESERVED, MachineState
from numakit.machine.swap import swap_duplicate
from numakit.machine.vma import (
    PTE_PFN,
    PTE_PRESENT,
    PTE_SWAP,
    PTE_TYPE,
    VM_LOCKED,
    VM_SHARED,
    Pte,
    VmAreaStruct,
    link_vma,
    pte_address,
    vmas_of,
)
from numakit.mmap import lock_vma_mappings, unlock_vma_mappings, unmap_vma, write_protected
from numakit.moments import COPY_PTE
from numakit.pins import release_pins_of
from numakit.timeline.task import Steps


def do_fork(m: MachineState, parent: TaskStruct, name: str) -> Steps[int]:
    """A child with a copy of its parent's areas, whose pages they share until one writes. Its pid.

    Takes mmap_sem of the parent for write: it waits while a move_pages() of the parent is under way. Nobody sees the
    child before it is whole.
    """
    yield from down_write(m, parent.mm)
    mm = new_mm(m)
    source: MmStruct = m.table[("mm", parent.mm)]
    m.put(("mm", mm), MmStruct(1, source.next_address))
    child = parent._replace(pid=m.next("pids"), name=name, mm=mm, parent=parent.pid)
    for vma in vmas_of(m, parent.mm):
        yield from dup_vma(m, vma, mm)
    m.put(("process", child.pid), child)
    up_mmap_sem(m, parent.mm)
    return child.pid


def dup_vma(m: MachineState, vma: VmAreaStruct, mm: int) -> Steps[None]:
    """Copy an area and its PTEs to a child's mm (dup_mmap, copy_page_range). A child inherits no mlock.

    The PTEs of an area without anonymous pages stay behind: faults of the child fill them again. So a child maps no
    shared memory before it has touched it.
    """
    yield from lock_vma_mappings(m, vma)
    table = m.new_array(vma.pages, label=f"PTEs of mm {mm} from {vma.start:#x}")
    copy = vma._replace(number=m.next("vma numbers"), mm=mm, table=table, first=0, flags=vma.flags & ~VM_LOCKED)
    link_vma(m, copy)
    unlock_vma_mappings(m, vma)
    if not has_anonymous_pages(m, vma):
        return
    ours, theirs = m.arrays[vma.table], m.arrays[table]
    for place in range(vma.pages):
        if ours[vma.first + place]:
            pte = Pte(vma, ours, vma.first + place)
            yield COPY_PTE, pte_address(pte) >> PAGE_SHIFT
            copy_one_pte(m, pte, Pte(copy, theirs, place))


def has_anonymous_pages(m: MachineState, vma: VmAreaStruct) -> bool:
    """Whether an area, or what was cut off from it, has pages that no fault would find again. (The kernel asks whether
    it ever had one, and parts keep the answer: their anon_vma.)
    """
    return not vma.flags & VM_SHARED and any(pte and leads_to_anonymous_page(m, pte) for pte in m.arrays[vma.table])


def leads_to_anonymous_page(m: MachineState, pte: int) -> bool:
    """Whether a PTE that is not empty leads to private memory: to neither a page of a file nor the zero page."""
    if pte & PTE_TYPE == PTE_SWAP:
        return True
    page = pte >> PTE_PFN
    return m.mapping[page] <= 0 and not m.flags[page] & PG_RESERVED


@kernel_function
def copy_one_pte(m: MachineState, pte: Pte, to: Pte) -> None:
    """Share one PTE with a child. In private memory neither may write from now on: a migration entry is copied as
    READ.
    """
    if not pte.vma.flags & VM_SHARED and write_protected(pte.value) != pte.value:
        m.set(pte.table, pte.at, write_protected(pte.value))
    value = pte.value
    if value & PTE_TYPE == PTE_PRESENT:
        page = value >> PTE_PFN
        get_page(m, page)
        m.set(m.mapcount, page, m.mapcount[page] + 1)
        clear_flag(m, page, PG_ANON_EXCLUSIVE)
    elif value & PTE_TYPE == PTE_SWAP:
        swap_duplicate(m, value >> PTE_PFN)
    m.set(to.table, to.at, value)


def do_exit(m: MachineState, pid: int) -> Steps[int]:
    """A process ends: its mm loses a user, its pipes their pages. Always 0. Its pid is free of meaning from then on."""
    process: TaskStruct = m.table[("process", pid)]
    m.put(("process", pid), None)
    release_pins_of(m, pid)
    if process.mm:
        yield from mmput(m, process.mm)
    return 0


def mmput(m: MachineState, mm: int) -> Steps[None]:
    """Give up the use of an mm. The last user removes all areas: the process itself, or a call that still looked at
    it.
    """
    struct: MmStruct = m.table[("mm", mm)]
    if struct.users > 1:
        m.put(("mm", mm), struct._replace(users=struct.users - 1))
        return
    for vma in vmas_of(m, mm):
        yield from unmap_vma(m, vma)
    m.put(("vmas", mm), None)
    m.put(("mm", mm), None)
