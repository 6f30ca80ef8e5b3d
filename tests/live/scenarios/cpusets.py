"""Cpusets whose pages move along: what happens to pages and policies when a process comes in, or nodes change."""

from __future__ import annotations

from numakit.abi import MPOL_BIND, MPOL_F_ADDR, MPOL_INTERLEAVE, MPOL_PREFERRED
from tests.live.scenarios.play import (
    NOBODY,
    Answers,
    World,
    memory_only_node,
    nodes_with_cpus,
    nodes_with_memory,
    of_today,
    places,
    policy,
    spawn,
    spread,
    told,
    written,
)

# -- coming in


@of_today
def pages_follow_into_a_cpuset(world: World) -> Answers:
    """New pages come from there, too."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    cpuset = world.cpuset("there", [there], memory_migrate=True)
    answers = [cpuset.attach(shell.pid), places(shell, area)]
    return [*answers, places(shell, written(shell, 1))]


@of_today
def pages_follow_from_one_cpuset_into_another(world: World) -> Answers:
    """They keep their places relative to each other."""
    nodes = nodes_with_memory(world, 5)
    first = world.cpuset("first", nodes[:2], memory_migrate=True)
    second = world.cpuset("second", nodes[2:4], memory_migrate=True)
    shell = spawn(world, cpuset=first)
    area = spread(shell, [nodes[1], nodes[0], nodes[1]])
    answers = [places(shell, area), second.attach(shell.pid), places(shell, area)]
    return [*answers, first.attach(shell.pid), places(shell, area)]


@of_today
def nobody_comes_into_a_cpuset(world: World) -> Answers:
    """There is no such process."""
    cpuset = world.cpuset("there", [nodes_with_memory(world, 1)[0]], memory_migrate=True)
    gone = spawn(world, "gone")
    gone.exit()
    return [cpuset.attach(NOBODY), cpuset.attach(gone.pid)]


@of_today
def a_child_is_in_the_cpuset_of_its_parent(world: World) -> Answers:
    """It may not leave by asking for another node."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world, mems=[here])
    child = shell.fork("child")
    area = written(child, 1)
    return [places(child, area), told(child.move_pages(0, area, [there]))]


@of_today
def shared_pages_follow_into_a_cpuset(world: World) -> Answers:
    """Those of a process that stays outside as well."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    child = shell.fork("child")
    cpuset = world.cpuset("there", [there], memory_migrate=True)
    return [cpuset.attach(child.pid), places(child, area), places(shell, area), places(shell, written(shell, 1))]


@of_today
def a_held_page_does_not_follow(world: World) -> Answers:
    """Nobody is told; the process is in the cpuset all the same."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    shell.vmsplice(area[0])
    cpuset = world.cpuset("there", [there], memory_migrate=True)
    answers = [cpuset.attach(shell.pid), places(shell, area)]
    return [*answers, told(shell.move_pages(0, area[1:2], [here]))]


@of_today
def policies_are_adapted_to_a_cpuset(world: World) -> Answers:
    """The n-th node of the old set becomes the n-th of the new one."""
    nodes = nodes_with_memory(world, 5)
    first = world.cpuset("first", nodes[:2], memory_migrate=True)
    second = world.cpuset("second", nodes[3:5], memory_migrate=True)
    shell = spawn(world, cpuset=first)
    shell.set_mempolicy(MPOL_BIND, {nodes[1]})
    area = shell.mmap(2)
    shell.mbind(area[0], MPOL_INTERLEAVE, nodes[:2])
    shell.mbind(area[1], MPOL_PREFERRED, {nodes[0]})
    answers = [second.attach(shell.pid), places(shell, written(shell, 1)), policy(shell.get_mempolicy())]
    return [*answers, *(policy(shell.get_mempolicy(address, MPOL_F_ADDR)) for address in area)]


# -- other nodes


@of_today
def pages_follow_when_a_cpuset_gets_other_nodes(world: World) -> Answers:
    """Of all processes in it."""
    here, there = nodes_with_cpus(world, 2)
    cpuset = world.cpuset("both", [here], memory_migrate=True)
    shell, other = spawn(world, cpuset=cpuset), spawn(world, "other", cpuset=cpuset)
    mine, theirs = written(shell, 2), written(other, 1)
    answers = [cpuset.set_mems([there]), sorted(cpuset.mems), places(shell, mine), places(other, theirs)]
    return [*answers, places(shell, written(shell, 1))]


