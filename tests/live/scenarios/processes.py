"""migrate_pages(2): all pages of a process, from some nodes to others.

Its return value counts pages of the program, too, of which some stay: only errors are told of it.
"""

from __future__ import annotations

from tests.live.scenarios.play import (
    BEYOND,
    NOBODY,
    NOWHERE,
    OTHER_UID,
    Answers,
    World,
    a_node,
    memory_only_node,
    nodes_with_cpus,
    nodes_with_memory,
    of_today,
    places,
    refusal,
    scenario,
    spawn,
    spread,
    written,
)


@scenario
def migrate_pages_to_where_they_are(world: World) -> Answers:
    """Nothing is left over."""
    shell, node = spawn(world), a_node(world)
    shell.write(shell.mmap(2))
    return [shell.migrate_pages(0, {node}, {node}).ret]


@scenario
def migrate_pages_that_is_refused(world: World) -> Answers:
    """No such process, a node outside the cpuset, another user's process."""
    shell, stranger, node = spawn(world), spawn(world, "stranger", uid=OTHER_UID), a_node(world)
    return [
        shell.migrate_pages(NOBODY, {node}, {node}).ret,
        shell.migrate_pages(0, {node}, {NOWHERE}).ret,
        stranger.migrate_pages(shell.pid, {node}, {node}).ret,
    ]


def mapped(world: World, *pairs: tuple[set[int], set[int]]) -> Answers:
    """Where five pages are, one on each node before, after a call of migrate_pages(); for each pair of node sets, which
    count nodes as the world has them.
    """
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    answers: Answers = []
    for old, new in pairs:
        area = spread(shell, nodes)
        answer = shell.migrate_pages(0, {nodes[i] for i in old}, {nodes[i] for i in new})
        answers += [refusal(answer), places(shell, area)]
        shell.munmap(area)
    return answers


@of_today
def one_node_to_one_node(world: World) -> Answers:
    """Pages on others stay."""
    return mapped(world, ({0}, {1}), ({4}, {0}), ({3}, {4}))


@of_today
def as_many_nodes_to_others(world: World) -> Answers:
    """Pages keep their places relative to each other."""
    return mapped(world, ({0, 1}, {2, 3}), ({0, 4}, {1, 2}), ({0, 1, 2}, {2, 3, 4}))


@of_today
def as_many_nodes_that_overlap(world: World) -> Answers:
    """The order of the pairs keeps pages from being moved twice."""
    return mapped(world, ({0, 1}, {1, 2}), ({2, 3, 4}, {1, 2, 3}), ({1, 2, 3}, {2, 3, 4}))


@of_today
def the_same_nodes(world: World) -> Answers:
    """Nothing is to be done."""
    return mapped(world, ({0, 1}, {0, 1}), ({0, 1, 2, 3, 4}, {0, 1, 2, 3, 4}))


@of_today
def more_old_nodes_than_new_ones(world: World) -> Answers:
    """The new ones are gone through again and again."""
    return mapped(world, ({0, 1, 2}, {3}), ({0, 1, 2}, {3, 4}), ({1, 2, 3, 4}, {0}))


@of_today
def more_old_nodes_than_new_ones_that_overlap(world: World) -> Answers:
    """What is old and new is left alone."""
    return mapped(world, ({0, 1, 2}, {1}), ({1, 2, 3}, {2, 3}), ({0, 1, 2, 3}, {0, 1}), ({0, 2}, {2}))


@of_today
def fewer_old_nodes_than_new_ones(world: World) -> Answers:
    """Only the first of the new ones are used."""
    return mapped(world, ({0}, {1, 2, 3}), ({1, 2}, {2, 3, 4}), ({0, 1}, {0, 1, 2, 3}), ({3}, {1, 3}))


@of_today
def nodes_that_swap_places(world: World) -> Answers:
    """Sets have no order: 0 to 1 and 1 to 0 cannot be said."""
    return mapped(world, ({0, 1}, {1, 0}), ({0, 2}, {1, 2}), ({1, 3}, {0, 3}))


@of_today
def from_no_node(world: World) -> Answers:
    """There is nothing to move."""
    return mapped(world, (set(), {1}))


@of_today
def to_no_node(world: World) -> Answers:
    """It is refused."""
    return mapped(world, ({0}, set()), (set(), set()))


@of_today
def old_nodes_that_do_not_exist(world: World) -> Answers:
    """They count when pages are dealt out; an id that no mask has room for is refused."""
    here, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 1)
    answers = [refusal(shell.migrate_pages(0, {here, NOWHERE}, {there, third})), places(shell, area)]
    answers += [refusal(shell.migrate_pages(0, {NOWHERE}, {here})), places(shell, area)]
    return [*answers, refusal(shell.migrate_pages(0, {there, BEYOND}, {here})), places(shell, area)]


@of_today
def new_nodes_that_do_not_exist(world: World) -> Answers:
    """They lie outside every cpuset: an ordinary user is refused, root is not as long as another one is left."""
    here, there = nodes_with_cpus(world, 2)
    shell, root = spawn(world), spawn(world, "root", uid=0)
    area = written(shell, 1)
    answers = [refusal(shell.migrate_pages(0, {here}, {there, NOWHERE})), places(shell, area)]
    answers.append(refusal(root.migrate_pages(shell.pid, {here}, {NOWHERE})))
    answers.append(refusal(root.migrate_pages(shell.pid, {here}, {there, NOWHERE})))
    return [*answers, places(shell, area), refusal(root.migrate_pages(shell.pid, {here}, {BEYOND}))]


