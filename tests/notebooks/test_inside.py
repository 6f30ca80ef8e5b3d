"""What notebook 04 promises its reader: each race goes well, and goes wrong only because one check was taken away."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import nbformat
import pytest

from numakit.kernels import Kernel
from tests.clone import ROOT
from tests.notebooks.test_stored_outputs import code_cells, compared_texts

INSIDE = ROOT / "notebooks" / "04-inside-migrate-pages.ipynb"
LONGEST_CELL = 14  #: lines of code that a reader takes in at a glance
RACES = 6
GO_WRONG = {
    "fault-bad-run", "sweep-bad", "pin-bad-run", "pin-bad-dma", "exit-bad-run", "fork-bad-run", "lock-bad-run",
    "munmap-bad-run",
}  # fmt: skip  #: cells that show what a kernel without one of its checks does


@pytest.fixture(scope="module")
def inside() -> list[nbformat.NotebookNode]:
    """The cells of the notebook, in order."""
    cells: list[nbformat.NotebookNode] = nbformat.read(INSIDE, 4).cells
    return cells


def prose(cells: list[nbformat.NotebookNode]) -> str:
    """All that stands in the cells of text."""
    return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def cells_that_fail(cells: list[nbformat.NotebookNode]) -> set[str]:
    """The ids of the code cells in which an assertion fails when the notebook is run from start to end."""
    namespace: dict[str, Any] = {}
    failed = set()
    for cell in cells:
        if cell.cell_type == "code":
            try:
                with contextlib.redirect_stdout(None):
                    exec(cell.source, namespace)
            except AssertionError:
                failed.add(cell.id)
    return failed


def test_six_in_ten_cells_have_a_compared_text() -> None:
    """The others define what the next cell uses."""
    cells = code_cells(INSIDE)
    assert sum(any(compared_texts(cell)) for cell in cells) >= 0.6 * len(cells)


def test_each_argument_is_closed_by_an_assertion(inside: list[nbformat.NotebookNode]) -> None:
    """Every section that runs code, and every cell in which something goes wrong."""
    asserting: dict[str, bool] = {}
    title = ""
    for cell in inside:
        if cell.cell_type == "code":
            asserting[title] = asserting.get(title, False) or "assert " in cell.source
        else:
            title = (re.findall(r"^## (.*)", cell.source, re.MULTILINE) or [title])[-1]
    without = {title for title, asserts in asserting.items() if not asserts}
    assert without == {"", "Enter the others", "Further reading"}, "these only import, define, or end the notebook"
    assert all("assert " in cell.source for cell in inside if cell.id in GO_WRONG)


def test_what_goes_wrong_goes_wrong_for_want_of_the_check_only(
    inside: list[nbformat.NotebookNode], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the sound function in its role, the assertion of exactly the cells that show a mistake fails."""
    pytest.importorskip("ipywidgets")
    assert cells_that_fail(inside) == set()
    monkeypatch.setattr(Kernel, "with_function", lambda kernel, role, name: kernel)
    assert cells_that_fail(inside) == GO_WRONG


def test_each_race_goes_well_before_it_goes_wrong(inside: list[nbformat.NotebookNode]) -> None:
    """In its section the kernel as it is comes first, then one with a single function replaced."""
    races = re.split(r"^## \d\. ", "\n".join(cell.source for cell in inside), flags=re.MULTILINE)[1:]
    assert len(races) == RACES
    for race in races:
        well, wrong = race.split("@serves(", 1)
        assert ".finish()" in well
        assert wrong.count("@serves(") == 0
        assert race.count(".with_function(") == 1


def test_reader_guesses_before_the_answers(inside: list[nbformat.NotebookNode]) -> None:
    """Questions in bold, more than there are sections."""
    questions = re.findall(r"\*\*[^*]+\?\*\*", prose(inside))
    assert len(questions) > len(re.findall(r"^##+ ", prose(inside), re.MULTILINE))


def test_cells_are_short_and_never_many_in_a_row(inside: list[nbformat.NotebookNode]) -> None:
    """Prose after at most three cells of code; nothing hidden by a tag."""
    kinds = "".join("c" if cell.cell_type == "code" else "m" for cell in inside)
    assert "cccc" not in kinds
    assert max(len(cell.source.splitlines()) for cell in inside if cell.cell_type == "code") <= LONGEST_CELL
    assert not any(cell.metadata.get("tags") for cell in inside)


def test_notebook_ends_with_summary_sources_and_version(inside: list[nbformat.NotebookNode]) -> None:
    """The document whose numbers are used, the sources, the 2006 text, the manual page."""
    *_, last_words, last = inside
    for wanted in ("## Summary", "## Further reading", "Documentation/vm/page_migration", "742755a1d8ce", "mm/rmap.c"):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")
