"""A schedule is a text that can be printed, read back and played; anything else is refused in one sentence."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from numakit import MPOL_MF_MOVE_ALL, Run, Stuck
from numakit.facade.interference import SHOWN_TEXT, parse_schedule
from numakit.kernels import SEED
from numakit.syscalls.user_memory import UserArray
from numakit.timeline.run import Run as Timeline
from numakit.timeline.schedule import able
from numakit.timeline.task import Task
from tests.interleavings.world import World, new_world

Play = Callable[[World, Run[Any]], Any]


def family() -> World:
    """A child shares the shell's two pages, and root has two arrays in memory; pids: shell 1, root 2, child 3."""
    world = new_world(SEED, pages=2)
    world.shell.fork("child")
    room = world.root.mmap(1)
    world.root.array(room[0], [0, 0], size=4)
    world.root.array(room[0] + 64, [0, 0], size=4)
    return world


def actors_in_order(world: World, run: Run[Any]) -> None:
    """A fork, a write and an exit, each at its moment."""
    child = world.machine.process(3)
    run.when("COUNT", nth=2).do(child.fork, "a) when COPY, 'page' 1")
    run.when("TRY_TO_UNMAP", page=world.page()).do(child.write, world.area)
    run.when("PASS", in_pass=1).do(child.exit)
    run.when("SLEEP_ON_WRITEBACK").do(world.shell.read, world.area[0])
    run.finish()


def actors_that_hold(world: World, run: Run[Any]) -> None:
    """A pin and a locked page, until a pass."""
    run.when("DRAIN").until("PASS", in_pass=2).do(world.shell.pin_for_a_while, world.area[1], device="NIC")
    run.when("DRAIN").until("PASS", nth=2).do(world.shell.hold_page_lock, world.area[0])
    run.finish()


def another_call(world: World, run: Run[Any]) -> None:
    """A second migration, with arguments that have names and with arrays in the caller's memory."""
    room = world.root.vmas[0].start
    targets, status = UserArray(room, 2, 4), UserArray(room + 64, 2, 4)
    run.when("COPY", 2).do(
        world.root.move_pages, world.shell.pid, world.area, targets, flags=MPOL_MF_MOVE_ALL, status=status
    )
    run.finish()


