"""Files that hold traces are untrusted: any bytes give a trace, or one TraceError that names the line."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numakit import PAGE_SIZE
from numakit.trace import Trace, TraceError, read_csv, read_perf_script
from numakit.trace import readers as readers_module

Reader = Callable[[str | Path], Trace]
FIELDS = ("pid", "cpu", "address", "write")
HEAD = b"pid,cpu,address,write\n"
READERS: dict[str, Reader] = {"csv": read_csv, "perf script": read_perf_script}

#: Lines as perf prints them with several -F, on several processors: what is in them (pid, CPU, address, write).
SAMPLES = {
    # default fields of a load with -d -W, with data source, weight, ip, symbol and file; the name has a hyphen
    "chromium-browse   46572 [002] 544966.882384:      10000 \tcpu_core/MEM_UOPS_RETIRED.LOAD_LATENCY/: 7ffdf1391b0c"
    "     10268100142 |OP LOAD|LVL L1 hit|SNP None|TLB L1 or L2 hit|LCK No|BLK    N/A    5   7    0   7fad7c47425d"
    " [unknown] (/usr/lib64/libglib-2.0.so.0.8000.3)": (46572, 2, 0x7FFDF1391B0C, False),
    # the same without data source
    "gnome-control-c  534224 [023] 544951.816227:      10000 cpu_atom/MEM_UOPS_RETIRED.LOAD_LATENCY/:   7f0aaaa0aae0"
    "  [unknown] (/usr/lib64/libglib-2.0.so.0.8000.3)": (534224, 23, 0x7F0AAAA0AAE0, False),
    # -F comm,pid,tid,cpu,time,event,addr; a name with a blank, a bracket, and half a letter at its end
    "stream [1] \udcc3  101/102   [002]  4711.123456:    cpu/mem-loads,ldlat=30/P:     7f12a4001040": (
        *(101, 2, 0x7F12A4001040),
        False,
    ),
    # a store by the name of the event
    "          stream  101/101   [000]  4711.123460:          1       cpu/mem-stores/P:     7f12a4002000": (
        *(101, 0, 0x7F12A4002000),
        True,
    ),
    # AMD samples both with one event; the data source tells which
    "  a.out  3131/3131  [017] 12.000001:     ibs_op//:     55d0c0ffe010    68100144 |OP STORE|LVL L1 hit|SNP None": (
        *(3131, 17, 0x55D0C0FFE010),
        True,
    ),
    # -F pid,cpu,addr; the address happens to have no letter
    "  46572 [002]     784512340040": (46572, 2, 0x784512340040, False),
    # -F comm,pid,cpu,addr,ip
    ":46572   46572 [1023]     7f12a4001040     7fad7c47425d": (46572, 1023, 0x7F12A4001040, False),
}

#: What perf prints of samples that have no address of a process: these lines are passed over.
NO_ACCESS = [
    "",
    "   \t ",
    "# captured on    : Tue Nov  4 10:00:00 2025",
    "swapper     0/0     [001]  4711.123470:   cpu/mem-loads,ldlat=30/P:                0",
    "kworker/1:2     7     [001]  4711.123480:   cpu/mem-loads,ldlat=30/P: ffff888004711000",
    ":-1    -1/-1    [000]  4711.123480:   cpu/mem-loads,ldlat=30/P:     7f12a4001040",
]

#: What has an address that is none, or none at all.
BROKEN = [
    "ls 14753 [011]  3678.072400:      1      l1d-miss:         88000182 |OP LOAD|LVL L1 miss|SNP N/A",
    "  46572     7f12a4001040",
    "  46572 [002]",
    "  46572 [002] 7f12a400104g",
    "  46572 [-01] 7f12a4001040",
    "  46572 [002] 17f12a40010401040",
    "46572000000 [002] 7f12a4001040",
    "Samples: 10K of event 'cpu/mem-loads,ldlat=30/P'",
    "     7f12a4001040 main+0x10 (/usr/bin/a.out)",
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that the tests write again and again."""
    return tmp_path_factory.mktemp("traces") / "trace.txt"


