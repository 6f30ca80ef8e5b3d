"""numa_maps of a process, to the letter as show_numa_map() of 2.6.18 prints it."""

from __future__ import annotations

import pytest

from numakit import MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, Machine, Process, Topology
from numakit.numa_maps import parse_numa_maps
from tests.conftest import MachineMaker


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Three nodes."""
    return make_machine({0: 60, 1: 60, 2: 60})


@pytest.fixture
def shell(machine: Machine) -> Process:
    """A process on node 0."""
    return machine.spawn("shell", node=0)


def test_memory_that_was_written_to(shell: Process) -> None:
    """New anonymous pages are dirty, active, and nobody else's: three fields are left out."""
    shell.write(shell.mmap(4)[0:3])
    assert shell.numa_maps() == "10000000 default anon=3 dirty=3 N0=3\n"


def test_memory_that_nobody_touched_or_that_was_only_read(shell: Process) -> None:
    """The zero page is not counted: the line ends with the policy."""
    untouched, read = shell.mmap(2), shell.mmap(2)
    shell.read(read)
    assert shell.numa_maps() == f"{untouched[0]:08x} default\n{read[0]:08x} default\n"


def test_pages_on_several_nodes(shell: Process) -> None:
    """A field for each node that has some, by number."""
    area = shell.mmap(4)
    shell.write(area)
    shell.move_pages(0, area[0:3], [2, 1, 2])
    assert shell.numa_maps() == "10000000 default anon=4 dirty=4 N0=1 N1=1 N2=2\n"


@pytest.mark.parametrize(
    ("mode", "nodes", "text"),
    [
        (MPOL_BIND, {0, 1, 2}, "bind=0-2"),
        (MPOL_INTERLEAVE, {0, 2}, "interleave=0,2"),
        (MPOL_PREFERRED, {1}, "prefer=1"),
    ],
)
def test_a_policy_of_the_process_or_of_the_area(shell: Process, mode: int, nodes: set[int], text: str) -> None:
    """The area's own goes first; the process' stands where the area has none."""
    first, second = shell.mmap(1), shell.mmap(1)
    shell.mbind(first, MPOL_BIND, {0})
    shell.set_mempolicy(mode, nodes)
    assert shell.numa_maps() == f"{first[0]:08x} bind=0\n{second[0]:08x} {text}\n"


def test_an_area_that_mbind_has_cut(shell: Process) -> None:
    """A line for each part."""
    area = shell.mmap(3)
    shell.write(area)
    shell.mbind(area[1], MPOL_BIND, {1}, 2)
    assert shell.numa_maps().splitlines() == [
        f"{area[0]:08x} default anon=1 dirty=1 N0=1",
        f"{area[1]:08x} bind=1 anon=1 dirty=1 N1=1",
        f"{area[2]:08x} default anon=1 dirty=1 N0=1",
    ]


def test_pages_that_a_child_maps_too(shell: Process) -> None:
    """mapmax is the most that any page of the area is mapped."""
    area = shell.mmap(2)
    shell.write(area)
    child = shell.fork("child")
    child.write(area[0])
    assert shell.numa_maps() == "10000000 default anon=2 dirty=2 mapmax=2 N0=2\n"


def test_a_file(machine: Machine, shell: Process) -> None:
    """Clean pages are "mapped"; neither anonymous nor active; blanks in its name are escaped."""
    area = shell.mmap(3, shared=True, file=machine.file("a b=c", 3))
    shell.read(area)
    assert shell.numa_maps() == "10000000 default file=a\\040b\\075c mapped=3 active=0 N0=3\n"
    shell.write(area[0])
    assert shell.numa_maps() == "10000000 default file=a\\040b\\075c dirty=1 mapped=3 active=0 N0=3\n"


def test_a_private_copy_of_a_page_of_a_file(machine: Machine, shell: Process) -> None:
    """One page anonymous, one of the file."""
    area = shell.mmap(2, file=machine.file("log", 2))
    shell.read(area)
    shell.write(area[0])
    assert shell.numa_maps() == "10000000 default file=log anon=1 dirty=1 mapped=2 active=1 N0=2\n"


