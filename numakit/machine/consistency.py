"""What must hold of a machine at any step. Tests ask after every one."""

from __future__ import annotations

from collections import Counter
from typing import Any, TypeGuard

from numakit.machine.cpuset import cpuset_numbered, cpusets
from numakit.machine.locks import Semaphore
from numakit.machine.numastat import numastat_of
from numakit.machine.pagecache import page_has_buffers
from numakit.machine.process import processes
from numakit.machine.references import KERNEL_CODE, noted_holders
from numakit.machine.state import PAGEVEC_ROW, MachineState
from numakit.machine.swap import swap_map
from numakit.machine.vma import (
    MIGRATION_ENTRIES,
    PTE_NONE,
    PTE_PFN,
    PTE_PRESENT,
    PTE_SWAP,
    PTE_TYPE,
    VmAreaStruct,
    rmap_walk,
)


def inconsistencies(m: MachineState) -> list[str]:
    """What does not hold, a sentence each.

    Frames are conserved; each page's count is the sum of the references whose holders are known; mapcount equals the
    number of PTEs; a page is on at most one list and a free one on none; migration entries lead to locked pages; the
    reverse map finds every PTE; cpusets, policies and numastat fit together.
    """
    mapped, wrong = count_ptes(m)
    cached = Counter(
        slot - 1 for key, value in m.table.items() if is_key(key, "mapping") for slot in m.arrays[value.slots] if slot
    )
    zero_page = m.table.get("zero page")
    waiting = Counter(page for cpu in m.cpu_nodes for page in in_pagevec(m, cpu))
    for page in range(m.nr_frames):
        references = mapped[page] + cached[page] + waiting[page] + page_has_buffers(m, page)
        references += sum(noted_holders(m, page).values()) + (page == zero_page)
        if m.count[page] != references:
            wrong.append(f"page {page}: count {m.count[page]}, but the references known are {references}")
        if m.mapcount[page] != mapped[page]:
            wrong.append(f"page {page}: mapcount {m.mapcount[page]}, but {mapped[page]} PTEs map it")
        if not m.count[page] and (m.stamp[page] or m.mapping[page] or m.flags[page] or m.owner[page]):
            wrong.append(f"page {page} is free and still on a list, mapped, flagged or locked")
        if (m.stamp[page] and waiting[page]) or waiting[page] > 1:
            wrong.append(f"page {page} is on two lists")
    for node in m.node_ids:
        wrong += check_free_frames(m, node)
    wrong += check_cpusets(m) + check_numastat(m)
    stamps = Counter(stamp for stamp in m.stamp if stamp)
    wrong += [f"{times} pages have LRU stamp {stamp}" for stamp, times in stamps.items() if times > 1]
    return wrong


def check_cpusets(m: MachineState) -> list[str]:
    """A cpuset's nodes are among its parent's; every process is in a cpuset, and every policy names online nodes."""
    wrong = []
    for cpuset in cpusets(m):
        if not set(cpuset.mems) <= set(cpuset_numbered(m, cpuset.parent).mems):
            wrong.append(f"cpuset {cpuset.name}: its parent does not allow all of its nodes {cpuset.mems}")
    for process in processes(m):
        if ("cpuset", process.cpuset) not in m.table:
            wrong.append(f"process {process.pid} is in cpuset {process.cpuset}, which does not exist")
    policies = [value.mempolicy for key, value in m.table.items() if is_key(key, "process")]
    policies += [value.policy for key, value in m.table.items() if is_key(key, "vma")]
    named = {node for policy in policies if policy for node in policy.nodes}
    return wrong + [f"a policy names node {node}, which is not online" for node in sorted(named - set(m.row))]


def check_numastat(m: MachineState) -> list[str]:
    """Every page that was missed on one node was got on another."""
    counters = [numastat_of(m, node) for node in m.node_ids]
    missed, foreign = sum(node.numa_miss for node in counters), sum(node.numa_foreign for node in counters)
    return [] if missed == foreign else [f"numastat: numa_miss adds up to {missed}, numa_foreign to {foreign}"]


def is_key(key: object, kind: str) -> TypeGuard[tuple[Any, ...]]:
    """Whether a key of the table is one of that kind."""
    return isinstance(key, tuple) and key[0] == kind


def in_pagevec(m: MachineState, cpu: int) -> list[int]:
    """The pages in one CPU's pagevec."""
    begin = m.cpu_row[cpu] * PAGEVEC_ROW
    return list(m.pagevec[begin + 1 : begin + 1 + m.pagevec[begin]])


def count_ptes(m: MachineState) -> tuple[Counter[int], list[str]]:
    """How many PTEs map each page, and what is wrong with PTEs."""
    mapped: Counter[int] = Counter()
    swapped: Counter[int] = Counter()
    wrong = []
    for key, vma in m.table.items():
        if not is_key(key, "vma"):
            continue
        for at in range(vma.first, vma.first + vma.pages):
            pte = m.arrays[vma.table][at]
            kind, page = pte & PTE_TYPE, pte >> PTE_PFN
            if kind == PTE_NONE:
                continue
            if kind == PTE_PRESENT:
                mapped[page] += 1
            if kind == PTE_SWAP:
                swapped[page] += 1
            if kind in MIGRATION_ENTRIES and not m.owner[page]:
                wrong.append(f"a migration entry was left behind for page {page}, which is not locked")
            if kind == PTE_PRESENT and page != m.table["zero page"] and not found_by_rmap(m, vma, at, page):
                wrong.append(f"the reverse map of page {page} does not find the PTE that maps it")
    for slot, used in enumerate(swap_map(m)):
        if used != swapped[slot]:
            wrong.append(f"swap slot {slot}: {used} uses, but {swapped[slot]} PTEs lead to it")
    return mapped, wrong


def found_by_rmap(m: MachineState, vma: VmAreaStruct, at: int, page: int) -> bool:
    """Whether the reverse map leads from a page to the PTE that maps it."""
    return any(pte.vma.number == vma.number and pte.at == at for pte in rmap_walk(m, page))


def check_free_frames(m: MachineState, node: int) -> list[str]:
    """The free frames of a node are exactly those without references."""
    row, first = m.row[node], m.first_frame[m.row[node]]
    stack = list(m.free[first : first + m.free_top[row]])
    end = m.first_frame[row + 1]
    free = stack + list(range(end - m.never_used[row], end))
    unused = [page for page in m.frames_of(node) if not m.count[page]]
    return (
        []
        if sorted(free) == unused
        else [f"node {node}: {len(free)} frames are listed as free, {len(unused)} are unused"]
    )


def left_in_flight(m: MachineState) -> list[str]:
    """What may not be left when no call is under way: locks, migration entries, verdicts, isolated pages of tasks."""
    left = [f"page {page} is still locked" for page in range(m.nr_frames) if m.owner[page]]
    for page in range(m.nr_frames):
        tasks = [holder for holder in noted_holders(m, page) if holder < KERNEL_CODE]
        left += [f"task {task} still holds a reference to page {page}" for task in tasks]
    for key, value in m.table.items():
        if is_key(key, "mmap_sem") and value != Semaphore():
            left.append(f"mmap_sem of mm {key[1]} is still held")
        if isinstance(key, tuple) and key[0] in (
            "rmap lock",
            "writeback",
            "buffer lock",
            "buffers held",
            "call",
            "return",
            "entry",
            "page verdict",
        ):
            left.append(f"{key} is left over")
        if is_key(key, "mm") and value.users != len(
            [p for k, p in m.table.items() if is_key(k, "process") and p.mm == key[1]]
        ):
            left.append(f"mm {key[1]} has {value.users} users")
    return left