@of_today
def pages_stay_when_a_cpuset_gets_more_nodes(world: World) -> Answers:
    """Where they are is allowed still; and they go when that is taken away."""
    here, there, third = nodes_with_cpus(world, 3)
    cpuset = world.cpuset("some", [here], memory_migrate=True)
    shell = spawn(world, cpuset=cpuset)
    area = written(shell, 2)
    answers = [cpuset.set_mems([here, there]), places(shell, area)]
    answers += [told(shell.move_pages(0, area[0:1], [there])), cpuset.set_mems([there, third]), places(shell, area)]
    return [*answers, cpuset.set_mems([third]), places(shell, area)]


@of_today
def the_same_nodes_again(world: World) -> Answers:
    """Nothing moves, also not what lies outside."""
    here, there = nodes_with_cpus(world, 2)
    shell, root = spawn(world), spawn(world, "root", uid=0)
    cpuset = world.cpuset("here", [here], memory_migrate=True)
    cpuset.attach(shell.pid)
    area = written(shell, 1)
    answers: Answers = [root.migrate_pages(shell.pid, {here}, {there}).ret >= 0, places(shell, area)]
    return [*answers, cpuset.set_mems([here]), places(shell, area)]


@of_today
def policies_follow_when_a_cpuset_gets_other_nodes(world: World) -> Answers:
    """Of the process and of its areas."""
    nodes = nodes_with_memory(world, 5)
    cpuset = world.cpuset("some", nodes[:2], memory_migrate=True)
    shell = spawn(world, cpuset=cpuset)
    shell.set_mempolicy(MPOL_PREFERRED, {nodes[1]})
    area = shell.mmap(2)
    shell.mbind(area, MPOL_BIND, {nodes[0]})
    shell.write(area[0])
    answers = [cpuset.set_mems(nodes[2:4]), places(shell, area[0:1])]
    shell.write(area[1])
    answers += [places(shell, area), places(shell, written(shell, 1)), policy(shell.get_mempolicy())]
    return [*answers, policy(shell.get_mempolicy(area[0], MPOL_F_ADDR))]


@of_today
def a_cpuset_of_the_node_without_cpus(world: World) -> Answers:
    """Pages come from there, however far it is."""
    here, far = nodes_with_cpus(world, 1)[0], memory_only_node(world)
    shell = spawn(world, mems=[far])
    area = written(shell, 2)
    return [places(shell, area), told(shell.move_pages(0, area, [here] * 2))]


# -- what it forbids


@of_today
def first_touches_stay_within_the_cpuset(world: World) -> Answers:
    """If the CPU's own node is not allowed, the nearest one is taken."""
    nodes = nodes_with_memory(world, 5)
    answers: Answers = []
    for node, mems in ((0, (1, 2)), (0, (2, 3)), (1, (3, 4)), (3, (0, 1)), (2, (4,))):
        shell = world.spawn("shell", node=nodes[node], mems=[nodes[i] for i in mems])
        answers.append(places(shell, written(shell, 1)))
    return answers


@of_today
def policies_stay_within_the_cpuset(world: World) -> Answers:
    """Nodes outside are refused, beside others, too, or left out: it depends on the mode."""
    here, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world, mems=[here, there])
    answers: Answers = []
    for mode in (MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE):
        answers.append(shell.set_mempolicy(mode, {third}).ret)
        answers.append(shell.set_mempolicy(mode, {there, third}).ret)
        answers.append(policy(shell.get_mempolicy()))
    return answers


@of_today
def who_is_in_no_cpuset_may_send_pages_of_others_out(world: World) -> Answers:
    """Not with move_pages(), which asks the target's cpuset; with migrate_pages() and the capability."""
    here, there = nodes_with_cpus(world, 2)
    shell, root = spawn(world, mems=[here]), spawn(world, "root", uid=0)
    area = written(shell, 1)
    answers = [told(root.move_pages(shell.pid, area, [there])), root.migrate_pages(shell.pid, {here}, {there}).ret >= 0]
    return [*answers, places(shell, area)]


@of_today
def a_query_asks_no_cpuset(world: World) -> Answers:
    """Pages that lie outside are told as any other."""
    here, there = nodes_with_cpus(world, 2)
    shell, other = spawn(world), spawn(world, "other", mems=[here])
    area = spread(shell, [here, there])
    return [told(other.move_pages(shell.pid, area))]


@of_today
def copies_stay_within_the_cpuset_of_who_writes(world: World) -> Answers:
    """The page that was there before may lie outside."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    child = shell.fork("child")
    cpuset = world.cpuset("there", [there], memory_migrate=True)
    cpuset.attach(shell.pid)
    child.write(area)
    shell.write(area)
    return [places(child, area), places(shell, area), here == there]
