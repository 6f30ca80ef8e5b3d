"""An answer for who has a number and nothing else: what it can mean, how to tell which, what to do.

The number comes from a kernel that notes no reasons, so there may be several: :mod:`numakit.explain.causes` has them all.
"""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from numakit.abi import ERRNO, MAX_NUMNODES
from numakit.explain.causes import CALLS, CAUSES, COUNT, NODE, UNWRITTEN, Cause, Number, Where, number_name
from numakit.explain.causes.span import nearest
from numakit.tables import html_table

WIDTH = 100  #: columns of the text
RUNNING, ALL = "running", "all"
SPANS = {cause.kernels for cause in CAUSES}
ERRNOS = {name: -number for number, (name, _) in ERRNO.items()}
DISTRIBUTIONS = (
    "Distributions carry changes back to older releases; the kernels in parentheses are those of kernel.org."
)
PLACES: dict[Where, str] = {"status": "status of an entry", "return": "return value"}


@dataclass(frozen=True, repr=False)
class Explanation:
    """What a number can mean. ``causes``: on the kernel that was asked for, in the order in which it decides.

    ``elsewhere``: what else the number means on other kernels. ``renamed``: the same causes where they have another
    number. Prints as text, and shows itself in a notebook.
    """

    value: str
    numbers: dict[Where, Number]
    kernel: str  #: the one that was answered for; "all" for all of them
    asked: str  #: the kernel as it was asked for
    causes: tuple[Cause, ...]
    elsewhere: tuple[Cause, ...] = ()
    renamed: tuple[Cause, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """``-EACCES (-13), permission denied: for kernel 6.1, nearest to the running 6.1.0-27``."""
        number = next(iter(self.numbers.values()))
        name = self.value
        if isinstance(number, int) and number < 0:
            name = f"{number_name(number)}, {ERRNO[-number][1]}"
        return f"{name}: for {kernel_in_words(self.kernel, self.asked)}"

    def text(self, width: int = WIDTH) -> str:
        """The explanation in lines of at most ``width`` columns."""
        lines = wrapped(self.title, width)
        for note in self.notes:
            lines += wrapped(note, width)
        if not self.causes:
            lines += ["", *wrapped(f"No cause of {self.value} is known there.", width)]
        for head, causes in grouped(self.causes):
            lines += heading(head, width)
            for number, cause in enumerate(causes, 1):
                lines += ["", *self._told(number, cause, width)]
        for head, told in self._differences():
            lines += heading(head, width)
            for line in told:
                lines += wrapped(line, width, "* ", "  ")
        return "\n".join(lines)

    def _told(self, number: int, cause: Cause, width: int) -> list[str]:
        title = f"{number}. {cause.row} ({cause.when})"
        return [
            *wrapped(title, width),
            *wrapped(cause.meaning, width, "   "),
            *wrapped(f"Tell it apart: {cause.tell}", width, "   "),
            *wrapped(f"What to do: {cause.cure}", width, "   "),
        ]

    def _differences(self) -> Iterator[tuple[str, list[str]]]:
        """Headings and lines on other kernels, as far as there are any."""
        if self.elsewhere:
            yield (
                f"{self.value} on other kernels",
                [f"{c.row} ({c.when}; {place_in_words(c)}): {first_sentence(c)}" for c in self.elsewhere],
            )
        if self.renamed:
            yield (
                "The same causes with another number",
                [f"{c.row} is {number_name(c.number)} ({place_in_words(c)}): {c.when}" for c in self.renamed],
            )

    def __str__(self) -> str:
        return self.text()

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = ("cause", "kernels", "what it means", "tell it apart", "what to do")
        tables = [
            html_table(f"{self.value}. {title}", head, [(c.row, c.when, c.meaning, c.tell, c.cure) for c in causes])
            for title, causes in grouped(self.causes)
        ]
        tables += [html_table(title, ("cause",), [(line,) for line in told]) for title, told in self._differences()]
        return f"<p>{escape(' '.join((self.title + '.', *self.notes)))}</p>" + "".join(tables)


def explain_number(
    value: int | str,
    kernel: str | None = None,
    call: str | None = None,
    where: Where | None = None,
    *,
    running: str | None = None,
) -> Explanation:
    """Explain a status or a return value of a call about placement of pages.

    ``value``: -13, "-EACCES", "EACCES", 3, "+3" (a return value), or "unwritten": a status that still is what it was
    before the call. ``kernel``: a name (see :data:`numakit.explain.causes.KERNEL_NAMES`), a release ("5.14.0-427.el9":
    its nearest is taken), "running", or None and "all" for all kernels. ``call``: only move_pages, migrate_pages, mbind,
    set_mempolicy or get_mempolicy. ``where``: only "status" or "return". ``running``: the release that runs, unless it
    is to be looked up.

    Raises ValueError, naming the argument and what is allowed.
    """
    numbers = parsed(value)
    if call is not None and call not in CALLS:
        raise ValueError(f"call={call!r}: allowed are {', '.join(CALLS)}")
    if where is not None and where not in PLACES:
        raise ValueError(f"where={where!r}: allowed are 'status' and 'return'")
    if where is not None:
        if where not in numbers:
            raise ValueError(f"value={value!r}: it is no {PLACES[where]}")
        numbers = {where: numbers[where]}
    asked = kernel or ALL
    if asked == RUNNING:
        asked = running or running_kernel() or ALL
    named = ALL if asked == ALL else nearest(asked, SPANS)
    if kernel == RUNNING and asked != ALL:
        asked = f"the running {asked}"

    of_number = [
        cause for cause in CAUSES if answers(cause, numbers.get(cause.where)) and (call is None or call in cause.calls)
    ]
    causes = [cause for cause in of_number if named == ALL or cause.on(named)]
    return Explanation(
        shown_value(value, numbers),
        numbers,
        named,
        asked,
        tuple(causes),
        tuple(other for other in of_number if other not in causes and says_more(other, causes)),
        tuple(same for same in CAUSES if named != ALL and is_renamed(same, causes)),
        (*notes_on(numbers, causes), *([] if asked == named else [DISTRIBUTIONS])),
    )


def running_kernel() -> str | None:
    """The release of the Linux that runs, as uname -r has it; None on other systems."""
    return os.uname().release if sys.platform == "linux" else None


def parsed(value: int | str) -> dict[Where, Number]:
    """What a number is as a status and as a return value. Raises ValueError for what no call answers."""
    word = str(value).strip()
    if word.lower() == UNWRITTEN:
        return {"status": UNWRITTEN}
    name = re.fullmatch(r"-?(E[A-Z0-9]+)", word.upper())
    number = None
    if name is not None:
        number = ERRNOS.get(name[1])
    elif re.fullmatch(r"[+-]?\d{1,19}", word) and not isinstance(value, bool):
        number = int(word)
    found = {} if number is None else places(number)
    if not found:
        known = ", ".join(map(number_name, ERRNOS.values()))
        raise ValueError(
            f"value={value!r}: no call answers that; there are {known}, 0, node ids and counts above 0. A status of "
            f"another value was never written: ask for '{UNWRITTEN}'"
        )
    return {"return": COUNT} if word.startswith("+") and number else found


def places(number: int) -> dict[Where, Number]:
    """Where a number can stand, and as what; nowhere if no call answers it."""
    if number > 0:
        return {"status": NODE, "return": COUNT} if number < MAX_NUMNODES else {"return": COUNT}
    return {"status": number, "return": number} if number == 0 or -number in ERRNO else {}


def answers(cause: Cause, number: Number | None) -> bool:
    """Whether the number is the cause's. A status of 0 is a node as well."""
    return cause.number == number or (cause.where == "status" and cause.number == NODE and number == 0)


def shown_value(value: int | str, numbers: dict[Where, Number]) -> str:
    """The number as titles have it."""
    number = next(iter(numbers.values()))
    if number == UNWRITTEN:
        return "A status that was not written"
    if isinstance(number, int) and number < 0:
        return f"-{ERRNO[-number][0]}"
    return str(value).strip()


def kernel_in_words(kernel: str, asked: str) -> str:
    """``kernel 6.1, nearest to the running 6.1.0-27``."""
    if kernel == ALL:
        return "every kernel"
    name = "the 2006 text (seed)" if kernel == "seed" else f"kernel {kernel}"
    return name if asked == kernel else f"{name}, nearest to {asked}"


def notes_on(numbers: dict[Where, Number], causes: Sequence[Cause]) -> Iterator[str]:
    """What is easily taken for something else."""
    number = numbers.get("return")
    if number == -1:
        yield (
            "In C, -1 from syscall() or a function of libnuma only says that the call failed: the number to look up is in "
            "errno."
        )
    elif isinstance(number, int) and number < 0 and any(cause.where == "return" for cause in causes):
        yield "In C such a return value is -1, and errno is the number without its sign."
    if number == COUNT:
        yield "If it is an errno rather than a return value, look it up by its name or with a minus sign."


def says_more(other: Cause, causes: Iterable[Cause]) -> bool:
    """Whether a cause of other kernels says anything that its row does not say among these."""
    return all(
        (other.row, other.where, first_sentence(other)) != (cause.row, cause.where, first_sentence(cause))
        for cause in causes
    )


def is_renamed(other: Cause, causes: Iterable[Cause]) -> bool:
    """Whether it is one of these causes, under another number."""
    return any(
        (other.row, other.calls) == (cause.row, cause.calls)
        and other.number != cause.number
        and other.kernels != cause.kernels
        for cause in causes
    )


def place_in_words(cause: Cause) -> str:
    """Where the number stands, shortly; a status is always one of move_pages()."""
    return "status" if cause.where == "status" else f"return value of {cause.called}"


def first_sentence(cause: Cause) -> str:
    """The first sentence of what a cause means."""
    return cause.meaning.split(". ")[0].rstrip(".") + "."


def grouped(causes: Sequence[Cause]) -> Iterator[tuple[str, list[Cause]]]:
    """Headings, and the causes below each: by where the number stands and which call it is from, narrower ones first."""

    def place(cause: Cause) -> tuple[int, int, int]:
        return list(PLACES).index(cause.where), CALLS.index(cause.calls[0]), len(cause.calls)

    for _, group in groupby(sorted(causes, key=place), key=lambda cause: (cause.where, cause.calls)):
        members = list(group)
        yield f"As the {PLACES[members[0].where]} of {members[0].called}", members


def heading(text: str, width: int) -> list[str]:
    """A heading with a line below it, after an empty one."""
    lines = wrapped(text, width)
    return ["", *lines, "-" * max(map(len, lines))]


def wrapped(text: str, width: int, first: str = "", rest: str | None = None) -> list[str]:
    """Lines of at most ``width`` columns; words, paths and flags are not broken."""
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=first if rest is None else rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def causes_on(number: int | None, kernel: str, where: Where, call: str = "move_pages") -> list[Cause]:
    """The causes of a number on the kernel nearest to a release. None is a status that was not written."""
    asked = UNWRITTEN if number is None else places(number).get(where)
    named = nearest(kernel, SPANS)
    return [c for c in CAUSES if c.where == where and call in c.calls and answers(c, asked) and c.on(named)]


def causes_in_words(causes: Sequence[Cause]) -> str:
    """All of them in one paragraph, for a result whose kernel noted no reasons."""
    if not causes:
        return "No cause of it is known on this kernel."
    if len(causes) == 1:
        return f"{causes[0].meaning} {causes[0].cure}"
    ways = [f"({i}) {c.row}: {c.meaning} Tell it apart: {c.tell} What to do: {c.cure}" for i, c in enumerate(causes, 1)]
    return f"It has {len(causes)} causes. {' '.join(ways)}"


def rows_in_words(causes: Sequence[Cause]) -> str:
    """The same in a line, for a table: ``hole, special or zero``."""
    rows = [cause.row for cause in causes]
    return " or ".join([", ".join(rows[:-1]), rows[-1]] if len(rows) > 1 else rows)
