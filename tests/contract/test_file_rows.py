"""Rows of the contract that need a file, swap or a driver, and what wins where several hold. Public calls only."""

from __future__ import annotations

from collections.abc import Callable
from errno import EACCES, EBUSY, EFAULT, EINVAL, EIO, ENOENT, ENOMEM, EPERM

import pytest

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PROT_READ, File, Machine, Process, Vma

Fill = Callable[[Machine, int], Process]

ALL = ("tmpfs", "ext2", "reiserfs", "nfs", "faulty", "ramfs")


def map_file(process: Process, file_system: str, pages: int = 1, *, write: bool = True, shared: bool = True) -> Vma:
    """The first pages of a new file, mapped, read and, if wanted, written to."""
    file = process.machine.file(f"{file_system} file", pages, file_system)
    area = process.mmap(pages, shared=shared, file=file)
    process.read(area)
    if write:
        assert process.write(area) == 0
    return area


def swap_out(process: Process, area: Vma) -> int:
    """Reclaim all pages of an area; how many it freed."""
    machine = process.machine
    machine.migrate_prep()
    return machine.reclaim([page for address in area if (page := process.page(address)) is not None])


# -- not present


def test_swapped_out_pages_are_not_present_until_they_are_touched(machine: Machine, shell: Process) -> None:
    """-ENOENT; a query says the same; once touched the page is near the CPU that touches it, and moves."""
    area = shell.mmap(2)
    shell.write(area)
    before = shell.read(area)
    assert swap_out(shell, area) == 2
    result = shell.move_pages(0, area, [1, 1])
    assert (result.ret, result.status, result.outcome) == (-ENOENT, [None, None], [-ENOENT, -ENOENT])
    query = shell.move_pages(0, area)
    assert (query.ret, query.status, query.rows) == (0, [-ENOENT, -ENOENT], ["swapped", "swapped"])
    assert shell.read(area) == before
    assert area.nodes == [0, 0]
    assert shell.move_pages(0, area, [1, 1]).rows == ["moved", "moved"]
    assert shell.read(area) == before


@pytest.mark.parametrize("shared", [False, True], ids=["private", "shared"])
def test_a_page_of_a_file_that_was_not_read_is_not_present(shell: Process, shared: bool) -> None:
    """Memory of a file has a PTE only for pages that the process has faulted in."""
    area = shell.mmap(2, shared=shared, file=shell.machine.file("log", 2))
    shell.read(area[0])
    result = shell.move_pages(0, area, [1, 1])
    assert (result.ret, result.status, result.rows) == (0, [1, -ENOENT], ["moved", "not-read"])


def test_a_page_of_a_file_that_another_call_moves_is_not_present(machine: Machine, shell: Process) -> None:
    """A migration entry, as for anonymous memory."""
    area = map_file(shell, "tmpfs")
    run = machine.begin(shell.move_pages, 0, area, [1])
    second = run.when("COPY").do(machine.spawn("second").move_pages, shell.pid, area, [1])
    assert (run.finish().rows, second.result.rows) == (["moved"], ["migrating"])


def test_a_page_in_the_swap_cache_that_another_call_moves_is_swapped_out(machine: Machine, shell: Process) -> None:
    """Its PTE holds the swap slot meanwhile, no migration entry."""
    area = in_swap_cache(shell)
    run = machine.begin(shell.move_pages, 0, area, [1])
    second = run.when("COPY").do(machine.spawn("second").move_pages, shell.pid, area, [1])
    assert (run.finish().rows, second.result.rows) == (["moved"], ["swapped"])


def in_swap_cache(process: Process) -> Vma:
    """Memory that was swapped out and in again: it is present, and its page in the swap cache still."""
    area = process.mmap(1)
    process.write(area)
    assert swap_out(process, area) == 1
    process.read(area)
    page = process.page(area[0])
    assert page is not None
    assert "swap cache" in process.machine.frame(page).holders
    return area


