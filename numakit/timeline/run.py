"""Runs: tasks that take turns over one machine, forward, back, and on from the past.

A task is a generator of the pipeline. Between two moments it acts alone; at a moment the schedule chooses who acts
next. Going back is undoing. Going on from a past step is: undo to the beginning, create the generators anew, and
replay the same turns while every write is asserted to be the recorded one.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from contextvars import ContextVar
from linecache import getline
from os.path import dirname, sep
from sysconfig import get_paths
from traceback import extract_tb
from typing import Any, Generic, TypeVar

from numakit.moments import HOLD, MOMENTS, START, Moment, moment_named
from numakit.timeline.schedule import able, choose
from numakit.timeline.step import RecordedSteps
from numakit.timeline.task import Place, Task

R = TypeVar("R")

KIT = dirname(dirname(__file__)) + sep  #: where the kit's own code lies
#: where no code of the user's lies: the kit, the standard library, installed packages
NOT_THE_USERS = (KIT, "<frozen", *(get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")))
ASKING: ContextVar[Any] = ContextVar("the machine that waits for an answer of the user's code", default=None)
JOURNAL_LIMIT = 1 << 30  #: bytes of journal after which a run goes on unrecorded
LOOK_AT_JOURNAL = 4096  #: how large the journal has become is looked at every so many steps
WHAT_BITS = 40  #: a turn is packed as (task - 1) << 48 | moment << 40 | what the moment is about
TASK_SHIFT = WHAT_BITS + 8
TOLD_CALLS = 6  #: calls that a refusal names
MOST_TASKS = 0x7000  #: numbers above are taken by kernel code of the reader's and by pins (machine.references)


class Stuck(Exception):
    """Nobody can run; the text says who waits for whom. ``run`` can be gone back, if it was recorded."""

    def __init__(self, text: str, run: Run[Any] | None = None) -> None:
        super().__init__(text)
        self.run = run


class BrokenUserCode(Exception):
    """A function handed in by the user raised or broke its contract. The machine is as it was before the call."""

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows: the sentence alone. The way through the kit would bury the line that it names."""
        return [f"{type(self).__name__}: {self}"]


class CalledBack(RuntimeError):
    """A function handed in by the user makes a call of the model while one waits for its answer."""


