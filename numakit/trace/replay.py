"""A trace is replayed over a machine: first touch, local and remote accesses, and a policy that moves pages between.

The trace is cut into *epochs* of so many accesses. Pages are faulted in by the machine itself, in the order of the
trace; then the accesses of the epoch are counted by where their CPU is and where their page lies; then the policy may
make the calls that a process has. (Within an epoch pages stay where they are: what a policy does takes effect from the
next epoch on.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np

from numakit.abi import MPOL_MF_MOVE, PAGE_SHIFT, PAGE_SIZE
from numakit.facade.machine import Machine
from numakit.facade.process import Process
from numakit.tables import html_table
from numakit.trace.trace import Flags, Integers, Trace, TracedArea

MOST_TRACED_PAGES = 1 << 26
NOWHERE = -1  #: instead of a node: the page is not present


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
        self.page, self.write = replay.page[part], replay.trace.write[part]
        self._cpu_row = replay.cpu_row[part]
        self._home_row = replay.where[self.page]
        self.calls = self.moved = self.stayed = 0
        self.ns = 0.0

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
        owners = replay.owner[numbers]
        for owner in np.unique(owners):
            places = np.flatnonzero(owners == owner)
            process = replay.process_of[owner]
            addresses = replay.address[numbers[places]].tolist()
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


def name_of(policy: Policy) -> str:
    """What a policy calls itself; the name of its class if it has no word of its own."""
    kind = type(policy)
    says = kind.__str__ is not object.__str__ or kind.__repr__ is not object.__repr__
    return str(policy) if says else kind.__name__


class OutOfMemory(RuntimeError):
    """A page of the trace could not be faulted in. ``so_far`` is the replay until then."""

    def __init__(self, message: str, so_far: Replayed) -> None:
        super().__init__(message)
        self.so_far = so_far


class _Replay:
    """A replay under way: the pages of the trace numbered from 0 on, and where each lies."""

    def __init__(self, machine: Machine, trace: Trace, policy: Policy | None, epoch: int, prices: Prices) -> None:
        self.machine, self.trace, self.epoch, self.prices = machine, trace, epoch, prices
        self.ids = np.array([*machine.node_ids, NOWHERE], dtype=np.int64)  #: row of a node -> its number; -1: nowhere
        rows = np.zeros(max(machine.cpu_nodes) + 1, dtype=np.int64)
        for cpu, node in machine.cpu_nodes.items():
            rows[cpu] = machine.row[node]
        self.cpu_row = rows[trace.cpu]
        areas = trace.areas
        self.processes = {pid: machine.spawn(f"traced {pid}") for pid in trace.pids}
        self.process_of = list(self.processes.values())
        self._map(areas)
        self.page = self._page_numbers(areas)
        self.where = np.full(len(self.address), NOWHERE, dtype=np.int64)
        self.name = "stay" if policy is None else name_of(policy)
        self.decide = policy.begin(self.processes) if policy else None
        self.ns = prices.matrix(machine)

    def _map(self, areas: Sequence[TracedArea]) -> None:
        """Map the areas. Makes ``address`` and ``owner`` of each page."""
        total = sum(area.pages for area in areas)
        if total > MOST_TRACED_PAGES:
            raise ValueError(f"trace: its areas have {total:,} pages; {MOST_TRACED_PAGES:,} are allowed")
        for area in areas:
            vma = self.processes[area.pid].mmap(area.pages, address=area.start)
            if vma.start != area.start:
                raise ValueError(f"trace: pid {area.pid} cannot have an area at {area.start:#x}")
        pids = list(self.processes)
        self.address = np.concatenate([area.start + np.arange(area.pages) * PAGE_SIZE for area in areas])
        self.owner = np.concatenate([np.full(area.pages, pids.index(area.pid)) for area in areas])

    def _page_numbers(self, areas: Sequence[TracedArea]) -> Integers:
        """The number of the page of each access."""
        pages = self.trace.address >> PAGE_SHIFT
        if len(areas) == 1:
            return pages - (areas[0].start >> PAGE_SHIFT)
        numbers, begins = np.empty(len(pages), dtype=np.int64), 0
        for area in areas:
            first = area.start >> PAGE_SHIFT
            inside = (self.trace.pid == area.pid) & (pages >= first) & (pages < first + area.pages)
            numbers[inside] = pages[inside] - first + begins
            begins += area.pages
        return numbers

    def run(self) -> Replayed:
        """Epoch by epoch: faults, accesses, the policy."""
        nodes = len(self.machine.node_ids)
        done = Replayed(self.name, self.machine.node_ids, np.zeros((nodes, nodes), dtype=np.int64))
        places, first_touches = self._faults()
        for number, begins in enumerate(range(0, len(self.trace), self.epoch)):
            part = slice(begins, min(begins + self.epoch, len(self.trace)))
            low, high = np.searchsorted(places, (part.start, part.stop))
            self._fault_in(first_touches[low:high], places[low:high], done)
            pairs = np.bincount(self.cpu_row[part] * nodes + self.where[self.page[part]], minlength=nodes * nodes)
            accesses = pairs.reshape(nodes, nodes)
            done.accesses += accesses
            epoch = Epoch(self, number, part)
            if self.decide:
                self.decide(epoch)
            counts = (part.stop - part.start, int(accesses.trace()), int(high - low), epoch.calls, epoch.moved)
            access_ns = float((accesses * self.ns).sum())
            done.epochs.append(EpochCount(number, *counts, epoch.stayed, access_ns, epoch.ns))
        return done

    def _faults(self) -> tuple[Integers, Integers]:
        """The accesses that fault, in order: the first of each page, and its first write. Their places, and pages."""
        order = np.arange(len(self.trace))
        first = np.full(len(self.where), NOWHERE)
        first[self.page[::-1]] = order[::-1]
        stores = np.flatnonzero(self.trace.write)
        first_write = np.full(len(self.where), NOWHERE)
        first_write[self.page[stores][::-1]] = stores[::-1]
        places = np.unique(np.concatenate((first, first_write)))
        places = places[places != NOWHERE]
        return places, self.page[places]

    def _fault_in(self, pages: Integers, places: Integers, done: Replayed) -> None:
        """Touch pages as the trace does; neighbours in time that are alike are touched by one call."""
        if not len(pages):
            return
        kind = np.stack((self.owner[pages], self.cpu_row[places], self.trace.write[places]))
        cuts = np.flatnonzero((np.diff(kind) != 0).any(axis=0)) + 1
        for run in np.split(np.arange(len(pages)), cuts):
            owner, row, write = (int(value) for value in kind[:, run[0]])
            process = self.process_of[owner]
            process.run_on(self.machine.node_ids[row])
            addresses = self.address[pages[run]].tolist()
            answer = process.write(addresses) if write else min(process.read(addresses))
            if answer < 0:
                at = f"a page of pid {list(self.processes)[owner]} on CPUs of node {self.machine.node_ids[row]}"
                raise OutOfMemory(f"trace: {at} cannot be touched, errno {-answer}: the machine is too small", done)
        self.look(pages)

    def look(self, pages: Integers) -> None:
        """See where pages lie now. It has no price: it is not the process that looks."""
        for page in pages.tolist():
            node = self.process_of[self.owner[page]].pte(int(self.address[page])).node
            self.where[page] = NOWHERE if node is None else self.machine.row[node]
