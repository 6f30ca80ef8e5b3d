"""Bugs in migrate_pages(2), mbind(), cpusets and policies: each replaces one function, and one check finds it."""

from __future__ import annotations

from inspect import unwrap
from typing import Any

from numakit import MPOL_BIND, MPOL_F_ADDR, PAGE_SIZE
from numakit.abi import EFAULT, MPOL_MF_MOVE
from numakit.kernels import Kernel
from numakit.machine.consistency import left_in_flight
from numakit.machine.frames import alloc_page_on, alloc_pages
from numakit.machine.locks import down_read
from numakit.machine.lru import isolate_lru_page
from numakit.machine.mempolicy import Mempolicy
from numakit.machine.nodemask import node_remap
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict
from numakit.machine.vma import VmAreaStruct, vmas_of
from numakit.migration.new_page import ResultPointer
from numakit.syscalls.mbind import mbind_range
from numakit.syscalls.migrate_pages import Moves, do_migrate_pages
from numakit.syscalls.page_range import Walk, check_range
from numakit.timeline.task import Steps
from tests.interleavings.world import broken, new_world
from tests.planted_bugs.bugs import Bug

# -- migrate_pages(2)


@broken("migrate_page_add")
def takes_shared_pages_too(m: MachineState, vma: VmAreaStruct, address: int, page: int, flags: int) -> Verdict | None:
    """Isolates what others map as well, for whoever asks."""
    return Verdict(0, "left-busy") if isolate_lru_page(m, page, m.current) else None


def check_a_shared_page_is_left_out(kernel: Kernel) -> None:
    """Without CAP_SYS_NICE only what the process maps alone is moved."""
    world = new_world(kernel)
    world.shell.fork("child")
    assert world.shell.migrate_pages(0, {0}, {1}).rows == ["left-shared"]
    assert world.area.nodes == [0]


@broken("next_pair")
def takes_nodes_as_they_come(
    m: MachineState, left: tuple[int, ...], old: tuple[int, ...], new: tuple[int, ...]
) -> tuple[int, int] | None:
    """Node after node: what has just come to a node is moved on with those that were there."""
    pairs = ((source, node_remap(source, old, new)) for source in left)
    return next((pair for pair in pairs if pair[0] != pair[1]), None)


def check_pages_go_to_the_next_node_and_no_farther(kernel: Kernel) -> None:
    """From 0 and 1 to 1 and 2: the pages of node 1 have to make room first."""
    world = new_world(kernel, nodes=3)
    assert world.shell.migrate_pages(0, {0, 1}, {1, 2}).ret == 0
    assert world.area.nodes == [1]


@broken("do_migrate_pages")
def keeps_mmap_sem_if_nothing_is_to_move(
    m: MachineState, mm: int, old: tuple[int, ...], new: tuple[int, ...], flags: int
) -> Steps[Moves]:
    """Returns early, before the lock is given back."""
    moves: Moves = yield from unwrap(do_migrate_pages)(m, mm, old, new, flags)
    if not moves.pairs:
        yield from down_read(m, mm)
    return moves


def check_the_process_can_map_memory_afterwards(kernel: Kernel) -> None:
    """Nobody holds its mmap_sem when the call is over."""
    world = new_world(kernel)
    assert world.shell.migrate_pages(0, {0}, {0}).ret == 0
    assert left_in_flight(world.machine) == []


# -- mbind


@broken("check_range")
def forgets_what_it_isolated(
    m: MachineState, mm: int, start: int, end: int, nodes: tuple[int, ...], flags: int
) -> Steps[Walk]:
    """A walk that ends at a hole does not tell of the pages before it, which are off the LRU by then."""
    walk: Walk = yield from unwrap(check_range)(m, mm, start, end, nodes, flags)
    return walk._replace(passed=()) if walk.rc else walk


def check_isolated_pages_are_put_back_after_an_error(kernel: Kernel) -> None:
    """-EFAULT, and they are on the LRU as before."""
    world = new_world(kernel)
    free = world.free_frames()
    result = world.shell.mbind(world.area[0], MPOL_BIND, {1}, MPOL_MF_MOVE, length=9 * PAGE_SIZE)
    assert result.ret == -EFAULT
    world.see_quiet()
    assert world.free_frames() == free


