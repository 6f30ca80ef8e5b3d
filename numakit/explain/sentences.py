"""What an explanation is: a text that can be searched and compared as one line, and is read in lines of a page."""

from __future__ import annotations

import textwrap
from typing import Any

WIDTH = 88  #: letters of a printed line


class Sentences(str):
    """Sentences in one line, whose lines are filled when they are printed.

    A notebook breaks a printed line where its page ends, in the middle of a word; so lines end before that.
    """

    __slots__ = ()

    def __str__(self) -> str:
        fill = textwrap.TextWrapper(WIDTH, break_long_words=False, break_on_hyphens=False).fill
        return "\n".join(map(fill, self.splitlines()))

    def __format__(self, spec: str) -> str:
        """In another text they are what they are: one line."""
        return format(str.__str__(self), spec)

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """At the end of a cell they are read as if they were printed."""
        printer.text(str(self))
