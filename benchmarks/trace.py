"""Figures of traces: `python -m benchmarks.trace` prints tables, `--write` puts them into docs/benchmarks.md.

A replay of 10 million accesses stands beside libCacheSim's over the same pages in the same minute (`pip install
libcachesim`; without it there is no number): its quickest cache, FIFO, with room for all pages, so that both look up
the page of each access and count. Readers of files stand beside numpy's own of the same numbers. Times are those of the
processor, the fastest of several runs, as others use the machine, too. Nothing here is a test.
"""

from __future__ import annotations

import argparse
import gc
import tempfile
import time
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.page import markdown_table, write_section
from numakit import PAGE_SIZE, Machine, Topology
from numakit.abi import PAGE_SHIFT
from numakit.tables import text_table
from numakit.trace import WORKLOADS, Policy, Profiler, Stay, Trace, read_csv, read_perf_script, replay

PAGES, MANY_PAGES = 1 << 14, 1 << 18
ACCESSES = 10_000_000
LINES = 200_000  #: of a file that is read
EPOCH = 1_000_000  #: so that a page is accessed some sixty times between two decisions
CPUS = (0, 8)  #: one on each node of the preset
REPEATS = 4
POLICIES: tuple[Policy, ...] = (Stay(), Profiler())
REPLAY_HEAD = ("trace", "libCacheSim, FIFO", "nobody moves pages", "beside it", "the profiler of 2006", "beside it")
READER_HEAD = ("file", "read", "beside numpy.loadtxt of the same numbers")

#: a record of libCacheSim's format oracleGeneral
RECORD = np.dtype([("time", "<u4"), ("object", "<u8"), ("size", "<u4"), ("next", "<i8")])


def fastest(prepare: Callable[[], Callable[[], object]]) -> float:
    """Seconds of processor time, the least of some runs; ``prepare`` makes the work anew for each."""
    took = []
    for _ in range(REPEATS):
        work = prepare()
        gc.collect()
        begin = time.process_time()
        work()
        took.append(time.process_time() - begin)
    return min(took)


def libcachesim(trace: Trace, folder: Path) -> float:
    """Accesses a second of libCacheSim, from a file in its own format; not a number where it is not installed."""
    if find_spec("libcachesim") is None:
        return float("nan")
    library: Any = import_module("libcachesim")
    records = np.zeros(len(trace), dtype=RECORD)
    records["object"], records["size"], records["next"] = trace.address >> PAGE_SHIFT, 1, -1
    path = folder / "trace.oracleGeneral"
    records.tofile(path)

    def prepare() -> Callable[[], object]:
        kind, settings = library.TraceType.ORACLE_GENERAL_TRACE, library.ReaderInitParam(ignore_obj_size=True)
        reader = library.TraceReader(trace=str(path), trace_type=kind, reader_init_params=settings)
        cache = library.FIFO(cache_size=2 * MANY_PAGES)
        return lambda: cache.process_trace(reader)

    return len(trace) / fastest(prepare)


def replayed(trace: Trace, policy: Policy) -> tuple[float, int]:
    """Accesses a second of a replay, and how many pages the policy moved."""
    moved = []

    def prepare() -> Callable[[], object]:
        machine = Machine(Topology.preset("two-sockets"), scale=1)
        return lambda: moved.append(replay(machine, trace, policy, epoch=EPOCH).moved)

    return len(trace) / fastest(prepare), moved[0]


def replay_row(name: str, pages: int, folder: Path) -> list[str]:
    """A workload: libCacheSim's speed, and that of a replay with each policy."""
    trace = WORKLOADS[name](pages=pages, accesses=ACCESSES, cpus=CPUS)
    standard = libcachesim(trace, folder)
    row = [f"{name}, {pages * PAGE_SIZE >> 20} MiB", f"{standard / 1e6:.1f} M/s"]
    for policy in POLICIES:
        rate, moved = replayed(trace, policy)
        row += [f"{rate / 1e6:.1f} M/s" + (f", {moved:,} pages moved" if moved else ""), f"{rate / standard:.2f}"]
    return row


def below_half(row: list[str]) -> bool:
    """Whether one of the policies was slower than half of libCacheSim's speed."""
    return any(float(ratio) < 0.5 for ratio in row[3::2])


def reader_rows(folder: Path) -> list[list[str]]:
    """Lines a second that are read, beside numpy, which looks at nothing but numbers."""
    trace = WORKLOADS["zipf"](pages=PAGES, accesses=LINES, cpus=CPUS)
    columns = list(zip(*(getattr(trace, field).tolist() for field in ("pid", "cpu", "address", "write")), strict=True))
    numbers = folder / "numbers.csv"
    numbers.write_text("".join(f"{pid},{cpu},{address},{write:d}\n" for pid, cpu, address, write in columns))
    standard = LINES / fastest(lambda: lambda: np.loadtxt(numbers, dtype=np.int64, delimiter=","))
    table = folder / "trace.csv"
    table.write_text("pid,cpu,address,write\n" + numbers.read_text())
    samples = folder / "perf.txt"
    samples.write_text(
        "".join(
            f"            stream {pid:7}/{pid:<7} [{cpu:03}] {4711 + i / 1e6:.6f}: "
            f"         cpu/mem-{'stores' if write else 'loads,ldlat=30'}/P:     {address:x}\n"
            for i, (pid, cpu, address, write) in enumerate(columns)
        )
    )
    rows = []
    for what, read, path in (("CSV", read_csv, table), ("perf script", read_perf_script, samples)):
        rate = LINES / fastest(lambda read=read, path=path: lambda: read(path))  # type: ignore[misc]
        rows.append([f"{what}, {LINES:,} lines", f"{rate / 1e6:.2f} M lines/s", f"{rate / standard:.2f}"])
    return rows


def main() -> None:
    """Print the tables or write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        replays = [replay_row(name, PAGES, Path(folder)) for name in WORKLOADS]
        replays += [replay_row(name, MANY_PAGES, Path(folder)) for name in ("streaming", "zipf")]
        readers = reader_rows(Path(folder))
    print(text_table(REPLAY_HEAD, replays), text_table(READER_HEAD, readers), sep="\n\n")
    if arguments.write:
        said = (
            f"{ACCESSES:,} accesses by two threads, first touch and the policy's calls included, in epochs of {EPOCH:,}"
            " accesses. libCacheSim looks for each page in a cache "
            "that has room for all of them; the aim is half of its speed. Processor time, the fastest of "
            f"{REPEATS} runs each. Below half: {', '.join(row[0] for row in replays if below_half(row)) or 'none'}."
        )
        text = f"{said}\n\n{markdown_table(REPLAY_HEAD, replays)}\n\n{markdown_table(READER_HEAD, readers)}"
        write_section("Traces", text)


if __name__ == "__main__":
    main()
