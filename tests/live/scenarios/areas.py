"""mbind(): policies of areas, and the pages that are in them already."""

from __future__ import annotations

from numakit.abi import (
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_INTERLEAVE,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    MPOL_MF_STRICT,
    MPOL_PREFERRED,
)
from tests.live.scenarios.play import (
    BEYOND,
    NOWHERE,
    Answers,
    World,
    a_node,
    in_turn,
    memory_only_node,
    nodes_with_cpus,
    nodes_with_memory,
    of_today,
    places,
    policy,
    scenario,
    spawn,
    spread,
    written,
)


@scenario
def policies_of_areas(world: World) -> Answers:
    """mbind() sets them for whole pages, and leaves the rest alone."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(3)
    answers = [shell.mbind(area[1], MPOL_BIND, {node}).ret]
    answers += [policy(shell.get_mempolicy(address, MPOL_F_ADDR)) for address in area]
    return [*answers, shell.mbind(area, MPOL_DEFAULT).ret, policy(shell.get_mempolicy(area[1], MPOL_F_ADDR))]


@scenario
def mbind_that_is_refused(world: World) -> Answers:
    """Modes, flags and nodes that do not exist; a hole; another's pages."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(3)
    wrong = [(77, {node}, 0), (MPOL_BIND, {node}, 64), (MPOL_BIND, (), 0), (MPOL_BIND, {NOWHERE}, 0)]
    answers = [shell.mbind(area, mode, nodes, flags).ret for mode, nodes, flags in wrong]
    answers.append(shell.mbind(area, MPOL_BIND, {node}, MPOL_MF_MOVE_ALL).ret)
    shell.munmap(area[1])
    return [*answers, shell.mbind(area, MPOL_BIND, {node}).ret]


@scenario
def mbind_of_pages_that_are_there(world: World) -> Answers:
    """Neither is anything misplaced, nor has anything to move."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(2)
    shell.write(area)
    flags = (MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_STRICT | MPOL_MF_MOVE)
    return [shell.mbind(area, MPOL_BIND, {node}, flag).ret for flag in flags]


# -- where new pages come from


@of_today
def an_areas_policy_goes_before_that_of_the_process(world: World) -> Answers:
    """And when it is taken back, the other holds again."""
    here, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    shell.set_mempolicy(MPOL_BIND, {there})
    area = shell.mmap(3)
    shell.mbind(area[0:2], MPOL_BIND, {third})
    shell.write([area[0], area[2]])
    shell.mbind(area, MPOL_DEFAULT)
    shell.write(area[1])
    return [places(shell, area), here == a_node(world)]


@of_today
def an_area_that_is_bound_to_several_nodes(world: World) -> Answers:
    """The nearest gives the pages."""
    nodes = nodes_with_memory(world, 5)
    answers: Answers = []
    for node in nodes_with_cpus(world, 4):
        shell = world.spawn("shell", node=node)
        area = shell.mmap(2)
        shell.mbind(area, MPOL_BIND, nodes[2:])
        shell.write(area)
        answers.append(places(shell, area))
    return answers


@of_today
def an_area_that_prefers_a_node(world: World) -> Answers:
    """Of several the first; without any the local one."""
    nodes = nodes_with_memory(world, 4)
    shell = world.spawn("shell", node=nodes[1])
    area = shell.mmap(3)
    answers = [shell.mbind(area[0], MPOL_PREFERRED, nodes[2:]).ret, shell.mbind(area[1], MPOL_PREFERRED).ret]
    shell.write(area)
    return [*answers, places(shell, area), policy(shell.get_mempolicy(area[0], MPOL_F_ADDR))]


@of_today
def an_area_that_is_interleaved(world: World) -> Answers:
    """By the place of a page in it, also where only a part has the policy."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    area = shell.mmap(8)
    shell.mbind(area[2:8], MPOL_INTERLEAVE, nodes[1:4])
    shell.write(area)
    return [places(shell, area)]


