"""What `numakit lab` hands out is what nbgrader hands out."""

from __future__ import annotations

from pathlib import Path

import nbformat

from numakit.handout import student_version
from tests.clone import ROOT


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """Kind and text of each cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_the_students_version_is_the_one_that_nbgrader_makes(released: Path) -> None:
    """Cell by cell, for each exercise: a submission made from either is graded alike."""
    sources = sorted((released / "source").rglob("*.ipynb"))
    assert sources
    for source in sources:
        theirs = released / "release" / source.relative_to(released / "source")
        if theirs.exists():
            ours = nbformat.reads(student_version(source.read_bytes()).decode(), 4)
            assert cells(ours) == cells(nbformat.read(theirs, 4)), source


def test_each_exercise_tells_its_students_that_more_is_tried_than_it_shows() -> None:
    """Before the first test: a cell whose tests are all hidden runs without a word, and would pass for passed."""
    for source in sorted((ROOT / "exercises" / "source").rglob("*.ipynb")):
        texts = [text for _, text in cells(nbformat.read(source, 4))]
        first = next(place for place, text in enumerate(texts) if text.startswith("# Checked here"))
        assert any("the others are tried when you have handed in" in text for text in texts[:first]), source


def test_whoever_may_choose_a_seed_is_asked_for_one_of_their_own() -> None:
    """So that neighbours look at other numbers."""
    for source in sorted((ROOT / "exercises" / "source").rglob("*.ipynb")):
        for _, text in cells(nbformat.read(source, 4)):
            seeds = [line for line in text.splitlines() if line.startswith("random_seed = ")]
            assert all("student number" in line for line in seeds), source
