"""One page, moment by moment: counts, mapcounts, locks, lists and PTE (kernel-facts 1.10, with the numbers of 1.11)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import pytest

from numakit import Machine, Process, Result, Run, Vma
from numakit.moments import MOMENTS


class Seen(NamedTuple):
    """The old page P and the new one N as they are when a moment comes."""

    moment: str
    document: str
    references: int  #: the count of P
    mapcount: int
    new_references: int  #: the count of N
    locked: str  #: which of P and N are locked
    pte: str  #: which page the PTE leads to; "->": it is a migration entry for it
    on: str  #: where P is: on its LRU list, "isolated", in a "pagevec"


def follow(run: Run[Any], process: Process, address: int, old: int, new: int) -> list[Seen]:
    """What is seen before each step of a run, and at its end."""
    machine, seen = process.machine, []
    for number in range(len(run) + 1):
        run.goto(number)
        moment = run.steps[number].moment if number < len(run) else None
        p, n = machine.frame(old), machine.frame(new)
        pte = process.pte(address)
        locked = "P" * bool(p.locked_by) + "N" * bool(n.locked_by)
        leads_to = {old: "P", new: "N"}.get(-1 if pte.page is None else pte.page, "")
        waits = any(old in machine.pages_in_pagevec(cpu) for cpu in machine.cpu_nodes)
        on = "LRU" if p.on_lru else "pagevec" if waits else "isolated" if p.count else "free"
        seen.append(
            Seen(
                moment.name if moment else "end", moment.document if moment else "", p.count, p.mapcount, n.count,
                locked, "->" * (pte.kind == "migration entry") + leads_to, on,
            )
        )  # fmt: skip
    return seen


class Moved(NamedTuple):
    """A recorded call that moved one page."""

    run: Run[Result]
    area: Vma
    old: int
    new: int


@pytest.fixture
def anonymous(machine: Machine, shell: Process) -> Moved:
    """A private page, on its LRU list before the call."""
    return move_one(machine, shell, shared=False)


@pytest.fixture
def in_tmpfs(machine: Machine, shell: Process) -> Moved:
    """A page of shared memory, which is a page of tmpfs."""
    return move_one(machine, shell, shared=True)


def move_one(machine: Machine, shell: Process, shared: bool) -> Moved:
    area = shell.mmap(pages=1, shared=shared)
    shell.write(area)
    machine.migrate_prep()
    old = shell.page(area[0])
    run = machine.record(shell.move_pages, 0, area, [1])
    new = shell.page(area[0])
    assert run.result.rows == ["moved"]
    assert old is not None
    assert new is not None
    return Moved(run, area, old, new)


def test_an_anonymous_page_moment_by_moment(anonymous: Moved) -> None:
    """Table 1.10: private anonymous page, one PTE, not in the swap cache. Each row stands before its step."""
    seen = follow(anonymous.run, anonymous.area.process, anonymous.area[0], anonymous.old, anonymous.new)
    # moment, document, count(P), mapcount(P), count(N), locked, PTE, where P is
    assert [tuple(row) for row in seen] == [
        ("START", "", 1, 1, 0, "", "P", "LRU"),
        ("MMAP_READ", "", 1, 1, 0, "", "P", "LRU"),
        ("DRAIN", "A.1", 1, 1, 0, "", "P", "LRU"),
        ("FOLLOW_PAGE", "A.1", 1, 1, 0, "", "P", "LRU"),
        ("ISOLATE", "A.1", 2, 1, 0, "", "P", "LRU"),
        ("PASS", "A.3", 2, 1, 0, "", "P", "isolated"),
        ("GET_NEW_PAGE", "A.2", 2, 1, 0, "", "P", "isolated"),
        ("FREED", "", 2, 1, 1, "", "P", "isolated"),
        ("LOCK_PAGE", "1", 2, 1, 1, "", "P", "isolated"),
        ("WRITEBACK", "2", 2, 1, 1, "P", "P", "isolated"),
        ("TRY_TO_UNMAP", "5", 2, 1, 1, "P", "P", "isolated"),
        ("LOCK_NEW_PAGE", "3", 1, 0, 1, "P", "->P", "isolated"),
        ("SET_MAPPING", "4", 1, 0, 1, "PN", "->P", "isolated"),
        ("COUNT", "7", 1, 0, 1, "PN", "->P", "isolated"),
        ("COPY", "12", 1, 0, 1, "PN", "->P", "isolated"),
        ("COPY_FLAGS", "13, 14, 15", 1, 0, 1, "PN", "->P", "isolated"),
        ("REMOVE_ENTRY", "16", 1, 0, 1, "PN", "->P", "isolated"),
        ("UNLOCK_NEW_PAGE", "19", 1, 0, 2, "PN", "N", "isolated"),
        ("UNLOCK_PAGE", "19", 1, 0, 2, "P", "N", "isolated"),
        ("PUT_BACK", "20", 1, 0, 2, "", "N", "isolated"),
        ("PUT_BACK_NEW", "20", 1, 0, 2, "", "N", "pagevec"),
        ("end", "", 1, 0, 2, "", "N", "pagevec"),
    ]


def test_isolation_takes_a_reference_before_the_look_up_drops_its_own(anonymous: Moved) -> None:
    """follow_page 2, isolate 3, put_page 2: the middle of one step."""
    steps = [step for step in anonymous.run.steps if step.moment.name == "ISOLATE"]
    counts = [(c.before, c.after) for c in steps[0].changes if (c.label, c.index) == ("count", anonymous.old)]
    assert counts == [(2, 3), (3, 2)]


def test_the_new_page_is_on_no_list_and_without_mapping_until_it_gets_them(machine: Machine, anonymous: Moved) -> None:
    """N gets mapping and index at 4, contents at 12, flags at 13, a mapcount at 16, and a pagevec at 20."""
    run, new, firsts = anonymous.run, anonymous.new, dict[str, str]()
    for step in run.steps:
        run.goto(step.number + 1)
        frame = machine.frame(new)
        facts = {
            "mapping": frame.mapping != "none",
            "contents": bool(frame.contents),
            "flags": bool(frame.flags),
            "mapcount": bool(frame.mapcount),
            "pagevec": new in machine.pages_in_pagevec(0),
        }
        for name in [name for name, holds in facts.items() if holds]:
            firsts.setdefault(name, step.moment.document)
        assert not frame.on_lru
    assert firsts == {"mapping": "4", "contents": "12", "flags": "13, 14, 15", "mapcount": "16", "pagevec": "20"}


def test_the_old_page_loses_flags_and_mapping_with_the_copy(machine: Machine, anonymous: Moved) -> None:
    """P->mapping is NULL after 14; the new page has what it had, and is dirty because the PTE was."""
    run, old, new = anonymous.run, anonymous.old, anonymous.new
    at = next(step.number for step in run.steps if step.moment.name == "COPY_FLAGS")
    run.goto(at)
    before = machine.frame(old)
    run.goto(at + 1)
    assert (machine.frame(old).mapping, machine.frame(old).flags) == ("none", ())
    assert (machine.frame(new).mapping, machine.frame(new).flags) == (before.mapping, before.flags)
    assert {"dirty", "uptodate", "active"} == set(before.flags)


def test_the_pte_is_not_young_when_it_comes_back(anonymous: Moved) -> None:
    """remove_migration_ptes() installs an old PTE, writable if it was."""
    shell = anonymous.area.process
    anonymous.run.first()
    assert (shell.pte(anonymous.area[0]).writable, shell.pte(anonymous.area[0]).young) == (True, True)
    anonymous.run.last()
    assert (shell.pte(anonymous.area[0]).writable, shell.pte(anonymous.area[0]).young) == (True, False)


def test_the_old_frame_is_freed_when_the_pagevec_is_drained(machine: Machine, anonymous: Moved) -> None:
    """At the end of the call it still waits there; then N is on its LRU list with the PTE's reference alone."""
    assert machine.frame(anonymous.old).holders == {"pagevec of CPU 0": 1}
    machine.migrate_prep()
    old, new = machine.frame(anonymous.old), machine.frame(anonymous.new)
    assert (old.count, old.on_lru, new.count, new.mapcount, new.on_lru) == (0, False, 1, 1, True)
    assert machine.lru(1) == [anonymous.new]


