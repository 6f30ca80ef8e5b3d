"""Access traces from files: CSV, and what ``perf script`` prints of memory samples. Files are untrusted: bounded, and
refused with file and line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from numakit.abi import PAGE_SIZE
from numakit.trace.trace import HIGHEST, Trace

MOST_ACCESSES = 20_000_000
LONGEST_LINE = 4096  #: characters
COLUMNS = ["pid", "cpu", "address", "write"]
Row = tuple[int, int, int, bool]


class TraceError(ValueError):
    """A file that is no access trace: the message names file, line and what was wanted."""


def read_csv(path: str | Path) -> Trace:
    """A trace from a CSV file with the columns pid, cpu, address and write, named in its first line.

    Numbers are decimal or begin with 0x; write is 0 or 1. Raises TraceError with the line that is wrong.
    """

    def rows(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Row]]:
        _, header = next(lines, (1, ""))
        if next(csv.reader([header]), []) != COLUMNS:
            raise _wrong(path, 1, f"the first line has to be {','.join(COLUMNS)}")
        for number, line in lines:
            cells = next(csv.reader([line]), [])
            try:
                pid, cpu, address, write = (int(cell, 0) for cell in cells)
            except ValueError:
                raise _wrong(path, number, f"four whole numbers are wanted: {line[:60]!r}") from None
            if write not in (0, 1):
                raise _wrong(path, number, f"write={write}: 0 or 1 is wanted")
            yield number, (pid, cpu, address, bool(write))

    return _trace(path, rows(_lines(path)))


#: comm, pid or pid/tid, [cpu], time, perhaps a period, event, address; comm may have blanks, events colons.
SAMPLE = re.compile(
    r"^\s*.*?\s(?P<pid>\d{1,10})(?:/\d{1,10})?\s+\[(?P<cpu>\d{1,6})\]\s+\d{1,15}\.\d{1,9}:\s+(?:\d{1,20}\s+)?"
    r"(?P<event>\S{1,200}):\s+(?P<address>[0-9a-f]{1,16})(?:\s|$)"
)


def read_perf_script(path: str | Path) -> Trace:
    """A trace from the text that ``perf script -F comm,pid,tid,cpu,time,event,addr`` prints of memory samples.

    Record them with ``perf mem record`` or ``perf record -d -e ...``. An event whose name has "store" in it is a write.
    Samples without an address in user space (perf prints 0) are left out, comments and empty lines too. Raises
    TraceError with the line that is no sample. Source: perf-script(1), perf-mem(1).
    """

    def rows(lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, Row]]:
        for number, line in lines:
            if not line.strip() or line.startswith("#"):
                continue
            sample = SAMPLE.match(f" {line}")
            if sample is None:
                raise _wrong(path, number, f"no sample as of 'comm pid/tid [cpu] time: event: addr': {line[:60]!r}")
            address = int(sample["address"], 16)
            if PAGE_SIZE <= address < HIGHEST:
                yield number, (int(sample["pid"]), int(sample["cpu"]), address, "store" in sample["event"].lower())

    return _trace(path, rows(_lines(path)))


def _lines(path: str | Path) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers. Raises TraceError for what is no text, or has too long lines."""
    try:
        with Path(path).open(encoding="utf-8", newline="") as file:
            number = 0
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE:
                    raise _wrong(path, number, f"a line is longer than {LONGEST_LINE} characters")
                yield number, line.rstrip("\r\n")
    except UnicodeDecodeError:
        raise TraceError(f"{path}: no text (UTF-8 is wanted)") from None
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}") from None


def _trace(path: str | Path, rows: Iterable[tuple[int, Row]]) -> Trace:
    """The rows as a trace. Raises TraceError for numbers out of range, for too many rows, and for none."""
    kept: list[Row] = []
    for number, row in rows:
        pid, cpu, address, _ = row
        if not (0 <= pid < 1 << 31 and 0 <= cpu < 1 << 20):
            raise _wrong(path, number, f"pid={pid}, cpu={cpu}: numbers from 0 on, below 2**31 and 2**20, are wanted")
        if not PAGE_SIZE <= address < HIGHEST:
            raise _wrong(path, number, f"address={address:#x}: {PAGE_SIZE} to {HIGHEST:#x} are allowed")
        if len(kept) == MOST_ACCESSES:
            raise _wrong(path, number, f"more than {MOST_ACCESSES:,} accesses")
        kept.append(row)
    if not kept:
        raise TraceError(f"{path}: not one access in it")
    pids, cpus, addresses, writes = np.array(kept, dtype=np.int64).T
    return Trace(pids, cpus, addresses, writes.astype(np.bool_))


def _wrong(path: str | Path, line: int, what: str) -> TraceError:
    return TraceError(f"{path}, line {line}: {what}")
