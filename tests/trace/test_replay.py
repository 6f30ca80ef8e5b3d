"""A replay counts what the machine does: where pages are touched first, where accesses go, what calls cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from numakit import MPOL_BIND, MPOL_MF_MOVE, PAGE_SIZE, Machine, Process
from numakit.kernels import KERNELS
from numakit.trace import (
    POLICIES,
    Epoch,
    NextTouch,
    OutOfMemory,
    Policy,
    Prices,
    Profiler,
    Tiering,
    Trace,
    moving_phases,
    replay,
    streaming,
    zipf,
)
from numakit.trace.replay import Decision
from tests.conftest import MachineMaker

START = 0x10000000


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Two nodes at distance 20, CPUs 0 and 1 on node 0, CPUs 2 and 3 on node 1."""
    return make_machine({0: 100, 1: 100}, distances=[(0, 1, 20)])


def trace_of(*accesses: tuple[int, int, bool]) -> Trace:
    """Accesses (CPU, page, write) of one process."""
    cpu, page, write = zip(*accesses, strict=True)
    return Trace(np.ones(len(cpu), dtype=np.int64), np.array(cpu), START + np.array(page) * PAGE_SIZE, np.array(write))


class Told:
    """A policy of the tests: after epoch 0 it does as it was told, and notes what it saw."""

    def __init__(self, pages: Sequence[int], nodes: Sequence[int]) -> None:
        self.pages, self.nodes = pages, nodes
        self.seen: list[tuple[list[int], list[int], list[int]]] = []

    def __str__(self) -> str:
        return "told"

    def begin(self, processes: Mapping[int, Process]) -> Decision:
        """Nothing to get ready."""

        def decide(epoch: Epoch) -> None:
            self.seen.append((epoch.page.tolist(), epoch.cpu_node.tolist(), epoch.home.tolist()))
            if epoch.number == 0:
                epoch.move(self.pages, self.nodes)
                assert epoch.query(self.pages) == list(self.nodes)

        return decide


def test_pages_lie_where_they_are_first_written_and_accesses_are_counted_by_both_nodes(machine: Machine) -> None:
    """Page 0 by CPU 0, page 1 by CPU 2; then each is accessed from the other side."""
    replayed = replay(machine, trace_of((0, 0, True), (2, 1, True), (2, 0, False), (3, 0, False), (1, 1, True)))
    assert replayed.accesses.tolist() == [[1, 1], [2, 1]]
    assert (replayed.locality, replayed.faults, replayed.calls) == (2 / 5, 2, 0)
    assert replayed.access_ns == 2 * 100 + 3 * 200
    assert [process.vmas[0].nodes for process in machine.processes] == [[0, 1]]


def test_a_page_that_is_read_first_is_the_zero_page_until_it_is_written(machine: Machine) -> None:
    """The read maps the zero page of node 0, the write of CPU 2 gets memory of node 1: two faults."""
    replayed = replay(machine, trace_of((2, 0, False), (2, 0, False), (2, 0, True), (2, 0, False)), epoch=2)
    assert (replayed.faults, replayed.accesses.tolist()) == (2, [[0, 0], [2, 2]])


def test_a_policy_moves_pages_between_epochs_and_pays(machine: Machine) -> None:
    """The call takes effect from the next epoch on; it costs a call and a page, the query a call and a look."""
    told = Told([0, 1], [1, 0])
    accesses = [(0, 0, True), (2, 1, True)]
    prices = Prices(call=1000, page=10, look=1, scan=0)
    replayed = replay(machine, trace_of(*accesses, *accesses), told, epoch=2, prices=prices)
    assert [epoch.local for epoch in replayed.epochs] == [2, 0]
    assert told.seen == [([0, 1], [0, 1], [0, 1]), ([0, 1], [0, 1], [1, 0])]
    assert (replayed.moved, replayed.stayed, replayed.calls) == (2, 0, 2)
    assert replayed.policy_ns == 2 * 1000 + 2 * 10 + 2
    assert "told: 50.0% of 4 accesses local, 2 pages moved by 2 calls" in str(replayed)


