"""Which frames a row of allocations gets while frames are given back between them, without playing it.

The free frames of a node are one stack: those that were never used lie at its bottom, the lowest on top. Taking a frame
and giving one back are brackets; whoever takes at some height gets what was put there last, by the bracket that fits,
or what lay there before. Sorted by height, and by time within a height, every taker follows its giver.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from numakit.bulk.views import NONE, Ints, regular, view
from numakit.machine.state import MachineState


class StackPlan(NamedTuple):
    """What becomes of a node's stack: the pages that were taken, in order; what is written into its memory, in order;
    and its counters in the end.
    """

    taken: Ints
    slots: Ints
    written: Ints
    free_top: int
    never_used: int


class Exhausted(NamedTuple):
    """The node has no frame left for the taker of that number, from 0."""

    taker: int


def plan_takes(m: MachineState, row: int, number: int) -> StackPlan | Exhausted:
    """So many frames of one node are taken. Changes nothing (alloc_page_on)."""
    never_used, height = m.never_used[row], m.nr_free(m.node_ids[row])
    if number > height:
        return Exhausted(height)
    top, first = m.free_top[row], m.first_frame[row]
    given_back, fresh = min(number, top), max(0, number - top)
    lowest = m.first_frame[row + 1] - never_used
    taken: Ints = view(m.free)[first + top - given_back : first + top][::-1]
    if fresh:
        taken = np.concatenate([taken, np.arange(lowest, lowest + fresh)])
    return StackPlan(taken, NONE, NONE, top - given_back, never_used - fresh)


def plan_gives(m: MachineState, row: int, given: Ints) -> StackPlan:
    """Pages of one node come back, in order. Changes nothing (free_page)."""
    top = m.free_top[row]
    slots = m.first_frame[row] + np.arange(top, top + len(given))
    return StackPlan(NONE, slots, given, top + len(given), m.never_used[row])


def plan(m: MachineState, row: int, takes: Ints, gives: Ints, given: Ints) -> StackPlan | Exhausted:
    """Frames of one node are taken at the times ``takes`` while the pages ``given`` come back at the times ``gives``;
    both ascend, and no time is in both. Changes nothing.
    """
    never_used, height = m.never_used[row], m.nr_free(m.node_ids[row])
    order = np.argsort(np.concatenate([takes, gives]), kind="stable")
    gives_now = order >= len(takes)
    heights = height + np.cumsum(np.where(gives_now, 1, -1))
    unused = np.minimum(np.minimum.accumulate(heights), never_used)
    if unused[-1] < 0:
        return Exhausted(int((~gives_now[: int(np.argmax(heights < 0))]).sum()))
    slots = m.first_frame[row] + (heights - unused - 1)[gives_now]
    taken = taken_by(m, row, order, heights, len(takes), given)
    end = int(unused[-1])
    return StackPlan(taken, slots, given[order[gives_now] - len(takes)], int(heights[-1]) - end, end)


def taken_by(m: MachineState, row: int, order: Ints, heights: Ints, takers: int, given: Ints) -> Ints:
    """The page that each taker gets. ``order``: who acts, by time: takers, then givers; ``heights``: after each act."""
    takes_now = order < takers
    level = heights + takes_now  # the height at which a page is put or taken
    by_level = np.argsort(level, kind="stable")
    before, now = by_level[:-1], by_level[1:]
    fits = takes_now[now] & ~takes_now[before] & (level[now] == level[before])
    found = np.full(takers, -1, np.int64)
    found[order[now[fits]]] = given[order[before[fits]] - takers]
    level_of = np.empty(takers, np.int64)
    level_of[order[takes_now]] = level[takes_now]
    from_before = np.flatnonzero(found < 0)
    found[from_before] = lying_at(m, row, level_of[from_before])
    return found


def lying_at(m: MachineState, row: int, heights: Ints) -> Ints:
    """The free frames that lie at these heights of a node's stack now, counted from 1."""
    never_used = m.never_used[row]
    pages = m.first_frame[row + 1] - heights
    used = heights > never_used
    pages[used] = view(m.free)[m.first_frame[row] + heights[used] - never_used - 1]
    return pages


def carry_out(m: MachineState, row: int, planned: StackPlan) -> None:
    """Let the stack be as planned."""
    free = view(m.free)
    free[regular(planned.slots)] = planned.written  # of two that go to one slot the later one stays
    m.set(m.free_top, row, planned.free_top)
    m.set(m.never_used, row, planned.never_used)
