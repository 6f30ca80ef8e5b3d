"""Experiments: sweeps of machines, workloads, policies, kernels and random seeds over any number of processors.

>>> from numakit import Topology
>>> from numakit.experiments import Generated, Sweep
>>> sweep = Sweep.grid(
...     machines={"ring": Topology.preset("ring4")},
...     workloads={"phases": Generated("moving-phases", pages=100, accesses=40_000)},
...     random_seeds=range(2),
... )
>>> frame = sweep.run("results.jsonl")  # doctest: +SKIP

What is done is kept in the file, line by line; the same call goes on where an interrupted one stopped.
"""

from numakit.experiments.results import ResultsError
from numakit.experiments.sweep import Sweep, SweepFailed
from numakit.experiments.trial import Failure, Trial
from numakit.experiments.workloads import FromFile, Generated, Workload

__all__ = [
    "Failure",
    "FromFile",
    "Generated",
    "ResultsError",
    "Sweep",
    "SweepFailed",
    "Trial",
    "Workload",
]
