"""Policies, cpusets and the calls that move many pages, in any order and within each other, on any of the kernels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, ClassVar, TypeAlias

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from numakit import (
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_PREFERRED,
    PAGE_SIZE,
    Process,
)
from numakit.abi import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, MPOL_MF_STRICT
from numakit.kernels import ALL_KERNELS, Kernel
from tests.random.machines import small_machine
from tests.random.played import (
    LOOKING_UP,
    MOVING,
    STEP,
    WHO,
    Meddler,
    Played,
    meddlers_at,
    play_examples,
    see_that_all_was_reached,
)
from tests.random.worlds import PLACES, pages_behind

EXAMPLES = 1_000
CALLS = ("mbind", "migrate_pages", "set_mempolicy", "get_mempolicy", "set_mems", "attach")
TO_REACH = [
    *CALLS,
    *(kernel.name for kernel in ALL_KERNELS),
    *("moved", "left-shared", "left-locked", "left-untried", "pinned"),
    "wait at MMAP_WRITE",
]

MOVE_FLAGS = (MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, MPOL_MF_MOVE | MPOL_MF_STRICT, 0, MPOL_MF_STRICT)
NODE_IDS = (0, 1, 3)
NODES = st.sets(st.sampled_from(NODE_IDS), min_size=1)
Policy: TypeAlias = tuple[int, Collection[int]]  #: mode, nodes
POLICIES: tuple[Policy, ...] = (
    *((MPOL_BIND, {1}), (MPOL_BIND, {0}), (MPOL_BIND, {3}), (MPOL_BIND, {0, 3}), (MPOL_DEFAULT, ())),
    *((MPOL_PREFERRED, {1}), (MPOL_PREFERRED, ()), (MPOL_INTERLEAVE, {0, 1, 3}), (MPOL_INTERLEAVE, {1, 3})),
)
POLICY = st.sampled_from(POLICIES)
#: From which nodes a process goes to which.
WAYS = st.sampled_from(
    [({0}, {1}), ({1}, {0}), ({0, 1}, {3}), ({3}, {0}), ({0, 1, 3}, {1}), ({0, 1}, {1, 3}), ({0, 1, 3}, {1, 3})]
)
PLACE = st.integers(0, len(PLACES) - 1)
FEW = st.sets(PLACE, max_size=2)
SOME = st.lists(PLACE, min_size=1, max_size=5)

#: What meddlers do, as a lottery.
KINDS = [
    *("write", "write", "read", "fork", "munmap", "exit", "mprotect", "mlock", "pin_for_a_while", "hold_page_lock"),
    *("move_pages", "reclaim", *2 * CALLS),
]
MEDDLERS = meddlers_at([*LOOKING_UP, *MOVING, *3 * ["NEXT_PAIR"]], KINDS)


class Callers(Played):
    """Two families of processes, one of them in a cpuset, which has another below it; a node that fills up."""

    frames: ClassVar = {0: 50, 1: 50, 3: 12}
    reached: ClassVar = Counter()

    @initialize(
        kernel=st.sampled_from(ALL_KERNELS), mems=NODES, policy=POLICY, migrate=st.booleans(), held=FEW, locked=FEW
    )
    def populate(
        self, kernel: Kernel, mems: set[int], policy: Policy, migrate: bool, held: set[int], locked: set[int]
    ) -> None:
        """A shell and its child in the cpuset, and root outside; pipes hold pages of both, others are locked."""
        self.machine = machine = small_machine(self.frames, kernel, swap_pages=8)
        jobs = machine.cpuset("jobs", mems, memory_migrate=migrate)
        machine.cpuset("batch", [min(mems)], jobs, memory_migrate=not migrate)
        shell, root = machine.spawn("shell", cpuset=jobs, node=0), machine.spawn("root", uid=0, node=1)
        for process in (shell, root):
            process.mmap(6)
            process.mmap(3, shared=True)
            process.set_mempolicy(*policy)
            process.write(PLACES[:-1])
            for place in sorted(locked):
                process.mlock([PLACES[place]])
            if held:
                process.vmsplice([PLACES[place] for place in sorted(held)])
        shell.fork("child")
        self.reached[kernel.name] += 1
        self.begin_recording()

    # -- arguments

    def what_is_done(
        self, meddler: Meddler, process: Process, target: Process, address: int, places: list[int]
    ) -> tuple[Any, tuple[Any, ...]]:
        """Also policies, cpusets and whole processes; ``option`` says which nodes."""
        node, next_node = self.node(meddler.option), self.node(meddler.option + 1)
        cpusets = self.machine.cpusets
        arguments: dict[str, tuple[Any, tuple[Any, ...]]] = {
            "reclaim": (self.machine.reclaim, (pages_behind(target, places),)),
            "mbind": (process.mbind, ([address], MPOL_BIND, {node}, MOVE_FLAGS[meddler.option])),
            "migrate_pages": (process.migrate_pages, (target.pid, {node, next_node}, {next_node})),
            "set_mempolicy": (process.set_mempolicy, (MPOL_INTERLEAVE, {node, next_node})),
            "get_mempolicy": (process.get_mempolicy, (address, MPOL_F_NODE | MPOL_F_ADDR)),
            "set_mems": (cpusets[1].set_mems, ({node, next_node},)),
            "attach": (cpusets[meddler.option % len(cpusets)].attach, (process.pid,)),
        }
        if meddler.kind in arguments:
            return arguments[meddler.kind]
        return super().what_is_done(meddler, process, target, address, places)

    # -- what happens

    @rule(who=WHO, places=SOME, write=st.booleans())
    def touch(self, who: int, places: list[int], write: bool) -> None:
        """Somebody reads or writes."""
        process, addresses = self.process(who), [PLACES[place] for place in places]
        self.make(process.write if write else process.read, addresses)

    @rule(who=WHO, ends=st.booleans())
    def come_and_go(self, who: int, ends: bool) -> None:
        """A process forks or ends; there are two to four."""
        number = len(self.machine.processes)
        if ends and number > 2:
            self.make(self.process(who).exit)
        elif not ends and number < 4:
            self.make(self.process(who).fork)

    @rule(who=WHO, place=PLACE, call=st.sampled_from((*3 * ("mlock",), "munlock", "munmap", "vmsplice", "release")))
    def change_places(self, who: int, place: int, call: str) -> None:
        """A page is locked in memory, or no longer, unmapped, or held by a pipe; two are held at most."""
        pins = self.pins()
        if call == "release" and pins:
            self.make(self.machine.pin(pins[0]).release)
        elif call != "release" and (call != "vmsplice" or len(pins) < 2):
            self.make(getattr(self.process(who), call), [PLACES[place]])

    @rule(who=WHO, policy=POLICY)
    def set_mempolicy(self, who: int, policy: Policy) -> None:
        """A process gets another policy."""
        self.make_and_count("set_mempolicy", self.process(who).set_mempolicy, *policy)

    @rule(who=WHO, place=PLACE, meddlers=MEDDLERS)
    def get_mempolicy(self, who: int, place: int, meddlers: Any) -> None:
        """Where is a page? It is read in for that."""
        call, places = self.process(who).get_mempolicy, [PLACES[place]]
        arguments = (*places, MPOL_F_NODE | MPOL_F_ADDR)
        self.make_and_count("get_mempolicy", call, *arguments, meddlers=meddlers, whose=who, places=places)

    @rule(
        who=WHO,
        place=PLACE,
        pages=st.integers(1, 6),
        policy=POLICY,
        flags=st.sampled_from(MOVE_FLAGS),
        meddlers=MEDDLERS,
        at=STEP,
    )
    def mbind(self, who: int, place: int, pages: int, policy: Policy, flags: int, meddlers: Any, at: int) -> None:
        """A range, over holes perhaps, gets a policy, and pages move."""
        start, length = PLACES[place], pages * PAGE_SIZE
        inside = [address for address in PLACES if start <= address < start + length]
        arguments = (start, *policy, flags)
        options = {"meddlers": meddlers, "whose": who, "places": inside, "at": at, "length": length}
        self.make_and_count("mbind", self.process(who).mbind, *arguments, **options)

    @rule(who=WHO, whose=WHO, way=WAYS, meddlers=MEDDLERS, at=STEP)
    def migrate_pages(self, who: int, whose: int, way: tuple[set[int], set[int]], meddlers: Any, at: int) -> None:
        """All pages of a process go from some nodes to others."""
        arguments = (self.process(whose).pid, *way)
        options = {"meddlers": meddlers, "whose": whose, "places": PLACES, "at": at}
        self.make_and_count("migrate_pages", self.process(who).migrate_pages, *arguments, **options)

    @rule(which=WHO, mems=NODES, meddlers=MEDDLERS, at=STEP)
    def set_mems(self, which: int, mems: set[int], meddlers: Any, at: int) -> None:
        """A cpuset gets other nodes, as far as its parent and its child allow."""
        cpuset = self.machine.cpusets[which % 3]
        options = {"meddlers": meddlers, "places": PLACES, "at": at}
        self.make_and_count("set_mems", cpuset.set_mems, mems, **options)

    @rule(which=WHO, who=WHO, meddlers=MEDDLERS, at=STEP)
    def attach(self, which: int, who: int, meddlers: Any, at: int) -> None:
        """A process comes into a cpuset."""
        cpuset, pid = self.machine.cpusets[which % 3], self.process(who).pid
        options = {"meddlers": meddlers, "whose": who, "places": PLACES, "at": at}
        self.make_and_count("attach", cpuset.attach, pid, **options)

    def make_and_count(self, name: str, call: Any, *arguments: Any, **options: Any) -> None:
        """Make a call, and count it."""
        self.make(call, *arguments, **options)
        self.reached[name] += 1


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_promises_hold_whatever_policies_and_cpusets_there_are() -> None:
    """And each call, each kernel, what calls leave out and what they wait for come up by random play."""
    play_examples(Callers, EXAMPLES)
    see_that_all_was_reached(Callers.reached, TO_REACH)
