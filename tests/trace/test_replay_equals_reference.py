"""What a replay counts in arrays equals a replay that makes each access by itself: same counts, prices and places."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numakit import PAGE_SIZE, Machine, Topology
from numakit.kernels import KERNELS
from numakit.trace import Hysteresis, Interleave, NextTouch, Policy, Prices, Profiler, Stay, Tiering, Trace, replay
from tests.trace.reference import SlowReplay

SLOW_NODE = 3  #: it has memory and no CPU
POLICIES: list[Policy] = [
    Stay(),
    Interleave(),
    Profiler(threshold=1),
    Profiler(threshold=3),
    Hysteresis(threshold=1, factor=1.0, rest=0),
    Hysteresis(one_in=2, threshold=2),
    NextTouch(every=1, block=1),
    NextTouch(every=3, block=4),
    Tiering(slow=SLOW_NODE, hot=2, cold=1),
]
LATENCIES = {(i, j): 80.0 + 10 * i + 25 * (i != j) for i in (0, 2) for j in (0, 2, SLOW_NODE)}

#: pages of a process: two areas with a gap in the first, and a third far away
PAGES = [*range(16, 22), *range(30, 34), *range(2000, 2006)]


#: frames of the three nodes: plenty, hardly enough, and so that both nodes' CPUs fight for the last frames of node 0
ROOM = [(100, 100, 100), (12, 12, 12), (4, 3, 40)]


def topology(frames: tuple[int, int, int]) -> Topology:
    """Nodes 0 and 2 with two CPUs each, and node 3 without one."""
    graph: nx.Graph[int] = nx.Graph()
    for node, cpus, number in zip((0, 2, SLOW_NODE), ((0, 1), (2, 5), ()), frames, strict=True):
        graph.add_node(node, memory=number * PAGE_SIZE, cpus=cpus)
    graph.add_weighted_edges_from([(0, 2, 21), (0, SLOW_NODE, 17), (2, SLOW_NODE, 28)], weight="distance")
    return Topology.from_networkx(graph)


def random_trace(accesses: int, random_seed: int) -> Trace:
    """Two processes with threads on all CPUs."""
    draw = np.random.default_rng(random_seed)
    columns = [draw.choice(values, accesses) for values in ([7, 4], [0, 1, 2, 5], PAGES)]
    return Trace(columns[0], columns[1], columns[2] * PAGE_SIZE + 8, draw.random(accesses) < draw.random())


@settings(max_examples=200)
@given(
    accesses=st.integers(1, 150),
    random_seed=st.integers(0, 1 << 20),
    frames=st.sampled_from(ROOM),
    kernel=st.sampled_from(list(KERNELS)),
    policy=st.sampled_from(POLICIES),
    epoch=st.sampled_from([1, 4, 10, 30, 100]),
    prices=st.sampled_from([Prices(), Prices(latencies=LATENCIES, call=7, page=3, look=2, scan=1)]),
)
def test_every_access_is_counted_once_and_where_it_goes(
    accesses: int,
    random_seed: int,
    frames: tuple[int, int, int],
    kernel: str,
    policy: Policy,
    epoch: int,
    prices: Prices,
) -> None:
    """Random traces of two processes on machines with room and without, every kernel, every policy."""
    trace = random_trace(accesses, random_seed)
    there, here = (Machine(topology(frames), kernel=kernel, scale=1) for _ in range(2))
    slow = SlowReplay(there, trace, policy, epoch, prices)
    quick = replay(here, trace, policy, epoch=epoch, prices=prices)
    counted = {
        (i, j): int(quick.accesses[row, column])
        for row, i in enumerate(quick.nodes)
        for column, j in enumerate(quick.nodes)
        if quick.accesses[row, column]
    }
    assert counted == slow.accesses
    assert [one._replace(access_ns=0) for one in quick.epochs] == [one._replace(access_ns=0) for one in slow.epochs]
    assert [one.access_ns for one in quick.epochs] == pytest.approx([one.access_ns for one in slow.epochs])
    assert sum(counted.values()) == sum(one.accesses for one in quick.epochs) == len(trace)
    places = [[vma.nodes for vma in process.vmas] for process in here.processes]
    assert places == [[vma.nodes for vma in process.vmas] for process in there.processes]
    assert here.inconsistencies() == []
