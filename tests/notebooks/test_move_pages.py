"""What notebook 03 promises its reader: every row of both tables of the contract, caused and kept."""

from __future__ import annotations

from errno import errorcode
from typing import Any

import pytest

import numakit.syscalls.move_pages
from numakit.explain.entries import ENTRIES
from numakit.explain.returns import RETURNS
from tests.clone import ROOT
from tests.contract.causes import ROWS
from tests.notebooks.reading import (
    cells_of,
    run,
)
from tests.notebooks.test_stored_outputs import code_cells, compared_texts

MOVE_PAGES = ROOT / "notebooks" / "03-move-pages.ipynb"

#: Each row of the table of return codes in the order of the checks; the query's row comes last.
RETURN_ROWS = {
    "bad-flags": "-EINVAL",
    "all-unprivileged": "-EPERM",
    "no-process": "-ESRCH",
    "kthread": "-EINVAL",
    "other-user": "-EPERM",
    "too-many": "-E2BIG",
    "no-array": "-ENOMEM",
    "pages-unreadable": "-EFAULT",
    "nodes-unreadable": "-EFAULT",
    "offline": "-ENODEV",
    "cpuset": "-EACCES",
    "nothing": "-ENOENT",
    "status-unwritable": "-EFAULT",
    "ok": "0",
    "query": "0",
}
STATUS_ROWS = {
    "-EFAULT": {"hole", "zero"},
    "-ENOENT": {"untouched", "swapped", "not-read", "migrating"},
    "a node": {"there", "gone", "moved"},
    "-EACCES": {"shared"},
    "-EBUSY": {"duplicate", "off-lru", "buffers", "pinned"},
    "-ENOMEM": {"full"},
    "-EPERM": {"mlocked", "driver"},
    "-EINVAL": {"no-write"},
    "-EIO": {"write-fails"},
}


@pytest.fixture(scope="module")
def ran() -> tuple[dict[str, Any], set[str]]:
    """The notebook, run from start to end."""
    return run(cells_of(MOVE_PAGES))


def test_all_assertions_hold(ran: tuple[dict[str, Any], set[str]]) -> None:
    """As stored, and when run here."""
    assert ran[1] == set()


def test_every_status_of_the_contract_is_caused_and_kept(ran: tuple[dict[str, Any], set[str]]) -> None:
    """Row by row, under the right name, each with a cause and a cure."""
    statuses = ran[0]["statuses"]
    assert set(statuses) == set(ROWS) == set(ran[0]["order"])
    kept = {name: {row for row, (told, _, _) in statuses.items() if told == name} for name in STATUS_ROWS}
    assert kept == STATUS_ROWS
    assert all(cause and cure for _, cause, cure in statuses.values())
    assert tuple(ran[0]["order"]) == ROWS


def test_every_return_code_of_the_contract_is_caused_in_the_order_of_the_checks(
    ran: tuple[dict[str, Any], set[str]],
) -> None:
    """The call that is wrong in every way meets one check after the other."""
    returns = ran[0]["returns"]
    assert list(returns) == list(RETURN_ROWS)
    assert {row: name for row, (name, _, _) in returns.items()} == RETURN_ROWS


def test_every_answer_is_explained_where_it_is_kept() -> None:
    """The explanation of each row stands in an output, not only its number."""
    outputs = "".join(str(cell.outputs) for cell in code_cells(MOVE_PAGES))
    assert outputs.count("Entry ") >= len(ROWS)
    for name in {*STATUS_ROWS, *RETURN_ROWS.values()} - {"a node", "0"}:
        assert f"{name}. " in outputs, name
        assert name[1:] in errorcode.values()
    assert set(ROWS) < set(ENTRIES)
    assert set(RETURN_ROWS) < set(RETURNS)


def test_six_in_ten_cells_have_a_compared_text() -> None:
    """The others define what the next cell uses."""
    cells = code_cells(MOVE_PAGES)
    assert sum(any(compared_texts(cell)) for cell in cells) >= 0.6 * len(cells)


def test_notebook_ends_with_summary_sources_and_version() -> None:
    """The 2006 text, the manual page, the kernel's sources."""
    *_, last_words, last = cells_of(MOVE_PAGES)
    for wanted in ("## Summary", "## Further reading", "742755a1d8ce", "move_pages(2)", "mm/migrate.c"):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_a_wrong_model_is_noticed(monkeypatch: pytest.MonkeyPatch, ran: tuple[dict[str, Any], set[str]]) -> None:
    """A call that does not drain the pagevecs first finds its pages busy."""
    monkeypatch.setattr(numakit.syscalls.move_pages, "lru_add_drain_all", lambda m: None)
    assert "first-move" in run(cells_of(MOVE_PAGES))[1]
