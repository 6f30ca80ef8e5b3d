"""How hypothesis draws, and small machines: the same examples on every run, many more of them for `make test-long`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import networkx as nx
import pytest
from hypothesis import settings

from numakit import PAGE_SIZE, Machine, Process, Topology
from tests.scene import Scene

settings.register_profile("short", derandomize=True, deadline=None, database=None)
settings.register_profile("long", settings.get_profile("short"), max_examples=2000)
settings.load_profile("long" if os.environ.get("NUMAKIT_LONG") == "1" else "short")


class MachineMaker(Protocol):
    """Makes a machine of nodes with so many frames each; every node has two CPUs unless ``cpus`` says otherwise."""

    def __call__(
        self,
        frames: Mapping[int, int],
        distances: Sequence[tuple[int, int, int]] = (),
        cpus: Mapping[int, Sequence[int]] | None = None,
        offline: Sequence[int] = (),
    ) -> Machine: ...


@pytest.fixture
def make_machine() -> Iterator[MachineMaker]:
    """Small machines, node by node; each has to be sound when the test is over."""
    made: list[Machine] = []

    def make(
        frames: Mapping[int, int],
        distances: Sequence[tuple[int, int, int]] = (),
        cpus: Mapping[int, Sequence[int]] | None = None,
        offline: Sequence[int] = (),
    ) -> Machine:
        graph: nx.Graph[Any] = nx.Graph()
        for place, (node, number) in enumerate(frames.items()):
            its_cpus = (2 * place, 2 * place + 1) if cpus is None else cpus.get(node, ())
            graph.add_node(node, memory=number * PAGE_SIZE, cpus=() if node in offline else its_cpus)
            graph.nodes[node]["online"] = node not in offline
        graph.add_weighted_edges_from(distances, weight="distance")
        machine = Machine(Topology.from_networkx(graph), scale=1)
        made.append(machine)
        return machine

    yield make
    for machine in made:
        machine.present()
        assert machine.inconsistencies() == []


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Two nodes of 64 frames, CPUs 0 and 1 on node 0, CPUs 2 and 3 on node 1."""
    return make_machine({0: 64, 1: 64})


@pytest.fixture
def shell(machine: Machine) -> Process:
    """An ordinary process on node 0."""
    return machine.spawn("shell", node=0)


@pytest.fixture
def fill() -> Callable[[Machine, int], Process]:
    """Take every free frame of a node, for a process that is called hog."""

    def fill_node(machine: Machine, node: int) -> Process:
        machine.migrate_prep()  # what waits in a pagevec to be freed is free now
        hog = machine.spawn("hog", mems={node})
        assert hog.write(hog.mmap(pages=machine.free_frames(node))) == 0
        assert machine.free_frames(node) == 0
        return hog

    return fill_node


@pytest.fixture
def scene(machine: Machine) -> Scene:
    """Processes that share memory on two nodes of 64 frames, and a call that is about to be made."""
    return Scene(machine)
