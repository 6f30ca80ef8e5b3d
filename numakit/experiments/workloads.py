"""What the trials of a sweep replay: traces that are made up for the machine at hand, and traces from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

from numakit.topology import Topology
from numakit.trace import WORKLOADS, Trace, read_csv, read_perf_script


class Workload(Protocol):
    """Anything that makes a trace for a machine; the same arguments give the same trace. A function will do."""

    def __call__(self, topology: Topology, random_seed: int) -> Trace:
        """The trace."""


class Generated:
    """A workload of ``numakit.trace.WORKLOADS`` by its name, with its options.

    Unless ``cpus`` names them, it has a thread on the first CPU of each node that has CPUs. Raises ValueError for a
    name that there is not.
    """

    def __init__(self, name: str, **options: Any) -> None:
        if name not in WORKLOADS:
            raise ValueError(f"name={name!r}: workloads are {', '.join(WORKLOADS)}")
        self.name, self.options = name, options

    def __call__(self, topology: Topology, random_seed: int) -> Trace:
        """The trace for this machine."""
        cpus = [topology.cpus(node)[0] for node in topology.nodes if topology.cpus(node)]
        return WORKLOADS[self.name](**{"cpus": cpus, "random_seed": random_seed, **self.options})

    def __repr__(self) -> str:
        return f"Generated({', '.join([repr(self.name), *(f'{k}={v!r}' for k, v in self.options.items())])})"


class FromFile:
    """A trace from a file: CSV if its name ends so, else what ``perf script`` printed. All machines get the same.

    It is read by whoever plays the trial, so each worker needs the file under this name. (A sweep that goes on takes
    a file of the same name for the same trace.)
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)

    def __call__(self, topology: Topology, random_seed: int) -> Trace:
        """The trace. Raises TraceError with the line that is wrong."""
        return read_csv(self.path) if self.path.endswith(".csv") else read_perf_script(self.path)

    def __repr__(self) -> str:
        return f"FromFile({self.path!r})"
