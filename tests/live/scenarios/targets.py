"""Nodes that are asked for: those that do not exist, that have no CPU, that a cpuset forbids; and a second one."""

from __future__ import annotations

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL
from numakit.abi import MPOL_BIND, MPOL_INTERLEAVE, MPOL_MF_STRICT
from numakit.live import two_nodes
from tests.live.scenarios.play import (
    BEYOND,
    NOWHERE,
    Answers,
    World,
    a_node,
    memory_only_node,
    nodes_with_cpus,
    nodes_with_memory,
    of_today,
    places,
    scenario,
    spawn,
    spread,
    told,
    written,
)


@scenario
def a_node_that_does_not_exist(world: World) -> Answers:
    """Whether or not there is anything to move."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    return [told(shell.move_pages(0, area, [node])) for node in (NOWHERE, -1, 2**31 - 1)]


@scenario
def pages_that_are_there_already(world: World) -> Answers:
    """They lie on the node that is asked for."""
    shell = spawn(world)
    area = shell.mmap(2)
    shell.write(area)
    return [told(shell.move_pages(0, area, [a_node(world)] * 2))]


@scenario
def a_move_of_nothing(world: World) -> Answers:
    """An empty list."""
    return [told(spawn(world).move_pages(0, [], []))]


@scenario
def untouched_pages_that_are_to_move(world: World) -> Answers:
    """There is nothing to move."""
    shell = spawn(world)
    return [told(shell.move_pages(0, shell.mmap(1), [a_node(world)]))]


@scenario
def a_shared_page_that_is_there_already(world: World) -> Answers:
    """Where a page is comes before whose it is."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    shell.fork()
    return [told(shell.move_pages(0, area, [a_node(world)]))]


# -- with a second node


@scenario
def pages_move(world: World) -> Answers:
    """There and back; their contents come along."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(3)
    shell.write(area)
    contents = shell.read(area)
    answers = [told(shell.move_pages(0, area, [there, here, there]))]
    return [*answers, told(shell.move_pages(0, area)), shell.read(area) == contents]


@scenario
def a_shared_page_moves_with_move_all(world: World) -> Answers:
    """Only root may, and only with that flag."""
    here, there = two_nodes(world.topology)
    shell, root = world.spawn("shell", node=here), world.spawn("root", uid=0, node=here)
    area = shell.mmap(2)
    shell.write(area)
    child = shell.fork("child")
    child.write(area[1])
    answers = [told(root.move_pages(shell.pid, area, [there] * 2, MPOL_MF_MOVE))]
    answers.append(told(root.move_pages(shell.pid, area, [there] * 2, MPOL_MF_MOVE_ALL)))
    return [*answers, told(child.move_pages(0, area))]


@scenario
def a_page_in_a_pipe_stays(world: World) -> Answers:
    """Until the pipe is read."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(1)
    shell.write(area)
    pipe = shell.vmsplice(area)
    answers = [told(shell.move_pages(0, area, [there])), told(shell.move_pages(0, area))]
    pipe.release()
    return [*answers, told(shell.move_pages(0, area, [there]))]


@scenario
def all_pages_migrate(world: World) -> Answers:
    """migrate_pages() moves those of a whole process."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(2)
    shell.write(area)
    shell.migrate_pages(0, {here}, {there})  # a real process has other pages, of which some stay
    return [told(shell.move_pages(0, area))]


@scenario
def a_mlocked_page_moves(world: World) -> Answers:
    """Or it does not: that was the text's promise."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(1)
    shell.mlock(area)
    return [told(shell.move_pages(0, area, [there])), told(shell.move_pages(0, area))]


@scenario
def the_last_entry_names_a_node_that_does_not_exist(world: World) -> Answers:
    """Do those before it move?"""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(2)
    shell.write(area)
    return [shell.move_pages(0, area, [there, NOWHERE]).ret, told(shell.move_pages(0, area))]


@scenario
def mbind_moves_pages(world: World) -> Answers:
    """Only if it is asked to; new pages come from where the policy says in any case."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(3)
    shell.write(area[0:2])
    answers = [shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_STRICT).ret, shell.mbind(area, MPOL_BIND, {there}).ret]
    shell.write(area[2])
    answers.append(told(shell.move_pages(0, area)))
    return [*answers, shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE).ret, told(shell.move_pages(0, area))]


@scenario
def new_pages_are_interleaved(world: World) -> Answers:
    """In turn; which one comes first depends on the address."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(4)
    answers = [shell.mbind(area, MPOL_INTERLEAVE, {here, there}).ret]
    shell.write(area)
    nodes = shell.move_pages(0, area).status
    return [*answers, sorted(nodes), nodes[0] != nodes[1]]


@scenario
def a_child_inherits_where_its_pages_come_from(world: World) -> Answers:
    """Its policy, whatever CPU it runs on."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    shell.set_mempolicy(MPOL_BIND, {there})
    child = shell.fork("child")
    area = child.mmap(2)
    child.write(area)
    return [told(child.move_pages(0, area))]


@scenario
def a_cpuset_allows_one_node(world: World) -> Answers:
    """Pages may not be sent to another."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here, mems=[here])
    area = shell.mmap(1)
    shell.write(area)
    return [told(shell.move_pages(0, area, [there])), shell.set_mempolicy(MPOL_BIND, {there}).ret]


# -- a bad node among good ones


