"""Random play of migrate_pages(2), mbind(), policies and cpusets on every kernel, alone and beside somebody who acts.

What is asked after each call: the machine is sound, nothing is left in flight, moving changed nothing that anybody
reads, and a run that was recorded ends in the same state when it is undone and redone.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from numakit import MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, Machine, Process
from numakit.kernels import KERNELS
from numakit.machine.consistency import left_in_flight
from tests.random.machines import small_machine

WORLDS = 150  #: for each kernel
CALLS = 8  #: in a world
MODES = (0, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE)
NODES = (0, 1, 2)
REACHED: Counter[str] = Counter()


def some_nodes(draw: Random) -> set[int]:
    """Any of the nodes, mostly some."""
    return {node for node in NODES if draw.random() < 0.5} or {draw.choice(NODES)}


def world(draw: Random, kernel: str) -> tuple[Machine, list[Process]]:
    """A parent and its child in one cpuset, and a stranger with the privileges of root."""
    machine = small_machine({0: 30, 1: 30, 2: draw.choice((6, 30))}, KERNELS[kernel], 6)
    cpuset = machine.cpuset("jobs", some_nodes(draw), memory_migrate=draw.random() < 0.6)
    parent = machine.spawn("parent", cpuset=cpuset, node=draw.choice(NODES))
    for shared in (False, True):
        parent.write([page for page in parent.mmap(5, shared=shared) if draw.random() < 0.8])
    child = parent.fork("child")
    child.write([page for area in child.vmas for page in area if draw.random() < 0.3])
    if draw.random() < 0.3:
        parent.mlock(parent.vmas[0][0:2])
    if draw.random() < 0.3:
        child.vmsplice(child.vmas[0][1])
    return machine, [parent, child, machine.spawn("root", uid=0, node=1)]


def a_call(draw: Random, machine: Machine, family: list[Process]) -> tuple[Any, ...]:
    """A call of somebody, and its arguments."""
    who, target = draw.choice(family), draw.choice(family[:2])
    area = draw.choice(family[0].vmas)
    begin = draw.randrange(len(area))
    pages = area[begin : begin + draw.randint(1, 4)]
    mode = draw.choice(MODES)
    nodes = some_nodes(draw) if mode else set()
    cpuset = draw.choice(machine.cpusets)
    return draw.choice(
        [
            (who.migrate_pages, target.pid, some_nodes(draw), some_nodes(draw)),
            (target.mbind, pages, mode, nodes, draw.choice((0, 1, 2, 3, 4))),
            (who.set_mempolicy, mode, nodes),
            (cpuset.set_mems, some_nodes(draw)),
            (cpuset.attach, target.pid),
            (who.move_pages, target.pid, list(pages), [draw.choice(NODES) for _ in pages], draw.choice((2, 4))),
            (target.write, list(pages)),
        ]
    )


def seen(family: list[Process]) -> dict[tuple[int, int], int]:
    """What everybody can read now without changing anything: (pid, address) -> contents, where a page is present."""
    machine = family[0].machine
    places = [(process, address) for process in family for area in process.vmas for address in area]
    pages = [(process.pid, address, process.page(address)) for process, address in places]
    return {(pid, address): machine.contents[page] for pid, address, page in pages if page is not None}


def play(random_seed: int, kernel: str) -> None:
    """A world, and some calls in it. Raises AssertionError where a promise is broken."""
    draw = Random(f"callers {random_seed}")
    machine, family = world(draw, kernel)
    for _ in range(CALLS):
        call, *arguments = a_call(draw, machine, family)
        name, before = call.prepare.__name__, seen(family)
        if draw.random() < 0.5:
            call(*arguments)
        else:
            run = machine.begin(call, *arguments)
            if draw.random() < 0.5:
                run.when(draw.choice(("PASS", "COPY", "ISOLATE", "TRY_TO_UNMAP"))).do(family[1].read, family[1].vmas[0])
            run.finish()
            after = machine.fingerprint()
            run.first()
            run.last()
            assert machine.fingerprint() == after
        REACHED[f"{kernel} {name}"] += 1
        assert machine.inconsistencies() == []
        assert left_in_flight(machine) == []
        if name != "write":
            now = seen(family)
            assert {place: now.get(place, token) for place, token in before.items()} == before


@pytest.mark.parametrize("kernel", KERNELS)
def test_worlds_keep_their_promises(kernel: str) -> None:
    """On each kernel; every call was made a hundred times."""
    for random_seed in range(WORLDS):
        play(random_seed, kernel)
    calls = ("migrate_pages", "mbind", "set_mempolicy", "set_mems", "attach", "move_pages")
    assert {name: REACHED[f"{kernel} {name}"] for name in calls if REACHED[f"{kernel} {name}"] < 100} == {}
