"""The reverse map at work: from a page to all PTEs that map it, and back again (mm/rmap.c, mm/migrate.c of 2.6.18)."""

from __future__ import annotations

from numakit.abi import EAGAIN, EPERM
from numakit.kernels.functions import kernel_function
from numakit.machine.locks import lock_rmap, unlock_rmap
from numakit.machine.process import process_name, processes_of
from numakit.machine.state import PG_SWAPCACHE, MachineState
from numakit.machine.swap import swap_duplicate
from numakit.machine.verdicts import decide_page
from numakit.machine.vma import (
    PTE_MIGRATION_READ,
    PTE_MIGRATION_WRITE,
    PTE_PFN,
    PTE_SWAP,
    PTE_TYPE,
    PTE_WRITABLE,
    VM_LOCKED,
    Pte,
    VmAreaStruct,
    is_migration_entry,
    maps,
    pte_address,
    rmap_walk,
    set_pte_mapped,
    unmap_pte,
)
from numakit.moments import REMOVE_ENTRY, TRY_TO_UNMAP
from numakit.timeline.task import Steps


@kernel_function
def try_to_unmap(m: MachineState, page: int, migration: bool = True) -> Steps[int]:
    """Unmap a page everywhere: for migration its PTEs become migration entries, for reclaim (``migration`` False)
    they go.

    Needs the page locked. Returns 0 when no PTE maps it any more, -EAGAIN if one does, -EPERM at an area that is
    VM_LOCKED; PTEs that were already turned stay what they are: the caller rolls back.
    """
    yield TRY_TO_UNMAP, page
    mapping = m.mapping[page]
    if not mapping:
        # truncated meanwhile, or read in for the swap cache only: no reverse map leads to PTEs, and there are none
        return 0
    yield from lock_rmap(m, mapping)
    rc, first = 0, True
    for pte in rmap_walk(m, page):
        if not maps(pte.value, page):
            continue
        if not first:
            yield TRY_TO_UNMAP, page
        first = False
        if maps(pte.value, page):  # read again: others may have acted
            rc = try_to_unmap_one(m, page, pte, migration)
            if rc:
                break
    unlock_rmap(m, mapping)
    if not rc and m.mapcount[page]:
        rc = decide_page(m, page, -EAGAIN, "mapped", ptes=m.mapcount[page])
    return rc


@kernel_function
def try_to_unmap_one(m: MachineState, page: int, pte: Pte, migration: bool = True) -> int:
    """Unmap a page from one present PTE; -EPERM, and nothing changed, if its area is VM_LOCKED.

    The page loses a reference and a mapcount, and takes over the dirty bit. A page in the swap cache leaves its swap
    slot in the PTE. Otherwise migration leaves a migration entry, which remembers whether the PTE was writable.
    """
    vma: VmAreaStruct = m.table[("vma", pte.vma.number)]
    if vma.flags & VM_LOCKED and (m.kernel.mlocked_stay or not migration):
        return locked_in_memory(m, page, vma, pte_address(pte))
    if m.flags[page] & PG_SWAPCACHE:
        slot = m.private[page] - 1
        swap_duplicate(m, slot)
        unmap_pte(m, pte, slot << PTE_PFN | PTE_SWAP)
    elif migration:
        kind = PTE_MIGRATION_WRITE if pte.value & PTE_WRITABLE else PTE_MIGRATION_READ
        unmap_pte(m, pte, page << PTE_PFN | kind)
    else:
        unmap_pte(m, pte)
    return 0


def locked_in_memory(m: MachineState, page: int, vma: VmAreaStruct, address: int) -> int:
    """-EPERM, with the cause: a process has mlocked the area, or a driver's mmap has set VM_LOCKED on it."""
    processes = tuple(process_name(m, process.pid) for process in processes_of(m, vma.mm))
    facts = {"processes": processes, "address": address, "area": (vma.start, vma.end)}
    if vma.driver:
        return decide_page(m, page, -EPERM, "driver", driver=vma.driver, **facts)
    return decide_page(m, page, -EPERM, "mlocked", **facts)


@kernel_function
def remove_migration_ptes(m: MachineState, old: int, new: int) -> Steps[None]:
    """Turn the migration entries for ``old`` into PTEs of ``new``; with ``new == old`` this is the roll-back.

    Needs ``new`` locked, with mapping and index set.
    """
    yield REMOVE_ENTRY, new
    mapping = m.mapping[new]
    if not mapping:
        return
    yield from lock_rmap(m, mapping)
    first = True
    for pte in rmap_walk(m, new):
        if not is_migration_entry(pte.value, old):
            continue
        if not first:
            yield REMOVE_ENTRY, new
        first = False
        if is_migration_entry(pte.value, old):  # read again: others may have acted
            remove_migration_pte(m, pte, new)
    unlock_rmap(m, mapping)


@kernel_function
def remove_migration_pte(m: MachineState, pte: Pte, new: int) -> None:
    """Turn one migration entry into a PTE of ``new``, which gets a reference and a mapcount. The PTE is not young."""
    writable = PTE_WRITABLE if pte.value & PTE_TYPE == PTE_MIGRATION_WRITE else 0
    set_pte_mapped(m, pte, new, writable)
