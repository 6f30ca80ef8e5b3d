"""Runs: entries that follow each other and ask for the same node move together. Pages that are held, and entries that
name a page again, in all places of them.
"""

from __future__ import annotations

from numakit import MPOL_MF_MOVE_ALL
from tests.live.scenarios.play import Answers, World, nodes_with_cpus, of_today, places, spawn, spread, told, written


def run_with_held_pages(world: World, pages: int, held: list[int]) -> Answers:
    """A run of so many pages of which a pipe holds some: what the call tells, and where all are afterwards."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, pages)
    for i in held:
        shell.vmsplice(area[i])
    return [told(shell.move_pages(0, area, [there] * pages)), places(shell, area)]


# -- a page that is held


@of_today
def the_first_page_of_a_run_is_held(world: World) -> Answers:
    """It stays, and no status of the run is told; the others have moved."""
    return run_with_held_pages(world, 4, [0])


@of_today
def a_page_within_a_run_is_held(world: World) -> Answers:
    """Just so."""
    return run_with_held_pages(world, 4, [2])


@of_today
def the_last_page_of_a_run_is_held(world: World) -> Answers:
    """And so."""
    return run_with_held_pages(world, 4, [3])


@of_today
def two_pages_of_a_run_are_held(world: World) -> Answers:
    """Both are counted."""
    return run_with_held_pages(world, 5, [1, 3])


@of_today
def all_pages_of_a_run_are_held(world: World) -> Answers:
    """All are counted."""
    return run_with_held_pages(world, 3, [0, 1, 2])


@of_today
def a_page_is_held_behind_the_first_batch(world: World) -> Answers:
    """Of 600 pages the last but ten: the kernel moves 512 at a time."""
    ret, nodes = run_with_held_pages(world, 600, [589])
    return [ret[0], ret[1].count(None), nodes.count(nodes[589]), nodes.index(nodes[589])]


@of_today
def a_held_page_ends_the_call_with_its_run(world: World) -> Answers:
    """Later runs are counted as if they had failed; the run before has its statuses."""
    here, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 6)
    shell.vmsplice(area[3])
    targets = [there, there, third, third, there, there]
    return [told(shell.move_pages(0, area, targets)), places(shell, area), here in (0, there, third)]


@of_today
def a_held_page_in_the_last_run(world: World) -> Answers:
    """Nothing comes behind it that could be counted."""
    _, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 4)
    shell.vmsplice(area[2])
    return [told(shell.move_pages(0, area, [there, there, third, third])), places(shell, area)]


@of_today
def a_held_page_before_one_that_is_there(world: World) -> Answers:
    """That one has its status, and is not counted; the one behind it is."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = spread(shell, [here, there, here])
    shell.vmsplice(area[0])
    return [told(shell.move_pages(0, area, [there] * 3)), places(shell, area)]


@of_today
def a_held_page_before_a_hole_and_others(world: World) -> Answers:
    """The hole ends the run, and the run ends the call."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 5)
    shell.munmap(area[2])
    shell.vmsplice(area[1])
    return [told(shell.move_pages(0, area, [there] * 5)), places(shell, area)]


@of_today
def a_held_page_behind_one_that_is_there(world: World) -> Answers:
    """The status before it is told."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = spread(shell, [there, here, here])
    shell.vmsplice(area[1])
    return [told(shell.move_pages(0, area, [there] * 3)), places(shell, area)]


@of_today
def a_held_page_before_a_bad_node(world: World) -> Answers:
    """The errno of the node is returned, not the number of pages that stayed."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 3)
    shell.vmsplice(area[0])
    return [told(shell.move_pages(0, area, [there, there, -1])), places(shell, area)]


@of_today
def a_held_page_before_a_page_for_another_node(world: World) -> Answers:
    """The other one is not tried."""
    _, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 2)
    shell.vmsplice(area[0])
    return [told(shell.move_pages(0, area, [there, third])), places(shell, area)]


@of_today
def a_held_page_that_is_there(world: World) -> Answers:
    """Nobody minds."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    shell.vmsplice(area[0])
    return [told(shell.move_pages(0, area, [here, there])), places(shell, area)]


