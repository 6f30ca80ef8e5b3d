"""Small sweeps that the tests run, and the file of one that was never disturbed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
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


class LastFirst(Executor):
    """Waits for so many tasks, and then does the last one first."""

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks
        self.held: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hold it back, or begin with the work."""
        future: Future[Any] = Future()
        self.held.append((future, lambda: fn(*args, **kwargs)))
        if len(self.held) == self.tasks:
            for waiting, work in reversed(self.held):
                waiting.set_result(work())
        return future


@dataclass(frozen=True)
class Acts:
    """A policy that does something when it begins."""

    act: Callable[[], None]

    def begin(self, processes: Mapping[int, Process]) -> Callable[[Epoch], None]:
        """Do it."""
        self.act()
        return lambda epoch: None
