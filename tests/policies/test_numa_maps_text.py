"""numa_maps of a process, to the letter as show_numa_map() of 2.6.18 prints it."""

from __future__ import annotations

import pytest

from numakit import MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, Machine, Process
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


def test_it_can_be_read_back(shell: Process) -> None:
    """By the reader that also reads those of real processes."""
    area = shell.mmap(4)
    shell.write(area[0:3])
    shell.set_mempolicy(MPOL_INTERLEAVE, {0, 2})
    (line,) = parse_numa_maps(shell.numa_maps())
    assert (line.start, line.policy, line.nodes) == (area[0], "interleave=0,2", {0: 3})
