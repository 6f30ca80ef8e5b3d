"""sys_mbind(): give a range of memory a policy, and move its pages to where that wants them (mm/mempolicy.c of
2.6.18).
"""

from __future__ import annotations

from typing import Any

from numakit.abi import (
    CAP_SYS_NICE,
    EINVAL,
    EIO,
    EPERM,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    MPOL_MF_STRICT,
    PAGE_SHIFT,
    PAGE_SIZE,
    ULONG_MAX,
)
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.locks import down_write, up_mmap_sem
from numakit.machine.mempolicy import (
    Mempolicy,
    alloc_page_vma,
    new_area_policy,
    policy_vma,
)
from numakit.machine.process import TaskStruct, process_name
from numakit.machine.state import MachineState
from numakit.machine.verdicts import because
from numakit.machine.vma import VmAreaStruct, mappings_of, vmas_of
from numakit.migration.migrate_pages import migrate_pages
from numakit.migration.new_page import ResultPointer
from numakit.migration.putback import putback_lru_pages
from numakit.mmap import cut_vma
from numakit.syscalls.mempolicy import MPOL_MAX, get_nodes
from numakit.syscalls.migrate_pages import Moves
from numakit.syscalls.page_range import DISCONTIG_OK, INVERT, check_range, note_untried
from numakit.timeline.task import Steps

KNOWN_FLAGS = MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL
NO_ADDRESS = ULONG_MAX + 1 - 14  #: -EFAULT as an address: page_address_in_vma() of a page that is not in the area


@kernel_function
def sys_mbind(
    m: MachineState, caller: TaskStruct, start: int, length: int, mode: int, nodes: tuple[int, ...], flags: int
) -> Steps[Moves]:
    """Give ``length`` bytes from ``start`` on a policy. 0 or a negative errno.

    Nodes that the caller's cpuset forbids are left out without a word. With MOVE or MOVE_ALL misplaced pages are moved;
    with STRICT those that stay are -EIO, and the policy is set all the same. STRICT alone: -EIO for misplaced pages,
    and nothing is set.
    """
    rc = get_nodes(m, nodes) or check_arguments(m, caller, start, length, mode, flags)
    if rc:
        return Moves(rc)
    end = start + -(-length // PAGE_SIZE) * PAGE_SIZE
    if end == start:
        return Moves(because(m, 0, "policy-set"))
    policy, wanted = new_area_policy(m, mode, nodes)
    if isinstance(policy, int):
        return Moves(policy)
    return (yield from do_mbind(m, caller.mm, start, end, policy, wanted, flags))


def check_arguments(m: MachineState, caller: TaskStruct, start: int, length: int, mode: int, flags: int) -> int:
    """What is looked at before nodes and areas. 0 or an errno."""
    unknown = flags & ~KNOWN_FLAGS
    if unknown:
        return because(m, -EINVAL, "bad-flags", unknown=unknown)
    if not 0 <= mode <= MPOL_MAX:
        return because(m, -EINVAL, "bad-mode", mode=mode)
    if flags & MPOL_MF_MOVE_ALL and CAP_SYS_NICE not in caller.capabilities:
        return because(m, -EPERM, "all-unprivileged", caller=process_name(m, caller.pid))
    if start % PAGE_SIZE:
        return because(m, -EINVAL, "unaligned", address=start)
    if start + length > ULONG_MAX:
        return because(m, -EINVAL, "wraps", address=start, length=length)
    return 0


@kernel_function
def do_mbind(
    m: MachineState,
    mm: int,
    start: int,
    end: int,
    policy: Mempolicy | None,
    nodes: tuple[int, ...],
    flags: int,
) -> Steps[Moves]:
    """Look for misplaced pages, set the policy, move the pages. Holds mmap_sem for write from the beginning to the end:
    even page faults of the process wait.
    """
    if policy is None:  # the default policy may span holes, and no page is misplaced under it
        flags = flags & ~MPOL_MF_STRICT | DISCONTIG_OK
    yield from down_write(m, mm)
    walk = yield from check_range(m, mm, start, end, nodes, flags | INVERT)
    note_untried(m, walk)
    rc, failed = walk.rc, 0
    if not rc:
        first = yield from mbind_range(m, mm, start, end, policy)
        if walk.isolated:
            failed = yield from migrate_pages(m, walk.isolated, new_vma_page, first)
        if flags & MPOL_MF_STRICT and failed:
            rc = because(m, -EIO, "stayed", stayed=failed)
        else:
            rc = because(m, 0, "policy-set")
    else:
        putback_lru_pages(m, walk.isolated)
    up_mmap_sem(m, mm)
    return Moves(rc, (), walk.passed)


@kernel_function
def mbind_range(m: MachineState, mm: int, start: int, end: int, policy: Mempolicy | None) -> Steps[int]:
    """Set the policy of all areas in a range, which are cut where it begins and ends. The number of the first area.
    Needs mmap_sem for write.
    """
    first = 0
    for vma in [vma for vma in vmas_of(m, mm) if vma.start < end and start < vma.end]:
        part = yield from cut_vma(m, vma, max(start, vma.start), min(end, vma.end))
        policy_vma(m, part, policy)
        first = first or part.number
    return first


@kernel_function
def new_vma_page(m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
    """The new_page_t of mbind(): a page by the policy of the first area of the range, whichever area it is from."""
    vma: VmAreaStruct = m.table[("vma", private)]
    return alloc_page_vma(m, vma, page_address_in_vma(m, page, vma))


@serves("new_vma_page")
def new_page_of_its_area(m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
    """The same until 6.6: of the areas from the first one on, that which the page is from (new_page since 2.6.19)."""
    first: VmAreaStruct = m.table[("vma", private)]
    for vma in vmas_of(m, first.mm):
        address = page_address_in_vma(m, page, vma)
        if vma.start >= first.start and vma.start <= address < vma.end:
            return alloc_page_vma(m, vma, address)
    return alloc_page_vma(m, None, 0)


def page_address_in_vma(m: MachineState, page: int, vma: VmAreaStruct) -> int:
    """The address of a page in an area; -EFAULT, taken for an address, if it belongs to another mapping."""
    if m.mapping[page] not in mappings_of(vma):
        return NO_ADDRESS
    return vma.start + ((m.index[page] - vma.pgoff) << PAGE_SHIFT)
