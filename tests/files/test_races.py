"""Somebody else acts at each moment of a call that moves a page of a file or of the swap cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from numakit import MPOL_MF_MOVE_ALL, File, Machine, Process, Result, Run, Vma
from numakit.machine.consistency import left_in_flight

FRAMES = 24  #: of each of two nodes
KINDS = ("anonymous", "swap cache", "tmpfs", "ext2", "nfs", "reiserfs", "faulty", "ramfs")
ACTORS = ("reclaim", "read", "write", "fork", "flusher", "lock", "pin", "journal", "buffer I/O", "exit", "rival")


class World(NamedTuple):
    """A page that shell and child map, and the file that it belongs to, if it does."""

    machine: Machine
    shell: Process
    child: Process
    root: Process
    area: Vma
    page: int
    file: File | None

    def move(self) -> Run[Result]:
        """Root moves the page to node 1; it has not begun."""
        return self.machine.begin(self.root.move_pages, self.shell.pid, self.area, [1], MPOL_MF_MOVE_ALL)

    def let_act(self, run: Run[Result], actor: str, moment: str) -> None:
        """An actor begins at a moment, and holds what it holds until nobody else can act."""
        time, child, machine = run.when(moment), self.child, self.machine
        if actor == "reclaim":
            time.do(machine.reclaim, [self.page])
        elif actor == "fork":
            time.do(child.fork, "grandchild")
        elif actor == "exit":
            time.do(child.exit)
        elif actor == "lock":
            time.do(child.hold_page_lock, self.area[0])
        elif actor == "pin":
            time.do(child.pin_for_a_while, self.area)
        elif actor == "rival":
            time.do(child.move_pages, 0, self.area, [1])
        elif actor in ("read", "write"):
            time.do(getattr(child, actor), self.area)
        elif self.file:
            calls: dict[str, Any] = {
                "flusher": self.file.write_back,
                "journal": self.file.hold_buffers,
                "buffer I/O": self.file.lock_buffers,
            }
            time.do(calls[actor], 0)


def new_world(make_machine: Callable[..., Machine], kind: str) -> World:
    """Shell has written to the page, and child maps it, too."""
    machine = make_machine({0: FRAMES, 1: FRAMES})
    shell = machine.spawn("shell", node=0)
    file = machine.file("log", 1, kind) if kind not in ("anonymous", "swap cache") else None
    area = shell.mmap(1, shared=file is not None, file=file)
    shell.write(area)
    child = shell.fork("child")
    machine.migrate_prep()
    if kind == "swap cache":
        page = shell.page(area[0])
        assert page is not None
        assert machine.reclaim([page]) == 1
        shell.read(area)
        child.read(area)
        machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    return World(machine, shell, child, machine.spawn("root", uid=0, node=1), area, page, file)


def moments_of_the_call(make_machine: Callable[..., Machine], kind: str) -> list[str]:
    """The moments at which others may begin."""
    run = new_world(make_machine, kind).move()
    run.finish()
    return list(dict.fromkeys(step.moment.name for step in run.steps[1:] if step.task is run.call))


@pytest.mark.parametrize("actor", ACTORS)
@pytest.mark.parametrize("kind", KINDS)
def test_whoever_acts_whenever_nothing_is_lost(make_machine: Callable[..., Machine], kind: str, actor: str) -> None:
    """Contents are those of the last write, the machine is sound, and in the end all frames are free."""
    for moment in moments_of_the_call(make_machine, kind):
        world = new_world(make_machine, kind)
        machine = world.machine
        newest = machine.clock[1]
        run = world.move()
        world.let_act(run, actor, moment)
        result = run.finish()
        told = f"{actor} at {moment}: {result.rows}"
        assert left_in_flight(machine) == [], told
        assert machine.inconsistencies() == [], told
        assert result.rows[0] in ALLOWED[kind] | BY_ACTOR.get(actor, set()), told
        shell_reads = world.shell.read(world.area[0])
        assert shell_reads in (newest, machine.clock[1]), told
        if world.child.alive:
            child_reads = world.child.read(world.area[0])  # a device writes, too, if it has to fault the page in
            assert child_reads in {"write": [machine.clock[1]], "pin": [newest, machine.clock[1]]}.get(actor, [newest])
            assert (child_reads == shell_reads) == (child_reads == newest or world.file is not None), told
        if world.file:
            world.file.truncate(0)
        for process in machine.processes:
            process.exit()
        machine.migrate_prep()
        machine.reclaim([p for node in (0, 1) for p in (*machine.lru(node), *machine.lru(node, active=False))])
        machine.migrate_prep()
        assert machine.free_frames(0) + machine.free_frames(1) == 2 * FRAMES - 1, told
        assert machine.inconsistencies() == [], told


MOVES = {"moved"}
ALLOWED = dict.fromkeys(KINDS, MOVES) | {"faulty": {"write-fails"}, "ramfs": {"no-write"}}
#: Rows that an actor may cause besides: what it took away, held, or changed.
BY_ACTOR: dict[str, set[str | None]] = {
    "reclaim": {"off-lru", "swapped", "not-read", "gone"},
    "rival": {"off-lru", "there", "migrating", "swapped", "moved"},
    "pin": {"pinned"},
    "journal": {"buffers"},
    "buffer I/O": {"buffers"},
    "write": {"written", "there"},
    "lock": {"moved"},
    "exit": set(),
}


def test_a_read_of_the_file_waits_for_the_copy(make_machine: Callable[..., Machine]) -> None:
    """Who finds the new page in the page cache before it is up to date sleeps, and reads what was written."""
    for kind in ("tmpfs", "ext2", "nfs"):
        for moment in ("COPY", "COPY_FLAGS"):
            world = new_world(make_machine, kind)
            reader = world.machine.spawn("reader", node=1)
            theirs = reader.mmap(1, shared=True, file=world.file)
            run = world.move()
            read = run.when(moment).do(reader.read, theirs[0])
            assert run.finish().rows == ["moved"]
            names = [step.moment.name for step in run.steps if step.task.name == "read"]
            assert ("READ_WAIT" in names) == (moment == "COPY")  # at COPY_FLAGS nobody gets a turn before it is over
            assert read.result == world.shell.read(world.area[0])
            assert reader.page(theirs[0]) == world.shell.page(world.area[0])
            assert world.machine.inconsistencies() == []


def test_who_maps_the_page_anew_while_it_is_unmapped_costs_a_pass(make_machine: Callable[..., Machine]) -> None:
    """Through the page cache the old page is found until the switch: a PTE more, a reference too many."""
    world = new_world(make_machine, "tmpfs")
    reader = world.machine.spawn("reader", node=1)
    theirs = reader.mmap(1, shared=True, file=world.file)
    run = world.move()
    run.when("TREE_LOCK").do(reader.read, theirs[0])
    result = run.finish()
    assert (result.rows, result.costs.passes, result.costs.retries) == (["moved"], 2, 1)
    assert reader.pte(theirs[0]).node == 1


def test_a_swap_in_before_the_switch_costs_a_pass_and_after_it_finds_the_new_page(
    make_machine: Callable[..., Machine],
) -> None:
    """do_swap_page() holds the page and waits for its lock."""
    for moment, passes in (("SET_MAPPING", 2), ("TREE_LOCK", 2), ("COPY", 1), ("UNLOCK_NEW_PAGE", 1)):
        world = new_world(make_machine, "swap cache")
        run = world.move()
        reader = run.when(moment).do(world.child.read, world.area[0])
        result = run.finish()
        assert (result.rows, result.costs.passes) == (["moved"], passes)
        assert reader.result == world.shell.read(world.area[0])
        assert world.child.read(world.area[0]) == reader.result  # a second pass has unmapped it once more
        assert world.child.page(world.area[0]) == world.shell.page(world.area[0])
        assert world.child.pte(world.area[0]).node == 1


def test_reclaim_of_the_page_that_is_moved_comes_too_late(make_machine: Callable[..., Machine]) -> None:
    """It was isolated: reclaim finds it on no list, and leaves it."""
    world = new_world(make_machine, "ext2")
    run = world.move()
    reclaimed = run.when("PASS").do(world.machine.reclaim, [world.page])
    assert (run.finish().rows, reclaimed.result) == (["moved"], 0)


def test_reclaim_that_was_first_keeps_the_call_away(make_machine: Callable[..., Machine]) -> None:
    """The call cannot isolate what reclaim has isolated; once it is swapped out, it is not present."""
    world = new_world(make_machine, "anonymous")
    machine = world.machine
    calls = []
    run = machine.begin(machine.reclaim, [world.page])
    for moment in ("SHRINK_PAGE", "SLEEP_ON_WRITEBACK"):
        calls.append(run.when(moment).do(world.root.move_pages, world.shell.pid, world.area, [1], MPOL_MF_MOVE_ALL))
    assert run.finish() == 1
    assert [call.result.rows for call in calls] == [["off-lru"], ["swapped"]]


def test_two_files_are_moved_while_a_third_is_written(make_machine: Callable[..., Machine]) -> None:
    """A page under writeback holds up itself alone: the others move in the first pass."""
    machine = make_machine({0: FRAMES, 1: FRAMES})
    shell = machine.spawn("shell", node=0)
    writer = machine.spawn("writer", node=0)
    areas, files = [], [machine.file(name, 1) for name in ("a", "b", "c")]
    for file in files:
        writer.write(writer.mmap(1, shared=True, file=file))
        areas.append(shell.mmap(1, shared=True, file=file))
        shell.read(areas[-1])
    writer.exit()
    run = machine.begin(shell.move_pages, 0, [area[0] for area in areas], [1, 1, 1])
    run.when("DRAIN").until("PASS", in_pass=9).do(files[1].write_back, 0)
    result = run.finish()
    assert (result.status, result.costs.attempts, result.costs.waits) == ([1, 1, 1], 6, 1)
