"""Stateful play: calls with others inside, each watched, undone, done again and taken up from one of its steps."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from numakit import MPOL_MF_MOVE_ALL, PROT_READ, PROT_WRITE, Machine, Process, Run
from numakit.machine.consistency import is_key
from numakit.machine.references import KERNEL_CODE, noted_holders
from numakit.timeline.schedule import choose
from tests.random.interleavings import in_turns
from tests.random.machines import see_that_it_is_sound
from tests.random.oracle import Witness

LONG = 10 if os.environ.get("NUMAKIT_LONG") == "1" else 1  #: so many times as many examples
STEPS = 14  #: rules played in an example, at most
ENOUGH = 50  #: times that everything worth reaching has to be reached by a test

LOOKING_UP = ("DRAIN", "FOLLOW_PAGE", "ISOLATE")
MOVING = (
    *("PASS", "GET_NEW_PAGE", "FREED", "LOCK_PAGE", "TRY_TO_UNMAP", "LOCK_NEW_PAGE", "COPY", "REMOVE_ENTRY"),
    *("UNLOCK_NEW_PAGE", "UNLOCK_PAGE", "PUT_BACK", "PUT_BACK_NEW"),
)
NO_PAGE_YET = ("DRAIN", "FOLLOW_PAGE", "PASS")  #: moments at which a call is at work on no page
OWN = 4  #: a meddler's ``who`` from here on is the process whose pages the call is about
WHO = st.integers(0, 5)
STEP = st.integers(0, 500)


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


def meddlers_at(
    moments: Sequence[str], kinds: Sequence[str], times: Sequence[int] = (0, 0, 1, 2)
) -> st.SearchStrategy[list[Meddler]]:
    """One to four who act inside a call."""
    when = (st.sampled_from(moments), st.sampled_from(times))
    one = st.builds(
        Meddler, st.sampled_from(kinds), st.integers(0, OWN + 2), st.integers(0, 4), *when, st.integers(0, 3)
    )
    return st.lists(one, min_size=1, max_size=4)


class Played(RuleBasedStateMachine):
    """A machine of at most 256 frames, and what can be done on it. ``reached``: what random play came across."""

    frames: ClassVar[dict[int, int]]
    reached: ClassVar[Counter[str]]
    holders: ClassVar = ("pin_for_a_while", "hold_page_lock", "write_back")  #: may let go in a certain pass
    machine: Machine

    def begin_recording(self) -> None:
        """Everything from here on can be undone, and is, when the example ends."""
        self.machine.start_recording()
        self.began_at, self.first = self.machine.cursor, self.machine.fingerprint()
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

    def pins(self) -> list[int]:
        """The numbers of what holds pages now."""
        return [key[1] for key in self.machine.table if is_key(key, "pin")]

    # -- who meddles

    def meddle(self, run: Run[Any], meddler: Meddler, whose: int, places: list[int]) -> Any:
        """Let somebody act inside the call of a run, which is about places of a process."""
        process = self.process(whose if meddler.who >= OWN else meddler.who)
        address = places[meddler.place % len(places)]
        call, arguments = self.what_is_done(meddler, process, self.process(whose), address, places)
        of_a_page = not meddler.nth and meddler.moment not in NO_PAGE_YET
        page = process.page(address) if of_a_page else None
        then = run.when(meddler.moment, meddler.nth or 1, page)
        if meddler.kind in self.holders and meddler.option > 1:
            then = then.until("PASS", in_pass=3 * (meddler.option - 1))
        return then.do(call, *arguments)

    def what_is_done(
        self, meddler: Meddler, process: Process, target: Process, address: int, places: list[int]
    ) -> tuple[Any, tuple[Any, ...]]:
        """What a process does at an address, in a call about places of ``target``: a call, and its arguments."""
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
        return getattr(process, meddler.kind), arguments

    # -- a call, and all that must hold of it

    def make(
        self,
        call: Any,
        *arguments: Any,
        meddlers: Sequence[Meddler] = (),
        whose: int = 0,
        places: Sequence[int] = (),
        at: int = 0,
        **options: Any,
    ) -> Run[Any]:
        """Make a call with others inside, watched; then undo it, redo it, and go on from one of its steps."""
        machine, before, self.whole = self.machine, self.machine.fingerprint(), False
        run = machine.begin(call, *arguments, **options)
        actors = [self.meddle(run, meddler, whose, list(places)) for meddler in meddlers]
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


def play_examples(machine: type[Played], examples: int) -> None:
    """Play so many examples, the same ones every time."""
    machine.reached.clear()
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples * LONG,
            stateful_step_count=STEPS,
            derandomize=True,
            database=None,
            deadline=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        ),
    )


def see_that_all_was_reached(reached: Counter[str], names: Sequence[str]) -> None:
    """Each of these came up often enough, by random play. Raises AssertionError."""
    seldom = {name: reached[name] for name in names if reached[name] < ENOUGH}
    assert not seldom, f"reached fewer than {ENOUGH} times"