@of_today
def an_area_on_the_node_without_cpus(world: World) -> Answers:
    """Bound there, with the flag that finds misplaced pages: there are none yet."""
    shell, far = spawn(world), memory_only_node(world)
    area = shell.mmap(2)
    answers = [shell.mbind(area, MPOL_BIND, {far}, MPOL_MF_STRICT).ret]
    shell.write(area)
    return [*answers, places(shell, area), shell.mbind(area, MPOL_BIND, {far}, MPOL_MF_STRICT).ret]


@of_today
def a_child_inherits_the_policies_of_areas(world: World) -> Answers:
    """Its new pages, and its copies, come from there."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(2)
    shell.write(area[0])
    shell.mbind(area, MPOL_BIND, {there})
    child = shell.fork("child")
    child.write(area)
    return [policy(child.get_mempolicy(area[0], MPOL_F_ADDR)), places(child, area), places(shell, area)]


@of_today
def the_policy_of_shared_memory_is_everybodys(world: World) -> Answers:
    """The child sets it, and the parent's pages come from there."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(3, shared=True)
    child = shell.fork("child")
    answers = [child.mbind(area[1:3], MPOL_BIND, {there}).ret]
    shell.write(area)
    answers += [policy(shell.get_mempolicy(address, MPOL_F_ADDR)) for address in area]
    return [*answers, places(shell, area)]


@of_today
def the_policy_of_shared_memory_goes_before_that_of_the_process(world: World) -> Answers:
    """Where it has none, that of who touches the page decides."""
    _, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    shell.set_mempolicy(MPOL_BIND, {third})
    area = shell.mmap(2, shared=True)
    shell.mbind(area[0], MPOL_BIND, {there})
    shell.write(area)
    return [places(shell, area)]


@of_today
def shared_memory_that_is_interleaved(world: World) -> Answers:
    """By the place in the memory, not in the area."""
    nodes = nodes_with_memory(world, 3)
    shell = spawn(world)
    area = shell.mmap(6, shared=True)
    shell.mbind(area, MPOL_INTERLEAVE, nodes)
    shell.write(area)
    return [in_turn(places(shell, area), nodes)]


# -- pages that are there


@of_today
def misplaced_pages_are_found(world: World) -> Answers:
    """STRICT alone: an error, and no policy, whatever the mode."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    modes = (MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE)
    answers: Answers = [shell.mbind(area, mode, {there}, MPOL_MF_STRICT).ret for mode in modes]
    return [*answers, policy(shell.get_mempolicy(area[0], MPOL_F_ADDR)), places(shell, area)]


@of_today
def one_misplaced_page_among_others(world: World) -> Answers:
    """It is enough for the whole range; a range without it is fine."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = spread(shell, [here, here, there, here])
    answers = [shell.mbind(area, MPOL_BIND, {here}, MPOL_MF_STRICT).ret]
    answers.append(shell.mbind(area[0:2], MPOL_BIND, {here}, MPOL_MF_STRICT).ret)
    return [*answers, shell.mbind(area, MPOL_BIND, {here, there}, MPOL_MF_STRICT).ret]


@of_today
def nothing_is_misplaced_without_a_policy(world: World) -> Answers:
    """STRICT says nothing for the default policy, nor for pages that are not there."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    empty = shell.mmap(2)
    shell.read(empty[0])
    answers = [shell.mbind(area, MPOL_DEFAULT, (), MPOL_MF_STRICT).ret]
    return [*answers, shell.mbind(empty, MPOL_BIND, {there}, MPOL_MF_STRICT).ret]


@of_today
def pages_move_to_where_their_policy_wants_them(world: World) -> Answers:
    """With MOVE, and without: it is told with STRICT that all went well."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = spread(shell, [here, there, here])
    answers = [shell.mbind(area, MPOL_BIND, {there}).ret, places(shell, area)]
    answers += [shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE | MPOL_MF_STRICT).ret, places(shell, area)]
    return [*answers, shell.mbind(area, MPOL_PREFERRED, {here}, MPOL_MF_MOVE).ret, places(shell, area)]


