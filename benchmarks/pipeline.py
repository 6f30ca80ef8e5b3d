"""Figures of the pipeline: `python -m benchmarks.pipeline` prints a table, `--write` puts it into docs/.

Each figure is the median of several runs, and stands beside a yardstick that is run in the same minute: on a machine
that is busy with something else both go down. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import gc
import platform
import statistics
import subprocess
import sys
import time
from array import array
from collections.abc import Callable
from typing import NamedTuple

import networkx as nx

from benchmarks.page import write_section
from numakit import MPOL_MF_MOVE, Machine, Process, Topology, Vma
from numakit.machine.state import FRAME_FIELDS

REPEATS = 5
PAGES = 10_000
GIB = 1 << 30


class Figure(NamedTuple):
    """One row of the table: what was measured, its value and unit, what was aimed at, the ratio to the yardstick."""

    what: str
    value: str
    aim: str
    beside: str


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes, once, with the garbage collector quiet."""
    gc.collect()
    gc.disable()
    begin = time.perf_counter()
    work()
    end = time.perf_counter()
    gc.enable()
    return end - begin


def median_seconds(prepare: Callable[[], Callable[[], object]], repeats: int = REPEATS) -> float:
    """The median of several runs; ``prepare`` makes the work anew for each."""
    return statistics.median(seconds(prepare()) for _ in range(repeats))


def yardstick() -> float:
    """Writes a second that a plain Python loop makes through a memoryview: what the speed of this machine is today."""
    writes = 500_000
    cells = memoryview(array("q", bytes(8 * 1024)))

    def loop() -> None:
        for i in range(writes):
            cells[i & 1023] = cells[(i + 1) & 1023] + 1

    return writes / median_seconds(lambda: loop)


def two_nodes(frames: int) -> Topology:
    """Two nodes with so many frames each."""
    graph: nx.Graph[int] = nx.Graph()
    for node in (0, 1):
        graph.add_node(node, memory=frames * 4096, cpus=(node,))
    graph.add_edge(0, 1, distance=20)
    return Topology.from_networkx(graph)


def populated(kind: str) -> tuple[Machine, Process, list[int]]:
    """A process whose pages lie on node 0: anonymous, of a file, or a mixture with a tenth that cannot move."""
    machine = Machine(two_nodes(4 * PAGES), scale=1, engine="steps")
    process = machine.spawn("worker", node=0)
    areas: list[Vma] = []
    if kind in ("anonymous", "mixture"):
        areas.append(process.mmap(PAGES if kind == "anonymous" else PAGES // 2))
    if kind in ("file", "mixture"):
        pages = PAGES if kind == "file" else PAGES - PAGES // 2
        areas.append(process.mmap(pages, shared=True, file=machine.file("data", pages, "ext2")))
    for area in areas:
        process.write(area)
    if kind == "mixture":
        process.mlock(areas[0][: PAGES // 20])
        process.mlock(areas[1][: PAGES // 20])
    return machine, process, [address for area in areas for address in area]


def move(kind: str, recorded: bool) -> float:
    """Pages a second through move_pages()."""

    def prepare() -> Callable[[], object]:
        machine, process, addresses = populated(kind)
        nodes = [1] * len(addresses)
        if recorded:
            return lambda: machine.record(process.move_pages, 0, addresses, nodes, MPOL_MF_MOVE)
        return lambda: process.move_pages(0, addresses, nodes, MPOL_MF_MOVE)

    return PAGES / median_seconds(prepare)


def journal_figures(standard: float) -> list[Figure]:
    """What a recorded run costs in memory, and how fast it is undone and gone on from."""
    machine, process, addresses = populated("anonymous")
    run = machine.record(process.move_pages, 0, addresses, [1] * PAGES)
    kept = (machine.journal_bytes + 12 * len(run)) / PAGES
    changes, steps = machine.journal_bytes / 16, len(run) / PAGES

    def back_and_forth() -> Callable[[], object]:
        run.last()
        return run.first

    undo = changes / median_seconds(back_and_forth)

    def stand_at_20000() -> Callable[[], object]:
        run.goto(20_000)
        return run.resume

    resume = seconds(stand_at_20000())
    return [
        Figure("journal of a recorded run", f"{kept:.0f} bytes a page", "1,000", f"{steps:.1f} steps a page"),
        Figure("undo", f"{undo / 1e6:.1f} M changes/s", "2 M", f"{undo / standard:.2f} of a plain write"),
        Figure(
            "going on from step 20,000",
            f"{1e3 * resume:.0f} ms",
            "100 ms",
            f"{resume * standard / 1e6:.2f} M plain writes",
        ),
    ]


def building() -> list[Figure]:
    """A machine of 16 million frames, and what a frame costs."""
    topology = two_nodes(8 << 20)
    took = median_seconds(lambda: lambda: Machine(topology, scale=1), 3)
    filled = median_seconds(lambda: lambda: array("q", bytes(8 << 24)).tobytes(), 3)
    size = sum(array(typecode).itemsize for typecode in FRAME_FIELDS.values())
    return [
        Figure(
            "a machine of 16 million frames", f"{took:.2f} s", "2 s", f"{took / filled:.1f} of copying 128 MiB twice"
        ),
        Figure("memory of a frame", f"{size} bytes", "52", "64 bytes in the kernel's struct page"),
    ]


def importing() -> Figure:
    """The import of numakit against that of networkx, on which it stands."""

    def fresh(module: str) -> Callable[[], Callable[[], object]]:
        return lambda: lambda: subprocess.run([sys.executable, "-c", f"import {module}"], check=True)

    pairs = [(seconds(fresh("numakit")()), seconds(fresh("networkx")())) for _ in range(2 * REPEATS)]
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    return Figure(
        "import numakit",
        f"{1e3 * statistics.median(ours for ours, _ in pairs):.0f} ms",
        "1.5 times networkx",
        f"{ratio:.2f}",
    )


def figures() -> list[Figure]:
    """All of them, in the order of the table."""
    standard = yardstick()
    rows = [Figure("yardstick: plain memoryview writes", f"{standard / 1e6:.1f} M/s", "", "1")]
    plain = move("anonymous", recorded=False)
    for kind, recorded, aim in (
        ("anonymous", False, "60,000"),
        ("anonymous", True, "30,000"),
        ("file", False, "half of anonymous"),
        ("file", True, "half of anonymous"),
        ("mixture", False, "half of anonymous"),
        ("mixture", True, "half of anonymous"),
    ):
        rate = move(kind, recorded)
        what = f"move_pages(), {kind} pages, journal {'on' if recorded else 'off'}"
        beside = f"{rate / plain:.2f} of anonymous, off; {standard / rate:.0f} plain writes a page"
        rows.append(Figure(what, f"{rate:,.0f} pages/s", aim, beside))
    return [*rows, *journal_figures(standard), *building(), importing()]


def table(rows: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| what | measured | aim | beside it |", "| --- | --- | --- | --- |"]
    lines += [f"| {row.what} | {row.value} | {row.aim} | {row.beside} |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    """Print the table or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    text = table(figures())
    print(text)
    if parser.parse_args().write:
        where = f"Python {platform.python_version()} on {platform.machine()}, one core; `make bench` measures again."
        said = f"# Benchmarks\n\nMedians, each beside a yardstick run in the same minute. {where}"
        write_section("", f"{said}\n\n{text}")


if __name__ == "__main__":
    main()
