"""Small sweeps that the tests run, and the file of one that was never disturbed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from numakit import Process, Topology
from numakit.experiments import Generated, Sweep
from numakit.trace import Epoch, Profiler, Stay


def small_sweep(**axes: Any) -> Sweep:
    """Twelve trials of 400 accesses each, unless an axis says otherwise."""
    usual: dict[str, Any] = {
        "machines": {"ring": Topology.preset("ring4")},
        "workloads": {n: Generated("moving-phases", pages=8, accesses=400, phases=n) for n in (1, 4)},
        "policies": {"stay": Stay(), "profiler": Profiler()},
        "random_seeds": range(3),
        "epoch": 100,
    }
    return Sweep.grid(**{**usual, **axes})


@dataclass(frozen=True)
class Acts:
    """A policy that does something when it begins."""

    act: Callable[[], None]

    def begin(self, processes: Mapping[int, Process]) -> Callable[[Epoch], None]:
        """Do it."""
        self.act()
        return lambda epoch: None
