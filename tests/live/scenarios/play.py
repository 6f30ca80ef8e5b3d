"""What a scenario is, and the few words that all of them use.

A scenario takes a world, a ``Machine`` or a ``numakit.live.World``, and returns what was answered, as plain data that
does not tell where memory happened to lie. It uses nothing that only one of the two has. What has its own privileges,
or another node, raises ``CannotTry`` where that is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, TypeAlias

from numakit import Result
from numakit.live import CannotTry

World: TypeAlias = Any  #: a Machine or a live World: what they have in common is what scenarios use
Answers: TypeAlias = list[Any]
Scenario: TypeAlias = Callable[[World], Answers]

SCENARIOS: dict[str, Scenario] = {}  #: all of them, in the order in which they are played
OF_2006: list[str] = []  #: those of which the text of 2006 says what is answered, and tests what has changed since

NOBODY = 1 << 30  #: no process has this pid
NOWHERE = 1023  #: a node id that a mask has room for, and that no machine of ours has
BEYOND = 1 << 10  #: the first node id that no mask of the model has room for
OTHER_UID = 1001


def scenario(play: Scenario) -> Scenario:
    """A scenario that is to be played, on kernels of 2006 and of today."""
    OF_2006.append(play.__name__)
    return of_today(play)


def of_today(play: Scenario) -> Scenario:
    """A scenario that is to be played on kernels of today. What others answer is asked in other tests."""
    assert play.__name__ not in SCENARIOS, f"there are two scenarios {play.__name__}"
    SCENARIOS[play.__name__] = play
    return play


# -- what was answered, as plain data


def told(result: Result) -> tuple[int | None, list[int | None]]:
    """What a caller of move_pages() is told."""
    return result.ret, list(result.status)


def policy(answer: Any) -> tuple[int, int | None, tuple[int, ...]]:
    """What get_mempolicy() told of a policy."""
    return answer.ret, answer.mode, tuple(answer.nodes)


def places(process: Any, pages: Iterable[int]) -> list[int | None]:
    """Where pages of a process are: a query of its own."""
    return list(process.move_pages(0, list(pages)).status)


def refusal(answer: Any) -> int:
    """What migrate_pages() returned, as far as it does not tell of pages that are not ours: a real process has pages
    of its program, of which some stay.
    """
    return min(int(answer.ret), 0)


def in_turn(places: list[int | None], nodes: list[int]) -> bool:
    """Whether places go through the nodes in turn. With which one shared memory begins depends on the number that the
    kernel has given it.
    """
    turns = [nodes.index(node) if node in nodes else -1 for node in places]
    return all((before + 1) % len(nodes) == behind for before, behind in pairwise(turns))


# -- where it is played


def a_node(world: World) -> int:
    """The first node with memory and CPUs."""
    return nodes_with_cpus(world, 1)[0]


def nodes_with_cpus(world: World, number: int) -> list[int]:
    """The first so many nodes with memory and CPUs. Raises CannotTry on a machine with fewer."""
    topology = world.topology
    nodes = [int(node) for node in topology.nodes if topology.memory(node) and topology.cpus(node)]
    return as_many(nodes, number, "nodes with memory and CPUs")


def nodes_with_memory(world: World, number: int) -> list[int]:
    """The first so many nodes with memory. Raises CannotTry on a machine with fewer."""
    topology = world.topology
    return as_many([int(node) for node in topology.nodes if topology.memory(node)], number, "nodes with memory")


def memory_only_node(world: World) -> int:
    """The first node that has memory and no CPU. Raises CannotTry on a machine without."""
    topology = world.topology
    nodes = [int(node) for node in topology.nodes if topology.memory(node) and not topology.cpus(node)]
    return as_many(nodes, 1, "nodes with memory and without CPUs")[0]


def as_many(nodes: list[int], number: int, what: str) -> list[int]:
    """The first so many nodes. Raises CannotTry where there are fewer."""
    if len(nodes) < number:
        raise CannotTry(f"This cannot be tried here: it needs {number} {what}, and this machine has {len(nodes)}.")
    return nodes[:number]


# -- who plays


def spawn(world: World, name: str = "shell", **options: Any) -> Any:
    """A process whose first touches go to the first node with memory and CPUs."""
    return world.spawn(name, node=a_node(world), **options)


def written(process: Any, pages: int, **options: Any) -> Any:
    """An area of a process, written to."""
    area = process.mmap(pages, **options)
    process.write(area)
    return area


def spread(process: Any, nodes: Iterable[int]) -> Any:
    """An area of a process with a page on each of these nodes, in this order."""
    wanted = list(nodes)
    area = written(process, len(wanted))
    process.move_pages(0, list(area), wanted)
    return area