@pytest.fixture(params=[64, readers_module.PIECE])
def piece(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Files are read in small pieces, and in large ones."""
    size: int = request.param
    monkeypatch.setattr(readers_module, "PIECE", size)
    monkeypatch.setattr(readers_module, "LONGEST_LINE", size)
    return size


def rows(trace: Trace | None) -> list[tuple[int, int, int, bool]]:
    """The accesses of a trace."""
    return [] if trace is None else list(zip(*(getattr(trace, name).tolist() for name in FIELDS), strict=True))


def read(reader: Reader, file: Path, text: bytes) -> list[tuple[int, int, int, bool]]:
    """What a reader makes of a text."""
    file.write_bytes(text)
    return rows(reader(file))


@pytest.mark.parametrize("line", SAMPLES)
def test_a_sample_is_read_as_perf_prints_it(file: Path, line: str) -> None:
    """By itself, and among lines without an access, with both kinds of line ends."""
    printed = line.encode(errors="surrogateescape")
    assert read(read_perf_script, file, printed) == [SAMPLES[line]]
    for end in (b"\n", b"\r\n"):
        text = end.join([other.encode() for other in NO_ACCESS] + [printed, b"", printed]) + end
        assert read(read_perf_script, file, text) == 2 * [SAMPLES[line]]


@pytest.mark.parametrize("line", BROKEN)
def test_a_line_of_perf_without_what_is_needed_is_refused(file: Path, line: str) -> None:
    """No guess is made; what comes before is kept."""
    good = "  46572 [002]     7f12a4001040\n"
    with pytest.raises(TraceError, match=r"trace.txt, line 3: (no sample as of|pid=)") as caught:
        read(read_perf_script, file, (good + "\n" + line + "\n" + good).encode())
    assert rows(caught.value.so_far) == [(46572, 2, 0x7F12A4001040, False)]


accesses = st.tuples(
    st.integers(0, (1 << 31) - 1),
    st.integers(0, (1 << 20) - 1),
    st.integers(PAGE_SIZE, (1 << 47) - PAGE_SIZE - 1),
    st.booleans(),
)


@given(st.lists(accesses, min_size=1), st.sampled_from(["{}", "0x{:x}", " {} ", "\t{}"]), st.booleans())
def test_what_was_written_as_csv_is_read_back(
    file: Path, trace: list[tuple[int, int, int, bool]], form: str, last: bool
) -> None:
    """Decimal and hexadecimal numbers, with blanks around them, with and without an end of the last line."""
    lines = [",".join(form.format(int(cell)) for cell in row) for row in trace]
    assert read(read_csv, file, HEAD + "\n".join(lines).encode() + b"\n" * last) == trace


@settings(max_examples=150)
@pytest.mark.usefixtures("piece")
@given(
    st.lists(
        st.one_of(
            st.sampled_from(list(SAMPLES) + NO_ACCESS + BROKEN).map(lambda line: line.encode(errors="surrogateescape")),
            st.sampled_from(
                [b"1,2,4096,1", b"1,0x2,0x1000,0", b"1,2,3,4", b"-1,2,4096,1", b"1,2,4096", b"1,2,4096,1,1"]
            ),
            st.binary(max_size=100),
            st.text("0123456789abcdef[]:/ ,x-\t\r").map(str.encode),
        )
    ),
    st.sampled_from([b"\n", b"\r\n", b"\r", b"\0"]),
    st.booleans(),
)
def test_any_bytes_give_a_trace_or_one_error_that_names_the_line(
    file: Path, lines: list[bytes], end: bytes, head: bool
) -> None:
    """The error keeps what stands before its line, and its line is refused by itself as well."""
    text = HEAD * head + end.join(lines)
    for reader in READERS.values():
        error = refusal(reader, file, text)
        message = str(error)
        if error is None or message.endswith(
            ("not one access in it", "the first line has to be pid,cpu,address,write")
        ):
            continue
        number = int(message.removeprefix(f"{file}, line ").split(":")[0])
        split = text.split(b"\n")
        if error.so_far is not None:
            assert rows(error.so_far) == read(reader, file, b"\n".join(split[: number - 1]))
        alone = refusal(reader, file, HEAD * (reader is read_csv) + split[number - 1])
        assert "line" in str(alone)


def refusal(reader: Reader, file: Path, text: bytes) -> TraceError | None:
    """Why a text is refused; None if there are accesses in it."""
    try:
        assert read(reader, file, text)
    except TraceError as error:
        return error
    return None


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize("reader", READERS)
def test_bounds_are_kept(file: Path, reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accesses, bytes, the length of a line: what stands before is kept."""
    line = b"1,2,4096,1\n" if reader == "csv" else b"1 [2] 1000\n"
    monkeypatch.setattr(readers_module, "MOST_ACCESSES", 10)
    head = HEAD * (reader == "csv")
    assert len(read(READERS[reader], file, head + 10 * line)) == 10
    first = 1 + len(head.splitlines())
    with pytest.raises(TraceError, match=f"line {first + 10}: more than 10 accesses") as caught:
        read(READERS[reader], file, head + 20 * line)
    assert len(rows(caught.value.so_far)) == 10
    long = b"#" * (readers_module.LONGEST_LINE + 1)
    for end in (b"", b"\n", b"\n" + line):
        with pytest.raises(TraceError, match=f"line {first + 1}: a line is longer than"):
            read(READERS[reader], file, head + line + long + end)
    monkeypatch.setattr(readers_module, "MOST_BYTES", 1000)
    with pytest.raises(TraceError, match="more than 1,000 bytes"):
        read(READERS[reader], file, head + line + b"\n" * 2000)


def test_memory_is_needed_for_accesses_only(file: Path) -> None:
    """Ten megabytes of comments take a piece's memory, a hundred thousand accesses little more than they are."""
    comment, sample = b"# nothing\n", b"  46572 [002]     7f12a4001040\n"
    for text, bytes_allowed in ((comment * 1_000_000 + sample, 20 << 20), (sample * 100_000, 30 << 20)):
        file.write_bytes(text)
        tracemalloc.start()
        read_perf_script(file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < bytes_allowed


def test_a_file_that_is_none_is_refused_by_its_name(tmp_path: Path) -> None:
    """A folder, nothing there."""
    for path, what in ((tmp_path, "Is a directory"), (tmp_path / "absent", "No such file")):
        for reader in READERS.values():
            with pytest.raises(TraceError, match=what):
                reader(path)


def test_traces_of_pieces_are_one_trace(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same file, however it is cut."""
    draw = np.random.default_rng(1)
    lines = [f"{pid},{cpu},{4096 + pid * cpu},{cpu & 1}\n" for pid, cpu in draw.integers(0, 1000, (500, 2)).tolist()]
    text = HEAD + "".join(lines).encode()
    whole = read(read_csv, file, text)
    for size in (30, 31, 100, 997):
        monkeypatch.setattr(readers_module, "PIECE", size)
        assert read(read_csv, file, text) == whole
