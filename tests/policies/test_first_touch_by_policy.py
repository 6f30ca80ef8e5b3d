"""Where a page comes from: policy of the area, else of the task; the zonelist; never beyond the cpuset."""

from __future__ import annotations

from collections.abc import Callable
from errno import ENOMEM

import pytest

from numakit import MPOL_BIND, MPOL_DEFAULT, MPOL_INTERLEAVE, MPOL_PREFERRED, PAGE_SIZE, Machine, Process
from tests.conftest import MachineMaker
from tests.policies.areas import give_policy, nodes_of, touched

Fill = Callable[[Machine, int], Process]


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Four nodes of 32 frames in a ring: 0 and 3 are neighbours, 0 and 2 are not. CPUs 0 and 1 on node 0."""
    ring = [(0, 1, 20), (1, 2, 20), (2, 3, 20), (0, 3, 20), (0, 2, 30), (1, 3, 30)]
    return make_machine(dict.fromkeys(range(4), 32), distances=ring)


# -- the four modes


def test_default_is_the_local_node(machine: Machine) -> None:
    """Of the CPU that the process runs on just now."""
    process = machine.spawn("process", node=2)
    assert touched(process, 2) == [2, 2]
    process.run_on(1)
    assert touched(process, 1) == [1]


def test_preferred_takes_its_node_wherever_the_process_runs(machine: Machine, shell: Process) -> None:
    """Only the first of the nodes counts."""
    assert shell.set_mempolicy(MPOL_PREFERRED, [3, 2]) == 0
    assert shell.get_mempolicy().nodes == (2,)
    assert touched(shell, 2) == [2, 2]


def test_preferred_without_a_node_is_the_local_one(machine: Machine, shell: Process) -> None:
    """Also after the process has moved to another CPU."""
    assert shell.set_mempolicy(MPOL_PREFERRED) == 0
    shell.run_on(3)
    assert touched(shell, 1) == [3]


def test_preferred_falls_back_along_the_zonelist_of_its_node(machine: Machine, shell: Process, fill: Fill) -> None:
    """Node 2 is full: its neighbour 1 comes next, not node 0 where the process runs."""
    fill(machine, 2)
    shell.set_mempolicy(MPOL_PREFERRED, [2])
    assert touched(shell, 1) == [1]


def test_bind_goes_by_node_id_not_by_distance(machine: Machine) -> None:
    """A process on node 3 that is bound to 1 and 2 gets 1, although 2 is nearer."""
    process = machine.spawn("process", node=3)
    process.set_mempolicy(MPOL_BIND, [2, 1])
    assert touched(process, 2) == [1, 1]


def test_bind_fills_its_nodes_one_after_the_other_and_then_fails(machine: Machine, shell: Process) -> None:
    """Free frames of other nodes do not help."""
    shell.set_mempolicy(MPOL_BIND, [1, 3])
    area = shell.mmap(65)
    assert shell.write(area) == -ENOMEM
    assert nodes_of(area) == [1] * 32 + [3] * 32 + [None]
    assert machine.free_frames(2) == 32


def test_interleave_of_a_task_goes_on_in_areas_by_offset(machine: Machine, shell: Process) -> None:
    """Anonymous memory has an area, so the place in memory decides, whoever comes first."""
    shell.set_mempolicy(MPOL_INTERLEAVE, [0, 2, 3])
    area = shell.mmap(6)
    for page in (5, 0, 3, 1, 4, 2):
        shell.write(area[page])
    assert nodes_of(area) == [[0, 2, 3][address // PAGE_SIZE % 3] for address in area]
    assert nodes_of(area)[:3] == [2, 3, 0]


def test_interleave_falls_back_when_the_node_whose_turn_it_is_is_full(
    machine: Machine, shell: Process, fill: Fill
) -> None:
    """Along that node's zonelist; the turn is over all the same."""
    fill(machine, 3)
    shell.set_mempolicy(MPOL_INTERLEAVE, [1, 3])
    assert touched(shell, 4) == [1, 0, 1, 0]


# -- whose policy


def test_the_policy_of_an_area_goes_before_the_tasks(machine: Machine, shell: Process) -> None:
    """And only there."""
    shell.set_mempolicy(MPOL_BIND, [1])
    area = shell.mmap(6)
    give_policy(shell, area[2:4], MPOL_BIND, [3])
    shell.write(area)
    assert nodes_of(area) == [1, 1, 3, 3, 1, 1]


def test_an_area_that_prefers_locally_hides_the_tasks_policy(machine: Machine, shell: Process) -> None:
    """PREFERRED without a node is another thing than no policy."""
    shell.set_mempolicy(MPOL_BIND, [1])
    area = shell.mmap(1)
    give_policy(shell, area, MPOL_PREFERRED)
    shell.write(area)
    assert nodes_of(area) == [0]


