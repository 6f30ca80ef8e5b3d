"""Random worlds of migrate_pages(2), mbind(), policies and cpusets, on every kernel, with others who act meanwhile."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from numakit import Stuck
from numakit.kernels import KERNELS
from tests.planted_bugs.bugs import Bug
from tests.planted_bugs.caller_bugs import BUGS
from tests.random.caller_worlds import find_bug, play, scenario

WORLDS = 4_000 if os.environ.get("NUMAKIT_LONG") == "1" else 400  #: for each kernel
CALLS = ("migrate_pages", "mbind", "set_mems", "attach")
ENOUGH = 50  #: times that each was made on each kernel
#: What pages met, and what calls answered, on each kernel.
TO_COME_UP = (
    *("migrate_pages: moved", "migrate_pages: left-shared", "migrate_pages: pinned", "migrate_pages -> target-cpuset"),
    *("mbind: moved", "mbind: left-shared", "mbind -> range-hole", "mbind -> policy-set", "mbind -> no-nodes"),
    *("mbind -> all-unprivileged", "set_mems -> 0", "set_mems -> -13", "set_mems -> -16"),
    *("attach -> 0", "wait at MMAP_WRITE", "move_pages", "munmap", "fork", "set_mempolicy", "get_mempolicy"),
)

#: What was planted -> the random seed of the first world that finds it (``find_bug(bug.kernel, range(1500))``), and the
#: complaint, a regular expression.
FOUND = {
    "shared pages are taken without MOVE_ALL": (89, "went though others map it, and the caller has no CAP_SYS_NICE"),
    "nodes are emptied in ascending order": (1468, "0x10001000 went from node 0 to 3"),
    "mmap_sem is kept if nothing is to move": (13, "mmap_sem of mm 1 is still held"),
    "pages before a hole stay isolated": (4, "task 1 still holds a reference to page 42"),
    "the policy is set in the first area only": (571, "has the policy .*mode=3.*, not .*mode=2"),
    "new pages ignore the policy": (937, r"went from node 0 to 0, bound to \(3,\)"),
    "policies are not rebound": (15, r"has the policy .*nodes=\(1, 3\)\), not .*nodes=\(0, 1\)\)"),
    "first touch ignores the cpuset": (36, r"mbind \(pid 4\) got {91: 3} \(page: node\), its cpuset allows {0, 1}"),
}


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kernel", KERNELS)
def test_random_calls_keep_every_promise(kernel: str) -> None:
    """Contents, counts, locks, cpusets, the way back and the replay; and the call's own word, if nobody meddled."""
    seen: Counter[str] = Counter()
    for random_seed in range(WORLDS):  # the same for every kernel: one that is added changes none of the others
        try:
            play(scenario(random_seed), KERNELS[kernel], seen)
        except (Exception, Stuck) as error:
            error.add_note(str(scenario(random_seed)))
            raise
    assert {call: seen[call] for call in CALLS if seen[call] < ENOUGH} == {}
    empty = "set_mems -> -28" if KERNELS[kernel].cpusets_may_be_empty else "set_mems -> -22"
    assert [what for what in (*TO_COME_UP, empty) if not seen[what]] == []


def test_a_world_is_the_same_every_time() -> None:
    """Its number says all about it: the schedule and the end."""
    first, second = play(scenario(7)), play(scenario(7))
    assert str(first.schedule) == str(second.schedule)
    assert first.machine.fingerprint() == second.machine.fingerprint()


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_world_finds_the_planted_bug(bug: Bug) -> None:
    """It keeps all promises under the sound kernel, and breaks one under the kernel that differs in one function."""
    random_seed, complaint = FOUND[bug.name]
    play(scenario(random_seed))
    assert find_bug(bug.kernel, [random_seed]) == random_seed
    with pytest.raises(AssertionError, match=complaint):
        play(scenario(random_seed), bug.kernel)