def test_the_quadratic_scan_has_its_price(machine: Machine) -> None:
    """Entries that new_page_node() looks at are counted by the kernel of 2006, and by none today."""
    accesses = [(0, page, True) for page in range(10)]
    cost = {}
    for kernel in ("seed", "6.12"):
        there = Machine(machine.topology, kernel=kernel, scale=1)
        prices = Prices(call=0, page=0, look=0, scan=1)
        cost[kernel] = replay(there, trace_of(*accesses), Told(range(10), [1] * 10), prices=prices).policy_ns
    assert cost == {"seed": sum(range(1, 11)), "6.12": 0}


def test_pages_that_cannot_move_are_counted_as_stayed(make_machine: MachineMaker) -> None:
    """Node 1 has no room left."""
    machine = make_machine({0: 100, 1: 2})
    hog = machine.spawn("hog", node=1)
    hog.set_mempolicy(MPOL_BIND, {1})
    hog.write(hog.mmap(2))
    replayed = replay(machine, trace_of((0, 0, True)), Told([0], [0]))
    assert (replayed.moved, replayed.stayed) == (0, 0)

    class Pushing(Told):
        def begin(self, processes: Mapping[int, Process]) -> Decision:
            def decide(epoch: Epoch) -> None:
                epoch.move([0], [1], MPOL_MF_MOVE)

            return decide

    replayed = replay(machine, trace_of((0, 0, True)), Pushing([], []))
    assert (replayed.moved, replayed.stayed) == (0, 1)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("policy", POLICIES.values(), ids=POLICIES)
def test_every_policy_leaves_a_sound_machine_and_the_same_one_each_time(
    machine: Machine, kernel: str, policy: Policy
) -> None:
    """Counts add up: all accesses are counted once, and where pages lie is what the machine says."""
    trace = moving_phases(pages=40, accesses=8000, cpus=(0, 2), phases=4)
    prints = []
    for _ in range(2):
        there = Machine(machine.topology, kernel=kernel, scale=1)
        replayed = replay(there, trace, policy, epoch=500)
        assert int(replayed.accesses.sum()) == sum(epoch.accesses for epoch in replayed.epochs) == len(trace)
        assert int(replayed.accesses.trace()) == sum(epoch.local for epoch in replayed.epochs)
        assert there.inconsistencies() == []
        prints.append((there.fingerprint(), str(replayed)))
    assert prints[0] == prints[1]


def test_a_profiler_follows_phases_and_plays_ping_pong_where_hysteresis_rests(machine: Machine) -> None:
    """Long phases: both gain. Phases as short as an epoch: the profiler always comes too late, and pays for it."""

    def locality(phases: int, name: str) -> tuple[float, int]:
        trace = moving_phases(pages=40, accesses=40_000, cpus=(0, 2), phases=phases)
        replayed = replay(Machine(machine.topology, scale=1), trace, POLICIES[name], epoch=1000)
        return replayed.locality, replayed.moved

    assert locality(2, "stay")[0] == 0.5
    assert locality(2, "profiler")[0] > 0.95
    assert locality(2, "hysteresis")[0] > 0.9
    share, moved = locality(40, "profiler")
    assert share < 0.05
    assert moved > 1500
    share, moved = locality(40, "hysteresis")
    assert share == pytest.approx(0.5, abs=0.02)
    assert moved == 0


def test_tiering_sends_cold_pages_down_and_hot_ones_up(make_machine: MachineMaker) -> None:
    """Node 2 has no CPU: pages that nobody needs for two epochs wait there, and come back when they are hot."""
    machine = make_machine({0: 100, 2: 100}, cpus={0: [0], 2: []})
    whole = [(0, page, True) for part in (0, 5, 5, 5, 0, 0) for _ in range(10) for page in range(part, part + 5)]
    replayed = replay(machine, trace_of(*whole), Tiering(slow=2, hot=4, cold=2), epoch=50)
    assert [epoch.moved for epoch in replayed.epochs] == [0, 0, 5, 0, 5, 5]
    assert machine.processes[0].vmas[0].nodes == [0] * 5 + [2] * 5


