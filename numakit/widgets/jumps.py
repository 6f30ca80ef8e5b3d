"""Where one can jump to from a step of a run: positions, as ``run.goto`` takes them; None where there is none."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from numakit.moments import Moment, moment_named
from numakit.widgets.reading import Reading, first_from


def jumps(reading: Reading, position: int) -> dict[str, int | None]:
    """The next page, pass, failure and turn of somebody else, and either end of the walk that is shown."""
    return {
        "page": _after(next_attempt(reading, position)),
        "pass": _after(first_from(reading.passes, position)),
        "failure": _after(first_from(reading.failures, position)),
        "actor": _after(next_actor(reading, position)),
        "over": over(reading, position),
        "before": before(reading, position),
    }


def next_attempt(reading: Reading, position: int) -> int | None:
    """The step with which the next attempt to move a page begins."""
    at = bisect_left(reading.attempts, position, key=lambda attempt: attempt.first)
    return reading.attempts[at].first if at < len(reading.attempts) else None


def next_actor(reading: Reading, position: int) -> int | None:
    """The next step that another task makes than the one that made the step shown."""
    acting = reading.turns[position - 1].task if position else 1
    for walk in reading.walks[reading.walk_at(position) :]:
        if walk.task != acting:
            return walk.begin
    return None


def over(reading: Reading, position: int) -> int:
    """The end of the walk that comes next: the same as one step forward where there is none."""
    return reading.walks[reading.walk_at(position)].end if position < len(reading) else len(reading)


def before(reading: Reading, position: int) -> int:
    """The beginning of the walk that is shown: the same as one step back where there is none."""
    return reading.walks[reading.walk_at(position - 1)].begin if position else 0


def decision(reading: Reading, entry: int, result: Any = None) -> int | None:
    """The position at which an entry was decided. For a call in the kernel an entry is a page of its list: the end of
    its last attempt.
    """
    if entry in reading.decided:
        return reading.decided[entry] + 1
    pages = getattr(result, "pages", ())
    attempts = reading.page_attempts(pages[entry]) if 0 <= entry < len(pages) else []
    return attempts[-1].end if attempts else None


def next_at(reading: Reading, position: int, moment: str | Moment) -> int | None:
    """The next time at which a moment's step has been made; from the last one on, the first."""
    steps = reading.at_moment.get(moment_named(moment), [])
    later = first_from(steps, position)
    return _after(later if later is not None else steps[0] if steps else None)


def next_break(reading: Reading, position: int, breaks: Iterable[str]) -> int | None:
    """The next position at which a break holds: a moment by its name ("COPY"), or a page ("page 7")."""
    found = []
    for name in breaks:
        page = name.removeprefix("page ")
        steps = (
            reading.about_page.get(int(page), []) if page.isdigit() else reading.at_moment.get(moment_named(name), [])
        )
        found.append(_after(first_from(steps, position)))
    return min((position for position in found if position is not None), default=None)


def _after(step: int | None) -> int | None:
    """The position that shows what a step did."""
    return None if step is None else step + 1
