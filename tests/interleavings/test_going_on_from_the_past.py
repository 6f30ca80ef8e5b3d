"""Any step of a run can be gone on from: back there, with another actor, and every write of the replay asserted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from numakit import MPOL_MF_MOVE_ALL, Process, Run, Stuck
from numakit.kernels import SEED
from numakit.timeline.state import Diverged
from numakit.timeline.task import Task
from tests.interleavings.world import World, new_world

ARGUMENTS: dict[str, Callable[[World], tuple[Any, ...]]] = {
    "write": lambda world: (world.area,),
    "munmap": lambda world: (world.area,),
    "fork": lambda world: ("late",),
    "exit": lambda world: (),
}


def in_flight() -> tuple[World, Process, Run[Any]]:
    """Two migrations of two shared pages, a writer and a fork, all under way together; the run has ended."""
    world = new_world(SEED, pages=2, nodes=3)
    child = world.shell.fork("child")
    run = world.move_all()
    order = [world.area[1], world.area[0]]
    run.when("GET_NEW_PAGE").do(world.root.move_pages, child.pid, order, [2, 2], MPOL_MF_MOVE_ALL)
    run.when("TRY_TO_UNMAP").do(child.write, world.area)
    run.when("COPY").do(child.fork, "grandchild")
    run.finish()
    return world, child, run


def states(run: Run[Any]) -> list[str]:
    """The machine's fingerprint before each step, and at the end."""
    return [run.goto(step).machine.fingerprint() for step in range(len(run) + 1)]


@pytest.mark.parametrize("act", ARGUMENTS)
def test_another_actor_joins_at_any_step(act: str) -> None:
    """What was before the step is as it was; what comes after is another run that ends and leaves a sound machine."""
    world, child, run = in_flight()
    before = states(run)
    kept = [repr(step) for step in run.steps]
    for step in reversed(range(len(before))):
        run.goto(step)
        if child.alive:
            run.now.do(getattr(child, act), *ARGUMENTS[act](world))
            assert world.machine.fingerprint() == before[step]
        run.finish()
        assert all(task.done for task in run.tasks if task.released)
        assert [repr(s) for s in run.steps[:step]] == kept[:step]
        world.see_quiet_without_changes()
    assert run.goto(0).machine.fingerprint() == before[0]


def test_going_on_without_another_actor_gives_the_same_run() -> None:
    """From every step the default schedule finds the same end."""
    _, _, run = in_flight()
    before = states(run)
    for step in range(len(before)):
        run.goto(step)
        run.resume()
        run.finish()
        assert states(run) == before


def test_going_on_from_a_stuck_run() -> None:
    """From each step of it the machine is what it was; without the one who keeps the lock the run ends."""
    world = new_world(SEED, pages=2)
    run = world.move()
    run.forward(4)
    joined = run.position
    run.now.for_ever().do(world.shell.hold_page_lock, world.area[0])
    run.when("SLEEP_ON_PAGE").do(world.shell.read, world.area[1])
    with pytest.raises(Stuck, match="held by I/O"):
        run.finish()
    before = states(run)
    for step in reversed(range(joined, len(before))):
        run.goto(step)
        assert world.machine.fingerprint() == before[step]
        run.now.do(world.root.mmap, 1)
        with pytest.raises(Stuck, match="held by I/O"):
            run.finish()
        assert world.machine.inconsistencies() == []
    for step in reversed(range(joined)):
        run.goto(step)
        run.now.do(world.root.mmap, 1)
        assert run.finish().status == [1, 1]
        world.see_quiet_without_changes()


def test_answers_of_user_code_are_kept() -> None:
    """A new_page_t is asked once a step, however often one goes on from later steps, and anew from earlier ones."""
    world = new_world(SEED, pages=2)
    machine = world.machine
    machine.migrate_prep()
    pages = [page for address in world.area if (page := world.shell.page(address)) is not None]
    assert [machine.isolate_lru_page(page) for page in pages] == [0, 0]
    asked: list[int] = []

    def get_new_page(page: int, private: object, result: object) -> int | None:
        asked.append(page)
        return machine.alloc_page(1)

    run = machine.begin(machine.migrate_pages, pages, get_new_page)
    assert run.finish() == 0
    assert asked == pages
    copies = [step.number for step in run.steps if step.moment.name == "COPY"]
    for times in range(1, 4):
        run.goto(copies[1])
        run.now.do(world.shell.read, world.area[0])
        assert run.finish() == 0
        assert asked == pages, f"asked again, the {times}. time"
    run.goto(copies[0])
    run.now.do(world.shell.read, world.area[0])
    assert run.finish() == 0
    assert asked == [*pages, pages[1]]
    world.see_quiet_without_changes()


def test_a_model_that_is_not_deterministic_is_noticed() -> None:
    """Each write of the replay must be the recorded one."""
    world = new_world(SEED)
    page, dice = world.page(), iter(range(100, 200))

    def restless(m: Any) -> Any:
        yield from ()
        m.set(m.private, page, next(dice))

    run = world.move()
    run.forward(3)
    run.add(Task("restless", restless))
    run.finish()
    run.goto(len(run) - 1)
    with pytest.raises(Diverged):
        run.resume()
