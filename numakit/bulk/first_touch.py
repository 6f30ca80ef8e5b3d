"""Reading and writing many pages for the first time: what a fault at each leaves behind, in a few array operations.

Reads of anonymous memory that nobody has touched map the zero page. The first writes to such memory, and to what had
only been read, get frames along one zonelist, in order, where the area may be written and does not interleave; nothing
comes free meanwhile. All other addresses are accessed one by one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numakit.abi import MPOL_INTERLEAVE, PAGE_SHIFT
from numakit.bulk.columns import column_of
from numakit.bulk.free_frames import Exhausted, carry_out, plan_takes
from numakit.bulk.look_up import areas_of
from numakit.bulk.migrate import CHUNK
from numakit.bulk.pagevec import drain_what_waited, pagevec_of, pass_pagevec
from numakit.bulk.views import NONE, Frames, Ints, regular, view
from numakit.faults import WRITTEN, access, flags_of_fresh_page
from numakit.machine.frames import mems_allowed
from numakit.machine.mempolicy import cpuset_update_task_memory_state, get_vma_policy, zonelist_policy
from numakit.machine.numastat import FOREIGN, HIT_LOCAL, HIT_OTHER, MISS_LOCAL, MISS_OTHER
from numakit.machine.state import NUMASTAT_COUNTERS, MachineState
from numakit.machine.vma import (
    PTE_NONE,
    PTE_PFN,
    PTE_PRESENT,
    PTE_TYPE,
    PTE_YOUNG,
    VM_READ,
    VM_WRITE,
    VmAreaStruct,
)
from numakit.timeline.task import Steps

SHORTEST_TOUCH = 24  #: so many untouched pages in a row are worth the array operations


def write_in_bulk(m: MachineState, mm: int, addresses: Sequence[int]) -> Steps[int]:
    """Write to each page named, in order. 0; or, from the first that cannot be written, -EFAULT or -ENOMEM (access)."""
    column = column_of(addresses)
    assert column is not None, "addresses are whole numbers below 2**47"
    frames = Frames(m)
    for start in range(0, len(column), CHUNK):
        chunk = column[start : start + CHUNK]
        for begin, end, vma in runs_of_untouched(m, mm, chunk, write=True):
            done = begin
            if vma is not None and end - begin >= SHORTEST_TOUCH:
                done += touch(m, frames, vma, chunk[begin:end])
            for address in chunk[done:end].tolist():
                page = yield from access(m, mm, address, write=True)
                if page < 0:
                    return page
    return 0


def read_in_bulk(m: MachineState, mm: int, addresses: Sequence[int]) -> Steps[list[int]]:
    """Read each page named, in order: what is written in it, or -EFAULT or -ENOMEM (access)."""
    column = column_of(addresses)
    assert column is not None, "addresses are whole numbers below 2**47"
    tokens: list[int] = []
    for begin, end, vma in runs_of_untouched(m, mm, column, write=False):
        if vma is not None and end - begin >= SHORTEST_TOUCH:
            map_zero_page(m, vma, column[begin:end])
            tokens += [m.contents[m.table["zero page"]]] * (end - begin)
            continue
        for address in column[begin:end].tolist():
            page = yield from access(m, mm, address, write=False)
            tokens.append(m.contents[page] if page >= 0 else page)
    return tokens


def map_zero_page(m: MachineState, vma: VmAreaStruct, addresses: Ints) -> None:
    """Read untouched anonymous pages of an area (do_anonymous_page)."""
    zero = m.table["zero page"]
    view(m.arrays[vma.table])[regular(places_in(vma, addresses))] = zero << PTE_PFN | PTE_PRESENT | PTE_YOUNG
    m.set(m.count, zero, m.count[zero] + len(addresses))
    m.set(m.mapcount, zero, m.mapcount[zero] + len(addresses))


def runs_of_untouched(
    m: MachineState, mm: int, addresses: Ints, *, write: bool
) -> list[tuple[int, int, VmAreaStruct | None]]:
    """(begin, end, area) of the parts of some addresses: untouched anonymous memory of one area, for a write also what
    was only read, or (None) anything else. Nothing is looked at where a page is named twice.
    """
    areas, pages = areas_of(m, mm), addresses >> PAGE_SHIFT
    each_once = (np.diff(pages) > 0).all() or len(np.unique(pages)) == len(pages)
    if not len(addresses) or not areas.vmas or ("mmap_sem", mm) in m.table or not each_once:
        return [(0, len(addresses), None)]
    crossed = areas.parts_of(addresses)
    which = np.where(crossed & 1, crossed >> 1, -1)
    for number in np.unique(which[which >= 0]).tolist():
        of_it, vma = np.flatnonzero(which == number), areas.vmas[number]
        ptes = view(m.arrays[vma.table])[places_in(vma, addresses[of_it])]
        touched = ptes & PTE_TYPE != PTE_NONE
        plain = not vma.file and vma.flags & (VM_WRITE if write else VM_READ)
        if write:
            touched &= (ptes & PTE_TYPE != PTE_PRESENT) | (ptes >> PTE_PFN != m.table["zero page"])
            policy = get_vma_policy(m, m.pid, vma, vma.start)
            plain = plain and not (policy and policy.mode == MPOL_INTERLEAVE)
        which[of_it[touched] if plain else of_it] = -1
    ends = [*(np.flatnonzero(np.diff(which)) + 1).tolist(), len(which)]
    parts = zip([0, *ends[:-1]], ends, strict=True)
    return [(begin, end, areas.vmas[which[begin]] if which[begin] >= 0 else None) for begin, end in parts]


def places_in(vma: VmAreaStruct, addresses: Ints) -> Ints:
    """The places of the PTEs of addresses in the page table of their area."""
    return ((addresses - vma.start) >> PAGE_SHIFT) + vma.first


def touch(m: MachineState, frames: Frames, vma: VmAreaStruct, addresses: Ints) -> int:
    """Write to anonymous pages of an area that were never written to, in order, as long as there are frames. How many
    were written to (do_anonymous_page, do_wp_page, write_contents).
    """
    cpuset_update_task_memory_state(m)
    number = min(len(addresses), CHUNK)
    pagevec = pagevec_of(m, number, old_too=False)
    if (frames.count[pagevec.waited] == 1).any():  # one of these would come free in the middle
        return 0
    new = take_along(m, zonelist_policy(m, get_vma_policy(m, m.pid, vma, vma.start)), number)
    if len(new) < number:
        pagevec = pagevec._replace(pages=len(new))
    where, at = regular(new), places_in(vma, addresses[: len(new)])
    frames.count[where], frames.mapcount[where] = 1, 1
    frames.mapping[where] = vma.anon_vma
    frames.index[where] = at + (vma.pgoff - vma.first)
    frames.flags[where] = flags_of_fresh_page(m)
    frames.contents[where] = m.clock[1] + 1 + np.arange(len(new))
    m.set(m.clock, 1, m.clock[1] + len(new))
    ptes, zero, places = view(m.arrays[vma.table]), m.table["zero page"], regular(at)
    only_read = int(np.count_nonzero(ptes[places]))  # the others are PTE_NONE
    m.set(m.count, zero, m.count[zero] - only_read)
    m.set(m.mapcount, zero, m.mapcount[zero] - only_read)
    ptes[places] = new << PTE_PFN | PTE_PRESENT | WRITTEN
    pass_pagevec(m, frames, pagevec, drain_what_waited(frames, pagevec), NONE, new)
    return len(new)


def take_along(m: MachineState, zonelist: tuple[int, ...], number: int) -> Ints:
    """Frames along a zonelist, as many as there are (alloc_pages, time after time)."""
    taken: list[Ints] = [NONE]
    allowed, left = mems_allowed(m), number
    for node in zonelist:
        some = min(left, m.nr_free(node)) if allowed is None or node in allowed else 0
        if some:
            row = m.row[node]
            planned = plan_takes(m, row, some)
            assert not isinstance(planned, Exhausted), "no more was asked for than is free"
            carry_out(m, row, planned)
            count_fallback(m, zonelist[0], node, some)
            taken.append(planned.taken)
            left -= some
    return np.concatenate(taken)


def count_fallback(m: MachineState, wanted: int, node: int, pages: int) -> None:
    """Pages were allocated on a node that may not be the one that was wanted (zone_statistics)."""
    local = node == m.cpu_nodes[m.cpu]
    hit = (HIT_LOCAL if local else HIT_OTHER) if node == wanted else (MISS_LOCAL if local else MISS_OTHER)
    counters = [(node, hit)] if node == wanted else [(node, hit), (wanted, FOREIGN)]
    for where, counter in counters:
        at = m.row[where] * NUMASTAT_COUNTERS + counter
        m.set(m.zone_stat, at, m.zone_stat[at] + pages)
