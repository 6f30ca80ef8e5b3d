"""The arrays of a call: how many entries it claims, what of them can be read, and where statuses cannot be written."""

from __future__ import annotations

from numakit import MPOL_MF_MOVE, PAGE_SIZE, PROT_READ
from tests.live.scenarios.play import (
    NOWHERE,
    Answers,
    World,
    a_node,
    nodes_with_cpus,
    of_today,
    places,
    scenario,
    spawn,
    told,
    written,
)


@scenario
def arrays_in_memory(world: World) -> Answers:
    """The kernel reads pages[] and writes status[] where it is told."""
    shell = spawn(world)
    area, room = shell.mmap(2), shell.mmap(2)
    shell.write(area[0])
    pages, status = shell.array(room[0], list(area), 8), shell.array(room[1], [77, 78], 4)
    return [told(shell.move_pages(0, pages, None, MPOL_MF_MOVE, status))]


@scenario
def a_query_beyond_its_array(world: World) -> Answers:
    """More entries than there is memory."""
    shell = spawn(world)
    area, room = shell.mmap(1), shell.mmap(1)
    shell.write(area)
    pages = shell.array(room.end - 8, [area[0]], 8)
    return [shell.move_pages(0, pages, None, MPOL_MF_MOVE, nr_pages=2).ret]


@scenario
def a_move_beyond_its_array(world: World) -> Answers:
    """The first entry can be read, the second cannot."""
    shell = spawn(world)
    area, room = shell.mmap(1), shell.mmap(2)
    shell.write(area)
    pages, node = shell.array(room[1] - 8, [area[0]], 8), a_node(world)
    nodes = shell.array(room[0], [node, node], 4)
    shell.munmap(room[1])
    result = shell.move_pages(0, pages, nodes, MPOL_MF_MOVE, nr_pages=2)
    return [result.ret, result.status[:1]]


@scenario
def too_many_entries(world: World) -> Answers:
    """More than anybody can count."""
    shell = spawn(world)
    room = shell.mmap(1)
    pages = shell.array(room.end - 8, [0], 8)
    return [shell.move_pages(0, pages, pages._replace(size=4), MPOL_MF_MOVE, nr_pages=1 << 60).ret]


@scenario
def a_status_that_cannot_be_written(world: World) -> Answers:
    """It lies in read-only memory."""
    shell = spawn(world)
    area, room = shell.mmap(1), shell.mmap(1)
    shell.write(area)
    status = shell.array(room[0], [7], 4)
    shell.mprotect(room, PROT_READ)
    return [told(shell.move_pages(0, area, None, MPOL_MF_MOVE, status))]


@of_today
def a_status_is_told_only_where_it_can_be_written(world: World) -> Answers:
    """The array goes on into a page that is read-only: a query that fails there has told the statuses before."""
    shell = spawn(world)
    area, room = written(shell, 1), shell.mmap(2)
    status = shell.array(room[1] - 8, [7, 7, 7, 7], 4)
    shell.mprotect(room[1], PROT_READ)
    result = shell.move_pages(0, [area[0]] * 4, None, MPOL_MF_MOVE, status)
    return [result.ret, result.status[:2]]


@of_today
def pages_move_before_their_statuses_cannot_be_written(world: World) -> Answers:
    """The first run has moved; the second is not tried any more."""
    _, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area, room = written(shell, 4), shell.mmap(1)
    status = shell.array(room[0], [7] * 4, 4)
    shell.mprotect(room, PROT_READ)
    answers = [shell.move_pages(0, area, [there, there, third, third], MPOL_MF_MOVE, status).ret]
    return [*answers, places(shell, area)]