def test_interleaving_of_an_area_survives_cuts(machine: Machine, shell: Process) -> None:
    """munmap and mprotect cut the area; the place in memory, not the area's beginning, decides."""
    area = shell.mmap(9)
    give_policy(shell, area, MPOL_INTERLEAVE, [1, 2, 3])
    shell.munmap(area[0:2])
    shell.mprotect(area[4:6], 1)
    shell.mprotect(area[4:6], 3)
    shell.write(area[2:9])
    assert [shell.pte(address).node for address in area[2:9]] == [1, 2, 3, 1, 2, 3, 1]


def test_a_child_interleaves_as_its_parent_would_have(machine: Machine, shell: Process) -> None:
    """The copy of an area has the policy and the offsets."""
    area = shell.mmap(4)
    give_policy(shell, area, MPOL_INTERLEAVE, [2, 3])
    child = shell.fork("child")
    child.write(area)
    assert [child.pte(address).node for address in area] == [2, 3, 2, 3]


def test_a_child_inherits_the_policy_of_the_task(machine: Machine, shell: Process) -> None:
    """And from then on each has its own."""
    shell.set_mempolicy(MPOL_BIND, [3])
    child = shell.fork("child")
    shell.set_mempolicy(MPOL_DEFAULT)
    assert (touched(child, 1), touched(shell, 1)) == ([3], [0])


# -- where pages come from that are no first touch


def test_copy_on_write_asks_the_policy_of_the_writers_area(machine: Machine, shell: Process) -> None:
    """The copy goes where the child's memory is to be."""
    area = shell.mmap(1)
    shell.write(area)
    child = shell.fork("child")
    give_policy(child, area, MPOL_BIND, [2])
    child.write(area)
    assert (child.pte(area[0]).node, shell.pte(area[0]).node) == (2, 0)


def test_pages_of_files_come_by_the_policy_of_the_task_that_reads(machine: Machine, shell: Process) -> None:
    """The area's policy is not looked at: the page cache is everybody's."""
    area = shell.mmap(2, file=machine.file("log", 2), shared=True)
    give_policy(shell, area, MPOL_BIND, [2])
    shell.read(area[0])
    shell.set_mempolicy(MPOL_BIND, [3])
    shell.read(area[1])
    assert nodes_of(area) == [0, 3]


def test_pages_of_files_take_turns_in_the_order_of_reading(machine: Machine, shell: Process) -> None:
    """Whatever their place in the file: the task counts."""
    file = machine.file("log", 4)
    shell.set_mempolicy(MPOL_INTERLEAVE, [1, 2])
    area = shell.mmap(4, file=file, shared=True)
    for page in (3, 2, 0, 1):
        shell.read(area[page])
    assert nodes_of(area) == [1, 2, 2, 1]
    assert shell.struct.il_next == 1


def test_a_private_copy_of_a_files_page_asks_the_area(machine: Machine, shell: Process) -> None:
    """It is anonymous memory."""
    area = shell.mmap(1, file=machine.file("log", 1))
    give_policy(shell, area, MPOL_BIND, [2])
    shell.read(area)
    assert nodes_of(area) == [0]
    shell.write(area)
    assert nodes_of(area) == [2]


def test_swapping_in_asks_the_policy_of_the_address(machine: Machine, shell: Process) -> None:
    """Where the page was before is forgotten."""
    area = shell.mmap(2)
    shell.write(area)
    machine.migrate_prep()
    assert machine.reclaim([page for address in area if (page := shell.page(address)) is not None]) == 2
    give_policy(shell, area[1:2], MPOL_BIND, [3])
    shell.read(area)
    assert [shell.pte(address).node for address in area] == [0, 3]


# -- shared memory has its policy from the object


def test_the_policy_of_shared_memory_holds_for_all_who_map_it(machine: Machine, shell: Process) -> None:
    """One process sets it; another, with a policy of its own, touches first."""
    area = shell.mmap(4, shared=True)
    child = shell.fork("child")
    give_policy(shell, area[1:3], MPOL_BIND, [2])
    child.set_mempolicy(MPOL_BIND, [3])
    child.write(area)
    assert [child.pte(address).node for address in area] == [3, 2, 2, 3]


def test_the_policy_of_shared_memory_outlives_the_mapping(machine: Machine, shell: Process) -> None:
    """It is kept with the file, not with the area."""
    file = machine.file("segment", 4, "tmpfs")
    area = shell.mmap(4, file=file, shared=True)
    give_policy(shell, area[0:2], MPOL_INTERLEAVE, [2, 3])
    shell.munmap(area)
    later = machine.spawn("later", node=1).mmap(4, file=file, shared=True)
    later.process.write(later)
    assert nodes_of(later) == [2, 3, 1, 1]


