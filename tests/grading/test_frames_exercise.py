"""The exercise of frames and faults, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tests.clone import ROOT
from tests.grading.course import FRAMES, Edit, Graded, answer, cell_named, grade

TESTS = {"memory": 2, "strangers": 2, "files": 2, "worlds": 2, "order": 1}
SOURCE = ROOT / "exercises" / "source" / FRAMES.assignment / f"{FRAMES.notebook}.ipynb"

RIGHT_BY_COUNTING = """
def predict(process, addresses, node):
    machine = process.machine

    def status(address):
        page = process.page(address)
        if page is None:
            return -ENOENT
        frame, users = machine.frame(page), {place.processes for place in machine.mapped_at(page)}
        if "the kernel: its zero page" in frame.holders:
            return -EFAULT
        if frame.node == node:
            return node
        told = sum(times for name, times in frame.holders.items() if name in ("page cache", "swap cache", "buffers"))
        waiting = sum(times for name, times in frame.holders.items() if "pagevec" in name)
        return -EACCES if len(users) > 1 else node if frame.count == frame.mapcount + told + waiting else -EBUSY

    return [status(address) for address in addresses]
"""
FORGETS_THE_CACHES = """
def predict(process, addresses, node):
    def status(address):
        pte = process.pte(address)
        if pte.kind != "present":
            return -ENOENT
        frame = process.machine.frame(pte.page)
        if pte.page == 0 or pte.node == node:
            return -EFAULT if pte.page == 0 else node
        if frame.mapcount > 1:
            return -EACCES
        return -EBUSY if [name for name in frame.holders if name != "PTE" and "pagevec" not in name] else node

    return [status(address) for address in addresses]
"""
FORGETS_THE_PAGEVECS = """
def predict(process, addresses, node):
    def status(address):
        pte = process.pte(address)
        if pte.kind != "present":
            return -ENOENT
        if pte.page == 0 or pte.node == node:
            return -EFAULT if pte.page == 0 else node
        users = {name for place in process.machine.mapped_at(pte.page) for name in place.processes}
        known = {"PTE", "page cache", "swap cache", "buffers"}
        return -EACCES if len(users) > 1 else -EBUSY if set(process.machine.frame(pte.page).holders) - known else node

    return [status(address) for address in addresses]
"""
SHARED_BEFORE_THERE = """
def predict(process, addresses, node):
    def status(address):
        pte = process.pte(address)
        if pte.kind != "present":
            return -ENOENT
        if pte.page == 0:
            return -EFAULT
        holders = process.machine.frame(pte.page).holders
        if [name for name in holders if name.startswith(("a pipe", "a disc", "a network"))]:
            return -EBUSY
        users = {name for place in process.machine.mapped_at(pte.page) for name in place.processes}
        return -EACCES if len(users) > 1 and pte.node != node else node

    return [status(address) for address in addresses]
"""
ASKS_THE_KERNEL = """
def predict(process, addresses, node):
    return process.move_pages(0, addresses, nodes=[node] * len(addresses)).outcome
"""


def reference_solution() -> str:
    """The function as the source of the exercise has it."""
    source: str = cell_named(nbformat.read(SOURCE, 4), FRAMES.answer).source
    return source


def points(*earned: str) -> dict[str, float]:
    """The points of each test when those named are passed."""
    return {name: float(most if name in earned else 0) for name, most in TESTS.items()}


def cheat(notebook: nbformat.NotebookNode) -> None:
    """Make the comparison easier, and have fewer tests."""
    cell_named(notebook, "check").source = "def check(process, addresses, node, what): return set()"
    cell_named(notebook, "memory").source = "assert True"
    notebook.cells.remove(cell_named(notebook, "worlds"))


#: student -> what is done to the version that was handed out
CLASS: dict[str, Edit | None] = {
    "ada": answer(reference_solution(), FRAMES),
    "alan": answer(RIGHT_BY_COUNTING, FRAMES),
    "bob": None,
    "eve": answer(FORGETS_THE_CACHES, FRAMES),
    "kim": answer(FORGETS_THE_PAGEVECS, FRAMES),
    "leo": answer(SHARED_BEFORE_THERE, FRAMES),
    "mia": answer(ASKS_THE_KERNEL, FRAMES),
    "mallory": cheat,
}


@pytest.fixture(scope="module")
def graded(new_course: Callable[[], Path]) -> dict[str, Graded]:
    """The whole class, graded in one go."""
    return grade(new_course(), CLASS, exercise=FRAMES)


@pytest.mark.parametrize("student", ["ada", "alan"])
def test_right_answers_get_full_marks_however_they_are_written(graded: dict[str, Graded], student: str) -> None:
    """The reference solution, and one that counts references."""
    assert graded[student].points == points(*TESTS)
    assert graded[student].score == sum(TESTS.values()) == 9


def test_untouched_student_version_gets_nothing(graded: dict[str, Graded]) -> None:
    """A test that passes without an answer would test nothing."""
    assert graded["bob"] == Graded(0, points())


@pytest.mark.parametrize(
    ("student", "earned"),
    [
        pytest.param("eve", ["memory", "order"], id="takes caches for strangers"),
        pytest.param("kim", ["order"], id="takes pagevecs for strangers"),
        pytest.param("leo", ["memory", "strangers", "files", "worlds"], id="looks for strangers first"),
        pytest.param("mia", [], id="moves the pages"),
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
    notebook = nbformat.read(released / "release" / FRAMES.assignment / f"{FRAMES.notebook}.ipynb", 4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert not [word for word in ("SOLUTION", "HIDDEN", "strangers = [", "glueless8") if word in text]
    assert "raise NotImplementedError" in cell_named(notebook, FRAMES.answer).source
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