class Run(Generic[R]):
    """Tasks over one machine: the call (task 1) and the actors that act meanwhile.

    ``position`` is the number of the step that comes next; with ``position == len(run)`` the machine shows the end.
    A recorded run keeps 12 bytes a step beside the machine's journal.
    """

    def __init__(
        self,
        machine: Any,
        call: Task,
        present: Callable[[Any], R] = lambda result: result,
        *,
        recorded: bool = True,
        journal_limit: int = JOURNAL_LIMIT,
    ) -> None:
        if ASKING.get() is not None:
            raise CalledBack("the function calls back into the machine while a page is being migrated")
        self.machine, self.call, self.recorded, self.journal_limit = machine, call, recorded, journal_limit
        self.no_way_back = ""  #: why an originally recorded run cannot go back, else empty
        self.last_task: Task | None = None  #: whose turn was last
        self.own_order = False  #: whether the turns were chosen by something else than the default schedule
        self._present = present
        self._births: list[tuple[int, Task]] = [(0, call)]
        self._turns, self._marks = array("q"), array("I")
        self._answers: dict[int, tuple[Any, int]] = {}
        self._stale = self._replaying = self._came_between = False
        if recorded:
            machine.start_recording()
        self._began_at = self._ended_at = machine.cursor
        self._epoch = machine.journal_epoch
        self._number = machine.note_call(call.name)
        self._begin()

    def _begin(self) -> None:
        self.tasks: list[Task] = []
        self.position, self.place, self.last_task = 0, Place(), None
        self._let_join()

    def _let_join(self) -> None:
        for step, task in self._births:
            if step == self.position and task not in self.tasks:
                self.tasks.append(task)
                task.open(self.machine, len(self.tasks))

    def add(self, task: Task) -> Task:
        """Let an actor join at this step. Whatever was recorded after this step is forgotten."""
        self.resume()
        self._note_what_came_between()
        self._births.append((self.position, task))
        self._let_join()
        return task

    def spawn(self, task: Task) -> Task:
        """Let a task join from inside the pipeline: a disc that was given work. People use :meth:`add`."""
        if len(self.tasks) == MOST_TASKS:
            raise RuntimeError(f"a run has at most {MOST_TASKS} tasks: make the call in several parts")
        self.tasks.append(task)
        task.open(self.machine, len(self.tasks))
        return task

    # -- what is known of it

    @property
    def is_newest(self) -> bool:
        """Whether nothing was recorded on the machine after this run, that going on from its past would forget."""
        return bool(self._ended_at == len(self.machine.journal))

    @property
    def later_calls(self) -> list[str]:
        """The names of the calls that were made on the machine after this run, and are recorded."""
        return [name for number, name in self.machine.begun.items() if number > self._number]

    @property
    def steps(self) -> RecordedSteps:
        """All recorded steps, in order."""
        return RecordedSteps(self)

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def finished(self) -> bool:
        """Whether the call has ended."""
        return self.call.done

    @property
    def result(self) -> R:
        """What the call returned. Raises RuntimeError as long as it has not ended."""
        if not self.call.done:
            raise RuntimeError(f"run.result: {self.call.name} has not ended; run.finish() lets it")
        return self._present(self.call.result)

    @property
    def under_way(self) -> bool:
        """Whether somebody has begun and not ended: locks and references may be held."""
        return any(task.at[0] is not START and not task.done for task in self.tasks)

    @property
    def never_began(self) -> list[Task]:
        """The actors whose moment never came."""
        return [task for task in self.tasks if not task.released]

    @property
    def turns(self) -> list[int]:
        """Who acted in each step, by task number: 1 is the call."""
        return [(turn >> TASK_SHIFT) + 1 for turn in self._turns]

    def unpack(self, step: int) -> tuple[Task, Moment, int]:
        """(task, moment, what it is about) of a step."""
        turn = self._turns[step]
        return self.tasks[turn >> TASK_SHIFT], MOMENTS[turn >> WHAT_BITS & 255], turn & (1 << WHAT_BITS) - 1

    def journal_places(self, step: int) -> tuple[int, int]:
        """The places in the machine's journal between which the changes of a step stand."""
        self._see_that_it_can_be_shown()
        end = 2 * self._marks[step + 1] if step + 1 < len(self) else self._ended_at
        return 2 * self._marks[step], end

    # -- forward

    def turn(self, task: Task) -> None:
        """Let ``task`` act from the moment where it stands to its next one."""
        machine = self.machine
        self._note_what_came_between()
        machine.run, machine.current, machine.cpu, machine.pid, machine.costs = (
            self, task.number, task.cpu, task.pid, task.costs,
        )  # fmt: skip
        if self.recorded:
            self._mark(task)
        self.last_task = task
        try:
            task.at = next(task.generator)
        except StopIteration as end:
            task.result, task.done = end.value, True
        if task is self.call and not task.done:
            self.place = self.place.moved_to(*task.at)
            for actor in self.tasks[1:]:
                actor.look_at_the_call(self.place)
        self._ended_at = machine.cursor

    def _mark(self, task: Task) -> None:
        moment, what = task.at
        self._turns.append(task.number - 1 << TASK_SHIFT | moment.number << WHAT_BITS | what)
        self._marks.append(self.machine.cursor >> 1)
        self.position += 1
        if self.position % LOOK_AT_JOURNAL == 0 and self.machine.journal_bytes > self.journal_limit:
            self._go_on_unrecorded()

    def _go_on_unrecorded(self) -> None:
        if self._answers or self._replaying:
            return  # a call with code of the user must be able to go back; a replay makes no new entries
        self.machine.stop_recording()
        self.recorded, self._turns, self._marks = False, array("q"), array("I")
        self.no_way_back = f"the journal of this run outgrew {self.journal_limit} bytes: it went on unrecorded"

    def waits_for(self, task: Task) -> tuple[int, ...]:
        """The numbers of the tasks that have to act before this one can; empty if it can run."""
        moment, what = task.at
        if moment is HOLD and task.for_ever:
            return (task.number,)
        blockers: tuple[int, ...] = self.machine.blockers(moment.lock, what, task.number) if moment.lock else ()
        return blockers

    def finish(self, schedule: Callable[[Run[Any]], Task | None] = choose) -> R:
        """Run until nobody has anything left to do; what the call returned.

        ``schedule(run)`` names the task that acts next, None if nobody can. Raises :class:`Stuck`, with who waits for
        whom, if a task sleeps for ever, and :class:`BrokenUserCode` for a function of the user's.
        """
        if self._is_over():
            return self.result
        self.resume()
        self.own_order = self.own_order or schedule is not choose
        try:
            while True:
                if len(self.tasks) == 1 and schedule is choose:
                    self._run_alone()
                task = schedule(self)
                if task is None:
                    break
                self.turn(task)
        except (BrokenUserCode, KeyboardInterrupt):
            self._call_off()
            raise
        sleepers = [task for task in self.tasks if task.released and not task.done]
        if sleepers:
            raise Stuck("\n".join(self.tell(task) for task in sleepers), self)
        return self.result

    def _is_over(self) -> bool:
        """Whether the run shows its end, and nobody has anything left to do."""
        return self.call.done and self.position == len(self) and not able(self)

    def _note_what_came_between(self) -> None:
        """Calls made outside the run since its last step are in its journal, but a replay could not make them again."""
        if self.recorded and not self._replaying and self.machine.cursor != self._ended_at:
            self._came_between = True

    def _run_alone(self) -> None:
        """The same as turn after turn, for as long as nobody else is there and the call need not sleep."""
        machine, call, send = self.machine, self.call, self.call.generator.__next__
        machine.run, machine.current, machine.cpu, machine.pid, machine.costs = (
            self, call.number, call.cpu, call.pid, call.costs,
        )  # fmt: skip
        if call.done or (call.at[0].lock and self.waits_for(call)):
            return
        self._note_what_came_between()
        self.last_task = call
        self._stale = self.recorded  # an actor that joins later needs to know the place: replay first
        turns, marks, journal = self._turns.append, self._marks.append, machine.journal
        at, steps = call.at, 0
        try:
            while len(self.tasks) == 1 and steps < LOOK_AT_JOURNAL:
                if self.recorded:  # the same as _mark, in place: this is the innermost loop of every call
                    turns(at[0].number << WHAT_BITS | at[1])
                    marks(len(journal) >> 1)
                    steps += 1
                at = send()
                if at[0].lock and machine.blockers(at[0].lock, at[1], call.number):
                    break
        except StopIteration as end:
            call.result, call.done = end.value, True
        call.at = at
        self.position += steps
        self._ended_at = machine.cursor
        if machine.journal_bytes > self.journal_limit:
            self._go_on_unrecorded()

    def tell(self, task: Task) -> str:
        """One sentence: what a task waits for, and who has it."""
        moment, what = task.at
        if moment is HOLD:
            return f"{task.name} keeps what it holds for ever"
        names = [other.name for other in self.tasks if other.number in self.waits_for(task)]
        holders = ", ".join(names) or "nobody in this run"
        return (
            f"{task.name} waits in {moment.function} for {self.machine.lock_name(moment.lock, what)}, held by {holders}"
        )

    # -- back, and on from the past

    def find(self, moment: str | Moment, nth: int = 1, page: int | None = None) -> int:
        """The step in which the call, or an actor, stood at ``moment`` for the ``nth`` time; only for ``page`` (pfn),
        if given.

        ``run.goto(run.find("COPY"))`` shows the machine just before the first copy. Raises ValueError if there was no
        such step.
        """
        wanted, times = moment_named(moment), 0
        for step in range(len(self)):
            _, there, about = self.unpack(step)
            times += there is wanted and page in (None, about)
            if times == nth:
                return step
        raise ValueError(f"moment={wanted.name!r}: this run was there {times} times, not {nth}")

    def goto(self, step: int) -> Run[R]:
        """Show the machine as it was before ``step`` (``len(run)``: at the end). Nothing is forgotten."""
        self._see_that_it_can_be_shown()
        if not isinstance(step, int) or not 0 <= step <= len(self):
            hint = '; run.find("COPY") is the first step at a moment' if isinstance(step, str) else ""
            raise ValueError(f"step={step!r}: this run has steps 0 to {len(self)} (the end){hint}")
        self.machine.goto(2 * self._marks[step] if step < len(self) else self._ended_at)
        self.machine.run = self  # whose tasks hold the references that are shown
        self.position, self._stale = step, True
        return self

    def back(self, steps: int = 1) -> Run[R]:
        """Undo one step, or several; at the beginning nothing happens."""
        if not isinstance(steps, int) or steps < 0:
            raise ValueError(f"steps={steps!r}: a whole number from 0 on is wanted")
        return self.goto(max(0, self.position - steps))

    def forward(self, steps: int = 1) -> Run[R]:
        """Redo one step, or several. At the end of a run that has not finished the next turn is taken."""
        for _ in range(steps):
            if self.position < len(self):
                self.goto(self.position + 1)
                continue
            if self._is_over():
                break
            self.resume()
            task = choose(self)
            if task is None:
                break
            self.act(task)
        return self

    def act(self, task: Task) -> None:
        """A turn. If the user's code in it is broken, the machine is as it was before the whole call."""
        try:
            self.turn(task)
        except (BrokenUserCode, KeyboardInterrupt):
            self._call_off()
            raise

    def first(self) -> Run[R]:
        """Show the machine as it was before the run."""
        return self.goto(0)

    def last(self) -> Run[R]:
        """Show the machine as it was at the end of the run."""
        return self.goto(len(self))

    def _see_that_it_can_be_shown(self) -> None:
        if not self.recorded or self._epoch != self.machine.journal_epoch:
            raise RuntimeError(self.no_way_back or "the journal of this run was not kept: use machine.record(...)")
        if self._number not in self.machine.begun:
            raise RuntimeError("this run was forgotten: somebody went on from the past of an earlier one")

    def resume(self) -> None:
        """Make the tasks stand where the machine stands: begin again and replay, each write asserted.

        What was recorded of this run after this step is forgotten. Raises RuntimeError where later calls would be, too:
        :meth:`forget_later_calls` has to be told so.
        """
        if not self._stale:
            return
        self.see_that_it_can_go_on()
        self.goto(self.position)  # the machine may show another run, or what came after this one
        machine, here, at = self.machine, self.position, self.machine.cursor
        players = [turn >> TASK_SHIFT for turn in self._turns[:here]]
        kept = self._turns[:here]
        self._births = [(step, task) for step, task in self._births if step <= here]
        self._answers = {step: answer for step, answer in self._answers.items() if step <= here}
        machine.goto(self._began_at)
        machine.start_checking()
        self._turns, self._marks, self._replaying = array("q"), array("I"), True
        self._begin()
        try:
            for player in players:
                self.turn(self.tasks[player])
                self._let_join()
            machine.see_replay_ended_at(at, same=self._turns == kept)
        except Exception:
            machine.goto(len(machine.journal))  # not left half-way in a replay
            raise
        finally:
            self._replaying = False
        machine.start_recording()
        machine.forget_calls(self._number + 1)
        self._stale, self._ended_at = False, machine.cursor

    def see_that_it_can_go_on(self) -> None:
        """Raise RuntimeError where going on from a past step is impossible, or would forget more than this run."""
        self._see_that_it_can_be_shown()
        if self._came_between:
            raise RuntimeError(
                "calls were made outside this run between its steps: it can be shown at any step, but not be gone on "
                "from; with run.now.do(call, ...) they are a part of it"
            )
        if not self.is_newest:
            raise RuntimeError(
                f"going on from here would forget what was done on this machine after this run: {self.tell_later()}; "
                "run.forget_later_calls() forgets it"
            )

    def tell_later(self) -> str:
        """What was done on the machine after this run, for a sentence: the first calls, and how many others."""
        later = self.later_calls
        if not later:
            return "changes outside of any call"
        more = f" and {len(later) - TOLD_CALLS} more" if len(later) > TOLD_CALLS else ""
        return ", ".join(later[:TOLD_CALLS]) + more

    def forget_later_calls(self) -> Run[R]:
        """Forget what was done on the machine after this run, so that one can go on from its steps; it shows the same
        step.
        """
        self._see_that_it_can_be_shown()
        self.machine.goto(self._ended_at)
        self.machine.start_recording()
        self.machine.forget_calls(self._number + 1)
        return self.goto(self.position)

    # -- code of the user

    def _call_off(self) -> None:
        """The user's code is broken, or was interrupted: the machine becomes what it was before the call."""
        if not self.recorded or self._epoch != self.machine.journal_epoch:
            return
        self.machine.goto(self._began_at)
        self.machine.start_recording()
        self.machine.forget_calls(self._number)
        self.recorded, self.no_way_back = False, "this run was called off: the machine is as it was before it"

    def ask(self, function: Callable[..., Any], *arguments: Any, whose: Any) -> Any:
        """Call code of the user, once a step and never again: a replay hands the kept answer back and redoes what it
        wrote.

        Raises :class:`BrokenUserCode`, with the line of ``whose`` function it is, for whatever the code raises.
        """
        machine, step = self.machine, len(self._turns)
        if self._replaying:
            answer, end = self._answers[step]
            machine.redo(end)
            return answer
        token = ASKING.set(machine)
        try:
            answer = function(*arguments)
        except BrokenUserCode:
            raise
        except Exception as error:
            what = str(error) if isinstance(error, CalledBack) else f"{type(error).__name__}: {error}"
            raise BrokenUserCode(f"{_place(error) or place_of(whose)}: {what}") from error
        finally:
            ASKING.reset(token)
        self._answers[step] = answer, machine.cursor
        return answer


def _place(error: Exception) -> str:
    """Where in the user's code an error came from: the innermost line that the user wrote; empty if there is none."""
    lines = [line for line in extract_tb(error.__traceback__) if not line.filename.startswith(NOT_THE_USERS)]
    return _line(lines[-1].lineno, lines[-1].line) if lines else ""


def place_of(function: Any) -> str:
    """The line where a function of the user's begins."""
    while hasattr(function, "func"):  # functools.partial
        function = function.func
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    return _line(code.co_firstlineno, getline(code.co_filename, code.co_firstlineno)) if code else f"in {function!r}"


def _line(number: int | None, text: str | None) -> str:
    return f"line {number} ({text.strip()})" if text and text.strip() else f"line {number}"
