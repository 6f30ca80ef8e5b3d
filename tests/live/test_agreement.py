"""The model and the running Linux answer the same: the model of its own kernel, and that of the 2006 text but for the
differences that are listed with their reasons.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import NamedTuple

import pytest

from numakit import Machine, Topology
from numakit.abi import EFAULT, ENODEV, ENOENT
from numakit.live import CannotTry, World
from tests.live.scenarios import OF_2006, SCENARIOS, Answers

Release = tuple[int, ...]

TWO_NODES = "two-sockets"
MODELS: dict[str, tuple[Release, Release]] = {"6.1": ((6, 1), (6, 6)), "6.12": ((6, 12), (99,))}
"""Kernels of the model, and the releases since one and before another that answer these scenarios as that one."""

NOTHING_TO_MOVE = "since 2.6.29 a call that finds nothing to move returns 0 and tells the statuses"
ONE_BY_ONE = "since 4.17 entries are checked when their turn comes: those before a bad one have had their answer"
NO_ARRAY = "since 2.6.29 the kernel has no array for all entries: it reads on until the caller's memory ends"
UNTOUCHED = "from 4.3 to 6.11 anonymous memory that nobody touched is -EFAULT"
COUNTED = "since 4.17 pages that stayed are counted in the return value, and their statuses are not written"

LOCKED = "since 2.6.18 pages that are locked in memory move"
HIDDEN = "from 6.1 to 6.5 a page is not found where no access is allowed: it looks like one that awaits a NUMA hint"


class Difference(NamedTuple):
    """What kernels ``since`` one release and ``before`` another answer instead of what the 2006 text promises;
    ``live``: given the first two nodes with memory.
    """

    reason: str
    live: Callable[[int, int], Answers]
    since: Release
    before: Release = (99,)


DIFFERENCES: dict[str, list[Difference]] = {
    "pages_that_are_there_already": [Difference(NOTHING_TO_MOVE, lambda here, there: [(0, [here] * 2)], (2, 6, 29))],
    "a_move_of_nothing": [Difference(NOTHING_TO_MOVE, lambda here, there: [(0, [])], (2, 6, 29))],
    "a_shared_page_that_is_there_already": [Difference(NOTHING_TO_MOVE, lambda here, there: [(0, [here])], (2, 6, 29))],
    "untouched_pages_that_are_to_move": [
        Difference(NOTHING_TO_MOVE, lambda here, there: [(0, [-ENOENT])], (6, 12)),
        Difference(f"{NOTHING_TO_MOVE}; {UNTOUCHED}", lambda here, there: [(0, [-EFAULT])], (4, 3), (6, 12)),
    ],
    "query_of_touched_and_untouched_pages": [
        Difference(UNTOUCHED, lambda here, there: [(0, [here] * 3 + [-EFAULT] * 2)], (4, 3), (6, 12))
    ],
    "arrays_in_memory": [Difference(UNTOUCHED, lambda here, there: [(0, [here, -EFAULT])], (4, 3), (6, 12))],
    "query_after_protection": [
        Difference(HIDDEN, lambda here, there: [0, -EFAULT, -EFAULT, (0, [-ENOENT] * 2)], (6, 1), (6, 6))
    ],
    "a_move_beyond_its_array": [Difference(ONE_BY_ONE, lambda here, there: [-EFAULT, [here]], (4, 17))],
    "too_many_entries": [Difference(NO_ARRAY, lambda here, there: [-EFAULT], (2, 6, 29))],
    "a_mlocked_page_moves": [Difference(LOCKED, lambda here, there: [(0, [there]), (0, [there])], (2, 6, 18))],
    "the_last_entry_names_a_node_that_does_not_exist": [
        Difference(ONE_BY_ONE, lambda here, there: [-ENODEV, (0, [there, here])], (4, 17))
    ],
    "a_page_in_a_pipe_stays": [
        Difference(COUNTED, lambda here, there: [(1, [None]), (0, [here]), (0, [there])], (4, 17)),
    ],
}


def release_of(text: str) -> Release:
    """``6.18.44-fc`` -> (6, 18, 44)"""
    numbers = text.split("-")[0].split("+")[0].split(".")
    return tuple(int(number) for number in numbers if number.isdigit())


def promised(name: str, topology: Topology, release: Release) -> Answers:
    """What a kernel of that release is to answer: what the 2006 text promises, or the difference that is listed."""
    nodes = [node for node in topology.nodes if topology.memory(node)]
    for difference in DIFFERENCES.get(name, []):
        if difference.since <= release < difference.before:
            return difference.live(nodes[0], nodes[-1] if len(nodes) == 1 else nodes[1])
    return modelled(name, topology, "seed")


def modelled(name: str, topology: Topology, kernel: str) -> Answers:
    """What a model answers."""
    return SCENARIOS[name](Machine(topology, kernel))


@pytest.mark.parametrize("name", SCENARIOS)
def test_running_kernel_answers_as_its_own_model_does(world: World, name: str) -> None:
    """On a model of this very machine, with the rules of the nearest kernel that is modelled."""
    release = release_of(platform.release())
    kernel = next((name for name, (since, before) in MODELS.items() if since <= release < before), None)
    if kernel is None:
        pytest.skip(f"Linux {platform.release()} is none of those that are modelled")
    live = SCENARIOS[name](world)
    assert live == modelled(name, world.topology, kernel)


@pytest.mark.parametrize("name", OF_2006)
def test_running_kernel_keeps_the_promise_of_2006_but_for_what_is_listed(world: World, name: str) -> None:
    """What has changed in twenty years is known, and nothing else has."""
    live = SCENARIOS[name](world)
    assert live == promised(name, world.topology, release_of(platform.release()))


@pytest.mark.parametrize(("kernel", "release"), [(kernel, since) for kernel, (since, _) in MODELS.items()])
@pytest.mark.parametrize("name", OF_2006)
def test_modelled_kernels_differ_from_the_text_where_it_is_listed(name: str, kernel: str, release: Release) -> None:
    """Also where no such kernel runs, and with a second node: every scenario can be played there."""
    topology = Topology.preset(TWO_NODES)
    try:
        assert modelled(name, topology, kernel) == promised(name, topology, release)
    except CannotTry as why:
        pytest.fail(str(why))


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_is_listed_as_a_difference_is_one(name: str) -> None:
    """A list that says what the text says anyway would hide that the two agree."""
    model = modelled(name, Topology.preset(TWO_NODES), "seed")
    for difference in DIFFERENCES[name]:
        assert difference.live(0, 1) != model, difference.reason


def test_differences_are_those_of_scenarios_that_exist() -> None:
    """No name is misspelt."""
    assert set(DIFFERENCES) <= set(OF_2006)


@pytest.mark.parametrize(
    ("text", "release"),
    [("6.18.44-fc-v669", (6, 18, 44)), ("6.1.0-27-amd64", (6, 1, 0)), ("5.15.0+", (5, 15, 0)), ("2.6.18", (2, 6, 18))],
)
def test_release_is_read_from_its_name(text: str, release: Release) -> None:
    """What a distribution adds is not part of it."""
    assert release_of(text) == release
