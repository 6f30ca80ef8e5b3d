"""Policies that move pages from user space, with the calls that a process has.

Each is a small value that says all about it, so that sweeps can name it; what it learns in a replay lives in what its
``begin`` returns.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from numakit.abi import MPOL_INTERLEAVE
from numakit.facade.process import Process
from numakit.trace.pages import NOWHERE
from numakit.trace.replay import Calls, Decision, Epoch, Policy
from numakit.trace.trace import Integers


def _nothing(epoch: Epoch) -> None:
    pass


def _at_least_1(**numbers: int) -> None:
    """Raise ValueError for a number below 1."""
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name}={number!r}: at least 1 is wanted")


def counts_by_node(epoch: Epoch, one_in: int = 1) -> Integers:
    """How often each page was accessed from each node: pages down, nodes across. ``one_in``: of so many accesses one
    is seen, as a sampling profiler sees them.
    """
    columns = {node: column for column, node in enumerate(epoch.nodes)}
    page, node = epoch.page[::one_in], epoch.cpu_node[::one_in]
    column = np.array([columns.get(number, 0) for number in range(max(epoch.nodes) + 1)])[node]
    width = len(epoch.nodes)
    return np.bincount(page * width + column, minlength=epoch.pages * width).reshape(epoch.pages, width)


def homes_seen(epoch: Epoch) -> Integers:
    """Where each page lay as this epoch's accesses tell it: the place of its node among the machine's nodes; NOWHERE
    for pages that nobody accessed.
    """
    columns = np.full(epoch.pages, NOWHERE, dtype=np.int64)
    columns[epoch.page] = np.searchsorted(epoch.nodes, epoch.home)
    return columns


@dataclass(frozen=True)
class Stay:
    """Nobody moves anything: the yardstick."""

    def begin(self, processes: Mapping[int, Process]) -> Decision:
        """Nothing to get ready."""
        return _nothing


@dataclass(frozen=True)
class Interleave:
    """Pages are spread over all nodes at their first touch, by set_mempolicy(MPOL_INTERLEAVE), and stay there. (That is
    one call a process, before the first epoch, whose price is left out.)
    """

    def begin(self, processes: Mapping[int, Process]) -> Decision:
        """Each process sets its policy before it touches anything."""
        for process in processes.values():
            process.set_mempolicy(MPOL_INTERLEAVE, sorted(process.mems))
        return _nothing


@dataclass(frozen=True)
class Profiler:
    """The profiler of the 2006 text: the log of off-node accesses of the last epoch decides. A page with at least
    ``threshold`` of them goes to the node that accessed it most, if that is not its own. It remembers nothing, so that
    a page that two nodes use in turn goes back and forth: ping-pong.
    """

    threshold: int = 4

    def begin(self, processes: Mapping[int, Process]) -> Decision:
        """It looks at one epoch at a time."""

        def decide(epoch: Epoch) -> None:
            log = epoch.off_node
            counted = np.bincount(epoch.page[log], minlength=epoch.pages)
            counts = counts_by_node(epoch)
            best = counts.argmax(axis=1)
            pages = np.flatnonzero((counted >= self.threshold) & (best != homes_seen(epoch)))
            _move(epoch, pages, best[pages])

        return decide


@dataclass(frozen=True)
class Hysteresis:
    """Samples one access in ``one_in``, remembers with decay, and hesitates: a page goes to another node only if that
    node's remembered accesses are more than ``factor`` times those of the node on which it lies, and ``rest`` epochs
    after it last went. Raises ValueError for ``one_in`` below 1.
    """

    one_in: int = 1
    factor: float = 2.0
    rest: int = 2
    decay: float = 0.5
    threshold: float = 4.0

    def __post_init__(self) -> None:
        _at_least_1(one_in=self.one_in)

    def begin(self, processes: Mapping[int, Process]) -> Decision:
        """What is remembered of each page, and when it last went."""
        memory: list[np.ndarray[tuple[int, int], np.dtype[np.float64]]] = []
        last = np.zeros(0, dtype=np.int64)

        def decide(epoch: Epoch) -> None:
            nonlocal last
            if not memory:
                memory.append(np.zeros((epoch.pages, len(epoch.nodes))))
                last = np.full(epoch.pages, -self.rest - 1)
            remembered = memory[0] = self.decay * memory[0] + counts_by_node(epoch, self.one_in) * self.one_in
            best, home, every = remembered.argmax(axis=1), homes_seen(epoch), np.arange(epoch.pages)
            there, here = remembered[every, best], remembered[every, home]
            wanted = (home != NOWHERE) & (best != home) & (there >= self.threshold) & (there > self.factor * here)
            pages = np.flatnonzero(wanted & (epoch.number - last > self.rest))
            last[pages] = epoch.number
            _move(epoch, pages, best[pages])

        return decide


@dataclass(frozen=True)
class NextTouch:
    """Every ``every`` epochs all pages are marked; the next node that touches a marked page gets it, and the whole
    block of ``block`` pages around it.

    In user space a mark is mprotect(PROT_NONE), and the handler of SIGSEGV gives access back and calls move_pages()
    for those pages of the block that it has not sent to that node before. ``fault``: ns for each signal, an
    assumption. Raises ValueError for ``every`` or ``block`` below 1. Source: Goglin and Furmento, 2009
    (https://doi.org/10.1109/ipdps.2009.5161101).
    """

    every: int = 2
    block: int = 16
    fault: float = 2_000.0

    def __post_init__(self) -> None:
        _at_least_1(every=self.every, block=self.block)

    def begin(self, processes: Mapping[int, Process]) -> Decision:
        """Nothing is marked yet, and nothing was sent anywhere."""
        sent: dict[int, int] = {}

        def touched(calls: Calls, page: int, node: int) -> None:
            block = calls.block_of(page, self.block)
            calls.charge(self.fault)
            calls.unprotect(block)
            pages = [one for one in block if sent.get(one) != node]
            if pages:
                calls.move(pages, [node] * len(pages))
                sent.update(dict.fromkeys(pages, node))

        def decide(epoch: Epoch) -> None:
            if epoch.number % self.every == self.every - 1:
                epoch.protect(range(epoch.pages), touched)

        return decide


@dataclass(frozen=True)
class Tiering:
    """Pages that were not accessed for ``cold`` epochs go down to the memory-only node ``slow``; those there that were
    accessed at least ``hot`` times in an epoch come up to the node that accessed them most. (Where a page lies it
    knows from the last access, or believes because it sent it there.)
    """

    slow: int
    hot: int = 4
    cold: int = 4

    def begin(self, processes: Mapping[int, Process]) -> Decision:
        """When each page was last accessed, and where. Raises ValueError for a node that the machine has not."""
        machine = next(iter(processes.values())).machine
        if self.slow not in machine.node_ids:
            raise ValueError(f"slow={self.slow!r}: nodes of the machine are {machine.node_ids}")
        slow = machine.node_ids.index(self.slow)
        seen = home = np.zeros(0, dtype=np.int64)

        def decide(epoch: Epoch) -> None:
            nonlocal seen, home
            if not len(seen):
                seen, home = np.zeros(epoch.pages, dtype=np.int64), np.full(epoch.pages, NOWHERE)
            counts = counts_by_node(epoch)
            accesses, best = counts.sum(axis=1), counts.argmax(axis=1)
            seen[accesses > 0] = epoch.number
            home[accesses > 0] = homes_seen(epoch)[accesses > 0]
            down = np.flatnonzero((epoch.number - seen >= self.cold) & (home != slow) & (home != NOWHERE))
            up = np.flatnonzero((accesses >= self.hot) & (home == slow) & (best != slow))
            _move(epoch, down, np.full(len(down), slow))
            _move(epoch, up, best[up])
            home[down], home[up] = slow, best[up]

        return decide


#: The policies with their usual settings, by name; tiering needs to be told its slow node.
POLICIES: dict[str, Policy] = {
    "stay": Stay(),
    "interleave": Interleave(),
    "profiler": Profiler(),
    "hysteresis": Hysteresis(),
    "next-touch": NextTouch(),
}


def _move(epoch: Epoch, pages: Integers, columns: Integers) -> None:
    """Move pages to nodes that are given by their places; no call for none."""
    if len(pages):
        epoch.move(pages, np.asarray(epoch.nodes)[columns])
