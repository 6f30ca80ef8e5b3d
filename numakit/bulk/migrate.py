"""Moving ordinary pages, many at once: what unmap_and_move() leaves behind, page after page, in a few array operations.

The order in which frames are taken, put on the LRU and freed is a kernel's own, and decides which frame is whose. It is
written down as times (:class:`Order`); all else that happens to an ordinary page is the same whenever it happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np

from numakit.bulk.free_frames import Exhausted, StackPlan, carry_out, plan
from numakit.bulk.pages import Gathered, gather, remap
from numakit.bulk.views import Bools, Frames, Ints, Places, regular, rows_of, view
from numakit.machine.numastat import HIT_LOCAL, HIT_OTHER
from numakit.machine.state import NUMASTAT_COUNTERS, PAGEVEC_ROW, PAGEVEC_SIZE, MachineState

TICKS = 8  #: times that a page takes
CHUNK = 1024 * 7  #: pages that are moved at once: what is known of them fits the processor's cache


class Order(NamedTuple):
    """When the new page of each page is taken, when the old one is given back, and when the new one is put on the LRU.

    ``old_in_pagevec``: the old page goes to the pagevec too (move_to_lru), and is freed when that is drained.
    """

    take: Ints
    old: Ints
    new: Ints
    old_in_pagevec: bool


OrderOf: TypeAlias = Callable[[int], Order]


def order_of_2006(pages: int) -> Order:
    """Page after page; old and new page go to the pagevec together (unmap_and_move() of 2.6.18)."""
    begin = TICKS * np.arange(pages)
    return Order(begin, begin + 2, begin + 4, old_in_pagevec=True)


WAITED, OLD, NEW = range(3)  #: what an entry of the pagevec is: a page that waited there before, an old or a new page


class Pagevec(NamedTuple):
    """What passes the pagevec of the acting CPU while pages move, in order: the ``number``-th page of a ``kind``, that
    ``came`` at a time. Every ``size`` of them it is drained.
    """

    waited: Ints
    kind: Ints
    number: Ints
    came: Ints
    size: int

    @property
    def drained(self) -> int:
        """How many entries have left it in the end."""
        return len(self.kind) // self.size * self.size

    @property
    def left(self) -> Ints:
        """When each of the drained entries left it: right after the one that filled it had come."""
        return self.came[self.size - 1 :: self.size].repeat(self.size) + 1

    def pages(self, old: Ints, new: Ints) -> Ints:
        """The pages that the entries are."""
        if not len(self.waited) and len(self.kind) == 2 * len(old) == 2 * len(new):  # by turns
            return np.stack([old, new], axis=1).ravel()
        begin = np.array([0, len(self.waited), len(self.waited) + len(old)])
        return np.concatenate([self.waited, old, new])[begin[self.kind] + self.number]


def pagevec_of(m: MachineState, pages: int, order: Order) -> Pagevec:
    """The pagevec of the acting CPU while so many pages move (lru_cache_add)."""
    begin = m.cpu_row[m.cpu] * PAGEVEC_ROW
    used = m.pagevec[begin]
    waited = view(m.pagevec)[begin + 1 : begin + 1 + used].copy()
    size = 1 if m.table.get("lru cache disabled") else PAGEVEC_SIZE
    assert size > 1 or not used, "pages wait in a pagevec that is switched off"
    kinds, came = ([OLD, NEW], [order.old, order.new]) if order.old_in_pagevec else ([NEW], [order.new])
    return Pagevec(
        waited,
        np.concatenate([np.full(used, WAITED), np.tile(kinds, pages)]),
        np.concatenate([np.arange(used), np.arange(pages).repeat(len(kinds))]),
        np.concatenate([np.full(used, -1), np.stack(came, axis=1).ravel()]),
        size,
    )


class Move(NamedTuple):
    """A move of ordinary pages that was planned, and can be carried out: nothing stands in its way."""

    gathered: Gathered
    rows: Ints
    new: Ints
    pagevec: Pagevec
    freed: Bools  #: of the entries that have left the pagevec
    stacks: list[tuple[int, StackPlan]]


def move(m: MachineState, frames: Frames, gathered: Gathered, rows: Ints, order_of: OrderOf, held: int) -> int:
    """Move ordinary pages to the nodes in ``rows``, up to the first for which there is no frame. How many were moved.

    Needs them off the LRU, with ``held`` references of the acting task to each. Then each page is mapped at its new
    frame, which is on its LRU list or in the pagevec; the old frame is free or in the pagevec.
    """
    planned = plan_move(m, frames, gathered, rows, order_of(len(rows)))
    if isinstance(planned, int):
        if not planned:
            return 0
        return move(m, frames, gather(m, frames, gathered.pages[:planned], held), rows[:planned], order_of, held)
    for row, stack in planned.stacks:
        carry_out(m, row, stack)
    count_allocations(m, rows)
    flags = remap(m, gathered, planned.new)
    give_up_old_pages(frames, gathered.where, held)
    drain_what_waited(frames, planned.pagevec)
    fill_new_pages(frames, gathered, regular(planned.new), flags)
    pass_pagevec(m, frames, planned)
    return len(rows)


def plan_move(m: MachineState, frames: Frames, gathered: Gathered, rows: Ints, order: Order) -> Move | int:
    """Which new page each page gets, with nothing changed; or the number of the first that gets none."""
    pagevec = pagevec_of(m, len(rows), order)
    leaves = freed_when_drained(frames, pagevec)
    freed, times = what_is_freed(gathered.pages, pagevec, leaves, order)
    of_freed, new = rows_of(m, freed), np.empty(len(rows), np.int64)
    stacks, first_without = [], len(rows)
    among = np.bincount(rows, minlength=len(m.node_ids)) + np.bincount(of_freed, minlength=len(m.node_ids))
    for row in np.flatnonzero(among).tolist():
        takers, givers = regular(np.flatnonzero(rows == row)), regular(np.flatnonzero(of_freed == row))
        found = plan(m, row, order.take[takers], times[givers], freed[givers])
        if isinstance(found, Exhausted):
            first_without = min(first_without, int(np.arange(len(rows))[takers][found.taker]))
        else:
            new[takers] = found.taken
            stacks.append((row, found))
    return Move(gathered, rows, new, pagevec, leaves, stacks) if first_without == len(rows) else first_without


def what_is_freed(old: Ints, pagevec: Pagevec, leaves: Bools, order: Order) -> tuple[Ints, Ints]:
    """The pages that come free, and when, in order of time: old ones, and those that waited in the pagevec and nobody
    refers to any more.
    """
    freed, times = pagevec.pages(old, old)[: pagevec.drained][leaves], pagevec.left[leaves]
    if order.old_in_pagevec:
        return freed, times
    freed, times = np.concatenate([freed, old]), np.concatenate([times, order.old])
    by_time = np.argsort(times, kind="stable")
    return freed[by_time], times[by_time]


def freed_when_drained(frames: Frames, pagevec: Pagevec) -> Bools:
    """For each drained entry of the pagevec whether its page is freed: the pagevec has the last reference to it."""
    leaves: Bools = pagevec.kind[: pagevec.drained] == OLD
    if pagevec.drained:
        leaves[: len(pagevec.waited)] = frames.count[pagevec.waited] == 1
    return leaves


def count_allocations(m: MachineState, rows: Ints) -> None:
    """Each page was allocated where it was wanted (zone_statistics)."""
    for row, pages in enumerate(np.bincount(rows, minlength=len(m.node_ids)).tolist()):
        local = m.node_ids[row] == m.cpu_nodes[m.cpu]
        at = NUMASTAT_COUNTERS * row + (HIT_LOCAL if local else HIT_OTHER)
        m.set(m.zone_stat, at, m.zone_stat[at] + pages)


def give_up_old_pages(frames: Frames, where: Places, held: int) -> None:
    """Old pages are as free_page() leaves them. (They are off the LRU, and neither locked nor of a file.)"""
    for field in (frames.count, frames.mapcount, frames.mapping, frames.index, frames.flags, frames.contents):
        field[where] = 0
    if held:
        frames.holder[where] = 0


def fill_new_pages(frames: Frames, gathered: Gathered, where: Places, flags: Ints) -> None:
    """New pages have what the old ones had, and one reference a PTE."""
    frames.count[where] = gathered.mapcount
    frames.mapcount[where] = gathered.mapcount
    frames.mapping[where] = gathered.mapping
    frames.index[where] = gathered.index
    frames.flags[where] = flags
    frames.contents[where] = gathered.contents


def drain_what_waited(frames: Frames, pagevec: Pagevec) -> None:
    """The pages that were in the pagevec before lose its reference when it is drained; the last one frees a page."""
    if pagevec.drained:
        frames.count[pagevec.waited] -= 1
        freed = pagevec.waited[frames.count[pagevec.waited] == 0]
        for field in (frames.flags, frames.mapping, frames.index, frames.private, frames.contents):
            field[freed] = 0


def pass_pagevec(m: MachineState, frames: Frames, planned: Move) -> None:
    """The pages that have left the pagevec are on their LRU lists or free; those still in it have its reference."""
    gathered, pagevec = planned.gathered, planned.pagevec
    pages, drained = pagevec.pages(gathered.pages, planned.new), pagevec.drained
    left = pages[:drained][~planned.freed]
    clock = m.clock[0]
    frames.stamp[regular(left)] = np.arange(clock + 1, clock + 1 + len(left))
    m.set(m.clock, 0, clock + len(left))
    stays = slice(drained, None)
    old, new = (pagevec.number[stays][pagevec.kind[stays] == kind] for kind in (OLD, NEW))
    frames.count[planned.new[new]] += 1
    still = gathered.pages[old]
    frames.count[still], frames.index[still], frames.contents[still] = 1, gathered.index[old], gathered.contents[old]
    fill_pagevec(m, pages, pagevec)


def fill_pagevec(m: MachineState, pages: Ints, pagevec: Pagevec) -> None:
    """The slots of the pagevec as they are in the end: those beyond the ones in use have what was there last."""
    slots = view(m.pagevec)[m.cpu_row[m.cpu] * PAGEVEC_ROW :]
    if pagevec.drained:
        slots[1 : 1 + pagevec.size] = pages[pagevec.drained - pagevec.size : pagevec.drained]
    rest = pages[pagevec.drained :]
    slots[1 : 1 + len(rest)] = rest
    slots[0] = len(rest)
