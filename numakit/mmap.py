"""Areas come and go: mmap, munmap, mprotect, mlock (mm/mmap.c, mm/mprotect.c, mm/mlock.c of 2.6.18).

Each takes mmap_sem of the mm for write, so that it waits while a move_pages() of that mm is under way.
"""

from __future__ import annotations

from numakit.abi import EAGAIN, EFAULT, ENOMEM, PAGE_SHIFT, PAGE_SIZE
from numakit.faults import handle_mm_fault
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.locks import down_write, lock_rmap, unlock_rmap, up_mmap_sem
from numakit.machine.pagecache import drop_address_space, new_address_space, space_of
from numakit.machine.process import MmStruct
from numakit.machine.state import MachineState
from numakit.machine.vma import (
    PTE_MIGRATION_READ,
    PTE_MIGRATION_WRITE,
    PTE_PRESENT,
    PTE_TYPE,
    PTE_WRITABLE,
    VM_LOCKED,
    VM_READ,
    VM_SHARED,
    VM_WRITE,
    Pte,
    VmAreaStruct,
    find_vma,
    link_vma,
    mappings_of,
    pte_address,
    unlink_vma,
    vmas_of,
    zap_pte,
)
from numakit.moments import CHANGE_PTE, ZAP_PTE
from numakit.timeline.task import Steps
from numakit.truncate import truncate_inode_pages


def do_mmap(
    m: MachineState,
    mm: int,
    pages: int,
    flags: int,
    address: int | None,
    file: int = 0,
    pgoff: int = 0,
    driver: str = "",
) -> Steps[int]:
    """Map a file from page ``pgoff`` on, or anonymous memory: private, or (VM_SHARED) a nameless file of tmpfs.

    ``address`` is a wish; where another area is in the way another place is taken. The first address. Nothing is
    touched: there are no pages yet.
    """
    yield from down_write(m, mm)
    struct: MmStruct = m.table[("mm", mm)]
    start = struct.next_address
    if address is not None and not overlaps(m, mm, address, address + pages * PAGE_SIZE):
        start = address
    end = start + pages * PAGE_SIZE
    # A page without an area is left behind each area, so that addresses beside it are holes.
    m.put(("mm", mm), struct._replace(next_address=max(struct.next_address, end + PAGE_SIZE)))
    if flags & VM_SHARED and not file:
        file = new_address_space(m, "tmpfs", pages)
    table = m.new_array(pages, label=f"PTEs of mm {mm} from {start:#x}")
    anon_vma = -m.next("anon_vmas")
    link_vma(m, VmAreaStruct(m.next("vma numbers"), mm, start, pages, pgoff, table, 0, anon_vma, file, flags, driver))
    up_mmap_sem(m, mm)
    return start


def overlaps(m: MachineState, mm: int, start: int, end: int) -> bool:
    """Whether an area of the mm lies in a range."""
    return any(vma.start < end and start < vma.end for vma in vmas_of(m, mm))


def do_munmap(m: MachineState, mm: int, start: int, end: int) -> Steps[int]:
    """Remove a range of addresses: PTE after PTE, then the areas, which are cut where the range ends. Always 0."""
    yield from down_write(m, mm)
    for vma in [vma for vma in vmas_of(m, mm) if vma.start < end and start < vma.end]:
        part = yield from cut_vma(m, vma, max(start, vma.start), min(end, vma.end))
        yield from unmap_vma(m, part)
    up_mmap_sem(m, mm)
    return 0


def unmap_vma(m: MachineState, vma: VmAreaStruct) -> Steps[None]:
    """Drop all PTEs of an area, then the area (zap_pte_range, remove_vma). Needs mmap_sem for write, or the last user
    of the mm.
    """
    ptes = m.arrays[vma.table]
    for at in range(vma.first, vma.first + vma.pages):
        if ptes[at]:
            pte = Pte(vma, ptes, at)
            yield ZAP_PTE, pte_address(pte) >> PAGE_SHIFT
            zap_pte(m, pte)
    yield from lock_vma_mappings(m, vma)
    unlink_vma(m, vma)
    unlock_vma_mappings(m, vma)
    if vma.file and ("rmap", vma.file) not in m.table and not space_of(m, vma.file).name:
        yield from truncate_inode_pages(m, vma.file, 0)
        drop_address_space(m, vma.file)


def cut_vma(m: MachineState, vma: VmAreaStruct, start: int, end: int) -> Steps[VmAreaStruct]:
    """Cut an area so that one begins at ``start`` and ends at ``end``; returns that one (split_vma). Both parts keep
    the page table.
    """
    if (start, end) == (vma.start, vma.end):
        return vma
    yield from lock_vma_mappings(m, vma)
    parts = []
    for first, last in ((vma.start, start), (start, end), (end, vma.end)):
        if first < last:
            skipped = (first - vma.start) >> PAGE_SHIFT
            part = vma._replace(
                number=m.next("vma numbers"), start=first, pages=(last - first) >> PAGE_SHIFT,
                pgoff=vma.pgoff + skipped, first=vma.first + skipped,
            )  # fmt: skip
            link_vma(m, part)
            parts.append(part)
    unlink_vma(m, vma)
    unlock_vma_mappings(m, vma)
    return next(part for part in parts if part.start == start)


def lock_vma_mappings(m: MachineState, vma: VmAreaStruct) -> Steps[None]:
    """Take the locks of the reverse maps that list an area."""
    for mapping in mappings_of(vma):
        yield from lock_rmap(m, mapping)


