"""Random programs can be played, stored and printed, and one that two worlds answer otherwise becomes small."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from numakit import PAGE_SIZE, Machine
from numakit.guest import guest_topology
from numakit.kernels import KERNELS, Kernel
from tests.oracle.programs import LEFT_OUT, Player, Program, as_python, play
from tests.oracle.random_calls import random_program
from tests.oracle.shrinking import Mismatch, first_difference, shrink

SCALE = 64


def machine(kernel: str | Kernel) -> Machine:
    """The guest as a model."""
    return Machine(guest_topology(), kernel, scale=SCALE)


def answers_of(kernel: str | Kernel) -> Callable[[Program], list[Any]]:
    """What the model answers."""
    return lambda program: play(machine(kernel), program)


def comparing(one: str | Kernel, other: str | Kernel) -> Callable[[Sequence[Program]], list[Mismatch | None]]:
    """Compares two kernels of the model, as if the other were a real one."""

    def compare(programs: Sequence[Program]) -> list[Mismatch | None]:
        return [first_difference(p, play(machine(one), p), play(machine(other), p)) for p in programs]

    return compare


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
@pytest.mark.parametrize("random_seed", range(20))
def test_a_random_program_leaves_a_sound_machine(kernel: str, random_seed: int) -> None:
    """And nothing of it: all its processes have ended, all frames but the zero page are free."""
    m = machine(kernel)
    frames = sum(m.free_frames(node) for node in m.node_ids)
    play(m, random_program(random_seed))
    m.migrate_prep()  # pages of the dead may wait in a pagevec
    assert m.inconsistencies() == []
    assert m.processes == []
    assert sum(m.free_frames(node) for node in m.node_ids) == frames


def test_a_program_is_that_of_its_seed_and_plain_data() -> None:
    """So that it can be sent, stored and played again."""
    program = random_program(7)
    assert json.loads(json.dumps(program)) == program == random_program(7) != random_program(8)


@pytest.mark.parametrize("random_seed", range(20))
def test_a_program_without_some_of_its_steps_is_a_program(random_seed: int) -> None:
    """Steps that speak of what is not there are left out, and only those: without them all others answer the same."""
    random = Random(random_seed)
    program = [step for step in random_program(random_seed) if random.random() < 0.6]
    answers = play(machine("6.1"), program)
    played = [(step, answer) for step, answer in zip(program, answers, strict=True) if answer != LEFT_OUT]
    assert play(machine("6.1"), [step for step, _ in played]) == [answer for _, answer in played]


@pytest.mark.parametrize("random_seed", range(20))
def test_what_is_printed_is_what_was_played(random_seed: int) -> None:
    """The lines of Python, run as they stand, leave the machine as the player does."""
    program = random_program(random_seed)
    played, printed = machine("6.12"), machine("6.12")
    player = Player(played)
    answers = [player.play(step) for step in program]
    made = [step for step, answer in zip(program, answers, strict=True) if answer != LEFT_OUT]
    exec(as_python(made), {"world": printed, "PAGE_SIZE": PAGE_SIZE})
    assert [p.numa_maps() for p in printed.processes] == [p.numa_maps() for p in played.processes]
    assert printed.numastat() == played.numastat()


RULES = {
    "untouched_status": -2,
    "overlap_is_left": False,
    "mlocked_stay": True,
    "forbidden_pages_are_found": True,
}  #: rules of 6.1 that are flipped, and how


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_is_flipped_is_found_and_shrinks_to_a_few_lines(rule: str) -> None:
    """Eight at most: a process, an area, its first touch, what matters, and the call that shows it."""
    wrong = replace(KERNELS["6.1"], **{rule: RULES[rule]})  # type: ignore[arg-type]
    compare = comparing("6.1", wrong)
    found = next(mismatch for seed in range(100) for mismatch in compare([random_program(seed)]) if mismatch)
    [small] = shrink([found], compare, answers_of("6.1"))
    assert compare([small.program]) == [small]
    assert len(small.program) <= 8
    assert len(as_python(small.program)) < 400


def test_shrinking_asks_for_few_calls() -> None:
    """In few rounds, since each is a boot of a guest."""
    compare = comparing("6.1", replace(KERNELS["6.1"], forbidden_pages_are_found=True))
    found = [mismatch for mismatch in compare([random_program(seed) for seed in range(100)]) if mismatch][:3]
    rounds: list[int] = []

    def counted(programs: Sequence[Program]) -> list[Mismatch | None]:
        rounds.append(sum(map(len, programs)))
        return compare(programs)

    shrunk = shrink(found, counted, answers_of("6.1"))
    assert max(len(mismatch.program) for mismatch in shrunk) <= 8
    assert len(rounds) <= 20
    assert sum(rounds) <= 2000
