"""What each kind of submission of an exercise deserves: a test file names the answers, the tests are the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import nbformat
import pytest

from tests.clone import ROOT
from tests.grading.course import Edit, Exercise, Graded, cell_named, grade

Answers = Mapping[str, str]  #: the name of a cell that students write -> what stands in it


@dataclass(frozen=True)
class Marking:
    """An exercise, the points of its tests, and answers to it."""

    exercise: Exercise
    tests: Mapping[str, int]
    wrong: Mapping[str, tuple[Answers, list[str]]]  #: a mistake -> an answer that makes it, the tests that it passes
    right: Mapping[str, Answers] = field(default_factory=dict)  #: other ways than that of the reference solution
    told: Mapping[str, list[str]] = field(default_factory=dict)  #: a mistake -> words of the feedback
    secret: tuple[str, ...] = ()  #: words of the solution and of hidden tests

    @property
    def source(self) -> nbformat.NotebookNode:
        """The notebook with solution and hidden tests."""
        folder = ROOT / "exercises" / "source" / self.exercise.assignment
        notebook: nbformat.NotebookNode = nbformat.read(folder / f"{self.exercise.notebook}.ipynb", 4)
        return notebook

    @property
    def reference(self) -> dict[str, str]:
        """The cells with a solution, as the source has them."""
        known = [(cell.metadata.get("nbgrader", {}), cell.source) for cell in self.source.cells]
        return {of["grade_id"]: text for of, text in known if of.get("solution")}

    def points(self, earned: list[str]) -> dict[str, float]:
        """The points of each test when those named are passed."""
        return {name: float(most if name in earned else 0) for name, most in self.tests.items()}


def answered(answers: Answers) -> Edit:
    """Put each text into the cell of that name."""

    def edit(notebook: nbformat.NotebookNode) -> None:
        for name, text in answers.items():
            cell_named(notebook, name).source = text

    return edit


def with_easy_tests(notebook: nbformat.NotebookNode) -> None:
    """Tests that ask for nothing, given cells that hold nothing, and one test fewer."""
    locked = [cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("locked")]
    tests = [cell for cell in locked if cell.metadata.nbgrader.grade]
    for cell in locked:
        cell.source = "assert True"
    notebook.cells.remove(tests[-1])


def file_name(mistake: str) -> str:
    """What is wrong with an answer, as the name of the student who hands it in."""
    return mistake.replace(",", "").replace("'", "").replace(" ", "-")


class Marks:
    """The tests of one exercise; a subclass names its :class:`Marking`."""

    marking: ClassVar[Marking]

    @pytest.mark.timeout(400)  # it grades half a dozen submissions, each in a kernel of its own
    def test_each_submission_gets_what_it_deserves(self, new_course: Callable[[], Path]) -> None:
        """Full marks however it is written, nothing for the untouched version nor for one with other tests, and for
        mistakes what is right in them; the feedback says in words what was wrong.
        """
        marking, course = self.marking, new_course()
        submissions: dict[str, Edit | None] = {"reference": answered(marking.reference), "untouched": None}
        submissions["with-easy-tests"] = with_easy_tests
        deserved = {"reference": list(marking.tests), "untouched": [], "with-easy-tests": []}
        for name, answers in marking.right.items():
            submissions[file_name(name)], deserved[file_name(name)] = answered(answers), list(marking.tests)
        for name, (answers, earned) in marking.wrong.items():
            submissions[file_name(name)], deserved[file_name(name)] = answered(answers), earned
        graded = grade(course, submissions, exercise=marking.exercise)
        assert graded == {
            name: Graded(sum(marking.points(earned).values()), marking.points(earned))
            for name, earned in deserved.items()
        }
        for mistake, words in marking.told.items():
            said = what_the_tests_said(course, file_name(mistake), marking.exercise)
            for told in words:
                assert told in said, (mistake, said)

    def test_three_mistakes_are_told_apart(self) -> None:
        """From the reference solution and from an empty hand, too, by the tests that they pass."""
        earned = [tests for _, tests in self.marking.wrong.values()]
        assert len(earned) >= 3
        assert list(self.marking.tests) not in earned
        assert len({tuple(tests) for tests in earned}) >= 3

    def test_student_version_shows_neither_solution_nor_hidden_tests(self, released: Path) -> None:
        """And each test cell still opens with a sentence that says what is checked, and for how many points."""
        marking = self.marking
        folder = released / "release" / marking.exercise.assignment
        notebook = nbformat.read(folder / f"{marking.exercise.notebook}.ipynb", 4)
        text = "\n".join(cell.source for cell in notebook.cells)
        assert not [word for word in ("SOLUTION", "HIDDEN", *marking.secret) if word in text]
        for name in marking.reference:
            stub = cell_named(notebook, name).source
            assert '"""' in stub  # what is asked for stands there
            assert "raise NotImplementedError" in stub
        for name, most in marking.tests.items():
            assert cell_named(notebook, name).source.startswith(f"# Checked here ({most} point")
        assert not [cell for cell in notebook.cells if cell.get("outputs")]

    def test_points_in_the_statement_are_those_that_can_be_had(self) -> None:
        """The statement and the test cells tell the same numbers, and the secret words are not misspelt."""
        source = self.marking.source
        assert f"{sum(self.marking.tests.values())} points" in source.cells[0].source
        known = [cell.metadata.get("nbgrader", {}) for cell in source.cells]
        assert {of["grade_id"]: of["points"] for of in known if of.get("grade")} == dict(self.marking.tests)
        text = "\n".join(cell.source for cell in source.cells)
        assert all(word in text for word in self.marking.secret)


def what_the_tests_said(course: Path, student: str, exercise: Exercise) -> str:
    """The messages of the tests that a graded submission failed; its feedback page shows them."""
    folder = course / "autograded" / student / exercise.assignment
    notebook = nbformat.read(folder / f"{exercise.notebook}.ipynb", 4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "\n".join(output["evalue"] for output in outputs if output.output_type == "error")
