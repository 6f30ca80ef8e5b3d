"""Figures of topologies: `python benchmarks/topology.py` prints how long loading and drawing take.

Each is the median of several runs in this process, after one that is not counted (it imports what is needed). Nothing
here is a test.
"""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import matplotlib

from numakit.plots import draw_distances, draw_topology
from numakit.topology import Topology
from numakit.topology.readers import ALTIX, dump_path

REPEATS = 7


class Figure(NamedTuple):
    """One row: what is done, how, and the seconds that it should stay below."""

    what: str
    work: Callable[[], object]
    aim: float


def median_seconds(work: Callable[[], object]) -> float:
    """The median of `REPEATS` runs."""
    work()
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def largest_xml() -> str:
    """The shipped XML file with the most bytes."""
    names = [name for name in Topology.dumps() if name.endswith(".xml")]
    return max(names, key=lambda name: dump_path(name).stat().st_size)


def drawn(draw: Callable[[Topology], object], topology: Topology) -> Callable[[], object]:
    """Draw it and write the PNG to memory."""
    import matplotlib.pyplot as plt

    def work() -> None:
        draw(topology)
        plt.savefig(io.BytesIO(), format="png")
        plt.close("all")

    return work


def figures() -> list[Figure]:
    """All rows of the table."""
    altix, xml = Topology.load(ALTIX), largest_xml()
    return [
        Figure(f"load {ALTIX} (64 nodes)", lambda: Topology.load(ALTIX), 1.0),
        Figure(f"load {xml} ({dump_path(xml).stat().st_size // 1000} kB)", lambda: Topology.load(xml), 1.0),
        Figure("draw 64 nodes as a graph", drawn(draw_topology, altix), 2.0),
        Figure("draw 64 nodes as a heat map", drawn(draw_distances, altix), 2.0),
    ]


def main() -> None:
    """Print the table."""
    matplotlib.use("Agg")
    print(f"{'what':<50}{'seconds':>9}{'aim':>7}")
    for what, work, aim in figures():
        print(f"{what:<50}{median_seconds(work):>9.3f}{aim:>7.1f}")


if __name__ == "__main__":
    main()
