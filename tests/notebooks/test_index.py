"""What the index promises: every word that the course uses is explained once, before it is needed."""

from __future__ import annotations

import re

from tests.clone import ROOT
from tests.notebooks.reading import LONGEST_CELL, cells_of, longest_cell, most_code_in_a_row, run

INDEX = ROOT / "notebooks" / "index.ipynb"
WORDS = {
    "node", "distance", "page", "frame", "PTE", "fault", "first touch", "area", "reference", "mapcount", "LRU lists",
    "pagevec", "isolate", "migration entry", "pass", "status", "return code", "policy", "cpuset", "moment", "step",
    "run",
}  # fmt: skip


def test_glossary_explains_the_words_of_the_course() -> None:
    """Each once."""
    (glossary,) = [cell.source for cell in cells_of(INDEX) if cell.id == "glossary"]
    explained = re.findall(r"^\| \*\*([\w ]+)\*\*", glossary, re.MULTILINE)
    assert sorted(explained) == sorted(WORDS)


def test_cells_are_short_and_hold() -> None:
    """The installation works where they run."""
    cells = cells_of(INDEX)
    assert longest_cell(cells) <= LONGEST_CELL
    assert most_code_in_a_row(cells) == 1
    assert run(cells)[1] == set()
    assert cells[-1].source.endswith("numakit.__version__")
