"""Bugs planted in the paths of files, swap and truncation that random worlds find: the first world that does, of each.

The seeds were found by ``find_bug(bug.kernel, range(1500))``. Only "a swap-in does not wait for the lock" was missed:
its window, between switch and copy, was never hit.
"""

from __future__ import annotations

import pytest

from tests.planted_bugs.file_bugs import BUGS
from tests.random.interleavings import find_bug, play, scenario

#: What was planted -> the random seed of the world, and the complaint, a regular expression.
FOUND = {
    "PTEs are not restored before writepage": (334, "migration entry for page 10, which is not locked"),
    "the buffers' reference stays behind": (3, "page 9: count 2, but the references known are 1"),
    "the slot is not switched": (0, "mm 1 maps page 44, but its file has page 6 there"),
    "the swap slot's number stays behind": (4, "page 43 has buffers or a swap slot, but no slot leads to it"),
    "a use of the swap slot is not counted": (2, "swap slot 0: -1 uses, but 3 PTEs lead to it"),
    "the swapcache flag is lost": (4, "page 43: count 1, but the references known are 2"),
    "the dirty flag is lost": (0, "page 45 of mapping 2 is clean, holds 22, and its disc 0"),
    "truncation does not look at the slot again": (24, "page 12 has buffers or a swap slot, but no slot leads to it"),
    "writeback is not awaited in a forced pass": (52, "move_pages took page 42 from its place while a disc reads it"),
    "buffers are forgotten": (6, "page 13 has buffers or a swap slot, but no slot leads to it"),
    "a failed write is taken for done": (0, "page 41 of mapping 3 is clean, holds 10, and its disc 9"),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_world_finds_the_bug(name: str) -> None:
    """It keeps all promises under the sound kernel, and breaks one under the kernel that differs in one function."""
    random_seed, complaint = FOUND[name]
    kernel = next(bug.kernel for bug in BUGS if bug.name == name)
    plan = scenario(random_seed)
    play(plan)
    assert find_bug(kernel, [random_seed]) == random_seed
    with pytest.raises(AssertionError, match=complaint):
        play(plan, kernel)
