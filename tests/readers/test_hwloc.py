"""hwloc's XML: the files that come with numakit, version 1, and files by people who mean no good."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from numakit.topology import Topology, TopologyError

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<!DOCTYPE topology SYSTEM "hwloc2.dtd">\n'

VERSION_2 = (
    HEAD
    + """<topology version="2.0">
<object type="Machine" os_index="0" cpuset="0x0000000f">
<object type="NUMANode" os_index="3" cpuset="0x00000003" gp_index="11" local_memory="1048576"/>
<object type="NUMANode" os_index="9" cpuset="0x0000000c" gp_index="12" local_memory="2097152"/>
</object>
<distances2 type="NUMANode" nbobjs="2" kind="5" name="NUMALatency" indexing="os">
<indexes length="4">3 9 </indexes>
<u64values length="6">10 17 </u64values><u64values length="6">18 10 </u64values>
</distances2>
</topology>
"""
)

VERSION_1 = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE topology SYSTEM "hwloc.dtd">
<topology>
<object type="Machine" os_index="0" cpuset="0x0000000f" online_cpuset="0x0000000f">
<distances nbobjs="2" relative_depth="3" latency_base="1.000000">
<latency value="1.000000"/><latency value="9.000000"/><latency value="9.000000"/><latency value="1.000000"/>
</distances>
<distances nbobjs="2" relative_depth="2" latency_base="10.000000">
<latency value="1.000000"/><latency value="2.100000"/><latency value="3.200000"/><latency value="1.000000"/>
</distances>
<object type="Group" cpuset="0x00000003">
<object type="NUMANode" os_index="1" cpuset="0x00000003" local_memory="1048576">
<page_type size="4096" count="256"/><object type="Socket" os_index="0" cpuset="0x00000003"/>
</object></object>
<object type="Group" cpuset="0x0000000c">
<object type="NUMANode" os_index="0" cpuset="0x0000000c" local_memory="2097152">
<object type="Socket" os_index="1" cpuset="0x0000000c"/>
</object></object>
</object>
</topology>
"""


class Row(NamedTuple):
    """What a file gives: nodes, memory in all, the sum of its distances, and whether it has any."""

    file: str
    nodes: tuple[int, ...]
    memory: int
    distances: int
    told: bool


ROWS = (
    Row("32amd64-4s2n4c-cgroup2.xml", (0, 1, 2, 3, 4, 5), 103077031936, 612, True),
    Row("8intel64-4n2t-memattrs.xml", (0, 1, 2, 3), 4294967296, 280, False),
    Row("fakeheterodistances.xml", tuple(range(8)), 103077015552, 1096, True),
    Row("nvidiaDGX2.xml", (0, 1), 1621972275200, 62, True),
)


def load(tmp_path: Path, text: str | bytes) -> Topology:
    """The machine of XML in a file."""
    path = tmp_path / "machine.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Topology.load(path)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.file)
def test_file_gives_what_its_row_says(row: Row) -> None:
    topology = Topology.load(row.file)
    assert topology.nodes == row.nodes
    assert sum(topology.memory(i) for i in topology.nodes) == row.memory
    assert sum(topology.distance(i, j) for i in topology.nodes for j in topology.nodes) == row.distances
    assert topology.has_distances == row.told


def test_cpus_are_those_of_the_nodes() -> None:
    topology = Topology.load("nvidiaDGX2.xml")
    assert (topology.cpus(0), topology.cpus(1)) == ((0, 1), (24, 25))


def test_only_the_matrix_between_nodes_is_the_table() -> None:
    """The other one of this file is over nodes, PUs and caches."""
    topology, dump = Topology.load("fakeheterodistances.xml"), Topology.load("48amd64-4pa2n6c-sparse.tar.bz2")
    at = dict(zip(topology.nodes, dump.nodes, strict=True))
    for i in topology.nodes:
        for j in topology.nodes:
            assert topology.distance(i, j) == dump.distance(at[i], at[j])


def test_version_2_is_read(tmp_path: Path) -> None:
    topology = load(tmp_path, VERSION_2)
    assert (topology.nodes, topology.cpus(9), topology.memory(9)) == ((3, 9), (2, 3), 2 << 20)
    assert (topology.distance(3, 9), topology.distance(9, 3)) == (17, 18)


def test_rows_may_be_named_by_gp_index(tmp_path: Path) -> None:
    text = VERSION_2.replace('indexing="os"', 'indexing="gp"').replace("3 9 <", "12 11 <")
    assert load(tmp_path, text).distance(9, 3) == 17


def test_version_1_is_read_at_the_depth_of_its_nodes(tmp_path: Path) -> None:
    """Latencies are multiples of a base; the order is the file's, not that of the ids."""
    topology = load(tmp_path, VERSION_1)
    assert (topology.nodes, topology.memory(1), topology.cpus(0)) == ((0, 1), 1 << 20, (2, 3))
    assert (topology.distance(1, 0), topology.distance(0, 1), topology.distance(0, 0)) == (21, 32, 10)


