"""A course's folder and its class: students' versions of every exercise, and everybody's marks for one.

What is written is nbgrader's: release/, autograded/, the gradebook. New is that the class is judged many at a time,
and that the list says of each submission whether it was judged at all.
"""

from __future__ import annotations

import csv
import os
import sys
import warnings
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
from nbgrader.api import MissingEntry
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from numakit.judge.autograde import Judge, closed_paths, originals_in
from numakit.judge.confine import best_kind
from numakit.judge.exercise import Case, case_of
from numakit.judge.grader import judge_class

SETTINGS = "nbgrader_config.py"
JUDGED = "judged"
NOT_OPENED = "there is a link or a pipe among the files; a link could lead to what others handed in, or to the solution"


class CourseError(Exception):
    """The course cannot be worked with; the message says what to do."""


class Row(NamedTuple):
    """A student in the class list. `state` is "judged", or why there are no marks, which is not the same as zero."""

    student: str
    score: float | None
    most: float
    state: str
    points: dict[str, float | None]


@contextmanager
def opened(folder: Path) -> Iterator[NbGraderAPI]:
    """nbgrader on a course's folder, in which one works meanwhile. Raises CourseError for a folder that is none."""
    if not (folder / SETTINGS).is_file():
        raise CourseError(f"{folder}: no {SETTINGS} here, so this is no course's folder (numakit lab --solutions)")
    before, path, root = Path.cwd(), os.environ.get("PATH", os.defpath), folder.resolve()
    os.chdir(root)
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), path])  # nbgrader calls alembic by name
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # nbgrader's, about its own database
            settings: Config = PyFileConfigLoader(SETTINGS, path=".").load_config()
            settings.CourseDirectory.root = str(root)
            yield NbGraderAPI(config=settings)
    finally:
        os.chdir(before)
        os.environ["PATH"] = path


def release(folder: Path, assignments: Iterable[str] = ()) -> list[str]:
    """Make the students' versions, of all assignments if none is named: which were made. Raises CourseError."""
    with opened(folder) as nbgrader:
        names = list(assignments) or sorted(nbgrader.get_source_assignments())
        if not names:
            raise CourseError(f"{folder}: there is no assignment in source/")
        for name in names:
            made = nbgrader.generate_assignment(name)
            if not made["success"]:
                raise CourseError(f"{name}: {reason_in(made)}")
    return names


def grade(folder: Path, assignment: str, executor: Executor, kind: str | None = None) -> list[Row]:
    """Judge everybody who handed in, have nbgrader keep the marks: the class list. Raises CourseError.

    `kind`: the walls between a submission and this machine, the best there are by default.
    """
    with opened(folder) as nbgrader:
        cases, refused = cases_of(nbgrader, assignment)
        settings = Judge(config=nbgrader.config)
        kind = kind or ("none" if settings.trusted else best_kind())
        distinct = {case.digest: case for case in cases.values()}
        closed = closed_paths(nbgrader.coursedir.db_url)
        Judge.beforehand.update(judge_class(distinct, executor, settings.limits, closed, kind))
        rows = []
        for student in sorted(nbgrader.get_submitted_students(assignment)):
            why = refused.get(student, "")
            if why != NOT_OPENED:  # nbgrader would follow it, and give back in the feedback what it leads to
                kept = nbgrader.autograde(assignment, student)
                why = why or ("" if kept["success"] else reason_in(kept))
            rows.append(row_of(nbgrader, assignment, student, why))
    return rows


def is_no_file(path: Path) -> bool:
    """Whether opening a path leads somewhere else, or may never end."""
    return path.is_symlink() or not (path.is_file() or path.is_dir())


def cases_of(nbgrader: NbGraderAPI, assignment: str) -> tuple[dict[tuple[str, str], Case], dict[str, str]]:
    """The case of each notebook that each student handed in, and why there is none for whom."""
    cases: dict[tuple[str, str], Case] = {}
    refused: dict[str, str] = {}
    with nbgrader.gradebook as gradebook:
        try:
            notebooks = [notebook.name for notebook in gradebook.find_assignment(assignment).notebooks]
        except MissingEntry:
            raise CourseError(f"{assignment}: not released yet (numakit release {assignment})") from None
        originals = {name: originals_in(gradebook, name, assignment) for name in notebooks}
    for student in nbgrader.get_submitted_students(assignment):
        folder = Path(nbgrader.coursedir.format_path(nbgrader.coursedir.submitted_directory, student, assignment))
        if any(map(is_no_file, (folder, *folder.rglob("*")))):
            refused[student] = NOT_OPENED
            continue
        for name in notebooks:
            path = folder / f"{name}.ipynb"
            try:
                cases[student, name] = case_of(originals[name], nbformat.read(path, 4).cells)
            except FileNotFoundError:
                refused[student] = f"{path.name} was not handed in"
            except Exception as error:  # whatever a file can be instead of a notebook
                refused[student] = f"{path.name} cannot be read: {type(error).__name__}"
    return cases, refused


def row_of(nbgrader: NbGraderAPI, assignment: str, student: str, why: str) -> Row:
    """What the gradebook says of a student. Without marks it says from now on that somebody has to look."""
    points: dict[str, float | None] = {}
    with nbgrader.gradebook as gradebook:
        most = float(gradebook.find_assignment(assignment).max_score)
        try:
            notebooks = gradebook.find_submission(assignment, student).notebooks
        except MissingEntry:
            return Row(student, None, most, f"could not run: {why}", points)
        for grade in [grade for notebook in notebooks for grade in notebook.grades]:
            if why:
                grade.auto_score, grade.needs_manual_grade = None, True
            points[grade.name] = None if grade.needs_manual_grade else grade.score
        gradebook.db.commit()
    missing = [name for name, earned in points.items() if earned is None]
    if why or missing:
        return Row(student, None, most, f"could not run: {why or ', '.join(missing)}", points)
    return Row(student, sum((earned or 0.0 for earned in points.values()), 0.0), most, JUDGED, points)


def reason_in(result: dict[str, Any]) -> str:
    """The last line of what nbgrader says about a failure."""
    said = str(result.get("error") or result.get("log") or "nbgrader did not say why").strip()
    return said.splitlines()[-1]


def write_class_list(rows: Iterable[Row], path: Path) -> None:
    """The class list as CSV: an empty score is none, and 0 is one."""
    rows = list(rows)
    tests = list(dict.fromkeys(name for row in rows for name in row.points))
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["student", "score", "most", "state", *tests])
        for row in rows:
            points = [row.points.get(name) for name in tests]
            cells = [row.student, row.score, row.most, row.state, *points]
            table.writerow(["" if cell is None else cell for cell in cells])
