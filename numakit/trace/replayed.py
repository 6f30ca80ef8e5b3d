"""What a replay costs, and what it came to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from numakit.facade.machine import Machine
from numakit.tables import html_table
from numakit.trace.trace import Integers


@dataclass(frozen=True)
class Prices:
    """What things cost, in ns.

    An access costs ``local`` times the distance over 10, or what ``latencies`` says for (node of the CPU, node of the
    page). A call of move_pages() costs ``call``, ``page`` for each page that it was to move, ``look`` for each page
    that it was asked about, and ``scan`` for each entry that new_page_node() looks at (which makes calls of many
    pages quadratic in 2006). The defaults for calls are those of a quad-core Opteron of 2008 (message of Linux commit
    e78bbfa82624: about 90 us and 10 us; 2.4 ns follows from its figures). A call of mprotect() costs ``protect``, which
    is no measurement but its order of magnitude.
    """

    local: float = 100.0
    latencies: Mapping[tuple[int, int], float] | None = None
    call: float = 90_000.0
    page: float = 10_000.0
    look: float = 500.0
    scan: float = 2.4
    protect: float = 1_000.0

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
