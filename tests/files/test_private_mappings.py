"""Private mappings of files, fork over file mappings, and truncation of what is mapped."""

from __future__ import annotations

from errno import EACCES, EFAULT

import pytest

from numakit import MPOL_MF_MOVE_ALL, PROT_READ, PROT_WRITE, File, Machine, Process
from numakit.machine.consistency import left_in_flight


@pytest.fixture
def log(machine: Machine) -> File:
    """A file of four pages."""
    return machine.file("log", 4)


def see_sound(machine: Machine) -> None:
    """Nothing is left over."""
    assert (machine.inconsistencies(), left_in_flight(machine)) == ([], [])


def test_a_write_copies_the_page_of_the_file(machine: Machine, shell: Process, log: File) -> None:
    """The file keeps what it had; the copy is anonymous, writable, dirty, and the writer's alone."""
    area, other = shell.mmap(2, file=log), machine.spawn("other", node=1).mmap(2, shared=True, file=log)
    before = other.process.read(other)
    assert shell.read(area) == before
    shared = shell.page(area[0])
    assert shared == other.process.page(other[0])
    shell.write(area[0])
    copy = shell.page(area[0])
    assert copy is not None
    assert copy != shared
    assert machine.frame(copy).mapping.startswith("anon_vma")
    assert (other.process.read(other), shell.read(area)[1]) == (before, before[1])
    assert (log.pages[:2], shell.page(area[1])) == ([shared, other.process.page(other[1])], log.pages[1])
    see_sound(machine)


def test_a_write_without_a_read_before_copies_too(machine: Machine, shell: Process, log: File) -> None:
    """The page of the file comes into memory, and is copied at once."""
    area = shell.mmap(1, file=log)
    assert shell.write(area) == 0
    page = log.pages[0]
    assert page is not None
    assert (shell.page(area[0]) == page, machine.frame(page).mapcount) == (False, 0)
    see_sound(machine)


def test_a_private_mapping_sees_what_others_write_until_it_copies(machine: Machine, shell: Process, log: File) -> None:
    """As MAP_PRIVATE, where that is left open."""
    private, shared = shell.mmap(1, file=log), shell.mmap(1, shared=True, file=log)
    shell.read(private)
    shell.write(shared)
    assert shell.read(private) == shell.read(shared)
    shell.write(private)
    shell.write(shared)
    assert shell.read(private) != shell.read(shared)


def test_copies_and_pages_of_the_file_move_each_by_its_own_rule(machine: Machine, shell: Process, log: File) -> None:
    """The copy is the writer's alone; the page of the file is shared with the child."""
    area = shell.mmap(2, file=log)
    shell.read(area)
    child = shell.fork("child")
    child.read(area)
    shell.write(area[0])
    result = shell.move_pages(0, area, [1, 1])
    assert (result.status, result.rows) == ([1, -EACCES], ["moved", "shared"])
    result = machine.spawn("root", uid=0).move_pages(child.pid, area, [1, 1], MPOL_MF_MOVE_ALL)
    assert result.rows == ["moved", "moved"]
    assert (area.nodes, [child.pte(a).node for a in area]) == ([1, 1], [1, 1])
    assert log.pages[1] == shell.page(area[1]) == child.page(area[1])
    see_sound(machine)


def test_fork_shares_copies_until_one_writes(machine: Machine, shell: Process, log: File) -> None:
    """A private copy is anonymous memory after a fork like any other; it moves for both with MOVE_ALL."""
    area = shell.mmap(1, file=log)
    shell.write(area)
    child = shell.fork("child")
    before = shell.read(area)
    assert shell.move_pages(0, area, [1]).rows == ["shared"]
    root = machine.spawn("root", uid=0)
    assert root.move_pages(shell.pid, area, [1], MPOL_MF_MOVE_ALL).status == [1]
    child.write(area)
    assert (shell.read(area), child.read(area) == before) == (before, False)
    see_sound(machine)


def test_fork_over_a_shared_mapping_goes_on_sharing(machine: Machine, shell: Process, log: File) -> None:
    """Writes of the child are seen by the parent, also after the page has moved, whoever maps it first."""
    area = shell.mmap(2, shared=True, file=log)
    shell.write(area[0])
    child = shell.fork("child")
    assert child.pte(area[0]).kind == "none"
    child.write(area)
    assert child.read(area) == shell.read(area)
    machine.spawn("root", uid=0).move_pages(child.pid, area, [1, 1], MPOL_MF_MOVE_ALL)
    shell.write(area)
    assert child.read(area) == shell.read(area)
    assert area.nodes == [1, 1]
    see_sound(machine)


