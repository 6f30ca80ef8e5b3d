"""new_page_t: the function that decides which new page each old page moves to (include/linux/migrate.h of 2.6.18).

    typedef struct page *new_page_t(struct page *, unsigned long private, int **result);

It returns a page that it has just allocated, or None for "no memory", and may point ``result`` at the place where the
completion status of the page is to be written: the node it is on then, or a negative errno.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Protocol

from numakit.machine.state import FRAME_FIELDS, MachineState
from numakit.timeline.run import BrokenUserCode, place_of
from numakit.timeline.state import Memory


class Cells(Sequence[int]):
    """Integers that belong to the machine: they go back when the machine goes back, as a closure's variables do not.

    The place for the status of pages that a ``new_page_t`` points at, and for what one has to remember (``private``).
    """

    def __init__(self, m: MachineState, number: int) -> None:
        self._m, self._number = m, number

    @property
    def memory(self) -> Memory:
        """The integers as the machine keeps them. Raises ValueError if they do not exist now: before their birth, or in
        another future.
        """
        if not self._m.is_array(self._number, "cells"):
            raise ValueError("these cells do not exist now: the machine stands before their birth, or went another way")
        return self._m.arrays[self._number]

    def belongs_to(self, m: MachineState) -> bool:
        """Whether they are cells of that machine."""
        return self._m is m

    def __len__(self) -> int:
        return len(self.memory)

    def __getitem__(self, index: Any) -> Any:
        return list(self.memory[index]) if isinstance(index, slice) else self.memory[index]

    def __setitem__(self, index: int, value: int) -> None:
        self._m.set(self.memory, range(len(self))[index], value)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self.memory))

    def __repr__(self) -> str:
        return f"Cells({list(self)})" if self._m.is_array(self._number, "cells") else "Cells(do not exist now)"


class ResultPointer:
    """Where the completion status of one attempt goes: nowhere, until ``point_to`` says where (``int **result``)."""

    def __init__(self) -> None:
        self._memory: Memory | None = None
        self._index = 0

    def point_to(self, status: Cells | Memory, i: int) -> None:
        """Have the status written to ``status[i]``. Raises IndexError for an element that does not exist."""
        memory = status.memory if isinstance(status, Cells) else status
        self._memory, self._index = memory, range(len(memory))[i]

    def same_as(self, other: ResultPointer) -> None:
        """Point where another one points."""
        self._memory, self._index = other._memory, other._index

    def write(self, m: MachineState, value: int) -> None:
        """Write the status, if somebody wants to have it."""
        if self._memory is not None:
            m.set(self._memory, self._index, value)


class ResultPointerOfUser(ResultPointer):
    """The ``result`` that a function of the reader's is given: it points at cells of the machine, and nowhere else."""

    def __init__(self, m: MachineState) -> None:
        super().__init__()
        self._m = m

    def point_to(self, status: Cells | Memory, i: int) -> None:
        """Have the status written to ``status[i]``. Raises TypeError or IndexError for what is no cell of its."""
        if not isinstance(status, Cells) or not status.belongs_to(self._m):
            raise TypeError(f"status={status!r}: cells of this machine are wanted: machine.cells(n)")
        super().point_to(status, i)


class NewPage(Protocol):
    """A function of the kernel that has type new_page_t."""

    def __call__(self, m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
        """A fresh page for ``page``, held by the acting task, or None."""


class UserNewPage:
    """A ``get_new_page(page, private, result)`` that the reader wrote, as the pipeline calls it.

    It is asked once a step and never in a replay, and it is watched: it has to return a frame that it has just
    allocated from this machine, take no other, and give none away. :class:`BrokenUserCode` names the function's line.
    """

    def __init__(self, function: Any) -> None:
        if not callable(function):
            raise TypeError(f"get_new_page={function!r}: a function of (page, private, result) is wanted")
        self.function = function

    def __call__(self, m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
        """Ask the reader's function."""
        assert m.run is not None
        newpage, pointer = m.run.ask(self._ask, m, page, private, whose=self.function)
        result.same_as(pointer)
        return newpage  # type: ignore[no-any-return]

    def _ask(self, m: MachineState, page: int, private: Any) -> tuple[int | None, ResultPointer]:
        pointer, began, free = ResultPointerOfUser(m), m.cursor, _nr_free(m)
        newpage = self.function(page, private, pointer)
        taken = free - _nr_free(m)
        if newpage is not None:
            self._see_that_it_is_fresh(m, newpage, taken)
        if taken > (newpage is not None):
            frames = f"{taken} frame{'s' * (taken != 1)}"
            self._complain(f"took {frames} and returned {'one' if newpage is not None else 'none'}")
        changed = changed_by_user(m, began, newpage)
        if changed:
            self._complain(f"was asked for a new page for page {page}, and changed {', '.join(changed)}")
        return newpage, pointer

    def _see_that_it_is_fresh(self, m: MachineState, newpage: Any, taken: int) -> None:
        cure = "machine.alloc_page(node) gives a fresh one"
        if not isinstance(newpage, int) or isinstance(newpage, bool) or not 0 <= newpage < m.nr_frames:
            self._complain(f"returned {newpage!r}: a frame's number or None is wanted; {cure}")
        if m.count[newpage] and (m.count[newpage] != 1 or m.mapping[newpage] or m.stamp[newpage] or m.owner[newpage]):
            self._complain(f"returned frame {newpage}, which is in use: {cure}")
        if not m.count[newpage] or taken < 1:
            self._complain(f"returned frame {newpage}, but did not allocate it from this machine just now: {cure}")

    def _complain(self, what: str) -> None:
        raise BrokenUserCode(f"{place_of(self.function)}: get_new_page {what}")


def _nr_free(m: MachineState) -> int:
    return sum(m.nr_free(node) for node in m.node_ids)


#: what an allocation changes beside the frame that it takes
ALLOCATION = ("free", "frames on the free stack", "frames never used yet", "numastat")


def changed_by_user(m: MachineState, began: int, newpage: int | None) -> list[str]:
    """What a function of the reader's has changed since ``began`` that is none of its business: anything but cells, and
    the frame that it took. What it undid again does not count.
    """
    before: dict[tuple[str, Any], Any] = {}
    after: dict[tuple[str, Any], Any] = {}
    names: dict[tuple[str, Any], str] = {}
    for change in m.changes(began, m.cursor):
        place = change.label, change.index
        before.setdefault(place, change.before)
        after[place], names[place] = change.after, m.place_name(change)
    return [names[place] for place in before if before[place] != after[place] and not _may_change(*place, newpage)]


def _may_change(label: str, index: Any, newpage: int | None) -> bool:
    if label in FRAME_FIELDS and label not in ALLOCATION:
        return bool(index == newpage)
    new_cells = label == "table" and (index == "arrays" or index[0] == "array")
    return label in ALLOCATION or label == "cells" or new_cells
