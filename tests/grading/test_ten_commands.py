"""What exercises/README.md tells a lecturer to type is typed here."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import pytest

from tests.clone import ROOT
from tests.grading.course import program
from tests.grading.test_tour_exercise import BRING_THEM_HOME

HEADING = "## From pip install to a graded class list in ten commands\n"
INSTALLING = ["python3 -m venv", ". ", "pip install"]  #: how the commands begin that another test carries out


def commands() -> list[str]:
    """The commands of the section."""
    page = (ROOT / "exercises" / "README.md").read_text(encoding="utf-8")
    section = page.partition(HEADING)[2].partition("\n## ")[0]
    return re.findall(r"^\$ (.*)$", section, re.MULTILINE)


@pytest.mark.timeout(400)
@pytest.mark.skipif(shutil.which("bash") is None, reason="a lecturer's shell is missing")
def test_ten_commands_lead_to_a_graded_class_list(tmp_path: Path) -> None:
    """All but the installation, in one shell, in an empty folder."""
    told = commands()
    assert len(told) == 10
    assert all(command.startswith(begin) for command, begin in zip(told, INSTALLING, strict=False))
    script = "\n".join(["set -e", *told[len(INSTALLING) :]])
    run = program(tmp_path, ["bash", "-c", script], seconds=300)
    assert run.returncode == 0, run.stdout + run.stderr
    grading = tmp_path / "teaching" / "grading"
    with (grading / "class-tour.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["student"], float(row["score"]), row["state"]) for row in rows] == [("ada", 0, "judged")]
    assert set(BRING_THEM_HOME.tests) < set(rows[0])
    feedback = (grading / "feedback" / "ada" / "tour" / "bring-them-home.html").read_text(encoding="utf-8")
    assert "NotImplementedError" in feedback
    with (grading / "grades.csv").open(newline="", encoding="utf-8") as file:
        assert [(row["student_id"], float(row["score"])) for row in csv.DictReader(file)] == [("ada", 0)]
