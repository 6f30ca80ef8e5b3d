"""The pages that a walk came by, and what became of them, for migrate_pages(2) and mbind(): as columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from numakit.bulk.columns import Column
from numakit.bulk.views import NONE, Ints
from numakit.machine.verdicts import Verdict
from numakit.syscalls.moves_report import PageFate
from numakit.syscalls.page_range import Passed


class Part(NamedTuple):
    """Pages of one area: their addresses, pages (pfns) and nodes, and the number of the verdict in ``verdicts`` that
    each was left out with; -1 for those that were isolated.
    """

    addresses: Ints
    pages: Ints
    nodes: Ints
    left: Ints
    verdicts: list[Verdict]


class PassedPages(Sequence[Passed]):
    """What walks came by, area after area; equal to the tuple that the readable walk gives, and added to it as that."""

    def __init__(self, parts: tuple[Part, ...]) -> None:
        self.parts = parts

    def __add__(self, other: object) -> PassedPages:
        if isinstance(other, PassedPages):
            return PassedPages(self.parts + other.parts)
        return NotImplemented if other != () else self

    def __radd__(self, other: object) -> PassedPages:
        return self + other

    def __len__(self) -> int:
        return sum(len(part.pages) for part in self.parts)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(len(self))[place])
        whole, place = self.whole, range(len(self))[place]
        number = int(whole.left[place])
        left = whole.verdicts[number] if number >= 0 else None
        return Passed(int(whole.addresses[place]), int(whole.pages[place]), int(whole.nodes[place]), left)

    @cached_property
    def whole(self) -> Part:
        """All parts as one."""
        left = [NONE]
        verdicts: list[Verdict] = []
        for part in self.parts:
            left.append(np.where(part.left >= 0, part.left + len(verdicts), -1))
            verdicts += part.verdicts
        columns = zip(*([part.addresses, part.pages, part.nodes] for part in self.parts), strict=True)
        addresses, pages, nodes = ([np.concatenate(column) for column in columns]) or 3 * [NONE]
        return Part(addresses, pages, nodes, np.concatenate(left), verdicts)

    @property
    def isolated(self) -> Column:
        """The pages that were isolated, in order."""
        return Column(np.concatenate([NONE, *(part.pages[part.left < 0] for part in self.parts)]))

    @property
    def busy(self) -> int:
        """How many pages could not be isolated."""
        rows = [verdict.row == "left-busy" for verdict in self.whole.verdicts]
        return int(np.count_nonzero(np.array([*rows, False])[self.whole.left]))


class Fates(Sequence[PageFate]):
    """What became of each page that a call came by. ``single``: the verdicts on isolated pages that were not simply
    moved, by their places.
    """

    def __init__(self, passed: PassedPages, single: dict[int, Verdict]) -> None:
        self._passed, self._single = passed, single

    def __len__(self) -> int:
        return len(self._passed)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return tuple(self[i] for i in range(len(self))[place])
        place = range(len(self))[place]
        address, page, node, left = self._passed[place]
        moved = Verdict(0, "moved", (("page", page), ("origin", node)))
        return PageFate(address, page, node, left or self._single.get(place, moved))

    def __iter__(self) -> Iterator[PageFate]:
        return (self[place] for place in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Sequence) and not isinstance(other, str | bytes):
            return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<fates of {len(self):,} pages>"
