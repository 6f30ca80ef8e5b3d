"""A class with everybody in it, graded by `numakit grade`: marks, the class list, and what nbgrader keeps."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest

from numakit.judge.confine import best_kind
from tests.grading.course import ASSIGNMENT, EXERCISE, Edit, answer, cell_named, command, hand_in, marks
from tests.grading.marks import with_easy_tests
from tests.grading.test_tour_exercise import BRING_THEM_HOME, ENDLESS

WALLED = pytest.mark.skipif(best_kind() == "none", reason="needs root or bubblewrap: submissions are trusted here")
SECONDS = 400
RIGHT = BRING_THEM_HOME.reference["gather"]
EXITS = "import os\n\ndef gather(process, area, node):\n    os._exit(0)"
EATS = "def gather(process, area, node):\n    return {node: len(bytearray(8 << 30))}"
PRINTS = "print('x' * (1 << 20))\n"
PATCHES = """
import numakit.facade.process, numakit.judge.peer, numakit.judge.values
numakit.facade.process.Process.move_pages = lambda *rest, **more: None
class Everything(dict):
    __eq__ = lambda self, other: True
    __ne__ = lambda self, other: False
    __hash__ = None
numakit.judge.values.decode = numakit.judge.peer.decode = lambda content, other: Everything()
def gather(process, area, node):
    return Everything()
"""
WANDERS = """
from pathlib import Path
course = Path(COURSE)
for name in ("source/tour/bring-them-home.ipynb", "gradebook.db", "submitted/ada/tour/bring-them-home.ipynb"):
    for what in (lambda path: path.read_bytes(), lambda path: path.write_bytes(b"")):
        try:
            what(course / name)
            print("FOUND", name)
        except OSError as error:
            print("refused", name)
def gather(process, area, node):
    return {}
"""


def forge(notebook: nbformat.NotebookNode) -> None:
    """Tests that are worth more, and cells that say that they were passed."""
    for name in BRING_THEM_HOME.tests:
        cell = cell_named(notebook, name)
        cell.metadata.nbgrader |= {"points": 100, "solution": True, "locked": False}
        cell.outputs = [nbformat.v4.new_output("execute_result", data={"text/plain": "100"}, execution_count=1)]
        cell.execution_count = 1


class Listed(NamedTuple):
    """A line of the class list."""

    score: str
    state: str


class Class(NamedTuple):
    """A graded class: its course, its list, and what the command answered."""

    course: Path
    listed: dict[str, Listed]
    run: subprocess.CompletedProcess[str]

    def notebook(self, student: str) -> str:
        """What nbgrader keeps of a submission, with outputs."""
        path = self.course / "autograded" / student / ASSIGNMENT / f"{EXERCISE}.ipynb"
        return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def graded(new_course: Callable[[], Path]) -> Class:
    """Everybody hands in what is theirs, and all are graded at once."""
    course = new_course()
    students: dict[str, Edit | None] = {
        "ada": answer(RIGHT),
        "bob": None,
        "edits-the-tests": with_easy_tests,
        "forges-the-points": forge,
        "never-ends": answer(ENDLESS),
        "ends-the-process": answer(EXITS),
        "eats-memory": answer(EATS),
        "prints-a-megabyte": answer(PRINTS + RIGHT),
        "patches-the-kit": answer(PATCHES),
        "wanders": answer(WANDERS.replace("COURSE", repr(str(course)))),
    }
    for student, edit in students.items():
        hand_in(course, student, edit)
    for student, text in {
        "hands-in-half": '{"cells": [{"cell',
        "hands-in-a-number": "7",
        "hands-in-nothing": None,
    }.items():
        folder = course / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        if text is not None:
            (folder / f"{EXERCISE}.ipynb").write_text(text)
    folder = course / "submitted" / "hands-in-a-link" / ASSIGNMENT
    folder.mkdir(parents=True)
    (folder / f"{EXERCISE}.ipynb").symlink_to(course / "source" / ASSIGNMENT / f"{EXERCISE}.ipynb")
    folder = course / "submitted" / "hands-in-a-pipe" / ASSIGNMENT
    folder.mkdir(parents=True)
    os.mkfifo(folder / f"{EXERCISE}.ipynb")
    with (course / "nbgrader_config.py").open("a") as settings:
        settings.write("\nc.Judge.cell_seconds = 3\n")
    run = command(course, "numakit", "grade", ASSIGNMENT, "--jobs", "2", seconds=SECONDS)
    with (course / f"class-{ASSIGNMENT}.csv").open(newline="", encoding="utf-8") as file:
        listed = {row["student"]: Listed(row["score"], row["state"]) for row in csv.DictReader(file)}
    return Class(course, listed, run)


pytestmark = pytest.mark.timeout(SECONDS + 100)


def test_one_bad_submission_never_stops_the_batch(graded: Class) -> None:
    """Everybody is in the list, and who is right has full marks."""
    assert len(graded.listed) == 15
    assert graded.listed["ada"] == Listed("6.0", "judged")
    assert graded.listed["prints-a-megabyte"] == Listed("6.0", "judged")


def test_hostile_submissions_earn_nothing(graded: Class) -> None:
    """And that is a mark, since each of them was judged."""
    hostile = [
        "edits-the-tests", "never-ends", "ends-the-process", "eats-memory", "patches-the-kit", "wanders", "bob",
        "forges-the-points",
    ]  # fmt: skip
    assert {student: graded.listed[student] for student in hostile} == dict.fromkeys(hostile, Listed("0.0", "judged"))


def test_could_not_run_is_told_from_zero(graded: Class) -> None:
    """In the list, in the command's answer, and by nbgrader, which waits for somebody to look."""
    broken = ["hands-in-half", "hands-in-a-link", "hands-in-a-pipe", "hands-in-a-number", "hands-in-nothing"]
    for student in broken:
        assert graded.listed[student].score == ""
        assert graded.listed[student].state.startswith("could not run: "), graded.listed[student]
    assert "cannot be read" in graded.listed["hands-in-half"].state
    assert "was not handed in" in graded.listed["hands-in-nothing"].state
    for student in ("hands-in-a-link", "hands-in-a-pipe"):
        assert "a link or a pipe among the files" in graded.listed[student].state
    assert not (graded.course / "autograded" / "hands-in-a-link").exists(), "feedback would show the solution"
    assert graded.run.returncode == 1
    lines = graded.run.stdout.splitlines()
    assert [line.split()[0] for line in lines if "could not run" in line] == sorted(broken)


