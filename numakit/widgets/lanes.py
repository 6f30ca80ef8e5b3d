"""Who acts when: one lane a task, its steps as runs of equal ones. The lanes are the scale of the scrubber.

A lane of 20,000 steps holds a few hundred runs at most: what is finer than the eye is put together.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby, pairwise
from typing import NamedTuple

from numakit.moments import HOLD, PASS
from numakit.timeline.task import Task
from numakit.widgets.reading import Attempt, Reading, Walk

MOST_RUNS = 240  #: runs of equal steps that a lane holds
FOLD_FROM = 8  #: so many steps in a row at one moment are a long walk, folded into one line


class Span(NamedTuple):
    """Steps ``begin`` to before ``end`` of a lane: ``kind`` is "page" (an attempt to move one), "failed" (one that did
    not), "walk", "other", "sleeps" or "holds".
    """

    kind: str
    begin: int
    end: int
    label: str


class Lane(NamedTuple):
    """What one task did, in the order of time."""

    number: int
    name: str
    spans: tuple[Span, ...]


def lanes(reading: Reading) -> list[Lane]:
    """A lane for each task of the run: the call first."""
    return [_lane(reading, task) for task in reading.tasks]


def passes(reading: Reading) -> list[tuple[int, int, int]]:
    """(number, first step, the next one's first step, or the run's end) of the passes of the call."""
    begins = [*reading.passes, len(reading)]
    return [(reading.turns[begin].about, begin, end) for begin, end in pairwise(begins)]


def task_title(reading: Reading, task: Task) -> str:
    """A task with whose it is: "write of child"."""
    return f"{task.name} of {reading.names.get(task.pid, f'pid {task.pid}')}" if task.pid else task.name


def _lane(reading: Reading, task: Task) -> Lane:
    spans = _joined(list(_acts(reading, task)))
    return Lane(task.number, task_title(reading, task), tuple(sorted([*spans, *_pauses(reading, task)], key=_begin)))


def _begin(span: Span) -> tuple[int, int]:
    return span.begin, span.end


def _acts(reading: Reading, task: Task) -> Iterator[Span]:
    """The task's own steps: an attempt to move a page is one span, a walk another."""
    attempts = [attempt for attempt in reading.attempts if attempt.task == task.number]
    begins = {attempt.first: attempt for attempt in attempts}
    steps, at = reading.steps_of[task.number], 0
    while at < len(steps):
        attempt = begins.get(steps[at])
        if attempt:
            yield _attempt_span(attempt)
            while at < len(steps) and steps[at] < attempt.end:
                at += 1
            continue
        walk = reading.walks[reading.walk_at(steps[at])]
        if walk.moment is not PASS:
            yield _walk_span(walk)
        at += len(walk)


def _attempt_span(attempt: Attempt) -> Span:
    return Span("page" if attempt.moved else "failed", attempt.first, attempt.end, str(attempt.old))


def _walk_span(walk: Walk) -> Span:
    if len(walk) >= FOLD_FROM:
        return Span("walk", walk.begin, walk.end, f"{walk.moment} × {len(walk):,}")
    return Span("other", walk.begin, walk.end, "")


def _pauses(reading: Reading, task: Task) -> list[Span]:
    """Where the task stands still for another: asleep before a lock, or holding what it has."""
    steps, spans = reading.steps_of[task.number], []
    for own, step in enumerate(steps):
        following = steps[own + 1] if own + 1 < len(steps) else len(reading)
        if following == step + 1 or (own + 1 == len(steps) and task.done):
            continue
        moment = reading.turns[following].moment if own + 1 < len(steps) else task.at[0]
        if moment is HOLD or moment.lock:
            spans.append(Span("holds" if moment is HOLD else "sleeps", step + 1, following, ""))
    return spans if len(spans) <= MOST_RUNS else []


def _joined(spans: list[Span]) -> list[Span]:
    """Neighbours of one kind put together; where there are still too many, neighbours of all kinds."""
    if len(spans) <= MOST_RUNS:
        return spans
    alike = [_together(list(group)) for _, group in groupby(spans, key=lambda span: span.kind)]
    if len(alike) <= MOST_RUNS:
        return alike
    size = -(-len(alike) // MOST_RUNS)
    return [_together(alike[at : at + size]) for at in range(0, len(alike), size)]


def _together(spans: list[Span]) -> Span:
    kinds = [span.kind for span in spans]
    kind = "failed" if "failed" in kinds else "page" if "page" in kinds else kinds[0]
    label = spans[0].label if len(spans) == 1 else f"{len(spans):,} pages" if kind in ("page", "failed") else ""
    return Span(kind, spans[0].begin, spans[-1].end, label)