def from_the_past(world: World, run: Run[Any]) -> None:
    """An actor that joined at a step."""
    run.finish()
    run.goto(len(run) // 2)
    run.now.do(world.machine.process(3).exit)
    run.finish()


def throw(die: Random) -> Callable[[Timeline[Any]], Task | None]:
    """A schedule by a die: any task that can act."""
    return lambda run: die.choice(able(run) or [None])


def in_any_order(world: World, run: Run[Any]) -> None:
    """Turns that a die chose."""
    run.when("PASS").do(world.shell.write, world.area)
    run.when("PASS").do(world.machine.process(3).write, world.area)
    run.finish(throw(Random(8)))


def another_choice_in_the_past(world: World, run: Run[Any]) -> None:
    """The default turns up to a step, and others from there."""
    run.when("PASS").do(world.machine.process(3).write, world.area)
    run.finish()
    run.goto(12)
    run.finish(throw(Random(3)))


def one_that_was_born_meanwhile(world: World, run: Run[Any]) -> None:
    """An actor of a process that exists only from some step on."""
    born = run.when("COPY").do(world.machine.process(3).fork, "grandchild")
    while not born.done:
        run.forward()
    run.now.do(born.result.write, world.area)
    run.when("COPY", nth=2).do(born.result.exit)
    run.finish()


PLAYS = [
    actors_in_order,
    actors_that_hold,
    another_call,
    from_the_past,
    in_any_order,
    another_choice_in_the_past,
    one_that_was_born_meanwhile,
]


@pytest.mark.parametrize("play", PLAYS, ids=lambda play: play.__name__)
def test_a_schedule_reads_back_and_plays_to_the_same_state(play: Play) -> None:
    """The text makes the same run on an equal machine, step for step."""
    world, again = family(), family()
    run = world.move_all()
    play(world, run)
    text = str(run.schedule)
    assert str(parse_schedule(text)) == text
    assert parse_schedule(text) == run.schedule
    replayed = again.move_all()
    assert replayed.play(text) == run.result
    assert [repr(step) for step in replayed.steps] == [repr(step) for step in run.steps]
    assert again.machine.fingerprint() == world.machine.fingerprint()


def test_a_stuck_schedule_reads_back_and_is_stuck_again() -> None:
    """For ever is part of the notation."""
    world, again = family(), family()
    run = world.move_all()
    run.when("DRAIN").for_ever().do(world.shell.hold_page_lock, world.area[0])
    with pytest.raises(Stuck) as first:
        run.finish()
    with pytest.raises(Stuck) as second:
        again.move_all().play(str(run.schedule))
    assert str(first.value) == str(second.value)
    assert again.machine.fingerprint() == world.machine.fingerprint()


def test_the_notation_is_what_the_documentation_shows() -> None:
    """Calls with their owner, moments with what counts, the step of joining, and turns in a row."""
    text = """\
process(3).write([0x10000000]) when COUNT, page 7, in pass 0
process(1).pin_for_a_while([0x10001000]) when GET_NEW_PAGE #2 until PASS, in pass 3
process(1).hold_page_lock(0x10001000) when PASS for ever
process(3).fork() from step 17
turns 1*14 3*3 1*20"""
    assert str(parse_schedule(text)) == text
    assert str(parse_schedule(f"\n  \n{text}\n\n")) == text
    assert parse_schedule("") == parse_schedule("\n")


LINES = {
    "no call": "write",
    "no owner": "write([4096]) when COPY",
    "unknown owner": "kernel.write([4096]) when COPY",
    "unknown process": "process(99).write([4096]) when COPY",
    "a process number of many digits": f"process({'9' * 5000}).write([4096])",
    "unknown call": "process(1).sing([4096]) when COPY",
    "private call": "process(1)._prepare('a', 'b') when COPY",
    "no method but a property": "process(1).machine()",
    "attribute access": "process(1).write.__self__.machine([4096])",
    "attribute access behind the call": "process(1).write([4096]).__class__(1)",
    "dunder": "process(1).__class__([4096])",
    "import": "__import__('os').system('true')",
    "import as an argument": "process(1).write(__import__('os').getpid()) when COPY",
    "lambda": "process(1).write((lambda: [4096])()) when COPY",
    "comprehension": "process(1).write([x for x in (1, 2)]) when COPY",
    "f-string": "process(1).fork(f'{1 + 1}')",
    "star": "process(1).write(*[4096])",
    "two stars": "process(1).write(**{'pages': 4096})",
    "unhashable": "process(1).write({[]: 1})",
    "arithmetic": "process(1).write([2 ** 40])",
    "deep lists": f"process(1).write({'[' * 5000}{']' * 5000})",
    "deep signs": f"process(1).write({'-' * 100_000}1)",
    "deep parentheses": f"process(1).write({'(' * 5000}1{')' * 5000})",
    "null character": "process(1).write([\0])",
    "half a text": "process(1).fork('a",
    "missing argument": "process(1).write() when COPY",
    "too many arguments": "process(1).write([4096], 1, 2) when COPY",
    "unknown name of an argument": "process(1).write(pages=[4096], colour=1)",
    "wrong type": "process(1).write(1.5)",
    "wrong address": "process(1).write([-4096])",
    "half a user array": "process(1).move_pages(0, UserArray(4096), [1])",
    "user array of texts": "process(1).move_pages(0, UserArray('a', 'b', 'c'), [1])",
    "unknown moment": "process(1).write([4096]) when LUNCH",
    "lower case moment": "process(1).write([4096]) when copy",
    "time zero": "process(1).write([4096]) when COPY #0",
    "negative page": "process(1).write([4096]) when COPY, page -1",
    "text behind": "process(1).write([4096]) when COPY and then some",
    "until before when": "process(1).write([4096]) until PASS when COPY",
    "many digits": f"process(1).write([4096]) when COPY, page {'9' * 100_000}",
    "a megabyte of times": "process(1).write([4096])" + " when COPY" * 100_000,
    "a megabyte of parentheses": "process(1).write(" + ") when A" * 120_000,
    "a megabyte of digits": "process(1).write([" + "9" * 1_000_000 + "])",
    "turns without a number": "turns 1*",
    "turns of task 0": "turns 0*3",
    "too many turns": "turns 1*99999999",
    "negative turns": "turns 1*-3",
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES.keys())
@pytest.mark.timeout(5)
def test_a_line_that_is_no_schedule_is_refused_with_the_line(line: str) -> None:
    """One ValueError that names the line, by number or by its text; it is short, and nothing has changed."""
    world = family()
    run = world.move_all()
    before = world.machine.fingerprint()
    with pytest.raises(ValueError, match="schedule, line") as refused:
        run.play(f"process(1).read([0x10000000]) when COPY\n{line}")
    told = str(refused.value)
    assert "line 2" in told or line[:SHOWN_TEXT] in told
    assert len(told) < 800
    assert (len(run), len(run.tasks), world.machine.fingerprint()) == (0, 1, before)


def test_a_text_without_end_is_refused() -> None:
    """At most a megabyte is read."""
    with pytest.raises(ValueError, match="characters"):
        parse_schedule("turns 1*1\n" * 200_000)


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ("turns 9*1", "at step 0 task 9 cannot act"),
        ("process(1).read([0x10000000]) when COPY\nturns 2*1", "at step 0 task 2 cannot act"),
        ("turns 1*500", "task 1 cannot act"),
        ("process(3).exit() from step 500", "at step [0-9]+ nobody can act"),
    ],
    ids=["no such task", "its time has not come", "it has ended", "the run is over"],
)
def test_a_turn_of_one_that_cannot_act_is_refused(turns: str, told: str) -> None:
    """Turns are those of tasks that exist, have begun, do not sleep and have not ended."""
    world = family()
    with pytest.raises(ValueError, match=told):
        world.move_all().play(turns)
    assert world.machine.inconsistencies() == []


def test_a_sleeper_gets_no_turn() -> None:
    """Who waits for mmap_sem does not act, whatever the text says."""
    world, again = new_world(SEED), new_world(SEED)
    run = world.move()
    run.when("COPY").do(world.shell.munmap, world.area)
    run.finish()
    asleep = next(step.number for step in run.steps if step.task.name == "munmap") + 1
    with pytest.raises(ValueError, match=f"at step {asleep} task 2 cannot act"):
        again.move().play(f"{run.schedule}\nturns 1*{asleep - 1} 2*9")