def test_next_touch_moves_a_block_with_the_access_that_was_refused(machine: Machine) -> None:
    """CPU 0 has written pages 0 to 5 when all are marked; then CPU 2 reads page 1 and CPU 1 page 4. START is aligned,
    so that a block of four pages is 0 to 3: it goes to node 1. What is charged are four calls of mprotect(), two of
    move_pages() for 4 and 2 pages, and two signals.
    """
    accesses = [(0, page, True) for page in range(6)] + [(2, 1, False), (1, 4, False), (2, 0, True), (0, 5, True)]
    prices = Prices(call=1000, page=10, scan=0, protect=1)
    replayed = replay(machine, trace_of(*accesses), NextTouch(every=1, block=4, fault=100), epoch=6, prices=prices)
    assert [node for vma in machine.processes[0].vmas for node in vma.nodes] == [1, 1, 1, 1, 0, 0]
    assert [epoch.local for epoch in replayed.epochs] == [6, 4]
    assert [epoch.moved for epoch in replayed.epochs] == [0, 4]
    assert replayed.policy_ns == 1 + (2 * 1 + 2 * 1000 + 6 * 10 + 2 * 100) + 1
    assert replayed.calls == 1 + 4 + 1


def test_a_handler_that_leaves_its_page_protected_is_told(machine: Machine) -> None:
    """The access could never be made."""

    class Forgetful(Told):
        def begin(self, processes: Mapping[int, Process]) -> Decision:
            return lambda epoch: epoch.protect([0], lambda calls, page, node: None)

    with pytest.raises(ValueError, match="policy: its handler leaves page 0 protected"):
        replay(machine, trace_of((0, 0, True), (0, 0, True)), Forgetful([], []), epoch=1)
    with pytest.raises(ValueError, match="pages: numbers from 0 to 0 are wanted"):
        replay(machine, trace_of((0, 0, True)), Told([1], [1]), epoch=1)


def test_several_processes_have_their_own_memory(machine: Machine) -> None:
    """The same address in two processes is two pages; a policy's move is a call of each."""
    pid = np.array([5, 9, 5, 9])
    trace = Trace(pid, np.array([0, 2, 0, 2]), np.full(4, START), np.ones(4, dtype=np.bool_))
    replayed = replay(machine, trace, Told([0, 1], [1, 0]), epoch=2)
    assert [process.vmas[0].nodes for process in machine.processes] == [[1], [0]]
    assert replayed.calls == 4


def test_measured_latencies_take_the_place_of_distances(machine: Machine) -> None:
    """One number for each pair; a missing one is named."""
    trace = trace_of((0, 0, True), (2, 0, False))
    latencies = {(0, 0): 80.0, (0, 1): 140.0, (1, 0): 150.0, (1, 1): 85.0}
    assert replay(machine, trace, prices=Prices(latencies=latencies)).access_ns == 80 + 150
    del latencies[1, 1]
    with pytest.raises(ValueError, match=r"latencies: \(1, 1\) is missing"):
        replay(machine, trace, prices=Prices(latencies=latencies))


def test_what_cannot_be_replayed_is_refused(machine: Machine, make_machine: MachineMaker) -> None:
    """Another machine's CPUs, no accesses, no epoch; memory that does not suffice tells what was done."""
    trace = streaming(pages=10, accesses=100, cpus=(0, 9))
    with pytest.raises(ValueError, match=r"CPU 9 is not on this machine; it has \[0, 1, 2, 3\]"):
        replay(machine, trace)
    with pytest.raises(ValueError, match="it has not one access"):
        replay(machine, trace[0:0])
    with pytest.raises(ValueError, match="epoch=0"):
        replay(machine, zipf(10, 100, (0,)), epoch=0)
    with pytest.raises(ValueError, match="slow=7"):
        replay(machine, zipf(10, 100, (0,)), Tiering(slow=7))
    for no_policy in (Profiler, "profiler"):
        with pytest.raises(TypeError, match=r"policy=.*: a Policy is wanted, such as Profiler"):
            replay(machine, zipf(10, 100, (0,)), no_policy)  # type: ignore[arg-type]
    small = make_machine({0: 10})
    with pytest.raises(OutOfMemory, match="the machine is too small") as caught:
        replay(small, streaming(pages=20, accesses=40, cpus=(0,), writes=1), Profiler(), epoch=4)
    assert 0 < int(caught.value.so_far.accesses.sum()) < 20
