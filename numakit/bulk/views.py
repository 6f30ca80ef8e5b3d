"""The machine's arrays as numpy sees them: the same memory, no copy."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from numakit.machine.state import FRAME_FIELDS, MachineState
from numakit.timeline.state import Memory

Ints: TypeAlias = NDArray[np.integer[Any]]
Bools: TypeAlias = NDArray[np.bool_]
Places: TypeAlias = Ints | slice  #: elements of an array: their numbers or, where these are regular, a slice

NONE = np.zeros(0, np.int64)
FEW_NODES = 9  #: up to here comparing with every boundary is faster than a binary search


def view(memory: Memory) -> Ints:
    """An array of the machine; writing to it changes the machine, without a journal."""
    return np.asarray(memory)


class Frames:
    """The fields of all frames (``FRAME_FIELDS``), as numpy arrays over the machine's own memory."""

    count: Ints
    mapcount: Ints
    mapping: Ints
    index: Ints
    free: Ints
    holder: Ints
    flags: Ints
    owner: Ints
    private: Ints
    stamp: Ints
    contents: Ints

    def __init__(self, m: MachineState) -> None:
        for name in FRAME_FIELDS:
            setattr(self, name, view(getattr(m, name)))


def rows_of(m: MachineState, pages: Ints) -> Ints:
    """The row (place in ``m.node_ids``) of the node of each page."""
    boundaries = m.first_frame[1:-1]
    if len(boundaries) >= FEW_NODES:
        return np.searchsorted(np.asarray(boundaries), pages, side="right").astype(np.int16)
    rows = np.zeros(len(pages), np.int16)
    for boundary in boundaries:
        rows += pages >= boundary
    return rows


def pages_by_row(m: MachineState, rows: Ints) -> list[int]:
    """How often each row is in ``rows``."""
    if len(m.node_ids) >= FEW_NODES:
        return [int(number) for number in np.bincount(rows, minlength=len(m.node_ids))]
    return [int(np.count_nonzero(rows == row)) for row in range(len(m.node_ids))]


def read(array: Ints, places: Places) -> Ints:
    """Elements of an array as they are now, whatever is written later."""
    return array[places].copy() if isinstance(places, slice) else array[places]


def groups(values: Ints) -> list[tuple[int, Ints | None]]:
    """Each value with its places in ``values``, which ascend; None for all places, where all values are the same."""
    lowest, highest = int(values.min()), int(values.max())
    if lowest == highest:
        return [(lowest, None)]
    if highest - lowest < 1 << 15:  # small keys are sorted digit by digit
        values = (values - lowest).astype(np.int16)
    else:
        lowest = 0
    order = np.argsort(values, kind="stable")
    in_order = values[order]
    ends = [*(np.flatnonzero(in_order[1:] != in_order[:-1]) + 1).tolist(), len(order)]
    parts = zip([0, *ends[:-1]], ends, strict=True)
    return [(lowest + int(in_order[begin]), order[begin:end]) for begin, end in parts]


def regular(places: Ints) -> Places:
    """The same places as a slice if they are equally far from each other, which numpy reads and writes much faster."""
    number = len(places)
    if number < 2:
        return places
    first, step = int(places[0]), int(places[1]) - int(places[0])
    last = first + step * (number - 1)
    if not step or int(places[-1]) != last or last < 0 or not (np.diff(places) == step).all():
        return places
    stop = last + (1 if step > 0 else -1)
    return slice(first, stop if stop >= 0 else None, step)
