"""What the files of a sysfs folder mean, on folders made by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from numakit.topology import Topology, TopologyError
from tests.readers.samples import NODE, MakeFolder


def test_two_nodes_are_read(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    topology = Topology.load(make_folder(two_nodes))
    assert topology.nodes == topology.possible == (0, 1)
    assert (topology.memory(0), topology.memory(1)) == (1 << 20, 2 << 20)
    assert (topology.free(0), topology.free(1)) == (1 << 19, None)
    assert (topology.cpus(0), topology.cpus(1)) == ((0, 1), (2, 3))
    assert (topology.distance(0, 1), topology.warnings) == (21, ())


def test_a_folder_around_the_machine_makes_no_difference(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    machine = make_folder(two_nodes)
    assert Topology.load(machine.parent) == Topology.load(machine)


def test_possible_nodes_that_are_not_online_are_offline(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    topology = Topology.load(make_folder(two_nodes | {f"{NODE}/possible": "0-3,1023\n"}))
    assert (topology.nodes, topology.possible) == ((0, 1), (0, 1, 2, 3, 1023))
    assert topology.online == {0, 1}


def test_a_folder_of_a_node_that_is_not_online_is_an_offline_node(
    make_folder: MakeFolder, two_nodes: dict[str, str]
) -> None:
    files = two_nodes | {f"{NODE}/online": "0\n", f"{NODE}/node0/distance": "10\n"}
    topology = Topology.load(make_folder(files))
    assert (topology.nodes, topology.possible) == ((0,), (0, 1))


def test_without_an_online_file_every_folder_is_online(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    del two_nodes[f"{NODE}/online"]
    assert Topology.load(make_folder(two_nodes)).nodes == (0, 1)


def test_distances_belong_to_online_nodes_in_ascending_order(make_folder: MakeFolder) -> None:
    """Ids have holes and no 0; the third number of a row is the third node's."""
    rows = {3: "10 20 30", 10: "21 10 40", 255: "31 41 10"}
    files = {f"{NODE}/node{i}/distance": row for i, row in rows.items()}
    files |= {f"{NODE}/node{i}/meminfo": f"Node {i} MemTotal: 4 kB" for i in rows}
    topology = Topology.load(make_folder(files))
    assert topology.nodes == (3, 10, 255)
    assert (topology.distance(3, 255), topology.distance(255, 3), topology.distance(10, 255)) == (30, 31, 40)
    assert "from node 3 to node 10 it is 20, back it is 21, and 2 more pairs" in topology.warnings[0]


