"""Pages that several processes map: which do, for many pages at once (shared_by in syscalls.move_pages)."""

from __future__ import annotations

import numpy as np

from numakit.abi import EACCES
from numakit.bulk.look_up import SHARED, Found
from numakit.bulk.pages import ptes_in
from numakit.bulk.views import Frames, Ints, groups
from numakit.machine.process import process_name, processes_of
from numakit.machine.state import MachineState


class Sharers:
    """Who shares the pages that a call comes by. Pages with the same sharers have the same number."""

    def __init__(self, m: MachineState, frames: Frames) -> None:
        self._m, self._frames = m, frames
        self._entries: list[Ints] = []
        self._numbers: list[Ints] = []
        self._number_of: dict[tuple[int, ...], int] = {}

    def leave_out(self, found: Found, to_move: Ints, begin: int) -> Ints:
        """Give the entries among ``to_move`` whose pages are shared their answer; the others. ``begin``: the number of
        the first entry of ``found``.
        """
        several = self._frames.mapcount[found.pages[to_move]] > 1
        if not several.any():
            return to_move
        numbers = self.numbers_of(found.pages[to_move[several]])
        shared = to_move[several][numbers >= 0]
        found.rows[shared], found.answers[shared] = SHARED, -EACCES
        self._entries.append(shared + begin)
        self._numbers.append(numbers[numbers >= 0])
        kept = ~several
        kept[several] = numbers < 0
        return to_move[kept]

    def numbers_of(self, pages: Ints) -> Ints:
        """The number of each page's sharers; -1 for a page that is not shared after all: in one mm only, and PTEs do
        not count.
        """
        mapping, index = self._frames.mapping[pages], self._frames.index[pages]
        numbers = np.full(len(pages), -1, np.int64)
        for number, some in groups(mapping):
            of_it = np.arange(len(pages)) if some is None else some
            mms: list[int] = []
            hits: list[Ints] = []
            for vma in (self._m.table[("vma", n)] for n in self._m.table.get(("rmap", number), ())):
                mapped = ptes_in(self._m, vma, pages, index, of_it)
                if mapped is not None:
                    hit = np.zeros(len(pages), bool)
                    hit[mapped.which] = True
                    mms.append(vma.mm)
                    hits.append(hit[of_it])
            if not hits:
                continue
            patterns, which = np.unique(np.stack(hits, axis=1), axis=0, return_inverse=True)
            numbers[of_it] = np.array([self._number(mms, pattern) for pattern in patterns])[which.ravel()]
        return numbers

    def _number(self, mms: list[int], pattern: Ints) -> int:
        those = tuple(sorted({mm for mm, hit in zip(mms, pattern, strict=True) if hit}))
        if (len(those) < 2 and self._m.kernel.shared_by_mm) or not any(processes_of(self._m, mm) for mm in those):
            return -1
        return self._number_of.setdefault(those, len(self._number_of))

    def columns(self) -> tuple[Ints, Ints, list[tuple[str, ...]]]:
        """The shared entries, the number of each one's sharers, and the names behind each number."""
        none = np.zeros(0, np.int64)
        names = []
        for mms in self._number_of:
            pids = sorted(process.pid for mm in mms for process in processes_of(self._m, mm))
            names.append(tuple(process_name(self._m, pid) for pid in pids))
        return np.concatenate([none, *self._entries]), np.concatenate([none, *self._numbers]), names
