"""The exercise of the tour, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest

from numakit.handout import student_version
from tests.clone import ROOT
from tests.grading.course import ASSIGNMENT, EXERCISE, Edit, Graded, answer, cell_named, grade

TESTS = {"all-move": 2, "mixed-fates": 2, "nothing-to-move": 1, "few-calls": 1}
SOURCE = ROOT / "exercises" / "source" / ASSIGNMENT / f"{EXERCISE}.ipynb"

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


def reference_solution() -> str:
    """The function as the source of the exercise has it."""
    source: str = cell_named(nbformat.read(SOURCE, 4), "gather").source
    return source


def points(*earned: str) -> dict[str, float]:
    """The points of each test when those named are passed."""
    return {name: float(most if name in earned else 0) for name, most in TESTS.items()}


def cheat(notebook: nbformat.NotebookNode) -> None:
    """Make the tests easier, or have none."""
    cell_named(notebook, "all-move").source = "assert True"
    cell_named(notebook, "world").source = "def world(preset, random_seed): return None, [], 0"
    notebook.cells.remove(cell_named(notebook, "mixed-fates"))


#: student -> what is done to the version that was handed out
CLASS: dict[str, Edit | None] = {
    "ada": answer(reference_solution()),
    "bob": None,
    "eve": answer(TRUSTS_STATUS),
    "kim": answer(TRUSTS_THE_RETURN_CODE),
    "leo": answer(PAGE_BY_PAGE),
    "mallory": cheat,
}


@pytest.fixture(scope="module")
def graded(new_course: Callable[[], Path]) -> dict[str, Graded]:
    """The whole class, graded in one go."""
    return grade(new_course(), CLASS)


def test_reference_solution_gets_full_marks(graded: dict[str, Graded]) -> None:
    """Or nobody could."""
    assert graded["ada"].points == points(*TESTS)
    assert graded["ada"].score == sum(TESTS.values()) == 6


def test_untouched_student_version_gets_nothing(graded: dict[str, Graded]) -> None:
    """A test that passes without an answer would test nothing."""
    assert graded["bob"] == Graded(0, points())


@pytest.mark.parametrize(
    ("student", "earned"),
    [
        pytest.param("eve", ["all-move", "mixed-fates"], id="forgets that status may not be written"),
        pytest.param("kim", ["all-move"], id="takes 0 for success of every page"),
        pytest.param("leo", ["all-move", "nothing-to-move"], id="calls for each page"),
    ],
)
def test_wrong_answer_gets_the_points_of_what_is_right_in_it(
    graded: dict[str, Graded], student: str, earned: list[str]
) -> None:
    """Plausible mistakes, each told from the others."""
    assert graded[student].points == points(*earned)


def test_edited_and_deleted_test_cells_do_not_help(graded: dict[str, Graded]) -> None:
    """The originals are put back before grading."""
    assert graded["mallory"].score == 0


def test_endless_loop_is_ended_and_the_class_is_graded(new_course: Callable[[], Path]) -> None:
    """Each cell has its time, shortened here; the grading goes on behind it."""
    late = grade(new_course(), {"zeno": answer(ENDLESS), "zoe": None}, "--Judge.cell_seconds=2")
    assert late == {"zeno": Graded(0, points()), "zoe": Graded(0, points())}


def test_student_version_shows_neither_solution_nor_hidden_tests(released: Path) -> None:
    """And each test cell still opens with a sentence that says what is checked."""
    notebook = nbformat.read(released / "release" / ASSIGNMENT / f"{EXERCISE}.ipynb", 4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert not [word for word in ("SOLUTION", "HIDDEN", "def fate", "result.status.count") if word in text]
    assert "raise NotImplementedError" in cell_named(notebook, "gather").source
    assert '"""Bring the pages of `area` to `node`' in cell_named(notebook, "gather").source
    for name in TESTS:
        assert cell_named(notebook, name).source.startswith("# Checked here (")
    assert not [cell for cell in notebook.cells if cell.get("outputs")]


@pytest.mark.parametrize("naive", [TRUSTS_STATUS, COUNTS_WHAT_IS_THERE], ids=["list", "counter"])
def test_students_see_that_a_call_with_nothing_to_do_writes_no_status(naive: str) -> None:
    """The visible part of the test fails for the first idea that everybody has, and says what to do."""
    notebook = nbformat.reads(student_version(SOURCE.read_bytes()).decode(), 4)
    names: dict[str, Any] = {}
    for cell in ("world", "watched"):
        exec(cell_named(notebook, cell).source, names)
    exec(naive, names)
    exec(cell_named(notebook, "all-move").source, names)
    with pytest.raises(AssertionError, match="a query would answer"):
        exec(cell_named(notebook, "nothing-to-move").source, names)
    exec(reference_solution(), names)
    exec(cell_named(notebook, "nothing-to-move").source, names)


def test_points_in_the_statement_are_those_that_can_be_had() -> None:
    """The statement and the test cells tell the same numbers."""
    notebook = nbformat.read(SOURCE, 4)
    assert f"{sum(TESTS.values())} points" in notebook.cells[0].source
    for name, most in TESTS.items():
        cell = cell_named(notebook, name)
        assert cell.metadata.nbgrader.points == most
        assert f"({most} point" in cell.source.splitlines()[0]
