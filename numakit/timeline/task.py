"""Tasks: the generators that take turns in a run, and when they begin and let go."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias, TypeVar

from numakit.moments import GET_NEW_PAGE, HOLD, ISOLATE, PASS, START, Moment

R = TypeVar("R")

#: What a pipeline function is: it yields (moment, what the moment is about: a page, a pass, a page number of an mm).
Steps: TypeAlias = Generator[tuple[Moment, int], None, R]


@dataclass(frozen=True)
class When:
    """A time in a run: its call stands at ``moment`` for the ``nth`` time, counting only the times that fit.

    ``page``: only while the call is at work on this page (pfn). ``in_pass``: only in this pass, the first is 0.
    """

    moment: Moment
    nth: int = 1
    page: int | None = None
    in_pass: int | None = None

    def fits(self, place: Place) -> bool:
        """Whether a call that stands at this place counts."""
        return (
            place.moment is self.moment
            and (self.page is None or self.page == place.page)
            and (self.in_pass is None or self.in_pass == place.in_pass)
        )


class Place(NamedTuple):
    """Where a call stands: the moment, the page (pfn) that it is at work on, -1 for none, and the pass, -1 before the
    first.
    """

    moment: Moment = START
    page: int = -1
    in_pass: int = -1

    def moved_to(self, moment: Moment, about: int) -> Place:
        """The place after the call has come to its next moment."""
        if moment is PASS:
            return Place(moment, -1, about)
        return Place(moment, about if moment in (ISOLATE, GET_NEW_PAGE) else self.page, self.in_pass)


@dataclass(eq=False, repr=False)
class Task:
    """A generator over the machine, on a CPU, for a process (pid 0: the kernel itself).

    ``when``: the time at which it may begin, None for at once. ``until``: the time until which it stays at HOLD, None
    for until nobody else can act; with ``for_ever`` it never leaves HOLD. ``idle``: it acts only when nobody else
    can, as a disc.
    """

    name: str
    start: Callable[[Any], Steps[Any]]
    cpu: int = 0
    pid: int = 0
    when: When | None = None
    until: When | None = None
    for_ever: bool = False
    idle: bool = False
    number: int = 0
    at: tuple[Moment, int] = (START, 0)
    result: Any = None
    done: bool = False
    released: bool = True
    may_let_go: bool = False
    costs: Any = None  #: what it took so far, as the machine counts it
    generator: Steps[Any] = field(init=False, repr=False)
    _times: int = 0

    def __repr__(self) -> str:
        state = "done" if self.done else f"stands at {self.at[0]}" if self.released else f"waits for {self.when}"
        return f"<{self.name}: {state}>"

    def open(self, machine: Any, number: int) -> None:
        """Stand at START, with a new generator."""
        self.number, self.at, self.result, self.done, self._times = number, (START, 0), None, False, 0
        self.costs = machine.new_costs()
        self.released, self.may_let_go, self.generator = self.when is None, False, self.start(machine)

    def look_at_the_call(self, place: Place) -> None:
        """Begin, or let go, if the call has come to the place for it."""
        waited_for = self.when if not self.released else self.until if self.at[0] is HOLD else None
        if waited_for is None or not waited_for.fits(place):
            return
        self._times += 1
        if self._times == waited_for.nth:
            self._times = 0
            self.may_let_go = self.released
            self.released = True
