"""A class of 30 graded: `python -m benchmarks.grading [EXERCISE]` prints a table, `--write` puts it into docs/.

Everybody hands in one exercise, no two alike: a third the reference solution, a third the untouched version, a third
an answer that lacks the function. `numakit grade` judges two at a time, on a
`concurrent.futures` executor, and nbgrader keeps the marks. Beside it, as a yardstick, what two interpreters take to
start with the kit, which is the least that a submission costs. Nothing is a test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat

from benchmarks.page import markdown_table, write_section
from numakit.handout import student_version
from numakit.judge import course
from numakit.judge.autograde import Judge
from numakit.tables import text_table

EXERCISES = Path(__file__).resolve().parent.parent / "exercises"
EXERCISE = "tour"
STUDENTS = 30
JOBS = 2
AIM = 180  #: seconds
HEAD = ("what", "seconds", "aim", "a submission", "of the yardstick")
WRONG = "\n\ndef wrong(*arguments):\n    return None\n\n"


def main(arguments: list[str]) -> None:
    """Measure, print, and write if asked to."""
    names = [name for name in arguments if name != "--write"] or [EXERCISE]
    rows = [row for name in names for row in measured(name)]
    print(text_table(HEAD, rows))
    if "--write" in arguments:
        told = (
            f"A class of {STUDENTS} that hands in one exercise, no two alike, by `numakit grade`: {JOBS} submissions "
            "at a time, each in two processes of its own, then nbgrader's gradebook. By the clock it "
            "takes as long as the machine has other things to do; processors work as long as the last line says."
        )
        write_section("Grading", f"{told}\n\n{markdown_table(HEAD, rows)}")


def measured(exercise: str) -> list[tuple[str, ...]]:
    """The rows of one exercise."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "course"
        shutil.copytree(EXERCISES, folder, ignore=shutil.ignore_patterns("*.db", "release", "submitted"))
        folder.chmod(0o700)
        course.release(folder, [exercise])
        hand_in(folder, exercise)
        begun, worked = time.perf_counter(), processors()
        with ThreadPoolExecutor(JOBS) as executor:
            rows = course.grade(folder, exercise, executor)
        seconds, worked = time.perf_counter() - begun, processors() - worked
    Judge.beforehand.clear()
    assert len(rows) == STUDENTS
    assert all(row.state == course.JUDGED for row in rows), rows
    assert sum(row.score == row.most for row in rows) == STUDENTS // 3
    start = two_starts()
    name = f"{STUDENTS} submissions of `{exercise}`"
    each = f"{worked / STUDENTS:.2f} s"
    return [
        ("yardstick: two interpreters start with the kit", f"{start:.2f}", "", "", "1"),
        (name, f"{seconds:.0f}", str(AIM), f"{seconds / STUDENTS:.2f} s", ""),
        (f"{name}, what processors worked", f"{worked:.0f}", "", each, f"{worked / STUDENTS / start:.1f}"),
    ]


def hand_in(folder: Path, exercise: str) -> None:
    """Put a submission of each student where nbgrader looks for it."""
    for source in (folder / "source" / exercise).glob("*.ipynb"):
        right = source.read_bytes()
        for number in range(STUDENTS):
            kind = number % 3
            notebook = nbformat.reads((right if kind == 0 else student_version(right)).decode(), 4)
            for cell in notebook.cells:
                if cell.metadata.get("nbgrader", {}).get("solution"):
                    cell.source = f"{cell.source}\n# {number}" if kind < 2 else f"{WRONG}# {number}"
            place = folder / "submitted" / f"student-{number:02}" / exercise
            place.mkdir(parents=True)
            nbformat.write(notebook, place / source.name)


def processors() -> float:
    """Seconds that processors have worked for this process and for those that have ended."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def two_starts() -> float:
    """Seconds that processors work for two interpreters that import the kit, at best of five."""
    before = []
    for _ in range(5):
        begun = processors()
        for _ in range(2):
            subprocess.run([sys.executable, "-c", "import numakit"], check=True)
        before.append(processors() - begun)
    return min(before)


if __name__ == "__main__":
    main(sys.argv[1:])
