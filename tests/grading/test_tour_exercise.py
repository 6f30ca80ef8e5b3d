"""The exercise of the tour, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from numakit.handout import student_version
from tests.grading.course import TOUR, Graded, answer, cell_named, grade
from tests.grading.marks import Marking, Marks

TRUSTS_STATUS = """
def gather(process, area, node):
    result = process.move_pages(0, area, nodes=[node] * len(area))
    return {status: result.status.count(status) for status in set(result.status)}
"""
COUNTS_WHAT_IS_THERE = """
from collections import Counter


def gather(process, area, node):
    return dict(Counter(process.move_pages(0, area, nodes=[node] * len(area)).status))
"""
TRUSTS_THE_RETURN_CODE = """
def gather(process, area, node):
    result = process.move_pages(0, area, nodes=[node] * len(area))
    return {node: len(area)} if result.ret == 0 else {result.ret: len(area)}
"""
PAGE_BY_PAGE = """
def gather(process, area, node):
    counted = {}
    for address in area:
        result = process.move_pages(0, [address], nodes=[node])
        if result.ret < 0:
            result = process.move_pages(0, [address], nodes=None)
        counted[result.status[0]] = counted.get(result.status[0], 0) + 1
    return counted
"""
ENDLESS = """
def gather(process, area, node):
    while True:
        pass
"""

BRING_THEM_HOME = Marking(
    TOUR,
    {"all-move": 2, "mixed-fates": 2, "nothing-to-move": 1, "few-calls": 1},
    wrong={
        "forgets that status may not be written": ({"gather": TRUSTS_STATUS}, ["all-move", "mixed-fates"]),
        "takes 0 for success of every page": ({"gather": TRUSTS_THE_RETURN_CODE}, ["all-move"]),
        "calls for each page": ({"gather": PAGE_BY_PAGE}, ["all-move", "nothing-to-move"]),
    },
    told={"forgets that status may not be written": ["a query would answer"]},
    secret=("def fate", "result.status.count"),
)


class TestTour(Marks):
    """Bring them home."""

    marking = BRING_THEM_HOME

    def test_endless_loop_is_ended_and_the_class_is_graded(self, new_course: Callable[[], Path]) -> None:
        """Each cell has its time, shortened here; the grading goes on behind it."""
        late = grade(new_course(), {"zeno": answer(ENDLESS), "zoe": None}, "--Judge.cell_seconds=2")
        assert late == {name: Graded(0, self.marking.points([])) for name in ("zeno", "zoe")}

    @pytest.mark.parametrize("naive", [TRUSTS_STATUS, COUNTS_WHAT_IS_THERE], ids=["list", "counter"])
    def test_students_see_that_a_call_with_nothing_to_do_writes_no_status(self, naive: str) -> None:
        """The visible part of the test fails for the first idea that everybody has, and says what to do."""
        notebook = nbformat.reads(student_version(nbformat.writes(self.marking.source).encode()).decode(), 4)
        names: dict[str, Any] = {}
        for cell in ("world", "watched"):
            exec(cell_named(notebook, cell).source, names)
        exec(naive, names)
        exec(cell_named(notebook, "all-move").source, names)
        with pytest.raises(AssertionError, match="a query would answer"):
            exec(cell_named(notebook, "nothing-to-move").source, names)
        exec(self.marking.reference["gather"], names)
        exec(cell_named(notebook, "nothing-to-move").source, names)
