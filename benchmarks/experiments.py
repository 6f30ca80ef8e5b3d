"""A sweep on two processes beside one: `python -m benchmarks.experiments` prints a table, `--write` puts it into docs/.

By turns, the median of several rounds; a pool's start is part of its time. Beside it the same for plain loops that
need nothing of each other: what two processors of this machine give at best today. The processor time tells what
handing out costs, on a busy machine, too: as much on two processes as on one would be twice as fast on idle ones.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from typing import NamedTuple

from benchmarks.page import markdown_table, write_section
from numakit import Topology
from numakit.experiments import Generated, Sweep
from numakit.experiments.executing import InThisProcess

ROUNDS = 3
WORKERS = 2
AIM = 1.8  #: times faster on two processors
PHASES = (2, 4, 8, 20)


def a_sweep() -> Sweep:
    """60 trials of 200,000 accesses."""
    workloads = {n: Generated("moving-phases", pages=400, accesses=200_000, phases=n) for n in PHASES}
    return Sweep.grid(machines={"ring": Topology.preset("ring4")}, workloads=workloads, random_seeds=range(3))


def a_loop(turns: int) -> int:
    """Plain work."""
    total = 0
    for number in range(turns):
        total += number & 7
    return total


def loops(executor: Executor) -> object:
    """As many loops as the sweep has trials."""
    return list(executor.map(a_loop, [1_000_000] * len(a_sweep())))


class Seconds(NamedTuple):
    """How long some work took, and how long processors were busy with it."""

    elapsed: float
    processor: float


def seconds(work: Callable[[Executor], object], make_executor: Callable[[], Executor]) -> Seconds:
    """What it takes, the executor's start and end included."""
    begin, busy = time.perf_counter(), sum(os.times()[:4])
    with make_executor() as executor:
        work(executor)
    return Seconds(time.perf_counter() - begin, sum(os.times()[:4]) - busy)


def measure() -> list[tuple[str, ...]]:
    """The rows of the table."""
    sweep = a_sweep()
    works: dict[str, Callable[[Executor], object]] = {
        f"a sweep of {len(sweep)} trials": lambda executor: sweep.run(executor=executor, progress=False),
        "yardstick: plain loops": loops,
    }
    makers: list[Callable[[], Executor]] = [InThisProcess, lambda: ProcessPoolExecutor(WORKERS)]
    found: dict[str, list[list[Seconds]]] = {what: [] for what in works}
    for _ in range(ROUNDS):
        for what, do in works.items():
            found[what].append([seconds(do, make) for make in makers])
    rows: list[tuple[str, ...]] = []
    for what, rounds in found.items():
        one, two = (statistics.median(took.elapsed for took in column) for column in zip(*rounds, strict=True))
        ratio = statistics.median(alone.elapsed / together.elapsed for alone, together in rounds)
        work = statistics.median(together.processor / alone.processor for alone, together in rounds)
        aim = "" if what.startswith("yardstick") else f"{AIM} times"
        rows.append((what, f"{one:.2f} s", f"{two:.2f} s", f"{ratio:.2f} times", aim, f"{work:.2f} times"))
    return rows


def main() -> None:
    """Measure, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    options = parser.parse_args()
    head = ("experiments", "one process", f"{WORKERS} processes", "faster", "aim", "processor time")
    rows = measure()
    table = markdown_table(head, rows)
    print(table)
    if options.write:
        text = (
            "A sweep of `numakit.experiments` on a pool of two processes, its start included, beside one process. "
            "Plain loops are what two processors give at best; where that is far below 2 times, others were at work on "
            "them, and the last column counts, the processor time of two processes beside that of one."
            + (" The sweep falls short of its aim." if float(rows[0][3].split()[0]) < AIM else "")
        )
        write_section("Experiments", f"{text}\n\n{table}")


if __name__ == "__main__":
    main()