@pytest.mark.parametrize("moment", ["TRY_TO_UNMAP", "COPY", "REMOVE_ENTRY", "UNLOCK_PAGE"])
def test_fork_of_a_sharer_while_a_file_page_moves(machine: Machine, shell: Process, log: File, moment: str) -> None:
    """Its child maps nothing of the file until it touches it, and then the page where it is by then."""
    area = shell.mmap(1, shared=True, file=log)
    shell.write(area)
    child = shell.fork("child")
    child.read(area)
    run = machine.begin(machine.spawn("root", uid=0).move_pages, shell.pid, area, [1], MPOL_MF_MOVE_ALL)
    born = run.when(moment).do(child.fork, "grandchild")
    assert run.finish().rows == ["moved"]
    family = [shell, child, born.result]
    assert [process.page(area[0]) for process in family] == [log.pages[0], log.pages[0], None]
    born.result.write(area)
    assert born.result.page(area[0]) == log.pages[0]
    assert len({process.read(area[0]) for process in family}) == 1
    see_sound(machine)


def test_mprotect_of_a_private_copy(machine: Machine, shell: Process, log: File) -> None:
    """Read-only for a while, then written through again: no second copy."""
    area = shell.mmap(1, file=log)
    shell.write(area)
    page = shell.page(area[0])
    shell.mprotect(area, PROT_READ)
    assert shell.write(area) == -EFAULT
    shell.mprotect(area, PROT_READ | PROT_WRITE)
    assert (shell.write(area), shell.page(area[0])) == (0, page)


def test_a_private_copy_swaps_out_and_in(machine: Machine, shell: Process, log: File) -> None:
    """It has no place in the file."""
    area = shell.mmap(1, file=log)
    shell.write(area)
    before = shell.read(area)
    machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    assert machine.reclaim([page]) == 1
    assert (shell.pte(area[0]).kind, shell.read(area)) == ("swap", before)
    log.truncate(0)
    assert (shell.pte(area[0]).kind, shell.read(area[0])) == ("none", -EFAULT)
    see_sound(machine)


# -- truncation


def test_truncation_takes_pages_from_all_who_map_them(machine: Machine, shell: Process, log: File) -> None:
    """Shared and private mappings, copies too, of all processes; what lies before the new end stays."""
    shared, private = shell.mmap(4, shared=True, file=log), shell.mmap(2, file=log, offset=2)
    other = machine.spawn("other", node=1)
    theirs = other.mmap(3, shared=True, file=log, offset=1)
    shell.write(shared)
    shell.write(private)
    other.read(theirs)
    before = shell.read(shared)
    assert log.truncate(2) == 0
    assert [pte.kind for pte in shared.ptes] == ["present", "present", "none", "none"]
    assert [pte.kind for pte in private.ptes] == ["none", "none"]
    assert [pte.kind for pte in theirs.ptes] == ["present", "none", "none"]
    assert (len(log.pages), shell.read(shared)) == (2, [*before[:2], -EFAULT, -EFAULT])
    assert (shell.write(private[0]), other.read(theirs[2])) == (-EFAULT, -EFAULT)
    machine.migrate_prep()
    assert sum(machine.free_frames(node) for node in (0, 1)) == 128 - 1 - 2
    see_sound(machine)


def test_a_swapped_out_copy_loses_its_slot_by_truncation(machine: Machine, shell: Process, log: File) -> None:
    """Its PTE leads to the slot, and is dropped like any other."""
    area = shell.mmap(1, file=log)
    shell.write(area)
    machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    machine.reclaim([page])
    log.truncate(0)
    assert "swap" not in [pte.kind for pte in area.ptes]
    see_sound(machine)


@pytest.mark.parametrize(
    "moment", ["TRY_TO_UNMAP", "LOCK_NEW_PAGE", "COUNT", "COPY", "REMOVE_ENTRY", "UNLOCK_NEW_PAGE"]
)
def test_truncation_while_a_private_copy_moves(machine: Machine, shell: Process, log: File, moment: str) -> None:
    """Its PTE, or its migration entry, is dropped; the frame goes, old or new."""
    area = shell.mmap(1, file=log)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when(moment).do(log.truncate, 0)
    assert run.finish().status == [1]
    assert (shell.pte(area[0]).kind, shell.read(area[0])) == ("none", -EFAULT)
    machine.migrate_prep()
    assert sum(machine.free_frames(node) for node in (0, 1)) == 128 - 1
    see_sound(machine)


def test_an_area_may_reach_behind_the_end_of_its_file(shell: Process, log: File) -> None:
    """It can be mapped; an access is -EFAULT (SIGBUS)."""
    area = shell.mmap(6, file=log)
    assert shell.read(area[3:5])[1] == -EFAULT
    assert shell.move_pages(0, area[4:5], [1]).rows == ["not-read"]


def test_truncating_twice_and_at_the_end_changes_nothing_more(machine: Machine, shell: Process, log: File) -> None:
    """A file never grows here; its old size is no error, more is."""
    shell.read(shell.mmap(4, file=log))
    assert (log.truncate(4), log.truncate(1), log.truncate(1)) == (0, 0, 0)
    with pytest.raises(ValueError, match="pages=2"):
        log.truncate(2)
    see_sound(machine)
