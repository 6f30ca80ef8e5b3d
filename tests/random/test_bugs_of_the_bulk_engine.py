"""Bugs that are planted in the bulk engine are found by playing both engines: each is one that is easily made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL
from numakit.bulk import (
    free_frames,
    kernel_migrate_pages,
    kernel_move_pages,
    migrate,
    move_pages,
    new_pages,
    page_range,
    pages,
    pagevec,
    passes,
)
from numakit.kernels import ALL_KERNELS
from numakit.machine.mempolicy import interleave_offset
from numakit.machine.vma import PTE_DIRTY
from tests.random.both_engines import calls_of, every_run_counts
from tests.random.test_both_engines import differences

WORLDS = 300  #: random worlds that are played, at most, until a bug is found

Plant = Callable[[pytest.MonkeyPatch], None]


def frames_come_lowest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame that was freed meanwhile is not taken again: the stack is that from before the call."""

    def wrong(m: Any, row: int, takes: Any, gives: Any, given: Any) -> Any:
        found = free_frames.plan_takes(m, row, len(takes))
        if isinstance(found, free_frames.Exhausted):
            return found
        first = m.first_frame[row] + found.free_top
        return found._replace(slots=first + np.arange(len(given)), written=given, free_top=found.free_top + len(given))

    monkeypatch.setattr(migrate, "plan", wrong)


def dirty_bits_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The page does not take over the dirty bits of its PTEs."""
    monkeypatch.setattr(pages, "PTE_DIRTY", PTE_DIRTY << 20)


def stamps_start_too_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last page that was put on an LRU list before and the first one now have the same stamp."""
    right: Any = pagevec.pass_pagevec

    def wrong(m: Any, *arguments: Any) -> None:
        m.clock[0] -= 1
        right(m, *arguments)

    monkeypatch.setattr(migrate, "pass_pagevec", wrong)


def pins_are_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every page is taken for ordinary: nobody looks for further references, or for swap and files."""
    right = pages.gather

    def wrong(*arguments: Any) -> Any:
        gathered = right(*arguments)
        gathered.ordinary[:] = True
        return gathered

    monkeypatch.setattr(passes, "gather", wrong)


def duplicates_are_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry on a kernel of today is answered by what was seen before an earlier one moved its page."""
    monkeypatch.setattr(kernel_move_pages, "named_before", lambda m, found, movers: np.zeros(len(found), bool))


def last_of_equal_entries_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of entries that name a page the last one queues it."""

    def wrong(frames: Any, found: Any) -> Any:
        last = {page: at for at, page in enumerate(found.tolist())}
        chosen = np.array([last[page] == at for at, page in enumerate(found.tolist())], bool)
        chosen &= frames.stamp[found] != 0
        frames.stamp[found[chosen]] = 0
        return chosen

    monkeypatch.setattr(move_pages, "take_off_lru", wrong)


def sharers_are_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    """A walk takes pages along that others map, whatever its flags."""
    monkeypatch.setattr(page_range, "MPOL_MF_MOVE_ALL", MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)


def turns_begin_with_the_second_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages that interleave are counted from one, and not by their address."""
    monkeypatch.setattr(new_pages, "interleave_offset", lambda vma, address: interleave_offset(vma, address) + 1)


def those_behind_a_full_node_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not tried when a call ends for want of memory counts as moved."""
    monkeypatch.setattr(kernel_migrate_pages.WalkQueue, "note_untried", lambda queue: None)


BUGS = [
    sharers_are_moved,
    turns_begin_with_the_second_node,
    those_behind_a_full_node_are_forgotten,
    frames_come_lowest_first,
    dirty_bits_are_lost,
    stamps_start_too_early,
    pins_are_overlooked,
    duplicates_are_overlooked,
    last_of_equal_entries_wins,
]


def first_difference() -> str:
    """Play worlds until the engines differ, by an answer, a machine, or an exception; what was seen, empty if they do
    not.
    """
    for random_seed in range(WORLDS):
        calls = calls_of(random_seed)
        try:
            seen = differences(random_seed, ALL_KERNELS[random_seed % len(ALL_KERNELS)], calls, Counter())
        except (AssertionError, IndexError, KeyError, ValueError) as failure:
            seen = repr(failure)
        if seen:
            return seen
    return ""


@pytest.fixture(autouse=True)
def _every_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    every_run_counts(monkeypatch)


@pytest.mark.parametrize("plant", BUGS, ids=lambda plant: plant.__name__)
def test_a_planted_bug_is_found(plant: Plant, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within some random worlds."""
    plant(monkeypatch)
    assert first_difference()


@pytest.mark.slow
def test_without_a_bug_nothing_is_found() -> None:
    """The same worlds are no difference to the engine as it is."""
    assert first_difference() == ""
