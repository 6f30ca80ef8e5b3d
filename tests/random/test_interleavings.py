"""Random worlds, played with random priorities, and the tools around them."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from numakit import Stuck
from numakit.facade.interference import Interference
from numakit.kernels import SEED
from numakit.kernels.functions import serves
from numakit.machine.state import MachineState
from tests.random.interleavings import Scenario, find_bug, play, scenario
from tests.random.shrink import failure_of, shrink
from tests.random.sights import BUFFERS, DISC_AWAITED, FILE_COPIED, RACES, SWAP_CACHE, SWAP_IN, SWAP_OUT, WRITTEN

WORLDS = 20_000 if os.environ.get("NUMAKIT_LONG") == "1" else 2_000
PARTS = 8
TO_COME_UP = (
    *(*RACES, "wait at ENTRY_WAIT", "wait at RMAP_LOCK"),
    *(WRITTEN, BUFFERS, SWAP_CACHE, SWAP_IN, SWAP_OUT, FILE_COPIED, DISC_AWAITED),
)


@serves("count_test")
def no_count_test(m: MachineState, page: int, expected: int) -> int:
    """A bug: nobody looks whether others hold the page."""
    return 0


BUGGY = SEED.with_function("count_test", "no_count_test")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("part", range(PARTS))
def test_random_worlds_keep_every_promise(part: int) -> None:
    """What is read, who holds pages, counts and lists; and the way back, on and round again. Races do come up."""
    seen: Counter[str] = Counter()
    for random_seed in range(part, WORLDS, PARTS):
        try:
            play(scenario(random_seed), seen=seen)
        except (Exception, Stuck) as error:
            error.add_note(f"random_seed {random_seed}; python -m tools.fuzz 1 --start {random_seed} shrinks it")
            raise
    assert all(seen[what] for what in TO_COME_UP), f"some races and paths never came up: {seen}"


def test_a_world_is_the_same_every_time() -> None:
    """Its number says all about it: the schedule and the end."""
    plan = scenario(5)
    first, second = play(plan), play(scenario(5))
    assert str(first.schedule) == str(second.schedule)
    assert first.last().machine.fingerprint() == second.last().machine.fingerprint()


def test_a_planted_bug_is_found_and_shrunk() -> None:
    """A pinned page that moves: what is left is short, and still fails."""
    random_seed = find_bug(BUGGY, range(200))
    assert random_seed is not None
    failure = failure_of(scenario(random_seed), BUGGY)
    assert failure is not None
    small = shrink(failure, BUGGY)
    assert len(small.plan.actors) <= len(failure.plan.actors)
    assert len(small.plan.pages) <= 2
    assert failure_of(small.plan, BUGGY) is not None
    assert failure_of(small.plan) is None, "without the bug it keeps all promises"
    assert f"random_seed {random_seed}" in str(small)


def test_who_is_stuck_without_a_reason_is_a_failure() -> None:
    """A page lock that is never given back: the run is stuck, and that is reported."""
    forever = Interference("process(1).hold_page_lock(0x10000000)", for_ever=True)
    plan = Scenario(1, 1, 1, (0x10000000,), (1,), 4, (forever,), None)
    failure = failure_of(plan)
    assert failure is not None
    assert isinstance(failure.error, Stuck)
