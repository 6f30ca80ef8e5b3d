"""An access trace: who read or wrote which address on which CPU, in the order of time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from numakit.abi import PAGE_SHIFT, PAGE_SIZE
from numakit.syscalls.page_range import END_OF_MEMORY

Integers: TypeAlias = "npt.NDArray[np.int64]"
Flags: TypeAlias = "npt.NDArray[np.bool_]"

HIGHEST = END_OF_MEMORY - PAGE_SIZE  #: the last page of user space is not used
TICKS_FOR_A_VALUE = 8  #: bytes that may be spent on an access to find out which pages there are
MOST_PAGES_APART = 512  #: pages in a row that nobody accesses and that still lie within one area


class TracedArea(NamedTuple):
    """Neighbouring pages of a process of a trace: what it has to map before the trace can be replayed."""

    pid: int
    start: int
    pages: int


@dataclass(frozen=True, eq=False)
class Trace:
    """Accesses in the order of time, as four arrays of one length.

    ``pid`` names processes within the trace (any numbers), ``cpu`` CPUs of the machine that it is replayed on,
    ``address`` is in bytes, ``write`` tells stores from loads. Several CPUs with one pid are threads. Raises ValueError
    for arrays that do not fit together, and for addresses outside 4096 to 2**47.
    """

    pid: Integers
    cpu: Integers
    address: Integers
    write: Flags

    def __post_init__(self) -> None:
        for name, kind in (("pid", np.int64), ("cpu", np.int64), ("address", np.int64), ("write", np.bool_)):
            given = np.asarray(getattr(self, name))
            if given.ndim != 1 or len(given) != len(self.pid):
                raise ValueError(f"{name}: one value for each of the {len(self.pid)} accesses is wanted")
            if kind is np.int64 and given.size and not np.issubdtype(given.dtype, np.integer):
                raise ValueError(f"{name}: whole numbers are wanted, not {given.dtype}")
            object.__setattr__(self, name, given.astype(kind, copy=False))
        if len(self) and not (self.address.min() >= PAGE_SIZE and self.address.max() < HIGHEST):
            wrong = self.address[(self.address < PAGE_SIZE) | (self.address >= HIGHEST)][0]
            raise ValueError(f"address={int(wrong):#x}: {PAGE_SIZE} to {HIGHEST:#x} are allowed")
        if len(self) and (self.cpu.min() < 0 or self.pid.min() < 0):
            raise ValueError("pid, cpu: numbers from 0 on are wanted")

    def __len__(self) -> int:
        return len(self.pid)

    def __getitem__(self, part: slice) -> Trace:
        """The accesses of a slice."""
        return Trace(self.pid[part], self.cpu[part], self.address[part], self.write[part])

    @property
    def pids(self) -> tuple[int, ...]:
        """The processes of the trace, by number."""
        return tuple(distinct(self.pid).tolist())

    @property
    def cpus(self) -> tuple[int, ...]:
        """The CPUs of the trace, by number."""
        return tuple(distinct(self.cpu).tolist())

    @property
    def areas(self) -> tuple[TracedArea, ...]:
        """The areas that hold all pages accessed, by process and address; short gaps are part of an area."""
        areas, pids = [], self.pids
        for pid in pids:
            addresses = self.address if len(pids) == 1 else self.address[self.pid == pid]
            pages = distinct(addresses >> PAGE_SHIFT)
            ends = np.flatnonzero(np.diff(pages) > MOST_PAGES_APART)
            firsts, lasts = np.concatenate(([0], ends + 1)), np.concatenate((ends, [len(pages) - 1]))
            areas += [
                TracedArea(pid, int(pages[first]) << PAGE_SHIFT, int(pages[last] - pages[first]) + 1)
                for first, last in zip(firsts, lasts, strict=True)
            ]
        return tuple(areas)

    def __repr__(self) -> str:
        pages = sum(area.pages for area in self.areas)
        share = f"{self.write.mean():.0%} of them writes" if len(self) else "none"
        return f"<Trace: {len(self):,} accesses, {share}; {pages:,} pages, pids {self.pids}, CPUs {self.cpus}>"


def distinct(values: Integers) -> Integers:
    """The values, each once, ascending. Those that lie close together are ticked off rather than sorted, which takes a
    tenth of the time.
    """
    if not len(values):
        return values
    lowest, highest = int(values.min()), int(values.max())
    if highest - lowest > TICKS_FOR_A_VALUE * len(values):
        return np.unique(values)
    seen = np.zeros(highest - lowest + 1, dtype=np.bool_)
    seen[values - lowest] = True
    return np.flatnonzero(seen) + lowest


def joined(traces: Iterable[Trace]) -> Trace:
    """One trace after the other. Raises ValueError for none."""
    parts = list(traces)
    if not parts:
        raise ValueError("traces: at least one is wanted")
    return Trace(*(np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS))


def interwoven(traces: Sequence[Trace]) -> Trace:
    """Traces that run beside each other: the first access of each, then the second of each, and so on. Raises
    ValueError for none.
    """
    whole: Any = joined(traces)
    places = np.concatenate([np.arange(len(trace)) for trace in traces])
    order = np.argsort(places, kind="stable")
    return Trace(*(getattr(whole, name)[order] for name in FIELDS))


FIELDS = ("pid", "cpu", "address", "write")