def test_behind_the_new_end_of_a_file_nothing_is_present(machine: Machine, shell: Process) -> None:
    """After truncation the PTEs are gone: -ENOENT, as for pages that were never read; an access is -EFAULT."""
    file = machine.file("log", 2)
    area = shell.mmap(2, shared=True, file=file)
    shell.write(area)
    file.truncate(1)
    result = shell.move_pages(0, area, [1, 1])
    assert (result.status, result.rows) == ([1, -ENOENT], ["moved", "not-read"])
    assert (shell.read(area[1]), shell.write(area[1])) == (-EFAULT, -EFAULT)


# -- by what the file system can do


@pytest.mark.parametrize("file_system", ALL)
def test_a_clean_page_moves_on_every_file_system(shell: Process, file_system: str) -> None:
    """With its contents, at the same address; the page cache leads to the new page."""
    area = map_file(shell, file_system, 2, write=False)
    before = shell.read(area)
    result = shell.move_pages(0, area, [1, 1])
    assert (result.ret, result.status, result.rows) == (0, [1, 1], ["moved", "moved"])
    assert (area.nodes, shell.read(area)) == ([1, 1], before)


@pytest.mark.parametrize(
    ("file_system", "status", "row", "passes"),
    [
        ("tmpfs", 1, "moved", 1),
        ("ext2", 1, "moved", 1),
        ("reiserfs", 1, "moved", 4),
        ("nfs", 1, "moved", 4),
        ("faulty", -EIO, "write-fails", 1),
        ("ramfs", -EINVAL, "no-write", 1),
    ],
)
def test_a_dirty_page_by_file_system(shell: Process, file_system: str, status: int, row: str, passes: int) -> None:
    """A migration function moves it dirty; else it is written first, and moves when the disc is done, in pass 4."""
    area = map_file(shell, file_system)
    before = shell.read(area)
    result = shell.move_pages(0, area, [1])
    assert (result.ret, result.status, result.rows, result.costs.passes) == (0, [status], [row], passes)
    assert (area.nodes, shell.read(area)) == ([max(status, 0)], before)


@pytest.mark.parametrize("file_system", ["faulty", "ramfs"])
def test_a_dirty_page_that_stays_does_not_hold_up_the_others(shell: Process, file_system: str) -> None:
    """The failure is permanent for that page alone; a clean page of the same file moves."""
    area = shell.mmap(2, shared=True, file=shell.machine.file("log", 2, file_system))
    shell.read(area)
    shell.write(area[0])
    result = shell.move_pages(0, area, [1, 1])
    assert (result.ret, result.rows[1], result.status[1]) == (0, "moved", 1)
    assert result.status[0] in (-EIO, -EINVAL)


@pytest.mark.parametrize("file_system", ALL)
def test_a_private_copy_is_anonymous_memory(shell: Process, file_system: str) -> None:
    """Whatever the file system can do: what was copied on write is no page of the file any more."""
    area = map_file(shell, file_system, shared=False)
    result = shell.move_pages(0, area, [1])
    assert (result.status, result.rows) == ([1], ["moved"])


def test_the_same_page_is_written_by_its_first_call_and_moved_by_the_next(machine: Machine, shell: Process) -> None:
    """A page that was busy for another reason was written meanwhile: then it is clean."""
    area = map_file(shell, "nfs")
    pin = shell.direct_io(area)
    assert shell.move_pages(0, area, [1]).rows == ["pinned"]
    pin.release()
    result = shell.move_pages(0, area, [1])
    assert (result.rows, result.costs.passes) == (["moved"], 1)


# -- what wins


@pytest.mark.parametrize(
    ("file_system", "status", "row"),
    [("ramfs", -EINVAL, "no-write"), ("faulty", -EIO, "write-fails"), ("tmpfs", -EBUSY, "pinned")],
)
def test_pinned_and_a_file_system(shell: Process, file_system: str, status: int, row: str) -> None:
    """The file system is asked to write before references are counted: -EINVAL for pinned and no-write."""
    area = map_file(shell, file_system)
    shell.vmsplice(area)
    result = shell.move_pages(0, area, [1])
    assert (result.ret, result.status, result.rows) == (0, [status], [row])


