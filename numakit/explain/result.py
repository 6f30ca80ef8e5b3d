"""What a call returned, as people see it: the numbers, and the reasons behind them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from numakit.abi import errno_name
from numakit.explain.entries import explain_entry
from numakit.explain.number import causes_in_words, causes_on, rows_in_words
from numakit.explain.returns import explain_return
from numakit.explain.sentences import Sentences
from numakit.machine.costs import Costs
from numakit.machine.verdicts import Verdict
from numakit.tables import html_table, text_table

SHOWN_ENTRIES = 16  #: entries that a table shows before it is cut


def _status_text(value: int | None) -> str:
    return "not written" if value is None else errno_name(value)


@dataclass(frozen=True, repr=False)
class Result:
    """What move_pages() answered.

    ``ret``: 0 or a negative errno, on some kernels also how many pages stayed; None where the kernel hit a BUG.
    ``status``: what user memory holds, None where the kernel wrote nothing.
    ``outcome``: what was decided for each entry, written or not (None: the call ended before). ``addresses``: pages[]
    as far as it was read.

    ``engine``: "steps", or "bulk" where the call was made at once (numakit.bulk); the answers are the same, and lists
    are columns then, to look at only.

    A real kernel notes no reasons: ``why`` and the verdicts are None then, ``kernel`` is its release, and all causes
    that a number has there are told.
    """

    call: str
    ret: int | None
    status: Sequence[int | None]
    outcome: Sequence[int | None]
    addresses: Sequence[int] = field(repr=False)
    why: Verdict | None = field(repr=False)
    verdicts: Sequence[Verdict | None] = field(repr=False)
    costs: Costs = field(default_factory=Costs, repr=False)
    kernel: str = field(default="", repr=False)
    engine: str = field(default="steps", repr=False, compare=False)

    @property
    def row(self) -> str:
        """The row of the table of return codes that the call ended in; empty where the kernel noted none."""
        return self.why.row if self.why else ""

    @property
    def rows(self) -> list[str | None]:
        """The row of the table of statuses for each entry."""
        return [verdict.row if verdict else None for verdict in self.verdicts]

    def fact(self, i: int | None = None) -> dict[str, Any]:
        """The fact that decided entry ``i``, or (None) the return code."""
        verdict = self.why if i is None else self.verdicts[self._entry(i)]
        return verdict.fact if verdict else {}

    def explain(self, i: int | None = None) -> Sentences:
        """Why the call returned what it returned or, with ``i``, why entry i got its status: plain sentences."""
        if i is None:
            returned = f"returned {errno_name(self.ret)}" if self.ret is not None else "never returned"
            return Sentences(f"{self.call} {returned}. {self._why_returned()}")
        decided = self.outcome[self._entry(i)]
        value = "nothing" if decided is None else errno_name(decided)
        where = f" ({self.addresses[i]:#x})" if i < len(self.addresses) else ""
        return Sentences(f"Entry {i}{where}: {value}. {self._why_decided(i)}")

    def _why_returned(self) -> str:
        if self.why is None:
            assert self.ret is not None, "a real kernel has no BUG to tell of"
            return causes_in_words(causes_on(self.ret, self.kernel, "return", self.call.partition("(")[0]))
        return explain_return(self.why)

    def _why_decided(self, i: int) -> str:
        verdict, value = self.verdicts[i], self.outcome[i]
        if verdict is not None or not self.kernel:
            return explain_entry(verdict)
        if value is not None and value >= 0:
            return "That is the node on which the page is now."
        return causes_in_words(causes_on(value, self.kernel, "status"))

    def _row_of_table(self, i: int) -> tuple[str, str]:
        """Cause and why; where the kernel noted none, the causes there can be."""
        verdict, value = self.verdicts[i], self.outcome[i]
        if verdict is not None or not self.kernel or (value is not None and value >= 0):
            return verdict.row if verdict else "", self._why_decided(i)
        causes = causes_on(value, self.kernel, "status")
        return rows_in_words(causes), f"explain({i}) tells them apart" if len(causes) > 1 else self._why_decided(i)

    def _entry(self, i: int) -> int:
        if not isinstance(i, int) or not 0 <= i < len(self.verdicts):
            hint = f"; {i:#x} is the address of entry {self.addresses.index(i)}" if i in self.addresses else ""
            raise IndexError(f"i={i!r}: this call has {len(self.verdicts)} entries, counted from 0{hint}")
        return i

    def _rows(self) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        for i in range(min(len(self.verdicts), SHOWN_ENTRIES)):
            address = f"{self.addresses[i]:#x}" if i < len(self.addresses) else ""
            status = _status_text(self.status[i] if i < len(self.status) else None)
            rows.append((str(i), address, status, *self._row_of_table(i)))
        return rows

    def summary(self) -> str:
        """One line: the return code and how often each answer was given."""
        counts = Counter(
            errno_name(value) if value < 0 else f"on node {value}" for value in self.outcome if value is not None
        )
        answers = ", ".join(f"{times} {answer}" for answer, times in sorted(counts.items()))
        return f"{self.call} = {errno_name(self.ret)}" + (f"; decided: {answers}" if answers else "")

    def __str__(self) -> str:
        left = len(self.verdicts) - SHOWN_ENTRIES
        more = [f"... and {left} more entries"] if left > 0 else []
        rows = [row[:4] for row in self._rows()]
        return "\n".join([self.summary(), text_table(("entry", "address", "status", "cause"), rows), *more])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = ("entry", "address", "status", "cause", "why")
        return html_table(f"{self.summary()}. {self._why_returned()}", head, self._rows())


@dataclass(frozen=True, repr=False)
class MigrationResult:
    """What migrate_pages() inside the kernel returned: ``stayed`` pages were not moved, or a negative errno; None where
    the kernel hit a BUG. Compares equal to that number.
    """

    stayed: int | None
    pages: Sequence[int]
    why: Verdict = field(repr=False)
    verdicts: tuple[Verdict, ...] = field(repr=False)
    costs: Costs = field(default_factory=Costs, repr=False)

    @property
    def ret(self) -> int | None:
        """The kernel's return value: how many pages were not moved, or a negative errno."""
        return self.stayed

    @property
    def rows(self) -> list[str]:
        """The row of the contract for each page."""
        return [verdict.row for verdict in self.verdicts]

    def __eq__(self, other: object) -> bool:
        return self.stayed == other if isinstance(other, int) else self is other

    def __hash__(self) -> int:
        return hash(self.stayed)

    def explain(self, i: int | None = None) -> Sentences:
        """Why the call returned its number or, with ``i``, why page i of the list moved or stayed."""
        if i is None:
            returned = f"returned {errno_name(self.stayed)}" if self.stayed is not None else "never returned"
            return Sentences(f"migrate_pages() {returned}. {explain_return(self.why)}")
        value = self.verdicts[i].value  # 0 says that nothing was in the way; it is no node
        error = f": {errno_name(value)}" if value else ""
        return Sentences(f"Page {self.pages[i]}{error}. {explain_entry(self.verdicts[i])}")

    def _rows(self) -> list[tuple[object, ...]]:
        of_pages = list(zip(self.pages, self.verdicts, strict=True))[:SHOWN_ENTRIES]
        return [(page, verdict.row, explain_entry(verdict)) for page, verdict in of_pages]

    def __str__(self) -> str:
        left = len(self.pages) - SHOWN_ENTRIES
        more = [f"... and {left} more pages"] if left > 0 else []
        table = text_table(("page", "cause"), [row[:2] for row in self._rows()])
        return "\n".join([f"migrate_pages() = {self.stayed}", table, *more])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table(
            f"migrate_pages() = {self.stayed}. {explain_return(self.why)}", ("page", "cause", "why"), self._rows()
        )
