"""The path of each file system with each state of a page; and what is left behind, counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from errno import EBUSY, EFAULT, EINVAL, EIO
from typing import NamedTuple

import pytest

from numakit import File, Machine, Process, Result, Run, Vma
from numakit.machine.consistency import left_in_flight


class Ends(NamedTuple):
    """How it ends: row and status, passes, sleeps in forced passes, new pages thrown away; is the page dirty still,
    does it have buffers still?
    """

    row: str
    status: int
    passes: int = 1
    waits: int = 0
    thrown_away: int = 0
    dirty: bool = False
    buffers: bool = False


MOVED = Ends("moved", 1)
WRITTEN = Ends("moved", 1, passes=4, waits=1, thrown_away=3)
GONE = Ends("gone", 1, thrown_away=1)
NO_WRITE = Ends("no-write", -EINVAL, thrown_away=1, dirty=True)
WRITE_FAILS = Ends("write-fails", -EIO, thrown_away=1, dirty=True)

#: file system -> state of the page -> how it ends
PATHS: dict[str, dict[str, Ends]] = {
    "tmpfs": {  # migrate_page
        "clean": MOVED,
        "dirty": MOVED._replace(dirty=True),
        "under writeback": MOVED._replace(dirty=True),  # it has no disc: nothing writes it
        "buffers busy": MOVED,  # and no buffers
        "buffers locked": MOVED,
        "truncated": GONE,
    },
    "ext2": {  # buffer_migrate_page
        "clean": MOVED._replace(buffers=True),
        "dirty": MOVED._replace(dirty=True, buffers=True),
        "under writeback": WRITTEN._replace(buffers=True),
        "buffers busy": MOVED._replace(buffers=True),  # they are carried over, whoever holds them
        "buffers locked": MOVED._replace(buffers=True),  # waited for
        "truncated": GONE,
    },
    "reiserfs": {  # the fallback, with buffers
        "clean": MOVED,
        "dirty": WRITTEN,
        "under writeback": WRITTEN,
        "buffers busy": Ends("buffers", -EBUSY, passes=10, thrown_away=10, buffers=True),
        "buffers locked": Ends("buffers", -EBUSY, passes=10, thrown_away=10, buffers=True),
        "truncated": GONE,
    },
    "nfs": {  # the fallback, without
        "clean": MOVED,
        "dirty": WRITTEN,
        "under writeback": WRITTEN,
        "buffers busy": MOVED,
        "buffers locked": MOVED,
        "truncated": GONE,
    },
    "faulty": {  # the fallback; every write fails when it is submitted
        "clean": MOVED,
        "dirty": WRITE_FAILS,
        "under writeback": WRITE_FAILS,
        "buffers busy": MOVED,
        "buffers locked": MOVED,
        "truncated": GONE,
    },
    "ramfs": {  # the fallback, with nobody who could write
        "clean": MOVED,
        "dirty": NO_WRITE,
        "under writeback": NO_WRITE,
        "buffers busy": MOVED,
        "buffers locked": MOVED,
        "truncated": GONE,
    },
}
CASES = [(file_system, state) for file_system, states in PATHS.items() for state in states]


@dataclass
class World:
    """One process that maps the first page of a file."""

    machine: Machine
    shell: Process
    file: File
    area: Vma

    def free_frames(self) -> int:
        """Free frames of the machine, when those in pagevecs are free."""
        self.machine.migrate_prep()
        return sum(self.machine.free_frames(node) for node in self.machine.node_ids)

    def move(self) -> Run[Result]:
        """The call; it has not begun."""
        return self.machine.begin(self.shell.move_pages, 0, self.area, [1])

    def dirty(self) -> bool:
        """Whether the page is dirty, by its flag or by its PTE."""
        page = self.file.pages[0]
        assert page is not None
        return "dirty" in self.machine.frame(page).flags or self.shell.pte(self.area[0]).dirty


def new_world(machine: Machine, shell: Process, file_system: str, state: str) -> World:
    """The page is clean, or dirty by its PTE, or (to be written by a flusher) by its flag."""
    file = machine.file("log", 2, file_system)
    if state == "under writeback":
        writer = machine.spawn("writer", node=0)
        writer.write(writer.mmap(1, shared=True, file=file))
        writer.exit()  # the dirty bit of its PTE goes to the page
    area = shell.mmap(1, shared=True, file=file)
    shell.read(area)
    if state == "dirty":
        shell.write(area)
    return World(machine, shell, file, area)


def meddle(run: Run[Result], world: World, state: str) -> None:
    """Let happen beside the call what the state says."""
    if state == "under writeback":
        run.when("DRAIN").until("PASS", in_pass=9).do(world.file.write_back, 0)
    elif state == "buffers busy":
        run.when("DRAIN").do(world.file.hold_buffers, 0)
    elif state == "buffers locked":
        run.when("DRAIN").do(world.file.lock_buffers, 0)
    elif state == "truncated":
        run.when("FREED").do(world.file.truncate, 0)


def finish_soundly(run: Run[Result]) -> Result:
    """The run's result; the machine is sound after each step."""
    steps = -1
    while steps < len(run):
        steps = len(run)
        run.forward()
        assert run.machine.inconsistencies() == []
    return run.finish()


