"""What the tour promises its reader: a guess before each answer, short cells, the same last output everywhere."""

from __future__ import annotations

import re

import nbformat
import pytest

from numakit.live import Answer, own_pages, query
from tests.clone import ROOT

TOUR = ROOT / "notebooks" / "00-tour.ipynb"
LONGEST_CELL = 12  #: lines of code that a reader takes in at a glance
IGNORED = {"live-ask": "live-check"}  #: cells whose output differs between machines, and the cell that asserts on it


@pytest.fixture(scope="module")
def tour() -> dict[str, nbformat.NotebookNode]:
    """The cells of the tour by their ids, in order."""
    return {cell.id: cell for cell in nbformat.read(TOUR, 4).cells}


def text(tour: dict[str, nbformat.NotebookNode], kind: str) -> str:
    """All that stands in the cells of a kind."""
    return "\n\n".join(cell.source for cell in tour.values() if cell.cell_type == kind)


def ask_this_machine() -> Answer:
    """The tour's own question."""
    with own_pages(4) as mine:
        mine.touch(3)
        return query(mine.addresses)


def test_reader_guesses_before_the_answers(tour: dict[str, nbformat.NotebookNode]) -> None:
    """Questions in bold, at least one for each section."""
    questions = re.findall(r"\*\*[^*]+\?\*\*", text(tour, "markdown"))
    sections = re.findall(r"^## ", text(tour, "markdown"), re.MULTILINE)
    assert len(questions) >= max(10, len(sections))


def test_cells_are_short_and_never_many_in_a_row(tour: dict[str, nbformat.NotebookNode]) -> None:
    """Prose after at most three cells of code."""
    kinds = "".join("c" if cell.cell_type == "code" else "m" for cell in tour.values())
    assert "cccc" not in kinds
    assert max(len(cell.source.splitlines()) for cell in tour.values() if cell.cell_type == "code") <= LONGEST_CELL


def test_output_is_ignored_only_where_another_cell_asserts_on_it(tour: dict[str, nbformat.NotebookNode]) -> None:
    """No other tag hides anything."""
    tagged = {cell.id: cell.metadata.tags for cell in tour.values() if cell.metadata.get("tags")}
    assert tagged == {ignored: ["nbval-ignore-output"] for ignored in IGNORED}
    for ignored, check in IGNORED.items():
        assert "answer = " in tour[ignored].source
        assert "assert" in tour[check].source


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(None, id="this machine"),
        pytest.param(Answer(status=(5, 0, 5, -2)), id="many nodes"),
        pytest.param(Answer(why_not="A sandbox refused the call."), id="refused"),
    ],
)
def test_last_cell_about_the_running_kernel_says_the_same_everywhere(
    tour: dict[str, nbformat.NotebookNode], answer: Answer | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its code, run on each answer, prints what is stored."""
    (output,) = tour["live-check"].outputs
    exec(tour["live-check"].source, {"answer": answer or ask_this_machine(), "ENOENT": 2})
    assert capsys.readouterr().out == output.text


@pytest.mark.parametrize("status", [(-2, 0, 0, -2), (0, 0, 0, 0), (0, 0, -14, -2)])
def test_last_cell_about_the_running_kernel_would_notice_a_wrong_answer(
    tour: dict[str, nbformat.NotebookNode], status: tuple[int, ...]
) -> None:
    """A touched page without a node, or an untouched one with a node."""
    with pytest.raises(AssertionError):
        exec(tour["live-check"].source, {"answer": Answer(status), "ENOENT": 2})


def test_tour_ends_with_summary_sources_and_version(tour: dict[str, nbformat.NotebookNode]) -> None:
    """The 2006 text, the manual page, the kernel's document."""
    *_, last_words, last = tour.values()
    for wanted in (
        "## Summary",
        "## Further reading",
        "742755a1d8ce",
        "move_pages(2)",
        "Documentation/vm/page_migration",
    ):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_tour_shows_a_call_that_has_nothing_to_do(tour: dict[str, nbformat.NotebookNode]) -> None:
    """The exercise rests on it: the return code is an error, no status is written, and the text says why."""
    (output,) = tour["idle"].outputs
    assert output.data["text/plain"] == "(-2, [None])"
    assert "returned -ENOENT" in tour["idle-why"].outputs[0].text
    assert "writes **nothing** to `status`" in tour["idle-2"].source


def test_summary_says_where_newer_kernels_differ(tour: dict[str, nbformat.NotebookNode]) -> None:
    """A reader who tries the calls at home is warned: 0 where nothing moves, a positive number where pages stayed."""
    for wanted in ("newer kernels differ", "returns 0", "Since Linux 4.17", "number of pages that were not moved"):
        assert wanted in tour["summary"].source


def test_tour_shows_four_errors_and_explains_them(tour: dict[str, nbformat.NotebookNode]) -> None:
    """Each is seen in an output and named in the summary."""
    outputs = "".join(str(cell.get("outputs")) for cell in tour.values())
    for name in ("-ENOENT", "-EFAULT", "-EACCES", "-EBUSY"):
        assert f"{name}. " in outputs
        assert name in text(tour, "markdown")
