"""What processes do, and what they are answered: written once, played on a model and on the running Linux.

A scenario takes a world, a ``Machine`` or a ``numakit.live.World``, and returns what was answered, as plain data that
does not tell where memory happened to lie. It uses nothing that only one of the two has. What has its own privileges,
or a second node, raises ``CannotTry`` where that is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PAGE_SIZE, PROT_NONE, PROT_READ, Result
from numakit.abi import CAP_SYS_NICE, MPOL_BIND, MPOL_DEFAULT, MPOL_F_ADDR, MPOL_F_NODE, MPOL_INTERLEAVE, MPOL_MF_STRICT
from numakit.live import two_nodes

World: TypeAlias = Any  #: a Machine or a live World: what they have in common is what these functions use
Answers: TypeAlias = list[Any]
Scenario: TypeAlias = Callable[[World], Answers]

SCENARIOS: dict[str, Scenario] = {}

NOBODY = 1 << 30  #: no process has this pid
NOWHERE = 1023  #: a node id that a mask has room for, and that no machine of ours has
OTHER_UID = 1001


def scenario(play: Scenario) -> Scenario:
    """A scenario that is to be played."""
    SCENARIOS[play.__name__] = play
    return play


def told(result: Result) -> tuple[int | None, list[int | None]]:
    """What a caller of move_pages() is told."""
    return result.ret, result.status


def policy(answer: Any) -> tuple[int, int | None, tuple[int, ...]]:
    """What get_mempolicy() told of a policy."""
    return answer.ret, answer.mode, tuple(answer.nodes)


def a_node(world: World) -> int:
    """The first node with memory and CPUs."""
    topology = world.topology
    return int(next(node for node in topology.nodes if topology.memory(node) and topology.cpus(node)))


def spawn(world: World, name: str = "shell", **options: Any) -> Any:
    """A process whose first touches go to that node."""
    return world.spawn(name, node=a_node(world), **options)


# -- queries


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


# -- who may ask


@scenario
def flags_that_do_not_exist(world: World) -> Answers:
    """They come first: the pid is not looked at."""
    shell = spawn(world)
    return [told(shell.move_pages(NOBODY, shell.mmap(1), None, flags)) for flags in (1, 8, 7)]


@scenario
def move_all_without_the_capability(world: World) -> Answers:
    """Refused even for a process that does not exist."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    return [told(shell.move_pages(pid, area, [a_node(world)], MPOL_MF_MOVE_ALL)) for pid in (0, NOBODY)]


@scenario
def move_all_with_the_capability(world: World) -> Answers:
    """It is the capability that counts, not the user: one may have it without being root, and root may lack it."""
    nice, root = spawn(world, "nice", capabilities=(CAP_SYS_NICE,)), spawn(world, "root", uid=0, capabilities=())
    area, theirs = nice.mmap(1), root.mmap(1)
    for process, pages in ((nice, area), (root, theirs)):
        process.write(pages)
    return [
        told(nice.move_pages(0, area, None, MPOL_MF_MOVE_ALL)),
        told(root.move_pages(0, theirs, None, MPOL_MF_MOVE_ALL)),
    ]


@scenario
def a_process_that_does_not_exist(world: World) -> Answers:
    """Neither does one that has exited."""
    shell, gone = spawn(world), spawn(world, "gone")
    answers = [gone.exit()]
    return [*answers, told(shell.move_pages(gone.pid, [PAGE_SIZE])), told(shell.move_pages(NOBODY, [PAGE_SIZE]))]


@scenario
def a_process_of_another_user(world: World) -> Answers:
    """Only root may ask, or move."""
    shell, stranger, root = spawn(world), spawn(world, "stranger", uid=OTHER_UID), spawn(world, "root", uid=0)
    area = shell.mmap(1)
    shell.write(area)
    return [told(process.move_pages(shell.pid, area)) for process in (stranger, root)]


# -- nodes


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


# -- arrays of the caller


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


# -- what processes do with memory


@scenario
def copy_on_write(world: World) -> Answers:
    """A child reads what its parent wrote, until it writes itself."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    written = shell.read(area[0])
    child = shell.fork("child")
    answers = [child.read(area[0]) == written, child.write(area), child.read(area[0]) == written]
    return [*answers, shell.read(area[0]) == written, told(child.move_pages(0, area))]


@scenario
def shared_memory(world: World) -> Answers:
    """A child's writes are its parent's."""
    shell = spawn(world)
    area = shell.mmap(1, shared=True)
    child = shell.fork("child")
    answers = [child.write(area), child.read(area[0]) == shell.read(area[0]) > 0]
    return [*answers, told(shell.move_pages(0, area))]


@scenario
def a_child_outlives_its_parent(world: World) -> Answers:
    """And keeps the memory."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    child = shell.fork("child")
    return [shell.exit(), child.read(area[0]) > 0, told(child.move_pages(0, area))]


@scenario
def mlock_makes_pages_present(world: World) -> Answers:
    """And a hole is told."""
    shell = spawn(world)
    area = shell.mmap(3)
    answers = [shell.mlock(area[0:2]), told(shell.move_pages(0, area[0:2])), shell.munlock(area[0:2])]
    shell.munmap(area[2])
    return [*answers, shell.mlock(area), shell.munlock(area), shell.mprotect(area, PROT_READ)]


@scenario
def memory_of_a_file(world: World) -> Answers:
    """No page is there before somebody reads it."""
    shell, file = spawn(world), world.file("data", 3)
    area = shell.mmap(3, shared=True, file=file)
    answers = [told(shell.move_pages(0, area))]
    shell.read(area)
    return [*answers, told(shell.move_pages(0, area))]


@scenario
def a_private_copy_of_a_file(world: World) -> Answers:
    """Others who map the file do not see what is written to it."""
    shell, other, file = spawn(world), spawn(world, "other"), world.file("data", 1)
    mine, theirs = shell.mmap(1, file=file), other.mmap(1, shared=True, file=file)
    before = other.read(theirs[0])
    answers = [shell.write(mine), other.read(theirs[0]) == before, shell.read(mine[0]) == before]
    return [*answers, told(shell.move_pages(0, mine))]


@scenario
def pages_in_a_pipe(world: World) -> Answers:
    """They are where they were."""
    shell = spawn(world)
    area = shell.mmap(2)
    shell.write(area)
    pipe = shell.vmsplice(area)
    return [told(shell.move_pages(0, area)), pipe.release(), shell.read(area[0]) > 0]


# -- policies


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


# -- migrate_pages


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
