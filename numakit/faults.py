"""Page faults: what happens when a program touches an address that its PTE does not serve (mm/memory.c of 2.6.18)."""

from __future__ import annotations

from collections.abc import Callable

from numakit.abi import EFAULT, ENOMEM, PAGE_SHIFT, PAGE_SIZE
from numakit.kernels.functions import kernel_function
from numakit.machine.contents import page_bytes, write_contents
from numakit.machine.frames import get_page, put_page, set_flag
from numakit.machine.locks import down_read, lock_page, unlock_page, up_mmap_sem
from numakit.machine.lru import lru_add_drain, lru_cache_add
from numakit.machine.mempolicy import alloc_page_vma, alloc_pages_current, has_shared_policy, shmem_alloc_page
from numakit.machine.pagecache import (
    SWAPPER_SPACE,
    add_to_page_cache,
    attach_buffers,
    disc_of,
    file_system_of,
    slots_of,
    space_of,
)
from numakit.machine.state import PG_ACTIVE, PG_ANON_EXCLUSIVE, PG_DIRTY, PG_SWAPCACHE, PG_UPTODATE, MachineState
from numakit.machine.swap import add_to_swap_cache, swap_map
from numakit.machine.vma import (
    PTE_DIRTY,
    PTE_NONE,
    PTE_PFN,
    PTE_PRESENT,
    PTE_SWAP,
    PTE_TYPE,
    PTE_WRITABLE,
    PTE_YOUNG,
    VM_READ,
    VM_SHARED,
    VM_WRITE,
    Pte,
    VmAreaStruct,
    find_vma,
    maps,
    present_page,
    pte_address,
    pte_at,
    set_pte_mapped,
    unmap_pte,
)
from numakit.moments import COPY_ON_WRITE, ENTRY_WAIT, FAULT, READ_WAIT, SWAP_IN
from numakit.timeline.task import Steps

FAULT_AROUND_BYTES = 16 * PAGE_SIZE
WRITTEN = PTE_WRITABLE | PTE_DIRTY | PTE_YOUNG  #: the bits of a PTE through which somebody has just written


def do_page_fault(m: MachineState, mm: int, address: int, *, write: bool) -> Steps[int]:
    """A fault at an address: takes mmap_sem for read, looks for the area, and makes the address accessible.

    0; -EFAULT where there is no area or it forbids the access (the process gets SIGSEGV); -ENOMEM. In the last two
    cases nothing is changed.
    """
    yield from down_read(m, mm)
    vma = find_vma(m, mm, address)
    rc = -EFAULT
    if vma is not None and vma.flags & (VM_WRITE if write else VM_READ):
        rc = yield from handle_mm_fault(m, vma, address, write=write)
    up_mmap_sem(m, mm)
    return rc


def handle_mm_fault(m: MachineState, vma: VmAreaStruct, address: int, *, write: bool) -> Steps[int]:
    """Make an address of an area accessible. Needs mmap_sem. 0, -ENOMEM, or -EFAULT behind the end of a file
    (SIGBUS).
    """
    pte = pte_at(m, vma, address)
    while True:
        yield FAULT, address >> PAGE_SHIFT
        kind = pte.value & PTE_TYPE
        if kind == PTE_NONE:
            rc = yield from do_no_page(m, pte, write=write)
        elif kind == PTE_SWAP:
            rc = yield from do_swap_page(m, pte, write)
        elif kind != PTE_PRESENT:
            yield from migration_entry_wait(m, pte)
            continue
        elif write and not pte.value & PTE_WRITABLE:
            rc = yield from do_wp_page(m, pte)
        else:
            m.set(pte.table, pte.at, pte.value | PTE_YOUNG)
            return 0
        if rc is not None:
            return rc


@kernel_function
def migration_entry_wait(m: MachineState, pte: Pte) -> Steps[None]:
    """Sleep until the page behind a migration entry is unlocked; the fault is then taken again.

    Old kernels hold a reference meanwhile. If it is taken before the call counts references, the count is one too high
    and the call has to try again in its next pass.
    """
    page = pte.value >> PTE_PFN
    assert m.owner[page], f"migration entry for page {page}, which is not locked"
    if not m.kernel.entry_wait_holds_page:
        yield ENTRY_WAIT, page
        return
    get_page(m, page, m.current)
    yield ENTRY_WAIT, page
    put_page(m, page, m.current)


def do_no_page(m: MachineState, pte: Pte, *, write: bool) -> Steps[int | None]:
    """Nothing is mapped yet: map the file's page, or anonymous memory. 0, -ENOMEM, None to look at the PTE again."""
    if pte.vma.file:
        return (yield from do_file_page(m, pte, write=write))
    return do_anonymous_page(m, pte, write=write)


def do_anonymous_page(m: MachineState, pte: Pte, *, write: bool) -> int:
    """First touch. A read maps the zero page; a write gets a frame by the memory policy: without one near the CPU that
    runs. 0 or -ENOMEM.
    """
    if not write:
        set_pte_mapped(m, pte, m.table["zero page"], PTE_YOUNG)
        return 0
    page = alloc_page_vma(m, pte.vma, pte_address(pte))
    if page is None:
        return -ENOMEM
    map_new_anonymous_page(m, pte, page)
    return 0


