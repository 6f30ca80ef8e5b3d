"""What `numakit lab` hands out is what nbgrader hands out."""

from __future__ import annotations

from pathlib import Path

import nbformat

from numakit.handout import student_version


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