def test_version_1_without_numa_is_one_node(tmp_path: Path) -> None:
    text = '<topology><object type="Machine" os_index="0" cpuset="0x3" local_memory="4096"/></topology>'
    topology = load(tmp_path, text)
    assert (topology.nodes, topology.memory(0), topology.cpus(0)) == ((0,), 4096, (0, 1))


def test_long_cpusets_have_words_that_may_be_empty(tmp_path: Path) -> None:
    assert load(tmp_path, VERSION_2.replace("0x0000000c", "0x00000001,,0x00000004")).cpus(9) == (2, 64)


def test_memory_beside_ordinary_memory_has_no_cpus_of_its_own(tmp_path: Path) -> None:
    text = VERSION_2.replace('os_index="9" cpuset="0x0000000c"', 'os_index="9" subtype="MCDRAM" cpuset="0x00000003"')
    topology = load(tmp_path, text)
    assert (topology.cpus(3), topology.cpus(9), topology.kind(9)) == ((0, 1), (), "hbm")
    assert topology.warnings[0].startswith("The CPUs near node 9 are those of nodes with ordinary memory")


def test_two_ordinary_nodes_with_one_cpuset_are_a_warning(tmp_path: Path) -> None:
    topology = load(tmp_path, VERSION_2.replace('cpuset="0x0000000c"', 'cpuset="0x00000003"'))
    assert topology.cpus(3) == topology.cpus(9) == (0, 1)
    assert any("CPUs 0-1 are in more than one node (nodes 3,9)" in warning for warning in topology.warnings)


def test_bandwidths_are_no_distances(tmp_path: Path) -> None:
    assert not load(tmp_path, VERSION_2.replace('kind="5"', 'kind="9"')).has_distances


def test_latencies_in_nanoseconds_are_no_distances(tmp_path: Path) -> None:
    topology = load(tmp_path, VERSION_2.replace("10 17 <", "80 1700 <"))
    assert topology.warnings[0] == "The latencies of line 8 are left out: 1700 is no distance of a SLIT."


def test_nodes_that_the_table_leaves_out_get_linux_distances(tmp_path: Path) -> None:
    more = '<object type="NUMANode" os_index="20" local_memory="4096"/>\n</object>\n<distances2'
    topology = load(tmp_path, VERSION_2.replace("</object>\n<distances2", more))
    assert (topology.distance(3, 9), topology.distance(3, 20), topology.distance(20, 20)) == (17, 20, 10)
    assert topology.warnings[0].startswith("Node 20 is not in the distances")


BOMB = '<!DOCTYPE topology [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;">]>'
OUTSIDE = '<!DOCTYPE topology [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('<!DOCTYPE topology SYSTEM "hwloc2.dtd">', BOMB, "line 2: entities are not allowed (EntitiesForbidden)"),
        ('<!DOCTYPE topology SYSTEM "hwloc2.dtd">', OUTSIDE, "line 2: entities are not allowed (EntitiesForbidden)"),
        ("</topology>", "", "this is not XML (no element found)"),
        ('os_index="3"', 'os_index="3', "line 5: this is not XML"),
        ("UTF-8", "no-such-code", "line 1: this is not XML"),
        ('os_index="3"', 'os_index="4096"', "line 5: os_index: 4096 is too large; allowed are 0 to 1023"),
        ('os_index="3"', "", "line 5: os_index: '' is not a decimal number"),
        ('os_index="3"', 'os_index="9"', "line 6: a second NUMANode with os_index 9"),
        ('local_memory="1048576"', 'local_memory="-1"', "line 5: local_memory: '-1' is not a decimal number"),
        ('cpuset="0x00000003"', 'cpuset="0xf...f"', "line 5: cpuset: "),
        ('cpuset="0x00000003"', 'cpuset="' + "," * 2000 + '"', "line 5: the cpuset has CPUs of 8192 and above"),
        ('nbobjs="2"', 'nbobjs="3"', "the distances of 3 objects have 4 values"),
        ('nbobjs="2"', 'nbobjs="99999999"', "line 8: nbobjs: 99999999 is too large"),
        ("10 17 <", "10 <", "the distances of 2 objects have 3 values"),
        ("3 9 <", "3 9 " * 600000 + "<", "line 9: the distances have more than the allowed 1048576 values"),
        ("<topology ", "<svg ", "line 3: the file is about 'svg'; allowed is hwloc's topology"),
        ("NUMANode", "Numa", "there is no NUMANode in it"),
        ("</object>", "<a>" * 300 + "</a>" * 300 + "</object>", "line 7: more than the allowed 200 elements in one"),
        ("</object>", "<a/>" * 300000 + "</object>", "line 7: more than the allowed 262144 elements"),
    ],
)
def test_malformed_and_hostile_files_are_refused_by_file_and_line(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert old in VERSION_2
    with pytest.raises(TopologyError) as caught:
        load(tmp_path, VERSION_2.replace(old, new))
    assert str(tmp_path / "machine.xml") in str(caught.value)
    assert problem in str(caught.value)


def test_other_xml_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="line 1: the file is about 'svg'; allowed is hwloc's topology"):
        load(tmp_path, "<svg/>")