@broken("mbind_range")
def sets_the_first_area_only(m: MachineState, mm: int, start: int, end: int, policy: Mempolicy | None) -> Steps[int]:
    """A range over several areas gets its policy in the first one."""
    first = min(vma.end for vma in vmas_of(m, mm) if vma.end > start)
    number: int = yield from unwrap(mbind_range)(m, mm, start, min(end, first), policy)
    return number


def check_every_area_of_the_range_has_the_policy(kernel: Kernel) -> None:
    """Two areas beside each other, as mbind itself has cut them."""
    shell = new_world(kernel).shell
    area = shell.mmap(2)
    shell.mbind(area[1], MPOL_BIND, {0})
    assert shell.mbind(area, MPOL_BIND, {1}) == 0
    assert [shell.get_mempolicy(address, MPOL_F_ADDR).nodes for address in area] == [(1,), (1,)]


@broken("new_vma_page")
def takes_a_local_page(m: MachineState, page: int, private: Any, result: ResultPointer) -> int | None:
    """The new page comes from the node of the CPU or the next one, whatever the policy says."""
    return alloc_pages(m, m.zonelists[m.cpu_nodes[m.cpu]])


def check_pages_move_to_where_the_policy_wants_them(kernel: Kernel) -> None:
    """Bound to node 1 they are on node 1."""
    world = new_world(kernel)
    assert world.shell.mbind(world.area, MPOL_BIND, {1}, MPOL_MF_MOVE) == 0
    assert world.area.nodes == [1]


# -- cpusets


@broken("mpol_rebind_mm")
def leaves_policies_alone(m: MachineState, mm: int, old: tuple[int, ...], new: tuple[int, ...]) -> Steps[None]:
    """The cpuset changes, and policies go on naming nodes that it does not allow."""
    yield from ()


def check_policies_of_areas_follow_the_cpuset(kernel: Kernel) -> None:
    """Bound to the only node of the cpuset, an area is bound to its next one afterwards."""
    world = new_world(kernel)
    cpuset = world.machine.cpuset("moving", {0})
    task = world.machine.spawn("task", cpuset=cpuset, node=0)
    area = task.mmap(1)
    task.mbind(area, MPOL_BIND, {0})
    assert cpuset.set_mems({1}) == 0
    assert task.get_mempolicy(area[0], MPOL_F_ADDR).nodes == (1,)


@broken("alloc_page_vma")
def forgets_the_cpuset(m: MachineState, vma: VmAreaStruct | None, address: int) -> int | None:
    """First touch takes a page of the local node, allowed or not."""
    return alloc_page_on(m, m.cpu_nodes[m.cpu])


def check_a_first_touch_stays_within_the_cpuset(kernel: Kernel) -> None:
    """The process runs on node 0 and may use node 1 only."""
    task = new_world(kernel).machine.spawn("task", mems={1}, node=0)
    area = task.mmap(1)
    task.write(area)
    assert area.nodes == [1]


BUGS = (
    Bug("shared pages are taken without MOVE_ALL", takes_shared_pages_too, check_a_shared_page_is_left_out),
    Bug(
        "nodes are emptied in ascending order",
        takes_nodes_as_they_come,
        check_pages_go_to_the_next_node_and_no_farther,
    ),
    Bug(
        "mmap_sem is kept if nothing is to move",
        keeps_mmap_sem_if_nothing_is_to_move,
        check_the_process_can_map_memory_afterwards,
    ),
    Bug(
        "pages before a hole stay isolated",
        forgets_what_it_isolated,
        check_isolated_pages_are_put_back_after_an_error,
    ),
    Bug(
        "the policy is set in the first area only",
        sets_the_first_area_only,
        check_every_area_of_the_range_has_the_policy,
    ),
    Bug("new pages ignore the policy", takes_a_local_page, check_pages_move_to_where_the_policy_wants_them),
    Bug("policies are not rebound", leaves_policies_alone, check_policies_of_areas_follow_the_cpuset),
    Bug("first touch ignores the cpuset", forgets_the_cpuset, check_a_first_touch_stays_within_the_cpuset),
)
