"""Anything in any order on two nodes with room; the model keeps its promises and its way back."""

from __future__ import annotations

import pytest

from tests.random.anything import TO_REACH, OnTwoNodes
from tests.random.played import play_examples, see_that_all_was_reached

EXAMPLES = 1_250


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_promises_hold_whatever_happens_in_whatever_order() -> None:
    """And each status, a rollback, each wait and a copy on write during a migration come up by random play."""
    play_examples(OnTwoNodes, EXAMPLES)
    see_that_all_was_reached(OnTwoNodes.reached, TO_REACH)
