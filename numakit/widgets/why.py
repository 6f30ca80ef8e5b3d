"""Why a call returned what it returned, and why each entry got its answer.

The texts are those of ``explain``; what is added is the step at which that was decided.
"""

from __future__ import annotations

from html import escape
from typing import Any, NamedTuple

from numakit.explain import MigrationResult, Result
from numakit.facade.run import Run
from numakit.widgets.jumps import decision
from numakit.widgets.reading import CALL, Reading

RETURN = "return"  #: stands for the return code where an entry's number could stand
TOLD = 16  #: entries that a picture tells the reasons of


class Why(NamedTuple):
    """``title`` and ``text``: the question and its answer. ``position``: from which step on that is so, None if it is
    not known.
    """

    title: str
    text: str
    position: int | None

    def html(self, position: int) -> str:
        """What is told at a step: the answer only once it has been given."""
        known = self.position is not None and position >= self.position
        there = ""
        if self.position is not None and self.position != position:
            asked = f"Go to step {self.position}, where that was decided"
            there = f'<button type="button" data-goto="{self.position}">{asked}</button>'
        said = self.text if known else "Nothing has been decided yet."
        return f"<p><b>{escape(self.title)}</b> {escape(said)}</p>{there}"


def why(run: Run[Any], reading: Reading, entry: int | str) -> Why:
    """Why an entry, or the call (:data:`RETURN`), was answered as it was. Raises IndexError for what is no entry."""
    result = run.result if run.finished else None
    if entry == RETURN:
        return Why("Why this return value?", _told(result, None), _end_of_call(reading) if run.finished else None)
    number = int(entry)
    return Why(f"Why the answer to entry {number}?", _told(result, number), decision(reading, number, result))


def _told(result: Any, entry: int | None) -> str:
    if isinstance(result, Result | MigrationResult):
        return result.explain(entry)
    if result is None:
        return "The call has not ended; it is explained when it has."
    return f"The call returned {result!r}."


def _end_of_call(reading: Reading) -> int:
    """The position after the call's last step."""
    return reading.steps_of[CALL][-1] + 1


def whys(run: Run[Any], reading: Reading) -> dict[int | str, Why]:
    """All answers of a call, as far as a page tells them."""
    entries = range(min(TOLD, len(_answers(run))))
    return {RETURN: why(run, reading, RETURN)} | {i: why(run, reading, i) for i in entries}


def _answers(run: Run[Any]) -> Any:
    result = run.result if run.finished else None
    return result.verdicts if isinstance(result, Result | MigrationResult) else ()


def whys_html(run: Run[Any], reading: Reading) -> str:
    """The answers of a call that has ended, folded; the same at every step."""
    if not run.finished:
        return ""
    items = "".join(f"<li>{escape(told.text)}</li>" for told in whys(run, reading).values())
    return (
        f"<details class='nk-more'><summary>Why the call answered what it answered</summary><ul>{items}</ul></details>"
    )