def unlock_vma_mappings(m: MachineState, vma: VmAreaStruct) -> None:
    """Give the locks of the reverse maps that list an area back."""
    for mapping in mappings_of(vma):
        unlock_rmap(m, mapping)


def do_mprotect(m: MachineState, mm: int, start: int, end: int, flags: int) -> Steps[int]:
    """Change what may be done with a range: ``flags`` is a set of VM_READ and VM_WRITE. 0, or -ENOMEM at a hole.

    Write permission that is taken away goes from the PTEs at once, from migration entries too; permission that is given
    is put into a PTE by the fault of the next write.
    """
    yield from down_write(m, mm)
    address = start
    while address < end:
        part = yield from cut_next(m, mm, address, end)
        if part is None:
            break
        m.put(("vma", part.number), part._replace(flags=part.flags & ~(VM_READ | VM_WRITE) | flags))
        if not flags & VM_WRITE:
            yield from write_protect(m, part)
        address = part.end
    up_mmap_sem(m, mm)
    return 0 if address >= end else -ENOMEM


def cut_next(m: MachineState, mm: int, address: int, end: int) -> Steps[VmAreaStruct | None]:
    """The part of the area at ``address`` that lies before ``end``, cut out of it; None where there is a hole."""
    vma = find_vma(m, mm, address)
    return None if vma is None else (yield from cut_vma(m, vma, address, min(end, vma.end)))


@kernel_function
def write_protect(m: MachineState, vma: VmAreaStruct) -> Steps[None]:
    """Take write permission from all PTEs of an area; WRITE migration entries become READ (change_pte_range)."""
    ptes = m.arrays[vma.table]
    for at in range(vma.first, vma.first + vma.pages):
        if ptes[at] & PTE_WRITABLE or ptes[at] & PTE_TYPE == PTE_MIGRATION_WRITE:
            yield CHANGE_PTE, pte_address(Pte(vma, ptes, at)) >> PAGE_SHIFT
            m.set(ptes, at, write_protected(ptes[at]))


def write_protected(pte: int) -> int:
    """A PTE without the permission to write; a WRITE migration entry becomes READ."""
    if pte & PTE_TYPE == PTE_MIGRATION_WRITE:
        return pte & ~PTE_TYPE | PTE_MIGRATION_READ
    return pte & ~PTE_WRITABLE if pte & PTE_TYPE == PTE_PRESENT else pte


@kernel_function
def do_mlock(m: MachineState, mm: int, start: int, end: int, lock: bool) -> Steps[int]:
    """mlock or munlock a range: its areas become VM_LOCKED and all their pages are faulted in. munlock clears a
    driver's VM_LOCKED, too: the area is an ordinary one then.

    0, or -ENOMEM at a hole or when memory is full, or -EFAULT behind a file's end or where no access is allowed.
    """
    yield from down_write(m, mm)
    rc, address = 0, start
    while address < end and not rc:
        part = yield from mlock_fixup(m, mm, address, end, lock)
        if part is None:
            rc = -ENOMEM
            break
        if lock:
            rc = yield from make_pages_present(m, part, address, min(end, part.end))
        address = part.end
    up_mmap_sem(m, mm)
    return rc


@serves("do_mlock")
def do_mlock_then_populate(m: MachineState, mm: int, start: int, end: int, lock: bool) -> Steps[int]:
    """The same since 2.6.38: first all areas become VM_LOCKED, up to a hole; only where there is none pages are faulted
    in, and whatever goes wrong with that is told as POSIX wants it: -EAGAIN when memory is full, else -ENOMEM.
    """
    yield from down_write(m, mm)
    parts: list[VmAreaStruct] = []
    address = start
    while address < end:
        part = yield from mlock_fixup(m, mm, address, end, lock)
        if part is None:
            up_mmap_sem(m, mm)
            return -ENOMEM
        parts += [part]
        address = part.end
    rc = 0
    for part in parts if lock else ():
        rc = rc or (yield from make_pages_present(m, part, max(start, part.start), min(end, part.end)))
    up_mmap_sem(m, mm)
    return {-EFAULT: -ENOMEM, -ENOMEM: -EAGAIN}.get(rc, rc)


def mlock_fixup(m: MachineState, mm: int, address: int, end: int, lock: bool) -> Steps[VmAreaStruct | None]:
    """Make the area at ``address`` VM_LOCKED up to ``end``, or an ordinary one. It is cut where that begins and ends,
    unless nothing changes. The area; None where there is a hole. Needs mmap_sem for write.
    """
    vma = find_vma(m, mm, address)
    if vma is None:
        return None
    flags = vma.flags & ~VM_LOCKED | (VM_LOCKED if lock else 0)
    if flags == vma.flags:
        return vma
    part = yield from cut_vma(m, vma, address, min(end, vma.end))
    part = part._replace(flags=flags, driver=part.driver if lock else "")
    m.put(("vma", part.number), part)
    return part


def make_pages_present(m: MachineState, vma: VmAreaStruct, start: int, end: int) -> Steps[int]:
    """Fault in every page of a range of an area, for writing if it may be written. Needs mmap_sem. 0, -ENOMEM, or
    -EFAULT behind a file's end or in an area that allows no access.
    """
    if not vma.flags & (VM_READ | VM_WRITE):
        return -EFAULT
    for address in range(start, end, PAGE_SIZE):
        rc = yield from handle_mm_fault(m, vma, address, write=bool(vma.flags & VM_WRITE and not vma.flags & VM_SHARED))
        if rc:
            return rc
    return 0
