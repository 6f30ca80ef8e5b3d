"""A page in the swap cache, of a file, with buffers: counts, locks and PTE at each moment (kernel-facts 1.10, 1.11)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest

from numakit import Machine, Process, Vma
from tests.test_moments import Moved, follow

#: What is the same for every page until it is locked: moment, document, count(P) above its value at rest, count(N).
BEGINNING = [
    ("START", "", 0, 0, "", "LRU"),
    ("MMAP_READ", "", 0, 0, "", "LRU"),
    ("DRAIN", "A.1", 0, 0, "", "LRU"),
    ("FOLLOW_PAGE", "A.1", 0, 0, "", "LRU"),
    ("ISOLATE", "A.1", 1, 0, "", "LRU"),
    ("PASS", "A.3", 1, 0, "", "isolated"),
    ("GET_NEW_PAGE", "A.2", 1, 0, "", "isolated"),
    ("FREED", "", 1, 1, "", "isolated"),
    ("LOCK_PAGE", "1", 1, 1, "", "isolated"),
    ("WRITEBACK", "2", 1, 1, "P", "isolated"),
    ("TRY_TO_UNMAP", "5", 1, 1, "P", "isolated"),
]


def map_file(shell: Process, file_system: str, *, write: bool) -> Vma:
    """The only page of a file, mapped, and read or written."""
    area = shell.mmap(1, shared=True, file=shell.machine.file("log", 1, file_system))
    _ = shell.write(area) if write else shell.read(area)
    return area


def in_swap_cache(shell: Process) -> Vma:
    """Memory that was swapped out and read in again."""
    area = shell.mmap(1)
    shell.write(area)
    shell.machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    assert shell.machine.reclaim([page]) == 1
    shell.read(area)
    return area


def move(shell: Process, area: Vma) -> Moved:
    """Move the page of an area; its new page is the one that the last attempt allocated."""
    machine = shell.machine
    machine.migrate_prep()
    old = shell.page(area[0])
    run = machine.record(shell.move_pages, 0, area, [1])
    assert run.result.rows == ["moved"]
    new = next(step.about for step in reversed(run.steps) if step.moment.name == "PUT_BACK_NEW")
    assert old is not None
    return Moved(run, area, old, new)


def beginning(at_rest: int) -> list[tuple[object, ...]]:
    """The rows before the page is unmapped, for a page with so many references."""
    return [(name, doc, at_rest + more, 1, n, locked, "P", on) for name, doc, more, n, locked, on in BEGINNING]


def rows_of(moved: Moved) -> list[tuple[object, ...]]:
    """moment, document, count(P), mapcount(P), count(N), locked, PTE, where P is."""
    return [tuple(row) for row in follow(moved.run, moved.area.process, moved.area[0], moved.old, moved.new)]


def test_a_page_in_the_swap_cache(machine: Machine, shell: Process) -> None:
    """Its PTE becomes an ordinary swap entry, and stays one: the next access finds the new page in the swap cache."""
    moved = move(shell, in_swap_cache(shell))
    assert rows_of(moved) == [
        *beginning(2),
        ("LOCK_NEW_PAGE", "3", 2, 0, 1, "P", "", "isolated"),
        ("SET_MAPPING", "4", 2, 0, 1, "PN", "", "isolated"),
        ("TREE_LOCK", "6", 2, 0, 1, "PN", "", "isolated"),
        ("COUNT_AND_SLOT", "7, 8", 2, 0, 1, "PN", "", "isolated"),
        ("SWITCH", "9, 10, 11", 2, 0, 1, "PN", "", "isolated"),
        ("COPY", "12", 1, 0, 2, "PN", "", "isolated"),
        ("COPY_FLAGS", "13, 14, 15", 1, 0, 2, "PN", "", "isolated"),
        ("REMOVE_ENTRY", "16", 1, 0, 2, "PN", "", "isolated"),
        ("UNLOCK_NEW_PAGE", "19", 1, 0, 2, "PN", "", "isolated"),
        ("UNLOCK_PAGE", "19", 1, 0, 2, "P", "", "isolated"),
        ("PUT_BACK", "20", 1, 0, 2, "", "", "isolated"),
        ("PUT_BACK_NEW", "20", 1, 0, 2, "", "", "pagevec"),
        ("end", "", 1, 0, 2, "", "", "pagevec"),
    ]
    assert shell.pte(moved.area[0]).kind == "swap"
    machine.migrate_prep()
    assert machine.frame(moved.new).holders == {"swap cache": 1}
    shell.read(moved.area)
    assert shell.page(moved.area[0]) == moved.new


def test_a_page_of_tmpfs(shell: Process) -> None:
    """The page cache has a reference throughout; the count expected is 2."""
    moved = move(shell, map_file(shell, "tmpfs", write=True))
    assert rows_of(moved) == [
        *beginning(2),
        ("LOCK_NEW_PAGE", "3", 2, 0, 1, "P", "->P", "isolated"),
        ("SET_MAPPING", "4", 2, 0, 1, "PN", "->P", "isolated"),
        ("TREE_LOCK", "6", 2, 0, 1, "PN", "->P", "isolated"),
        ("COUNT_AND_SLOT", "7, 8", 2, 0, 1, "PN", "->P", "isolated"),
        ("SWITCH", "9, 10, 11", 2, 0, 1, "PN", "->P", "isolated"),
        ("COPY", "12", 1, 0, 2, "PN", "->P", "isolated"),
        ("COPY_FLAGS", "13, 14, 15", 1, 0, 2, "PN", "->P", "isolated"),
        ("REMOVE_ENTRY", "16", 1, 0, 2, "PN", "->P", "isolated"),
        ("UNLOCK_NEW_PAGE", "19", 1, 0, 3, "PN", "N", "isolated"),
        ("UNLOCK_PAGE", "19", 1, 0, 3, "P", "N", "isolated"),
        ("PUT_BACK", "20", 1, 0, 3, "", "N", "isolated"),
        ("PUT_BACK_NEW", "20", 1, 0, 3, "", "N", "pagevec"),
        ("end", "", 1, 0, 3, "", "N", "pagevec"),
    ]


def test_a_page_with_buffers(machine: Machine, shell: Process) -> None:
    """Cache and buffers: the count expected is 3; the buffers' reference goes over between switch and copy."""
    moved = move(shell, map_file(shell, "ext2", write=True))
    assert rows_of(moved) == [
        *beginning(3),
        ("LOCK_NEW_PAGE", "3", 3, 0, 1, "P", "->P", "isolated"),
        ("SET_MAPPING", "4", 3, 0, 1, "PN", "->P", "isolated"),
        ("TREE_LOCK", "6", 3, 0, 1, "PN", "->P", "isolated"),
        ("COUNT_AND_SLOT", "7, 8", 3, 0, 1, "PN", "->P", "isolated"),
        ("SWITCH", "9, 10, 11", 3, 0, 1, "PN", "->P", "isolated"),
        ("MOVE_BUFFERS", "", 2, 0, 2, "PN", "->P", "isolated"),
        ("COPY", "12", 1, 0, 3, "PN", "->P", "isolated"),
        ("COPY_FLAGS", "13, 14, 15", 1, 0, 3, "PN", "->P", "isolated"),
        ("REMOVE_ENTRY", "16", 1, 0, 3, "PN", "->P", "isolated"),
        ("UNLOCK_NEW_PAGE", "19", 1, 0, 4, "PN", "N", "isolated"),
        ("UNLOCK_PAGE", "19", 1, 0, 4, "P", "N", "isolated"),
        ("PUT_BACK", "20", 1, 0, 4, "", "N", "isolated"),
        ("PUT_BACK_NEW", "20", 1, 0, 4, "", "N", "pagevec"),
        ("end", "", 1, 0, 4, "", "N", "pagevec"),
    ]
    machine.migrate_prep()
    assert machine.frame(moved.new).holders == {"PTE": 1, "page cache": 1, "buffers": 1}


