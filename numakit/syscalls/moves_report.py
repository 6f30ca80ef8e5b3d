"""What migrate_pages(2) and mbind() tell when they are over: page by page, what was moved, left out, or tried in vain.

A process sees no more than the return code. The verdicts are taken out of the state here, as in syscalls.report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from numakit.abi import EAGAIN
from numakit.kernels.functions import kernel_function
from numakit.machine.bug import KernelBug
from numakit.machine.costs import Costs
from numakit.machine.process import TaskStruct
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict, take_verdict
from numakit.syscalls.mbind import sys_mbind
from numakit.syscalls.migrate_pages import Moves, sys_migrate_pages
from numakit.syscalls.page_range import Passed
from numakit.syscalls.report import why_it_returned
from numakit.timeline.task import Steps


class PageFate(NamedTuple):
    """A page that a call came by: where it was mapped, the page (pfn) and its node then, and what became of it."""

    address: int
    page: int
    node: int
    verdict: Verdict


class MovesReport(NamedTuple):
    """``ret`` (None: a BUG) and why; the pairs of nodes in their order; the pages on wrong nodes in theirs;
    and which engine made the call.
    """

    ret: int | None
    why: Verdict
    pairs: tuple[tuple[int, int], ...] = ()
    fates: Sequence[PageFate] = ()
    costs: Costs = Costs()
    engine: str = "steps"


@kernel_function
def report_sys_migrate_pages(
    m: MachineState, caller: TaskStruct, pid: int, old: tuple[int, ...], new: tuple[int, ...]
) -> Steps[MovesReport]:
    """Make the call sys_migrate_pages() and report on it."""
    try:
        moves = yield from sys_migrate_pages(m, caller, pid, old, new)
    except KernelBug as bug:
        return MovesReport(None, Verdict(0, "bug", (("what", str(bug)),)))
    return report_moves(m, moves)


@kernel_function
def report_sys_mbind(
    m: MachineState, caller: TaskStruct, start: int, length: int, mode: int, nodes: tuple[int, ...], flags: int
) -> Steps[MovesReport]:
    """Make the call sys_mbind() and report on it."""
    try:
        moves = yield from sys_mbind(m, caller, start, length, mode, nodes, flags)
    except KernelBug as bug:
        return MovesReport(None, Verdict(0, "bug", (("what", str(bug)),)))
    return report_moves(m, moves)


@kernel_function
def report_moves(m: MachineState, moves: Moves) -> MovesReport:
    """The report on a call that has ended."""
    fates = tuple(fate(m, one) for one in moves.passed)
    return MovesReport(moves.ret, why_it_returned(m), moves.pairs, fates, replace(m.costs))


def fate(m: MachineState, one: Passed) -> PageFate:
    """What became of a page."""
    noted = take_verdict(m, "page verdict", m.current, one.page)
    return PageFate(one.address, one.page, one.node, one.left or verdict_on(m, one.page, one.node, noted))


def verdict_on(m: MachineState, page: int, origin: int, noted: Verdict | None) -> Verdict:
    """The verdict on a page that was isolated on node ``origin``, by what was noted of it when it was tried."""
    if noted is None:
        return Verdict(0, "moved", (("page", page), ("origin", origin)))
    value = m.kernel.busy_status if noted.value == -EAGAIN else noted.value
    return Verdict(value, noted.row, (*noted.facts, ("origin", origin)))
