"""The bulk engine leaves behind what the readable one does, to the last byte, and answers the same."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numakit.kernels import ALL_KERNELS, Kernel
from tests.random.both_engines import (
    MOVING,
    Played,
    calls_of,
    every_run_counts,
    note_why_pages_are_handed_over,
    play,
    reached_by,
    told,
    world,
)
from tests.random.played import LONG

EXAMPLES = 200 * LONG  #: for each kernel
WORLDS, CALLS_OF_A_WORLD = 60 * LONG, 5  #: of calls about whole processes, for each kernel

#: What play has to come across on every kernel. (A page that is gone, locked or migrating, and one whose buffers are
#: held, need others who act meanwhile: then calls are made in steps.)
ROWS = (
    *(
        "hole",
        "untouched",
        "not-read",
        "swapped",
        "zero",
        "there",
        "here",
        "shared",
        "duplicate",
        "off-lru",
        "no-write",
    ),
    *("pinned", "moved"),
)
RETURNS = (
    *("ok", "query", "bad-flags", "kthread", "all-unprivileged", "other-user", "cpuset", "offline", "no-process"),
    *("pages-unreadable", "nodes-unreadable", "status-unwritable"),
)
RETURNS_OF_ALL_AT_ONCE = ("nothing", "too-many", "no-array")

#: Why a page is moved by the readable functions, and, where kernels move batches, a batch.
PAGE_REASONS = ("of a file", "in the swap cache", "held by others", "its node is full")
BATCH_REASONS = (
    *("a node ends the call", "a page is not ordinary", "an earlier entry moves a page", "frames may not suffice"),
)


#: What calls about ranges and whole processes have to come across on every kernel.
FATES_TO_REACH = (
    *("fate: moved", "fate: full", "fate: pinned", "fate: left-shared", "fate: left-busy", "fate: left-untried"),
    *("moves: ok", "moves: policy-set", "moves: range-hole", "moves by bulk"),
)


def to_reach(kernel: Kernel) -> list[str]:
    """What play has to come across on a kernel."""
    rows = [*ROWS, "handed over: the whole call", "number: 0", "number: -14", *(f"ret: {row}" for row in RETURNS)]
    if kernel.checks_all_first:
        rows += [f"ret: {row}" for row in RETURNS_OF_ALL_AT_ONCE]
        rows += [f"page: {reason}" for reason in ("its node gives nothing", "behind one without a frame")]
    if kernel.functions.get("sys_move_pages") == "kernel_move_pages":
        rows += [f"batch: {reason}" for reason in BATCH_REASONS]
    else:
        rows += [f"page: {reason}" for reason in PAGE_REASONS]
    if kernel.mlocked_stay:
        rows += ["mlocked", "driver", "page: locked in memory"]
    if kernel.this_node_only:
        rows += ["full"]
    return [*rows, "write-fails" if kernel.failed_write_locks_again else "ret: bug"]


@pytest.fixture(autouse=True)
def _every_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    every_run_counts(monkeypatch)


def differences(random_seed: int, kernel: Kernel, calls: list[Played], reached: Counter[str]) -> str:
    """Play calls on both engines; in which one they differ first, and how. Empty if they do not."""
    steps, bulk = (world(random_seed, kernel, engine) for engine in ("steps", "bulk"))
    if steps.fingerprint() != bulk.fingerprint():
        return "the worlds differ"
    for number, call in enumerate(calls):
        expected, found = play(steps, call), play(bulk, call)
        if told(expected) != told(found):
            return f"call {number}: {expected}\n{found}"
        if steps.fingerprint() != bulk.fingerprint():
            return f"call {number}, {expected}: the machines differ"
        reached.update(reached_by(found))
        if "bug" in steps.table:  # the machine makes no further calls
            return ""
    return "\n".join(bulk.inconsistencies())


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ALL_KERNELS, ids=lambda kernel: kernel.name)
def test_both_engines_leave_the_same_machine_and_say_the_same(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the machine, its processes and the calls."""
    reached: Counter[str] = Counter()
    note_why_pages_are_handed_over(monkeypatch, reached)

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
    @given(st.integers(0, 2**32))
    def plays(random_seed: int) -> None:
        assert differences(random_seed, kernel, calls_of(random_seed), reached) == ""

    plays()

    assert [row for row in to_reach(kernel) if not reached[row]] == []


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ALL_KERNELS, ids=lambda kernel: kernel.name)
def test_calls_about_whole_processes_leave_the_same_machine_and_say_the_same(kernel: Kernel) -> None:
    """migrate_pages(2), mbind() and changes of cpusets, in worlds that are drawn evenly: small ones say little here."""
    reached: Counter[str] = Counter()
    for random_seed in range(WORLDS):
        draw = Random(f"calls about whole processes {random_seed}")
        calls = [
            Played(
                draw.choice(MOVING), draw.randrange(4), draw.randrange(4), draw.randrange(45), draw.randrange(61),
                draw.randrange(2**16),
            )
            for _ in range(CALLS_OF_A_WORLD)
        ]  # fmt: skip
        assert differences(random_seed, kernel, calls, reached) == "", random_seed
    locked = ("fate: left-locked",) if kernel.locked_areas_left_out else ()
    assert [row for row in (*FATES_TO_REACH, *locked) if not reached[row]] == []
