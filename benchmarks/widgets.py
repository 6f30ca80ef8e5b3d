"""Figures of the Stepper, kernel side: `python benchmarks/widgets.py` prints a table.

A machine of 100,000 frames and a call of 1,000 pages, some 17,000 steps. Each figure is a median; nothing is a test.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from numakit import Machine, Process, Run, Topology
from numakit.tables import text_table
from numakit.widgets import Stepper
from numakit.widgets.reading import Reading

FRAMES = 100_000
PAGES = 1_000
TIMES = 60


def machine_of(frames: int) -> Machine:
    """A machine of two nodes and about so many frames."""
    topology = Topology.preset("two-sockets")
    memory = sum(topology.memory(node) for node in topology.nodes)
    return Machine(topology, scale=max(1, memory // 4096 // frames))


def recorded() -> Run[Any]:
    """A call that moves 1,000 pages while some of them are written to."""
    machine = machine_of(FRAMES)
    shell: Process = machine.spawn("shell", uid=0, node=0)
    area = shell.mmap(pages=PAGES)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1] * PAGES)
    for nth in (10, 500, 900):
        run.when("COPY", nth=nth).do(shell.write, area[nth - 1])
    run.finish()
    return run


def milliseconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    begin = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begin)


def median(works: Iterable[Callable[[], object]]) -> str:
    """The median and the longest of some pieces of work."""
    taken = [milliseconds(work) for work in works]
    return f"{statistics.median(taken):.1f} ms, at most {max(taken):.1f}"


def main() -> None:
    """Measure, and print."""
    run = recorded()
    length = len(run)
    built = milliseconds(lambda: Reading(run))
    opened: list[Stepper] = []
    first = milliseconds(lambda: opened.append(Stepper(run)))
    stepper = opened[0]
    middle = length // 2
    stepper.show(middle)
    sent = sum(len(value) for name, value in stepper.get_state().items() if name.startswith("html_"))
    far = [i * 7919 % (length + 1) for i in range(TIMES)]
    rows = [
        ("one step forward", median([stepper.forward] * TIMES), "10 ms"),
        ("one step back", median([stepper.back] * TIMES), "10 ms"),
        ("scrub to any step", median([partial(stepper.show, step) for step in far]), "50 ms"),
        ("reading the run, once", f"{built:.0f} ms", ""),
        ("opening the Stepper, once", f"{first:.0f} ms", ""),
        ("all panels of a step", f"{sent / 1000:.1f} kB", ""),
    ]
    print(f"{run.machine.nr_frames:,} frames, {PAGES:,} pages, {length:,} steps")
    print(text_table(("kernel side", "median", "aim"), rows))


if __name__ == "__main__":
    main()
