"""A trace is replayed over a machine: first touch, local and remote accesses, and a policy that moves pages between.

The trace is cut into *epochs* of so many accesses. Pages are faulted in by the machine itself; then the accesses of the
epoch are counted by where their CPU is and where their page lies; then the policy may make the calls that a process
has, which take effect from the next epoch on. (Within an epoch pages stay where they are: a page that is read before
its first write counts where that write puts it, if both are of one epoch; in epochs before the zero page is read.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Protocol, TypeAlias

import numpy as np

from numakit.abi import EFAULT, MPOL_MF_MOVE, PROT_READ, PROT_WRITE
from numakit.facade.machine import Machine
from numakit.facade.process import Process
from numakit.trace.pages import NOWHERE, TracedPages
from numakit.trace.replayed import EpochCount, Prices, Replayed
from numakit.trace.trace import Flags, Integers, Trace

UNTOUCHED, READ, WRITTEN = range(3)  #: what a page of a trace has been through


class Calls:
    """The calls that a policy can make during an epoch, with their price; what they came to is counted.

    ``calls`` made, pages ``moved`` to another node, pages that ``stayed`` and were to move, ``ns`` for it all.
    """

    def __init__(self, replay: _Replay) -> None:
        self._replay = replay
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

    def block_of(self, page: int, size: int) -> range:
        """The pages of the aligned block of ``size`` pages in which a page lies, as far as they are of its area."""
        return self._replay.pages.block_of(page, size)

    def query(self, pages: Sequence[int] | Integers) -> list[int]:
        """move_pages() without nodes: where pages are now (a negative errno: nowhere). It has its price."""
        return self._move_pages(self._numbers(pages), None, MPOL_MF_MOVE)

    def move(self, pages: Sequence[int] | Integers, nodes: Sequence[int] | Integers, flags: int = MPOL_MF_MOVE) -> int:
        """move_pages(): move pages to nodes, a call for each process concerned. How many changed their node."""
        replay, numbers, wanted = self._replay, self._numbers(pages), np.asarray(nodes, dtype=np.int64)
        if len(numbers) != len(wanted):
            raise ValueError(f"nodes: {len(wanted)} for {len(numbers)} pages; one for each is wanted")
        before = replay.where[numbers]
        self._move_pages(numbers, wanted, flags)
        replay.look(numbers)
        after = replay.where[numbers]
        moved = int((before != after).sum())
        self.moved += moved
        self.stayed += int((replay.ids[after] != wanted).sum())
        return moved

    def protect(self, pages: Sequence[int] | Integers, handler: Handler) -> None:
        """mprotect(PROT_NONE), a call for each stretch of pages: the next access to one of them is refused, with
        SIGSEGV, and made again after ``handler`` has been called, which has to unprotect the page.
        """
        self._mprotect(self._numbers(pages), 0)
        self._replay.handler = handler

    def unprotect(self, pages: Sequence[int] | Integers) -> None:
        """mprotect(PROT_READ | PROT_WRITE): pages can be accessed again."""
        self._mprotect(self._numbers(pages), PROT_READ | PROT_WRITE)

    def charge(self, ns: float) -> None:
        """Add to the price of the policy what it does besides its calls: sampling, signals that it provokes."""
        self.ns += ns

    def _numbers(self, pages: Sequence[int] | Integers) -> Integers:
        numbers = np.asarray(pages, dtype=np.int64)
        if numbers.size and not (numbers.min() >= 0 and numbers.max() < self.pages):
            raise ValueError(f"pages: numbers from 0 to {self.pages - 1} are wanted")
        return numbers

    def _move_pages(self, pages: Integers, nodes: Integers | None, flags: int) -> list[int]:
        """Make the calls, one for each process that has some of the pages; the answers in the order of the pages."""
        replay, prices = self._replay, self._replay.prices
        answers = np.full(len(pages), NOWHERE, dtype=np.int64)
        owners = replay.pages.owner[pages]
        for owner in np.unique(owners):
            places = np.flatnonzero(owners == owner)
            process = replay.pages.processes[owner]
            addresses = replay.pages.address[pages[places]].tolist()
            wanted = None if nodes is None else nodes[places].tolist()
            result = process.move_pages(0, addresses, wanted, flags)
            self.calls += 1
            self.ns += prices.call + len(addresses) * (prices.look if wanted is None else prices.page)
            self.ns += prices.scan * result.costs.scanned
            if result.status:
                answers[places] = [NOWHERE if value is None else value for value in result.status]
        return [int(answer) for answer in answers]

    def _mprotect(self, pages: Integers, prot: int) -> None:
        """Make the calls. A page that was written to loses the bit in its PTE, so that its next write faults."""
        replay = self._replay
        for stretch in replay.pages.stretches(pages):
            process = replay.pages.processes[replay.pages.owner[stretch[0]]]
            process.mprotect(replay.pages.address[stretch].tolist(), prot)
            self.calls += 1
            self.ns += replay.prices.protect
        replay.refused[pages] = not prot
        if not prot:
            replay.touched[pages] = np.minimum(replay.touched[pages], READ)


class Epoch(Calls):
    """What a policy sees when an epoch is over, and what it can do then.

    ``page``, ``cpu_node``, ``home``, ``write``: for each access of the epoch the number of its page (0 to ``pages``
    - 1 over the whole trace), the node of its CPU, the node on which the page lay, and whether it was a store.
    """

    def __init__(self, replay: _Replay, number: int, part: slice) -> None:
        super().__init__(replay)
        self.number, self.page, self.write = number, replay.pages.accessed(part), replay.trace.write[part]
        self._cpu_row = replay.row_of_cpu[replay.trace.cpu[part]]
        self.faults = replay.fault_in(self, self.page, self._cpu_row, self.write)
        self._home_row = replay.where[self.page]

    def accesses(self) -> Integers:
        """How many accesses went from CPUs of the i-th node to pages of the j-th."""
        nodes = len(self.nodes)
        pairs = np.bincount(self._cpu_row * nodes + self._home_row, minlength=nodes * nodes)
        return pairs.reshape(nodes, nodes)

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


#: What is done about a refused access, as a handler of SIGSEGV does it: (calls, page, node of the CPU).
Handler: TypeAlias = "Callable[[Calls, int, int], None]"

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
    many accesses are made between two decisions of the policy. Raises ValueError for CPUs that the machine has not and
    for an empty trace, TypeError for what is no policy, OutOfMemory where memory is full: what was counted until then
    is in its ``so_far``.
    """
    if not len(trace):
        raise ValueError("trace: it has not one access")
    if not isinstance(epoch, int) or epoch < 1:
        raise ValueError(f"epoch={epoch!r}: so many accesses, at least 1")
    if policy is not None and not is_policy(policy):
        raise TypeError(f"policy={policy!r}: a Policy is wanted, such as Profiler(), or None")
    missing = [cpu for cpu in trace.cpus if cpu not in machine.cpu_nodes]
    if missing:
        raise ValueError(f"trace: CPU {missing[0]} is not on this machine; it has {sorted(machine.cpu_nodes)}")
    return _Replay(machine, trace, policy, epoch, prices or Prices()).run()


