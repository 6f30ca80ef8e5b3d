"""What notebook 07 promises its reader: each change by the same call on two kernels, dated, and with its source."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest

import numakit.kernels
from numakit.kernels import KERNELS
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    prose,
    run,
)
from tests.notebooks.test_stored_outputs import code_cells, compared_texts

CHANGES = ROOT / "notebooks" / "07-what-changed-since-2006.ipynb"

move_pages, chunks, now, permissions = (
    import_module(f"numakit.syscalls.{name}")
    for name in ("move_pages", "move_pages_in_chunks", "kernel_move_pages", "permissions")
)


def test_six_in_ten_cells_have_a_compared_text() -> None:
    """The others define what the next cell uses."""
    cells = code_cells(CHANGES)
    assert sum(any(compared_texts(cell)) for cell in cells) >= 0.6 * len(cells)


def test_notebook_ends_with_summary_sources_and_version() -> None:
    """What was learned, the commits, the holes by their numbers, the version of numakit."""
    *_, last_words, last = cells_of(CHANGES)
    for wanted in (
        "## Summary",
        "## Further reading",
        "742755a1d8ce",
        "mm/migrate.c",
        "CVE-2010-0415",
        "move_pages(2)",
    ):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_dated_changes_come_in_order_with_release_and_commit() -> None:
    """And each says which section shows it: one that the notebook has."""
    (table,) = [cell.source for cell in cells_of(CHANGES) if "| release | commit |" in cell.source]
    lines = [line for line in table.splitlines() if re.match(r"\| \d", line)]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    releases = [tuple(map(int, row[0].split(",")[0].split("."))) for row in rows]
    assert releases == sorted(releases)
    assert len(releases) == 10
    assert all(re.fullmatch(r"[0-9a-f]{12}", row[1]) for row in rows)
    titles = " ".join(re.findall(r"^##+ (.*)", prose(cells_of(CHANGES)), re.MULTILINE))
    for section in re.findall(r"\*([^*]+)\*", " ".join(row[3] for row in rows)):
        assert section in titles, section


def test_all_assertions_hold() -> None:
    """As stored, and when run here."""
    assert run(cells_of(CHANGES))[1] == set()


@pytest.mark.parametrize(
    ("kernel", "rules", "cells"),
    [
        ("2.6.29", {"returns_what_stayed": True}, {"rules"}),
        ("2.6.18", {"returns_what_stayed": False}, {"held", "lost-count", "rules"}),
        ("2.6.18", {"zero_page_status": -14}, {"places-table"}),
        ("6.12", {"untouched_status": -14}, {"places-table", "rules"}),
        ("6.1", {"forbidden_pages_are_found": True}, {"places-table"}),
        ("2.6.29", {"node_ids_are_checked": True}, {"minus-one"}),
    ],
)
def test_a_wrong_rule_is_noticed(
    monkeypatch: pytest.MonkeyPatch, kernel: str, rules: dict[str, Any], cells: set[str]
) -> None:
    """One rule of one kernel is another: the cells whose argument rests on it fail, and no others."""
    wrong = {**KERNELS, kernel: replace(KERNELS[kernel], **rules)}
    monkeypatch.setattr(numakit.kernels, "KERNELS", wrong)
    assert run(cells_of(CHANGES))[1] == cells


def everybody(*arguments: Any) -> int:
    """Whoever asks may."""
    return 0


@pytest.mark.parametrize(
    ("module", "name", "wrong", "cells"),
    [
        (chunks, "CHUNK", 1 << 20, {"chunk", "curves", "bad-node"}),
        (permissions, "CAP_SYS_NICE", "CAP_SYS_PTRACE", {"who-table"}),
        (now, "ptrace_may_access", everybody, {"setuid", "who-table"}),
    ],
    ids=["one-chunk-for-all", "the-other-capability-in-2006", "nobody-is-refused-today"],
)
def test_a_wrong_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, wrong: int | str | Callable[..., Any], cells: set[str]
) -> None:
    """One part is exchanged for a wrong one: the cells whose argument rests on it fail, and no others."""
    monkeypatch.setattr(module, name, wrong)
    assert run(cells_of(CHANGES))[1] == cells
