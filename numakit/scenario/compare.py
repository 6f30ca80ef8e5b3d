"""Two plays of one scenario, side by side, and the first difference between them in plain words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from numakit.abi import errno_name
from numakit.explain.causes import CALLS
from numakit.explain.number import causes_in_words, causes_on
from numakit.explain.result import Result
from numakit.scenario.play import Play
from numakit.scenario.record import PlayedCall

DIFFERS = "!"  #: in front of a line whose answers differ
GAP = "  "
LEAST = 16  #: columns of an answer, however narrow the terminal is


@dataclass(frozen=True)
class Comparison:
    """The plays of one scenario: one, or two of which ``first`` is the place of the first call that differs (None: none
    does, as far as both went).
    """

    plays: tuple[Play, ...]
    first: int | None

    @property
    def could_run(self) -> bool:
        """Whether every play went through, or as far as its kernel did."""
        return all(play.end in ("through", "bug") for play in self.plays)

    @property
    def verdict(self) -> str:
        """ "same", "differs", "could not run" or, of one play, "played"."""
        if self.first is not None:
            return "differs"
        if not self.could_run:
            return "could not run"
        return "same" if len(self.plays) > 1 else "played"

    def text(self, width: int) -> str:
        """The calls with their answers, how it ended, and the first difference, in lines of at most ``width`` columns
        where words allow it.
        """
        head = f"{self.plays[0].scenario}: {self.verdict}"
        return "\n".join([head, "-" * len(head), *self._table(width), *self._ends(width), *self._difference(width)])

    def _table(self, width: int) -> Iterator[str]:
        rows = [("line", "call", *(play.where for play in self.plays))]
        for calls in zip_longest(*(play.calls for play in self.plays)):
            made = next(call for call in calls if call is not None)
            answers = [
                "no such call"
                if call is None
                else call.answer
                if call.text == made.text
                else f"{call.text}: {call.answer}"
                for call in calls
            ]
            rows.append((str(made.line), made.text, *answers))
        yield from in_columns(rows, width, self.first)

    def _ends(self, width: int) -> Iterator[str]:
        for why in dict.fromkeys(ending(play) for play in self.plays if play.end != "through"):
            yield ""
            yield from paragraph(why, width)

    def _difference(self, width: int) -> Iterator[str]:
        if self.first is None:
            return
        pair = [play.calls[self.first] if self.first < len(play.calls) else None for play in self.plays]
        made = next(call for call in pair if call is not None)
        yield ""
        if None in pair or len({call.text for call in pair if call is not None}) > 1:
            yield from paragraph(f"First difference, line {made.line}: from here on other calls are made.", width)
            for play, call in zip(self.plays, pair, strict=True):
                yield from paragraph(f"{play.where}: {call.text if call else 'none any more'}.", width, GAP)
            return
        yield from paragraph(f"First difference, line {made.line}: {made.text}", width)
        for play, call in zip(self.plays, pair, strict=True):
            yield from paragraph(f"{play.where} answers {call.answer if call else ''}", width, GAP)
        calls = [call for call in pair if call is not None]
        entry = differing_entry(calls)
        for play, call in zip(self.plays, calls, strict=True):
            for why in reasons(play, call, calls[0].ret != calls[1].ret, entry):
                yield ""
                yield from paragraph(f"{play.where}: {why}", width)


def compare(plays: Sequence[Play]) -> Comparison:
    """Compare the plays of one scenario, one or two, call by call."""
    if len(plays) < 2:
        return Comparison(tuple(plays), None)
    left, right = plays
    for place, (one, other) in enumerate(zip(left.calls, right.calls, strict=False)):
        if (one.text, one.answer) != (other.text, other.answer):
            return Comparison((left, right), place)
    shorter = min(plays, key=lambda play: len(play.calls))
    # A play that was cut short says nothing of the calls that it did not come to.
    more = len(left.calls) != len(right.calls) and shorter.end in ("through", "bug")
    return Comparison((left, right), len(shorter.calls) if more else None)


def ending(play: Play) -> str:
    """Why a play did not go through."""
    if play.end == "wrong":
        return f"The file has a mistake: {play.why}"
    return f"{play.where}{f', line {play.line}' if play.line else ''}: {play.why}"


def differing_entry(calls: Sequence[PlayedCall]) -> int | None:
    """The first entry whose status is another one; None where the statuses are the same, or there are none."""
    pairs = list(zip(*(call.status or () for call in calls), strict=False))
    return next((i for i, statuses in enumerate(pairs) if len(set(statuses)) > 1), None)


def reasons(play: Play, call: PlayedCall, of_return: bool, entry: int | None) -> Iterator[str]:
    """Why a call was answered so, as far as anybody knows: of the return code if that is another one, and of an entry.
    What was not written is told by the return code, too.
    """
    written = entry is not None and call.status is not None and call.status[entry] is not None
    if call.name in CALLS and (of_return or not written):
        yield why_returned(play, call)
    if entry is not None and call.status is not None and written:
        yield why_status(play, call, entry, call.status[entry])


def why_returned(play: Play, call: PlayedCall) -> str:
    """The cause of the return code; all there are, if the kernel noted none."""
    if hasattr(call.result, "explain"):
        return str(call.result.explain())
    causes = causes_on(call.ret, play.kernel, "return", call.name)
    return f"{call.name}() returned {errno_name(call.ret)}. {causes_in_words(causes)}"


def why_status(play: Play, call: PlayedCall, entry: int, value: int | None) -> str:
    """The cause of a status that was written."""
    if isinstance(call.result, Result):
        return call.result.explain(entry)
    if value is not None and value >= 0:
        return f"Entry {entry}: {value}. That is the node on which the page is now."
    return f"Entry {entry}: {errno_name(value)}. {causes_in_words(causes_on(value, play.kernel, 'status'))}"


def in_columns(rows: Sequence[Sequence[str]], width: int, marked: int | None) -> Iterator[str]:
    """Rows as a table; what is too wide for its column goes on below. The first row is the head; ``marked``: the row,
    counted without it, from which on differing answers are marked.
    """
    numbers = max(len(row[0]) for row in rows)
    answers = len(rows[0]) - 2
    left = width - 2 - numbers - len(GAP) * (answers + 1)
    wanted = max(len(row[1]) for row in rows)
    call = max(min(wanted, left - answers * LEAST if answers > 1 else left * 3 // 5), LEAST)
    call = min(call, max(left * 2 // 5, LEAST)) if answers > 1 else call
    each = max((left - call) // answers, LEAST)  # at least: a terminal that is too narrow breaks lines itself
    for place, row in enumerate(rows, start=-1):
        differs = marked is not None and place >= marked and len(set(row[2:])) > 1
        cells = [[row[0].rjust(numbers)], wrap(row[1], call), *(wrap(answer, each) for answer in row[2:])]
        for i, parts in enumerate(zip_longest(*cells, fillvalue="")):
            sizes = (numbers, call, *[each] * answers)
            line = GAP.join(part.ljust(size) for part, size in zip(parts, sizes, strict=True))
            yield f"{DIFFERS if differs and i == 0 else ' '} {line}".rstrip()


def wrap(text: str, width: int) -> list[str]:
    """A cell in lines."""
    return textwrap.wrap(text, width, break_long_words=True, break_on_hyphens=False, subsequent_indent=" ") or [""]


def paragraph(text: str, width: int, indent: str = "") -> list[str]:
    """Running text in lines."""
    lines = text.splitlines()
    return [
        part
        for line in lines
        for part in textwrap.wrap(
            line,
            width,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
