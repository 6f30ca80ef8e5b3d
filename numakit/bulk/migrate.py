"""Moving ordinary pages, many at once: what unmap_and_move() leaves behind, page after page, in a few array operations.

The order in which frames are taken, put on the LRU and freed is a kernel's own, and decides which frame is whose. It is
written down as times (:class:`Order`); all else that happens to an ordinary page is the same whenever it happens.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from numakit.bulk.free_frames import Exhausted, StackPlan, carry_out, plan, plan_gives, plan_takes
from numakit.bulk.pages import Gathered, gather, remap
from numakit.bulk.pagevec import Pagevec, drain_what_waited, freed_when_drained, pagevec_of, pass_pagevec
from numakit.bulk.views import NONE, Frames, Ints, Places, pages_by_row, regular, rows_of
from numakit.machine.numastat import HIT_LOCAL, HIT_OTHER
from numakit.machine.state import NUMASTAT_COUNTERS, MachineState

TICKS = 8  #: times that a page takes
CHUNK = 1024 * 56  #: pages that are moved at once: what is known of them fits the processor's cache


class Order(NamedTuple):
    """When the new page of each page is taken, when the old one is given back or goes to the pagevec, and when the new
    one does.
    """

    take: Ints
    old: Ints
    new: Ints


class Course(NamedTuple):
    """How a kernel goes through its pages. ``old_in_pagevec``: the old page goes to the pagevec too (move_to_lru), and
    is freed when that is drained. ``order_of``: the order of so many pages; often nobody has to know it.
    """

    old_in_pagevec: bool
    order_of: Callable[[int], Order]


def order_of_2006(pages: int) -> Order:
    """Page after page; old and new page go to the pagevec together (unmap_and_move() of 2.6.18)."""
    begin = TICKS * np.arange(pages)
    return Order(begin, begin + 2, begin + 4)


COURSE_OF_2006 = Course(True, order_of_2006)


class Move(NamedTuple):
    """A move of ordinary pages that was planned, and nothing stands in its way. ``wanted``: how many pages go to each
    row.
    """

    new: Ints
    pagevec: Pagevec
    wanted: list[int]
    stacks: list[tuple[int, StackPlan]]


def move(m: MachineState, frames: Frames, gathered: Gathered, rows: Ints, course: Course, held: int) -> int:
    """Move ordinary pages to the nodes in ``rows``, up to the first for which there is no frame. How many were moved.

    Needs them off the LRU, with ``held`` references of the acting task to each. Then each page is mapped at its new
    frame, which is on its LRU list or in the pagevec; the old frame is free or in the pagevec.
    """
    planned = plan_move(m, frames, gathered.pages, rows, course)
    if isinstance(planned, int):
        if not planned:
            return 0
        return move(m, frames, gather(m, frames, gathered.pages[:planned], held), rows[:planned], course, held)
    for row, stack in planned.stacks:
        carry_out(m, row, stack)
    count_allocations(m, planned.wanted)
    flags = remap(m, gathered, planned.new)
    give_up_old_pages(frames, gathered.where, held)
    waited = drain_what_waited(frames, planned.pagevec)
    fill_new_pages(frames, gathered, regular(planned.new), flags)
    if course.old_in_pagevec:
        keep_old_pages(frames, gathered, planned.pagevec.old_left)
    pass_pagevec(m, frames, planned.pagevec, waited, gathered.pages, planned.new)
    return len(rows)


def plan_move(m: MachineState, frames: Frames, old: Ints, rows: Ints, course: Course) -> Move | int:
    """Which new page each page gets, with nothing changed; or the number of the first that gets none."""
    pagevec = pagevec_of(m, len(rows), old_too=course.old_in_pagevec)
    waited = pagevec.waited[freed_when_drained(frames, pagevec)]
    freed = old[: pagevec.old_left] if course.old_in_pagevec else old
    if len(waited):
        freed = np.concatenate([waited, freed])
    of_freed, new = rows_of(m, freed), np.empty(len(rows), np.int64)
    wanted, given = pages_by_row(m, rows), pages_by_row(m, of_freed)
    both = any(takes and gives for takes, gives in zip(wanted, given, strict=True))
    take, give = times(pagevec, len(waited), course) if both else (NONE, NONE)
    stacks, first_without = [], len(rows)
    for row, (number, back) in enumerate(zip(wanted, given, strict=True)):
        takers, givers = places_of(rows, row, number), places_of(of_freed, row, back)
        if number and back:
            found = plan(m, row, take[takers], give[givers], freed[givers])
        elif number:
            found = plan_takes(m, row, number)
        elif back:
            found = plan_gives(m, row, freed[givers])
        else:
            continue
        if isinstance(found, Exhausted):
            first_without = min(first_without, int(np.arange(len(rows))[takers][found.taker]))
            continue
        stacks.append((row, found))
        new[takers] = found.taken
    return Move(new, pagevec, wanted, stacks) if first_without == len(rows) else first_without


def places_of(rows: Ints, row: int, number: int) -> Places:
    """Where a row is in ``rows``, so many times."""
    return slice(None) if number == len(rows) else regular(np.flatnonzero(rows == row))


def times(pagevec: Pagevec, waited: int, course: Course) -> tuple[Ints, Ints]:
    """When each new page is taken; and when each page comes free, in order: those that ``waited`` in the pagevec and
    nobody refers to any more, so many, and old ones.
    """
    order = course.order_of(pagevec.pages)
    if not course.old_in_pagevec:
        assert not waited, "pages that wait are mapped: they do not come free"
        return order.take, order.old
    old = pagevec.when_old_leave(order.old, order.new)
    return order.take, np.concatenate([np.full(waited, pagevec.when_waited_leave(order.old, order.new)), old])


def count_allocations(m: MachineState, wanted: list[int]) -> None:
    """Each page was allocated where it was wanted (zone_statistics)."""
    for row, pages in enumerate(wanted):
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


def keep_old_pages(frames: Frames, gathered: Gathered, begin: int) -> None:
    """Old pages from number ``begin`` on are still in the pagevec, and not free yet."""
    still = gathered.pages[begin:]
    frames.count[still], frames.index[still], frames.contents[still] = (
        1,
        gathered.index[begin:],
        gathered.contents[begin:],
    )