def test_a_new_policy_of_shared_memory_leaves_the_rest_of_the_old_one(machine: Machine, shell: Process) -> None:
    """A hole in the middle of the old range, and a default policy in the middle of that."""
    file = machine.file("segment", 8, "tmpfs")
    area = shell.mmap(8, file=file, shared=True)
    give_policy(shell, area, MPOL_BIND, [3])
    give_policy(shell, area[2:6], MPOL_BIND, [1])
    give_policy(shell, area[3:5], MPOL_DEFAULT)
    again = shell.mmap(8, file=file, shared=True)
    shell.write(again)
    assert nodes_of(again) == [3, 3, 1, 0, 0, 1, 3, 3]


def test_a_tasks_interleaving_goes_by_offset_in_shared_memory(machine: Machine, shell: Process) -> None:
    """The place in the object decides, and no turn is taken."""
    shell.set_mempolicy(MPOL_INTERLEAVE, [1, 2])
    area = shell.mmap(4, shared=True)
    for page in (2, 1, 0):
        shell.write(area[page])
    assert nodes_of(area) == [1, 2, 1, None]
    assert shell.struct.il_next == 1


def test_shared_memory_that_is_gone_takes_its_policy_along(machine: Machine, shell: Process) -> None:
    """Nothing is left behind in the state."""
    area = shell.mmap(2, shared=True)
    give_policy(shell, area, MPOL_BIND, [2])
    shell.munmap(area)
    assert not [key for key in machine.table if isinstance(key, tuple) and key[0] == "shared policy"]


def test_a_private_copy_of_shared_memory_ignores_the_tasks_policy(machine: Machine, shell: Process) -> None:
    """An area of tmpfs asks the object alone, and that has none: the copy goes to the local node."""
    area = shell.mmap(1, file=machine.file("segment", 1, "tmpfs"))
    shell.read(area)
    shell.set_mempolicy(MPOL_BIND, [3])
    shell.write(area)
    assert nodes_of(area) == [0]


# -- the cpuset goes before every policy


@pytest.mark.parametrize(
    ("mode", "nodes", "expected"),
    [
        (MPOL_DEFAULT, (), [1, 1, 1]),  # the nearest to node 0 that is allowed
        (MPOL_PREFERRED, (3,), [2, 2, 2]),  # the nearest to node 3
        (MPOL_BIND, (0, 2), [2, 2, 2]),  # what is left of the list
        (MPOL_BIND, (0, 3), [1, 1, 1]),  # nothing is left: as if there was no policy
        (MPOL_INTERLEAVE, (0, 2, 3), [2, 2, 1]),  # whose turn it is, else the nearest to it
    ],
    ids=["default", "preferred", "bind-partly", "bind-outside", "interleave"],
)
def test_a_policy_that_is_wider_than_the_cpuset(
    machine: Machine, mode: int, nodes: tuple[int, ...], expected: list[int]
) -> None:
    """An area's policy may name any node; memory comes from nodes 1 and 2 alone."""
    process = machine.spawn("process", node=0, mems={1, 2})
    area = process.mmap(3)
    give_policy(process, area, mode, nodes)
    process.write(area)
    assert nodes_of(area) == expected


def test_a_bind_policy_that_is_full_does_not_use_the_rest_of_the_cpuset(machine: Machine, fill: Fill) -> None:
    """What is left of the policy within the cpuset is all there is."""
    fill(machine, 2)
    process = machine.spawn("process", node=0, mems={1, 2})
    area = process.mmap(1)
    give_policy(process, area, MPOL_BIND, [2, 3])
    assert process.write(area) == -ENOMEM


def test_a_node_without_memory_is_left_out_of_a_bind_policy(make_machine: MachineMaker) -> None:
    """BIND to nothing but such nodes is refused; among others it is not told either."""
    machine = make_machine({0: 16, 1: 0, 2: 16})
    shell = machine.spawn("shell")
    assert (shell.set_mempolicy(MPOL_BIND, [1]).row, shell.mempolicy) == ("no-memory", None)
    assert shell.set_mempolicy(MPOL_BIND, [1, 2]) == 0
    assert (shell.get_mempolicy().nodes, touched(shell, 1)) == ((2,), [2])


def test_a_tasks_turn_is_not_taken_by_pages_of_areas(machine: Machine, shell: Process) -> None:
    """They go by their offsets; pages of files go on where the last one ended."""
    file = machine.file("log", 2)
    shell.set_mempolicy(MPOL_INTERLEAVE, [0, 1, 2])
    shell.read(shell.mmap(1, file=file, shared=True))
    shell.write(shell.mmap(5))
    other = shell.mmap(1, file=file, offset=1, shared=True)
    shell.read(other)
    assert nodes_of(other) == [1]
