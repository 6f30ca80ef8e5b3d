"""Tasks: the generators that take turns in a run, and when they begin and let go."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from numakit.moments import START, Moment

R = TypeVar("R")

#: What a pipeline function is: it yields (moment, what the moment is about: a page, a pass, a page number of an mm).
Steps: TypeAlias = Generator[tuple[Moment, int], None, R]


@dataclass(frozen=True)
class When:
    """The call stands at ``moment`` for the ``nth`` time, counting only the times that fit.

    ``about``: what the moment is about (a page's pfn, a pass, ...), None for anything. ``in_pass``: only in that pass.
    """

    moment: Moment
    about: int | None = None
    nth: int = 1
    in_pass: int | None = None

    def fits(self, at: tuple[Moment, int], pass_number: int) -> bool:
        """Whether a call that stands ``at`` this place, in this pass, counts."""
        return (
            at[0] is self.moment
            and self.about in (None, at[1])
            and (self.in_pass is None or self.in_pass == pass_number)
        )


@dataclass(eq=False)
class Task:
    """A generator over the machine, on a CPU, for a process (pid 0: the kernel itself).

    ``when``: the moment of the call at which it may begin, None for at once. ``until``: the moment of the call until
    which it stays at HOLD, None for until nobody else can act. ``idle``: acts only when nobody else can, as a disc
    does.
    """

    name: str
    start: Callable[[Any], Steps[Any]]
    cpu: int = 0
    pid: int = 0
    when: When | None = None
    until: When | None = None
    idle: bool = False
    number: int = 0
    at: tuple[Moment, int] = (START, 0)
    result: Any = None
    done: bool = False
    released: bool = True
    may_let_go: bool = False
    generator: Steps[Any] = field(init=False, repr=False)
    _times: int = 0

    def open(self, machine: Any, number: int) -> None:
        """Stand at START, with a new generator."""
        self.number, self.at, self.result, self.done, self._times = number, (START, 0), None, False, 0
        self.released, self.may_let_go, self.generator = self.when is None, False, self.start(machine)

    def look_at_the_call(self, at: tuple[Moment, int], pass_number: int) -> None:
        """Begin, or let go, if the call has come to the moment for it."""
        waited_for = self.when if not self.released else self.until if not self.may_let_go else None
        if waited_for is None or not waited_for.fits(at, pass_number):
            return
        self._times += 1
        if self._times == waited_for.nth:
            self._times = 0
            self.may_let_go = self.released
            self.released = True
