"""Why each entry of a call in bulk got its answer: made from columns when somebody asks, not for millions at once."""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from numakit.bulk.columns import Column
from numakit.bulk.look_up import (
    BY_STEPS,
    DUPLICATE,
    HERE,
    HINTING,
    HOLE,
    OWN_NODE,
    QUEUED,
    ROWS,
    SHARED,
    THERE,
    ZERO,
    Areas,
)
from numakit.bulk.views import Ints
from numakit.machine.verdicts import Verdict
from numakit.syscalls.move_pages import UNSET, neighbours


@dataclass(eq=False)
class Verdicts(Sequence[Verdict | None]):
    """The verdict on each entry; equal to the tuple of verdicts that the readable engine gives.

    ``rows``: what decided, by number in ROWS. ``pages``: the entry's page + 1, 0 where none was found. ``sharers``:
    the processes behind each number in ``shared``, which has one for each entry of ``shared_entries``. ``single``:
    verdicts that were made one by one. ``chunk``: so many entries go together; only among them is an entry looked for
    by its page.
    """

    areas: Areas
    addresses: Ints
    nodes: Ints | None
    rows: Ints
    pages: Ints
    answers: Ints
    shared_entries: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    shared: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    sharers: list[tuple[str, ...]] = field(default_factory=list)
    single: dict[int, Verdict | None] = field(default_factory=dict)
    chunk: int = sys.maxsize

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(len(self))[place])
        entry = range(len(self))[place]
        if entry in self.single:
            return self.single[entry]
        value = int(self.answers[entry])
        if value == UNSET:
            return None
        row = int(self.rows[entry])
        name = ("moved" if value == self._node(entry) else "elsewhere") if row == QUEUED else ROWS[row]
        return Verdict(value, name, tuple(self._facts(entry, row).items()))

    def __iter__(self) -> Iterator[Verdict | None]:
        return (self[entry] for entry in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sequence) and not isinstance(other, str | bytes):
            return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<verdicts on {len(self):,} entries>"

    @property
    def values(self) -> Column:
        """The answers alone, None where nothing was decided."""
        return Column(self.answers, UNSET)

    def _node(self, entry: int) -> int | None:
        return None if self.nodes is None else int(self.nodes[entry])

    def _facts(self, entry: int, row: int) -> dict[str, Any]:
        page = int(self.pages[entry]) - 1
        if row in (THERE, HERE):
            return {}
        if row == HOLE:
            return {**neighbours(self.areas.vmas, int(self.addresses[entry]))}
        if row in (HINTING, ZERO, QUEUED):
            return {"page": page}
        if row == SHARED:
            number = self.shared[np.searchsorted(self.shared_entries, entry)]
            return {"page": page, "sharers": self.sharers[number]}
        if row == DUPLICATE:
            return {"page": page, "earlier": self._queue[entry // self.chunk, page]}
        if row == OWN_NODE:
            return {"earlier": self._named_first(entry)}
        vma = self.areas.vmas[bisect_right(self.areas.starts.tolist(), int(self.addresses[entry])) - 1]
        file = {"file": self.areas.files[vma.number]} if vma.file else {}
        return {"vma": (vma.start, vma.end), **file}

    @cached_property
    def _queue(self) -> dict[tuple[int, int], int]:
        """Chunk and page -> the entry that queued it; made when the first duplicate is asked for."""
        entries = np.flatnonzero((self.rows == QUEUED) | (self.rows == BY_STEPS) | (self.rows == OWN_NODE))
        named = zip((entries // self.chunk).tolist(), (self.pages[entries] - 1).tolist(), strict=True)
        return dict(zip(named, entries.tolist(), strict=True))

    def queued(self) -> int:
        """How many entries queued a page."""
        return sum(int(np.count_nonzero(self.rows == row)) for row in (QUEUED, BY_STEPS, OWN_NODE))

    def _named_first(self, entry: int) -> int:
        """The first entry of its chunk that names an entry's page."""
        first = entry // self.chunk * self.chunk
        return first + int(np.flatnonzero(self.pages[first : entry + 1] == self.pages[entry])[0])
