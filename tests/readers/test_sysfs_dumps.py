"""The dumps of real machines that come with numakit load as their descriptions say."""

from __future__ import annotations

import subprocess
import sys
from typing import NamedTuple

import pytest

from numakit.topology import Topology


class Row(NamedTuple):
    """One row of the table of the dumps: what a reader must find."""

    file: str
    nodes: tuple[int, ...]
    memory: int
    slit_sum: int
    distances: set[int]
    cpus: int


ROWS = (
    Row("256ia64-64n2s2c.tar.bz2", tuple(range(64)), 529318068224, 124160, {10, 22, 26, 30, 34}, 256),
    Row("16amd64-8n2c.tar.bz2", tuple(range(8)), 68717527040, 1200, {10, 20}, 16),
    Row("96em64t-4no4pa3ca2co.tar.bz2", tuple(range(4)), 541157359616, 352, {10, 26}, 96),
    Row("48amd64-4pa2n6c-sparse.tar.bz2", (0, 1, 2, 33, 34, 45, 72, 73), 103077015552, 1096, {10, 16, 22}, 48),
    Row("fakeheteromemtiers.tar.bz2", (0, 1, 2, 4, 6, 8, 9), 6385741824, 910, {10, 20}, 6),
    Row("8em64t-2s2ca2c-buggynuma.tar.bz2", tuple(range(8)), 17178341376, 640, {10}, 8),
)

TARS = [name for name in Topology.dumps() if name.endswith(".tar.bz2")]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_dump_has_what_its_row_says(row: Row) -> None:
    topology = Topology.load(row.file)
    table = [topology.distance(i, j) for i in topology.nodes for j in topology.nodes]
    assert topology.nodes == row.nodes
    assert sum(topology.memory(i) for i in topology.nodes) == row.memory
    assert sum(table) == row.slit_sum
    assert set(table) == row.distances
    assert len({cpu for i in topology.nodes for cpu in topology.cpus(i)}) == row.cpus


def test_rows_are_all_the_dumps() -> None:
    assert sorted(row.file for row in ROWS) == TARS


@pytest.mark.parametrize("name", TARS)
def test_nothing_is_said_of_healthy_machines(name: str) -> None:
    """Only the machine with the firmware bug has warnings."""
    assert bool(Topology.load(name).warnings) == ("buggynuma" in name)


def test_buggy_firmware_is_a_warning_that_names_the_nodes() -> None:
    warnings = Topology.load("8em64t-2s2ca2c-buggynuma.tar.bz2").warnings
    assert "All distances between nodes 0-7 are 10: a firmware bug." in warnings
    assert any("CPUs 0-7 are in more than one node (nodes 0-7)" in warning for warning in warnings)


def test_only_some_nodes_of_the_tiered_machine_have_cpus() -> None:
    topology = Topology.load("fakeheteromemtiers.tar.bz2")
    assert [i for i in topology.nodes if topology.cpus(i)] == [0, 1, 2]
    assert topology.possible == tuple(range(10))
    assert topology.online == {0, 1, 2, 4, 6, 8, 9}


def test_altix_is_another_name_of_the_large_dump() -> None:
    assert Topology.load("altix.tar.bz2") == Topology.load("256ia64-64n2s2c.tar.bz2")


def test_topology_needs_no_numpy() -> None:
    """`import numakit` is to stay light; a fresh interpreter tells."""
    heavy = ("numpy", "matplotlib", "defusedxml")
    code = f"import sys, numakit.topology; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
