"""What notebook 08 promises its reader: whose page it is, who may move it, and who is moved without being asked."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from numakit.machine.frames import alloc_page_on
from numakit.machine.vma import VM_SHARED
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    run,
)

SHARING = ROOT / "notebooks" / "08-processes-that-share.ipynb"

fork, faults, move_pages = (import_module(f"numakit.{name}") for name in ("fork", "faults", "syscalls.move_pages"))
copy_one_pte = fork.copy_one_pte


def test_notebook_ends_with_summary_sources_and_version() -> None:
    """What was learned, the 2006 text, the kernel's files, the manual page that has the capability."""
    *_, last_words, last = cells_of(SHARING)
    for wanted in ("## Summary", "## Further reading", "742755a1d8ce", "mm/memory.c", "capabilities(7)"):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_all_assertions_hold() -> None:
    """As stored, and when run here."""
    assert run(cells_of(SHARING))[1] == set()


def all_ptes(m: Any, vma: Any) -> bool:
    """Every area is copied with its PTEs, as before 2005."""
    return True


def on_node_0(m: Any, vma: Any, address: int) -> Any:
    """Memory comes from node 0, wherever the process runs."""
    return alloc_page_on(m, 0)


def without_protection(m: Any, pte: Any, to: Any) -> None:
    """The child may write, and so may the parent: the pages are shared for good."""
    shared = pte.vma._replace(flags=pte.vma.flags | VM_SHARED)
    copy_one_pte(m, pte._replace(vma=shared), to)


@pytest.mark.parametrize(
    ("module", "name", "wrong", "cells"),
    [
        (fork, "copy_one_pte", without_protection, {"shared-frame", "cow"}),
        (fork, "has_anonymous_pages", all_ptes, {"board", "board-moves", "twelve"}),
        (faults, "can_share_swap_page", lambda m, page: False, {"reuse"}),
        (faults, "alloc_page_vma", on_node_0, {"cow"}),
        (move_pages, "shared_by", lambda m, page: (), {"move", "board-mapped", "library-cow", "twelve"}),
    ],
    ids=["no-write-protection", "all-ptes-are-copied", "copies-always", "one-node-only", "nothing-is-shared"],
)
def test_a_wrong_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, wrong: Callable[..., Any], cells: set[str]
) -> None:
    """One function is exchanged for a wrong one: the cells whose argument rests on it fail, among others."""
    monkeypatch.setattr(module, name, wrong)
    assert cells <= run(cells_of(SHARING))[1]