@of_today
def all_pages_go_to_the_node_without_cpus(world: World) -> Answers:
    """And come back."""
    here, far = a_node(world), memory_only_node(world)
    shell = spawn(world)
    area = written(shell, 3)
    answers = [refusal(shell.migrate_pages(0, {here}, {far})), places(shell, area)]
    return [*answers, refusal(shell.migrate_pages(0, {far}, {here})), places(shell, area)]


@of_today
def areas_of_all_kinds_migrate(world: World) -> Answers:
    """Private and shared memory, a file, memory that is locked, read-only, or never touched."""
    here, there = nodes_with_cpus(world, 2)
    shell, file = spawn(world), world.file("data", 1)
    private, common = written(shell, 1), written(shell, 1, shared=True)
    mapped_file, locked, read_only = written(shell, 1, shared=True, file=file), written(shell, 1), written(shell, 1)
    shell.mlock(locked)
    shell.mprotect(read_only, 1)
    zeroes, untouched = shell.mmap(1), shell.mmap(1)
    shell.read(zeroes)
    pages = [area[0] for area in (private, common, mapped_file, locked, read_only, zeroes, untouched)]
    return [refusal(shell.migrate_pages(0, {here}, {there})), places(shell, pages)]


@of_today
def shared_pages_migrate_only_for_who_may(world: World) -> Answers:
    """A page that the child did not copy stays for an ordinary user; root moves it, for both."""
    here, there = nodes_with_cpus(world, 2)
    shell, root = spawn(world), spawn(world, "root", uid=0)
    area = written(shell, 2)
    child = shell.fork("child")
    child.write(area[1])
    answers = [refusal(shell.migrate_pages(0, {here}, {there})), places(shell, area), places(child, area)]
    answers.append(refusal(root.migrate_pages(shell.pid, {here}, {there})))
    return [*answers, places(shell, area), places(child, area)]


@of_today
def a_held_page_is_counted(world: World) -> Answers:
    """More than nothing stays, and the others move."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 3)
    pipe = shell.vmsplice(area[1])
    answers = [int(shell.migrate_pages(0, {here}, {there}).ret) > 0, places(shell, area), pipe.release()]
    return [*answers, refusal(shell.migrate_pages(0, {here}, {there})), places(shell, area)]


@of_today
def a_process_migrates_another_one(world: World) -> Answers:
    """Of the same user; a stranger may not, and root may."""
    here, there = nodes_with_cpus(world, 2)
    shell, other, root = spawn(world), spawn(world, "other"), spawn(world, "root", uid=0)
    stranger = spawn(world, "stranger", uid=OTHER_UID)
    area = written(shell, 2)
    answers = []
    for process, old, new in ((other, here, there), (stranger, there, here), (root, there, here)):
        answers += [refusal(process.migrate_pages(shell.pid, {old}, {new})), places(shell, area)]
    return answers


@of_today
def processes_that_cannot_be_migrated(world: World) -> Answers:
    """There is none of that pid, it has exited, or it has no memory."""
    thread, shell, root = world.kernel_thread("kthreadd"), spawn(world), spawn(world, "root", uid=0)
    gone, node = spawn(world, "gone"), a_node(world)
    gone.exit()
    pids = (NOBODY, -1, gone.pid)
    answers: Answers = [refusal(shell.migrate_pages(pid, {node}, {node})) for pid in pids]
    return [*answers, *(refusal(process.migrate_pages(thread.pid, {node}, {node})) for process in (shell, root))]


@of_today
def masks_come_before_the_process(world: World) -> Answers:
    """Who does not exist is not looked for where a mask is wrong."""
    shell, node = spawn(world), a_node(world)
    return [refusal(shell.migrate_pages(NOBODY, old, new)) for old, new in (({BEYOND}, {node}), ({node}, {BEYOND}))]


@of_today
def a_process_migrates_within_its_cpuset(world: World) -> Answers:
    """To a node outside it may not send its pages; root may, and so takes them out of the cpuset."""
    here, there, third = nodes_with_cpus(world, 3)
    shell, root = spawn(world, mems=[here, there]), spawn(world, "root", uid=0)
    area = written(shell, 2)
    answers = [refusal(shell.migrate_pages(0, {here}, {third})), places(shell, area)]
    answers += [refusal(shell.migrate_pages(0, {here}, {there})), places(shell, area)]
    return [*answers, refusal(root.migrate_pages(shell.pid, {there}, {third})), places(shell, area)]


@of_today
def the_callers_cpuset_limits_the_new_nodes(world: World) -> Answers:
    """Those that it forbids do not count; if none is left, it is refused."""
    here, there, third = nodes_with_cpus(world, 3)
    shell, other = spawn(world), spawn(world, "other", mems=[here, there])
    area = spread(shell, [here, third])
    answers = [refusal(other.migrate_pages(shell.pid, {here}, {third})), places(shell, area)]
    return [*answers, refusal(other.migrate_pages(shell.pid, {here, third}, {there, third})), places(shell, area)]
