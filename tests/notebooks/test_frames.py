"""What notebook 02 promises its reader: the books balance, and would not if the model were wrong."""

from __future__ import annotations

import pytest

import numakit.faults
import numakit.machine.lru
import numakit.reclaim
from numakit.machine.frames import alloc_page_on, get_page
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    run,
)
from tests.notebooks.test_stored_outputs import code_cells, compared_texts

FRAMES = ROOT / "notebooks" / "02-frames-and-faults.ipynb"


def test_six_in_ten_cells_have_a_compared_text() -> None:
    """The others define what the next cell uses, or draw."""
    cells = code_cells(FRAMES)
    assert sum(any(compared_texts(cell)) for cell in cells) >= 0.6 * len(cells)


def test_every_kind_of_holder_is_seen() -> None:
    """The notebook promises the holder of every reference."""
    outputs = "".join(str(cell.outputs) for cell in code_cells(FRAMES))
    kinds = ("PTE", "page cache", "buffers", "swap cache", "pagevec of CPU", "a pipe of", "direct I/O", "zero page")
    for holder in kinds:
        assert holder in outputs, holder


def test_notebook_ends_with_summary_sources_and_version() -> None:
    """A table to compare one's own guesses with, sources, the version of numakit."""
    *_, last_words, last = cells_of(FRAMES)
    for wanted in ("## Summary", "## Further reading", "742755a1d8ce", "mm/memory.c", "mm/vmscan.c"):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_all_assertions_hold() -> None:
    """As stored, and when run here."""
    assert run(cells_of(FRAMES))[1] == set()


@pytest.mark.parametrize(
    ("where", "name", "wrong", "cell"),
    [
        (numakit.faults, "can_share_swap_page", lambda m, page: False, "reuse"),
        (numakit.faults, "alloc_page_vma", lambda m, vma, address: alloc_page_on(m, 0), "spill"),
        (numakit.faults, "attach_buffers", lambda m, page: None, "file-holders"),
        (numakit.faults, "set_anonymous", lambda m, page, pte: get_page(m, page), "touch"),
        (numakit.reclaim, "add_to_swap_cache", lambda m, page, slot: None, "swap-out"),
        (numakit.machine.lru, "PAGEVEC_SIZE", 13, "fifteen"),
    ],
    ids=["copies-always", "one-node-only", "no-buffers", "leaked-reference", "no-swap-cache", "short-pagevec"],
)
def test_a_wrong_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, wrong: object, cell: str
) -> None:
    """One function is exchanged for a wrong one: the cell whose argument rests on it fails."""
    monkeypatch.setattr(where, name, wrong)
    assert cell in run(cells_of(FRAMES))[1]