def test_shared_memory(shell: Process) -> None:
    """The kernel keeps it in a file that has no name any more, and calls it so."""
    area = shell.mmap(1, shared=True)
    shell.write(area)
    assert shell.numa_maps() == "10000000 default file=/dev/zero\\040(deleted) dirty=1 active=0 N0=1\n"


def test_a_page_in_the_swap_cache(machine: Machine, shell: Process) -> None:
    """It came in from the disc, and keeps its slot until it is written to."""
    area = shell.mmap(1)
    shell.write(area)
    machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    assert machine.reclaim([page]) == 1
    assert shell.numa_maps() == "10000000 default\n"
    shell.read(area)
    assert shell.numa_maps() == "10000000 default anon=1 swapcache=1 N0=1\n"


def test_a_preference_of_the_local_node_names_none(shell: Process) -> None:
    """It is node -1, which is in no mask."""
    shell.mmap(1)
    shell.set_mempolicy(MPOL_PREFERRED)
    assert shell.numa_maps() == "10000000 prefer\n"


def test_shared_memory_has_the_policy_of_the_object(shell: Process) -> None:
    """Who looks at it sees the same; that of its own first page counts, and never the process'."""
    area = shell.mmap(2, shared=True)
    child = shell.fork("child")
    child.mbind(area[0], MPOL_BIND, {2})
    shell.set_mempolicy(MPOL_BIND, {1})
    assert shell.numa_maps() == "10000000 bind=2 file=/dev/zero\\040(deleted)\n"
    shell.munmap(area[0:1])
    assert shell.numa_maps() == "10001000 default file=/dev/zero\\040(deleted)\n"


@pytest.mark.parametrize(
    ("kernel", "text"),
    [
        ("seed", "interleave=0,2,4,6,8,10,12,14,16,18,20,22,24,26,2"),
        ("6.1", "interleave:0,2,4,6,8,10,12,14,16,18,20,22,24,26,28,30,32,34,36,"),
    ],
)
def test_a_list_of_nodes_that_is_too_long_just_ends(make_machine: MachineMaker, kernel: str, text: str) -> None:
    """The kernel writes the policy into 50 bytes, today 64, the last of which is zero."""
    topology = make_machine(dict.fromkeys(range(60), 4)).topology
    shell = Machine(topology, kernel, scale=1).spawn("shell")
    shell.mmap(1)
    shell.set_mempolicy(MPOL_INTERLEAVE, range(0, 60, 2))
    assert shell.numa_maps() == f"10000000 {text}\n"


def test_a_page_that_another_process_made_dirty(machine: Machine, shell: Process) -> None:
    """The dirty bit is in the other's PTE, where this process does not look, until that PTE goes."""
    area = shell.mmap(2, shared=True, file=machine.file("log", 2))
    shell.read(area)
    child = shell.fork("child")
    child.write(area[0])
    assert shell.numa_maps() == "10000000 default file=log mapped=2 mapmax=2 active=0 N0=2\n"
    child.exit()
    assert shell.numa_maps() == "10000000 default file=log dirty=1 mapped=2 active=0 N0=2\n"


def test_mapmax_counts_page_table_entries_and_not_processes(machine: Machine, shell: Process) -> None:
    """One process that maps a file twice is enough."""
    log = machine.file("log", 1)
    first, second = shell.mmap(1, shared=True, file=log), shell.mmap(1, shared=True, file=log)
    shell.read(first)
    shell.read(second)
    assert {line.mapmax for line in parse_numa_maps(shell.numa_maps())} == {2}


def test_line_breaks_in_a_name_do_not_break_the_line(machine: Machine, shell: Process) -> None:
    """Tabs neither. A backslash is written as it is."""
    shell.mmap(1, shared=True, file=machine.file("a\nb\tc\\d", 1))
    assert shell.numa_maps() == "10000000 default file=a\\012b\\011c\\d\n"


