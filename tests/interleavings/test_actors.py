"""Actors beside a call: when they begin, and what is told of those whose time never came."""

from __future__ import annotations

import pytest

from numakit import Stuck
from numakit.kernels import SEED
from numakit.machine.locks import lock_page
from numakit.machine.state import MachineState
from numakit.timeline.task import Steps, Task
from tests.interleavings.world import finish, moments_of, new_world


@pytest.mark.parametrize(
    ("moment", "nth", "page", "in_pass"),
    [("SLEEP_ON_PAGE", 1, None, None), ("COPY", 2, None, None), ("COPY", 1, 99, None), ("COPY", 1, None, 1)],
    ids=["never met", "met once", "another page", "another pass"],
)
def test_an_actor_whose_moment_never_came_is_reported(
    moment: str, nth: int, page: int | None, in_pass: int | None
) -> None:
    """The run ends without it, and says so."""
    world = new_world(SEED)
    run = world.move()
    writer = run.when(moment, nth, page, in_pass).do(world.shell.write, world.area)
    reader = run.when("COPY").do(world.shell.read, world.area[0])
    assert finish(run).status == [1]
    assert [task.name for task in run.never_began] == ["write"]
    assert (writer.began, writer.done, reader.done) == (False, False, True)
    assert "time has not come" in repr(writer)
    with pytest.raises(RuntimeError, match="write: its time never came"):
        _ = writer.result
    assert moments_of(run, "write") == []


@pytest.mark.parametrize("moment", ["GET_NEW_PAGE", "TRY_TO_UNMAP", "COPY", "PUT_BACK_NEW"])
@pytest.mark.parametrize("nth", [1, 2])
def test_an_actor_begins_at_the_nth_time_of_its_moment(moment: str, nth: int) -> None:
    """It has its first turn when the call stands there, before the call goes on."""
    world = new_world(SEED, pages=2)
    run = world.move()
    run.when(moment, nth).do(world.shell.read, world.area[1])
    finish(run)
    first = next(step.number for step in run.steps if step.task.name == "read")
    met = [step.number for step in run.steps if step.task is run.call and step.moment.name == moment]
    assert met[nth - 1] > first
    assert all(place < first for place in met[: nth - 1])
    assert not [s for s in run.steps[first : met[nth - 1]] if s.task is run.call]


@pytest.mark.parametrize("moment", ["TRY_TO_UNMAP", "COPY"])
def test_two_whose_moment_is_the_same_both_act_before_the_call_goes_on(moment: str) -> None:
    """The second begins when the first sleeps or has ended; the first is not left standing at its beginning."""
    world = new_world(SEED)
    child = world.shell.fork("child")
    run = world.move_all()
    for process in (world.shell, child):
        run.when(moment).do(process.read, world.area[0])
    finish(run)
    acted = [step.task.number for step in run.steps]
    first, second = acted.index(2), acted.index(3)
    call = acted.index(1, first)
    assert set(acted[first:second]) == {2}
    assert set(acted[second:call]) == {3}
    assert run.steps[call].moment.name == moment
    for task in run.tasks[1:]:  # neither could have done more
        assert task.number not in acted[call:] or any(
            step.moment.name == "ENTRY_WAIT" for step in run.steps if step.task is task
        )


def test_an_actor_begins_for_its_page_in_its_pass() -> None:
    """A page that is pinned for a pass is met twice; the second time counts."""
    world = new_world(SEED, pages=2)
    page = world.shell.page(world.area[1])
    run = world.move()
    run.when("DRAIN").until("PASS", in_pass=1).do(world.shell.pin_for_a_while, world.area[1])
    run.when("COPY", page=page, in_pass=1).do(world.shell.read, world.area[1])
    assert finish(run).status == [1, 1]
    first = next(step.number for step in run.steps if step.task.name == "read")
    copies = [step.number for step in run.steps if step.moment.name == "COPY"]
    assert (len(copies), copies[0] < first < copies[1]) == (2, True)
    assert run.never_began == []


def test_who_sleeps_for_its_own_lock_is_stuck() -> None:
    """It does not act over and over: nobody else can unlock the page."""
    world = new_world(SEED)
    page = world.page()

    def lock_twice(m: MachineState) -> Steps[None]:
        yield from lock_page(m, page)
        yield from lock_page(m, page)

    run = world.move()
    run.add(Task("confused", lock_twice))
    with pytest.raises(Stuck, match=rf"confused waits in lock_page for the lock of page {page}, held by confused"):
        run.finish()
