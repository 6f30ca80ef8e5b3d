"""Anything in any order, others inside the calls; the model keeps its promises and finds its way back and on."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from numakit import (
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    PAGE_SIZE,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
    BrokenUserCode,
    Process,
    Run,
)
from numakit.kernels import SEED
from numakit.machine.consistency import is_key
from numakit.machine.references import KERNEL_CODE, noted_holders
from numakit.timeline.schedule import choose
from tests.random.interleavings import HOLE, PLACES, in_turns
from tests.random.machines import see_that_it_is_sound, small_machine
from tests.random.oracle import Witness

EXAMPLES = 10_000 if os.environ.get("NUMAKIT_LONG") == "1" else 1_200  #: of each test
STEPS = 14  #: rules played in an example, at most
ENOUGH = 50  #: times that each of these has to be reached, by each test
ROWS = [
    *("hole", "untouched", "zero", "there", "shared", "duplicate", "off-lru", "full", "mlocked", "pinned", "gone"),
    *("moved", "migrating"),
]
WAITS = ["SLEEP_ON_PAGE", "ENTRY_WAIT", "MMAP_READ", "MMAP_WRITE"]
TO_REACH = [*ROWS, *(f"wait at {moment}" for moment in WAITS), "rollback", "copy on write during a migration"]

LOOKING_UP = ["DRAIN", "FOLLOW_PAGE", "ISOLATE"]
MOVING = [
    *("PASS", "GET_NEW_PAGE", "FREED", "LOCK_PAGE", "TRY_TO_UNMAP", "LOCK_NEW_PAGE", "COUNT", "COPY", "REMOVE_ENTRY"),
    *("UNLOCK_NEW_PAGE", "UNLOCK_PAGE", "PUT_BACK", "PUT_BACK_NEW"),
]
#: What meddlers do, as a lottery.
KINDS = [
    *("write", "write", "write", "read", "fork", "munmap", "munmap", "exit", "mprotect", "mlock"),
    *("pin_for_a_while", "pin_for_a_while", "hold_page_lock", "hold_page_lock", *3 * ["move_pages"]),
]


class Meddler(NamedTuple):
    """Somebody who acts inside a call: what, who (from ``OWN`` on: the process whose pages the call is about), where
    (one of the call's own places), and when: at the n-th time of a moment or (0) when the call is at work on that
    place's page.
    """

    kind: str
    who: int
    place: int
    moment: str
    nth: int
    option: int


OWN = 4
WHO = st.integers(0, 5)
PLACE = st.integers(0, len(PLACES) - 1)
PLACE_OR_HOLE = st.integers(0, len(PLACES))
SOME = st.lists(PLACE_OR_HOLE, min_size=1, max_size=5)
STEP = st.integers(0, 500)


def meddlers_at(moments: list[str], kinds: list[str]) -> st.SearchStrategy[list[Meddler]]:
    """One to four who act inside a call."""
    when = (st.sampled_from(moments), st.integers(0, 2))
    one = st.builds(
        Meddler, st.sampled_from(kinds), st.integers(0, OWN + 2), st.integers(0, 4), *when, st.integers(0, 3)
    )
    return st.lists(one, min_size=1, max_size=4)


MEDDLERS = meddlers_at(LOOKING_UP + MOVING, KINDS)
MEDDLERS_IN_KERNEL = meddlers_at(MOVING, [*KINDS, "munmap", "exit", "fork"])
AREA_CALLS = ("munmap", "mmap", "mprotect", "mprotect", "mlock", "mlock", "munlock")


class Anything(RuleBasedStateMachine):
    """A machine of at most 256 frames, and two families of processes on it."""

    frames: ClassVar[dict[int, int]]
    reached: ClassVar[Counter[str]]

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
        machine.start_recording()
        self.began_at, self.first = machine.cursor, machine.fingerprint()
        self.marks: list[tuple[int, str]] = []
        self.whole = True

    # -- who and where

    def process(self, who: int) -> Process:
        """One of those that live; the first never exits, but by a meddler's doing."""
        processes = self.machine.processes or [self.machine.spawn("newcomer", uid=0)]
        return processes[who % len(processes)]

    def node(self, option: int) -> int:
        """One of the nodes."""
        return self.machine.node_ids[option % len(self.machine.node_ids)]

    def meddle(self, run: Run[Any], meddler: Meddler, whose: int, places: list[int]) -> Any:
        """Let somebody act inside the call of a run, which is about places of a process."""
        process = self.process(whose if meddler.who >= OWN else meddler.who)
        address = places[meddler.place % len(places)]
        arguments: tuple[Any, ...] = ([address],)
        if meddler.kind in ("fork", "exit"):
            arguments = ()
        elif meddler.kind == "hold_page_lock":
            arguments = (address,)
        elif meddler.kind == "mprotect":
            arguments = ([address], (PROT_READ, PROT_READ | PROT_WRITE)[meddler.option % 2])
        elif meddler.kind == "move_pages":
            addresses = list(dict.fromkeys([address, *places]))
            arguments = (0, addresses, [self.node(meddler.option)] * len(addresses), MPOL_MF_MOVE_ALL)
        page = process.page(address) if not meddler.nth else None
        then = run.when(meddler.moment, meddler.nth or 1, page)
        if meddler.kind in ("pin_for_a_while", "hold_page_lock") and meddler.option:
            then = then.until("PASS", in_pass=3 * meddler.option)
        return then.do(getattr(process, meddler.kind), *arguments)

    # -- a call, and all that must hold of it

    def make(
        self,
        call: Any,
        *arguments: Any,
        meddlers: Sequence[Meddler] = (),
        whose: int = 0,
        places: list[int] = PLACES,
        at: int = 0,
    ) -> Run[Any]:
        """Make a call with others inside, watched; then undo it, redo it, and go on from one of its steps."""
        machine, before, self.whole = self.machine, self.machine.fingerprint(), False
        run = machine.begin(call, *arguments)
        actors = [self.meddle(run, meddler, whose, places) for meddler in meddlers]
        run.finish(Witness(run, self.reached).watching(choose))
        see_that_it_is_sound(machine)
        end = machine.fingerprint()
        results = [run.result, *(actor.result for actor in actors if actor.done and actor.task.name == "move_pages")]
        self.reached.update(row for result in results for row in getattr(result, "rows", []))
        assert run.first().machine.fingerprint() == before
        assert run.last().machine.fingerprint() == end
        step = at % len(run)
        turns = run.turns[step:]
        run.goto(step).finish(in_turns(turns))
        assert machine.fingerprint() == end, f"played on from step {step}, the call ends otherwise"
        self.whole = True
        return run

    # -- the rules

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
        if call == "mprotect":
            arguments += ((PROT_READ, PROT_NONE, PROT_READ | PROT_WRITE)[option % 3],)
        elif call == "mmap":
            arguments = (3, option % 2 == 0, PROT_READ | PROT_WRITE, PLACES[0 if option % 2 else 6])
        self.make(getattr(process, call), *arguments)

    @rule(who=WHO, places=SOME, kind=st.sampled_from(["vmsplice", "direct_io", "release"]))
    def hold(self, who: int, places: list[int], kind: str) -> None:
        """A pipe or a device holds pages, or lets go; at most three do."""
        pins = self.pins()
        if kind == "release" and pins:
            self.make(self.machine.pin(pins[who % len(pins)]).release)
        elif kind != "release" and len(pins) < 3:
            self.make(getattr(self.process(who), kind), addresses_of(places))

    def pins(self) -> list[int]:
        """The numbers of what holds pages now."""
        return [key[1] for key in self.machine.table if is_key(key, "pin")]

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

    def isolate(self, process: Process, addresses: list[int]) -> None:
        """Isolate what can be isolated of the pages behind addresses."""
        self.make(self.machine.migrate_prep)
        for address in addresses:
            page = process.page(address)
            if page is not None:
                self.machine.isolate_lru_page(page)
        see_that_it_is_sound(self.machine)

    def isolated(self) -> list[int]:
        """The pages that kernel code holds."""
        return [page for page in range(self.machine.nr_frames) if noted_holders(self.machine, page)[KERNEL_CODE]]

    @rule(which=WHO, back=st.booleans())
    def go_back_and_on(self, which: int, back: bool) -> None:
        """A past is taken up again, and what came later forgotten; or it is noted that one can come back to here."""
        if not back or not self.marks:
            self.marks.append((self.machine.cursor, self.machine.fingerprint()))
            return
        del self.marks[which % len(self.marks) + 1 :]
        cursor, fingerprint = self.marks.pop()
        self.machine.goto(cursor)
        assert self.machine.fingerprint() == fingerprint
        self.machine.start_recording()

    def teardown(self) -> None:
        """Back to the start of the example, and forward to its end."""
        if getattr(self, "whole", False):
            end = self.machine.fingerprint()
            self.machine.goto(self.began_at)
            assert self.machine.fingerprint() == self.first
            self.machine.present()
            assert self.machine.fingerprint() == end


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


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("machine", [OnTwoNodes, OnUnevenNodes])
def test_promises_hold_whatever_happens_in_whatever_order(machine: type[Anything]) -> None:
    """And each status, a rollback, each wait and a copy on write during a migration come up by random play."""
    machine.reached.clear()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )
    seldom = {what: machine.reached[what] for what in TO_REACH if machine.reached[what] < ENOUGH}
    assert not seldom, f"reached fewer than {ENOUGH} times in {EXAMPLES} examples"
