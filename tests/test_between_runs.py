"""What happens between runs, and beside them, does not spoil going back or going on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from numakit import BrokenUserCode, Machine, Stuck, Vma
from tests.scene import Scene


@pytest.fixture
def area(scene: Scene) -> Vma:
    """Four written pages of the shell alone."""
    area = scene.shell.mmap(pages=4)
    scene.shell.write(area)
    return area


def elsewhere(scene: Scene, area: Vma) -> list[int]:
    """For each page the node where it is not."""
    return [1 - (node or 0) for node in area.nodes]


def test_a_call_of_another_machine_is_refused(scene: Scene, make_machine: Callable[..., Machine]) -> None:
    """It would run on this one, and the other would stay as it is."""
    other = make_machine({0: 64}).spawn("other")
    with pytest.raises(ValueError, match="another machine"):
        scene.machine.record(other.mmap, 1)
    run = scene.machine.begin(scene.shell.move_pages, 0, scene.area[0:1], [1])
    with pytest.raises(ValueError, match="another machine"):
        run.when("COPY").do(other.exit)


def test_a_run_at_its_end_goes_no_further_and_later_calls_stay(scene: Scene, area: Vma) -> None:
    """forward() and finish() of a run that is over change nothing, whatever was done since."""
    run = scene.machine.record(scene.shell.move_pages, 0, area, elsewhere(scene, area))
    scene.shell.write(area[0])
    now = scene.machine.fingerprint()
    run.forward()
    assert run.finish() is not None
    assert scene.machine.fingerprint() == now


def test_going_on_from_a_run_while_the_machine_shows_another(scene: Scene, area: Vma) -> None:
    """That would forget the later run: it is refused, with its name, until it is said that it may be forgotten."""
    first = scene.machine.record(scene.shell.move_pages, 0, area, elsewhere(scene, area))
    end = scene.machine.fingerprint()
    second = scene.machine.record(scene.shell.move_pages, 0, area, elsewhere(scene, area))
    first.goto(5)
    second.goto(3)
    before = scene.machine.fingerprint()
    for refused in (first.resume, first.finish, lambda: first.now.do(scene.shell.write, area[0])):
        with pytest.raises(RuntimeError, match=r"would forget what was done on .* after this run: move_pages;"):
            refused()
    assert (scene.machine.fingerprint(), len(second), first.position) == (before, len(second.steps), 5)
    first.forget_later_calls().resume()
    first.finish()
    assert scene.machine.fingerprint() == end
    with pytest.raises(RuntimeError, match="this run was forgotten"):
        second.goto(3)


def test_what_was_done_outside_of_calls_is_not_forgotten_either(scene: Scene, area: Vma) -> None:
    """A process that was started since would be gone."""
    run = scene.machine.record(scene.shell.move_pages, 0, area, elsewhere(scene, area))
    scene.machine.spawn("later")
    run.goto(5)
    with pytest.raises(RuntimeError, match="changes outside of any call"):
        run.finish()


def test_an_actor_is_taken_out_only_if_that_forgets_no_later_call(scene: Scene, area: Vma) -> None:
    """A refusal leaves the actor where it was."""
    run = scene.machine.record(scene.shell.move_pages, 0, area, elsewhere(scene, area))
    run.goto(9)
    actor = run.now.do(scene.shell.write, area[0])
    run.finish()
    turns = run.turns
    scene.shell.write(area[1])
    with pytest.raises(RuntimeError, match="after this run: write;"):
        run.forget(actor)
    assert (run.turns, run.interferences[0][0]) == (turns, actor.task)
    run.forget_later_calls()
    assert 2 not in run.forget(actor).turns


def test_calls_outside_a_run_between_its_steps_can_be_seen_but_not_gone_on_from(scene: Scene, area: Vma) -> None:
    """A replay could not make them again: that is said, and is no fault of the model."""
    run = scene.machine.begin(scene.shell.move_pages, 0, area, elsewhere(scene, area))
    run.forward(6)
    scene.shell.read(area[3])
    scene.machine.spawn("meanwhile")
    run.finish()
    end = scene.machine.fingerprint()
    run.goto(8)
    with pytest.raises(RuntimeError, match=r"run\.now\.do"):
        run.resume()
    run.last()
    assert scene.machine.fingerprint() == end
    assert scene.shell.write(area[0]) == 0


def test_a_stuck_run_can_be_gone_back(scene: Scene, area: Vma) -> None:
    """The exception has the run, although nobody was handed one."""
    run = scene.machine.begin(scene.shell.move_pages, 0, area, elsewhere(scene, area))
    run.when("GET_NEW_PAGE").for_ever().do(scene.shell.hold_page_lock, area[0])
    before = scene.machine.fingerprint()
    with pytest.raises(Stuck) as stuck:
        run.finish()
    assert stuck.value.run is run
    run.first()
    assert scene.machine.fingerprint() == before


def test_a_schedule_is_played_from_the_step_where_the_run_stands(scene: Scene, area: Vma) -> None:
    """Its turns are those from the beginning on; what was recorded behind the step is forgotten."""
    run = scene.machine.record(scene.shell.move_pages, 0, area, elsewhere(scene, area))
    end, steps = scene.machine.fingerprint(), len(run)
    run.goto(5)
    run.play(f"turns 1*{steps}")
    assert (len(run), scene.machine.fingerprint()) == (steps, end)


def broken(page: int, private: Any, result: Any) -> int | None:
    """A new_page_t with a mistake."""
    raise KeyError("no such page")


def test_broken_code_leaves_the_machine_as_it_was_under_play_too(scene: Scene, area: Vma) -> None:
    """play() promises what finish() and forward() promise."""
    scene.machine.migrate_prep()
    pages = [page for page in (scene.shell.page(address) for address in area) if page is not None]
    for page in pages:
        scene.machine.isolate_lru_page(page)
    before = scene.machine.fingerprint()
    run = scene.machine.begin(scene.machine.migrate_pages, pages, broken)
    with pytest.raises(BrokenUserCode):
        run.play("turns 1*9")
    assert scene.machine.fingerprint() == before
    scene.machine.putback_lru_pages(pages)


def test_cells_of_a_future_that_was_dropped_do_not_exist(scene: Scene, area: Vma) -> None:
    """Their number may be another array's now; a write would end up there."""
    run = scene.machine.record(scene.shell.write, area[0])
    cells = scene.machine.cells(8, 5)
    run.first()
    run.forget_later_calls().resume()
    other = scene.shell.mmap(pages=8)
    for use in (lambda: cells[0], lambda: cells.__setitem__(0, 9), lambda: len(cells)):
        with pytest.raises(ValueError, match="do not exist now"):
            use()
    assert other.nodes == [None] * 8
