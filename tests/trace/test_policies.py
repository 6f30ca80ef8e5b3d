"""Policies use the calls that a process has, each with its price; what they decide is what their words say."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from numakit import PAGE_SIZE, Machine
from numakit.trace import (
    POLICIES,
    Hysteresis,
    Interleave,
    NextTouch,
    Policy,
    Prices,
    Profiler,
    Tiering,
    Trace,
    replay,
    zipf,
)
from tests.conftest import MachineMaker

START = 0x10000000
OF_A_TRACE = {"mmap", "read", "write"}  #: what the processes of a trace do by themselves


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Two nodes with CPUs, 0 and 1, 2 and 3, and node 2 without."""
    return make_machine({0: 200, 1: 200, 2: 200}, [(0, 1, 20), (0, 2, 30), (1, 2, 30)], {0: (0, 1), 1: (2, 3), 2: ()})


def trace_of(*accesses: tuple[int, int]) -> Trace:
    """Writes (CPU, page) of one process."""
    cpu, page = np.array(accesses).T
    return Trace(np.ones_like(cpu), cpu, START + page * PAGE_SIZE, np.ones(len(cpu), dtype=np.bool_))


@pytest.mark.parametrize("policy", [*POLICIES.values(), Tiering(slow=2, hot=2, cold=1)], ids=str)
def test_each_call_of_a_policy_is_a_call_of_a_process_and_counted(
    machine: Machine, policy: Policy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is made on the machine is counted, and paid: interleaving is one call before the first access, for free."""
    made: Counter[str] = Counter()
    perform = Machine.perform

    def noted(self: Machine, prepared: Any) -> Any:
        assert prepared.pid, f"{prepared.name} is no call of a process"
        made[prepared.name] += 1
        return perform(self, prepared)

    monkeypatch.setattr(Machine, "perform", noted)
    prices = Prices(call=1000, page=0, look=0, scan=0, protect=1000)
    replayed = replay(machine, zipf(60, 4000, (0, 2)), policy, epoch=250, prices=prices)
    extra = {name: number for name, number in made.items() if name not in OF_A_TRACE}
    if policy == Interleave():
        assert (extra, replayed.calls) == ({"set_mempolicy": 1}, 0)
        return
    assert set(extra) <= {"move_pages", "mprotect"}
    assert sum(extra.values()) == replayed.calls
    signals = policy.fault if isinstance(policy, NextTouch) else 0
    assert (replayed.policy_ns - 1000 * replayed.calls) % (signals or 1) == 0
    assert bool(extra) == (policy != POLICIES["stay"])


@pytest.mark.parametrize(("kind", "name"), [(Hysteresis, "one_in"), (NextTouch, "every"), (NextTouch, "block")])
def test_numbers_that_count_something_are_at_least_1(kind: Any, name: str) -> None:
    """Told when the policy is made, and not in the middle of a replay."""
    with pytest.raises(ValueError, match=f"{name}=0: at least 1 is wanted"):
        kind(**{name: 0})


def test_interleaving_spreads_pages_over_all_nodes_at_their_first_touch(machine: Machine) -> None:
    """One CPU writes to all; a third of its pages is on each node."""
    replay(machine, trace_of(*[(0, page) for page in range(30)]), Interleave())
    nodes = machine.processes[0].vmas[0].nodes
    assert nodes == [nodes[0], nodes[1], nodes[2]] * 10
    assert {0, 1, 2} == set(nodes)


def test_the_profiler_follows_those_who_access_a_page_most_from_outside(machine: Machine) -> None:
    """Page 0 is accessed three times from outside: too few. Page 1 four times, and twice at home: it goes. Page 2 four
    times, and five times at home: it stays.
    """
    first = [(0, 0), (0, 1), (0, 2)]
    then = [(2, 0)] * 3 + [(2, 1)] * 4 + [(0, 1)] + [(2, 2)] * 4 + [(0, 2)] * 4
    replay(machine, trace_of(*first, *then), Profiler(threshold=4), epoch=100)
    assert machine.processes[0].vmas[0].nodes == [0, 1, 0]


def test_hysteresis_waits_for_a_margin_and_rests(machine: Machine) -> None:
    """Node 1 needs more than twice the accesses of node 0; after a move two epochs pass."""
    home, away = [(0, 0)], [(2, 0)]
    epochs = [
        home * 20 + away * 40,  # twice: not more than twice
        away * 60,  # 80 are remembered there, 10 here: it goes
        *[home * 60] * 4,  # and rests for two epochs before it goes back
    ]
    policy = Hysteresis(factor=2.0, rest=2, decay=0.5, threshold=4)
    replayed = replay(machine, trace_of(*[access for epoch in epochs for access in epoch]), policy, epoch=60)
    assert [one.moved for one in replayed.epochs] == [0, 1, 0, 0, 1, 0]


def test_sampling_sees_one_access_in_so_many(machine: Machine) -> None:
    """Ten accesses to page 0 and ten to page 1, by turns: one in two sees those to page 0 only, for twice as many."""
    trace = trace_of((0, 0), (0, 1), *[(2, page) for _ in range(10) for page in (0, 1)])
    replay(machine, trace, Hysteresis(one_in=2, threshold=20, factor=1), epoch=100)
    assert machine.processes[0].vmas[0].nodes == [1, 0]
