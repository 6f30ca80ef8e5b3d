"""Anything that can happen to anonymous and shared memory, in any order, with others inside the calls."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from numakit import (
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    PAGE_SIZE,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    BrokenUserCode,
)
from numakit.kernels import SEED
from tests.random.machines import small_machine
from tests.random.played import LOOKING_UP, MOVING, STEP, WHO, Meddler, Played, meddlers_at
from tests.random.sights import RACES
from tests.random.worlds import HOLE, PLACES

ROWS = [
    *("hole", "untouched", "zero", "there", "shared", "duplicate", "off-lru", "full", "mlocked", "pinned", "gone"),
    *("moved", "migrating"),
]
WAITS = ["SLEEP_ON_PAGE", "ENTRY_WAIT", "MMAP_READ", "MMAP_WRITE"]
TO_REACH = [*ROWS, *(f"wait at {moment}" for moment in WAITS), *RACES]

#: What meddlers do, as a lottery.
KINDS = [
    *("write", "write", "write", "read", "fork", "munmap", "munmap", "exit", "mprotect", "mlock", "mlock"),
    *("pin_for_a_while", "pin_for_a_while", "hold_page_lock", "hold_page_lock", *3 * ["move_pages"]),
]

PLACE = st.integers(0, len(PLACES) - 1)
PLACE_OR_HOLE = st.integers(0, len(PLACES))
SOME = st.lists(PLACE_OR_HOLE, min_size=1, max_size=5)
IN_MEMORY = (*MOVING, "COUNT")
MEDDLERS = meddlers_at([*LOOKING_UP, *IN_MEMORY], KINDS)
MEDDLERS_IN_KERNEL = meddlers_at(IN_MEMORY, [*KINDS, *2 * ["munmap"], *2 * ["exit"], "fork"])
AREA_CALLS = ("munmap", "mmap", "mprotect", "mprotect", *3 * ["mlock"], "munlock")


class Anything(Played):
    """Two families of processes on a machine."""

    @initialize(untouched=st.sets(PLACE, max_size=3), read=st.sets(PLACE, max_size=3), forks=WHO)
    def populate(self, untouched: set[int], read: set[int], forks: int) -> None:
        """Two nodes with processes; most pages are there."""
        self.machine = machine = small_machine(self.frames, SEED)
        for name, node in (("parent", 0), ("visitor", 1)):
            process = machine.spawn(name, uid=0, node=node)
            process.mmap(6)
            process.mmap(3, shared=True)
            process.write([place for i, place in enumerate(PLACES) if i not in untouched])
            process.read([PLACES[i] for i in sorted(read)])
        if forks:  # five times in six
            machine.process(1).fork("child")
        self.begin_recording()

    @rule(who=WHO, places=SOME, write=st.booleans())
    def touch(self, who: int, places: list[int], write: bool) -> None:
        """Somebody reads or writes."""
        process, addresses = self.process(who), addresses_of(places)
        self.make(process.write if write else process.read, addresses)

    @rule(who=WHO, ends=st.booleans())
    def come_and_go(self, who: int, ends: bool) -> None:
        """A process forks or ends; there are two to five."""
        number = len(self.machine.processes)
        if ends and number > 2:
            self.make(self.process(who).exit)
        elif not ends and number < 5:
            self.make(self.process(who).fork)

    @rule(who=WHO, call=st.sampled_from(AREA_CALLS), place=PLACE, pages=st.integers(1, 3), option=WHO)
    def change_area(self, who: int, call: str, place: int, pages: int, option: int) -> None:
        """A few pages are unmapped, mapped where all was unmapped, protected, locked in memory, or no longer."""
        process = self.process(who)
        arguments: tuple[Any, ...] = ([PLACES[place] + i * PAGE_SIZE for i in range(pages)],)
        options: dict[str, Any] = {}
        if call == "mprotect":
            arguments += ((PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE)[option % 3],)
        elif call == "mmap":
            arguments, options = (3,), {"shared": option % 2 == 0, "address": PLACES[0 if option % 2 else 6]}
        self.make(getattr(process, call), *arguments, **options)

    @rule(who=WHO, places=SOME, kind=st.sampled_from(["vmsplice", "direct_io", "release"]))
    def hold(self, who: int, places: list[int], kind: str) -> None:
        """A pipe or a device holds pages, or lets go; at most three do."""
        pins = self.pins()
        if kind == "release" and pins:
            self.make(self.machine.pin(pins[who % len(pins)]).release)
        elif kind != "release" and len(pins) < 3:
            self.make(getattr(self.process(who), kind), addresses_of(places))

    @rule(who=WHO, places=SOME, node=WHO, all_pages=st.booleans(), meddlers=MEDDLERS, at=STEP)
    def move(self, who: int, places: list[int], node: int, all_pages: bool, meddlers: Any, at: int) -> None:
        """A process moves pages of its own to one node."""
        flags = MPOL_MF_MOVE_ALL if all_pages else MPOL_MF_MOVE
        addresses = addresses_of(places)
        arguments = (0, addresses, [self.node(node)] * len(addresses), flags)
        self.make(self.process(who).move_pages, *arguments, meddlers=meddlers, whose=who, places=addresses, at=at)

    @rule(who=WHO, whose=WHO, places=SOME, node=WHO, meddlers=MEDDLERS, at=STEP)
    def move_of_other(self, who: int, whose: int, places: list[int], node: int, meddlers: Any, at: int) -> None:
        """A process moves pages of another to several nodes, shared ones too."""
        addresses = addresses_of(places)
        nodes = [self.node(node + i) for i in range(len(places))]
        arguments = (self.process(whose).pid, addresses, nodes, MPOL_MF_MOVE_ALL)
        self.make(self.process(who).move_pages, *arguments, meddlers=meddlers, whose=whose, places=addresses, at=at)

    @rule(who=WHO, whose=WHO, places=SOME, node=st.sampled_from([None, None, -1, 99, 1024]), meddlers=MEDDLERS)
    def query(self, who: int, whose: int, places: list[int], node: int | None, meddlers: Any) -> None:
        """Where are the pages? Or a node that does not exist."""
        addresses = addresses_of(places)
        nodes = None if node is None else [node] * len(places)
        call = self.process(who).move_pages
        self.make(call, self.process(whose).pid, addresses, nodes, meddlers=meddlers, whose=whose, places=addresses)

    @rule(whose=WHO, places=SOME)
    def isolate_for_later(self, whose: int, places: list[int]) -> None:
        """The kernel isolates pages, to move them at some other time; at most six are isolated."""
        if len(self.isolated()) < 6:
            self.isolate(self.process(whose), addresses_of(places))

    @rule(whose=WHO, places=SOME, node=WHO, kind=st.integers(0, 4), meddlers=MEDDLERS_IN_KERNEL, at=STEP)
    def in_kernel(self, whose: int, places: list[int], node: int, kind: int, meddlers: Any, at: int) -> None:
        """The kernel itself moves pages, with one of several new_page_t."""
        addresses = addresses_of(places)
        self.isolate(self.process(whose), addresses)
        pages = self.isolated()
        if kind == 4 and pages:
            self.break_the_contract(pages, meddlers, whose, addresses)
            return
        cells = self.machine.cells(len(pages) + 1)

        def get_new_page(page: int, private: int, result: Any) -> int | None:
            cells[-1] += 1
            if kind == 1 and cells[-1] % 2:
                return None
            result.point_to(cells, pages.index(page))
            return self.machine.alloc_page(self.node(private + (cells[-1] if kind == 2 else 0)))

        call = self.machine.migrate_pages
        self.make(call, pages, get_new_page, node, meddlers=meddlers, whose=whose, places=addresses, at=at)

    def break_the_contract(self, pages: list[int], meddlers: list[Meddler], whose: int, places: list[int]) -> None:
        """A new_page_t that returns the old page: the machine is as it was, and the pages go back."""
        before, self.whole = self.machine.fingerprint(), False
        run = self.machine.begin(self.machine.migrate_pages, pages, lambda page, private, result: page)
        for meddler in meddlers:
            self.meddle(run, meddler, whose, places)
        with pytest.raises(BrokenUserCode):
            run.finish()
        assert self.machine.fingerprint() == before
        self.make(self.machine.putback_lru_pages, pages)


def addresses_of(places: list[int]) -> list[int]:
    """The addresses of places; the last is a hole."""
    return [[*PLACES, HOLE][place] for place in places]


class OnTwoNodes(Anything):
    """Two nodes with room."""

    frames: ClassVar = {0: 60, 1: 60}
    reached: ClassVar = Counter()


class OnUnevenNodes(Anything):
    """A node that fills up, ids with a hole, and a node without memory."""

    frames: ClassVar = {0: 60, 1: 40, 4: 8, 9: 0}
    reached: ClassVar = Counter()
