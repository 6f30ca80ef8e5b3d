"""numa_maps as kernels from 2.6.18 to 6.12 write it is read; what is no numa_maps is refused with file and line."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from numakit.numa_maps import MAX_LINE, NumaArea, NumaMapsError, parse_numa_maps, read_numa_maps

#: Written by hand in the way of each kernel: the words, not the numbers, are what matters.
OF_2006 = r"""
00400000 default file=/usr/bin/solver mapped=210 mapmax=4 active=180 N0=70 N1=140
0a300000 prefer=3 heap anon=96 dirty=90 swapcache=2 active=60 N2=1 N3=95
2b0000000000 interleave=0-3 anon=4000 dirty=4000 N0=1000 N1=1000 N2=1000 N3=1000
2b1000000000 bind=0,2 file=/dev/zero\040(deleted) anon=12 dirty=12 writeback=1 N0=6 N2=6
2b2000000000 default file=/huge/pool huge dirty=8 N1=8
7fff10000000 default stack anon=5 dirty=5 N0=5
7fff20000000 default
"""
OF_3_10 = r"""
00400000 default file=/opt/a\040b/it\075s\012new mapped=3 mapmax=2 N0=3
7f2000000000 bind=relative:0-1 anon=2 dirty=2 N0=1 N1=1
7f2100000000 interleave=static:0,2-3 anon=9 dirty=9 active=0 N0=3 N2=3 N3=3
7f2200000000 default stack:4242 anon=3 dirty=3 N0=3
"""
OF_6_12 = r"""
55d000000000 default file=/usr/bin/python3.12 mapped=700 mapmax=3 N0=700 kernelpagesize_kB=4
55d100000000 prefer (many):0-1 heap anon=300 dirty=300 active=200 N0=180 N1=120 kernelpagesize_kB=4
7f4000000000 weighted interleave:0-2 anon=64 dirty=64 N0=32 N1=16 N2=16 kernelpagesize_kB=4
7f4100000000 weighted interleave=balancing:0-2
7f4200000000 prefer (many)=static:4 anon=1 dirty=1 N4=1 kernelpagesize_kB=4
7f4300000000 local file=/anon_hugepage\040(deleted) huge anon=2 dirty=2 N1023=2 kernelpagesize_kB=2048
7f4400000000 bind=static|balancing:8 anon=1 dirty=1 N8=1 kernelpagesize_kB=16
"""


def read(text: str) -> list[NumaArea]:
    """The areas of a sample."""
    return list(parse_numa_maps(text.strip() + "\n"))


def one(line: str) -> NumaArea:
    """The area of one line."""
    (area,) = parse_numa_maps(line)
    return area


@pytest.mark.parametrize(
    ("sample", "policies"),
    [
        (OF_2006, ["default", "prefer=3", "interleave=0-3", "bind=0,2", "default", "default", "default"]),
        (OF_3_10, ["default", "bind=relative:0-1", "interleave=static:0,2-3", "default"]),
        (
            OF_6_12,
            [
                "default",
                "prefer (many):0-1",
                "weighted interleave:0-2",
                "weighted interleave=balancing:0-2",
                "prefer (many)=static:4",
                "local",
                "bind=static|balancing:8",
            ],
        ),
    ],
)
def test_policies_of_all_kernels_are_told_from_fields(sample: str, policies: list[str]) -> None:
    """They have blanks and equals signs, as fields have."""
    areas = read(sample)
    assert [area.policy for area in areas] == policies
    assert all(area.others == {} for area in areas)


def test_every_field_is_read() -> None:
    """With the numbers that stand there; what a line does not tell is None."""
    heap = read(OF_2006)[1]
    assert (heap.start, heap.heap, heap.stack, heap.huge, heap.file) == (0x0A300000, True, False, False, None)
    assert (heap.anon, heap.dirty, heap.swapcache, heap.active) == (96, 90, 2, 60)
    assert (heap.mapped, heap.mapmax, heap.writeback, heap.page_size) == (None, None, None, None)
    assert (heap.nodes, heap.pages) == ({2: 1, 3: 95}, 96)
    program, written = read(OF_2006)[0], read(OF_2006)[3]
    assert (program.mapped, program.mapmax, written.writeback) == (210, 4, 1)


def test_an_area_without_pages_is_read() -> None:
    """Its line has an address and a policy."""
    assert one("7fff20000000 default") == NumaArea(0x7FFF20000000, "default")
    assert one("7fff20000000 default\r\n").pages == 0


def test_stack_of_a_thread_is_a_stack() -> None:
    """For some years it was told whose."""
    assert [area.stack for area in read(OF_2006)] == [False] * 5 + [True, False]
    assert [area.stack for area in read(OF_3_10)] == [False, False, False, True]


def test_size_of_pages_is_in_bytes() -> None:
    """Counts are of pages of that size."""
    sizes = [area.page_size for area in read(OF_6_12)]
    assert sizes == [4096, 4096, 4096, None, 4096, 2 << 20, 16384]
    assert [area.huge for area in read(OF_6_12)].index(True) == 5


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (r"/a\040b", "/a b"),
        (r"/it\075s\012new\011tab", "/it=s\nnew\ttab"),
        (r"/memfd:x\040(deleted)", "/memfd:x (deleted)"),
        (r"/back\slash\04", r"/back\slash\04"),
        (r"/\134", "/\\"),
        ("/größe", "/größe"),
        ("", ""),
    ],
)
def test_names_of_files_lose_their_escapes(written: str, name: str) -> None:
    """Octal numbers of three digits behind a backslash, and nothing else."""
    assert one(f"1000 default file={written} mapped=1 N0=1").file == name


def test_bytes_of_a_name_that_are_no_text_are_kept(tmp_path: Path) -> None:
    """A name is bytes to the kernel."""
    path = tmp_path / "numa_maps"
    path.write_bytes(b"1000 default file=/\xff\\040 mapped=1 N0=1\n")
    assert os.fsencode(read_numa_maps(path)[0].file or "") == b"/\xff "


def test_what_a_newer_kernel_adds_is_kept() -> None:
    """A field, and a word."""
    area = one("1000 default shiny anon=1 colour=7 shade=dark N0=1")
    assert (area.policy, area.others) == ("default shiny", {"colour": "7", "shade": "dark"})
    assert one("1000 default anon=1 shiny N0=1").others == {"shiny": ""}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("xyz default", "line 1: 'xyz' is no address"),
        ("1000 default\n\n2000 default", "line 2: '' is no address"),
        ("0x1000 default", "line 1: '0x1000' is no address"),
        ("12345678901234567 default", "is no address"),
        ("1000", "line 1: there is no policy"),
        ("1000 ", "line 1: there is no policy"),
        ("1000 default\n2000 default anon=", "line 2: anon: '' is not a decimal number"),
        ("1000 default anon=1_000", "anon: '1_000' is not a decimal number"),
        ("1000 default anon=٣", "anon: '٣' is not a decimal number"),
        ("1000 default N0=1 anon=-3", "anon: '-3' is not a decimal number"),
        (f"1000 default anon={1 << 52}", f"anon: {1 << 52} is too large"),
        ("1000 default anon=1 anon=1", "'anon' is told twice"),
        ("1000 default N0=1 N0=1", "'N0' is told twice"),
        ("1000 default N0=1 N00=1", "node 0 is told twice"),
        ("1000 default N1024=1", "a node's id: 1024 is too large"),
        ("1000 default N0=x N1=1", "N0: 'x' is not a decimal number"),
        ("1000 default anon=1 dirty", "'dirty' is not how 'dirty' is told"),
        ("1000 default anon=1 heap=1", "'heap=1' is not how 'heap' is told"),
        (f"1000 default file={'a' * MAX_LINE}", "line 1: the line has more than"),
    ],
)
def test_what_is_malformed_is_refused_with_its_line(text: str, says: str) -> None:
    """And with what was found there."""
    with pytest.raises(NumaMapsError) as refusal:
        parse_numa_maps(text, "pasted")
    assert str(refusal.value).startswith("pasted, line ")
    assert says in str(refusal.value)


def test_what_cannot_be_read_is_refused_with_its_name(tmp_path: Path) -> None:
    """No such file, a folder, a file without end."""
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(NumaMapsError, match=str(path)):
            read_numa_maps(path)
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate((1 << 23) + 1)
    with pytest.raises(NumaMapsError, match="more than the allowed"):
        read_numa_maps(large)
    with pytest.raises(NumaMapsError, match="pasted: has more than the allowed"):
        parse_numa_maps(" " * ((1 << 23) + 1), "pasted")


@given(st.text(st.sampled_from("0123456789abcdefN=:\\ ()\nheaptunodfilkgz_B-"), max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Nothing else is raised, and what is read keeps its bounds."""
    try:
        areas = parse_numa_maps(text)
    except NumaMapsError:
        return
    assert all(0 <= area.start < 1 << 64 and area.policy and max(area.nodes, default=0) < 1024 for area in areas)


def test_empty_text_tells_of_no_area() -> None:
    """A kernel thread has none."""
    assert parse_numa_maps("") == ()