@of_today
def pages_that_are_on_one_of_the_nodes_stay(world: World) -> Answers:
    """Only the others move, to the nearest of them."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    area = spread(shell, nodes)
    return [shell.mbind(area, MPOL_BIND, nodes[1:3], MPOL_MF_MOVE).ret, places(shell, area)]


@of_today
def pages_that_are_moved_are_interleaved(world: World) -> Answers:
    """Those that are on a wrong node."""
    nodes = nodes_with_memory(world, 4)
    shell = spawn(world)
    area = written(shell, 6)
    return [shell.mbind(area, MPOL_INTERLEAVE, nodes[1:4], MPOL_MF_MOVE).ret, places(shell, area)]


@of_today
def a_move_by_the_default_policy(world: World) -> Answers:
    """No node is named: all pages count as misplaced, and come to the local node."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = spread(shell, [there, there, here])
    return [shell.mbind(area, MPOL_DEFAULT, (), MPOL_MF_MOVE).ret, places(shell, area), here == a_node(world)]


@of_today
def a_move_by_the_policy_of_the_process(world: World) -> Answers:
    """The default policy of an area is that of its process."""
    _, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 2)
    shell.set_mempolicy(MPOL_BIND, {third})
    return [shell.mbind(area, MPOL_DEFAULT, (), MPOL_MF_MOVE).ret, places(shell, area), there == third]


@of_today
def a_held_page_does_not_move(world: World) -> Answers:
    """It is told only with STRICT; the policy is set in any case."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    pipe = shell.vmsplice(area[0])
    answers = [shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE).ret, places(shell, area)]
    answers.append(shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE | MPOL_MF_STRICT).ret)
    answers += [policy(shell.get_mempolicy(area[0], MPOL_F_ADDR)), pipe.release()]
    return [*answers, shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE | MPOL_MF_STRICT).ret, places(shell, area)]


@of_today
def shared_pages_do_not_move(world: World) -> Answers:
    """Not with MOVE, and it is not told; the copy that the child made is another page."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    child = shell.fork("child")
    child.write(area[1])
    answers = [shell.mbind(area, MPOL_BIND, {there}, flags).ret for flags in (MPOL_MF_MOVE, 3)]
    return [*answers, places(shell, area), places(child, area)]


@of_today
def shared_pages_move_with_the_capability(world: World) -> Answers:
    """MOVE_ALL takes them along, for all who map them."""
    _, there = nodes_with_cpus(world, 2)
    root, shell = spawn(world, "root", uid=0), spawn(world)
    area, mine = written(root, 2), written(shell, 1)
    child = root.fork("child")
    answers = [shell.mbind(mine, MPOL_BIND, {there}, MPOL_MF_MOVE_ALL).ret, places(shell, mine)]
    answers.append(root.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE_ALL | MPOL_MF_STRICT).ret)
    return [*answers, places(root, area), places(child, area)]


@of_today
def locked_pages_move_by_policy(world: World) -> Answers:
    """Since 2.6.21."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(2)
    shell.mlock(area)
    return [shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE | MPOL_MF_STRICT).ret, places(shell, area)]


@of_today
def pages_of_shared_memory_move_by_policy(world: World) -> Answers:
    """They are of one process so far."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2, shared=True)
    return [shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE | MPOL_MF_STRICT).ret, places(shell, area)]


@of_today
def pages_of_several_areas_move(world: World) -> Answers:
    """The range is cut by an area that is read-only and by one that had another policy."""
    here, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 6)
    shell.mprotect(area[2], 1)
    shell.mbind(area[4], MPOL_PREFERRED, {third})
    answers = [shell.mbind(area[1:6], MPOL_BIND, {there}, MPOL_MF_MOVE | MPOL_MF_STRICT).ret]
    return [*answers, places(shell, area), here == a_node(world)]


@of_today
def pages_of_several_areas_are_interleaved(world: World) -> Answers:
    """Each by its own place."""
    nodes = nodes_with_memory(world, 3)
    shell = spawn(world)
    area = written(shell, 6)
    shell.mprotect(area[2:4], 1)
    return [shell.mbind(area, MPOL_INTERLEAVE, nodes, MPOL_MF_MOVE).ret, places(shell, area)]


