"""A trace is replayed over a machine: first touch, local and remote accesses, and a policy that moves pages between.

The trace is cut into *epochs* of so many accesses. Pages are faulted in by the machine itself; then the accesses of the
epoch are counted by where their CPU is and where their page lies; then the policy may make the calls that a process
has, which take effect from the next epoch on. (Within an epoch pages stay where they are: a page that is read before
its first write counts where that write puts it, if both are of one epoch; in epochs before the zero page is read.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from numakit.abi import MPOL_MF_MOVE
from numakit.facade.machine import Machine
from numakit.facade.process import Process
from numakit.tables import html_table
from numakit.trace.pages import NOWHERE, TracedPages
from numakit.trace.trace import Flags, Integers, Trace

UNTOUCHED, READ, WRITTEN = range(3)  #: what a page of a trace has been through


@dataclass(frozen=True)
class Prices:
    """What things cost, in ns.

    An access costs ``local`` times the distance over 10, or what ``latencies`` says for (node of the CPU, node of the
    page). A call of move_pages() costs ``call``, ``page`` for each page that it was to move, ``look`` for each page
    that it was asked about, and ``scan`` for each entry that new_page_node() looks at (which makes calls of many
    pages quadratic in 2006). The defaults for calls are those of a quad-core Opteron of 2008 (message of Linux commit
    e78bbfa82624: about 90 us and 10 us; 2.4 ns follows from its figures).
    """

    local: float = 100.0
    latencies: Mapping[tuple[int, int], float] | None = None
    call: float = 90_000.0
    page: float = 10_000.0
    look: float = 500.0
    scan: float = 2.4

    def matrix(self, machine: Machine) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
        """Nanoseconds of an access, by the rows of the nodes of CPU and page. Raises ValueError for a pair that is
        missing in ``latencies``.
        """
        nodes = machine.node_ids
        if self.latencies is None:
            return np.array([[self.local * machine.topology.distance(i, j) / 10 for j in nodes] for i in nodes])
        missing = [(i, j) for i in set(machine.cpu_nodes.values()) for j in nodes if (i, j) not in self.latencies]
        if missing:
            raise ValueError(f"latencies: {missing[0]} is missing (node of the CPU, node of the page)")
        return np.array([[self.latencies.get((i, j), 0.0) for j in nodes] for i in nodes])


class EpochCount(NamedTuple):
    """What an epoch came to. ``local`` of its ``accesses`` were to the CPU's own node; ``moved`` pages changed their
    node, ``stayed`` were to move and did not; times are in ns.
    """

    number: int
    accesses: int
    local: int
    faults: int
    calls: int
    moved: int
    stayed: int
    access_ns: float
    policy_ns: float


@dataclass
class Replayed:
    """What a replay came to. ``accesses[i, j]``: how many went from CPUs of the i-th node to pages of the j-th, in the
    order of ``nodes``.
    """

    policy: str
    nodes: tuple[int, ...]
    accesses: Integers
    epochs: list[EpochCount] = field(default_factory=list)

    @property
    def locality(self) -> float:
        """The share of accesses that went to the CPU's own node."""
        return float(self.accesses.trace() / self.accesses.sum())

    @property
    def access_ns(self) -> float:
        """What all accesses cost, in ns."""
        return sum(epoch.access_ns for epoch in self.epochs)

    @property
    def policy_ns(self) -> float:
        """What all calls of the policy cost, in ns."""
        return sum(epoch.policy_ns for epoch in self.epochs)

    @property
    def total_ns(self) -> float:
        """Accesses and calls together, in ns."""
        return self.access_ns + self.policy_ns

    @property
    def faults(self) -> int:
        """First touches, and first writes to what had only been read."""
        return sum(epoch.faults for epoch in self.epochs)

    @property
    def calls(self) -> int:
        """Calls that the policy made."""
        return sum(epoch.calls for epoch in self.epochs)

    @property
    def moved(self) -> int:
        """Pages that calls moved, each time counted."""
        return sum(epoch.moved for epoch in self.epochs)

    @property
    def stayed(self) -> int:
        """Pages that were to move and did not, each time counted."""
        return sum(epoch.stayed for epoch in self.epochs)

    def row(self) -> dict[str, str | float]:
        """The sums as a row of a table."""
        numbers = {"locality": self.locality, "access_ns": self.access_ns, "policy_ns": self.policy_ns}
        counts = {"total_ns": self.total_ns, "faults": self.faults, "calls": self.calls, "moved": self.moved}
        return {"policy": self.policy, **numbers, **counts, "stayed": self.stayed}

    def __str__(self) -> str:
        return (
            f"{self.policy}: {self.locality:.1%} of {int(self.accesses.sum()):,} accesses local, {self.moved:,} pages "
            f"moved by {self.calls:,} calls; {self.access_ns / 1e6:,.1f} ms for accesses, "
            f"{self.policy_ns / 1e6:,.1f} ms for calls"
        )

    def _repr_html_(self) -> str:
        rows = [
            (f"CPUs of node {node}", *(f"{count:,}" for count in counts))
            for node, counts in zip(self.nodes, self.accesses.tolist(), strict=True)
            if sum(counts)
        ]
        return html_table(str(self), ("accesses", *(f"to node {node}" for node in self.nodes)), rows)


