"""A copied course folder, in which a submission is graded by nbgrader itself, as a lecturer does it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import nbformat
from nbgrader.api import Gradebook, MissingEntry

from tests.clone import ROOT


class Exercise(NamedTuple):
    """An exercise: the folder it is in, its notebook, and the cell in which the student's function goes."""

    assignment: str
    notebook: str
    answer: str


TOUR = Exercise("tour", "bring-them-home", "gather")
ASSIGNMENT, EXERCISE = TOUR.assignment, TOUR.notebook
SECONDS = 100  #: for one command; what hangs is ended, and its test fails

Edit = Callable[[nbformat.NotebookNode], None]


class Graded(NamedTuple):
    """The points of a submission, and of each of its test cells."""

    score: float
    points: dict[str, float]


def copy_course(folder: Path) -> Path:
    """A course folder with the sources and settings of the exercises, and nothing else; open to nobody else."""
    ignored = shutil.ignore_patterns("*.db", "*.log", ".*", "autograded", "feedback", "submitted", "release")
    shutil.copytree(ROOT / "exercises", folder, ignore=ignored)
    folder.chmod(0o700)
    return folder


def nbgrader(course: Path, *arguments: str, seconds: int = SECONDS) -> str:
    """Run a command of nbgrader in the course folder; what it printed. Raises if it fails or takes too long."""
    run = command(course, "nbgrader", *arguments, seconds=seconds)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


def command(course: Path, name: str, *arguments: str, seconds: int = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a command of this Python in the course folder."""
    return program(course, [sys.executable, "-m", name, *arguments], seconds=seconds)


def program(course: Path, words: list[str], seconds: int = SECONDS) -> subprocess.CompletedProcess[str]:
    """Run a program in the course folder, as a lecturer would.

    nbgrader itself starts `alembic` by name, so the folder of this Python's commands comes first.
    """
    private = {name: str(course / ".jupyter" / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR")}
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    private |= {"PATH": beside, "IPYTHONDIR": str(course / ".ipython"), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        words,
        cwd=course,
        env={**os.environ, **private},
        timeout=seconds,
        check=False,
        capture_output=True,
        text=True,
    )


def hand_in(course: Path, student: str, edit: Edit | None = None, exercise: Exercise = TOUR) -> None:
    """The student's version of the exercise, edited, handed in."""
    notebook = nbformat.read(course / "release" / exercise.assignment / f"{exercise.notebook}.ipynb", 4)
    if edit is not None:
        edit(notebook)
    folder = course / "submitted" / student / exercise.assignment
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / f"{exercise.notebook}.ipynb")


def grade(
    course: Path, submissions: Mapping[str, Edit | None], *settings: str, exercise: Exercise = TOUR
) -> dict[str, Graded]:
    """Hand in for each student, grade them all at once (with settings beyond those of the course): their points."""
    for student, edit in submissions.items():
        hand_in(course, student, edit, exercise)
    nbgrader(course, "autograde", exercise.assignment, *settings, seconds=SECONDS + 20 * len(submissions))
    return {student: marks(course, student, exercise) for student in submissions}


def marks(course: Path, student: str, exercise: Exercise = TOUR) -> Graded:
    """What the gradebook says."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as gradebook:
        try:
            submission = gradebook.find_submission_notebook(exercise.notebook, exercise.assignment, student)
        except MissingEntry:
            raise AssertionError(f"{student} was not graded") from None
        return Graded(submission.score, {grade.name: grade.score for grade in submission.grades})


def cell_named(notebook: nbformat.NotebookNode, grade_id: str) -> nbformat.NotebookNode:
    """The cell that nbgrader knows by that name."""
    cells: list[nbformat.NotebookNode] = notebook.cells
    return next(cell for cell in cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def answer(source: str, exercise: Exercise = TOUR) -> Edit:
    """Put ``source`` where the student's function goes."""

    def edit(notebook: nbformat.NotebookNode) -> None:
        cell_named(notebook, exercise.answer).source = source

    return edit
