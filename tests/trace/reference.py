"""A replay as slow as it is plain: each access is made on the machine, and counted by itself.

It shares the policies with numakit.trace and nothing else; what numakit.trace counts in arrays has to equal it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from numakit import MPOL_MF_MOVE, PAGE_SIZE, Machine, Process
from numakit.abi import EFAULT, PROT_READ, PROT_WRITE
from numakit.trace import Calls, Epoch, EpochCount, Policy, Prices, Trace
from numakit.trace.replay import Handler

MOST_PAGES_APART = 512


class SlowEpoch:
    """What a policy sees, made of lists."""

    def __init__(self, replay: SlowReplay, number: int) -> None:
        self.replay, self.number = replay, number
        self.machine, self.nodes = replay.machine, replay.machine.node_ids
        self.pages = len(replay.places)
        self.made: list[tuple[int, int, int, bool]] = []  #: (pid, address, node of the CPU, write)
        self.seen: list[tuple[int, int, int, bool]] = []  #: (page, node of the CPU, node of the page, write)
        self.faults = self.calls = self.moved = self.stayed = 0
        self.access_ns = self.ns = 0.0

    def access(self, pid: int, cpu: int, address: int, write: bool) -> None:
        """Make an access: run there, fault if need be."""
        replay, process, node = self.replay, self.replay.processes[pid], self.machine.cpu_nodes[cpu]
        process.run_on(node)
        before = process.pte(address)
        self.faults += before.kind == "none" or (write and not before.writable)
        page = replay.places.index((pid, address // PAGE_SIZE * PAGE_SIZE))
        if self._answer(process, address, write) == -EFAULT:
            assert replay.handler is not None
            replay.handler(cast("Calls", self), page, node)
            process.run_on(node)
        assert self._answer(process, address, write) == 0
        self.made.append((pid, address // PAGE_SIZE * PAGE_SIZE, node, write))

    def _answer(self, process: Process, address: int, write: bool) -> int:
        return process.write(address) if write else min(0, process.read(address))

    def look(self) -> None:
        """The faults of the epoch are made: see where each access goes, and what it costs."""
        for pid, address, node, write in self.made:
            home = self.replay.node_of(pid, address)
            assert home is not None
            self.replay.accesses[node, home] = self.replay.accesses.get((node, home), 0) + 1
            self.access_ns += self.replay.price(node, home)
            self.seen.append((self.replay.places.index((pid, address)), node, home, write))

    def count(self) -> EpochCount:
        """What it came to."""
        local = sum(node == home for _, node, home, _ in self.seen)
        counts = (len(self.seen), local, self.faults, self.calls, self.moved, self.stayed)
        return EpochCount(self.number, *counts, self.access_ns, self.ns)

    def _column(self, place: int) -> Any:
        return np.array([one[place] for one in self.seen])

    page = property(lambda self: self._column(0))
    cpu_node = property(lambda self: self._column(1))
    home = property(lambda self: self._column(2))
    write = property(lambda self: self._column(3))
    off_node = property(lambda self: self.cpu_node != self.home)

    def charge(self, ns: float) -> None:
        """Something besides calls."""
        self.ns += ns

    def block_of(self, page: int, size: int) -> list[int]:
        """The pages of the same area and aligned block."""
        pid, address = self.replay.places[page]
        (area,) = [area for area in self.replay.areas if area[0] == pid and area[1] <= address // PAGE_SIZE <= area[2]]
        block = address // PAGE_SIZE // size
        numbers = [number for number in range(area[1], area[2] + 1) if number // size == block]
        return [self.replay.places.index((pid, number * PAGE_SIZE)) for number in numbers]

    def protect(self, pages: Sequence[int], handler: Handler) -> None:
        """mprotect(PROT_NONE)."""
        self.replay.handler = handler
        self._mprotect(pages, 0)

    def unprotect(self, pages: Sequence[int]) -> None:
        """mprotect(PROT_READ | PROT_WRITE)."""
        self._mprotect(pages, PROT_READ | PROT_WRITE)

    def _mprotect(self, pages: Sequence[int], prot: int) -> None:
        chosen = {self.replay.places[page] for page in pages}
        for pid, first, last in self.replay.areas:
            there = [page for page in range(first, last + 1) if (pid, page * PAGE_SIZE) in chosen]
            for one, other in stretches(there, apart=1) if there else []:
                addresses = [page * PAGE_SIZE for page in range(one, other + 1)]
                assert self.replay.processes[pid].mprotect(addresses, prot) == 0
                self.calls += 1
                self.ns += self.replay.prices.protect

    def query(self, pages: Sequence[int]) -> list[int]:
        """move_pages() without nodes."""
        return self._call(pages, None, MPOL_MF_MOVE)

    def move(self, pages: Sequence[int], nodes: Sequence[int], flags: int = MPOL_MF_MOVE) -> int:
        """move_pages(), a call for each process; what lies elsewhere afterwards has moved."""
        places = [self.replay.places[page] for page in pages]
        before = [self.replay.node_of(*place) for place in places]
        self._call(pages, nodes, flags)
        after = [self.replay.node_of(*place) for place in places]
        moved = sum(one != other for one, other in zip(before, after, strict=True))
        self.moved += moved
        self.stayed += sum(one != node for one, node in zip(after, nodes, strict=True))
        return moved

    def _call(self, pages: Sequence[int], nodes: Sequence[int] | None, flags: int) -> list[int]:
        answers = [-1] * len(pages)
        prices = self.replay.prices
        for pid, process in self.replay.processes.items():
            mine = [i for i, page in enumerate(pages) if self.replay.places[page][0] == pid]
            if not mine:
                continue
            addresses = [self.replay.places[pages[i]][1] for i in mine]
            wanted = None if nodes is None else [int(nodes[i]) for i in mine]
            result = process.move_pages(0, addresses, wanted, flags)
            self.calls += 1
            self.ns += prices.call + len(mine) * (prices.look if nodes is None else prices.page)
            self.ns += prices.scan * result.costs.scanned
            for i, status in zip(mine, result.status, strict=True):
                answers[i] = -1 if status is None else status
        return answers


class SlowReplay:
    """The whole replay: ``accesses`` by (node of the CPU, node of the page), and a count for each epoch."""

    def __init__(self, machine: Machine, trace: Trace, policy: Policy, epoch: int, prices: Prices) -> None:
        self.machine, self.prices = machine, prices
        self.accesses: dict[tuple[int, int], int] = {}
        self.epochs: list[EpochCount] = []
        accesses = list(
            zip(*(getattr(trace, name).tolist() for name in ("pid", "cpu", "address", "write")), strict=True)
        )
        self.processes: dict[int, Process] = {}
        self.places: list[tuple[int, int]] = []  #: (pid, address) of each page
        self.areas: list[tuple[int, int, int]] = []  #: (pid, first page, last page)
        self.handler: Handler | None = None
        for pid in sorted({access[0] for access in accesses}):
            self.processes[pid] = machine.spawn(f"slow {pid}")
            pages = sorted({access[2] // PAGE_SIZE for access in accesses if access[0] == pid})
            for first, last in stretches(pages, MOST_PAGES_APART):
                self.processes[pid].mmap(last - first + 1, address=first * PAGE_SIZE)
                self.areas.append((pid, first, last))
                self.places += [(pid, page * PAGE_SIZE) for page in range(first, last + 1)]
        decide = policy.begin(self.processes)
        for number, begins in enumerate(range(0, len(accesses), epoch)):
            one = SlowEpoch(self, number)
            for access in accesses[begins : begins + epoch]:
                one.access(*access)
            one.look()
            decide(cast("Epoch", one))
            self.epochs.append(one.count())

    def node_of(self, pid: int, address: int) -> int | None:
        """Where a page lies now."""
        pte = self.processes[pid].pte(address)
        return pte.node if pte.kind == "present" else None

    def price(self, node: int, home: int) -> float:
        """One access."""
        if self.prices.latencies is not None:
            return self.prices.latencies[node, home]
        return self.prices.local * self.machine.topology.distance(node, home) / 10


def stretches(pages: Sequence[int], apart: int) -> list[tuple[int, int]]:
    """First and last page of each stretch in which neighbours are at most so far apart."""
    found = [(pages[0], pages[0])]
    for page in pages[1:]:
        if page - found[-1][1] > apart:
            found.append((page, page))
        found[-1] = (found[-1][0], page)
    return found
