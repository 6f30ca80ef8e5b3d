"""The exercise of the topology, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.clone import ROOT
from tests.grading.course import Edit, Exercise, Graded, answer, cell_named, grade

TOPOLOGY = Exercise("topology", "when-the-node-is-full", "zonelist")
TESTS = {"no-ties": 1, "ties": 2, "missing": 2, "cpuset": 1, "direction": 1, "sum": 1}
SOURCE = ROOT / "exercises" / "source" / TOPOLOGY.assignment / f"{TOPOLOGY.notebook}.ipynb"

RIGHT_FROM_THE_GRAPH = """
def zonelist(topology, node, mems):
    graph, penalties = topology.graph, {}
    for other, about in graph.nodes.items():
        if about["online"] and about["memory"] and other in mems:
            penalty = graph.edges[node, other]["distance"]
            penalty += 1 if other < node else 0
            penalty += 1 if about["cpus"] else 0
            penalties.setdefault(-1 if other == node else penalty, []).append(other)
    return tuple(other for penalty in sorted(penalties) for other in sorted(penalties[penalty]))
"""
TAKES_THE_NEAREST = """
def zonelist(topology, node, mems):
    return [other for other in topology.nearest(node) if other in mems]
"""
ONE_RULE_AFTER_THE_OTHER = """
def zonelist(topology, node, mems):
    usable = [other for other in topology.nodes if topology.memory(other) and other in mems]
    rules = lambda other: (other != node, topology.distance(node, other), other < node, topology.cpus(other) != ())
    return sorted(usable, key=rules)
"""
TAKES_NODES_FOR_MEMORY = """
def zonelist(topology, node, mems):
    def penalty(other):
        return topology.distance(node, other) + (other < node) + bool(topology.cpus(other))

    return sorted(set(topology.nodes) & set(mems), key=lambda other: (other != node, penalty(other), other))
"""
LOOKS_BACK = """
def zonelist(topology, node, mems):
    def penalty(other):
        return topology.distance(other, node) + (other < node) + bool(topology.cpus(other))

    usable = [other for other in topology.nodes if topology.memory(other) and other in mems]
    return sorted(usable, key=lambda other: (other != node, penalty(other), other))
"""
COUNTS_NODES_FROM_0 = """
def zonelist(topology, node, mems):
    def penalty(other):
        return topology.distance(node, other) + (other < node) + bool(topology.cpus(other))

    usable = [other for other in range(len(topology.nodes)) if topology.memory(other)]
    return sorted(usable, key=lambda other: (other != node, penalty(other), other))
"""


def reference_solution() -> str:
    """The function as the source of the exercise has it."""
    source: str = cell_named(nbformat.read(SOURCE, 4), TOPOLOGY.answer).source
    return source


def points(*earned: str) -> dict[str, float]:
    """The points of each test when those named are passed."""
    return {name: float(most if name in earned else 0) for name, most in TESTS.items()}


def cheat(notebook: nbformat.NotebookNode) -> None:
    """Make the comparison easier, and have fewer tests."""
    cell_named(notebook, "filled").source = "def filled(topology, node, mems): return zonelist(topology, node, mems)"
    cell_named(notebook, "ties").source = "assert True"
    notebook.cells.remove(cell_named(notebook, "missing"))


#: student -> what is done to the version that was handed out
CLASS: dict[str, Edit | None] = {
    "ada": answer(reference_solution(), TOPOLOGY),
    "alan": answer(RIGHT_FROM_THE_GRAPH, TOPOLOGY),
    "bob": None,
    "eve": answer(TAKES_THE_NEAREST, TOPOLOGY),
    "kim": answer(ONE_RULE_AFTER_THE_OTHER, TOPOLOGY),
    "leo": answer(TAKES_NODES_FOR_MEMORY, TOPOLOGY),
    "mia": answer(LOOKS_BACK, TOPOLOGY),
    "sam": answer(COUNTS_NODES_FROM_0, TOPOLOGY),
    "mallory": cheat,
}


@pytest.fixture(scope="module")
def graded(new_course: Callable[[], Path]) -> dict[str, Graded]:
    """The whole class, graded in one go."""
    return grade(new_course(), CLASS, exercise=TOPOLOGY)


@pytest.mark.parametrize("student", ["ada", "alan"])
def test_right_answers_get_full_marks_however_they_are_written(graded: dict[str, Graded], student: str) -> None:
    """The reference solution, and one that walks over the graph."""
    assert graded[student].points == points(*TESTS)
    assert graded[student].score == sum(TESTS.values()) == 8


def test_untouched_student_version_gets_nothing(graded: dict[str, Graded]) -> None:
    """A test that passes without an answer would test nothing."""
    assert graded["bob"] == Graded(0, points())


@pytest.mark.parametrize(
    ("student", "earned"),
    [
        pytest.param("eve", ["no-ties", "missing", "cpuset", "direction"], id="lower ids first among equals"),
        pytest.param("kim", ["no-ties", "ties", "missing", "cpuset", "direction"], id="compares instead of adding"),
        pytest.param("leo", ["no-ties", "ties", "cpuset", "direction", "sum"], id="forgets who has no memory"),
        pytest.param("mia", ["no-ties", "ties", "missing", "cpuset"], id="reads the column for the row"),
        pytest.param("sam", ["no-ties", "direction", "sum"], id="believes that ids count from 0, ignores the cpuset"),
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
    notebook = nbformat.read(released / "release" / TOPOLOGY.assignment / f"{TOPOLOGY.notebook}.ipynb", 4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert not [word for word in ("SOLUTION", "HIDDEN", "def kernels", "def penalty", "crooked") if word in text]
    assert "raise NotImplementedError" in cell_named(notebook, TOPOLOGY.answer).source
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