class Epoch:
    """What a policy sees when an epoch is over, and what it can do then.

    ``page``, ``cpu_node``, ``home``, ``write``: for each access of the epoch the number of its page (0 to ``pages``
    - 1 over the whole trace), the node of its CPU, the node on which the page lay, and whether it was a store.
    """

    def __init__(self, replay: _Replay, number: int, part: slice) -> None:
        self._replay, self.number = replay, number
        self.page, self.write = replay.pages.accessed(part), replay.trace.write[part]
        self._cpu_row = replay.row_of_cpu[replay.trace.cpu[part]]
        self.calls = self.moved = self.stayed = 0
        self.ns = 0.0
        self.faults = replay.fault_in(self.page, self._cpu_row, self.write)
        self._home_row = replay.where[self.page]

    def accesses(self) -> Integers:
        """How many accesses went from CPUs of the i-th node to pages of the j-th."""
        nodes = len(self.nodes)
        pairs = np.bincount(self._cpu_row * nodes + self._home_row, minlength=nodes * nodes)
        return pairs.reshape(nodes, nodes)

    @property
    def pages(self) -> int:
        """How many pages the trace has."""
        return len(self._replay.where)

    @property
    def nodes(self) -> tuple[int, ...]:
        """The machine's nodes."""
        return self._replay.machine.node_ids

    @property
    def machine(self) -> Machine:
        """The machine. What is changed on it directly has no price."""
        return self._replay.machine

    @property
    def cpu_node(self) -> Integers:
        """The node of each access' CPU."""
        return self._replay.ids[self._cpu_row]

    @property
    def home(self) -> Integers:
        """The node on which each access found its page."""
        return self._replay.ids[self._home_row]

    @property
    def off_node(self) -> Flags:
        """Which accesses went to another node than their CPU's: the log of a NUMA profiler."""
        off_node: Flags = self._cpu_row != self._home_row
        return off_node

    def query(self, pages: Sequence[int] | Integers) -> list[int]:
        """move_pages() without nodes: where pages are now (a negative errno: nowhere). It has its price."""
        return self._call(pages, None, MPOL_MF_MOVE)

    def move(self, pages: Sequence[int] | Integers, nodes: Sequence[int] | Integers, flags: int = MPOL_MF_MOVE) -> int:
        """move_pages(): move pages to nodes, a call for each process concerned. How many changed their node."""
        replay, pages = self._replay, np.asarray(pages, dtype=np.int64)
        wanted = np.asarray(nodes, dtype=np.int64)
        if len(pages) != len(wanted):
            raise ValueError(f"nodes: {len(wanted)} for {len(pages)} pages; one for each is wanted")
        before = replay.where[pages].copy()
        self._call(pages, wanted, flags)
        replay.look(pages)
        after = replay.where[pages]
        moved = int((before != after).sum())
        self.moved += moved
        self.stayed += int((replay.ids[after] != wanted).sum())
        return moved

    def charge(self, ns: float) -> None:
        """Add to the price of the policy what it does besides its calls: sampling, faults that it provokes."""
        self.ns += ns

    def _call(self, pages: Sequence[int] | Integers, nodes: Integers | None, flags: int) -> list[int]:
        """Make the calls, one for each process that has some of the pages; the answers in the order of the pages."""
        replay, prices = self._replay, self._replay.prices
        numbers = np.asarray(pages, dtype=np.int64)
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < self.pages):
            raise ValueError(f"pages: numbers from 0 to {self.pages - 1} are wanted")
        answers = np.full(len(numbers), NOWHERE, dtype=np.int64)
        owners = replay.pages.owner[numbers]
        for owner in np.unique(owners):
            places = np.flatnonzero(owners == owner)
            process = replay.pages.processes[owner]
            addresses = replay.pages.address[numbers[places]].tolist()
            wanted = None if nodes is None else nodes[places].tolist()
            result = process.move_pages(0, addresses, wanted, flags)
            self.calls += 1
            self.ns += prices.call + len(addresses) * (prices.look if wanted is None else prices.page)
            self.ns += prices.scan * result.costs.scanned
            if result.status:
                answers[places] = [NOWHERE if value is None else value for value in result.status]
        return [int(answer) for answer in answers]