@pytest.mark.parametrize(("file_system", "state"), CASES, ids=[" ".join(case) for case in CASES])
def test_how_it_ends(machine: Machine, shell: Process, file_system: str, state: str) -> None:
    """Row, status and costs; then every reference, the slot of the page cache, dirty and buffers, and all frames."""
    ends = PATHS[file_system][state]
    world = new_world(machine, shell, file_system, state)
    before, free, old = shell.read(world.area[0]), world.free_frames(), world.file.pages[0]
    run = world.move()
    meddle(run, world, state)
    result = finish_soundly(run)
    costs = result.costs
    assert (result.ret, result.rows, result.status) == (0, [ends.row], [ends.status])
    assert (costs.passes, costs.waits, costs.thrown_away) == (ends.passes, ends.waits, ends.thrown_away)
    assert (costs.attempts, costs.retries) == (ends.passes, ends.passes - (ends.row != "buffers"))
    assert left_in_flight(machine) == []
    gone = ends.row == "gone"
    assert world.free_frames() == free + gone
    assert machine.counters == {
        "pgmigrate_success": int(ends.status >= 0),
        "pgmigrate_fail": int(ends.status < 0),
    }
    if gone:
        assert (world.file.pages, shell.pte(world.area[0]).kind, shell.read(world.area[0])) == ([], "none", -EFAULT)
        assert old is not None
        assert machine.frame(old).count == 0
        return
    page = world.file.pages[0]
    assert page is not None
    assert (page == old, machine.node(page)) == (ends.row != "moved", int(ends.row == "moved"))
    assert shell.page(world.area[0]) == page
    assert world.dirty() == ends.dirty
    assert machine.frame(page).holders == {"PTE": 1, "page cache": 1} | ({"buffers": 1} if ends.buffers else {})
    assert machine.frame(page).on_lru
    assert shell.read(world.area[0]) == before


@pytest.mark.parametrize("file_system", sorted(PATHS))
def test_truncated_at_any_moment(make_machine: Callable[..., Machine], file_system: str) -> None:
    """Whenever it comes: no PTE, slot or frame is left, the status is one that the contract knows, and an access is
    -EFAULT.
    """
    alone = truncate_at(make_machine, file_system, None)
    names = dict.fromkeys(step.moment.name for step in alone.steps[1:] if step.task is alone.call)
    assert len(names) > 12
    for name in names:
        run = truncate_at(make_machine, file_system, name)
        machine = run.machine
        assert run.result.rows[0] in ("moved", "gone", "not-read", "no-write", "write-fails"), name
        file, shell = machine.file_numbered(2), machine.process(1)
        area = shell.vmas[0]
        assert (file.pages, shell.pte(area[0]).kind, shell.write(area)) == ([], "none", -EFAULT), name
        machine.migrate_prep()
        assert (machine.free_frames(0), machine.free_frames(1)) == (63, 64), name  # the zero page
        assert left_in_flight(machine) == []


def truncate_at(make_machine: Callable[..., Machine], file_system: str, name: str | None) -> Run[Result]:
    """Move a dirty page of a file that is truncated at a moment of the call (None: not at all)."""
    machine = make_machine({0: 64, 1: 64})
    world = new_world(machine, machine.spawn("shell", node=0), file_system, "dirty")
    run = world.move()
    if name:
        run.when(name).do(world.file.truncate, 0)
    finish_soundly(run)
    return run


@pytest.mark.parametrize("file_system", ["ext2", "reiserfs"])
def test_truncation_waits_for_the_io_of_buffers(machine: Machine, shell: Process, file_system: str) -> None:
    """The buffers are not taken from under a disc that reads through them."""
    world = new_world(machine, shell, file_system, "clean")
    run = machine.begin(world.file.truncate, 0)
    run.when("TRUNCATE_PAGE").do(world.file.lock_buffers, 0)
    assert run.finish() == 0
    assert "LOCK_BUFFERS" in [step.moment.name for step in run.steps]
    assert (world.file.pages, left_in_flight(machine)) == ([], [])


@pytest.mark.parametrize("file_system", ["tmpfs", "ramfs", "faulty"])
def test_a_flusher_leaves_dirty_what_no_disc_takes(machine: Machine, shell: Process, file_system: str) -> None:
    """The page would be lost otherwise."""
    world = new_world(machine, shell, file_system, "under writeback")
    assert world.file.write_back(0) == 0
    assert world.dirty()


def test_the_lock_of_buffers_of_a_file_with_a_high_number_is_waited_for(machine: Machine, shell: Process) -> None:
    """However many files there are."""
    for _ in range(300):
        machine.file("another", 1)
    world = new_world(machine, shell, "ext2", "clean")
    run = world.move()
    run.when("LOCK_PAGE").do(world.file.lock_buffers, 0)
    assert run.finish().rows == ["moved"]
    locked = [step for step in run.steps if step.moment.name == "LOCK_BUFFERS"]
    assert [step.about for step in locked] == [next(s.about for s in run.steps if s.moment.name == "LOCK_PAGE")]


def test_pages_of_a_file_with_a_disc_are_read_back_as_they_were_written(machine: Machine, shell: Process) -> None:
    """Written, reclaimed, read in again: the same contents, though in another frame."""
    for file_system in ("ext2", "reiserfs", "nfs"):
        world = new_world(machine, shell, file_system, "dirty")
        before, page = shell.read(world.area[0]), shell.page(world.area[0])
        machine.migrate_prep()
        assert page is not None
        assert machine.reclaim([page]) == 1
        assert (world.file.pages, shell.pte(world.area[0]).kind) == ([None, None], "none")
        assert shell.read(world.area[0]) == before


def test_memory_without_a_disc_begins_as_zeroes(shell: Process) -> None:
    """Pages of tmpfs and ramfs, and shared memory, that were never written to."""
    for file_system in ("tmpfs", "ramfs"):
        assert shell.read(shell.mmap(1, file=shell.machine.file("new", 1, file_system))) == [0]
    assert shell.read(shell.mmap(1, shared=True)[0]) == 0