def test_a_page_on_its_way_is_on_no_node(machine: Machine, shell: Process) -> None:
    """A migration entry is no page: while one is copied, the area seems to have one less."""
    area = shell.mmap(2)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area[0:1], [1])
    meanwhile = run.when("COPY").do(shell.numa_maps)
    run.finish()
    assert meanwhile.result == "10000000 default anon=1 dirty=1 N0=1\n"
    assert shell.numa_maps() == "10000000 default anon=2 dirty=2 N0=1 N1=1\n"


def test_a_page_under_writeback(machine: Machine, shell: Process) -> None:
    """It is clean and mapped as long as the disc reads it."""
    log = machine.file("log", 1, "nfs")
    area = shell.mmap(1, shared=True, file=log)
    child = shell.fork("child")
    child.write(area)
    child.exit()
    shell.read(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("DRAIN").until("PASS", in_pass=2).do(log.write_back, 0)
    seen = run.when("FOLLOW_PAGE").do(shell.numa_maps)
    run.finish()
    assert seen.result == "10000000 default file=log mapped=1 active=0 writeback=1 N0=1\n"


def test_it_waits_for_who_changes_areas_and_holds_off_the_next(machine: Machine, shell: Process) -> None:
    """It is a call like others, which takes mmap_sem for read: nothing is unmapped while it reads."""
    area = shell.mmap(1)
    shell.write(area)
    run = machine.begin(shell.numa_maps)
    run.when("MMAP_READ").do(shell.munmap, area)
    assert run.finish() == "10000000 default anon=1 dirty=1 N0=1\n"
    assert shell.numa_maps() == ""


def test_a_process_without_memory_has_no_lines(machine: Machine, shell: Process) -> None:
    """A kernel thread never had some; one that exits before its turn comes has none any more."""
    assert machine.kernel_thread("kswapd0").numa_maps() == ""
    other = machine.spawn("other", node=0)
    area = other.mmap(1)
    other.write(area)
    shell.write(shell.mmap(1))
    run = machine.begin(other.move_pages, 0, area, [1])
    run.when("DRAIN").do(shell.exit)
    too_late = run.when("PASS").do(shell.numa_maps)
    run.finish()
    assert too_late.result == ""


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_kernels_of_today_write_colons_and_the_size_of_pages(kernel: str) -> None:
    """And "local"; shared memory without a policy is told with the one of the process, and new anonymous pages are not
    active. So does Linux 6.18.
    """
    shell = Machine(Topology.preset("ring4"), kernel).spawn("shell", node=0)
    area, shared = shell.mmap(1), shell.mmap(1, shared=True)
    shell.mbind(area, MPOL_PREFERRED)
    shell.set_mempolicy(MPOL_BIND, {0, 1})
    shell.write(area)
    shell.write(shared)
    assert shell.numa_maps().splitlines() == [
        f"{area[0]:08x} local anon=1 dirty=1 active=0 N0=1 kernelpagesize_kB=4",
        f"{shared[0]:08x} bind:0-1 file=/dev/zero\\040(deleted) dirty=1 active=0 N0=1 kernelpagesize_kB=4",
    ]


@pytest.mark.parametrize(("kernel", "active"), [("2.6.18", ""), ("6.1", " active=0"), ("6.12", " active=0")])
def test_a_page_from_swap_begins_on_the_list_on_which_new_ones_do(kernel: str, active: str) -> None:
    """Until 5.8 that was the active one."""
    machine = Machine(Topology.preset("ring4"), kernel)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(1)
    shell.write(area)
    machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    assert machine.reclaim([page]) == 1
    shell.read(area)
    assert shell.numa_maps().startswith(f"10000000 default anon=1 swapcache=1{active} N0=1")


def test_it_can_be_read_back(shell: Process) -> None:
    """By the reader that also reads those of real processes."""
    area = shell.mmap(4)
    shell.write(area[0:3])
    shell.set_mempolicy(MPOL_INTERLEAVE, {0, 2})
    (line,) = parse_numa_maps(shell.numa_maps())
    assert (line.start, line.policy, line.nodes) == (area[0], "interleave=0,2", {0: 3})
