"""What notebook 09 promises its reader: where memory comes from and goes to, and what an answer does not prove."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from numakit import MPOL_BIND
from numakit.machine.locks import down_read
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    run,
)
from tests.notebooks.test_stored_outputs import code_cells, compared_texts

POLICIES = ROOT / "notebooks" / "09-policies-cpusets-and-migrate-pages.ipynb"

MODULES = ("machine.mempolicy", "syscalls.migrate_pages", "syscalls.page_range", "syscalls.mempolicy", "syscalls.mbind")
mempolicy, migrate_pages, page_range, asking, mbind = (import_module(f"numakit.{name}") for name in MODULES)


@pytest.fixture(autouse=True)
def pictures_without_a_window() -> Iterator[None]:
    """The cells draw; here nobody looks."""
    pytest.importorskip("ipywidgets")
    pytest.importorskip("matplotlib").use("Agg")
    yield
    pytest.importorskip("matplotlib.pyplot").close("all")


def test_six_in_ten_cells_have_a_compared_text() -> None:
    """The others define what the next cell uses."""
    cells = code_cells(POLICIES)
    assert sum(any(compared_texts(cell)) for cell in cells) >= 0.6 * len(cells)


def test_notebook_ends_with_summary_sources_and_version() -> None:
    """What was learned, the 2006 text, the kernel's files, numactl, the version of numakit."""
    *_, last_words, last = cells_of(POLICIES)
    for wanted in ("## Summary", "## Further reading", "742755a1d8ce", "mm/mempolicy.c", "kernel/cpuset.c", "numactl"):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_table_of_wishes_has_each_call_of_the_notebook() -> None:
    """Calls that the cells make, and no others."""
    (table,) = [cell.source for cell in cells_of(POLICIES) if "## Which call for which wish" in cell.source]
    named = set(re.findall(r"^\|[^|]+\| `(\w+)`", table, re.MULTILINE))
    assert named == {"set_mempolicy", "mbind", "move_pages", "migrate_pages"}
    code = "\n".join(cell.source for cell in code_cells(POLICIES))
    assert all(f".{call}(" in code for call in named)
    assert "memory_migrate=True" in code


def test_all_assertions_hold() -> None:
    """As stored, and when run here."""
    assert run(cells_of(POLICIES))[1] == set()


zonelist_policy, handle_mm_fault = mempolicy.zonelist_policy, asking.handle_mm_fault


def bind_by_distance(m: Any, policy: Any) -> tuple[int, ...]:
    """The nearest of the nodes comes first, as it does since 2.6.26."""
    order: tuple[int, ...] = zonelist_policy(m, policy)
    near = m.zonelists[m.cpu_nodes[m.cpu]]
    return tuple(sorted(order, key=near.index)) if policy and policy.mode == MPOL_BIND else order


def from_the_last(policy: Any, offset: int) -> int:
    """Interleaving begins with the highest node."""
    node: int = policy.nodes[-1 - offset % len(policy.nodes)]
    return node


def fault_near_the_cpu(m: Any, vma: Any, address: int, *, write: bool) -> Any:
    """The page that is read in comes from the node of the CPU, whatever the policy says."""
    task = m.table[("process", m.pid)]
    m.put(("process", m.pid), task._replace(mempolicy=None))
    rc = yield from handle_mm_fault(m, vma, address, write=write)
    m.put(("process", m.pid), task)
    return rc


def upwards(m: Any, left: tuple[int, ...], old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, int] | None:
    """Nodes are emptied from the lowest up, whatever waits on the way."""
    pairs = [(node, migrate_pages.node_remap(node, old, new)) for node in left]
    return next((pair for pair in pairs if pair[0] != pair[1]), None)


def shared_pages_too(m: Any, vma: Any, address: int, page: int, flags: int) -> None:
    """Whoever maps it."""
    page_range.isolate_lru_page(m, page, m.current)


@pytest.mark.parametrize(
    ("module", "name", "wrong", "cells"),
    [
        (mempolicy, "zonelist_policy", bind_by_distance, {"bind"}),
        (mempolicy, "offset_il_node", from_the_last, {"interleave"}),
        (mempolicy, "mpol_rebind_policy", lambda m, policy, old, new: policy, {"attach"}),
        (asking, "handle_mm_fault", fault_near_the_cpu, {"ask-twice"}),
        (mbind, "down_write", down_read, {"wait-check"}),
        (migrate_pages, "next_pair", upwards, {"attach-migrate", "mems-check", "order"}),
        (
            page_range,
            "migrate_page_add",
            shared_pages_too,
            {"mbind-move", "mbind-shared", "mbind-all", "command-user", "fates"},
        ),
        (page_range, "migratable", lambda m, vma: True, {"fates", "command-root"}),
    ],
    ids=[
        "bind-goes-by-distance",
        "interleaving-begins-at-the-other-end",
        "policies-are-not-rebound",
        "a-question-forgets-the-policy",
        "faults-do-not-wait",
        "nodes-are-emptied-from-below",
        "shared-pages-move-along",
        "locked-areas-move-along",
    ],
)
def test_a_wrong_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch, module: Any, name: str, wrong: Callable[..., Any], cells: set[str]
) -> None:
    """One function is exchanged for a wrong one: the cells whose argument rests on it fail, and no others."""
    monkeypatch.setattr(module, name, wrong)
    assert run(cells_of(POLICIES))[1] == cells
