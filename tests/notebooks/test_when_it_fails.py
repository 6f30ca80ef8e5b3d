"""What notebook 06 promises its reader: which page stays, in which pass, why, and what helps."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

import numakit.disc
import numakit.machine.pagecache
import numakit.migration.fallback
from numakit.explain.entries import ENTRIES
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    run,
)
from tests.notebooks.test_stored_outputs import code_cells, compared_texts

FAILS = ROOT / "notebooks" / "06-when-it-fails.ipynb"
IN_THE_TABLE = {
    "pinned", "buffers", "written", "duplicate", "off-lru", "write-fails", "no-write", "mlocked", "driver", "full",
    "swapped", "not-read", "gone",
}  # fmt: skip  #: rows of the contract that the decision table tells apart


def test_six_in_ten_cells_have_a_compared_text() -> None:
    """The others define what the next cell uses."""
    cells = code_cells(FAILS)
    assert sum(any(compared_texts(cell)) for cell in cells) >= 0.6 * len(cells)


def test_decision_table_names_rows_of_the_contract_with_the_right_numbers() -> None:
    """Each row once, with the status that the library gives it."""
    (table,) = [cell.source for cell in cells_of(FAILS) if "## The decision table" in cell.source]
    lines = [line for line in table.splitlines() if line.startswith("| ") and "`" in line.split("|")[2]]
    named = {row for line in lines for row in re.findall(r"`([a-z-]+)`", line.split("|")[2]) if row in ENTRIES}
    assert named == IN_THE_TABLE
    numbers = {row: line.split("|")[1].strip() for line in lines for row in re.findall(r"`([a-z-]+)`", line)}
    assert {numbers[row] for row in ("pinned", "buffers", "written")} == {"-EBUSY"}
    assert {numbers[row] for row in ("mlocked", "driver")} == {"-EPERM"}
    assert (numbers["write-fails"], numbers["no-write"], numbers["gone"]) == ("-EIO", "-EINVAL", "a node")


def test_notebook_ends_with_summary_sources_and_version() -> None:
    """What was learned, the 2006 text, the kernel's files, the version of numakit."""
    *_, last_words, last = cells_of(FAILS)
    for wanted in ("## Summary", "## Further reading", "742755a1d8ce", "mm/migrate.c", "fs/ext2/inode.c"):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_all_assertions_hold() -> None:
    """As stored, and when run here."""
    assert run(cells_of(FAILS))[1] == set()


def leave_the_entries(m: Any, old: int, new: int) -> Iterator[Any]:
    """The PTEs stay migration entries while the page is written."""
    yield from ()


@pytest.mark.parametrize(
    ("where", "name", "wrong", "cell"),
    [
        (numakit.migration.fallback, "remove_migration_ptes", leave_the_entries, "ptes-run"),
        (numakit.machine.pagecache, "buffers_held_by", lambda m, page: "", "buffers-run"),
        (import_module("numakit.migration.migrate_page"), "count_test", lambda m, page, expected: 0, "busy-check"),
        (numakit.disc, "fail_to_write", None, "dirty-check"),
        (numakit.migration.fallback, "EIO", 22, "dirty-check"),
    ],
    ids=["entries-during-writepage", "journal-ignored", "references-ignored", "writes-never-fail", "one-errno-for-two"],
)
def test_a_wrong_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: object, name: str, wrong: object, cell: str
) -> None:
    """One function is exchanged for a wrong one: the cell whose argument rests on it fails."""
    if wrong is None:
        monkeypatch.setitem(numakit.disc.WRITEPAGE, name, numakit.disc.submit_write)
    else:
        monkeypatch.setattr(where, name, wrong)
    assert cell in run(cells_of(FAILS))[1]
