"""The calls that can be made in bulk, in one place: the facade asks here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numakit.bulk.first_touch import write_in_bulk
from numakit.bulk.kernel_move_pages import report_kernel_move_pages_in_bulk
from numakit.bulk.move_pages import report_move_pages_in_bulk
from numakit.machine.state import MachineState
from numakit.syscalls.report import Report
from numakit.timeline.task import Steps


def move_pages(m: MachineState, *arguments: Any) -> Steps[Report]:
    """move_pages(2), as report_move_pages(), on whichever kernel."""
    of_today = m.kernel.functions.get("sys_move_pages") == "kernel_move_pages"
    report = report_kernel_move_pages_in_bulk if of_today else report_move_pages_in_bulk
    return (yield from report(m, *arguments))


def write(m: MachineState, mm: int, addresses: Sequence[int]) -> Steps[int]:
    """A write to each of many pages, as access() after access()."""
    return (yield from write_in_bulk(m, mm, addresses))
