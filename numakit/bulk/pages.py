"""Many isolated pages at once: what they are, which PTEs map them, and whether nothing is in the way of moving them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from numakit.bulk.views import Bools, Frames, Ints, Places, groups, read, regular, view
from numakit.machine.state import PG_DIRTY, PG_SWAPCACHE, MachineState
from numakit.machine.vma import (
    PTE_DIRTY,
    PTE_PFN,
    PTE_PRESENT,
    PTE_TYPE,
    PTE_WRITABLE,
    VM_LOCKED,
    VmAreaStruct,
)


class Mapped(NamedTuple):
    """PTEs of one area: they lie at ``places`` of its ``table`` and map the pages with the numbers ``which``."""

    table: int
    places: Places
    which: Places
    values: Ints


@dataclass(frozen=True, slots=True)
class Gathered:
    """Pages (pfns) and their fields as they are before they move. ``ordinary``: see :func:`gather`."""

    pages: Ints
    where: Places
    mapping: Ints
    index: Ints
    flags: Ints
    contents: Ints
    mapcount: Ints
    mapped: list[Mapped]
    ordinary: Bools


def gather(m: MachineState, frames: Frames, pages: Ints, held: int) -> Gathered:
    """Look at pages that are off the LRU, each once. ``held``: references of the acting task to each.

    A page is ordinary if it is anonymous memory, all its other references are PTEs that the reverse map finds, and
    nobody has locked it, its area or its reverse map: then one attempt moves it, whatever becomes of the others. (Only
    pages of files and of the swap cache are ever written to disc.)
    """
    where = regular(pages)
    mapcount, flags = read(frames.mapcount, where), read(frames.flags, where)
    mapping, index = read(frames.mapping, where), read(frames.index, where)
    ordinary = (
        (frames.count[where] == mapcount + held)
        & (mapcount > 0)
        & (flags & PG_SWAPCACHE == 0)
        & (frames.owner[where] == 0)
    )
    ordinary &= mapping < 0
    mapped: list[Mapped] = []
    hits = np.zeros(len(pages), np.int32)
    for number, of_it in groups(mapping):
        if number >= 0:
            continue
        if ("rmap lock", number) in m.table:
            ordinary[slice(None) if of_it is None else of_it] = False
            continue
        for vma in (m.table[("vma", n)] for n in m.table.get(("rmap", number), ())):
            found = ptes_in(m, vma, pages, index, of_it)
            if found is None:
                continue
            hits[found.which] += 1
            if vma.flags & VM_LOCKED and m.kernel.mlocked_stay:
                ordinary[found.which] = False
            mapped.append(found)
    ordinary &= hits == mapcount
    return Gathered(pages, where, mapping, index, flags, read(frames.contents, where), mapcount, mapped, ordinary)


def ptes_in(m: MachineState, vma: VmAreaStruct, pages: Ints, index: Ints, of_it: Ints | None) -> Mapped | None:
    """The PTEs of an area that map pages of its mapping: ``of_it`` says which these are (None: all). A walk of the
    reverse map, rmap_walk(), for all of them.
    """
    at = (index if of_it is None else index[of_it]) - np.int32(vma.pgoff)
    inside = (at >= 0) & (at < vma.pages)
    whole = bool(inside.all())
    chosen = at if whole else at[inside]
    if not len(chosen):
        return None
    places = regular(chosen + np.int64(vma.first))
    values = read(view(m.arrays[vma.table]), places)
    which = of_it if whole else np.flatnonzero(inside) if of_it is None else of_it[inside]
    about = pages if which is None else pages[which]
    maps = (values & PTE_TYPE == PTE_PRESENT) & (values >> PTE_PFN == about)
    if maps.all():
        return Mapped(vma.table, places, slice(None) if which is None else which, values)
    if not maps.any():
        return None
    places = chosen[maps] + np.int64(vma.first)
    return Mapped(vma.table, places, np.flatnonzero(maps) if which is None else which[maps], values[maps])


def remap(m: MachineState, gathered: Gathered, new: Ints) -> Ints:
    """Let all PTEs of pages lead to their new pages: what try_to_unmap() and remove_migration_ptes() leave behind. The
    flags of the pages, which have taken over the dirty bits of their PTEs.
    """
    flags = gathered.flags
    for mapped in gathered.mapped:
        view(m.arrays[mapped.table])[mapped.places] = (
            new[mapped.which] << PTE_PFN | PTE_PRESENT | (mapped.values & PTE_WRITABLE)
        )
        flags[mapped.which] |= np.where(mapped.values & PTE_DIRTY, PG_DIRTY, 0).astype(flags.dtype)
    return flags
