"""Figures of the bulk engine: `python -m benchmarks.bulk` prints a table, `--write` puts it into docs/benchmarks.md.

Each stands beside a yardstick of the same minute: a copy of as many pages of 4 KiB, and the running kernel's own query,
where it answers one. `--large` adds a machine of 32 million frames, 16 million of which move. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.page import markdown_table, write_section
from benchmarks.pipeline import seconds, two_nodes
from numakit import MPOL_MF_MOVE, PAGE_SIZE, Machine, Process
from numakit.tables import text_table

PAGES = 200_000
LARGE = 1 << 24
REPEATS = 5
HEAD = ("what", "measured", "aim", "beside the yardstick")
SYS_MOVE_PAGES = 279  #: on x86_64


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
    machine = Machine(two_nodes(2 * pages), scale=1, engine="bulk")
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
    return rows


def large_figures() -> list[tuple[str, ...]]:
    """16 million pages in one call, once each."""
    machine, process, addresses = touched(LARGE)
    nodes: Any = np.ones(LARGE, np.int64)
    taken = seconds(lambda: process.move_pages(0, addresses, nodes))
    again = machine.spawn("another", uid=0, node=0)
    area = again.mmap(LARGE)
    touch = seconds(lambda: again.write(area))
    return [
        ("16 million plain pages moved in one call", f"{taken:.1f} s", "1.5 s", f"{1e9 * taken / LARGE:.0f} ns a page"),
        ("16 million pages touched for the first time", f"{touch:.1f} s", "", f"{1e9 * touch / LARGE:.0f} ns a page"),
    ]


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
        write_section("The bulk engine", f"{told}\n\n{markdown_table(HEAD, rows)}")


if __name__ == "__main__":
    main()
