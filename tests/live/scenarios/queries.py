"""Queries: move_pages() without nodes."""

from __future__ import annotations

from numakit import MPOL_MF_MOVE, PAGE_SIZE, PROT_NONE, PROT_READ
from numakit.abi import MPOL_MF_MOVE_ALL
from tests.live.scenarios.play import (
    Answers,
    World,
    nodes_with_memory,
    of_today,
    scenario,
    spawn,
    spread,
    told,
    written,
)


@scenario
def query_of_touched_and_untouched_pages(world: World) -> Answers:
    """A page has a node once it was written to."""
    shell = spawn(world)
    area = shell.mmap(5)
    shell.write(area[0:3])
    return [told(shell.move_pages(0, area))]


@scenario
def query_of_a_page_that_was_only_read(world: World) -> Answers:
    """It shows the zero page."""
    shell = spawn(world)
    area = shell.mmap(2)
    return [shell.read(area), told(shell.move_pages(0, area))]


@scenario
def query_beside_an_area(world: World) -> Answers:
    """The addresses before and behind an area, and a hole in it, lie in no area."""
    shell = spawn(world)
    area = shell.mmap(3)
    shell.write(area)
    shell.munmap(area[1])
    beside = [area.start - PAGE_SIZE, area.end, area[1], area[2]]
    return [told(shell.move_pages(0, beside)), shell.read(area[1]), shell.write(area[1])]


@scenario
def query_of_nothing(world: World) -> Answers:
    """An empty list is no error for a query."""
    return [told(spawn(world).move_pages(0, []))]


@scenario
def query_of_addresses_within_a_page(world: World) -> Answers:
    """Any address of a page stands for it, and it may be named twice."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    return [told(shell.move_pages(0, [area[0] + 123, area[0] + PAGE_SIZE - 1, area[0]]))]


@scenario
def query_after_protection(world: World) -> Answers:
    """What may not be accessed is still there."""
    shell = spawn(world)
    area = shell.mmap(2)
    shell.write(area)
    answers = [shell.mprotect(area, PROT_NONE), shell.write(area[0]), shell.read(area[0])]
    return [*answers, told(shell.move_pages(0, area))]


@scenario
def query_of_a_read_only_page(world: World) -> Answers:
    """It can be read, and not written."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    answers = [shell.mprotect(area, PROT_READ), shell.write(area[0]), shell.read(area[0]) > 0]
    return [*answers, told(shell.move_pages(0, area))]


@scenario
def query_of_another_process(world: World) -> Answers:
    """The same user's process may be asked about."""
    shell, other = spawn(world), spawn(world, "other")
    area = shell.mmap(3)
    shell.write(area[0:2])
    return [told(other.move_pages(shell.pid, area[0:2])), told(other.move_pages(0, area[0:1]))]


@of_today
def query_of_more_than_the_kernel_copies_at_once(world: World) -> Answers:
    """Sixteen addresses are read at a time; nothing of that shows."""
    shell = spawn(world)
    area = shell.mmap(20)
    shell.write(area[::3])
    return [told(shell.move_pages(0, area))]


@of_today
def query_whose_array_ends_behind_the_first_chunk(world: World) -> Answers:
    """The first sixteen entries have their answers already."""
    shell = spawn(world)
    area, room = written(shell, 1), shell.mmap(1)
    pages = shell.array(room.end - 8 * 18, [area[0]] * 18, 8)
    result = shell.move_pages(0, pages, None, MPOL_MF_MOVE, nr_pages=20)
    return [result.ret, result.status[:18]]


@of_today
def query_whose_array_ends_within_the_first_chunk(world: World) -> Answers:
    """None of them has: addresses are read before the first is looked up."""
    shell = spawn(world)
    area, room = written(shell, 1), shell.mmap(1)
    pages = shell.array(room.end - 8 * 3, [area[0]] * 3, 8)
    result = shell.move_pages(0, pages, None, MPOL_MF_MOVE, nr_pages=5)
    return [result.ret, result.status[:3]]


@of_today
def query_looks_at_no_flags_but_those_that_exist(world: World) -> Answers:
    """Both flags are allowed, and neither changes anything."""
    root = spawn(world, "root", uid=0)
    area = written(root, 2)
    root.fork("child")
    return [told(root.move_pages(0, area, None, flags)) for flags in (0, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL)]


@of_today
def query_of_shared_pages(world: World) -> Answers:
    """Who else maps a page does not matter."""
    shell = spawn(world)
    area, common = written(shell, 2), written(shell, 1, shared=True)
    child = shell.fork("child")
    return [told(process.move_pages(0, [*area, *common])) for process in (shell, child)]


@of_today
def query_of_shared_memory_that_nobody_touched(world: World) -> Answers:
    """It could come from somewhere, as a file's page could: it is not there yet."""
    shell = spawn(world)
    area = shell.mmap(2, shared=True)
    shell.write(area[1])
    return [told(shell.move_pages(0, area))]


@of_today
def query_of_shared_memory_that_a_child_touched(world: World) -> Answers:
    """The page is there, but the parent has not mapped it yet."""
    shell = spawn(world)
    area = shell.mmap(1, shared=True)
    child = shell.fork("child")
    child.write(area)
    before = told(shell.move_pages(0, area))
    return [before, shell.read(area[0]) > 0, told(shell.move_pages(0, area))]


@of_today
def query_of_addresses_that_no_process_has(world: World) -> Answers:
    """Zero, the kernel's half of the addresses, and the last page of all."""
    shell = spawn(world)
    return [told(shell.move_pages(0, [0, 1 << 47, 1 << 63, 2**64 - PAGE_SIZE, 2**64 - 1]))]


@of_today
def query_of_pages_on_all_nodes(world: World) -> Answers:
    """The node that has no CPU is one of them."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    return [told(shell.move_pages(0, spread(shell, nodes)))]


@of_today
def query_after_the_page_was_unmapped_and_mapped_again(world: World) -> Answers:
    """The new area has nothing of the old one."""
    shell = spawn(world)
    area = written(shell, 2)
    answers = [shell.munmap(area), told(shell.move_pages(0, area))]
    again = shell.mmap(2, address=area.start)
    answers += [again.start == area.start, shell.read(again[0])]
    return [*answers, told(shell.move_pages(0, again))]


@of_today
def query_of_pages_of_an_exited_child(world: World) -> Answers:
    """Nobody is left to be asked about."""
    shell = spawn(world)
    area = written(shell, 1)
    child = shell.fork("child")
    return [child.exit(), told(shell.move_pages(child.pid, area)), told(shell.move_pages(0, area))]


@of_today
def query_by_ones_own_pid(world: World) -> Answers:
    """It is as good as 0."""
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(shell.pid, area))]
