"""What passes the pagevec of the acting CPU while many pages move, without playing it (lru_cache_add, lru_add_drain).

Pages that waited there before come first; then come the new pages or, by turns, each old page and its new one. Whenever
it is full all of them leave: so only counting tells who has left in the end, and when.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from numakit.bulk.views import NONE, Bools, Frames, Ints, regular, view
from numakit.machine.state import PAGEVEC_ROW, PAGEVEC_SIZE, MachineState


class Pagevec(NamedTuple):
    """``waited``: the pages that were in it before. ``pages``: how many move. ``old_too``: the old page of each comes,
    right before the new one, and is freed when it leaves. It is drained with every ``size``-th page.
    """

    waited: Ints
    pages: int
    old_too: bool
    size: int

    @property
    def passed(self) -> int:
        """How many pages have come to it, with those that waited."""
        return len(self.waited) + self.pages * (1 + self.old_too)

    @property
    def drained(self) -> int:
        """How many of them have left it in the end."""
        return self.passed // self.size * self.size

    @property
    def old_left(self) -> int:
        """How many old pages have left it."""
        return (self._left + 1) // 2 if self.old_too else 0

    @property
    def new_left(self) -> int:
        """How many new pages have left it."""
        return self._left // 2 if self.old_too else self._left

    @property
    def _left(self) -> int:
        return max(0, self.drained - len(self.waited))

    def when_old_leave(self, old: Ints, new: Ints) -> Ints:
        """When each of the old pages that have left it did: right after the one that filled it had come. ``old``,
        ``new``: when each page comes.
        """
        waited = len(self.waited)
        filled_by = (waited + 2 * np.arange(self.old_left)) // self.size * self.size + self.size - 1 - waited
        came: Ints = np.where(filled_by & 1, new[filled_by >> 1], old[filled_by >> 1])
        return came + 1

    def when_waited_leave(self, old: Ints, new: Ints) -> int:
        """When those that waited leave it, if they do."""
        filled_by = self.size - 1 - len(self.waited)
        if not self.old_too:
            return int(new[filled_by]) + 1
        return int((new if filled_by & 1 else old)[filled_by >> 1]) + 1

    def last(self, number: int, old: Ints, new: Ints) -> Ints:
        """The last pages that have come to it, so many."""
        begin = self.passed - number
        first = max(0, begin - len(self.waited))
        coming = new[first:]
        if self.old_too:
            coming = np.empty(2 * len(new[first // 2 :]), new.dtype)
            coming[::2], coming[1::2] = old[first // 2 :], new[first // 2 :]
            coming = coming[first % 2 :]
        return np.concatenate([self.waited[begin:], coming])


def pagevec_of(m: MachineState, pages: int, *, old_too: bool) -> Pagevec:
    """The pagevec of the acting CPU while so many pages move."""
    begin = m.cpu_row[m.cpu] * PAGEVEC_ROW
    used = m.pagevec[begin]
    waited = view(m.pagevec)[begin + 1 : begin + 1 + used].copy()
    size = 1 if m.table.get("lru cache disabled") else PAGEVEC_SIZE
    assert size > 1 or not used, "pages wait in a pagevec that is switched off"
    return Pagevec(waited, pages, old_too, size)


def freed_when_drained(frames: Frames, pagevec: Pagevec) -> Bools:
    """For each page that waited whether it is freed: the pagevec has the last reference to it, and is drained."""
    freed: Bools = (frames.count[pagevec.waited] == 1) & (pagevec.drained > 0)
    return freed


def drain_what_waited(frames: Frames, pagevec: Pagevec) -> Ints:
    """The pages that waited lose the pagevec's reference if it is drained; without any they are free. The others of
    them, which go to their LRU lists.

    To be done before pages get new frames, which may be these. (That they come back to their node is free_frames'.)
    """
    waited = pagevec.waited if pagevec.drained else NONE
    if not len(waited):
        return NONE
    frames.count[waited] -= 1
    last = frames.count[waited] == 0
    for field in (frames.flags, frames.mapping, frames.index, frames.private, frames.contents):
        field[waited[last]] = 0
    rest: Ints = waited[~last]
    return rest


def pass_pagevec(m: MachineState, frames: Frames, pagevec: Pagevec, waited: Ints, old: Ints, new: Ints) -> None:
    """The pages that have left the pagevec are on their LRU lists, first those that ``waited``; new ones that are still
    in it have its reference.
    """
    left = new[: pagevec.new_left]
    if len(waited):
        left = np.concatenate([waited, left])
    clock = m.clock[0]
    frames.stamp[regular(left)] = np.arange(clock + 1, clock + 1 + len(left))
    m.set(m.clock, 0, clock + len(left))
    frames.count[new[pagevec.new_left :]] += 1
    fill_pagevec(m, pagevec, old, new)


def fill_pagevec(m: MachineState, pagevec: Pagevec, old: Ints, new: Ints) -> None:
    """The slots of the pagevec as they are in the end: those beyond the ones in use have what was there last."""
    slots = view(m.pagevec)[m.cpu_row[m.cpu] * PAGEVEC_ROW :]
    rest = pagevec.passed - pagevec.drained
    if pagevec.drained:
        slots[1 : 1 + pagevec.size] = pagevec.last(rest + pagevec.size, old, new)[: pagevec.size]
    slots[1 : 1 + rest] = pagevec.last(rest, old, new)
    slots[0] = rest
