"""Policies, turns and counters are state: they go back with the machine, and a replay makes them again."""

from __future__ import annotations

from typing import Any

import pytest

from numakit import MPOL_BIND, MPOL_F_ADDR, MPOL_F_NODE, MPOL_INTERLEAVE, Machine, Process, Run
from numakit.facade.interference import parse_schedule
from tests.policies.areas import give_policy, nodes_of


def see_that_it_goes_back_and_forth(run: Run[Any], machine: Machine, before: str) -> None:
    """Each step has one state, whichever way it is reached; the first is that from before the run."""
    states = []
    for step in range(len(run) + 1):
        run.goto(step)
        states.append(machine.fingerprint())
        assert machine.inconsistencies() == []
    assert states[0] == before
    for step in reversed(range(len(run) + 1)):
        run.goto(step)
        assert machine.fingerprint() == states[step]
    run.goto(len(run) // 2)
    run.resume()
    run.finish()
    assert machine.fingerprint() == states[-1]


def test_turns_of_interleaving_go_back(machine: Machine, shell: Process) -> None:
    """il_next stands in the process."""
    area = shell.mmap(6, file=machine.file("log", 6), shared=True)
    shell.set_mempolicy(MPOL_INTERLEAVE, [0, 1])
    before = machine.fingerprint()
    run = machine.record(shell.read, area[0:5])
    assert (nodes_of(area), shell.struct.il_next) == ([0, 1, 0, 1, 0, None], 1)
    see_that_it_goes_back_and_forth(run, machine, before)
    run.first()
    assert (nodes_of(area), shell.struct.il_next) == ([None] * 6, 0)


def test_a_policy_set_in_the_middle_of_a_call_decides_from_there_on(machine: Machine, shell: Process) -> None:
    """Another thread of the process sets it; the schedule replays it at the same place."""
    area = shell.mmap(4)
    before = machine.fingerprint()
    run = machine.begin(shell.write, area)
    run.when("FAULT", nth=3).do(shell.set_mempolicy, MPOL_BIND, [1])
    run.finish()
    assert nodes_of(area) == [0, 0, 1, 1]
    see_that_it_goes_back_and_forth(run, machine, before)


def test_setting_a_policy_can_be_recorded_and_undone(machine: Machine, shell: Process) -> None:
    """A run of one step, whose change is told in words that people know."""
    before = machine.fingerprint()
    run = machine.record(shell.set_mempolicy, MPOL_INTERLEAVE, [0, 1])
    see_that_it_goes_back_and_forth(run, machine, before)
    run.first()
    assert shell.mempolicy is None


def test_asking_for_a_node_can_be_recorded_and_undone(machine: Machine, shell: Process) -> None:
    """With the page that it read in."""
    area = shell.mmap(1, file=machine.file("log", 1))
    give_policy(shell, area, MPOL_BIND, [1])
    before = machine.fingerprint()
    run = machine.record(shell.get_mempolicy, area[0], MPOL_F_NODE | MPOL_F_ADDR)
    assert run.result.node == 0
    see_that_it_goes_back_and_forth(run, machine, before)


def test_what_was_noted_of_a_call_does_not_stay_in_the_state(machine: Machine, shell: Process) -> None:
    """A refused call leaves the machine as it was, to the last bit."""
    before = machine.fingerprint()
    for mode, nodes in ((9, []), (MPOL_BIND, []), (MPOL_BIND, [5])):
        assert shell.set_mempolicy(mode, nodes).ret < 0
    shell.get_mempolicy(flags=9)
    assert machine.fingerprint() == before


def test_a_cpuset_goes_back(machine: Machine) -> None:
    """It is made outside of runs; one that a run's past does not know cannot be asked."""
    batch = machine.cpuset("batch", {1})
    process = machine.spawn("process", cpuset=batch)
    run = machine.record(process.fork, "child")
    assert [p.name for p in batch.processes] == ["process", "child"]
    run.first()
    assert ([p.name for p in batch.processes], batch.mems) == (["process"], frozenset({1}))
    run.last()


@pytest.mark.parametrize("call", ["set_mempolicy(2, [1])", "get_mempolicy()", "get_mempolicy(0x10000000, flags=3)"])
def test_the_calls_have_a_notation(machine: Machine, shell: Process, call: str) -> None:
    """A schedule may name them."""
    area = shell.mmap(1)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("COPY").do(shell.set_mempolicy, MPOL_BIND, [1])
    run.finish()
    assert "process(1).set_mempolicy(2, [1]) when COPY" in str(run.schedule)
    (interference,) = parse_schedule(f"process(1).{call} when COPY").interferences
    found, arguments, options = interference.find_call(machine)
    assert found(*arguments, **options) == 0
