"""Going back, forth, and on from the past: undo, redo and replay are exact."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from numakit import MPOL_MF_MOVE_ALL, Machine, Process, Result, Run, Stuck, Vma
from numakit.machine.frames import get_page, put_page
from numakit.machine.locks import trylock_page, unlock_page
from numakit.machine.state import MachineState
from numakit.moments import GET_NEW_PAGE, HOLD
from numakit.timeline.run import Run as Timeline
from numakit.timeline.task import Steps, Task, When
from tests.scene import Scene, recorded

# -- back and forth


def test_each_step_shows_the_same_state_forward_backward_and_by_a_jump(scene: Scene) -> None:
    """Fingerprints at every position, however it is reached."""
    run, machine = scene.begin(), scene.machine
    while_made = [machine.fingerprint()]
    while not run.finished:
        run.forward()
        while_made.append(machine.fingerprint())
    run.finish()
    steps = range(len(while_made))
    backward = {step: run.goto(step).machine.fingerprint() for step in reversed(steps)}
    forward = {step: run.goto(step).machine.fingerprint() for step in steps}
    jumps = {step: run.goto(step).machine.fingerprint() for step in sorted(steps, key=lambda step: step * 37 % 101)}
    assert backward == forward == jumps == dict(enumerate(while_made))


def test_back_and_forward_go_step_by_step(scene: Scene) -> None:
    """back() and forward() stop at the ends."""
    run = scene.record()
    assert run.position == len(run)
    assert run.back().position == len(run) - 1
    assert run.back(5).position == len(run) - 6
    assert run.forward(2).position == len(run) - 4
    assert run.back(10**6).position == 0
    assert run.back().position == 0
    assert run.forward().position == 1
    assert run.last().position == len(run)
    assert run.first().position == 0


def test_undo_to_the_start_is_the_machine_before_the_call(scene: Scene) -> None:
    """And the end is the end."""
    before = scene.machine.fingerprint()
    run = scene.record()
    after = scene.machine.fingerprint()
    assert run.first().machine.fingerprint() == before != after
    assert run.last().machine.fingerprint() == after


def test_every_step_of_a_run_leaves_a_sound_machine(scene: Scene) -> None:
    """Counts, lists and PTEs fit at every position."""
    run = scene.record()
    for step in range(len(run) + 1):
        run.goto(step)
        assert scene.machine.inconsistencies() == []


@pytest.mark.parametrize("place", [0.0, 0.1, 0.35, 0.5, 0.8, 1.0])
def test_going_on_from_a_past_step_comes_to_the_same_end(scene: Scene, place: float) -> None:
    """Undo, create the generators anew, replay with every write asserted, and go on: same steps, result and state."""
    run = scene.record()
    end, result, names = scene.machine.fingerprint(), run.result.outcome, [str(step) for step in run.steps]
    run.goto(round(place * len(run)))
    run.resume()
    run.finish()
    assert scene.machine.fingerprint() == end
    assert (run.result.outcome, [str(step) for step in run.steps]) == (result, names)


def test_what_is_done_at_a_past_step_changes_the_future(scene: Scene) -> None:
    """run.now: the steps after it are forgotten, those before stay."""
    run = scene.record()
    at = next(step.number for step in run.steps if step.moment.name == "GET_NEW_PAGE")
    before = [str(step) for step in run.steps[:at]]
    run.goto(at)
    other = run.now.do(scene.child.exit)
    run.finish()
    assert (other.result, scene.child.alive) == (0, False)
    assert [str(step) for step in run.steps[:at]] == before
    assert run.steps[at].task.name == "exit"


def test_with_and_without_a_journal_the_machine_is_the_same(make_machine: Callable[..., Machine]) -> None:
    """Recording changes nothing but what can be done afterwards."""
    plain, recorded = Scene(make_machine({0: 64, 1: 64})), Scene(make_machine({0: 64, 1: 64}))
    arguments = ([1, 1, 1, 0, 1], MPOL_MF_MOVE_ALL)
    result = plain.root.move_pages(plain.shell.pid, plain.area, *arguments)
    run = recorded.machine.record(recorded.root.move_pages, recorded.shell.pid, recorded.area, *arguments)
    assert not plain.machine.has_journal
    assert recorded.machine.has_journal
    assert (run.result.outcome, run.result.rows) == (result.outcome, result.rows)
    assert recorded.machine.fingerprint() == plain.machine.fingerprint()


def test_an_actor_that_never_began_is_told(scene: Scene) -> None:
    """A moment that did not come is no silent success."""
    run = scene.begin()
    actor = run.when("SLEEP_ON_WRITEBACK").do(scene.child.write, scene.area[0])
    run.finish()
    assert [task.name for task in run.never_began] == ["write"]
    assert not actor.began
    with pytest.raises(RuntimeError, match="never came"):
        _ = actor.result


# -- the journal


def timeline(scene: Scene, limit: int) -> Timeline[Any]:
    """A recorded run of a whole call with a small journal."""
    prepared = scene.shell.move_pages.prepare(0, scene.area, [1] * 5)
    return Timeline(scene.machine, prepared.task(), prepared.present, journal_limit=limit)


def test_a_run_that_outgrows_its_journal_goes_on_unrecorded(make_machine: Callable[..., Machine]) -> None:
    """It never drops the oldest: it says that there is no way back. The result and the machine are the same."""
    small, large = Scene(make_machine({0: 64, 1: 64})), Scene(make_machine({0: 64, 1: 64}))
    run, kept = timeline(small, 800), timeline(large, 1 << 20)
    assert run.finish().outcome == kept.finish().outcome
    assert small.machine.fingerprint() == large.machine.fingerprint()
    assert (run.recorded, kept.recorded, small.machine.has_journal) == (False, True, False)
    assert "outgrew 800 bytes" in run.no_way_back
    assert len(run.steps) == 0
    with pytest.raises(RuntimeError, match="outgrew 800 bytes"):
        run.first()
    assert small.shell.write(small.area[0]) == 0


def test_an_older_run_cannot_be_shown_when_the_journal_was_forgotten(scene: Scene) -> None:
    """It says so instead of showing something else."""
    old = recorded(scene)
    timeline(scene, 400).finish()
    with pytest.raises(RuntimeError):
        old.first()


def test_an_older_run_can_be_shown_after_later_calls(scene: Scene) -> None:
    """Calls made after a recorded one are journalled too; going on from the old run forgets them."""
    run = recorded(scene)
    at_its_end = scene.machine.fingerprint()
    scene.shell.write(scene.area[4])
    now = scene.machine.fingerprint()
    assert run.last().machine.fingerprint() == at_its_end
    assert scene.machine.in_the_past
    scene.machine.present()
    assert scene.machine.fingerprint() == now


def test_a_forgotten_future_takes_no_room_in_the_journal(scene: Scene) -> None:
    """However often somebody goes on from a past step."""
    run = scene.record()
    size = scene.machine.journal_bytes
    for _ in range(3):
        run.goto(len(run) // 2)
        run.resume()
        run.finish()
    assert scene.machine.journal_bytes == size


def test_changes_have_the_values_before_and_after_a_step(scene: Scene) -> None:
    """At whatever step the machine stands, and equal to what the machine shows before and after."""
    run, machine = scene.record(), scene.machine
    at_the_end = [step.changes for step in run.steps]
    for standing in range(0, len(run) + 1, 7):
        run.goto(standing)
        assert [step.changes for step in run.steps] == at_the_end

    def value(label: str, index: Any) -> Any:
        return machine.table.get(index) if label == "table" else getattr(machine, label)[index]

    for step, changes in zip(run.steps, at_the_end, strict=True):
        shown = [c for c in changes if c.label == "table" or c.label in ("count", "mapcount", "stamp", "contents")]
        first = {(c.label, c.index): c.before for c in reversed(shown)}
        last = {(c.label, c.index): c.after for c in shown}
        run.goto(step.number)
        assert {place: value(*place) for place in first} == first
        run.goto(step.number + 1)
        assert {place: value(*place) for place in last} == last


def test_the_steps_changes_are_all_that_differs(scene: Scene) -> None:
    """What is not among the changes of a step is the same before and after it."""
    run, machine = scene.record(), scene.machine

    def everything() -> dict[Any, Any]:
        arrays = {n: bytes(machine.arrays[n]) for n in range(1, len(machine.arrays)) if ("array", n) in machine.table}
        return {**machine.table, **arrays}

    run.first()
    before = everything()
    for step in run.steps:
        run.goto(step.number + 1)
        after = everything()
        keys = {c.index for c in step.changes if c.label == "table"}
        differs = {key for key in {*before, *after} if before.get(key) != after.get(key) and not isinstance(key, int)}
        assert differs <= keys
        if not step.changes:
            assert after == before
        before = after


def test_the_fingerprint_covers_every_array(scene: Scene) -> None:
    """One integer anywhere makes another fingerprint, and back again."""
    machine = scene.machine
    before = machine.fingerprint()
    for number in range(1, len(machine.arrays)):
        memory = machine.arrays[number]
        if ("array", number) in machine.table and len(memory):
            value = memory[-1]
            machine.set(memory, len(memory) - 1, value ^ 1)
            assert machine.fingerprint() != before
            machine.set(memory, len(memory) - 1, value)
    assert machine.fingerprint() == before


def test_the_fingerprint_covers_every_structure(scene: Scene) -> None:
    """A structure that is gone, or new, makes another fingerprint."""
    machine = scene.machine
    before = machine.fingerprint()
    for key, value in list(machine.table.items()):
        machine.put(key, None)
        assert machine.fingerprint() != before
        machine.put(key, value)
    machine.put(("new", 1), 1)
    assert machine.fingerprint() != before
    machine.put(("new", 1), None)
    assert machine.fingerprint() == before


def test_the_fingerprint_does_not_depend_on_the_order_of_structures(scene: Scene) -> None:
    """Undo may put a structure back in another place of the table."""
    machine = scene.machine
    before, pid = machine.fingerprint(), scene.shell.pid
    struct = machine.table[("process", pid)]
    machine.put(("process", pid), None)
    machine.put(("process", pid), struct)
    assert machine.fingerprint() == before


# -- locked pages


def driver(address: int, process: Process, *, lets_go: bool) -> Callable[[MachineState], Steps[int]]:
    """A driver that takes a page through its PTE and keeps it locked for a while, or for ever."""

    def start(m: MachineState) -> Steps[int]:
        page = process.page(address)
        assert page is not None
        get_page(m, page, m.current)
        locked = trylock_page(m, page)
        assert locked
        yield HOLD, 0
        put_page(m, page, m.current)
        if lets_go:
            unlock_page(m, page)
        return 0

    return start


def lock_meanwhile(scene: Scene, *, lets_go: bool) -> tuple[Run[Result], Vma]:
    """A call that finds its page locked."""
    area = scene.shell.mmap(pages=1)
    scene.shell.write(area)
    run = scene.machine.begin(scene.shell.move_pages, 0, area, [1])
    run.add(Task("a driver", driver(area[0], scene.shell, lets_go=lets_go), when=When(GET_NEW_PAGE)))
    return run, area


def test_polite_passes_skip_a_locked_page_and_the_first_forced_one_sleeps(scene: Scene) -> None:
    """Passes 0 to 2 go by, pass 3 sleeps until the page is unlocked; then it moves."""
    run, area = lock_meanwhile(scene, lets_go=True)
    assert (run.finish().status, area.nodes) == ([1], [1])
    mine = [step.moment.name for step in run.steps if step.task is run.call]
    assert (mine.count("PASS"), mine.count("LOCK_PAGE"), mine.count("SLEEP_ON_PAGE")) == (4, 4, 1)


def test_a_run_in_which_nobody_will_unlock_a_page_is_stuck(scene: Scene) -> None:
    """It says who waits for whom."""
    run, area = lock_meanwhile(scene, lets_go=False)
    page = scene.shell.page(area[0])
    with pytest.raises(Stuck, match=f"move_pages waits in lock_page for the lock of page {page}, held by a driver"):
        run.finish()
    assert not run.finished
    run.first()
    assert scene.shell.page(area[0]) == page
