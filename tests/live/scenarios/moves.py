"""What becomes of the entries of one move: each kind of answer, and several kinds in one call."""

from __future__ import annotations

from numakit import MPOL_MF_MOVE_ALL, PAGE_SIZE
from tests.live.scenarios.play import (
    Answers,
    World,
    a_node,
    nodes_with_cpus,
    of_today,
    places,
    spawn,
    spread,
    told,
    written,
)


@of_today
def all_answers_in_one_call(world: World) -> Answers:
    """A page that moves, a hole, one never touched, the zero page, one that is there, one that is shared."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    common = written(shell, 1)
    shell.fork("child")
    area = shell.mmap(5)
    shell.write([area[0], area[3], area[4]])
    shell.move_pages(0, area[3:4], [there])
    shell.read(area[2])
    pages = [area[0], area.end, area[1], area[2], area[3], common[0], area[4]]
    return [told(shell.move_pages(0, pages, [there] * 7)), places(shell, pages), here == a_node(world)]


@of_today
def the_zero_page_does_not_move(world: World) -> Answers:
    """Alone, and between two pages that do."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 3)
    zeroes = shell.mmap(1)
    shell.read(zeroes)
    answers = [told(shell.move_pages(0, zeroes, [there]))]
    return [*answers, told(shell.move_pages(0, [area[0], zeroes[0], area[1]], [there] * 3))]


@of_today
def a_page_that_was_never_touched_does_not_move(world: World) -> Answers:
    """Anonymous memory, shared memory, and a file, of each a page that is not there."""
    _, there = nodes_with_cpus(world, 2)
    shell, file = spawn(world), world.file("data", 1)
    pages = [shell.mmap(1)[0], shell.mmap(1, shared=True)[0], shell.mmap(1, shared=True, file=file)[0]]
    answers = [told(shell.move_pages(0, pages, [there] * 3))]
    private = shell.mmap(1, file=file)
    return [*answers, told(shell.move_pages(0, private, [there]))]


@of_today
def addresses_in_no_area_do_not_move(world: World) -> Answers:
    """Below all areas, above all of them, and in a hole between two."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 3)
    shell.munmap(area[1])
    pages = [PAGE_SIZE, area[0], area[1], area[2], area.end, 1 << 46, 2**64 - PAGE_SIZE]
    return [told(shell.move_pages(0, pages, [there] * 7)), places(shell, pages)]


@of_today
def addresses_within_a_page_move_it(world: World) -> Answers:
    """Any of them stands for the page."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    return [told(shell.move_pages(0, [area[0] + 1, area[1] + PAGE_SIZE - 1], [there] * 2)), places(shell, area)]


@of_today
def shared_pages_stay_and_others_move(world: World) -> Answers:
    """Of four pages the child has copied two."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 4)
    child = shell.fork("child")
    child.write([area[1], area[2]])
    return [told(shell.move_pages(0, area, [there] * 4)), places(shell, area), places(child, area)]


@of_today
def a_shared_page_that_is_there_and_one_that_is_not(world: World) -> Answers:
    """The first is told its node, the second that it is shared."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = spread(shell, [here, there])
    shell.fork("child")
    return [told(shell.move_pages(0, area, [there] * 2))]


@of_today
def pages_of_a_child_move_for_its_parent(world: World) -> Answers:
    """With MOVE_ALL both see the page on its new node."""
    _, there = nodes_with_cpus(world, 2)
    root = spawn(world, "root", uid=0)
    area = written(root, 3)
    child = root.fork("child")
    child.write(area[2])
    answers = [told(root.move_pages(child.pid, area, [there] * 3, MPOL_MF_MOVE_ALL))]
    return [*answers, places(root, area), places(child, area)]


@of_today
def pages_that_are_there_cut_a_run(world: World) -> Answers:
    """All statuses are told, in their order."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = spread(shell, [here, there, here, here, there, there, here])
    return [told(shell.move_pages(0, area, [there] * 7)), places(shell, area)]


@of_today
def targets_that_change_with_every_page(world: World) -> Answers:
    """There and here in turn."""
    here, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = spread(shell, [here, there, third] * 2)
    return [told(shell.move_pages(0, area, [there, third, here] * 2)), places(shell, area)]


@of_today
def a_move_of_many_pages(world: World) -> Answers:
    """More than are moved at once, and more than a page has room for addresses."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 600)
    result = shell.move_pages(0, area, [there] * 600)
    return [result.ret, sorted({(node, result.status.count(node)) for node in result.status})]


@of_today
def the_same_call_again(world: World) -> Answers:
    """Everything is there already."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 3)
    return [told(shell.move_pages(0, area, [there, here, there])) for _ in range(2)]


@of_today
def a_move_by_the_parent_while_the_child_holds_a_pipe(world: World) -> Answers:
    """The child's copies are its own: only the page that it did not copy is shared, and held."""
    _, there = nodes_with_cpus(world, 2)
    root = spawn(world, "root", uid=0)
    area = written(root, 2)
    child = root.fork("child")
    child.write(area[0])
    child.vmsplice(area)
    answers = [told(root.move_pages(0, area[0:1], [there])), told(root.move_pages(0, area[1:2], [there]))]
    return [*answers, told(root.move_pages(0, area[1:2], [there], MPOL_MF_MOVE_ALL)), places(child, area)]
