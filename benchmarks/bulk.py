"""Figures of the bulk engine: `python -m benchmarks.bulk` prints a table, `--write` puts it into docs/benchmarks.md.

Each stands beside a yardstick of the same minute: a copy of as many pages of 4 KiB, and the running kernel's own query,
where it answers one. All times are the processor's. `--large` adds machines of 32 million frames and more, and calls of
16 million pages. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import mmap
import resource
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np

from benchmarks.page import markdown_table, write_section
from benchmarks.pipeline import two_nodes
from numakit import MPOL_BIND, MPOL_MF_MOVE, PAGE_SIZE, Machine, Process
from numakit.tables import text_table

PAGES, MILLION = 200_000, 1_000_000
LARGE = 1 << 24
REPEATS = 5
HEAD = ("what", "measured", "aim", "beside the yardstick")
SHORT = """What falls short of its aim, and why. A plain page costs some thirty reads and writes of single fields,
which numpy makes one field after the other, at one to three nanoseconds each where they are scattered: that leaves
about half of the ten times that were wanted. 16 million pages have gigabytes of fields, which no cache holds; one and
the same call took from 1.0 to 1.9 s with plain pages, from 5.3 to 6.2 s with mixed ones. The query in order comes near
its twenty times. Pages that are handed over one by one take as long as in steps: of files, in swap, pinned, and all
those for which a full node has no frame."""
SYS_MOVE_PAGES = 279  #: on x86_64


def seconds(work: Callable[[], object]) -> float:
    """How long a piece of work keeps the processor, once, with the garbage collector quiet: others on the machine do
    not count.
    """
    gc.collect()
    gc.disable()
    begin = time.process_time()
    work()
    end = time.process_time()
    gc.enable()
    return end - begin


def median(work: Callable[[], object]) -> float:
    """The median of several runs of the same work, after one that is not counted."""
    work()
    return statistics.median(seconds(work) for _ in range(REPEATS))


def copied(order: Any) -> float:
    """Seconds a page for copying pages of 4 KiB to new places, in an order."""
    source, target = np.ones((len(order), PAGE_SIZE // 8)), np.ones((len(order), PAGE_SIZE // 8))
    return median(lambda: np.take(source, order, axis=0, out=target, mode="clip")) / len(order)


def asked(order: Any) -> float | None:
    """Seconds a page for the running kernel's move_pages(2) query; None where it does not answer."""
    memory = mmap.mmap(-1, len(order) * PAGE_SIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    for i in range(len(order)):
        memory[i * PAGE_SIZE] = 1
    pages = start + PAGE_SIZE * np.asarray(order, dtype=np.uint64)
    status = np.zeros(len(order), np.int32)
    libc = ctypes.CDLL(None, use_errno=True)
    arguments = [ctypes.c_void_p(place) for place in (pages.ctypes.data, None, status.ctypes.data)]
    number = ctypes.c_ulong(len(order))

    def query() -> int:
        return int(libc.syscall(SYS_MOVE_PAGES, 0, number, *arguments, 0))

    return None if query() else median(query) / len(order)


def touched(pages: int) -> tuple[Machine, Process, Any]:
    """A process whose pages lie on node 0, and their addresses, on two nodes that have room for all of them."""
    machine = Machine(two_nodes(pages + pages // 8 + 64), scale=1, engine="bulk")
    process = machine.spawn("worker", uid=0, node=0)
    area = process.mmap(pages)
    process.write(area)
    return machine, process, np.arange(area.start, area.end, PAGE_SIZE)


def mixture(pages: int) -> tuple[Process, Any]:
    """A tenth each of shared, absent, zero and other areas' pages and of addresses named twice; the rest is plain."""
    machine = Machine(two_nodes(pages + 64), scale=1, engine="bulk")
    process = machine.spawn("worker", uid=0, node=0)
    areas = [process.mmap(pages // 10) for _ in range(6)]
    process.write(areas[0])
    process.fork("child")
    process.read(areas[1])
    plain = process.mmap(pages // 2)
    for area in (areas[2], areas[3], plain):
        process.write(area)
    addresses = np.concatenate([np.arange(area.start, area.end, PAGE_SIZE) for area in (*areas[:5], plain)])
    addresses[-(pages // 10) :] = addresses[pages // 2 :][: pages // 10]
    return process, np.random.default_rng(1).permutation(addresses)


def back_and_forth(process: Process, addresses: Any) -> float:
    """Seconds a page for moving all pages to the other node, and back, and so on."""
    node = [0]

    def move() -> None:
        node[0] = 1 - node[0]
        nodes: Any = np.full(len(addresses), node[0])
        process.move_pages(0, addresses, nodes, MPOL_MF_MOVE)

    return median(move) / len(addresses)


def whole_process(copy: float) -> list[tuple[str, ...]]:
    """A million pages that lie on one node, moved to the other by calls that name a process or a range, and back."""
    _, process, _ = touched(MILLION)
    area, turn = process.vmas[0], count()

    def migrate() -> None:
        source = next(turn) % 2
        process.migrate_pages(0, [source], [1 - source])

    def bind() -> None:
        process.mbind(area, MPOL_BIND, [1 - next(turn) % 2], MPOL_MF_MOVE)

    return [
        (f"a page moved by {name}, of a million", *ratio(copy, median(call) / MILLION, ""))
        for name, call in (("migrate_pages(2)", migrate), ("mbind()", bind))
    ]


def ratio(yardstick: float | None, taken: float, aim: str) -> tuple[str, str, str]:
    """Measured, aim, and how many times faster than the yardstick."""
    return f"{1e9 * taken:.0f} ns", aim, f"{yardstick / taken:.1f} times" if yardstick else "no answer here"


def figures() -> list[tuple[str, ...]]:
    """Moves and queries, a page."""
    in_order, scattered = np.arange(PAGES), np.random.default_rng(2).permutation(PAGES)
    copy, copy_scattered = copied(in_order), copied(scattered)
    _, process, addresses = touched(PAGES)
    mixed, names = mixture(PAGES)
    rows: list[tuple[str, ...]] = [
        ("yardstick: a page of 4 KiB copied, in order", f"{1e9 * copy:.0f} ns", "", "1"),
        ("yardstick: a page of 4 KiB copied, scattered", f"{1e9 * copy_scattered:.0f} ns", "", "1"),
        ("a plain page moved, in order", *ratio(copy, back_and_forth(process, addresses), "")),
        ("a plain page moved, scattered", *ratio(copy_scattered, back_and_forth(process, addresses[scattered]), "10")),
        ("a page of a mixture moved, scattered", *ratio(copy_scattered, back_and_forth(mixed, names), "4")),
    ]
    for order, aim, name in ((in_order, "20", "in order"), (scattered, "5", "scattered")):
        some = addresses[order]
        taken = median(lambda some=some: process.move_pages(0, some)) / PAGES  # type: ignore[misc]
        rows.append((f"a page asked for, {name}", *ratio(asked(order), taken, f"{aim} (the running kernel's query)")))
    return rows + whole_process(copy)


class Large(NamedTuple):
    """What a call of millions of pages took: seconds, entries, and the peak of memory as a share of the machine's."""

    taken: float
    entries: int
    peak: float


def bytes_of(machine: Machine) -> int:
    """The memory of a machine: its frames, page tables and counters."""
    return sum(np.asarray(array).nbytes for array in machine.arrays if array is not None)


def large_move(mixed: bool) -> Large:
    """Move millions of pages in one call; to be called in a process of its own, for its peak of memory."""
    if mixed:
        process, addresses = mixture(LARGE)
        machine = process.machine
    else:
        machine, process, addresses = touched(LARGE)
    nodes: Any = np.ones(len(addresses), np.int64)
    taken = seconds(lambda: process.move_pages(0, addresses, nodes))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Large(taken, len(addresses), peak / bytes_of(machine))


def large_touch() -> Large:
    """Write to millions of pages for the first time."""
    machine = Machine(two_nodes(LARGE + 64), scale=1, engine="bulk")
    process = machine.spawn("worker", node=0)
    area = process.mmap(LARGE)
    taken = seconds(lambda: process.write(area))
    return Large(taken, LARGE, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / bytes_of(machine))


def large_figures() -> list[tuple[str, ...]]:
    """16 million pages in one call, once each."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as alone:
        plain, mixed = (alone.submit(large_move, kind) for kind in (False, True))
        measured = [
            ("16 million plain pages moved in one call", "1.5 s", plain.result()),
            ("16 million pages of a mixture moved in one call", "5 s", mixed.result()),
            ("16 million pages touched for the first time", "", alone.submit(large_touch).result()),
        ]
    rows: list[tuple[str, ...]] = []
    for what, aim, large in measured:
        a_page = f"{1e9 * large.taken / large.entries:.0f} ns a page"
        rows.append((what, f"{large.taken:.1f} s", aim, f"{a_page}, peak {large.peak:.1f} times the machine's memory"))
    return rows


def main() -> None:
    """Print the table or write it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into docs/benchmarks.md")
    parser.add_argument("--large", action="store_true", help="also 16 million pages in one call (needs 4 GiB)")
    options = parser.parse_args()
    rows = [*figures(), *(large_figures() if options.large else [])]
    print(text_table(HEAD, rows))
    if options.write:
        told = f"Calls of {PAGES:,} pages on kernel `seed`, nobody recording. Times faster than the yardstick, a page."
        told += " Calls of 16 million pages were made once." if options.large else ""
        write_section("The bulk engine", f"{told}\n\n{markdown_table(HEAD, rows)}\n\n{SHORT}")


if __name__ == "__main__":
    main()
