"""set_mempolicy() and get_mempolicy(): what is set, what is told, and where new pages come from then."""

from __future__ import annotations

from numakit.abi import (
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_PREFERRED,
)
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
    policy,
    scenario,
    spawn,
    told,
    written,
)


@scenario
def policies_of_a_process(world: World) -> Answers:
    """What is set is told, also to a child."""
    shell, node = spawn(world), a_node(world)
    answers = [policy(shell.get_mempolicy())]
    for mode in (MPOL_BIND, MPOL_INTERLEAVE):
        answers += [shell.set_mempolicy(mode, {node}).ret, policy(shell.get_mempolicy())]
    answers.append(policy(shell.fork("child").get_mempolicy()))
    return [*answers, shell.set_mempolicy(MPOL_DEFAULT).ret, policy(shell.get_mempolicy())]


@scenario
def policies_that_are_refused(world: World) -> Answers:
    """The old one stays."""
    shell, node = spawn(world), a_node(world)
    wrong = [(77, ()), (MPOL_DEFAULT, {node}), (MPOL_BIND, ()), (MPOL_INTERLEAVE, ()), (MPOL_BIND, {NOWHERE})]
    answers = [shell.set_mempolicy(mode, nodes).ret for mode, nodes in wrong]
    return [*answers, policy(shell.get_mempolicy())]


@scenario
def node_of_an_address(world: World) -> Answers:
    """get_mempolicy() tells where a page is."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    answer = shell.get_mempolicy(area[0], MPOL_F_NODE | MPOL_F_ADDR)
    return [answer.ret, answer.node == shell.move_pages(0, area).status[0]]


@scenario
def asking_for_a_node_reads_the_page(world: World) -> Answers:
    """An untouched page shows the zero page afterwards."""
    shell = spawn(world)
    area = shell.mmap(1)
    return [shell.get_mempolicy(area[0], MPOL_F_NODE | MPOL_F_ADDR).ret, told(shell.move_pages(0, area))]


@scenario
def questions_about_policies_that_are_refused(world: World) -> Answers:
    """Flags that do not fit, and an address in no area."""
    shell = spawn(world)
    area = shell.mmap(1)
    hole = area.end
    wrong = [(None, MPOL_F_NODE), (None, 64), (area[0], 0), (hole, MPOL_F_ADDR), (hole, MPOL_F_NODE | MPOL_F_ADDR)]
    return [shell.get_mempolicy(address, flags).ret for address, flags in wrong]


@scenario
def where_interleaving_goes_on(world: World) -> Answers:
    """MPOL_F_NODE alone."""
    shell, node = spawn(world), a_node(world)
    shell.set_mempolicy(MPOL_INTERLEAVE, {node})
    answer = shell.get_mempolicy(flags=MPOL_F_NODE)
    return [answer.ret, answer.node == node]


@of_today
def a_preferred_node(world: World) -> Answers:
    """New pages come from there; what was there before stays."""
    shell, last = spawn(world), nodes_with_memory(world, 5)[-1]
    before = written(shell, 1)
    answers = [shell.set_mempolicy(MPOL_PREFERRED, {last}).ret, policy(shell.get_mempolicy())]
    return [*answers, places(shell, written(shell, 2)), places(shell, before)]


@of_today
def several_preferred_nodes(world: World) -> Answers:
    """The first of them counts."""
    nodes = nodes_with_memory(world, 4)
    shell = spawn(world)
    answers = [shell.set_mempolicy(MPOL_PREFERRED, nodes[2:]).ret, policy(shell.get_mempolicy())]
    return [*answers, places(shell, written(shell, 2))]


@of_today
def a_preference_for_no_node(world: World) -> Answers:
    """It is the node of the CPU, as without a policy."""
    shell = world.spawn("shell", node=nodes_with_cpus(world, 2)[1])
    return [shell.set_mempolicy(MPOL_PREFERRED).ret, places(shell, written(shell, 1))]


@of_today
def bound_to_several_nodes(world: World) -> Answers:
    """Pages come from the one that is nearest to the CPU, its own if it is among them."""
    nodes = nodes_with_cpus(world, 4)
    answers: Answers = []
    for node in nodes:
        shell = world.spawn("shell", node=node)
        shell.set_mempolicy(MPOL_BIND, nodes[:2])
        answers.append(places(shell, written(shell, 1)))
    return answers


@of_today
def bound_to_nodes_of_which_none_is_near(world: World) -> Answers:
    """The CPU's own node is not among them."""
    nodes = nodes_with_memory(world, 5)
    answers: Answers = []
    for node, others in ((0, (2, 3)), (1, (3, 4)), (2, (0, 4)), (3, (1, 2))):
        shell = world.spawn("shell", node=nodes[node])
        shell.set_mempolicy(MPOL_BIND, [nodes[i] for i in others])
        answers += [policy(shell.get_mempolicy()), places(shell, written(shell, 1))]
    return answers


@of_today
def bound_to_a_node_without_cpus(world: World) -> Answers:
    """It is as good as any."""
    shell, far = spawn(world), memory_only_node(world)
    return [shell.set_mempolicy(MPOL_BIND, {far}).ret, places(shell, written(shell, 2))]


@of_today
def interleaved_over_three_nodes(world: World) -> Answers:
    """A page's place in its area says which node it gets, whoever touches it when."""
    nodes = nodes_with_memory(world, 3)
    shell = spawn(world)
    shell.set_mempolicy(MPOL_INTERLEAVE, nodes)
    area = shell.mmap(6)
    shell.write([area[i] for i in (5, 0, 3, 1, 4, 2)])
    return [places(shell, area)]