def map_new_anonymous_page(m: MachineState, pte: Pte, page: int) -> None:
    """Map a fresh frame, writable, and give it to the LRU. The PTE takes over the task's reference."""
    set_anonymous(m, page, pte)
    set_flag(m, page, flags_of_fresh_page(m))
    get_page(m, page, m.current)
    lru_cache_add(m, page, m.current)
    set_pte_mapped(m, pte, page, WRITTEN, holder=m.current)


def do_file_page(m: MachineState, pte: Pte, *, write: bool) -> Steps[int | None]:
    """Map a page of a file, which is read in if it is not in the page cache. 0, -ENOMEM, -EFAULT behind the file's
    end, None to look again.

    A page that is not up to date is waited for: it is the new page of a migration before the copy. (Reading takes no
    time here; in the kernel a page that is being read is locked and not up to date, too.)
    """
    vma, index = pte.vma, pte.vma.pgoff + pte.at - pte.vma.first
    if index >= space_of(m, vma.file).size:
        return -EFAULT
    page = slots_of(m, vma.file)[index] - 1
    if page < 0:
        fresh = read_page(m, vma.file, index)
        if fresh is None:
            return -ENOMEM
        page = fresh
    if not m.flags[page] & PG_UPTODATE:
        get_page(m, page, m.current)
        yield READ_WAIT, page
        put_page(m, page, m.current)
        return None
    shared = vma.flags & VM_SHARED
    set_pte_mapped(m, pte, page, WRITTEN if write and shared else PTE_YOUNG)
    if write and shared:
        fault_dirty_shared_page(m, page)
    if m.kernel.faults_around and not write:
        do_fault_around(m, pte)
    return 0 if shared or not write else None


def fault_dirty_shared_page(m: MachineState, page: int) -> None:
    """A write to shared memory begins: the page itself is dirty from now on, so that whoever limits dirty memory can
    count it; until 2.6.18 only the PTE knows.
    """
    if m.kernel.shared_writes_dirty_pages:
        set_flag(m, page, PG_DIRTY)


