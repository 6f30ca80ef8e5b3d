"""What a call tells when it is over: its return code, what user memory holds, what was decided for each entry and why.

The verdicts are taken out of the state here; the kernel itself keeps nothing of a call that has ended.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from numakit.abi import EAGAIN
from numakit.kernels.functions import kernel_function
from numakit.machine.bug import KernelBug
from numakit.machine.costs import Costs
from numakit.machine.process import TaskStruct
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict, forget_verdicts, take_verdict
from numakit.migration.migrate_pages import migrate_pages
from numakit.migration.new_page import NewPage
from numakit.syscalls.move_pages import UNSET, CallRecord, sys_move_pages
from numakit.syscalls.user_memory import Argument, UserArray, peek
from numakit.timeline.task import Steps


class Report(NamedTuple):
    """``ret`` and why (None: the kernel hit a BUG); ``status`` as user memory holds it (None: the kernel wrote
    nothing); a verdict for each entry that was decided (None: the call ended before).
    """

    ret: int | None
    why: Verdict
    status: tuple[int | None, ...]
    verdicts: tuple[Verdict | None, ...]
    costs: Costs = Costs()

    @property
    def engine(self) -> str:
        """Which engine made the call, see numakit.bulk."""
        return "steps"

    @property
    def told(self) -> Sequence[int | None]:
        """What user memory holds, an element an entry."""
        return list(self.status)

    @property
    def outcome(self) -> Sequence[int | None]:
        """The answer of each entry; None where nothing was decided."""
        return [verdict.value if verdict else None for verdict in self.verdicts]


@kernel_function
def report_move_pages(
    m: MachineState,
    caller: TaskStruct,
    pid: int,
    nr_pages: int,
    pages: Argument,
    nodes: Argument | None,
    status: UserArray | None,
    flags: int,
) -> Steps[Report]:
    """Make the call sys_move_pages() and report on it."""
    ret: int | None = None
    try:
        ret = yield from sys_move_pages(m, caller, pid, nr_pages, pages, nodes, status, flags)
        why = why_it_returned(m)
    except KernelBug as bug:
        why = Verdict(0, "bug", (("what", str(bug)),))
    record: CallRecord | None = m.table.get(("call", m.current))
    shown = min(nr_pages, len(pages) if not isinstance(pages, UserArray) else pages.length)
    verdicts: tuple[Verdict | None, ...] = (None,) * shown
    stored: tuple[int | None, ...] | None = None
    if record is not None:
        verdicts = tuple(entry_verdict(m, record, entry) for entry in range(len(record.addresses)))
        m.put(("call", m.current), None)
        m.drop_array(record.outcome)
        m.drop_array(record.queued)
        if record.stored is not None:
            stored = tuple(None if value == UNSET else value for value in m.arrays[record.stored])
            m.drop_array(record.stored)
    forget_verdicts(m)
    if stored is not None:
        written = stored
    elif status is None:
        written = tuple(v.value if v is not None and ret is not None and ret >= 0 else None for v in verdicts)
    else:
        number = min(status.length, shown)
        left_alone = not_written(why, number)
        written = tuple(None if i in left_alone else peek(m, caller.mm, status, i) for i in range(number))
    return Report(ret, why, written, verdicts, replace(m.costs))


def why_it_returned(m: MachineState) -> Verdict:
    """The verdict that the acting task's call left for its return code."""
    why = take_verdict(m, "return", m.current)
    assert why is not None, "a call has to say why it returns what it returns"
    return why


def not_written(why: Verdict, number: int) -> Container[int]:
    """The elements of status[] that the call left alone: all ``number`` of them if it failed before it copied any."""
    if why.row == "status-unwritable":
        return frozenset(why.fact["entries"])
    return range(number) if why.value < 0 or why.row == "bug" else ()


def entry_verdict(m: MachineState, record: CallRecord, entry: int) -> Verdict | None:
    """What was decided for an entry. Only failures were noted on the way; the rest follows from the arrays."""
    value, page = m.arrays[record.outcome][entry], m.arrays[record.queued][entry] - 1
    noted = take_verdict(m, "entry", m.current, entry)
    of_page: Verdict | None = m.table.get(("page verdict", m.current, page))
    # A frame that one entry's page has left may hold the page of a later entry, which failed: that is not its verdict.
    if noted is None and of_page is not None and (of_page.value < 0) == (value < 0):
        noted = take_verdict(m, "page verdict", m.current, page)
    if value == UNSET:
        return None
    if noted is None:
        moved = "moved" if value == record.nodes[entry] else "elsewhere"
        row = moved if page >= 0 else "here" if record.nodes[entry] is None else "there"
        noted = Verdict(value, row, (("page", page),) if page >= 0 else ())
    return noted._replace(value=value)


@kernel_function
def report_migrate_pages(m: MachineState, pages: Sequence[int], get_new_page: NewPage, private: Any) -> Steps[Report]:
    """Call migrate_pages() inside the kernel and report on it: the verdicts are those on the pages, in their order."""
    nodes = [m.node(page) for page in pages]
    try:
        ret = yield from migrate_pages(m, pages, get_new_page, private)
    except KernelBug as bug:
        return Report(None, Verdict(0, "bug", (("what", str(bug)),)), (), (), replace(m.costs))
    verdicts = []
    for page, node in zip(pages, nodes, strict=True):
        verdict = take_verdict(m, "page verdict", m.current, page) or Verdict(0, "moved", (("page", page),))
        told = m.kernel.busy_status if verdict.value == -EAGAIN else verdict.value
        verdicts.append(Verdict(told, verdict.row, (*verdict.facts, ("origin", node))))
    row = "full" if ret < 0 else "stayed" if ret else "all-moved"
    return Report(ret, Verdict(ret, row), (), tuple(verdicts), replace(m.costs))
