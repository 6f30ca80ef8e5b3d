"""Answers on millions of entries: sequences that equal the lists of the readable engine, and are arrays inside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from numakit.bulk.views import Ints

BLOCK = 1 << 16  #: elements that are made Python's integers at once


class Column(Sequence[Any]):
    """Integers, and None where one is ``unset``: to look at only. Equal to a list or tuple of the same values."""

    def __init__(self, values: Ints, unset: int | None = None) -> None:
        self.values, self.unset = values, unset

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, place: Any) -> Any:
        if isinstance(place, slice):
            return list(Column(self.values[place], self.unset))
        value = int(self.values[range(len(self))[place]])
        return None if value == self.unset else value

    def __iter__(self) -> Iterator[int | None]:
        for begin in range(0, len(self), BLOCK):
            for value in self.values[begin : begin + BLOCK].tolist():
                yield None if value == self.unset else value

    def count(self, value: Any) -> int:
        """How many elements are ``value``."""
        wanted = self.unset if value is None else value
        return 0 if wanted is None else int(np.count_nonzero(self.values == wanted))

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Column) and self.unset == other.unset:
            return np.array_equal(self.values, other.values)
        if isinstance(other, Sequence) and not isinstance(other, str | bytes):
            return len(self) == len(other) and all(mine == theirs for mine, theirs in zip(self, other, strict=True))
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        if len(self) <= 8:
            return repr(list(self))
        return f"[{', '.join(map(repr, self[:6]))}, ... {len(self):,} elements]"


def column_of(values: Sequence[int]) -> Ints | None:
    """A sequence of integers as an array of 64 bits; None for one that holds anything else, or too large numbers."""
    if isinstance(values, Column):
        return values.values
    if isinstance(values, range):
        return np.arange(values.start, values.stop, values.step)
    try:
        array = np.array(values if len(values) else [0], copy=True)[: len(values)]
    except ValueError:  # sequences in a sequence
        return None
    return array if array.ndim == 1 and array.dtype.kind in "iu" else None


def checked_column(values: Sequence[int], lowest: int, highest: int) -> Column | None:
    """The values of an argument, copied; None if one of them is not allowed, or no whole number."""
    column = column_of(values)
    if column is None or not len(column) or not lowest <= int(column.min()) <= int(column.max()) <= highest:
        return None
    return Column(column)