@of_today
def a_range_of_private_and_shared_memory(world: World) -> Answers:
    """Two areas side by side, of which one is a nameless file."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    first = written(shell, 2)
    second = shell.mmap(2, shared=True, address=first.end)
    shell.write(second)
    answers = [shell.mbind([*first, *second], MPOL_BIND, {there}, MPOL_MF_MOVE | MPOL_MF_STRICT).ret]
    return [*answers, places(shell, [*first, *second])]


# -- holes, and what is refused


@of_today
def a_range_that_begins_in_a_hole(world: World) -> Answers:
    """It is refused, and nothing is set."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(4)
    shell.munmap(area[0])
    return [shell.mbind(area, MPOL_BIND, {node}).ret, policy(shell.get_mempolicy(area[1], MPOL_F_ADDR))]


@of_today
def a_range_with_a_hole_within(world: World) -> Answers:
    """What lies before the hole has no policy either."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(4)
    shell.munmap(area[2])
    return [shell.mbind(area, MPOL_BIND, {node}).ret, policy(shell.get_mempolicy(area[0], MPOL_F_ADDR))]


@of_today
def a_range_that_ends_in_a_hole(world: World) -> Answers:
    """And the same again."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(4)
    shell.munmap(area[3])
    return [shell.mbind(area, MPOL_BIND, {node}).ret, policy(shell.get_mempolicy(area[0], MPOL_F_ADDR))]


@of_today
def a_range_in_no_area(world: World) -> Answers:
    """Neither a policy nor its absence can be set there."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(4)
    shell.munmap(area[1:3])
    return [shell.mbind(area[1:3], mode, nodes).ret for mode, nodes in ((MPOL_BIND, {node}), (MPOL_DEFAULT, ()))]


@of_today
def the_default_policy_may_span_holes(world: World) -> Answers:
    """At the beginning, in the middle, at the end."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(7)
    shell.mbind(area, MPOL_BIND, {node})
    shell.munmap(area[3])
    answers = [shell.mbind(area, MPOL_DEFAULT).ret, policy(shell.get_mempolicy(area[0], MPOL_F_ADDR))]
    shell.munmap(area[0])
    shell.munmap(area[6])
    return [*answers, shell.mbind(area, MPOL_DEFAULT).ret]


@of_today
def a_hole_behind_pages_that_could_move(world: World) -> Answers:
    """They stay: nothing is done."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 3)
    shell.munmap(area[2])
    return [shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_MOVE).ret, places(shell, area)]


@of_today
def a_hole_and_a_misplaced_page(world: World) -> Answers:
    """What comes first decides."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 4)
    shell.munmap(area[2])
    answers = [shell.mbind(area, MPOL_BIND, {there}, MPOL_MF_STRICT).ret]
    empty = shell.mmap(4)
    shell.munmap(empty[1])
    shell.write(empty[3])
    return [*answers, shell.mbind(empty, MPOL_BIND, {there}, MPOL_MF_STRICT).ret]


@of_today
def nodes_of_an_area_that_do_not_exist(world: World) -> Answers:
    """Alone, and beside one that does."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(1)
    sets = ({NOWHERE}, {node, NOWHERE}, {BEYOND}, {node, BEYOND})
    modes = (MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE)
    answers: Answers = [[shell.mbind(area, mode, nodes).ret for nodes in sets] for mode in modes]
    return [*answers, policy(shell.get_mempolicy(area[0], MPOL_F_ADDR))]


@of_today
def flags_of_mbind(world: World) -> Answers:
    """Those that do not exist; and the order of the checks."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(1)
    wrong = [(MPOL_BIND, {node}, 16), (MPOL_BIND, {node}, 1 << 20), (77, {node}, MPOL_MF_MOVE_ALL), (MPOL_BIND, (), 4)]
    return [shell.mbind(area, mode, nodes, flags).ret for mode, nodes, flags in wrong]


@of_today
def nodes_outside_the_cpuset_are_left_out(world: World) -> Answers:
    """Without a word, as long as one is left."""
    here, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world, mems=[here, there])
    area = shell.mmap(2)
    answers = [shell.mbind(area, MPOL_BIND, {there, third}).ret, policy(shell.get_mempolicy(area[0], MPOL_F_ADDR))]
    shell.write(area)
    return [*answers, places(shell, area), shell.mbind(area, MPOL_BIND, {third}).ret]