def test_a_page_whose_buffers_have_to_come_off(machine: Machine, shell: Process) -> None:
    """Without a migration function: the buffers' reference is dropped first, and then 2 are expected."""
    moved = move(shell, map_file(shell, "reiserfs", write=False))
    assert rows_of(moved)[11:17] == [
        ("LOCK_NEW_PAGE", "3", 3, 0, 1, "P", "->P", "isolated"),
        ("SET_MAPPING", "4", 3, 0, 1, "PN", "->P", "isolated"),
        ("RELEASE_BUFFERS", "", 3, 0, 1, "PN", "->P", "isolated"),
        ("TREE_LOCK", "6", 2, 0, 1, "PN", "->P", "isolated"),
        ("COUNT_AND_SLOT", "7, 8", 2, 0, 1, "PN", "->P", "isolated"),
        ("SWITCH", "9, 10, 11", 2, 0, 1, "PN", "->P", "isolated"),
    ]
    machine.migrate_prep()
    assert machine.frame(moved.new).holders == {"PTE": 1, "page cache": 1}


def test_a_page_that_has_to_be_written_first(shell: Process) -> None:
    """Pass 0: unmapped, PTEs back before writepage, unlocked by it and locked again; passes 1 and 2 skip it; pass 3
    sleeps for the disc.
    """
    moved = move(shell, map_file(shell, "nfs", write=True))
    names = [step.moment.name for step in moved.run.steps]
    passes = [i for i, name in enumerate(names) if name == "PASS"]
    assert names[passes[0] : passes[1]] == [
        "PASS", "GET_NEW_PAGE", "FREED", "LOCK_PAGE", "WRITEBACK", "TRY_TO_UNMAP", "LOCK_NEW_PAGE", "SET_MAPPING",
        "WRITEOUT", "REMOVE_ENTRY", "WRITEPAGE", "LOCK_PAGE", "UNLOCK_NEW_PAGE", "REMOVE_ENTRY", "UNLOCK_PAGE",
        "PUT_BACK", "PUT_BACK_NEW",
    ]  # fmt: skip
    for start, end in pairwise(passes[1:4]):
        assert names[start:end] == [
            "PASS", "GET_NEW_PAGE", "FREED", "LOCK_PAGE", "WRITEBACK", "PUT_BACK", "PUT_BACK_NEW",
        ]  # fmt: skip
    assert names[passes[3] :][5:8] == ["START", "END_WRITEBACK", "SLEEP_ON_WRITEBACK"]
    seen = {(row[0], i): row for i, row in enumerate(rows_of(moved))}
    at = names.index("WRITEPAGE")
    assert seen["WRITEPAGE", at][2:7] == (3, 1, 0, "P", "P")  # another N than the one that will be used
    assert seen["LOCK_PAGE", at + 1][2:7] == (3, 1, 0, "", "P")  # unlocked: others may act