@pytest.mark.parametrize("file_system", ["ramfs", "faulty"])
def test_mlocked_and_not_to_be_written(shell: Process, file_system: str) -> None:
    """The mlock is found at unmapping, before the file system is asked: -EPERM."""
    area = map_file(shell, file_system)
    shell.mlock(area)
    result = shell.move_pages(0, area, [1])
    assert (result.status, result.rows) == ([-EPERM], ["mlocked"])


@pytest.mark.parametrize("file_system", ["ramfs", "faulty", "reiserfs"])
def test_full_and_not_to_be_written(machine: Machine, shell: Process, fill: Fill, file_system: str) -> None:
    """The allocator is asked first: -ENOMEM."""
    area = map_file(shell, file_system)
    fill(machine, 1)
    result = shell.move_pages(0, area, [1])
    assert (result.status, result.rows) == ([-ENOMEM], ["full"])


@pytest.mark.parametrize(
    ("flags", "status", "row"),
    [(MPOL_MF_MOVE, -EACCES, "shared"), (MPOL_MF_MOVE_ALL, -EINVAL, "no-write")],
    ids=["MOVE", "MOVE_ALL"],
)
def test_shared_and_no_write(machine: Machine, flags: int, status: int, row: str) -> None:
    """Sharing is looked at while entries are looked up."""
    root = machine.spawn("root", uid=0, node=0)
    area = map_file(root, "ramfs")
    child = root.fork("child")
    child.read(area)
    result = root.move_pages(0, area, [1], flags)
    assert (result.outcome, result.rows) == ([status], [row])


def test_two_processes_that_map_one_file_share_only_pages_that_both_have_read(machine: Machine, shell: Process) -> None:
    """Sharing is told by the PTEs that are there."""
    area = map_file(shell, "ext2", 2, write=False)
    child = shell.fork("child")
    child.read(area[1])
    assert shell.move_pages(0, area, [1, 1]).rows == ["moved", "shared"]


def test_a_page_mapped_twice_by_one_process_is_not_shared(machine: Machine, shell: Process) -> None:
    """Sharing is told by processes: both PTEs lead to the new page afterwards."""
    file = machine.file("log", 1, "tmpfs")
    first, second = (shell.mmap(1, shared=True, file=file) for _ in range(2))
    shell.write(first)
    shell.read(second)
    result = shell.move_pages(0, first, [1])
    assert (result.status, result.rows) == ([1], ["moved"])
    assert shell.page(first[0]) == shell.page(second[0])
    assert (first.nodes, second.nodes) == ([1], [1])


def test_no_write_and_a_page_twice(shell: Process) -> None:
    """The first entry queued the page and gets the answer of the passes."""
    area = map_file(shell, "ramfs")
    result = shell.move_pages(0, [area[0], area[0]], [1, 1])
    assert (result.ret, result.status, result.rows) == (0, [-EINVAL, -EBUSY], ["no-write", "duplicate"])


def test_no_write_and_there(shell: Process) -> None:
    """Nothing is asked of a page that is on its node already."""
    result = shell.move_pages(0, map_file(shell, "ramfs"), [0])
    assert (result.ret, result.outcome, result.rows) == (-ENOENT, [0], ["there"])


@pytest.mark.parametrize("row", ["no-write", "write-fails"])
def test_the_only_page_queued_fails(shell: Process, row: str) -> None:
    """ret 0: something was queued."""
    result = shell.move_pages(0, map_file(shell, "ramfs" if row == "no-write" else "faulty"), [1])
    assert (result.ret, result.row, result.rows) == (0, "ok", [row])


