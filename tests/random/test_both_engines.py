"""The bulk engine leaves behind what the readable one does, to the last byte, and answers the same."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numakit.bulk import first_touch, kernel_migrate_pages, kernel_move_pages, page_range, passes
from numakit.kernels import ALL_KERNELS, Kernel
from numakit.migration import kernel_6_12
from numakit.syscalls import move_pages_in_chunks
from tests.random.both_engines import CALLS, MOVING, Played, play, reached_by, told, world
from tests.random.played import LONG

EXAMPLES = 200 * LONG  #: for each kernel
WORLDS, CALLS_OF_A_WORLD = 60 * LONG, 5  #: of calls about whole processes, for each kernel

#: What play has to come across on every kernel. (Off the LRU, gone and migrating need others who act meanwhile.)
TO_REACH = (
    *("hole", "untouched", "not-read", "swapped", "zero", "there", "here", "shared", "duplicate", "moved", "pinned"),
    *("handed over: moved", "handed over: pinned", "handed over: the whole call"),
    *("ret: ok", "ret: query", "number: 0", "number: -14"),
)

#: What calls about ranges and whole processes have to come across on every kernel.
FATES_TO_REACH = (
    *("fate: moved", "fate: full", "fate: pinned", "fate: left-shared", "fate: left-busy", "fate: left-untried"),
    *("moves: ok", "moves: policy-set", "moves: range-hole", "moves by bulk"),
)


@pytest.fixture(autouse=True)
def _every_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines are small here, so that runs of ordinary pages are short: all of them are moved at once."""
    monkeypatch.setattr(passes, "SHORTEST_RUN", 1)
    monkeypatch.setattr(first_touch, "SHORTEST_TOUCH", 1)
    monkeypatch.setattr(move_pages_in_chunks, "CHUNK", 9)
    for module in (kernel_6_12, kernel_migrate_pages, kernel_move_pages):
        monkeypatch.setattr(module, "NR_MAX_BATCHED_MIGRATION", 5)
    monkeypatch.setattr(kernel_migrate_pages, "CHUNK", 21)
    monkeypatch.setattr(page_range, "BLOCK", 11)


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
def test_both_engines_leave_the_same_machine_and_say_the_same(kernel: Kernel) -> None:
    """Whatever the machine, its processes and the calls."""
    reached: Counter[str] = Counter()

    @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, database=None)
    @given(st.integers(0, 2**32), st.lists(CALLS, min_size=1, max_size=4))
    def plays(random_seed: int, calls: list[Played]) -> None:
        assert differences(random_seed, kernel, calls, reached) == ""

    plays()
    assert [row for row in TO_REACH if not reached[row]] == []


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
