"""The student's version is generated once; each batch of submissions gets a copy of that course folder."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.grading.course import command, copy_course


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course folder with the students' versions, as nbgrader makes them: all in one process, by `numakit release`."""
    course = copy_course(tmp_path_factory.mktemp("released") / "course")
    run = command(course.parent, "numakit", "release", "--folder", course.name)
    assert run.returncode == 0, run.stdout + run.stderr
    return course


@pytest.fixture(scope="session")
def new_course(released: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Makes a course folder of one's own: a gradebook is one file."""
    return lambda: Path(shutil.copytree(released, tmp_path_factory.mktemp("graded") / "course"))
