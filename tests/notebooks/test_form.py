"""What every notebook of the course has in common, and a reviewer need not look for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.clone import ROOT
from tests.notebooks.reading import (
    LONGEST_CELL,
    Cells,
    cells_of,
    longest_cell,
    most_code_in_a_row,
    prose,
    sections_without_a_question,
    shown,
    shows_unasked,
)
from tests.notebooks.test_stored_outputs import code_cells, compared_texts
from tools.regenerate_notebooks import course_notebooks

NOTEBOOKS = course_notebooks()
LESSONS = sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))

#: Cells whose output nbval does not compare, since it is that of the reader's own machine, and where an assertion
#: stands about it.
NOT_COMPARED: dict[str, dict[str, str]] = {
    "00-tour": {"live-ask": "live-check"},
    "01-topology": {"host": "host-check"},
    "12-on-your-own-machine": {
        "host": "host-check",
        "where-mine": "where-mine",
        "six-calls-mine": "six-calls-mine",
        "across-mine": "across-mine",
    },
}

NOT_COMPARED_TAG = "nbval-ignore-output"
MADE_BY_A_TOOL = re.compile(r"[0-9a-f]{8}(-[0-9a-f-]{27})?")  #: an id that an editor invents, anew in each copy

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
every_notebook_to_read = pytest.mark.parametrize(
    "path", [*LESSONS, ROOT / "notebooks" / "index.ipynb"], ids=lambda path: path.stem
)
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


@every_notebook_to_read
def test_six_in_ten_cells_would_notice_a_wrong_model(path: Path) -> None:
    """They have an assertion, or an output that nbval compares as text."""
    cells = code_cells(path)
    notice = [cell for cell in cells if "assert " in cell.source or any(compared_texts(cell))]
    assert len(notice) >= 0.6 * len(cells)


@every_lesson
def test_cells_are_short_and_never_many_in_a_row(path: Path) -> None:
    """Prose after at most three cells of code; no tag but those that a test lists, or that announce an exception."""
    cells = cells_of(path)
    assert longest_cell(cells) <= LONGEST_CELL
    assert most_code_in_a_row(cells) <= 3
    assert {tag for cell in cells for tag in cell.metadata.get("tags", [])} <= {"raises-exception", NOT_COMPARED_TAG}


@every_lesson
def test_reader_guesses_in_each_section(path: Path) -> None:
    """Only the imports and the end have code without a question."""
    assert sections_without_a_question(cells_of(path)) == ["", "Further reading"]


@every_lesson
def test_reader_guesses_before_most_of_what_is_shown(path: Path) -> None:
    """Stages are set unasked, and so is the version told; three in four outputs answer a question."""
    unasked, showing = shows_unasked(cells_of(path))
    assert len(unasked) <= showing / 4, unasked


@every_lesson
def test_kernel_is_called_by_the_name_that_readers_know(path: Path) -> None:
    """ "seed" is a name for code; readers know the 2006 text."""
    cells = cells_of(path)
    assert "the 2006 text" in prose(cells).lower()
    assert not re.search(r"\bseed\b", shown(cells))


@every_notebook
def test_cells_have_names_that_stay(path: Path) -> None:
    """A cell is called by what it is about, once in a notebook."""
    ids = [cell.id for cell in cells_of(path)]
    assert len(set(ids)) == len(ids)
    assert [name for name in ids if MADE_BY_A_TOOL.fullmatch(name)] == []


@every_notebook
def test_nothing_is_skipped_and_what_is_not_compared_is_listed(path: Path) -> None:
    """In each of the latter, or behind it in a cell that is compared, stands an assertion."""
    cells = {cell.id: cell for cell in cells_of(path)}
    tagged = {name: set(cell.metadata.get("tags", [])) for name, cell in cells.items()}
    assert not any("nbval-skip" in tags for tags in tagged.values())
    assert not any("NBVAL_" in cell.source for cell in cells.values())  # comments that nbval takes for tags
    asserted = NOT_COMPARED.get(path.stem, {})
    assert {name for name, tags in tagged.items() if NOT_COMPARED_TAG in tags} == set(asserted)
    for name, where in asserted.items():
        assert "assert " in cells[where].source, where
        assert 0 <= list(cells).index(where) - list(cells).index(name) <= 2


def test_list_of_what_is_not_compared_names_notebooks_that_exist() -> None:
    """A notebook that was renamed would leave its list behind."""
    assert set(NOT_COMPARED) <= {path.stem for path in NOTEBOOKS}


@every_notebook
def test_links_inside_the_course_lead_somewhere(path: Path) -> None:
    """Files beside the notebook, headings in it; what is on the net is not asked for."""
    text = prose(cells_of(path))
    headings = {title.strip().replace(" ", "-") for title in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            file, _, heading = target.partition("#")
            assert not file or (path.parent / file).exists(), target
            assert not heading or file or heading in headings, target


@every_notebook
def test_pictures_and_links_in_the_text_are_markdown(path: Path) -> None:
    """What stands there as HTML is seen by no test; a picture has its words."""
    for cell in cells_of(path):
        if cell.cell_type == "markdown":
            assert not re.search(r"<(a|img|iframe|script)\b", cell.source), cell.id
            assert "![](" not in cell.source, cell.id


@every_notebook
def test_no_cell_is_empty_and_none_stores_what_went_to_stderr_or_where_it_ran(path: Path) -> None:
    """Warnings and the paths of somebody's home are noise to everybody else."""
    for cell in cells_of(path):
        assert cell.source.strip(), cell.id
        for output in cell.get("outputs", []):
            assert output.get("name") != "stderr", cell.id
            assert not re.search(r"/home/|/root/|/tmp/|site-packages|C:\\", str(output)), cell.id


def pictures(cells: Cells) -> Iterator[tuple[int, nbformat.NotebookNode]]:
    """The cells that store a picture, with their places."""
    for place, cell in enumerate(cells):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            yield place, cell


@every_lesson
def test_every_picture_has_words_for_who_cannot_see_it(path: Path) -> None:
    """Its own cell prints what it shows, or the one before it has printed the figures; a caption stands below it."""
    cells = cells_of(path)
    for place, cell in pictures(cells):
        before, below = cells[place - 1], cells[place + 1]
        told = [*compared_texts(cell), *(compared_texts(before) if before.cell_type == "code" else ())]
        assert told, cell.id
        assert below.cell_type == "markdown", cell.id
        assert re.match(r"\*[^*\n]{30,}[.!]\*(\s|$)", below.source), f"{cell.id}: {below.source[:80]}"


@every_lesson
def test_notebook_begins_with_what_one_will_be_able_to_do_and_ends_with_its_version(path: Path) -> None:
    """Last come a summary, sources, the version of numakit. (The time stands in the README's table.)"""
    first, *_, last_words, last = cells_of(path)
    assert first.source.startswith("# ")
    assert re.search(r"[Yy]ou will be able to|In this notebook you", first.source)
    assert "## Summary" in prose(cells_of(path))
    assert "## Further reading" in last_words.source
    assert last.source.endswith("numakit.__version__")
