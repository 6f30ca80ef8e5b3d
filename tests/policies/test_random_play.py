"""Random processes, policies and cpusets: every page lies where the oracle says, and is counted as it says."""

from __future__ import annotations

from random import Random

import pytest

from numakit import MPOL_BIND, MPOL_DEFAULT, MPOL_INTERLEAVE, MPOL_PREFERRED, PAGE_SIZE, Machine, Process, Vma
from numakit.machine.vma import find_vma
from tests.conftest import MachineMaker
from tests.policies.areas import give_policy, write_mems
from tests.policies.oracle import Place, Wish, expected_place

NODES = (0, 1, 2, 5)
STEPS = 120
AREA = 8


class Play:
    """A machine with four nodes, one of them small, and what the test itself remembers of policies."""

    def __init__(self, machine: Machine, random_seed: int) -> None:
        self.machine, self.draw = machine, Random(f"policies {random_seed}")
        self.wishes: dict[int, Wish | None] = {}
        self.areas: dict[int, Vma] = {}
        self.of_pages: dict[tuple[int, int], Wish | None] = {}
        self.cpusets = [machine.cpuset("wide", NODES), machine.cpuset("narrow", NODES[1:3])]
        for name, node in (("first", 0), ("second", 2), ("third", 5)):
            cpuset = self.draw.choice([None, *self.cpusets])
            process = machine.spawn(name, node=node, cpuset=cpuset)
            self.areas[process.pid] = process.mmap(AREA)
            self.wishes[process.pid] = None

    def step(self) -> None:
        """One thing happens."""
        process = self.draw.choice(self.machine.processes)
        action = self.draw.choice([self.touch] * 6 + [self.set_policy, self.set_policy_of_area, self.give_back])
        action(process)

    def touch(self, process: Process) -> None:
        """A page is touched for the first time, and counted."""
        page = self.draw.randrange(AREA)
        address = self.areas[process.pid][page]
        if process.page(address) is not None:
            return
        wish = self.of_pages.get((process.pid, page)) or self.wishes[process.pid]
        place = expected_place(self.machine, process.node, process.mems, wish, address // PAGE_SIZE)
        before = self.machine.numastat()
        answer = process.write(address)
        assert (answer == 0, process.pte(address).node) == (place.node is not None, place.node)
        self.see_counted(before, place, process.node)

    def see_counted(self, before: object, place: Place, home: int) -> None:
        """The counters went up by what the oracle says, and no others did."""
        assert isinstance(before, type(self.machine.numastat()))
        for node, counters in self.machine.numastat().items():
            got = node == place.node
            expected = (
                got and node == place.wanted,
                got and node != place.wanted,
                not got and place.node is not None and node == place.wanted,
                got and place.interleave_hit,
                got and node == home,
                got and node != home,
            )
            assert tuple(b - a for a, b in zip(before[node], counters, strict=True)) == expected

    def wish(self, nodes: frozenset[int]) -> Wish:
        """A policy that may be made for these nodes."""
        mode = self.draw.choice([MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE])
        number = 0 if mode == MPOL_DEFAULT else self.draw.randint(mode != MPOL_PREFERRED, len(nodes))
        return Wish(mode, tuple(self.draw.sample(sorted(nodes), number)))

    def set_policy(self, process: Process) -> None:
        """The process gets a policy within its cpuset."""
        wish = self.wish(process.mems)
        assert process.set_mempolicy(*wish) == 0
        self.wishes[process.pid] = wish if wish.mode else None

    def set_policy_of_area(self, process: Process) -> None:
        """A part of the area gets a policy, which may name nodes beyond the cpuset."""
        first = self.draw.randrange(AREA)
        pages = range(first, self.draw.randint(first, AREA - 1) + 1)
        wish = self.wish(frozenset(NODES))
        for page in pages:  # one by one: the area may be cut in between
            address = self.areas[process.pid][page]
            assert find_vma(self.machine, process.mm, address)
            give_policy(process, [address], wish.mode, sorted(wish.nodes)[: 1 if wish.mode == MPOL_PREFERRED else None])
            self.of_pages[process.pid, page] = wish if wish.mode else None

    def give_back(self, process: Process) -> None:
        """The process unmaps its area and maps a new one."""
        process.munmap(self.areas[process.pid])
        self.areas[process.pid] = process.mmap(AREA)
        for page in range(AREA):
            self.of_pages.pop((process.pid, page), None)
        self.machine.migrate_prep()


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Node 2 is nearly always full; node 5 is far from all."""
    distances = [(0, 1, 20), (0, 2, 25), (1, 2, 20), (0, 5, 40), (1, 5, 40), (2, 5, 40)]
    return make_machine({0: 10, 1: 8, 2: 3, 5: 12}, distances=distances)


@pytest.mark.parametrize("random_seed", range(40))
def test_every_page_lies_where_the_oracle_says(machine: Machine, random_seed: int) -> None:
    """And is counted as it says."""
    play = Play(machine, random_seed)
    for _ in range(STEPS):
        play.step()
    assert machine.inconsistencies() == []


@pytest.mark.parametrize("random_seed", range(20))
def test_no_change_of_a_cpuset_lets_a_page_slip_out(machine: Machine, random_seed: int) -> None:
    """The cpusets change between the touches; whatever became of the policies, memory comes from what is allowed."""
    play = Play(machine, random_seed)
    for _ in range(STEPS):
        process = play.draw.choice(machine.processes)
        address = play.draw.choice(play.areas[process.pid])
        action = play.draw.randrange(8)
        if action == 0:
            number = play.draw.choice(play.cpusets).number
            write_mems(machine, number, sorted(play.draw.sample(NODES, play.draw.randint(1, 4))))
        elif action == 1:
            play.set_policy(process)
        elif action == 2:
            play.set_policy_of_area(process)
        elif action == 3:
            play.give_back(process)
        elif process.page(address) is None:
            allowed, free = process.mems, {node: machine.free_frames(node) for node in machine.node_ids}
            process.write(address)
            taken = {node for node in machine.node_ids if machine.free_frames(node) < free[node]}
            assert taken <= allowed
    assert machine.inconsistencies() == []
