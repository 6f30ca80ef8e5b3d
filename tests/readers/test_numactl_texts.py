"""Texts of `numactl --hardware`: those that come with numakit, and the shapes in which people paste them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from numakit.topology import Topology, TopologyError
from numakit.topology.readers import shipped_texts

MIB = 1 << 20

CLASSIC = """available: 2 nodes (0-1)
node 0 cpus: 0 1
node 0 size: 1003 MB
node 0 free: 955 MB
node 1 cpus: 2 3
node 1 size: 989 MB
node 1 free: 902 MB
node distances:
node   0   1
  0:  10  21
  1:  21  10
"""


class Row(NamedTuple):
    """What a text gives: size and free in MB and CPUs of each node (None: unknown), and distances."""

    file: str
    nodes: dict[int, tuple[int, int, str | None]]
    distances: dict[tuple[int, int], int]


ROWS = (
    Row(
        "01-two-node-classic.txt",
        {0: (24123, 1877, "0 2 4 6 8 10 12 14"), 1: (24190, 20311, "1 3 5 7 9 11 13 15")},
        {(0, 0): 10, (0, 1): 21, (1, 0): 21, (1, 1): 10},
    ),
    Row(
        "03-holes-large-ids.txt",
        {
            0: (63790, 61002, "0 1 2 3 4 5 6 7"),
            8: (64511, 60044, "64 65 66 67 68 69 70 71"),
            252: (15360, 15355, ""),
            253: (15360, 15358, ""),
            254: (0, 0, ""),
        },
        {(0, 8): 40, (8, 0): 40, (252, 254): 80, (254, 8): 80, (254, 254): 10, (253, 0): 80},
    ),
    Row(
        "05-memoryless-with-cpus.txt",
        {
            0: (0, 0, "0 1 2 12 13 14"),
            1: (31877, 9040, "3 4 5 15 16 17"),
            2: (32220, 11873, "6 7 8 18 19 20"),
            3: (0, 0, "9 10 11 21 22 23"),
        },
        {(0, 3): 12, (2, 1): 12, (3, 3): 10},
    ),
    Row("09-single-node.txt", {0: (11903, 10444, "0 1 2 3 4 5")}, {(0, 0): 10}),
    Row("12-no-distance-table.txt", {0: (1003, 955, "0 1"), 1: (989, 902, "2 3")}, {(0, 0): 10, (0, 1): 20}),
    Row("17-no-cpu-lines-old.txt", {0: (8070, 1311, None), 1: (8080, 942, None)}, {(0, 1): 20, (1, 1): 10}),
)

REFUSED = {
    "10-no-numa-hardware.txt": "line 1: numactl found no NUMA on that system",
    "15-truncated-matrix.txt": "the distances are not whole: row 1 has no column 2; row 2 is missing",
}


def load(tmp_path: Path, text: str) -> Topology:
    """The machine of a text in a file."""
    path = tmp_path / "machine.txt"
    path.write_bytes(text.encode())
    return Topology.load(path)


def test_rows_are_all_the_texts() -> None:
    assert sorted([*(row.file for row in ROWS), *REFUSED]) == list(shipped_texts())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_text_gives_what_its_row_says(row: Row) -> None:
    topology = Topology.load(row.file)
    found = {
        i: (
            topology.memory(i) // MIB,
            (topology.free(i) or 0) // MIB,
            " ".join(map(str, topology.cpus(i))) if topology.knows_cpus(i) else None,
        )
        for i in topology.nodes
    }
    assert found == row.nodes
    assert {pair: topology.distance(*pair) for pair in row.distances} == row.distances


@pytest.mark.parametrize(("file", "problem"), REFUSED.items())
def test_text_is_refused_with_the_reason(file: str, problem: str) -> None:
    with pytest.raises(TopologyError) as caught:
        Topology.load(file)
    assert file in str(caught.value)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("file", "warning"),
    [
        ("09-single-node.txt", "Only node 0 has memory: no page can be moved to another node."),
        ("12-no-distance-table.txt", "No distances were found: Linux' 10 (local) and 20 (remote) are used"),
        ("17-no-cpu-lines-old.txt", "The CPUs of nodes 0-1 are unknown"),
    ],
)
def test_what_is_odd_about_a_text_is_a_warning(file: str, warning: str) -> None:
    (only,) = Topology.load(file).warnings
    assert only.startswith(warning)


@pytest.mark.parametrize("file", ["01-two-node-classic.txt", "03-holes-large-ids.txt", "05-memoryless-with-cpus.txt"])
def test_healthy_texts_have_no_warnings(file: str) -> None:
    assert Topology.load(file).warnings == ()


@pytest.mark.parametrize(
    "text",
    [
        CLASSIC.replace("\n", "\r\n"),
        "[root@böx ~]# numactl -H\n" + CLASSIC + "[root@böx ~]# exit\nlogout\n",
        "\ufeff\n\n" + CLASSIC.replace("\n", "  \n"),
        CLASSIC.rstrip("\n"),
        CLASSIC.replace("cpus: 0 1", "cpus: 0-1").replace("cpus: 2 3", "cpus: 2,3"),
    ],
    ids=["CRLF", "prompts", "mark and blanks", "no last newline", "ranges"],
)
def test_how_it_was_pasted_makes_no_difference(tmp_path: Path, text: str) -> None:
    topology = load(tmp_path, text)
    assert (topology, topology.warnings) == (load(tmp_path, CLASSIC), ())
    assert topology.free(0) == 955 * MIB


def test_any_file_name_will_do(tmp_path: Path) -> None:
    (tmp_path / "ticket-4711").write_text("as asked:\n" + CLASSIC)
    assert Topology.load(tmp_path / "ticket-4711").nodes == (0, 1)


def test_ids_without_0_three_digits_asymmetry_and_a_wrong_diagonal(tmp_path: Path) -> None:
    text = CLASSIC.replace("node 1", "node 255").replace("node 0", "node 3").replace("(0-1)", "(3,255)")
    text = text.replace("node   0   1\n  0:  10  21\n  1:  21  10", "node   3 255\n  3:  10 120\n255: 254  11")
    topology = load(tmp_path, text)
    assert (topology.nodes, topology.distance(3, 255), topology.distance(255, 3)) == ((3, 255), 120, 254)
    assert topology.warnings == (
        "The distance to itself is not 10 for node 255 (node 255: 11).",
        "Distances are asymmetric: from node 3 to node 255 it is 120, back it is 254.",
    )


def test_two_nodes_with_the_same_cpus_are_a_warning(tmp_path: Path) -> None:
    topology = load(tmp_path, CLASSIC.replace("cpus: 2 3", "cpus: 0 1"))
    assert "CPUs 0-1 are in more than one node (nodes 0-1)" in topology.warnings[0]


@pytest.mark.parametrize("header", ["available: 3 nodes (0-2)", "available: 1 nodes (0-1)", "available: 2 nodes (0,8)"])
def test_a_header_that_disagrees_with_the_lines_is_a_warning(tmp_path: Path, header: str) -> None:
    topology = load(tmp_path, CLASSIC.replace("available: 2 nodes (0-1)", header))
    assert topology.nodes == (0, 1)
    assert topology.warnings[0].startswith("The header tells of ")
    assert "the lines below it of nodes 0-1" in topology.warnings[0]


def test_sizes_that_are_not_available_count_as_none(tmp_path: Path) -> None:
    topology = load(tmp_path, CLASSIC.replace("size: 989 MB", "size: <not available>"))
    assert topology.memory(1) == 0
    assert topology.warnings[0] == "The memory of node 1 is not told: it is taken to be memory-less."


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("0 1\nnode 0 size", "0 x\nnode 0 size", "line 2: 'x' is not a decimal number"),
        ("0 1\nnode 0 size", "0 99999\nnode 0 size", "line 2: 99999 is too large; allowed are 0 to 8191"),
        ("node 1 cpus", "node 1024 cpus", "line 5: 1024 is too large; allowed are 0 to 1023"),
        ("1003 MB", "1003 GB", "line 3: the size of node 0 is not a number and MB"),
        ("1003 MB", "9999999999 MB", "line 3: 9999999999 is too large"),
        ("node 0 free: 955 MB", "node 0 size: 955 MB", "line 4: a second line tells the size of node 0"),
        ("node 0 free: 955 MB", "what is this", "line 4: 'what is this' is no line of numactl --hardware"),
        ("2 nodes (0-1)", "2 nodes", "line 1: the header is not like"),
        ("2 nodes (0-1)", "2 nodes (0-4000000)", "line 1: 4000000 is too large"),
        ("  0:  10  21", "  0:  10  21  21", "line 10: 3 distances in 2 columns"),
        ("  0:  10  21", "  0:  10  256", "line 10: 256 is too large; allowed are 0 to 255"),
        ("  0:  10  21", "  5:  10  21", "line 10: a row for node 5; expected is one for each column (0-1)"),
        ("  1:  21  10", "  0:  21  10", "line 11: a row for node 0"),
        ("  1:  21  10\n", "$ exit\n", "row 1 is missing"),
        ("node   0   1", "node   0   2", "line 11: a row for node 1; expected is one for each column (0,2)"),
        (
            "node   0   1\n",
            "node 0 1 2\n",
            "the distances are between nodes 0-2, the lines above them tell of nodes 0-1",
        ),
        ("node   0   1", "node   0   0", "line 9: the distances have two columns for one node"),
        ("node   0   1\n", "", "the distances have no line of columns"),
        ("node distances:", "node distances:\n" + "1 " * 50000, "line 9: the line has more than the allowed 65536"),
        (CLASSIC, CLASSIC + CLASSIC, "line 12: a second machine begins here"),
        (CLASSIC, "available: 0 nodes ()\nNo distance information available.\n", "the text tells of 0 nodes"),
        (CLASSIC, "nothing\n", "has no line like 'node 0 size: 24123 MB'"),
        ("cpus: 2 3", "cpus: 2 3\udcff", "line 5: this is not UTF-8 text"),
    ],
)
def test_malformed_texts_are_refused_by_file_and_line(tmp_path: Path, old: str, new: str, problem: str) -> None:
    assert old in CLASSIC
    path = tmp_path / "machine.txt"
    path.write_bytes(CLASSIC.replace(old, new).encode("utf-8", "surrogateescape"))
    with pytest.raises(TopologyError) as caught:
        Topology.load(path)
    assert str(caught.value).startswith(f"{path}, line ")
    assert problem in str(caught.value)


def test_files_of_many_megabytes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "machine.txt"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    with pytest.raises(TopologyError, match="has more than the allowed 8388608 bytes"):
        Topology.load(path)
