"""/proc/<pid>/numa_maps: the line of an area, without its address and the name of its file."""

from __future__ import annotations

from numakit.abi import MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, PROT_READ
from tests.live.scenarios.play import (
    Answers,
    World,
    nodes_with_cpus,
    nodes_with_memory,
    of_today,
    spawn,
    spread,
    written,
)


def line_of(process: object, area: object) -> list[str]:
    """The words of an area's line; what a file is called is left out."""
    return lines_of(process, [area])[0]


def lines_of(process: object, areas: list[object]) -> list[list[str]]:
    """The words of the lines of areas, or none where there is no line that begins there."""
    words = [line.split() for line in process.numa_maps().splitlines()]  # type: ignore[attr-defined]
    of_start = {int(start, 16): rest for start, *rest in words}
    found = [of_start.get(area if isinstance(area, int) else area.start, []) for area in areas]  # type: ignore[attr-defined]
    return [["file" if word.startswith("file=") else word for word in line] for line in found]


@of_today
def map_of_memory_that_nobody_touched(world: World) -> Answers:
    """Private, shared, of a file; and one of which a page was only read."""
    shell, file = spawn(world), world.file("data", 2)
    areas = [shell.mmap(2), shell.mmap(2, shared=True), shell.mmap(2, shared=True, file=file), shell.mmap(2)]
    shell.read(areas[3][0])
    return lines_of(shell, areas)


@of_today
def map_of_pages_on_all_nodes(world: World) -> Answers:
    """A count for each node that has some."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    area = spread(shell, [*nodes, *nodes[1:3]])
    return [line_of(shell, area)]


@of_today
def map_after_pages_have_moved(world: World) -> Answers:
    """The same pages, elsewhere."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 3)
    before = line_of(shell, area)
    shell.move_pages(0, area[0:2], [there] * 2)
    return [before, line_of(shell, area)]


@of_today
def map_of_pages_that_a_child_shares(world: World) -> Answers:
    """mapmax tells of how many processes; what the child has copied is its own."""
    shell = spawn(world)
    area = written(shell, 3)
    child = shell.fork("child")
    child.write(area[0])
    other = shell.fork("other")
    return [line_of(process, area) for process in (shell, child, other)]


@of_today
def map_of_shared_memory(world: World) -> Answers:
    """What only one has mapped, and what both have."""
    shell = spawn(world)
    area = shell.mmap(3, shared=True)
    child = shell.fork("child")
    shell.write(area[0:2])
    child.read(area[0])
    return [line_of(shell, area), line_of(child, area)]


@of_today
def map_of_pages_of_a_file(world: World) -> Answers:
    """One is written to, one is copied; both are of one process alone."""
    shell, file, second = spawn(world), world.file("data", 1), world.file("more", 1)
    shared, private = shell.mmap(1, shared=True, file=file), shell.mmap(1, file=second)
    shell.write(shared)
    shell.write(private)
    return lines_of(shell, [shared, private])


@of_today
def map_of_policies(world: World) -> Answers:
    """The default is not named; lists of nodes are ranges where they can be."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    areas = [shell.mmap(1) for _ in range(6)]
    wishes = [
        (MPOL_BIND, nodes[1:2]),
        (MPOL_BIND, nodes[1:4]),
        (MPOL_BIND, [nodes[0], nodes[2], nodes[3]]),
        (MPOL_INTERLEAVE, [nodes[0], nodes[4]]),
        (MPOL_PREFERRED, nodes[2:3]),
        (MPOL_PREFERRED, []),
    ]
    for area, (mode, wanted) in zip(areas, wishes, strict=True):
        shell.mbind(area, mode, wanted)
    return lines_of(shell, areas)


@of_today
def map_with_a_policy_of_the_process(world: World) -> Answers:
    """It is told of areas that have none of their own."""
    nodes = nodes_with_memory(world, 3)
    shell = spawn(world)
    shell.set_mempolicy(MPOL_INTERLEAVE, nodes)
    plain, own, common = shell.mmap(3), shell.mmap(1), shell.mmap(3, shared=True)
    shell.mbind(own, MPOL_BIND, nodes[1:2])
    shell.write(plain)
    shell.write(common)
    return lines_of(shell, [plain, own, common])


@of_today
def map_of_an_area_that_was_cut(world: World) -> Answers:
    """Each part has its line."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 5)
    shell.mbind(area[1:3], MPOL_BIND, {there}, 2)
    shell.munmap(area[3])
    return lines_of(shell, [area[i] for i in range(5)])


@of_today
def map_of_a_read_only_area(world: World) -> Answers:
    """What may be done with it is not told."""
    shell = spawn(world)
    area = written(shell, 2)
    shell.mprotect(area, PROT_READ)
    return [line_of(shell, area)]


@of_today
def map_of_pages_in_a_pipe(world: World) -> Answers:
    """A reference more is not a mapping more."""
    shell = spawn(world)
    area = written(shell, 2)
    shell.vmsplice(area)
    return [line_of(shell, area)]


@of_today
def map_of_locked_memory(world: World) -> Answers:
    """It is on no list that could be active."""
    shell = spawn(world)
    locked, later = shell.mmap(2), written(shell, 2)
    shell.mlock(locked)
    shell.mlock(later)
    return lines_of(shell, [locked, later])
