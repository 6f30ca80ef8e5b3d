"""migrate_pages(2), mbind() and changes of cpusets in bulk: the readable calls, with functions in some of their roles
that take all pages of an area, or of a walk, at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from numakit.bulk.fates import Fates, PassedPages
from numakit.bulk.kernel_migrate_pages import migrate_pages_in_bulk
from numakit.bulk.page_range import (
    check_pte_range_in_bulk,
    check_range_in_bulk,
    left_in_a_locked_area_in_bulk,
    note_untried_in_bulk,
    take_noted,
)
from numakit.kernels.functions import serves
from numakit.machine.state import MachineState
from numakit.syscalls.migrate_pages import Moves
from numakit.syscalls.moves_report import MovesReport, verdict_on
from numakit.syscalls.report import why_it_returned
from numakit.timeline.task import Steps


@serves("report_moves")
def report_moves_in_bulk(m: MachineState, moves: Moves) -> MovesReport:
    """The report on a call that has ended; what became of its pages stays in columns."""
    passed = PassedPages(()) + moves.passed
    noted = take_noted(m, passed.whole.pages)
    isolated = np.flatnonzero(passed.whole.left < 0)
    single = isolated[np.isin(passed.whole.pages[isolated], list(noted))].tolist() if noted else []
    verdicts = {at: verdict_on(m, passed[at].page, passed[at].node, noted[passed[at].page]) for at in single}
    fates = Fates(passed, verdicts)
    return MovesReport(moves.ret, why_it_returned(m), moves.pairs, fates, replace(m.costs), "bulk")


@serves("forget_fates")
def forget_fates_in_bulk(m: MachineState, moves: Moves) -> None:
    """What was noted of pages is not kept."""
    take_noted(m, (PassedPages(()) + moves.passed).whole.pages)


#: what serves while such a call is made
IN_BULK = {
    "check_range": check_range_in_bulk,
    "check_pte_range": check_pte_range_in_bulk,
    "left_in_a_locked_area": left_in_a_locked_area_in_bulk,
    "note_untried": note_untried_in_bulk,
    "migrate_pages": migrate_pages_in_bulk,
    "report_moves": report_moves_in_bulk,
    "forget_fates": forget_fates_in_bulk,
}


def with_many_at_once(m: MachineState, call: Callable[..., Steps[Any]], *arguments: Any) -> Steps[Any]:
    """Make a call of the readable engine with these functions in their roles."""
    before = m.replaced
    m.replaced = {**(before or {}), **{role: function.__name__ for role, function in IN_BULK.items()}}
    try:
        return (yield from call(m, *arguments))
    finally:
        m.replaced = before