def is_policy(value: object) -> bool:
    """Whether a value has what a replay asks of a policy; its class alone has not."""
    return callable(getattr(value, "begin", None)) and not isinstance(value, type)


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
        self.refused = np.zeros(len(self.pages), dtype=np.bool_)  #: those that a policy has protected
        self.handler: Handler | None = None
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

    def fault_in(self, calls: Calls, page: Integers, cpu_row: Integers, write: Flags) -> int:
        """Make those accesses of an epoch that fault: the first access to a page, the first write to what had only
        been read, and what is refused. How many the kernel served.
        """
        faulting = np.flatnonzero(self.touched[page] < write + READ)
        places = np.union1d(first_of_each(page, faulting), first_of_each(page, faulting[write[faulting]]))
        served = len(places)
        if self.refused.any():
            places = np.union1d(places, first_of_each(page, np.flatnonzero(self.refused[page])))
            self._access_in_turn(calls, page[places], cpu_row[places], write[places])
        elif served:
            self._access(page[places], cpu_row[places], write[places])
        self.touched[page[places]] = np.maximum(self.touched[page[places]], READ)
        self.touched[page[places[write[places]]]] = WRITTEN
        self.look(page[places])
        return served

    def _access(self, pages: Integers, rows: Integers, write: Flags) -> None:
        """Access pages as the trace does; accesses after each other that are alike are made by one call."""
        kind = np.stack((write, self.pages.owner[pages], rows))
        if not self._order_matters(len(pages)):
            order = np.lexsort(kind[::-1])
            pages, kind = pages[order], kind[:, order]
        cuts = [0, *(np.flatnonzero((np.diff(kind) != 0).any(axis=0)) + 1).tolist(), len(pages)]
        for (low, high), (writes, owner, row) in zip(pairwise(cuts), kind[:, cuts[:-1]].T.tolist(), strict=True):
            self._made(owner, row, self.pages.address[pages[low:high]].tolist(), bool(writes))

    def _access_in_turn(self, calls: Calls, pages: Integers, rows: Integers, write: Flags) -> None:
        """The same where pages are protected: what the handler of a refused access does decides about the next."""
        for page, row, writes in zip(pages.tolist(), rows.tolist(), write.tolist(), strict=True):
            owner, address = int(self.pages.owner[page]), [int(self.pages.address[page])]
            if self.refused[page]:
                answer = self._answer(owner, row, address, writes)
                assert answer == -EFAULT, f"an access to page {page}, which is protected, gets {answer}"
                assert self.handler is not None
                self.handler(calls, page, self.machine.node_ids[row])
                if self.refused[page]:
                    raise ValueError(f"policy: its handler leaves page {page} protected, which is to be accessed")
            self._made(owner, row, address, writes)

    def _made(self, owner: int, row: int, addresses: list[int], write: bool) -> None:
        """Access pages. Raises OutOfMemory."""
        answer = self._answer(owner, row, addresses, write)
        if answer < 0:
            at = f"a page of pid {self.pages.pids[owner]} on CPUs of node {self.machine.node_ids[row]}"
            message = f"trace: {at} cannot be touched, errno {-answer}: the machine is too small"
            raise OutOfMemory(message, self.done)

    def _answer(self, owner: int, row: int, addresses: list[int], write: bool) -> int:
        """Let a process access pages from a CPU of a node. 0 or more, or a negative errno."""
        process = self.pages.processes[owner]
        process.run_on(self.machine.node_ids[row])
        return process.write(addresses) if write else min(process.read(addresses))

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
