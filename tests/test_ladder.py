"""The checks of sys_move_pages() in their order: of two that hold at once the earlier one answers."""

from __future__ import annotations

from collections.abc import Set
from itertools import combinations, permutations

import pytest

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, Machine, Process, Result
from numakit.abi import EFAULT
from numakit.syscalls.move_pages import CHECKS

LADDER = dict([*CHECKS, ("status-unwritable", -EFAULT)])
BY_ENTRY = ("pages-unreadable", "nodes-unreadable", "offline", "cpuset")  #: checks 9 to 12 go entry by entry

#: pairs that cannot hold at once, and why
EXCLUDED = {
    ("no-process", "kthread"): "a pid either belongs to nobody or to a kernel thread",
    ("no-process", "other-user"): "a process that does not exist has no user",
    ("no-process", "cpuset"): "a process that does not exist has no cpuset",
    ("kthread", "cpuset"): "the cpuset of a kernel thread allows all nodes",
    ("nodes-unreadable", "offline"): "a node that cannot be read has no value (in another entry: see below)",
    ("nodes-unreadable", "cpuset"): "a node that cannot be read has no value (in another entry: see below)",
}
PAIRS = [pair for pair in combinations(LADDER, 2) if pair not in EXCLUDED]


def call_in_which(machine: Machine, holds: Set[str]) -> Result:
    """A call with one entry in which exactly these checks hold."""
    caller = machine.spawn("caller", uid=1000 if "other-user" in holds else 0, capabilities=())
    target = machine.spawn("target", uid=0, node=0, mems={0} if "cpuset" in holds else {0, 1})
    area = target.mmap(pages=1)
    target.write(area)
    pid = 4711 if "no-process" in holds else target.pid
    if "kthread" in holds and "no-process" not in holds:
        pid = machine.kernel_thread("kswapd0").pid
    flags = MPOL_MF_MOVE | 8 * ("bad-flags" in holds) | MPOL_MF_MOVE_ALL * ("all-unprivileged" in holds)
    node = 7 if "offline" in holds else 1
    pages, nodes, status = (
        caller.array(room_for_an_array(caller, row not in holds), [value], size)
        for row, value, size in (
            ("pages-unreadable", area[0], 8),
            ("nodes-unreadable", node, 4),
            ("status-unwritable", 0, 4),
        )
    )
    nr_pages = 2**60 if "too-many" in holds else 10**6 if "no-array" in holds else 1
    return caller.move_pages(pid, pages, nodes, flags, status, nr_pages)


def room_for_an_array(process: Process, accessible: bool) -> int:
    """An address of the process where an array can, or cannot, be."""
    area = process.mmap(pages=1)
    return area.start if accessible else area.end


def test_a_call_in_which_no_check_holds_moves(machine: Machine) -> None:
    """The ladder's end."""
    result = call_in_which(machine, frozenset())
    assert (result.ret, result.status) == (0, [1])


@pytest.mark.parametrize("row", LADDER)
def test_a_check_that_holds_alone_answers(machine: Machine, row: str) -> None:
    """Each check can be reached, and has its return code."""
    result = call_in_which(machine, {row})
    assert (result.row, result.ret) == (row, LADDER[row])


@pytest.mark.parametrize(("earlier", "later"), PAIRS)
def test_the_earlier_of_two_checks_answers(machine: Machine, earlier: str, later: str) -> None:
    """Both hold; each alone would answer (the test above)."""
    result = call_in_which(machine, {earlier, later})
    assert (result.row, result.ret) == (earlier, LADDER[earlier])


def test_every_pair_is_tested_or_its_exclusion_has_a_reason() -> None:
    """Exclusions are pairs of the ladder, in its order."""
    assert set(EXCLUDED) <= set(combinations(LADDER, 2))
    assert all(EXCLUDED.values())
    assert len(PAIRS) + len(EXCLUDED) == len(LADDER) * (len(LADDER) - 1) // 2


def test_the_ladder_is_that_of_the_contract() -> None:
    """In the order of kernel-facts 1.1, without the hook that `seed` has not."""
    assert list(LADDER) == [
        "bad-flags", "all-unprivileged", "no-process", "kthread", "other-user", "too-many", "no-array",
        "pages-unreadable", "nodes-unreadable", "offline", "cpuset", "status-unwritable",
    ]  # fmt: skip


@pytest.mark.parametrize("row", LADDER)
def test_all_checks_after_one_may_hold(machine: Machine, row: str) -> None:
    """A check answers whatever else holds after it."""
    after = list(LADDER)[list(LADDER).index(row) :]
    holds = {row, *(other for other in after if (row, other) not in EXCLUDED)}
    assert call_in_which(machine, holds).row == row


# -- checks 9 to 12, entry by entry


def call_with_two_bad_entries(machine: Machine, rows: tuple[str, str]) -> Result:
    """Entry 0 fails in the first of two rows, entry 1 in the second. Only the end of an array can be unreadable, or
    its beginning: then the array begins 8 bytes, or 4, before an area."""
    caller = machine.spawn("caller")
    target = machine.spawn("target", node=0, mems={0})
    area = target.mmap(pages=2)
    target.write(area)
    wanted = [{"offline": 7, "cpuset": 1}.get(row, 0) for row in rows]
    pages = half_readable(caller, list(area), 8, [row == "pages-unreadable" for row in rows])
    nodes = half_readable(caller, wanted, 4, [row == "nodes-unreadable" for row in rows])
    return caller.move_pages(target.pid, caller.array(pages, list(area), 8), caller.array(nodes, wanted, 4), nr_pages=2)


def half_readable(process: Process, values: list[int], size: int, unreadable: list[bool]) -> int:
    """The address of an array of two elements, stored where it can be read."""
    area = process.mmap(pages=1)
    if unreadable == [True, False]:
        process.array(area.start, values[1:], size)
        return area.start - size
    return area.end - size if unreadable == [False, True] else area.start


@pytest.mark.parametrize("rows", [*permutations(BY_ENTRY, 2)], ids=" then ".join)
def test_the_first_bad_entry_answers(machine: Machine, rows: tuple[str, str]) -> None:
    """A later check of entry 0 comes before an earlier check of entry 1."""
    result = call_with_two_bad_entries(machine, rows)
    assert (result.row, result.ret, result.fact()["entry"]) == (rows[0], LADDER[rows[0]], 0)


@pytest.mark.parametrize("row", BY_ENTRY)
def test_a_bad_entry_after_a_good_one_answers(machine: Machine, row: str) -> None:
    """All entries are looked at, and none is moved."""
    result = call_with_two_bad_entries(machine, ("", row))
    assert (result.row, result.fact()["entry"], result.outcome) == (row, 1, [None, None])


@pytest.mark.parametrize(("flags", "pid_exists"), [(MPOL_MF_MOVE, True), (MPOL_MF_MOVE, False), (9, True)])
def test_a_query_makes_the_checks_too(machine: Machine, flags: int, pid_exists: bool) -> None:
    """Only those of nodes[] are left out."""
    shell = machine.spawn("shell")
    area = shell.mmap(pages=1)
    shell.write(area)
    result = shell.move_pages(0 if pid_exists else 99, area, None, flags)
    assert result.row == ("bad-flags" if flags == 9 else "query" if pid_exists else "no-process")