def test_no_distances_mean_linux_10_and_20_and_a_warning(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    files = {name: text for name, text in two_nodes.items() if not name.endswith("distance")}
    topology = Topology.load(make_folder(files))
    assert (topology.distance(0, 0), topology.distance(0, 1)) == (10, 20)
    assert topology.warnings == ("No distances were found: Linux' 10 (local) and 20 (remote) are used for all nodes.",)


def test_nodes_may_lack_memory_cpus_or_both(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    changes = {f"{NODE}/node0/meminfo": "Node 0 MemTotal: 0 kB\n", f"{NODE}/node0/cpulist": "\n"}
    topology = Topology.load(make_folder(two_nodes | changes))
    assert (topology.memory(0), topology.cpus(0)) == (0, ())
    assert topology.nearest(0) == (1,)


def test_a_node_without_meminfo_is_memory_less_and_named(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    del two_nodes[f"{NODE}/node1/meminfo"]
    topology = Topology.load(make_folder(two_nodes))
    assert topology.memory(1) == 0
    assert topology.warnings == (
        "Node 1 has no meminfo: it is taken to be memory-less.",
        "Only node 0 has memory: no page can be moved to another node.",
    )


@pytest.mark.parametrize(
    ("mask", "cpus"),
    [
        ("0\n", ()),
        ("0c\n", (2, 3)),
        ("00000001,00000000\n", (32,)),
        ("8000,00000001\n", (0, 47)),
        ("00000000," * 255 + "00000003\n", (0, 1)),
    ],
)
def test_masks_are_hexadecimal_words_the_highest_first(
    make_folder: MakeFolder, two_nodes: dict[str, str], mask: str, cpus: tuple[int, ...]
) -> None:
    del two_nodes[f"{NODE}/node0/cpulist"]
    topology = Topology.load(make_folder(two_nodes | {f"{NODE}/node0/cpumap": mask}))
    assert topology.cpus(0) == cpus


def test_without_list_and_mask_the_links_of_cpus_count(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    del two_nodes[f"{NODE}/node0/cpulist"]
    root = make_folder(two_nodes)
    for cpu in (10, 2):
        (root / NODE / "node0" / f"cpu{cpu}").symlink_to(f"../../cpu/cpu{cpu}")
    assert Topology.load(root).cpus(0) == (2, 10)


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("online", "0-x\n", "line 1: 'x' is not a decimal number"),
        ("online", "1-0\n", "line 1: the range '1-0' runs backwards"),
        ("online", "0-1024\n", "line 1: 1024 is too large; allowed are 0 to 1023"),
        ("online", "0-99999999999999999999999\n", "is not a decimal number"),
        ("online", "0-1,5\n", "line 1: node 5 is online, but has no folder"),
        ("possible", "0,,1\n", "line 1: '' is not a decimal number"),
        ("node0/meminfo", "\nNode 0 MemTotal: -5 kB\n", "line 2: MemTotal: '-5' is not a decimal number"),
        ("node0/meminfo", "\n\nNode 0 MemTotal: 5 MB\n", "line 3: MemTotal needs a number and kB"),
        ("node0/meminfo", "Node 0 MemTotal: 99999999999999 kB\n", "is too large"),
        ("node0/meminfo", "nothing\n", "there is no line with MemTotal"),
        ("node0/cpulist", "0-8192\n", "8192 is too large; allowed are 0 to 8191"),
        ("node0/cpulist", "0\n\xff", "line 2: this is not ASCII text"),
        ("node0/distance", "10\n", "line 1: 1 distances for 2 online nodes"),
        ("node0/distance", "10 256\n", "line 1: 256 is too large; allowed are 0 to 255"),
        ("node0/distance", "10 2_0\n", "line 1: '2_0' is not a decimal number"),
        ("node0/distance", "", "missing or empty, though other nodes have their distances"),
        ("node0/meminfo", "x" * 70000, "has more than the allowed 65536 bytes"),
    ],
)
def test_malformed_files_are_refused_by_name_and_line(
    make_folder: MakeFolder, two_nodes: dict[str, str], file: str, text: str, problem: str
) -> None:
    root = make_folder(two_nodes | {f"{NODE}/{file}": text})
    with pytest.raises(TopologyError) as caught:
        Topology.load(root)
    assert problem in str(caught.value)
    assert file in str(caught.value)
    assert str(root) in str(caught.value)


def test_a_mask_that_is_none_is_refused(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    del two_nodes[f"{NODE}/node0/cpulist"]
    for mask, problem in (("0x3", "is not a hexadecimal mask"), ("1" + "0" * 9000, "bits of 8192 and above")):
        with pytest.raises(TopologyError, match=problem):
            Topology.load(make_folder(two_nodes | {f"{NODE}/node0/cpumap": mask}))


def test_node_numbers_from_1024_on_are_refused(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    for number in ("1024", "9" * 30):
        with pytest.raises(TopologyError, match="a node folder's number"):
            Topology.load(make_folder(two_nodes | {f"{NODE}/node{number}/cpulist": "\n"}))


def test_links_out_of_the_folder_are_refused(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    root = make_folder(two_nodes)
    (root.parent / "secret").write_text("Node 0 MemTotal: 4 kB\n")
    (root / NODE / "node0/meminfo").unlink()
    (root / NODE / "node0/meminfo").symlink_to(root.parent / "secret")
    with pytest.raises(TopologyError, match="is a link that leaves"):
        Topology.load(root)


def test_links_in_a_circle_are_refused(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    root = make_folder(two_nodes)
    (root / NODE / "node0/meminfo").unlink()
    (root / NODE / "node0/meminfo").symlink_to("meminfo")
    with pytest.raises(TopologyError, match="cannot be read"):
        Topology.load(root)


def test_folders_that_are_no_snapshot_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TopologyError, match="this is no sysfs snapshot"):
        Topology.load(tmp_path)


def test_host_without_numa_folders_is_one_node(make_folder: MakeFolder) -> None:
    files = {"proc/meminfo": "MemTotal:  8 kB\nMemFree: 1 kB\n", "sys/devices/system/cpu/online": "0-2,5\n"}
    topology = Topology.host(make_folder(files))
    assert (topology.name, topology.nodes, topology.distance(0, 0)) == ("host", (0,), 10)
    assert (topology.memory(0), topology.free(0), topology.cpus(0)) == (8192, 1024, (0, 1, 2, 5))
    assert topology.warnings == ("Only node 0 has memory: no page can be moved to another node.",)


def test_host_reads_numa_folders_where_there_are_any(make_folder: MakeFolder, two_nodes: dict[str, str]) -> None:
    assert Topology.host(make_folder(two_nodes)) == Topology.load(make_folder(two_nodes))


def test_the_running_machine_has_a_node_with_memory() -> None:
    topology = Topology.host()
    assert sum(topology.memory(i) for i in topology.nodes) > 0
