"""What a run tells about itself: who stood where at each step, and which old page went with which new one.

Nothing is read here but the recorded steps, each once, so the answers are the same wherever the machine stands. All
that is asked at every step of a walk is looked up in sorted lists: 20,000 steps are no slower than 20.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from numakit.machine.process import TaskStruct
from numakit.moments import (
    COPY,
    GET_NEW_PAGE,
    ISOLATE,
    LOCK_NEW_PAGE,
    MMAP_READ,
    MMAP_WRITE,
    PASS,
    PUT_BACK_NEW,
    PUT_USER,
    Moment,
)
from numakit.syscalls.move_pages import UNSET
from numakit.timeline.run import Run
from numakit.timeline.state import Change
from numakit.timeline.task import Task

CALL = 1  #: the number of the task that is the call of its run


class Turn(NamedTuple):
    """One recorded step: the number of the task that acted, the moment where it stood, what that is about."""

    task: int
    moment: Moment
    about: int


@dataclass(slots=True)
class Attempt:
    """One attempt of a task to move a page, from GET_NEW_PAGE (step ``first``) to before step ``end``.

    ``new`` is None where there was no new page, or where the run has not shown it yet. ``moved``: it came to COPY.
    """

    task: int
    first: int
    end: int
    old: int
    new: int | None = None
    moved: bool = False


@dataclass(slots=True)
class Walk:
    """Steps in a row that one task made at one moment, from step ``begin`` to before step ``end``."""

    task: int
    moment: Moment
    begin: int
    end: int

    def __len__(self) -> int:
        return self.end - self.begin


class Reading:
    """The recorded steps of a run, read once; :meth:`follow` reads on where the run has gone on."""

    def __init__(self, run: Run[Any]) -> None:
        self.run = run
        self.names: dict[int, str] = {}  #: the acting processes by pid, as far as they were met
        self.ways = 0  #: how often it was begun anew
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forget what was read: the run has taken another way."""
        self.ways += 1
        self.turns: list[Turn] = []
        self.attempts: list[Attempt] = []
        self.walks: list[Walk] = []
        self.steps_of: defaultdict[int, list[int]] = defaultdict(list)  #: task -> its steps
        self.at_moment: defaultdict[Moment, list[int]] = defaultdict(list)  #: moment -> the steps made there
        self.about_page: defaultdict[int, list[int]] = defaultdict(list)  #: page -> the steps about it
        self.passes: list[int] = []  #: the steps with which the call's passes begin
        self.decided: dict[int, int] = {}  #: entry, or page of an in-kernel call -> the step that decided it
        self.copied: dict[int, int] = {}  #: entry -> the step that copied its status out
        self.failures: list[int] = []  #: the steps with which an entry or a page got an error
        self.taken_off: dict[int, int] = {}  #: page that the call isolated, or got isolated -> its first step
        self._attempts_of: defaultdict[int, list[Attempt]] = defaultdict(list)
        self._open: dict[int, Attempt] = {}
        self._subjects: list[int] = []
        self._mms: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
        self._inside_attempts: set[Moment] = set()
        self.follow()

    def follow(self) -> Reading:
        """Read the steps that have been recorded since."""
        known, run = len(self.turns), self.run
        if len(run) < known:
            self.begin_anew()
        elif len(run) > known:
            for step in range(known, len(run)):
                task, moment, about = run.unpack(step)
                self._read_turn(step, Turn(task.number, moment, about))
            self._read_changes(known)
        for task in run.tasks:
            struct: TaskStruct | None = run.machine.table.get(("process", task.pid))
            if struct:
                self.names.setdefault(task.pid, struct.name)
        return self

    def __len__(self) -> int:
        return len(self.turns)

    @property
    def tasks(self) -> list[Task]:
        """The tasks of the run."""
        return self.run.tasks

    @property
    def finished(self) -> bool:
        """Whether the call has ended."""
        return self.run.finished

    @property
    def moments(self) -> set[Moment]:
        """The moments that the run meets."""
        return set(self.at_moment)

    # -- reading a step

    def _read_turn(self, step: int, turn: Turn) -> None:
        task, moment, about = turn
        self.turns.append(turn)
        self.steps_of[task].append(step)
        self.at_moment[moment].append(step)
        if moment.subject in ("page", "address"):
            self._subjects.append(step)
        if moment.subject == "page":
            self.about_page[about].append(step)
        if moment in (MMAP_READ, MMAP_WRITE):
            self._mms[task].append((step, about))
        if task == CALL and moment is PASS:
            self.passes.append(step)
        if task == CALL and moment in (ISOLATE, GET_NEW_PAGE):
            self.taken_off.setdefault(about, step)
        if task == CALL and moment is PUT_USER:
            self.copied[about] = step
        last = self.walks[-1] if self.walks else None
        if last and (last.task, last.moment) == (task, moment):
            last.end = step + 1
        else:
            self.walks.append(Walk(task, moment, step, step + 1))
        self._read_attempt(step, turn)

    def _read_attempt(self, step: int, turn: Turn) -> None:
        """An attempt begins with GET_NEW_PAGE. It ends with PUT_BACK_NEW, or where the task turns to something else."""
        task, moment, about = turn
        attempt = self._open.get(task)
        if moment is GET_NEW_PAGE:
            self._open[task] = attempt = Attempt(task, step, step + 1, about)
            self.attempts.append(attempt)
            self._attempts_of[about].append(attempt)
        elif attempt and moment in (LOCK_NEW_PAGE, PUT_BACK_NEW):
            if attempt.new is None:
                self._attempts_of[about].append(attempt)
            attempt.new = about
        elif attempt and _leads_away(turn, attempt):
            del self._open[task]
            attempt = None
        if attempt:
            attempt.end = step + 1
            attempt.moved = attempt.moved or moment is COPY
            self._inside_attempts.add(moment)
            if moment is PUT_BACK_NEW:
                del self._open[task]

    def _read_changes(self, first: int) -> None:
        """Which of the steps from ``first`` on decided what."""
        places = [self.run.journal_places(step) for step in range(first, len(self))]
        changes = self.run.machine.changes(places[0][0], places[-1][1])
        for step, (begin, end) in enumerate(places, first):
            for change in islice(changes, (end - begin) // 2):
                if change.label == "outcome" and self.turns[step].task == CALL and change.after != UNSET:
                    self._decide(change.index, step, change.after < 0)
                elif change.label == "table" and isinstance(change.index, tuple):
                    self._read_structure(change, step)

    def _read_structure(self, change: Change, step: int) -> None:
        kind, *number = change.index
        if kind == "process":  # one that has ended is not in the machine any more
            self.names.setdefault(number[0], (change.before or change.after).name)
        elif _is_refusal(change):
            self._fail(step)

    def _decide(self, entry: int, step: int, fails: bool) -> None:
        self.decided[entry] = step
        if fails:
            self._fail(step)

    def _fail(self, step: int) -> None:
        if not self.failures or self.failures[-1] != step:
            self.failures.append(step)

    # -- what was read

    def attempt_at(self, position: int, page: int) -> Attempt | None:
        """The newest attempt begun before ``position`` in which the page is the old or the new one."""
        its = self._attempts_of.get(page, [])
        begun = bisect_left(its, position, key=lambda attempt: attempt.first)
        return its[begun - 1] if begun else None

    def page_attempts(self, page: int) -> list[Attempt]:
        """All attempts in which the page is the old or the new one."""
        return self._attempts_of.get(page, [])

    def newest_attempt(self, position: int) -> Attempt | None:
        """The newest attempt begun before ``position``."""
        begun = bisect_left(self.attempts, position, key=lambda attempt: attempt.first)
        return self.attempts[begun - 1] if begun else None

    def walk_at(self, step: int) -> int:
        """The place among ``walks`` of the one that a step belongs to."""
        return bisect_left(self.walks, step + 1, key=lambda walk: walk.end)

    def pass_at(self, position: int) -> int | None:
        """The pass that the call is in when ``position`` steps have been made; None before the first."""
        begun = bisect_left(self.passes, position)
        return self.turns[self.passes[begun - 1]].about if begun else None

    def last_pass_at(self, position: int) -> bool:
        """Whether who made the step before ``position`` is in the last pass of its call."""
        who = self.turns[position - 1].task
        begun = [step for step in self.at_moment.get(PASS, []) if step < position and self.turns[step].task == who]
        return bool(begun) and self.turns[begun[-1]].about == self.run.machine.kernel.passes - 1

    def standing(self, task: Task, position: int) -> tuple[Moment, int] | None:
        """Where a task stands when ``position`` steps have been made: what it does next; None when it has ended."""
        step = self.next_of(task, position)
        if step is not None:
            return self.turns[step].moment, self.turns[step].about
        return None if task.done else task.at

    def next_of(self, task: Task, position: int) -> int | None:
        """The first step that a task makes from ``position`` on."""
        return first_from(self.steps_of[task.number], position)

    def call_ended(self, position: int) -> bool:
        """Whether the call has made its last step."""
        return self.finished and self.next_of(self.run.call, position) is None

    def subject(self, position: int) -> int | None:
        """The step whose page or address is to be looked at: the newest made that is about one, else the next that will
        be.
        """
        made = bisect_left(self._subjects, position)
        return self._subjects[max(0, made - 1)] if self._subjects else None

    def mm_of(self, step: int) -> int | None:
        """The mm that the acting task works on at a step: the one whose mmap_sem it took last; None if it took none."""
        its = self._mms[self.turns[step].task]
        taken = bisect_left(its, (step, -1))
        return its[taken - 1][1] if taken else None

    def taken_in_attempt(self, position: int) -> set[Moment]:
        """The moments that count as passed: all that were met; of those of an attempt only the newest one's."""
        attempt = self.newest_attempt(position)
        newest = attempt.first if attempt else 0
        met: set[Moment] = set()
        for moment, steps in self.at_moment.items():
            before = bisect_left(steps, position)
            if before and (moment not in self._inside_attempts or steps[before - 1] >= newest):
                met.add(moment)
        return met


def _leads_away(turn: Turn, attempt: Attempt) -> bool:
    """Whether a step belongs to an attempt no longer: it is about another page, an entry, or a pass."""
    if turn.moment.subject == "page":
        return turn.about not in (attempt.old, attempt.new)
    return turn.moment.subject in ("pass", "entry")


def _is_refusal(change: Change) -> bool:
    """Whether a change of the table notes that the call could not move a page."""
    noted = change.index[:2] == ("page verdict", CALL)
    return noted and change.after is not None and change.after.value < 0


def first_from(steps: list[int], position: int) -> int | None:
    """The first of some sorted steps that is not before ``position``."""
    at = bisect_left(steps, position)
    return steps[at] if at < len(steps) else None
