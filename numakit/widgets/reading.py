"""What a run tells about itself: who stood where at each step, and which old page went with which new one.

Nothing is read here but the recorded steps, so the answers are the same wherever the machine stands.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from numakit.moments import (
    CHANGE_PTE,
    COPY_PTE,
    DRAIN,
    FAULT,
    FOLLOW_PAGE,
    GET_NEW_PAGE,
    GET_USER_PAGES,
    HOLD,
    LOCK_BUFFERS,
    LOCK_NEW_PAGE,
    MMAP_READ,
    MMAP_WRITE,
    PASS,
    PUT_BACK_NEW,
    PUT_USER,
    RELEASE,
    RMAP_LOCK,
    START,
    ZAP_PTE,
    Moment,
)
from numakit.timeline.run import Run
from numakit.timeline.task import Task

#: Moments that are about an address: its page number in the mm that the task works on.
ABOUT_AN_ADDRESS = frozenset({FOLLOW_PAGE, FAULT, COPY_PTE, ZAP_PTE, CHANGE_PTE, GET_USER_PAGES})
#: Moments that are about no page: the task itself, an mm, a pass, an element of an array, a mapping.
ABOUT_NO_PAGE = frozenset({START, MMAP_READ, MMAP_WRITE, DRAIN, PASS, PUT_USER, RMAP_LOCK, HOLD, RELEASE, LOCK_BUFFERS})


class Turn(NamedTuple):
    """One recorded step: the number of the task that acted, the moment where it stood, what that is about."""

    task: int
    moment: Moment
    about: int


@dataclass(frozen=True)
class Attempt:
    """One attempt of a task to move a page, from GET_NEW_PAGE (step ``first``) to before step ``end``.

    ``new`` is None where there was no new page, or where the run has not shown it yet.
    """

    task: int
    first: int
    end: int
    old: int
    new: int | None


class Reading:
    """The recorded steps of a run, read once."""

    def __init__(self, run: Run[Any]) -> None:
        self.tasks: list[Task] = list(run.tasks)
        self.finished = run.finished
        self.turns = [
            Turn(task.number, moment, about) for task, moment, about in (run.unpack(step) for step in range(len(run)))
        ]
        self.moments = {turn.moment for turn in self.turns}
        self.attempts = sorted(
            (attempt for task in self.tasks for attempt in self._attempts_of(task.number)), key=lambda a: a.first
        )
        self._inside_attempts = {
            turn.moment for a in self.attempts for turn in self.turns[a.first : a.end] if turn.task == a.task
        }

    def __len__(self) -> int:
        return len(self.turns)

    def _attempts_of(self, task: int) -> Iterator[Attempt]:
        """The attempts of one task: each begins with GET_NEW_PAGE and ends with PUT_BACK_NEW, or where the next thing
        begins.
        """
        own = [(step, turn) for step, turn in enumerate(self.turns) if turn.task == task]
        first, old, new = -1, -1, None
        for step, turn in own:
            if first >= 0 and turn.moment in (GET_NEW_PAGE, PASS, PUT_USER):
                yield Attempt(task, first, step, old, new)
                first = -1
            if turn.moment is GET_NEW_PAGE:
                first, old, new = step, turn.about, None
            elif first >= 0 and turn.moment in (LOCK_NEW_PAGE, PUT_BACK_NEW):
                new = turn.about
                if turn.moment is PUT_BACK_NEW:
                    yield Attempt(task, first, step + 1, old, new)
                    first = -1
        if first >= 0:
            yield Attempt(task, first, own[-1][0] + 1, old, new)

    def attempt_at(self, position: int, page: int) -> Attempt | None:
        """The newest attempt begun before ``position`` in which the page is the old or the new one."""
        begun = (a for a in reversed(self.attempts) if a.first < position and page in (a.old, a.new))
        return next(begun, None)

    def pass_at(self, position: int) -> int | None:
        """The pass that the call is in when ``position`` steps have been made; None before the first."""
        for turn in reversed(self.turns[:position]):
            if turn.task == 1 and turn.moment is PASS:
                return turn.about
        return None

    def standing(self, task: Task, position: int) -> tuple[Moment, int] | None:
        """Where a task stands when ``position`` steps have been made: what it does next; None when it has ended."""
        for turn in self.turns[position:]:
            if turn.task == task.number:
                return turn.moment, turn.about
        return None if task.done else task.at

    def call_ended(self, position: int) -> bool:
        """Whether the call has made its last step."""
        return self.finished and all(turn.task != 1 for turn in self.turns[position:])

    def subject(self, position: int) -> int | None:
        """The step whose page or address is to be looked at: the newest made that is about one, else the next that will
        be.
        """
        made = range(position - 1, -1, -1)
        to_come = range(position, len(self))
        steps = (step for steps in (made, to_come) for step in steps if self.turns[step].moment not in ABOUT_NO_PAGE)
        return next(steps, None)

    def mm_of(self, step: int) -> int | None:
        """The mm that the acting task works on at a step: the one whose mmap_sem it took last; None if it took none."""
        task = self.turns[step].task
        for turn in reversed(self.turns[:step]):
            if turn.task == task and turn.moment in (MMAP_READ, MMAP_WRITE):
                return turn.about
        return None

    def taken_in_attempt(self, position: int) -> set[Moment]:
        """The moments that count as passed: all that were met; of those of an attempt only the newest one's."""
        met: set[Moment] = set()
        newest = next((a.first for a in reversed(self.attempts) if a.first < position), 0)
        for step, turn in enumerate(self.turns[:position]):
            if step >= newest or turn.moment not in self._inside_attempts:
                met.add(turn.moment)
        return met
