"""Access traces from files: CSV, and what ``perf script`` prints of memory samples.

Files are untrusted. They are read in pieces, so that only the accesses need memory; bytes, accesses and the length of
lines are bounded; and what is no access is refused with file and line. What was read until there is not lost.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np

from numakit.abi import PAGE_SIZE
from numakit.trace.trace import HIGHEST, Integers, Trace, joined

MOST_BYTES = 1 << 33
MOST_ACCESSES = 20_000_000
LONGEST_LINE = 4096  #: bytes
PIECE = 1 << 18  #: bytes that are looked at together
SHOWN = 60  #: bytes of a broken line in a message
MOST_PIDS, MOST_CPUS = 1 << 31, 1 << 20

#: Makes a trace of whole lines; raises _Refused if one of them is none.
Parse: TypeAlias = Callable[[bytes], Trace]


class TraceError(ValueError):
    """A file that is no access trace: the message names file, line and what was wanted. ``so_far``: the accesses
    before that line, None where there are none.
    """

    def __init__(self, message: str, so_far: Trace | None = None) -> None:
        super().__init__(message)
        self.so_far = so_far


class _Refused(Exception):
    """Lines that are none: what was wanted."""


CSV_HEAD = b"pid,cpu,address,write"
NUMBER = rb"[ \t]*(-?(?:0x[0-9a-fA-F]{1,15}|\d{1,18}))[ \t]*"
CSV_PLAIN = re.compile(rb"(?:\d{1,18},\d{1,18},\d{1,18},[01]\n)*\d{1,18},\d{1,18},\d{1,18},[01]")  #: as programs write
CSV_LINE = re.compile(rb"^(?:[ \t]*|" + b",".join([NUMBER] * 4) + rb")\r?$", re.MULTILINE)


def read_csv(path: str | Path) -> Trace:
    """A trace from a CSV file with the columns pid, cpu, address and write, named in its first line.

    Numbers are decimal or begin with 0x; write is 0 or 1. Empty lines are left out. Raises TraceError with the line
    that is wrong.
    """
    return _read(path, _parse_csv, CSV_HEAD)


def _parse_csv(text: bytes) -> Trace:
    if CSV_PLAIN.fullmatch(text):
        numbers = np.loadtxt(BytesIO(text), dtype=np.int64, delimiter=",", ndmin=2).T
    else:
        rows = [row for row in _rows(CSV_LINE, text, "four whole numbers are wanted") if row[0]]
        numbers = _array([[int(cell, 16 if b"x" in cell else 10) for cell in row] for row in rows]).reshape(-1, 4).T
    pid, cpu, address, write = numbers
    _within(write, "write", 0, 2)
    _within(address, "address", PAGE_SIZE, HIGHEST)
    return _trace(pid, cpu, address, write)


#: comm, pid or pid/tid, [cpu], time, period, event, address, and whatever follows: comm may have blanks, events colons.
#: Each but pid, cpu and address may be missing. A number before "|OP" is the data source of a sample without address.
PERF_LINE = re.compile(
    rb"^(?:[ \t]*|#.*|(?:.*?[ \t])??(?P<pid>-?\d{1,10})(?:/-?\d{1,10})?[ \t]+\[(?P<cpu>\d{1,7})\][ \t]+"
    rb"(?:\d{1,15}\.\d{1,9}:[ \t]+)?+(?:(?:\d{1,20}[ \t]+)?(?P<event>\S{1,200}):[ \t]+)?+"
    rb"(?P<address>[0-9a-f]{1,16})(?![ \t]+\|OP )(?P<more>[ \t].*)?)\r?$",
    re.MULTILINE,
)


def read_perf_script(path: str | Path) -> Trace:
    """A trace from the text that ``perf script -F comm,pid,tid,cpu,time,event,addr,data_src`` prints of memory samples.

    Record them with ``perf mem record`` or ``perf record -d -e ...``. Of the fields pid, cpu and addr are needed, pid
    because perf's own choice prints threads, which would be processes then. A sample whose event has "store" in its
    name, or whose data source says so, is a write. Samples without an address in user space (perf prints 0) are left
    out, comments and empty lines too. Raises TraceError with the line that is no sample. Source: perf-script(1),
    perf-mem(1).
    """
    return _read(path, _parse_perf_script)


def _parse_perf_script(text: bytes) -> Trace:
    rows = [row for row in _rows(PERF_LINE, text, "no sample as of 'comm pid/tid [cpu] time: event: addr'") if row[0]]
    samples = [
        (int(pid), int(cpu), at, b"|OP STORE" in more or b"store" in event.lower())
        for pid, cpu, event, address, more in rows
        if PAGE_SIZE <= (at := int(address, 16)) < HIGHEST and not pid.startswith(b"-")
    ]
    return _trace(*_array(samples).reshape(-1, 4).T)


def _rows(line: re.Pattern[bytes], text: bytes, wanted: str) -> list[tuple[bytes, ...]]:
    """What the groups of the pattern found in each line. Raises _Refused if it does not fit all of them."""
    rows: list[tuple[bytes, ...]] = line.findall(text)
    if len(rows) != text.count(b"\n") + 1:
        raise _Refused(f"{wanted}: {text[:SHOWN].decode(errors='backslashreplace')!r}")
    return rows


def _array(rows: Sequence[Sequence[int]]) -> Integers:
    return np.array(rows, dtype=np.int64)


def _within(column: Integers, name: str, low: int, high: int) -> None:
    """Raise _Refused for a number that is not allowed."""
    wrong = column[(column < low) | (column >= high)]
    if len(wrong):
        raise _Refused(f"{name}={wrong[0]}: {low} to {high - 1} are allowed")


def _trace(pid: Integers, cpu: Integers, address: Integers, write: Integers) -> Trace:
    """Columns as a trace. Raises _Refused for processes and CPUs that cannot be."""
    _within(pid, "pid", 0, MOST_PIDS)
    _within(cpu, "cpu", 0, MOST_CPUS)
    return Trace(pid.copy(), cpu.copy(), address.copy(), write.astype(np.bool_))


class _Reading:
    """A file that is being read: the accesses until now, and how many lines they took."""

    def __init__(self, path: str | Path, parse: Parse) -> None:
        self.path, self.parse = path, parse
        self.kept: list[Trace] = []
        self.lines = self.accesses = 0

    @property
    def so_far(self) -> Trace | None:
        """The accesses until now."""
        return joined(self.kept) if self.accesses else None

    def take(self, text: bytes) -> None:
        """Read whole lines. If one of them is none, those before it are read, and TraceError names it."""
        try:
            self._take(text)
        except _Refused as refusal:
            lines = text.split(b"\n")
            if len(lines) == 1:
                raise TraceError(f"{self.path}, line {self.lines + 1}: {refusal}", self.so_far) from None
            for line in lines:
                self.take(line)
            raise AssertionError(f"lines that are refused together and not alone: {refusal}") from None

    def _take(self, text: bytes) -> None:
        if max(map(len, text.split(b"\n"))) > LONGEST_LINE:
            raise _Refused(f"a line is longer than {LONGEST_LINE} bytes")
        trace = self.parse(text)
        if self.accesses + len(trace) > MOST_ACCESSES:
            raise _Refused(f"more than {MOST_ACCESSES:,} accesses")
        self.kept.append(trace)
        self.accesses += len(trace)
        self.lines += text.count(b"\n") + 1


def _read(path: str | Path, parse: Parse, head: bytes | None = None) -> Trace:
    """The trace in a file. Raises TraceError for what is none."""
    reading = _Reading(path, parse)
    try:
        with Path(path).open("rb") as file:
            if head is not None:
                if file.readline(LONGEST_LINE).rstrip(b"\r\n") != head:
                    raise TraceError(f"{path}, line 1: the first line has to be {head.decode()}")
                reading.lines = 1
            for text in _pieces(file):
                reading.take(text)
                if file.tell() > MOST_BYTES:
                    raise TraceError(f"{path}: more than {MOST_BYTES:,} bytes", reading.so_far)
    except OSError as error:
        raise TraceError(f"{path}: {error.strerror}", reading.so_far) from None
    trace = reading.so_far
    if trace is None:
        raise TraceError(f"{path}: not one access in it")
    return trace


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Whole lines, many at a time, without the last end of line; one that does not end is handed on, to be refused."""
    rest = b""
    while data := file.read(PIECE):
        whole, end, rest = (rest + data).rpartition(b"\n")
        if end:
            yield whole
        elif len(rest) > LONGEST_LINE:
            yield rest
    if rest:
        yield rest