def test_buffers_and_pinned(machine: Machine, shell: Process) -> None:
    """The buffers have to come off before references are counted; when the journal lets go, the pin is found."""
    file = machine.file("log", 1, "reiserfs")
    area = shell.mmap(1, file=file)
    shell.read(area)
    pin = shell.vmsplice(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("DRAIN").do(file.hold_buffers, 0)
    assert run.finish().rows == ["buffers"]
    assert shell.move_pages(0, area, [1]).rows == ["pinned"]
    pin.release()
    assert shell.move_pages(0, area, [1]).rows == ["moved"]


def test_dirty_and_buffers(machine: Machine, shell: Process) -> None:
    """Written first, then its buffers are in the way."""
    file = machine.file("log", 1, "reiserfs")
    area = shell.mmap(1, shared=True, file=file)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("DRAIN").until("PASS", in_pass=9).do(file.hold_buffers, 0)
    result = run.finish()
    assert (result.status, result.rows, result.costs.passes) == ([1], ["moved"], 10)


def test_truncated_and_pinned(machine: Machine, shell: Process) -> None:
    """Somebody else holds the page still, so it is not gone: it is busy, and nobody's page afterwards."""
    file = machine.file("log", 1)
    area = shell.mmap(1, shared=True, file=file)
    shell.write(area)
    pin = shell.direct_io(area)
    page = shell.page(area[0])
    assert page is not None
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("FREED").do(file.truncate, 0)
    result = run.finish()
    assert (result.status, result.rows) == ([-EBUSY], ["pinned"])
    machine.migrate_prep()
    assert (machine.frame(page).mapping, machine.frame(page).count) == ("none", 1)
    pin.release()
    assert machine.frame(page).count == 0


def test_a_driver_area_after_fork(machine: Machine, shell: Process) -> None:
    """A child inherits no lock, but the parent's area still keeps the page they share."""
    area = shell.mmap_driver(1)
    shell.write(area)
    child = shell.fork("child")
    result = machine.spawn("root", uid=0).move_pages(child.pid, area, [1], MPOL_MF_MOVE_ALL)
    assert (result.status, result.rows) == ([-EPERM], ["driver"])
    shell.exit()
    assert child.move_pages(0, area, [1]).rows == ["moved"]


def test_munlock_of_a_driver_area(shell: Process) -> None:
    """As in the kernel, munlock takes VM_LOCKED from whatever area it is given."""
    area = shell.mmap_driver(1)
    shell.write(area)
    assert shell.munlock(area) == 0
    assert shell.move_pages(0, area, [1]).rows == ["moved"]


def test_a_read_only_file_mapping_moves(shell: Process) -> None:
    """Protection does not matter."""
    area = shell.mmap(1, shared=True, prot=PROT_READ, file=shell.machine.file("log", 1))
    shell.read(area)
    assert shell.move_pages(0, area, [1]).rows == ["moved"]
    assert (shell.pte(area[0]).writable, shell.write(area)) == (False, -EFAULT)


def test_mlocked_and_full(machine: Machine, shell: Process, fill: Fill) -> None:
    """The allocator is asked first: -ENOMEM."""
    area = shell.mmap_driver(1)
    shell.write(area)
    fill(machine, 1)
    assert shell.move_pages(0, area, [1]).rows == ["full"]


# -- locked and under writeback are no failures


@pytest.mark.parametrize("until", [1, 2, 3, 9])
def test_under_writeback_is_waited_for(machine: Machine, shell: Process, until: int) -> None:
    """Passes 0 to 2 skip the page, pass 3 sleeps until the disc is done; then it moves."""
    file = machine.file("log", 1)
    area = shell.mmap(1, shared=True, file=file)
    dirty_by_another(machine, file)
    shell.read(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("DRAIN").until("PASS", in_pass=until).do(file.write_back, 0)
    result = run.finish()
    assert (result.status, result.rows) == ([1], ["moved"])
    assert (result.costs.passes, result.costs.waits) == (min(until, 3) + 1, int(until > 3))


def dirty_by_another(machine: Machine, file: File) -> None:
    """A process writes to page 0 of a file and exits: the dirty bit of its PTE goes to the page."""
    other = machine.spawn("writer", node=0)
    area = other.mmap(1, shared=True, file=file)
    assert other.write(area) == 0
    other.exit()


def test_a_locked_page_of_a_file_is_waited_for(machine: Machine, shell: Process) -> None:
    """As for anonymous memory."""
    area = map_file(shell, "ext2")
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("DRAIN").until("PASS", in_pass=9).do(shell.hold_page_lock, area[0])
    result = run.finish()
    assert (result.status, result.costs.passes, result.costs.waits) == ([1], 4, 1)
