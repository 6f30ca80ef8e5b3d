"""What the table has in a row: a number, where it stands, what it means, how to tell it from others, what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from numakit.abi import ERRNO
from numakit.explain.causes.span import EVERY, holds, in_words

Where = Literal["status", "return"]

MOVE_PAGES, MIGRATE_PAGES, MBIND = "move_pages", "migrate_pages", "mbind"
SET_MEMPOLICY, GET_MEMPOLICY = "set_mempolicy", "get_mempolicy"
CALLS = (MOVE_PAGES, MIGRATE_PAGES, MBIND, SET_MEMPOLICY, GET_MEMPOLICY)

#: What stands for more than one number: the id of a node, a count of pages above 0, and whatever status[] held before.
NODE, COUNT, UNWRITTEN = "node", "count", "unwritten"
Number = int | str


@dataclass(frozen=True)
class Cause:
    """One cause of one number.

    ``row``: its id, the one that verdicts of the model carry. ``number``: a negative errno, 0, or one of NODE, COUNT
    and UNWRITTEN. ``kernels``: a span (:mod:`numakit.explain.causes.span`). The same row stands in the table more than
    once where its number, or what has to be told of it, changed.
    """

    row: str
    number: Number
    meaning: str
    tell: str
    cure: str
    kernels: str = EVERY
    where: Where = "status"
    calls: tuple[str, ...] = (MOVE_PAGES,)

    def on(self, kernel: str) -> bool:
        """Whether the kernel, the 2006 text or a release, has this cause."""
        return holds(self.kernels, kernel)

    @property
    def when(self) -> str:
        """The kernels in words."""
        return in_words(self.kernels)

    @property
    def called(self) -> str:
        """The calls in words: ``move_pages(2) and migrate_pages(2)``."""
        if self.calls == CALLS:
            return "any of the calls"
        names = [f"{call}(2)" for call in self.calls]
        return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def number_name(number: Number) -> str:
    """``-EACCES (-13)``, ``0``, ``a node``, ``+N``."""
    if isinstance(number, str):
        return {NODE: "a node", COUNT: "+N", UNWRITTEN: "the value it had before the call"}[number]
    return f"-{ERRNO[-number][0]} ({number})" if -number in ERRNO else str(number)
