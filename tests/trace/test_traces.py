"""Traces: what they are made of, the workloads, and files that hold them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numakit import PAGE_SIZE
from numakit.trace import WORKLOADS, Trace, TraceError, interwoven, joined, read_csv, read_perf_script, stencil
from numakit.trace import readers as readers_module

PERF = """\
# comm pid/tid cpu time event addr
stream loop  101/102   [002]  4711.123456:          cpu/mem-loads,ldlat=30/P:     7f12a4001040
    stream  101/101 [000] 4711.123460:  1 cpu/mem-stores/P:  7f12a4002000 more words

  swapper     0/0     [001]  4711.123470:   cpu/mem-loads,ldlat=30/P:                0
  kworker    7     [001]  4711.123480:   cpu/mem-loads,ldlat=30/P: ffff888004711000
"""


def file_of(folder: Path, text: str) -> Path:
    """A file with that text."""
    path = folder / "trace.txt"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_is_the_same_for_the_same_seed_and_another_for_another(name: str) -> None:
    """All CPUs access, pages stay within their number; randomness is the seed's only."""
    make = WORKLOADS[name]
    first, same, other = (make(pages=20, accesses=3000, cpus=(0, 4, 8), random_seed=seed) for seed in (1, 1, 2))
    assert all((getattr(first, field) == getattr(same, field)).all() for field in ("pid", "cpu", "address", "write"))
    assert any((getattr(first, field) != getattr(other, field)).any() for field in ("address", "write"))
    assert (first.cpus, len(first), first.areas[0].pages) == ((0, 4, 8), 3000, 20)


def test_a_stencil_reads_its_neighbours_and_writes_only_its_own() -> None:
    """Thread 0 has pages 0 to 9, thread 1 pages 10 to 19: with a halo of 2 they meet on 8 to 11."""
    trace = stencil(pages=20, accesses=2000, cpus=(0, 1), halo=2)
    page = (trace.address - trace.address.min()) // PAGE_SIZE
    for cpu, own, seen in ((0, range(10), range(12)), (1, range(10, 20), range(8, 20))):
        assert set(page[trace.cpu == cpu].tolist()) == set(seen)
        assert set(page[(trace.cpu == cpu) & trace.write].tolist()) == set(own)


def test_areas_are_what_has_to_be_mapped() -> None:
    """A short gap lies inside, a long one ends the area; each process has its own."""
    page = np.array([1, 3, 3, 5000, 1])
    trace = Trace(np.array([7, 7, 7, 7, 9]), np.zeros(5, dtype=np.int64), page * PAGE_SIZE, page > 2)
    expected = [(7, PAGE_SIZE, 3), (7, 5000 * PAGE_SIZE, 1), (9, PAGE_SIZE, 1)]
    assert [tuple(area) for area in trace.areas] == expected


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([1], [0], [4095], [True]), "address=0xfff: 4096"),
        (([1], [0], [1 << 47], [True]), "address=0x800000000000: 4096"),
        (([1], [0, 1], [4096], [True]), "cpu: one value for each of the 1 accesses"),
        (([1], [0], [4096.5], [True]), "address: whole numbers are wanted"),
        (([1], [-1], [4096], [True]), "pid, cpu: numbers from 0 on"),
    ],
)
def test_arrays_that_are_no_trace_are_refused_by_name(arrays: tuple[list[float], ...], message: str) -> None:
    """The argument, the value, and what is allowed."""
    with pytest.raises(ValueError, match=message):
        Trace(*(np.array(array) for array in arrays))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cpus": ()}, r"cpus=\(\): one or more"),
        ({"cpus": (1, 1)}, r"cpus=\(1, 1\): one or more CPUs are wanted, each named once"),
        ({"pages": 1}, "pages=1: at least one for each of the 2 CPUs"),
        ({"accesses": 1}, "accesses=1: at least one"),
        ({"writes": 1.5}, "writes=1.5: a share"),
    ],
)
def test_workloads_refuse_what_cannot_be(arguments: dict[str, Any], message: str) -> None:
    """Each of them, with one clear exception."""
    sound: dict[str, Any] = {"pages": 10, "accesses": 100, "cpus": (0, 1)}
    for make in WORKLOADS.values():
        with pytest.raises(ValueError, match=message):
            make(**sound | arguments)
    for put_together in (joined, interwoven):
        with pytest.raises(ValueError, match="at least one is wanted"):
            put_together([])


def test_samples_of_perf_are_read_as_it_prints_them(tmp_path: Path) -> None:
    """Names with blanks, events with colons; samples without an address in user space are left out."""
    trace = read_perf_script(file_of(tmp_path, PERF))
    assert (trace.pid.tolist(), trace.cpu.tolist()) == ([101, 101], [2, 0])
    assert (trace.address.tolist(), trace.write.tolist()) == ([0x7F12A4001040, 0x7F12A4002000], [False, True])


def test_a_csv_file_is_read_back(tmp_path: Path) -> None:
    """Decimal and hexadecimal numbers."""
    trace = read_csv(file_of(tmp_path, "pid,cpu,address,write\n1,0,4096,1\n2,3,0x2000,0\n"))
    assert (trace.pid.tolist(), trace.address.tolist(), trace.write.tolist()) == ([1, 2], [4096, 8192], [True, False])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("pid,cpu,address\n", r"trace.txt, line 1: the first line has to be pid,cpu,address,write"),
        (
            "pid,cpu,address,write\n1,0,4096,1\n1,0,x,1\n",
            r"line 3: four whole numbers are wanted: '1,0,x,1'",
        ),
        ("pid,cpu,address,write\n1,0,4096,2\n", r"trace.txt, line 2: write=2: 0 to 1 are allowed"),
        ("pid,cpu,address,write\n1,0,1,1\n", r"trace.txt, line 2: address=1: 4096 to 140737488351231 are"),
        ("pid,cpu,address,write\n-1,0,4096,1\n", r"trace.txt, line 2: pid=-1"),
        ("pid,cpu,address,write\n" + "9" * 5000 + "\n", r"trace.txt, line 2: a line is longer than 4096"),
        ("pid,cpu,address,write\n", r"trace.txt: not one access"),
    ],
)
def test_a_broken_csv_file_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    """Nothing is guessed, nothing evaluated."""
    with pytest.raises(TraceError, match=message):
        read_csv(file_of(tmp_path, text))


def test_other_broken_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No sample, no text, no file, too many accesses."""
    with pytest.raises(TraceError, match=r"line 2: no sample as of .*: 'hello'"):
        read_perf_script(file_of(tmp_path, PERF.splitlines()[1] + "\nhello\n"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TraceError, match=r"line 1: no sample as of .*xff.*xfe"):
        read_perf_script(tmp_path / "binary")
    with pytest.raises(TraceError, match="No such file"):
        read_csv(tmp_path / "absent")
    monkeypatch.setattr(readers_module, "MOST_ACCESSES", 1)
    with pytest.raises(TraceError, match="line 3: more than 1 accesses"):
        read_perf_script(file_of(tmp_path, PERF))