@of_today
def interleaved_over_all_nodes(world: World) -> Answers:
    """The one without a CPU has its turn, too."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    shell.set_mempolicy(MPOL_INTERLEAVE, nodes)
    return [policy(shell.get_mempolicy()), places(shell, written(shell, 7)), places(shell, written(shell, 3))]


@of_today
def a_policy_that_is_taken_back(world: World) -> Answers:
    """New pages are local again."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    shell.set_mempolicy(MPOL_BIND, {there})
    first = written(shell, 1)
    answers = [shell.set_mempolicy(MPOL_DEFAULT).ret, policy(shell.get_mempolicy())]
    return [*answers, places(shell, first), places(shell, written(shell, 1)), here == a_node(world)]


@of_today
def a_childs_policy_is_its_own(world: World) -> Answers:
    """It inherits one, and changes it for itself alone."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    shell.set_mempolicy(MPOL_BIND, {there})
    child = shell.fork("child")
    child.set_mempolicy(MPOL_BIND, {here})
    return [policy(shell.get_mempolicy()), policy(child.get_mempolicy()), places(child, written(child, 1))]


@of_today
def copies_come_by_the_policy_of_who_writes(world: World) -> Answers:
    """Not by that of who wrote the page first."""
    here, there, third = nodes_with_cpus(world, 3)
    shell = spawn(world)
    area = written(shell, 2)
    child = shell.fork("child")
    child.set_mempolicy(MPOL_BIND, {third})
    child.write(area[0])
    shell.set_mempolicy(MPOL_BIND, {there})
    shell.write(area[1])
    return [places(shell, area), places(child, area), here == a_node(world)]


@of_today
def modes_that_want_other_nodes(world: World) -> Answers:
    """The default wants none, binding and interleaving some; a mode below 0 is none."""
    shell, node = spawn(world), a_node(world)
    wrong = [(MPOL_DEFAULT, {node}), (MPOL_BIND, ()), (MPOL_INTERLEAVE, ()), (-1, {node}), (64, {node})]
    answers = [shell.set_mempolicy(mode, nodes).ret for mode, nodes in wrong]
    return [*answers, shell.set_mempolicy(MPOL_PREFERRED, ()).ret]


@of_today
def nodes_of_a_policy_that_do_not_exist(world: World) -> Answers:
    """Alone, and beside one that does."""
    shell, node = spawn(world), a_node(world)
    sets = ({NOWHERE}, {node, NOWHERE}, {BEYOND}, {node, BEYOND}, {node, 2 * BEYOND})
    modes = (MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE)
    return [[shell.set_mempolicy(mode, nodes).ret for nodes in sets] for mode in modes] + [
        policy(shell.get_mempolicy())
    ]


@of_today
def an_empty_policy_with_nodes_that_do_not_exist(world: World) -> Answers:
    """The default takes no nodes, not even such."""
    shell = spawn(world)
    return [shell.set_mempolicy(MPOL_DEFAULT, {NOWHERE}).ret, shell.set_mempolicy(MPOL_DEFAULT, {BEYOND}).ret]


@of_today
def the_policy_of_an_area_without_one(world: World) -> Answers:
    """That of the process is not told."""
    shell, node = spawn(world), a_node(world)
    area = shell.mmap(1)
    shell.set_mempolicy(MPOL_BIND, {node})
    return [policy(shell.get_mempolicy(area[0], MPOL_F_ADDR)), policy(shell.get_mempolicy())]


@of_today
def nodes_of_addresses(world: World) -> Answers:
    """Of pages on all nodes; the question for a page that is not there makes it be there."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    area = written(shell, 5)
    shell.move_pages(0, area, nodes)
    answers = [shell.get_mempolicy(address, MPOL_F_NODE | MPOL_F_ADDR).node for address in area]
    common = shell.mmap(1, shared=True)
    node = shell.get_mempolicy(common[0], MPOL_F_NODE | MPOL_F_ADDR).node
    return [*answers, node, places(shell, common)]


@of_today
def flags_of_questions(world: World) -> Answers:
    """Which of them go together, and which with an address."""
    shell = spawn(world)
    area = written(shell, 1)
    questions = [(None, MPOL_F_ADDR), (area[0], 0), (area[0], MPOL_F_NODE), (None, 8), (area[0], 8 | MPOL_F_ADDR)]
    return [shell.get_mempolicy(address, flags).ret for address, flags in questions]


@of_today
def where_interleaving_goes_on_is_asked_of_others(world: World) -> Answers:
    """Of a process that does not interleave it is refused, whatever its policy is."""
    shell, node = spawn(world), a_node(world)
    answers = []
    for mode, nodes in ((MPOL_DEFAULT, ()), (MPOL_BIND, (node,)), (MPOL_PREFERRED, (node,)), (MPOL_PREFERRED, ())):
        shell.set_mempolicy(mode, nodes)
        answers.append(shell.get_mempolicy(flags=MPOL_F_NODE).ret)
    return answers


@of_today
def a_question_about_memory_that_may_not_be_read(world: World) -> Answers:
    """The page is there, and nobody may look."""
    shell = spawn(world)
    area = written(shell, 1)
    shell.mprotect(area, 0)
    answer = shell.get_mempolicy(area[0], MPOL_F_NODE | MPOL_F_ADDR)
    return [answer.ret, policy(shell.get_mempolicy(area[0], MPOL_F_ADDR))]


@of_today
def a_policy_does_not_keep_pages_from_moving(world: World) -> Answers:
    """move_pages() asks no policy."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    shell.set_mempolicy(MPOL_BIND, {here})
    area = written(shell, 2)
    return [shell.move_pages(0, area, [there] * 2).ret, places(shell, area)]