@of_today
def a_status_that_cannot_be_written_in_the_middle_of_a_run(world: World) -> Answers:
    """An entry with an answer of its own cannot tell it; what was taken before goes on its way."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area, room = shell.mmap(4), shell.mmap(1)
    shell.write([area[0], area[1], area[3]])
    status = shell.array(room[0], [7] * 4, 4)
    shell.mprotect(room, PROT_READ)
    answers = [shell.move_pages(0, area, [there] * 4, MPOL_MF_MOVE, status).ret, places(shell, area)]
    return [*answers, shell.read(area[3]) > 0, here == a_node(world)]


@of_today
def pages_move_before_the_array_of_addresses_ends(world: World) -> Answers:
    """Three entries can be read, and the call claims six."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area, room = written(shell, 3), shell.mmap(1)
    pages, nodes = shell.array(room.end - 24, list(area), 8), shell.array(room[0], [there] * 6, 4)
    result = shell.move_pages(0, pages, nodes, MPOL_MF_MOVE, nr_pages=6)
    return [result.ret, result.status[:3], places(shell, area)]


@of_today
def pages_move_before_the_array_of_nodes_ends(world: World) -> Answers:
    """Two nodes can be read, for four pages."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area, room = written(shell, 4), shell.mmap(2)
    pages, nodes = shell.array(room[0], list(area), 8), shell.array(room.end - 8, [there] * 2, 4)
    result = shell.move_pages(0, pages, nodes, MPOL_MF_MOVE, nr_pages=4)
    return [result.ret, result.status[:2], places(shell, area)]


@of_today
def an_array_of_nodes_that_cannot_be_read(world: World) -> Answers:
    """Its first element lies in no area."""
    shell = spawn(world)
    area, room = written(shell, 2), shell.mmap(1)
    nodes = shell.array(room[0], [a_node(world)] * 2, 4)
    shell.munmap(room)
    return [told(shell.move_pages(0, area, nodes))]


@of_today
def an_address_is_read_before_its_node(world: World) -> Answers:
    """Neither can be had; and a bad node behind the end of the addresses is not seen."""
    shell = spawn(world)
    area, room = written(shell, 1), shell.mmap(2)
    pages = shell.array(room[1] - 8, [area[0]], 8)
    nodes = shell.array(room[0], [a_node(world), NOWHERE], 4)
    shell.munmap(room[1])
    result = shell.move_pages(0, pages, nodes, MPOL_MF_MOVE, nr_pages=2)
    return [result.ret, result.status[:1]]


@of_today
def a_huge_number_of_entries_moves_those_that_are_there(world: World) -> Answers:
    """The call goes on until the caller's memory ends."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area, room = written(shell, 2), shell.mmap(2)
    pages, nodes = shell.array(room[1] - 16, list(area), 8), shell.array(room[0], [there] * 2, 4)
    shell.munmap(room[1])
    result = shell.move_pages(0, pages, nodes, MPOL_MF_MOVE, nr_pages=1 << 60)
    return [result.ret, places(shell, area)]


@of_today
def statuses_of_the_caller_stay_where_nothing_is_told(world: World) -> Answers:
    """A page that is held keeps its run's statuses from being written: what stood there stands there still."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area, room = written(shell, 3), shell.mmap(1)
    pipe = shell.vmsplice(area[1])
    status = shell.array(room[0], [71, 72, 73], 4)
    before = shell.read(room[0])
    answers = [told(shell.move_pages(0, area, [there] * 3, MPOL_MF_MOVE, status)), shell.read(room[0]) == before]
    return [*answers, pipe.release(), told(shell.move_pages(0, area, [there] * 3, MPOL_MF_MOVE, status))]


@of_today
def arrays_may_lie_in_pages_that_move(world: World) -> Answers:
    """The kernel reads its own arguments where they are by then."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    room = shell.mmap(3)
    addresses = [room[0], room[1], room[2], room[0] + PAGE_SIZE // 2]
    pages = shell.array(room[0], addresses, 8)
    nodes, status = shell.array(room[1], [there] * 4, 4), shell.array(room[2], [7] * 4, 4)
    return [told(shell.move_pages(0, pages, nodes, MPOL_MF_MOVE, status)), places(shell, room)]
