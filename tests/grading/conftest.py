"""The student's version is generated once; each test gets a copy of that course folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.grading.course import ASSIGNMENT, copy_course, nbgrader


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course folder with the student's version, as `nbgrader generate_assignment` makes it."""
    course = copy_course(tmp_path_factory.mktemp("released") / "course")
    nbgrader(course, "generate_assignment", ASSIGNMENT)
    return course


@pytest.fixture
def course(released: Path, tmp_path: Path) -> Path:
    """A course folder of this test's own: one gradebook is one file."""
    return Path(shutil.copytree(released, tmp_path / "course"))