#: What a policy does after each epoch.
Decision: TypeAlias = "Callable[[Epoch], None]"


class Policy(Protocol):
    """Who moves pages. ``begin`` is called when the areas are mapped and nothing is touched, with the processes by
    their pid in the trace; what it returns is called after each epoch. A policy keeps nothing from replay to replay.
    """

    def begin(self, processes: Mapping[int, Process]) -> Decision:
        """Get ready for a replay."""


def replay(
    machine: Machine, trace: Trace, policy: Policy | None = None, *, epoch: int = 10_000, prices: Prices | None = None
) -> Replayed:
    """Replay a trace over a machine and tell what it came to.

    A new process is made for each pid of the trace, and its areas are mapped where the trace has them. ``epoch``: so
    many accesses are made between two decisions of the policy. Raises ValueError for CPUs that the machine has not,
    for an empty trace, and where memory is full: what was counted until then is in the exception's ``so_far``.
    """
    if not len(trace):
        raise ValueError("trace: it has not one access")
    if not isinstance(epoch, int) or epoch < 1:
        raise ValueError(f"epoch={epoch!r}: so many accesses, at least 1")
    missing = [cpu for cpu in trace.cpus if cpu not in machine.cpu_nodes]
    if missing:
        raise ValueError(f"trace: CPU {missing[0]} is not on this machine; it has {sorted(machine.cpu_nodes)}")
    return _Replay(machine, trace, policy, epoch, prices or Prices()).run()


def name_of(policy: Policy | None) -> str:
    """What a policy calls itself; the name of its class if it has no word of its own."""
    if policy is None:
        return "stay"
    kind = type(policy)
    says = kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__
    return str(policy) if says else kind.__name__


class OutOfMemory(RuntimeError):
    """A page of the trace could not be faulted in. ``so_far`` is the replay until then."""

    def __init__(self, message: str, so_far: Replayed) -> None:
        super().__init__(message)
        self.so_far = so_far