def test_holders_add_up_to_the_count_at_every_step(machine: Machine, anonymous: Moved) -> None:
    """Who holds each reference can be told at any moment, and the machine is sound."""
    for number in range(len(anonymous.run) + 1):
        anonymous.run.goto(number)
        for page in (anonymous.old, anonymous.new):
            frame = machine.frame(page)
            assert sum(frame.holders.values()) == frame.count
        assert machine.inconsistencies() == []


def test_mmap_sem_is_held_for_read_from_the_look_up_to_the_end(machine: Machine, anonymous: Moved) -> None:
    """The task is a reader at every step but the first."""
    mm = anonymous.area.process.mm
    readers = []
    for number in range(len(anonymous.run) + 1):
        anonymous.run.goto(number)
        semaphore = machine.table.get(("mmap_sem", mm))
        readers.append(semaphore.readers if semaphore else ())
    assert readers == [(), *[(1,)] * (len(anonymous.run) - 1), ()]


def test_a_page_of_shared_memory_moment_by_moment(in_tmpfs: Moved) -> None:
    """+1 for the page cache throughout; the count expected is 2; at the switch N gains a reference and P loses one."""
    seen = follow(in_tmpfs.run, in_tmpfs.area.process, in_tmpfs.area[0], in_tmpfs.old, in_tmpfs.new)
    assert [tuple(row) for row in seen][5:] == [
        ("PASS", "A.3", 3, 1, 0, "", "P", "isolated"),
        ("GET_NEW_PAGE", "A.2", 3, 1, 0, "", "P", "isolated"),
        ("FREED", "", 3, 1, 1, "", "P", "isolated"),
        ("LOCK_PAGE", "1", 3, 1, 1, "", "P", "isolated"),
        ("WRITEBACK", "2", 3, 1, 1, "P", "P", "isolated"),
        ("TRY_TO_UNMAP", "5", 3, 1, 1, "P", "P", "isolated"),
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


def test_the_slot_leads_to_the_new_page_from_the_switch_on(machine: Machine, in_tmpfs: Moved) -> None:
    """Before it to the old one: whoever looks in the page cache always finds exactly one of the two."""
    run, old, new = in_tmpfs.run, in_tmpfs.old, in_tmpfs.new
    switch = next(step.number for step in run.steps if step.moment.name == "SWITCH")
    for number in range(len(run) + 1):
        run.goto(number)
        cached = [page for page in (old, new) if "page cache" in machine.frame(page).holders]
        assert cached == ([old] if number <= switch else [new])


def test_a_new_page_found_through_the_page_cache_is_locked_and_not_up_to_date_before_the_copy(
    machine: Machine, shell: Process
) -> None:
    """Whoever faults between the switch and the copy finds the new page, waits, and reads what was written."""
    area = shell.mmap(pages=1, shared=True)
    child = shell.fork("child")  # it has the area, and no PTE yet
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    reader = run.when("COPY").do(child.read, area[0])
    assert run.finish().status == [1]
    assert "READ_WAIT" in [step.moment.name for step in run.steps if step.task.name == "read"]
    assert reader.result == shell.read(area[0]) != 0
    assert child.page(area[0]) == shell.page(area[0])


def test_the_order_of_the_moments_is_that_of_the_code(in_tmpfs: Moved) -> None:
    """The document's numbers come in the code's order: 5 before 3 and 4, A.2 before 1."""
    documents = [step.moment.document for step in in_tmpfs.run.steps if step.moment.document]
    assert documents == [
        "A.1", "A.1", "A.1", "A.3", "A.2", "1", "2", "5", "3", "4", "6", "7, 8", "9, 10, 11", "12", "13, 14, 15", "16",
        "19", "19", "20", "20",
    ]  # fmt: skip


def test_every_number_of_the_document_has_its_moment() -> None:
    """1 to 16, 19 and 20 (17 and 18 do not exist), and A.1 to A.3."""
    numbers = {number for moment in MOMENTS for number in moment.document.split(", ") if number}
    assert numbers == {"A.1", "A.2", "A.3", *map(str, range(1, 17)), "19", "20"}


def test_nobody_acts_inside_what_the_tree_lock_or_one_act_covers() -> None:
    """The rows of 1.11 with 'no' in their last column."""
    alone = {moment.name for moment in MOMENTS if not moment.others}
    assert alone == {"COUNT_AND_SLOT", "SWITCH", "COPY_FLAGS"}


def test_a_page_in_several_areas_is_unmapped_and_mapped_pte_by_pte(machine: Machine, shell: Process) -> None:
    """One moment a PTE, at 5 and at 16: others may act between two of them."""
    area = shell.mmap(pages=1)
    shell.write(area)
    children = [shell.fork(f"child {i}") for i in range(2)]
    machine.migrate_prep()
    run = machine.record(machine.spawn("root", uid=0).move_pages, shell.pid, area, [1], 4)
    kinds = {"TRY_TO_UNMAP": list[int](), "REMOVE_ENTRY": list[int]()}
    for step in run.steps:
        if step.moment.name in kinds:
            run.goto(step.number + 1)
            ptes = [process.pte(area[0]) for process in (shell, *children)]
            kinds[step.moment.name].append(sum(pte.kind == "present" for pte in ptes))
    assert kinds == {"TRY_TO_UNMAP": [2, 1, 0], "REMOVE_ENTRY": [1, 2, 3]}


def test_the_way_back_of_a_pinned_page(machine: Machine, shell: Process) -> None:
    """Backed out at 7: PTE, counts and mapcount are as before the attempt, and the unused page goes by its pagevec."""
    area = shell.mmap(pages=1)
    shell.write(area)
    shell.vmsplice(area)
    machine.migrate_prep()
    old = shell.page(area[0])
    assert old is not None
    run = machine.record(shell.move_pages, 0, area, [1])
    first_pass = [step.moment.name for step in run.steps][6:20]
    assert first_pass == [
        "GET_NEW_PAGE", "FREED", "LOCK_PAGE", "WRITEBACK", "TRY_TO_UNMAP", "LOCK_NEW_PAGE", "SET_MAPPING", "COUNT",
        "UNLOCK_NEW_PAGE", "REMOVE_ENTRY", "UNLOCK_PAGE", "PUT_BACK", "PUT_BACK_NEW", "PASS",
    ]  # fmt: skip
    run.goto(6)
    before, pte = machine.frame(old), shell.pte(area[0])
    run.goto(19)
    assert replace(machine.frame(old), flags=before.flags) == before
    assert shell.pte(area[0]) == pte._replace(dirty=False, young=False)
    assert "dirty" in machine.frame(old).flags