@of_today
def a_held_page_that_is_shared(world: World) -> Answers:
    """Sharing is seen first; with MOVE_ALL the page is tried, and stays."""
    _, there = nodes_with_cpus(world, 2)
    root = spawn(world, "root", uid=0)
    area = written(root, 2)
    root.fork("child")
    root.vmsplice(area[0])
    answers = [told(root.move_pages(0, area, [there] * 2))]
    return [*answers, told(root.move_pages(0, area, [there] * 2, MPOL_MF_MOVE_ALL)), places(root, area)]


@of_today
def a_held_page_of_locked_memory(world: World) -> Answers:
    """Locked or not, it stays until the pipe lets go."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(2)
    shell.mlock(area)
    pipe = shell.vmsplice(area[0])
    answers = [told(shell.move_pages(0, area, [there] * 2)), places(shell, area), pipe.release()]
    return [*answers, told(shell.move_pages(0, area, [there] * 2))]


@of_today
def a_held_page_of_shared_memory(world: World) -> Answers:
    """The reference of the pipe is one too many, too."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2, shared=True)
    pipe = shell.vmsplice(area[1])
    answers = [told(shell.move_pages(0, area, [there] * 2)), places(shell, area), pipe.release()]
    return [*answers, told(shell.move_pages(0, area, [there] * 2))]


# -- a page that is named twice


@of_today
def a_page_named_twice_for_one_node(world: World) -> Answers:
    """The second time it is taken already."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(0, [area[0]] * 2, [there] * 2)), places(shell, area)]


@of_today
def a_page_named_three_times_for_one_node(world: World) -> Answers:
    """The second time ends the run, so that the third finds the page on its new node."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(0, [area[0]] * 3, [there] * 3)), places(shell, area)]


@of_today
def a_page_named_for_two_nodes(world: World) -> Answers:
    """It goes to the one, and then to the other."""
    _, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(0, [area[0]] * 2, [there, third])), places(shell, area)]


@of_today
def a_page_named_for_its_own_node_first(world: World) -> Answers:
    """Then it goes to the other."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(0, [area[0]] * 2, [here, there])), places(shell, area)]


@of_today
def a_page_named_for_its_own_node_last(world: World) -> Answers:
    """There and back in one call."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(0, [area[0]] * 2, [there, here])), places(shell, area)]


@of_today
def a_page_named_again_behind_others(world: World) -> Answers:
    """Within the run it is taken; in the next one it is there."""
    _, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 3)
    pages = [area[0], area[1], area[0], area[2], area[0]]
    return [told(shell.move_pages(0, pages, [there, there, there, there, third])), places(shell, area)]


@of_today
def a_held_page_named_twice(world: World) -> Answers:
    """The second time it is taken; the run then fails."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    shell.vmsplice(area[0])
    return [told(shell.move_pages(0, [area[0], area[0], area[1]], [there] * 3)), places(shell, area)]


@of_today
def two_addresses_of_one_page(world: World) -> Answers:
    """They name one page."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    pages = [area[0] + 8, area[0] + 16, area[1]]
    return [told(shell.move_pages(0, pages, [there] * 3)), places(shell, area)]


@of_today
def a_page_of_a_file_under_two_addresses(world: World) -> Answers:
    """With MOVE_ALL it may move, and is taken when it is named again."""
    _, there = nodes_with_cpus(world, 2)
    root, file = spawn(world, "root", uid=0), world.file("data", 1)
    one, again = root.mmap(1, shared=True, file=file), root.mmap(1, shared=True, file=file)
    root.write(one)
    root.read(again)
    return [told(root.move_pages(0, [one[0], again[0]], [there] * 2, MPOL_MF_MOVE_ALL)), places(root, again)]
