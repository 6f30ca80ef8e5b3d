"""The exercise of new_page_t, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.clone import ROOT
from tests.grading.course import NEW_PAGE, Edit, Graded, answer, cell_named, grade

TESTS = {"leaves": 2, "shares": 2, "status": 1, "room": 2, "back": 1}
SOURCE = ROOT / "exercises" / "source" / NEW_PAGE.assignment / f"{NEW_PAGE.notebook}.ipynb"

RIGHT_WITH_CELLS = """
class Spread:
    def __init__(self, machine, nodes, pages):
        self.machine, self.nodes, self.pages = machine, list(nodes), list(pages)
        self.shares = [machine.free_frames(node) for node in nodes]
        self.given = machine.cells(len(nodes))

    def __call__(self, page, private, result):
        result.point_to(private, self.pages.index(page))
        for i in sorted(range(len(self.nodes)), key=lambda i: (self.given[i] + 0.5) / max(self.shares[i], 0.001)):
            if self.nodes[i] != self.machine.node(page):
                new = self.machine.alloc_page(self.nodes[i])
                if new is not None:
                    self.given[i] += 1
                    return new


def spread(machine, nodes, pages):
    return Spread(machine, nodes, pages)
"""
COUNTS_IN_A_VARIABLE = """
def spread(machine, nodes, pages):
    shares, given = {node: machine.free_frames(node) for node in nodes}, dict.fromkeys(nodes, 0)

    def get_new_page(page, private, result):
        result.point_to(private, pages.index(page))
        able = [node for node in nodes if node != machine.node(page) and machine.free_frames(node)]
        if not able:
            return None
        node = min(able, key=lambda node: (given[node] + 0.5) / shares[node])
        given[node] += 1
        return machine.alloc_page(node)

    return get_new_page
"""
TAKES_THE_EMPTIEST = """
def spread(machine, nodes, pages):
    def get_new_page(page, private, result):
        result.point_to(private, pages.index(page))
        able = [node for node in nodes if node != machine.node(page) and machine.free_frames(node)]
        return machine.alloc_page(max(able, key=machine.free_frames)) if able else None

    return get_new_page
"""
TELLS_NO_STATUS = """
def spread(machine, nodes, pages):
    first = {node: machine.free_frames(node) for node in nodes if machine.free_frames(node)}

    def get_new_page(page, private, result):
        able = [node for node in first if node != machine.node(page) and machine.free_frames(node)]
        if able:
            return machine.alloc_page(max(able, key=lambda node: machine.free_frames(node) / first[node]))

    return get_new_page
"""
STAYS_AT_HOME = """
def spread(machine, nodes, pages):
    first = {node: machine.free_frames(node) for node in nodes if machine.free_frames(node)}

    def get_new_page(page, private, result):
        result.point_to(private, pages.index(page))
        able = [node for node in first if machine.free_frames(node)]
        return machine.alloc_page(max(able, key=lambda node: machine.free_frames(node) / first[node])) if able else None

    return get_new_page
"""
RETURNS_THE_NODE = """
def spread(machine, nodes, pages):
    return lambda page, private, result: max(nodes, key=machine.free_frames)
"""


def reference_solution() -> str:
    """The function as the source of the exercise has it."""
    source: str = cell_named(nbformat.read(SOURCE, 4), NEW_PAGE.answer).source
    return source


def points(*earned: str) -> dict[str, float]:
    """The points of each test when those named are passed."""
    return {name: float(most if name in earned else 0) for name, most in TESTS.items()}


def cheat(notebook: nbformat.NotebookNode) -> None:
    """Make the worlds harmless, and have fewer tests."""
    cell_named(notebook, "world").source = "def world(topology, random_seed, pages=48): return None, None, [], []"
    cell_named(notebook, "leaves").source = "assert True"
    notebook.cells.remove(cell_named(notebook, "shares"))


#: student -> what is done to the version that was handed out
CLASS: dict[str, Edit | None] = {
    "ada": answer(reference_solution(), NEW_PAGE),
    "alan": answer(RIGHT_WITH_CELLS, NEW_PAGE),
    "bob": None,
    "eve": answer(COUNTS_IN_A_VARIABLE, NEW_PAGE),
    "kim": answer(TAKES_THE_EMPTIEST, NEW_PAGE),
    "leo": answer(TELLS_NO_STATUS, NEW_PAGE),
    "mia": answer(STAYS_AT_HOME, NEW_PAGE),
    "ned": answer(RETURNS_THE_NODE, NEW_PAGE),
    "mallory": cheat,
}


@pytest.fixture(scope="module")
def graded(new_course: Callable[[], Path]) -> dict[str, Graded]:
    """The whole class, graded in one go."""
    return grade(new_course(), CLASS, exercise=NEW_PAGE)


@pytest.mark.parametrize("student", ["ada", "alan"])
def test_right_answers_get_full_marks_however_they_are_written(graded: dict[str, Graded], student: str) -> None:
    """The reference solution, which only looks, and an object that counts in cells."""
    assert graded[student].points == points(*TESTS)
    assert graded[student].score == sum(TESTS.values()) == 8


def test_untouched_student_version_gets_nothing(graded: dict[str, Graded]) -> None:
    """A test that passes without an answer would test nothing."""
    assert graded["bob"] == Graded(0, points())


@pytest.mark.parametrize(
    ("student", "earned"),
    [
        pytest.param("eve", ["leaves", "shares", "status", "room"], id="counts in a variable"),
        pytest.param("kim", ["leaves", "status", "room", "back"], id="takes the emptiest node"),
        pytest.param("leo", ["leaves", "shares", "back"], id="tells no status"),
        pytest.param("mia", ["status", "back"], id="lets pages stay on their node"),
        pytest.param("ned", [], id="returns a node"),
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


def test_student_version_shows_neither_solution_nor_hidden_tests(released: Path) -> None:
    """And each test cell still opens with a sentence that says what is checked."""
    notebook = nbformat.read(released / "release" / NEW_PAGE.assignment / f"{NEW_PAGE.notebook}.ipynb", 4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert not [word for word in ("SOLUTION", "HIDDEN", "at_first", "glueless8") if word in text]
    assert "raise NotImplementedError" in cell_named(notebook, NEW_PAGE.answer).source
    for name in TESTS:
        assert cell_named(notebook, name).source.startswith("# Checked here (")
    assert not [cell for cell in notebook.cells if cell.get("outputs")]


def test_points_in_the_statement_are_those_that_can_be_had() -> None:
    """The statement and the test cells tell the same numbers."""
    notebook = nbformat.read(SOURCE, 4)
    assert f"{sum(TESTS.values())} points" in notebook.cells[0].source
    for name, most in TESTS.items():
        cell = cell_named(notebook, name)
        assert cell.metadata.nbgrader.points == most
        assert f"({most} point" in cell.source.splitlines()[0]
