"""What notebook 11 promises its reader: counts that are the model's, times that are others', and a balance of both."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from numakit.kernels import SEED
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    prose,
    run,
)

COST = ROOT / "notebooks" / "11-cost.ipynb"

#: Microseconds a call, before and after the patches of 2008: the message of Linux commit e78bbfa82624.
MESSAGE = {1: (126, 98), 10: (198, 168), 100: (963, 937), 1024: (12503, 11930), 10240: (246867, 11848)}

move_pages, in_batches = (import_module(f"numakit.{name}") for name in ("syscalls.move_pages", "migration.kernel_6_12"))


def test_published_figures_are_those_of_the_message_and_name_their_source() -> None:
    """As published, the misprint too; machine, units and commit are told beside them."""
    names, failed = run(cells_of(COST))
    assert failed == set()
    assert names["PUBLISHED"] == MESSAGE
    for wanted in ("e78bbfa82624", "1.9 GHz", "In microseconds", "7e12beb8ca2a", "3140a2273009", "742755a1d8ce"):
        assert wanted in prose(cells_of(COST)), wanted


def one_look(m: Any, page: int, private: Any, result: Any) -> int | None:
    """Whoever looks for an entry finds it at once."""
    m.costs.scanned += 1
    new_page: int | None = move_pages.new_page_for_entry(m, page, private, result)
    return new_page


@pytest.mark.parametrize(
    ("where", "name", "wrong", "cells"),
    [
        (move_pages, "new_page_node", one_look, {"scanned", "one-look", "chunks", "hot-replay"}),
        (move_pages, "down_read", lambda m, mm: iter(()), {"steps"}),
        (in_batches, "NR_MAX_BATCHED_MIGRATION", 1, {"batches"}),
    ],
    ids=["the-scan-is-linear", "mmap_sem-is-not-taken", "batches-of-one"],
)
def test_a_wrong_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, wrong: Callable[..., Any] | int, cells: set[str]
) -> None:
    """One thing is exchanged for a wrong one: the cells whose argument rests on it fail."""
    monkeypatch.setattr(where, name, wrong)
    monkeypatch.setattr("numakit.facade.engine.MANY_PAGES", 1 << 40)  # the wrong one is a function of the steps
    assert cells <= run(cells_of(COST))[1]


def test_fewer_passes_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The price of a page that cannot move is that of ten attempts."""
    monkeypatch.setattr("numakit.kernels.KERNELS", {"seed": SEED.__class__("seed", "", "", passes=3)})
    assert "pinned" in run(cells_of(COST)[:8])[1]
