"""The model and the running Linux answer the same; where they do not, the difference is listed with its reason."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import NamedTuple

import pytest

from numakit import Machine, Topology
from numakit.abi import EFAULT
from numakit.live import CannotTry, World
from tests.live.scenarios import SCENARIOS, Answers, a_node

Release = tuple[int, ...]

NOTHING_TO_MOVE = "since 2.6.29 a call that finds nothing to move returns 0 and tells the statuses"
ONE_BY_ONE = "since 4.17 entries are checked when their turn comes: those before a bad one have had their answer"
NO_ARRAY = "since 2.6.29 the kernel has no array for all entries: it reads on until the caller's memory ends"
UNTOUCHED = "from 4.3 to 6.11 anonymous memory that nobody touched is -EFAULT"
NOT_MODELLED_YET = ("get_mempolicy", "set_mempolicy", "mbind", "migrate_pages")

COUNTED = "since 4.17 pages that stayed are counted in the return value, and their statuses are not written"


class Difference(NamedTuple):
    """What kernels ``since`` one release and ``before`` another answer instead; ``live``: with the first node's id."""

    reason: str
    live: Callable[[int], Answers]
    since: Release = (0,)
    before: Release = (99,)


DIFFERENCES: dict[str, list[Difference]] = {
    "pages_that_are_there_already": [Difference(NOTHING_TO_MOVE, lambda node: [(0, [node] * 2)], (2, 6, 29))],
    "a_move_of_nothing": [Difference(NOTHING_TO_MOVE, lambda node: [(0, [])], (2, 6, 29))],
    "a_shared_page_that_is_there_already": [Difference(NOTHING_TO_MOVE, lambda node: [(0, [node])], (2, 6, 29))],
    "untouched_pages_that_are_to_move": [
        Difference(NOTHING_TO_MOVE, lambda node: [(0, [-2])], (6, 12)),
        Difference(f"{NOTHING_TO_MOVE}; {UNTOUCHED}", lambda node: [(0, [-EFAULT])], (4, 3), (6, 12)),
    ],
    "query_of_touched_and_untouched_pages": [
        Difference(UNTOUCHED, lambda node: [(0, [node] * 3 + [-EFAULT] * 2)], (4, 3), (6, 12))
    ],
    "arrays_in_memory": [Difference(UNTOUCHED, lambda node: [(0, [node, -EFAULT])], (4, 3), (6, 12))],
    "a_move_beyond_its_array": [Difference(ONE_BY_ONE, lambda node: [-EFAULT, [node]], (4, 17))],
    "too_many_entries": [Difference(NO_ARRAY, lambda node: [-EFAULT], (2, 6, 29))],
    "a_page_in_a_pipe_stays": [
        Difference(COUNTED, lambda node: [(1, [None]), (0, [node]), (0, [node + 1])], (4, 17)),
    ],
}


def release_of(text: str) -> Release:
    """``6.18.44-fc`` -> (6, 18, 44)"""
    numbers = text.split("-")[0].split("+")[0].split(".")
    return tuple(int(number) for number in numbers if number.isdigit())


def expected(name: str, model: Answers, node: int, release: Release) -> Answers:
    """What a kernel of that release is to answer, given what the model answers."""
    for difference in DIFFERENCES.get(name, []):
        if difference.since <= release < difference.before:
            return difference.live(node)
    return model


def modelled(name: str, topology: Topology) -> Answers:
    """What the model answers. Skips what it does not have."""
    try:
        return SCENARIOS[name](Machine(topology))
    except AttributeError as missing:
        if missing.name not in NOT_MODELLED_YET:
            raise
        pytest.skip(f"the model does not have it yet: {missing}")


@pytest.mark.parametrize("name", SCENARIOS)
def test_running_kernel_answers_as_the_model_does(world: World, name: str) -> None:
    """Every scenario that can be tried here, on a model of this very machine."""
    live = SCENARIOS[name](world)
    model = modelled(name, world.topology)
    node = a_node(world)
    assert live == expected(name, model, node, release_of(platform.release()))


@pytest.mark.parametrize("name", SCENARIOS)
def test_scenarios_can_be_played_where_there_are_two_nodes(name: str) -> None:
    """None of them is left out for want of a node there."""
    try:
        assert modelled(name, Topology.preset("two-sockets"))
    except CannotTry as why:
        pytest.fail(str(why))


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_is_listed_as_a_difference_is_one(name: str) -> None:
    """A list that says what the model says anyway would hide that the two agree by now."""
    model = modelled(name, Topology.preset("two-sockets"))
    for difference in DIFFERENCES[name]:
        assert difference.live(0) != model, difference.reason


def test_differences_are_those_of_scenarios_that_exist() -> None:
    """No name is misspelt."""
    assert set(DIFFERENCES) <= set(SCENARIOS)


@pytest.mark.parametrize(
    ("text", "release"),
    [("6.18.44-fc-v669", (6, 18, 44)), ("6.1.0-27-amd64", (6, 1, 0)), ("5.15.0+", (5, 15, 0)), ("2.6.18", (2, 6, 18))],
)
def test_release_is_read_from_its_name(text: str, release: Release) -> None:
    """What a distribution adds is not part of it."""
    assert release_of(text) == release