def test_nbgrader_keeps_the_marks_that_the_list_tells(graded: Class) -> None:
    """So feedback, export and formgrader go on from there."""
    for student in ("ada", "bob", "patches-the-kit"):
        assert f"{marks(graded.course, student).score:.1f}" == graded.listed[student].score


def test_feedback_says_what_became_of_a_submission(graded: Class) -> None:
    """In the notebook that nbgrader makes the feedback of; and a megabyte is cut there."""
    assert "still running after 3 seconds" in graded.notebook("never-ends")
    assert "ended its process" in graded.notebook("ends-the-process")
    assert "MemoryError" in graded.notebook("eats-memory")
    assert "more bytes were printed" in graded.notebook("prints-a-megabyte")
    assert len(graded.notebook("prints-a-megabyte")) < 1 << 17


@WALLED
def test_the_course_is_closed_to_submissions(graded: Class) -> None:
    """Hidden tests, gradebook, what a neighbour handed in: neither read nor written."""
    told = graded.notebook("wanders")
    assert told.count("refused") >= 6
    assert "FOUND source" not in told
    assert "FOUND gradebook" not in told
    assert "FOUND submitted" not in told


def test_a_course_that_was_not_released_is_refused_in_one_line(new_course: Callable[[], Path], tmp_path: Path) -> None:
    """With the command that is missing; and a folder that is none at all, by name."""
    run = command(new_course(), "numakit", "grade", "no-such-assignment")
    assert run.returncode == 1
    assert "numakit release no-such-assignment" in run.stderr
    elsewhere = command(tmp_path, "numakit", "release", "tour")
    assert elsewhere.returncode == 1
    assert "numakit lab --solutions" in elsewhere.stderr
    assert len(elsewhere.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) in ([], [tmp_path / ".jupyter"], [tmp_path / ".ipython"])