class _Replay:
    """A replay under way: where each page lies, and what it has been through."""

    def __init__(self, machine: Machine, trace: Trace, policy: Policy | None, epoch: int, prices: Prices) -> None:
        self.machine, self.trace, self.epoch, self.prices = machine, trace, epoch, prices
        self.ns = prices.matrix(machine)
        self.ids = np.array([*machine.node_ids, NOWHERE], dtype=np.int64)  #: row of a node -> its number; -1: nowhere
        self.row_of_cpu = np.zeros(max(machine.cpu_nodes) + 1, dtype=np.int64)
        for cpu, node in machine.cpu_nodes.items():
            self.row_of_cpu[cpu] = machine.row[node]
        self.pages = TracedPages(machine, trace)
        self.where = np.full(len(self.pages), NOWHERE, dtype=np.int64)  #: the row of each page's node
        self.touched = np.full(len(self.pages), UNTOUCHED, dtype=np.int8)
        self.done = Replayed(name_of(policy), machine.node_ids, np.zeros((len(self.ns), len(self.ns)), dtype=np.int64))
        self.decide = policy.begin(dict(zip(self.pages.pids, self.pages.processes, strict=True))) if policy else None

    def run(self) -> Replayed:
        """Epoch by epoch: faults, accesses, the policy."""
        done = self.done
        for number, begins in enumerate(range(0, len(self.trace), self.epoch)):
            epoch = Epoch(self, number, slice(begins, begins + self.epoch))
            accesses = epoch.accesses()
            done.accesses += accesses
            if self.decide:
                self.decide(epoch)
            counts = (len(epoch.page), int(accesses.trace()), epoch.faults, epoch.calls, epoch.moved, epoch.stayed)
            done.epochs.append(EpochCount(number, *counts, float((accesses * self.ns).sum()), epoch.ns))
        return done

    def fault_in(self, page: Integers, cpu_row: Integers, write: Flags) -> int:
        """Make the faults of an epoch: the first access to a page, and the first write to what had only been read.
        How many.
        """
        faulting = np.flatnonzero(self.touched[page] < write + READ)
        if not len(faulting):
            return 0
        first, first_write = first_of_each(page, faulting), first_of_each(page, faulting[write[faulting]])
        places = np.union1d(first, first_write)
        self._touch(page[places], cpu_row[places], write[places])
        return len(places)

    def _touch(self, pages: Integers, rows: Integers, write: Flags) -> None:
        """Touch pages as the trace does; accesses after each other that are alike are made by one call."""
        kind = np.stack((write, self.pages.owner[pages], rows))
        if not self._order_matters(len(pages)):
            order = np.lexsort(kind[::-1])
            pages, write, kind = pages[order], write[order], kind[:, order]
        cuts = [0, *(np.flatnonzero((np.diff(kind) != 0).any(axis=0)) + 1).tolist(), len(pages)]
        addresses = self.pages.address[pages].tolist()
        for (low, high), (writes, owner, row) in zip(pairwise(cuts), kind[:, cuts[:-1]].T.tolist(), strict=True):
            process = self.pages.processes[owner]
            process.run_on(self.machine.node_ids[row])
            answer = process.write(addresses[low:high]) if writes else min(process.read(addresses[low:high]))
            if answer < 0:
                at = f"a page of pid {self.pages.pids[owner]} on CPUs of node {self.machine.node_ids[row]}"
                message = f"trace: {at} cannot be touched, errno {-answer}: the machine is too small"
                raise OutOfMemory(message, self.done)
        self.touched[pages] = READ
        self.touched[pages[write]] = WRITTEN
        self.look(pages)

    def _order_matters(self, pages: int) -> bool:
        """Whether where so many pages go depends on which node's CPUs touch theirs first: it does where a node may
        become full. Elsewhere reads, which map the zero page, may all come first, and then the writes of each node in
        their order: a hundredth of the calls. (Interleaving goes by the address, not by turns.)
        """
        m = self.machine
        return min(m.nr_free(node) for node in m.node_ids if m.topology.memory(node)) <= pages

    def look(self, pages: Integers) -> None:
        """See where pages lie now. It has no price: it is not the process that looks."""
        self.where[pages] = self.pages.rows(pages)


def first_of_each(page: Integers, places: Integers) -> Integers:
    """Of accesses, given by their places, the first to each page."""
    return places[np.unique(page[places], return_index=True)[1]]