@of_today
def a_bad_node_comes_first(world: World) -> Answers:
    """Nothing moves."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 3)
    return [told(shell.move_pages(0, area, [NOWHERE, there, here])), places(shell, area)]


@of_today
def a_bad_node_in_the_middle_of_a_run(world: World) -> Answers:
    """The entries before it have moved, and have their statuses."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 5)
    return [told(shell.move_pages(0, area, [there, there, NOWHERE, there, there])), places(shell, area)]


@of_today
def a_bad_node_between_runs(world: World) -> Answers:
    """The run before it is complete."""
    _, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 5)
    return [told(shell.move_pages(0, area, [third, there, there, -1, third])), places(shell, area)]


@of_today
def a_bad_node_behind_an_entry_with_an_answer(world: World) -> Answers:
    """The answer is told, and there is nothing to move."""
    here, _ = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(3)
    shell.write(area[0])
    return [told(shell.move_pages(0, area, [here, here, BEYOND]))]


@of_today
def nodes_beyond_all_masks(world: World) -> Answers:
    """Each of them alone."""
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(0, area, [node])) for node in (BEYOND, BEYOND + 1, 2**31 - 1, -(2**31))]


@of_today
def a_bad_node_for_a_page_that_is_not_there(world: World) -> Answers:
    """Nodes are looked at before pages."""
    shell = spawn(world)
    area = shell.mmap(2)
    return [told(shell.move_pages(0, area, [a_node(world), NOWHERE]))]


@of_today
def the_next_node_id_is_not_online(world: World) -> Answers:
    """Ids go from 0 without a hole."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(0, area, [nodes[-1] + 1]))]


# -- nodes that are particular


@of_today
def pages_move_to_a_node_without_cpus(world: World) -> Answers:
    """And back again."""
    far, here = memory_only_node(world), a_node(world)
    shell = spawn(world)
    area = written(shell, 3)
    answers = [told(shell.move_pages(0, area, [far] * 3)), told(shell.move_pages(0, area))]
    return [*answers, told(shell.move_pages(0, area, [here, far, here])), shell.read(area[0]) > 0]


@of_today
def pages_are_dealt_out_to_all_nodes(world: World) -> Answers:
    """Each run has one page."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    area = written(shell, 10)
    return [told(shell.move_pages(0, area, nodes * 2)), places(shell, area)]


@of_today
def a_node_outside_the_cpuset_in_the_middle(world: World) -> Answers:
    """The entries before it have moved; whose cpuset it is is the target's business."""
    here, there, third = nodes_with_cpus(world, 3)
    shell, root = spawn(world, mems=[here, there]), spawn(world, "root", uid=0)
    area = written(shell, 4)
    answers = [told(shell.move_pages(0, area, [there, there, third, there])), places(shell, area)]
    return [*answers, told(root.move_pages(shell.pid, area, [here, third, here, here])), places(shell, area)]


@of_today
def a_bad_node_comes_before_the_cpuset(world: World) -> Answers:
    """One that does not exist is outside every cpuset, too."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world, mems=[here])
    area = written(shell, 1)
    return [told(shell.move_pages(0, area, [node])) for node in (NOWHERE, there)]


@of_today
def a_node_outside_the_callers_cpuset_gives_no_page(world: World) -> Answers:
    """The target's cpuset allows it, so that the call begins; but the caller is who allocates."""
    here, there = nodes_with_cpus(world, 2)
    shell, other = spawn(world), spawn(world, "other", mems=[here])
    area = written(shell, 3)
    return [told(other.move_pages(shell.pid, area, [there] * 3)), places(shell, area)]


@of_today
def no_memory_ends_the_call_behind_a_run_that_moved(world: World) -> Answers:
    """Statuses of the run before are told; those behind are not looked at."""
    here, there, third = nodes_with_cpus(world, 3)
    shell, other = spawn(world), spawn(world, "other", mems=[here, there])
    area = written(shell, 6)
    answers = [told(other.move_pages(shell.pid, area, [there, there, third, third, there, there]))]
    return [*answers, places(shell, area)]


@of_today
def no_memory_and_a_page_that_is_there_already(world: World) -> Answers:
    """Its status ends the run, and so comes before the errno of the run."""
    here, there = nodes_with_cpus(world, 2)
    shell, other = spawn(world), spawn(world, "other", mems=[here])
    area = spread(shell, [here, there, here])
    return [told(other.move_pages(shell.pid, area, [there] * 3)), places(shell, area)]


@of_today
def no_memory_and_a_page_named_twice(world: World) -> Answers:
    """The second time it is taken already; that ends the run, which then finds no memory."""
    here, there = nodes_with_cpus(world, 2)
    shell, other = spawn(world), spawn(world, "other", mems=[here])
    area = written(shell, 1)
    return [told(other.move_pages(shell.pid, [area[0], area[0]], [there] * 2)), places(shell, area)]


@of_today
def no_memory_for_a_page_that_is_held(world: World) -> Answers:
    """The new page is asked for before references are counted."""
    here, there = nodes_with_cpus(world, 2)
    shell, other = spawn(world), spawn(world, "other", mems=[here])
    area = written(shell, 1)
    shell.vmsplice(area)
    return [told(other.move_pages(shell.pid, area, [there]))]


@of_today
def pages_move_within_the_cpuset(world: World) -> Answers:
    """Of the three nodes that it allows, one has no CPU."""
    here, there = nodes_with_cpus(world, 2)
    far = memory_only_node(world)
    shell = spawn(world, mems=[here, there, far])
    area = written(shell, 3)
    return [told(shell.move_pages(0, area, [far, there, here])), told(shell.move_pages(0, area, [there, far, far]))]
