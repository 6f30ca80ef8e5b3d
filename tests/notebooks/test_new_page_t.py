"""What notebook 05 promises its reader: a policy of one's own works, and a broken one is one line and no harm."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

import numakit.machine.lru
import numakit.timeline.run
from numakit import Topology
from numakit.migration.new_page import Cells
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    run,
)
from tests.notebooks.test_stored_outputs import code_cells, compared_texts

NEW_PAGE = ROOT / "notebooks" / "05-new-page-t.ipynb"
MISTAKES = {
    "break-raise-run": "ValueError: node=6",
    "break-node-run": "returned frame 3, which is in use",
    "break-look-run": "took 2 frames and returned one",
    "break-return-run": "took 1 frame and returned none",
    "break-call-run": "calls back into the machine",
    "break-status-run": "TypeError: status=[0, 0, 0]",
}  #: cells that break the contract -> what their error says


def test_six_in_ten_cells_have_a_compared_text() -> None:
    """The others define what the next cell uses."""
    cells = code_cells(NEW_PAGE)
    assert sum(any(compared_texts(cell)) for cell in cells) >= 0.6 * len(cells)


def test_each_mistake_is_one_error_that_names_a_line_of_the_cell() -> None:
    """Announced by a tag, stored as that one line: no way through the kit, no file of this machine."""
    stored = {}
    for cell in code_cells(NEW_PAGE):
        for output in cell.outputs:
            if output.output_type == "error":
                stored[cell.id] = output
                assert cell.metadata.tags == ["raises-exception"]
                number, text = re.match(r"line (\d+) \((.*?)\): ", output.evalue).groups()  # type: ignore[union-attr]
                assert cell.source.splitlines()[int(number) - 1].strip() == text
                assert output.traceback == [f"BrokenUserCode: {output.evalue}"]
    assert stored.keys() == MISTAKES.keys()
    assert [name for name, says in MISTAKES.items() if says not in stored[name].evalue] == []


def test_notebook_ends_with_summary_sources_and_version() -> None:
    """What was learned, both commits of that day, the cure of the scan, the version of numakit."""
    *_, last_words, last = cells_of(NEW_PAGE)
    for wanted in ("## Summary", "## Further reading", "742755a1d8ce", "95a402c3847c", "3140a2273009"):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_all_assertions_hold_and_only_the_mistakes_fail() -> None:
    """As stored, and when run here."""
    assert run(cells_of(NEW_PAGE))[1] == MISTAKES.keys()


def write_past_the_journal(cells: Cells, index: int, value: int) -> None:
    """Cells as a closure's variables: they do not go back."""
    cells.memory[index] = value


def by_number(topology: Topology, node: int) -> tuple[int, ...]:
    """The nodes in the order of their numbers, however far they are."""
    return topology.nodes


@pytest.mark.parametrize(
    ("where", "name", "wrong", "cell"),
    [
        (numakit.machine.lru, "PAGEVEC_SIZE", 13, "isolate-too-early"),
        (Cells, "__setitem__", write_past_the_journal, "cells-again"),
        (numakit.timeline.run.Run, "_call_off", lambda run: None, "break-raise-check"),
        (import_module("numakit.migration.migrate_pages"), "EAGAIN", 0, "attempts-count"),
        (Topology, "nearest", by_number, "nearest-def"),
    ],
    ids=["short-pagevec", "cells-outside-the-machine", "nothing-undone", "no-second-pass", "no-distances"],
)
def test_a_wrong_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, wrong: int | Callable[..., Any], cell: str
) -> None:
    """One thing is exchanged for a wrong one: the cell whose argument rests on it fails."""
    monkeypatch.setattr(where, name, wrong)
    assert cell in run(cells_of(NEW_PAGE))[1]
