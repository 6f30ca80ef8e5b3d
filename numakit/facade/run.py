"""A recorded call as people see it: walk through it, and let others act meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar

from numakit.facade.call import BoundCall, see_that_it_is_a_call
from numakit.facade.interference import Interference, Schedule, as_turns, parse_schedule
from numakit.moments import Moment, moment_named
from numakit.tables import html_table
from numakit.timeline.run import Run as Timeline
from numakit.timeline.schedule import able, choose
from numakit.timeline.task import Task, When

if TYPE_CHECKING:
    from numakit.facade.machine import Machine

P = ParamSpec("P")
R = TypeVar("R")
Q = TypeVar("Q")

SHOWN_STEPS = 40  #: steps that a table shows before it is cut

#: What can write a run to a file, "package.module:function" by the kind of file. Whoever stands above fills it in; a
#: function is loaded when it is asked for, so that runs know nothing of pictures.
EXPORTERS: dict[str, str] = {}


class Actor(Generic[R]):
    """Somebody who acts beside the call of a run."""

    def __init__(self, task: Task, present: Callable[[Any], R]) -> None:
        self.task, self._present = task, present

    @property
    def began(self) -> bool:
        """Whether its time has come."""
        return self.task.released

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self.task.done

    @property
    def result(self) -> R:
        """What its call returned. Raises RuntimeError as long as it has not ended."""
        if not self.task.done:
            raise RuntimeError(
                f"{self.task.name} has not ended" if self.began else f"{self.task.name}: its time never came"
            )
        return self._present(self.task.result)

    def __repr__(self) -> str:
        state = "done" if self.done else f"stands at {self.task.at[0]}" if self.began else "its time has not come"
        return f"<{self.task.name}: {state}>"


@dataclass(frozen=True)
class Meanwhile:
    """A time at which somebody else acts: ``run.when("COPY").do(child.write, address)``.

    ``until`` and ``for_ever`` are for calls that hold something for a while: ``run.when("COUNT").until("PASS",
    in_pass=2).do(shell.pin_for_a_while, address)``.
    """

    run: Run[Any]
    begin: When | None
    end: When | None = None
    never_ends: bool = False

    def until(
        self, moment: str | Moment, nth: int = 1, page: int | None = None, in_pass: int | None = None
    ) -> Meanwhile:
        """What is held is let go when the call comes to this time; see :meth:`Run.when`."""
        return replace(self, end=a_time(moment, nth, page, in_pass))

    def for_ever(self) -> Meanwhile:
        """What is held is never let go: whoever waits for it is stuck."""
        return replace(self, never_ends=True)

    def do(self, call: BoundCall[P, Q], *args: P.args, **kwargs: P.kwargs) -> Actor[Q]:
        """Let a call of a process or of the machine begin at that time.

        What was recorded of the run after this step is forgotten; who joined at this very step stays
        (:meth:`Run.forget`). Raises RuntimeError where calls made after the run would be forgotten, too.
        """
        see_that_it_is_a_call(call, self.run.machine)
        if self.begin and self.run.finished and self.run.position == len(self.run):
            raise ValueError(
                f"when={self.begin.moment}: this run has ended. Make it with machine.begin(...), say who acts "
                "meanwhile, then run.finish(); or go back first: run.goto(step)"
            )
        prepared = call.prepare(*args, **kwargs)
        told = Interference(call.notation(*args, **kwargs), self.begin, self.run.position, self.end, self.never_ends)
        task = replace(prepared.task(), when=self.begin, until=self.end, for_ever=self.never_ends)
        self.run.interferences.append((self.run.add(task), told))
        return Actor(task, prepared.present)


def a_time(moment: str | Moment, nth: int, page: int | None, in_pass: int | None) -> When:
    """A time in a run. Raises ValueError for a moment that does not exist, and for nth below 1."""
    if not isinstance(nth, int) or nth < 1:
        raise ValueError(f"nth={nth!r}: a whole number is wanted; the first time is 1")
    return When(moment_named(moment), nth, page, in_pass)


class Run(Timeline[R]):
    """A call that was recorded, or that is being made, with whoever acts beside it.

    ``run.back()``, ``run.forward()``, ``run.goto(i)``, ``run.first()``, ``run.last()`` show the machine at any step;
    ``run.steps`` has them all; ``run.result`` is what the call returned.
    """

    machine: Machine

    def __init__(self, *args: Any, **options: Any) -> None:
        self.interferences: list[tuple[Task, Interference]] = []  #: who acts meanwhile, and how it was told
        super().__init__(*args, **options)

    def when(
        self, moment: str | Moment, nth: int = 1, page: int | None = None, in_pass: int | None = None
    ) -> Meanwhile:
        """The ``nth`` time at which the call stands at ``moment``; only at work on ``page`` (pfn), only ``in_pass``,
        if given.

        The moments are those of :mod:`numakit.moments`.
        """
        return Meanwhile(self, a_time(moment, nth, page, in_pass))

    @property
    def now(self) -> Meanwhile:
        """The step at which the run stands: ``run.goto(12); run.now.do(child.write, address); run.finish()``."""
        return Meanwhile(self, None)

    @property
    def schedule(self) -> Schedule:
        """Who acts meanwhile and, where it was not the default, who had which turn: a text that can be printed and
        read back.

        ``machine.begin(same call).play(str(run.schedule))`` makes the same run on an equal machine.
        """
        told = tuple(interference for task, interference in self.interferences if task in self.tasks)
        return Schedule(told, as_turns(self.turns) if self.own_order else ())

    def forget(self, actor: Actor[Any] | Task) -> Run[R]:
        """Take an actor out again: the run stands at the step where it had joined, and what came later is forgotten.

        ``run.finish()`` then goes on without it. Raises ValueError for somebody who did not join this run.
        """
        task = actor.task if isinstance(actor, Actor) else actor
        joined = [step for step, born in self._births if born is task and task is not self.call]
        if not joined:
            raise ValueError(f"actor={actor!r}: not one that joined this run")
        self.see_that_it_can_go_on()
        self.goto(joined[0])
        self._births = [(step, born) for step, born in self._births if born is not task]
        self.interferences = [(born, told) for born, told in self.interferences if born is not task]
        self.resume()
        return self

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write one page in which the recorded run can be stepped both ways, without a kernel and without a network.

        Raises RuntimeError for a run that was not recorded, and ValueError for one that is too long for a page.
        """
        resolve_name(EXPORTERS["html"])(self, path)

    def play(self, schedule: Schedule | str) -> R:
        """Let the actors of a schedule act, in its turns if it has any, and run to the end; what the call returned.

        Raises ValueError, with the line, for a text that is no schedule, or names a process that does not exist.
        """
        parsed = parse_schedule(schedule) if isinstance(schedule, str) else schedule
        for interference in parsed.interferences:
            if not interference.step:  # others may act on what is born meanwhile
                interference.find_call(self.machine)
        self.resume()
        turns = [task for task, times in parsed.turns for _ in range(times)]
        for interference in sorted(parsed.interferences, key=lambda interference: interference.step):
            while self.position < interference.step:
                self._turn_of(turns)
            self._join(interference)
        while self.position < len(turns):
            self._turn_of(turns)
        return self.finish()

    def _turn_of(self, turns: Sequence[int]) -> None:
        self.own_order = self.own_order or bool(turns)
        if self.position >= len(turns):
            task = choose(self)
        else:
            task = next((task for task in able(self) if task.number == turns[self.position]), None)
        if task is None:
            who = f"task {turns[self.position]} cannot" if self.position < len(turns) else "nobody can"
            raise ValueError(f"schedule: at step {self.position} {who} act")
        self.act(task)

    def _join(self, interference: Interference) -> None:
        call, arguments, options = interference.find_call(self.machine)
        meanwhile = Meanwhile(self, interference.when, interference.until, interference.for_ever)
        meanwhile.do(call, *arguments, **options)

    def __repr__(self) -> str:
        state = "finished" if self.finished else "under way"
        kept = f"{len(self)} steps, shows step {self.position}" if self.recorded else self.no_way_back or "not recorded"
        return f"<Run of {self.call.name}: {state}, {kept}>"

    def _repr_html_(self) -> str:
        steps = self.steps[: SHOWN_STEPS if self.recorded else 0]
        rows = [(s.number, s.task.name, s.moment.document, s.moment.function, s.moment.what, s.subject) for s in steps]
        head = ("step", "who", "document", "function", "what happens", "about")
        more = f", the first {SHOWN_STEPS}" if len(self) > SHOWN_STEPS else ""
        return html_table(repr(self)[1:-1] + more, head, rows)
