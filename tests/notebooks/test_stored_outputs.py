"""What the notebooks store: enough for nbval to compare, nothing that changes from run to run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest

from tests.clone import ROOT, copy_clone
from tools.regenerate_notebooks import WIDGET_VIEW, clean, course_notebooks, regenerate

NOTEBOOKS = course_notebooks()
TOUR = ROOT / "notebooks" / "00-tour.ipynb"
BARE_REPR = re.compile(r"<[^<>]*>|Figure\(.*\)|\[?<[^<>]* object at 0x[0-9a-f]+>\]?")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    """The code cells that hold code; nbval and Jupyter pass over empty ones."""
    return [c for c in nbformat.read(path, 4).cells if c.cell_type == "code" and c.source.strip()]


def compared_texts(cell: nbformat.NotebookNode) -> Iterator[str]:
    """The texts in the stored outputs of a cell that nbval compares and that tell something."""
    if {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", [])):
        return
    for output in cell.outputs:
        data = output.get("data", {})
        yield from (data[kind] for kind in ("text/html", "image/svg+xml") if kind in data)
        text = output.get("text") or data.get("text/plain") or output.get("evalue") or ""
        if text.strip() and not BARE_REPR.fullmatch(text.strip()):
            yield text


def test_course_has_its_tour() -> None:
    """The checks below would pass over an empty course."""
    assert TOUR in NOTEBOOKS


@every_notebook
def test_every_code_cell_was_run_in_order_from_a_fresh_kernel(path: Path) -> None:
    """nbval runs a cell without a count and compares nothing: a hole that nobody sees."""
    counts = [cell.execution_count for cell in code_cells(path)]
    assert counts == list(range(1, len(counts) + 1))


@every_notebook
def test_nothing_is_stored_that_changes_from_run_to_run(path: Path) -> None:
    """No widget state, no widget views, no times, no versions, no traces of an editor."""
    stored = nbformat.read(path, 4)
    cleaned = deepcopy(stored)
    clean(cleaned)
    assert stored == cleaned
    assert WIDGET_VIEW not in path.read_text(encoding="utf-8")


@every_notebook
def test_no_cell_stored_an_error_that_it_does_not_announce(path: Path) -> None:
    """A stored traceback is part of the lesson or a mistake; the tag says which."""
    for cell in code_cells(path):
        if any(output.output_type == "error" for output in cell.outputs):
            assert "raises-exception" in cell.metadata.get("tags", []), cell.source


@every_notebook
def test_notebook_is_among_the_files_that_ruff_checks(path: Path) -> None:
    """The part `lint` reads the cells too."""
    command = [sys.executable, "-m", "ruff", "check", "--show-files", "."]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert str(path) in listing.splitlines()


def test_six_in_ten_cells_of_the_tour_have_a_compared_text() -> None:
    """A picture alone proves nothing: nbval does not look at it."""
    cells = code_cells(TOUR)
    compared = [cell for cell in cells if any(compared_texts(cell))]
    assert len(compared) >= 0.6 * len(cells)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ({"output_type": "stream", "name": "stdout", "text": "2 pages moved\n"}, True),
        ({"output_type": "stream", "name": "stdout", "text": "\n"}, False),
        ({"output_type": "display_data", "metadata": {}, "data": {"text/plain": "[1, -16, 1]"}}, True),
        (
            {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "<Figure size 640x480>"}},
            False,
        ),
        (
            {
                "output_type": "display_data",
                "metadata": {},
                "data": {"text/plain": "[<Line2D object at 0x7f12>]"},
            },
            False,
        ),
        ({"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORw0KGgo="}}, False),
        ({"output_type": "display_data", "metadata": {}, "data": {"text/html": "<p>moved</p>"}}, True),
    ],
)
def test_compared_text_is_what_tells_something(output: dict[str, object], told: bool) -> None:
    """The measure of the six in ten, on cells made by hand."""
    cell = nbformat.v4.new_code_cell("pass", outputs=[nbformat.from_dict(output)])
    assert any(compared_texts(cell)) == told


@pytest.mark.slow
def test_wrong_stored_output_makes_the_notebooks_part_fail(tmp_path: Path) -> None:
    """One figure changed in a copy of the tour: the very command of `make test` says which cell is wrong."""
    clone = copy_clone(tmp_path / "clone")
    for other in course_notebooks(clone):
        if other != clone / TOUR.relative_to(ROOT):
            other.unlink()
    tour = nbformat.read(TOUR, 4)
    spoilt = next(cell for cell in tour.cells if cell.cell_type == "code" and any(compared_texts(cell)))
    spoil(spoilt)
    nbformat.write(tour, clone / TOUR.relative_to(ROOT))

    command = [sys.executable, "tools/run_parts.py", "notebooks"]
    run = subprocess.run(command, cwd=clone, check=False, capture_output=True, text=True)
    assert run.returncode == 1, run.stdout + run.stderr
    assert re.search(r"\b1 failed", run.stdout), run.stdout
    assert re.search(r"^notebooks +FAILED", run.stdout, re.MULTILINE), run.stdout


def spoil(cell: nbformat.NotebookNode) -> None:
    """Put a wrong word into each text that the cell stores."""
    for output in cell.outputs:
        if "text" in output:
            output.text = "wrong\n"
        for kind in output.get("data", {}):
            if kind.startswith("text/"):
                output.data[kind] = "wrong"


def test_regenerating_twice_changes_nothing(tmp_path: Path) -> None:
    """`make notebooks` leaves no noise in the history."""
    small = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("print('moved')"), nbformat.v4.new_code_cell("6 * 7", id="answer")],
        metadata={"widgets": {"state": {}}, "language_info": {"name": "python", "version": "3.0"}},
    )
    path = tmp_path / "small.ipynb"
    nbformat.write(small, path)
    assert regenerate(path)
    first = path.read_text(encoding="utf-8")
    assert json.loads(first)["metadata"]["language_info"] == {"name": "python"}
    assert not regenerate(path)