def do_fault_around(m: MachineState, pte: Pte) -> None:
    """A read maps the pages of the file around it as well, as far as they are in memory, up to date and not locked
    (do_fault_around and filemap_map_pages, since 3.15): sixteen of the area, from an address on that is a multiple of
    so many pages. (The kernel does it before it looks for the page itself.)
    """
    vma, slots = pte.vma, slots_of(m, pte.vma.file)
    first = max(pte_address(pte) // FAULT_AROUND_BYTES * FAULT_AROUND_BYTES, vma.start)
    for address in range(first, min(first + FAULT_AROUND_BYTES, vma.end), PAGE_SIZE):
        around = pte_at(m, vma, address)
        index = vma.pgoff + around.at - vma.first
        page = slots[index] - 1 if index < len(slots) else -1
        if page >= 0 and not around.value and m.flags[page] & PG_UPTODATE and not m.owner[page]:
            set_pte_mapped(m, around, page, PTE_YOUNG)


def read_page(m: MachineState, mapping: int, index: int) -> int | None:
    """A page of a file comes into memory: page cache, buffers and LRU. None if memory is full.

    Its frame comes by the policy of the task that reads, whatever area it is mapped in; one of tmpfs by the object's.
    (Spreading over the nodes of a cpuset, memory_spread_page, is not modelled.)
    A file system without a disc gives zeroes. On a disc something is written already, which the first read finds out.
    """
    shared = has_shared_policy(m, mapping)
    page = shmem_alloc_page(m, mapping, index) if shared else alloc_pages_current(m)
    if page is None:
        return None
    add_to_page_cache(m, page, mapping, index)
    if file_system_of(m, mapping).buffers:
        attach_buffers(m, page)
    set_flag(m, page, PG_UPTODATE)
    blocks = disc_of(m, mapping)
    if blocks and blocks[index]:
        m.set(m.contents, page, blocks[index])
    elif blocks:
        write_contents(m, page)
        m.set(blocks, index, m.contents[page])
    lru_cache_add(m, page, m.current)
    return page


@kernel_function
def do_swap_page(m: MachineState, pte: Pte, write: bool) -> Steps[int | None]:
    """A PTE leads to a swap slot: map the page, from the swap cache or read in from the disc. 0, -ENOMEM, None to
    look again.

    The page is locked meanwhile: a migration of a page in the swap cache is waited for here.
    """
    slot = pte.value >> PTE_PFN
    page = slots_of(m, SWAPPER_SPACE)[slot] - 1
    if page < 0:
        fresh = read_swap_page(m, slot, pte)
        if fresh is None:
            return -ENOMEM
        page = fresh
    get_page(m, page, m.current)
    yield SWAP_IN, page
    yield from lock_page(m, page)
    still = pte.value == slot << PTE_PFN | PTE_SWAP and slots_of(m, SWAPPER_SPACE)[slot] == page + 1
    if still:
        set_anonymous(m, page, pte)
        set_pte_mapped(m, pte, page, PTE_YOUNG)
        m.set(swap_map(m), slot, swap_map(m)[slot] - 1)
    unlock_page(m, page)
    put_page(m, page, m.current)
    return 0 if still and not write else None


def first_flags(m: MachineState) -> int:
    """The flags of an anonymous page that is ready to be mapped: on which list it begins, kernels see differently."""
    return PG_UPTODATE | PG_ACTIVE if m.kernel.anonymous_begins_active else PG_UPTODATE


def flags_of_fresh_page(m: MachineState) -> int:
    """The flags of an anonymous page that nobody but the process which writes to it has ever seen."""
    return first_flags(m) | (PG_ANON_EXCLUSIVE if m.kernel.held_pages_are_copied else 0)


def read_swap_page(m: MachineState, slot: int, pte: Pte) -> int | None:
    """A page comes in from the swap disc into the swap cache, to a frame by the policy of the address that is touched
    (read_swap_cache_async). None if memory is full. The kernel reads neighbouring slots, too.
    """
    page = alloc_page_vma(m, pte.vma, pte_address(pte))
    if page is None:
        return None
    add_to_swap_cache(m, page, slot)
    m.set(m.contents, page, disc_of(m, SWAPPER_SPACE)[slot])
    set_flag(m, page, first_flags(m))
    lru_cache_add(m, page, m.current)
    return page


def set_anonymous(m: MachineState, page: int, pte: Pte) -> None:
    """The page belongs to the anon_vma of an area, at the place of a PTE."""
    m.set(m.mapping, page, pte.vma.anon_vma)
    m.set(m.index, page, pte.vma.pgoff + pte.at - pte.vma.first)


def can_share_swap_page(m: MachineState, page: int) -> bool:
    """Whether an anonymous page is used by one PTE only, counting those that lead to its swap slot."""
    if m.mapping[page] >= 0 or m.owner[page]:
        return False
    if m.kernel.held_pages_are_copied:
        return is_exclusive(m, page)
    in_swap = swap_map(m)[m.private[page] - 1] if m.flags[page] & PG_SWAPCACHE else 0
    return m.mapcount[page] + in_swap == 1


def is_exclusive(m: MachineState, page: int) -> bool:
    """The same since 5.19: no fork has ever shared the page, or nobody else refers to it any more, be it a pipe: what
    that holds is not to change (wp_can_reuse_anon_folio).
    """
    if not m.flags[page] & PG_ANON_EXCLUSIVE and not m.stamp[page]:
        lru_add_drain(m, m.cpu)  # a page that is on no list may be in the pagevec here, which holds it as well
    if m.flags[page] & PG_ANON_EXCLUSIVE or m.count[page] == 1:
        set_flag(m, page, PG_ANON_EXCLUSIVE)
        return True
    return False


@kernel_function
def do_wp_page(m: MachineState, pte: Pte) -> Steps[int | None]:
    """A write to a page whose PTE is not writable: reuse it if it is ours alone, else copy it. 0, -ENOMEM, None to
    look again.

    A locked page is copied, too: it may be on its way to another frame.
    """
    value, page = pte.value, pte.value >> PTE_PFN
    if pte.vma.flags & VM_SHARED or can_share_swap_page(m, page):
        m.set(pte.table, pte.at, value | WRITTEN)
        if pte.vma.flags & VM_SHARED:
            fault_dirty_shared_page(m, page)
        return 0
    get_page(m, page, m.current)
    yield COPY_ON_WRITE, page
    unchanged = maps(pte.value, page) and not pte.value & PTE_WRITABLE
    copy = alloc_page_vma(m, pte.vma, pte_address(pte)) if unchanged else None
    if copy is not None:
        m.set(m.contents, copy, m.contents[page])
        unmap_pte(m, pte)
        map_new_anonymous_page(m, pte, copy)
    put_page(m, page, m.current)
    if copy is not None:
        return 0
    return -ENOMEM if unchanged else None


def access(
    m: MachineState, mm: int, address: int, *, write: bool, change: Callable[[bytes], bytes] | None = None
) -> Steps[int]:
    """Read or write as a program does: fault as often as it takes, then do it. The page (pfn), -EFAULT or -ENOMEM.

    ``change`` turns the page's bytes into what they are after the write, where somebody will read them.
    """
    while (page := present_page(m, mm, address, write=write)) is None:
        rc = yield from do_page_fault(m, mm, address, write=write)
        if rc:
            return rc
    if write:
        write_contents(m, page, change(page_bytes(m, page)) if change else None)
        mark_written(m, mm, address)
    return page


def mark_written(m: MachineState, mm: int, address: int) -> None:
    """The processor sets the dirty bit of the PTE through which it writes."""
    vma = find_vma(m, mm, address)
    assert vma is not None
    pte = pte_at(m, vma, address)
    if not pte.value & PTE_DIRTY:
        m.set(pte.table, pte.at, pte.value | PTE_DIRTY)