def test_the_page_is_dirty_until_it_is_written_and_under_writeback_then(machine: Machine, shell: Process) -> None:
    """The dirty bit of the PTE goes to the page at 5; writepage takes it; the PTE that came back is not dirty."""
    moved = move(shell, map_file(shell, "nfs", write=True))
    told: dict[str, tuple[bool, bool, bool]] = {}
    for step in moved.run.steps:
        moved.run.goto(step.number)
        pte = shell.pte(moved.area[0])
        dirty = "dirty" in machine.frame(moved.old).flags
        told.setdefault(step.moment.name, (pte.dirty, dirty, ("writeback", moved.old) in machine.table))
    assert told["TRY_TO_UNMAP"] == (True, False, False)
    assert told["WRITEOUT"] == (False, True, False)
    assert told["WRITEPAGE"] == (False, False, False)
    assert told["UNLOCK_NEW_PAGE"] == (False, False, True)
    assert told["TREE_LOCK"] == (False, False, False)


@pytest.mark.parametrize("make", [in_swap_cache, lambda p: map_file(p, "tmpfs", write=True),
                                  lambda p: map_file(p, "ext2", write=True), lambda p: map_file(p, "nfs", write=True),
                                  lambda p: map_file(p, "reiserfs", write=True)],
                         ids=["swap cache", "tmpfs", "ext2", "nfs", "reiserfs"])  # fmt: skip
def test_who_holds_what_is_known_at_every_moment(
    machine: Machine, shell: Process, make: Callable[[Process], Vma]
) -> None:
    """Holders add up to counts, exactly one page is in the cache, and the machine is sound, at each step."""
    moved = move(shell, make(shell))
    cached = []
    for number in range(len(moved.run) + 1):
        moved.run.goto(number)
        frames = [machine.frame(page) for page in (moved.old, moved.new)]
        assert [sum(frame.holders.values()) for frame in frames] == [frame.count for frame in frames]
        found = [f.page for f in frames if f.holders.keys() & {"page cache", "swap cache"}]
        assert len(found) == 1
        cached.append(found[0])
        assert machine.inconsistencies() == []
    switch = max(step.number for step in moved.run.steps if step.moment.name == "SWITCH")
    assert cached == [moved.old] * (switch + 1) + [moved.new] * (len(moved.run) - switch)


def test_flags_and_slot_of_a_page_in_the_swap_cache_go_over(machine: Machine, shell: Process) -> None:
    """N has the swapcache flag from the switch on, P until its flags are cleared; the contents follow."""
    area = in_swap_cache(shell)
    before = shell.read(area)
    moved = move(shell, area)
    both = []
    for number in range(len(moved.run) + 1):
        moved.run.goto(number)
        both.append(["swapcache" in machine.frame(page).flags for page in (moved.old, moved.new)])
    names = [step.moment.name for step in moved.run.steps]
    switch, cleared = names.index("SWITCH"), names.index("COPY_FLAGS")
    assert both == (
        [[True, False]] * (switch + 1) + [[True, True]] * (cleared - switch) + [[False, True]] * (len(names) - cleared)
    )
    assert shell.read(area) == before


def test_the_way_back_of_a_pinned_page_in_the_swap_cache(machine: Machine, shell: Process) -> None:
    """Backed out at 7: the PTE keeps its swap entry, the page its place in the swap cache; an access maps it again."""
    area = in_swap_cache(shell)
    shell.vmsplice(area)
    page = shell.page(area[0])
    assert page is not None
    machine.migrate_prep()
    result = shell.move_pages(0, area, [1])
    assert (result.rows, shell.pte(area[0]).kind) == (["pinned"], "swap")
    assert "count was 3 where 2 is allowed" in result.explain(0)
    shell.read(area)
    assert shell.page(area[0]) == page
    machine.migrate_prep()
    assert machine.frame(page).holders == {"PTE": 1, "swap cache": 1, "a pipe of shell": 1}
