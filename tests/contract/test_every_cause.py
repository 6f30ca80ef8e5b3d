"""Each cause of a status leads to its row, and has an explanation of its own. Public calls only."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from errno import EACCES, EBUSY, EFAULT, EINVAL, EIO, ENOENT, ENOMEM, EPERM
from itertools import combinations

import pytest

from numakit import Machine
from tests.contract.causes import CAUSES, ROWS, Case, Cause


def bring_about(make_machine: Callable[..., Machine], cause: Cause) -> Case:
    """A cause on a machine of its own."""
    machine = make_machine({0: 64, 1: 64})
    return cause(machine, machine.spawn("shell", node=0))


def in_general(text: str) -> str:
    """An explanation without entry, address and numbers: two that differ only there say the same."""
    return re.sub(r"0x[0-9a-f]+|\d+", "#", text.partition(": ")[2])


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.__name__)
def test_a_cause_leads_to_its_row(make_machine: Callable[..., Machine], cause: Cause) -> None:
    """Row and status are those of the contract, and the explanation names the fact that decided."""
    case = bring_about(make_machine, cause)
    assert (case.result.rows[case.entry], case.result.outcome[case.entry]) == (case.row, case.status)
    says = case.result.explain(case.entry)
    for fact in case.facts:
        assert fact in says
    looked_up = case.row in ROWS[:8]  # nothing was queued, and nothing was busy
    assert case.result.ret == (-ENOENT if looked_up else 0)
    assert case.result.status[case.entry] == (None if looked_up else case.status)


def test_every_row_has_a_cause(make_machine: Callable[..., Machine]) -> None:
    """No row of the table is left out."""
    assert {bring_about(make_machine, cause).row for cause in CAUSES} == set(ROWS)


def test_two_causes_of_one_status_have_different_explanations(make_machine: Callable[..., Machine]) -> None:
    """Not only in their numbers: the words differ, wherever the cause does. (How a page came to be gone, nobody who
    let go of it tells; and that somebody else mlocked it is told by the name.)
    """
    by_status: dict[int, list[tuple[str, str, str]]] = defaultdict(list)
    for cause in CAUSES:
        case = bring_about(make_machine, cause)
        says = in_general(case.result.explain(case.entry))
        by_status[min(case.status, 0)].append((case.row, cause.__name__, says))
    assert set(by_status) == {0, -EACCES, -EBUSY, -EFAULT, -EINVAL, -EIO, -ENOENT, -ENOMEM, -EPERM}
    for cases in by_status.values():
        for one, other in combinations(cases, 2):
            if one[0] != "gone" or other[0] != "gone":
                assert one[2] != other[2], f"{one[1]} and {other[1]} are explained by the same words"


def test_an_explanation_says_what_can_be_done(make_machine: Callable[..., Machine]) -> None:
    """Each failure ends with advice, not only with a cause."""
    advice = re.compile(
        "Check|Write|Read it|Touch|Call|Ask|Name|Choose|Free|munlock|has to let go|copy the file|Look for|leave it"
    )
    for cause in CAUSES:
        case = bring_about(make_machine, cause)
        if case.status < 0:
            assert advice.search(case.result.explain(case.entry)), cause.__name__
