"""The calls that can be made in bulk, in one place: the facade asks here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numakit.bulk.first_touch import read_in_bulk, write_in_bulk
from numakit.bulk.kernel_move_pages import report_kernel_move_pages_in_bulk
from numakit.bulk.move_pages import report_move_pages_in_bulk
from numakit.bulk.move_pages_in_chunks import report_move_pages_in_chunks_in_bulk
from numakit.bulk.moves import with_many_at_once
from numakit.machine.state import MachineState
from numakit.syscalls.report import Report
from numakit.timeline.task import Steps

#: who makes the call in bulk instead of the function that serves as sys_move_pages()
MOVE_PAGES = {
    "sys_move_pages": report_move_pages_in_bulk,
    "sys_move_pages_in_chunks": report_move_pages_in_chunks_in_bulk,
    "kernel_move_pages": report_kernel_move_pages_in_bulk,
}


def move_pages(m: MachineState, *arguments: Any) -> Steps[Report]:
    """move_pages(2), as report_move_pages(), on whichever kernel."""
    return (yield from MOVE_PAGES[m.kernel.functions.get("sys_move_pages", "sys_move_pages")](m, *arguments))


def write(m: MachineState, mm: int, addresses: Sequence[int]) -> Steps[int]:
    """A write to each of many pages, as access() after access()."""
    return (yield from write_in_bulk(m, mm, addresses))


def moves(m: MachineState, call: Callable[..., Steps[Any]], *arguments: Any) -> Steps[Any]:
    """migrate_pages(2), mbind() or a change of a cpuset: ``call`` with its arguments."""
    return (yield from with_many_at_once(m, call, *arguments))


def read(m: MachineState, mm: int, addresses: Sequence[int]) -> Steps[list[int]]:
    """A read of each of many pages, as access() after access()."""
    return (yield from read_in_bulk(m, mm, addresses))
