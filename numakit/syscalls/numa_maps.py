"""/proc/<pid>/numa_maps: policy and places of the pages of each area, as text (mm/mempolicy.c of 2.6.18)."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from numakit.abi import MPOL_DEFAULT
from numakit.kernels.functions import kernel_function
from numakit.machine.locks import down_read, up_mmap_sem
from numakit.machine.mempolicy import MODE_NAMES, Mempolicy, get_vma_policy
from numakit.machine.pagecache import space_of
from numakit.machine.state import PG_ACTIVE, PG_DIRTY, PG_RESERVED, PG_SWAPCACHE, MachineState
from numakit.machine.vma import (
    PTE_DIRTY,
    PTE_PFN,
    PTE_PRESENT,
    PTE_TYPE,
    VM_LOCKED,
    VmAreaStruct,
    maps,
    rmap_walk,
    vmas_of,
)
from numakit.timeline.task import Steps
from numakit.topology.idlists import format_list

ESCAPED = "\n\t= "  #: characters of a file's name that would be taken for the line's own
SHARED_MEMORY = "/dev/zero (deleted)"  #: what the kernel calls the file behind shared anonymous memory
POLICY_BUFFER, POLICY_BUFFER_OF_TODAY = 50, 64  #: characters of a policy's text, with the zero byte behind them


class NumaMaps(NamedTuple):
    """What is counted of an area (struct numa_maps)."""

    pages: int
    anon: int
    active: int
    writeback: int
    mapcount_max: int
    dirty: int
    swapcache: int
    node: Counter[int]


@kernel_function
def numa_maps(m: MachineState, pid: int, mm: int) -> Steps[str]:
    """The whole text, a line for each area; none for ``mm`` 0. Takes mmap_sem for read.

    (The kernel gives mmap_sem back whenever a page of text is full, and looks up where it was; here all lines are of
    one moment.)
    """
    if not mm:
        return ""
    yield from down_read(m, mm)
    lines = [show_numa_map(m, pid, vma) for vma in vmas_of(m, mm)]
    up_mmap_sem(m, mm)
    return "".join(f"{line}\n" for line in lines)


def show_numa_map(m: MachineState, pid: int, vma: VmAreaStruct) -> str:
    """The line of an area. (No area is a heap, a stack or huge here.)"""
    words = [f"{vma.start:08x}", mpol_to_str(m, shown_policy(m, pid, vma))]
    if vma.file:
        words.append(f"file={escaped(space_of(m, vma.file).name or SHARED_MEMORY)}")
    md = gather(m, vma)
    if not md.pages:
        return " ".join(words)
    words += [f"anon={md.anon}"] if md.anon else []
    words += [f"dirty={md.dirty}"] if md.dirty else []
    words += [f"mapped={md.pages}"] if md.pages not in (md.anon, md.dirty) else []
    words += [f"mapmax={md.mapcount_max}"] if md.mapcount_max > 1 else []
    words += [f"swapcache={md.swapcache}"] if md.swapcache else []
    words += [f"active={md.active}"] if md.active < md.pages else []
    words += [f"writeback={md.writeback}"] if md.writeback else []
    words += [f"N{node}={md.node[node]}" for node in m.node_ids if node in md.node]
    words += ["kernelpagesize_kB=4"] if m.kernel.numa_maps_of_today else []
    return " ".join(words)


def shown_policy(m: MachineState, pid: int, vma: VmAreaStruct) -> Mempolicy | None:
    """The policy of the first page of an area. Shared memory without one is told as "default" in 2006, though its pages
    come by the policy of whoever touches them; kernels of today tell the policy of the process whose areas these are.
    """
    policy = get_vma_policy(m, pid, vma, vma.start)
    if policy is None and m.kernel.numa_maps_of_today:
        return get_vma_policy(m, pid, None, vma.start)
    return policy


def mpol_to_str(m: MachineState, policy: Mempolicy | None) -> str:
    """A policy as text: ``bind=0-1``, since 2.6.26 ``bind:0-1``. A list of nodes that is too long for the buffer just
    ends there.

    A preference of the local node is ``prefer`` alone in 2006: it is kept as node -1, and the bit of that node lies in
    front of the mask that is printed.
    """
    today = m.kernel.numa_maps_of_today
    if policy is None:
        return MODE_NAMES[MPOL_DEFAULT]
    if not policy.nodes and today:
        return "local"
    nodes = f"{':' if today else '='}{format_list(policy.nodes)}" if policy.nodes else ""
    size = POLICY_BUFFER_OF_TODAY if today else POLICY_BUFFER
    return f"{MODE_NAMES[policy.mode]}{nodes}"[: size - 1]


def unevictable(m: MachineState, page: int) -> bool:
    """Whether a page is on the list of those that reclaim need not look at, because somebody has mlocked it: since
    2.6.28 there is one, and what is on it counts as active.
    """
    return m.kernel.numa_maps_of_today and any(
        pte.vma.flags & VM_LOCKED and maps(pte.value, page) for pte in rmap_walk(m, page)
    )


def escaped(name: str) -> str:
    """A file's name with blanks and the like as backslash and three octal digits (seq_path)."""
    return "".join(f"\\{ord(letter):03o}" if letter in ESCAPED else letter for letter in name)


def gather(m: MachineState, vma: VmAreaStruct) -> NumaMaps:
    """Count the pages that an area maps now (check_pgd_range with MPOL_MF_STATS, gather_stats); the zero page is passed
    over.
    """
    ptes = [
        (pte, pte >> PTE_PFN)
        for pte in m.arrays[vma.table][vma.first : vma.first + vma.pages]
        if pte & PTE_TYPE == PTE_PRESENT and not m.flags[pte >> PTE_PFN] & PG_RESERVED
    ]
    return NumaMaps(
        pages=len(ptes),
        anon=sum(m.mapping[page] < 0 for _, page in ptes),
        active=sum(bool(m.flags[page] & PG_ACTIVE) or unevictable(m, page) for _, page in ptes),
        writeback=sum(("writeback", page) in m.table for _, page in ptes),
        mapcount_max=max((m.mapcount[page] for _, page in ptes), default=0),
        dirty=sum(bool(pte & PTE_DIRTY or m.flags[page] & PG_DIRTY) for pte, page in ptes),
        swapcache=sum(bool(m.flags[page] & PG_SWAPCACHE) for _, page in ptes),
        node=Counter(m.node(page) for _, page in ptes),
    )
