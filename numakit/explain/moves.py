"""What migrate_pages(2) and mbind() answered, and why: the number a program sees, and the fate of each page behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from numakit.abi import errno_name
from numakit.explain.entries import Facts, explain_entry, listed
from numakit.explain.policies import POLICY_CAUSES
from numakit.explain.returns import explain_return
from numakit.explain.sentences import Sentences
from numakit.machine.costs import Costs
from numakit.machine.verdicts import Verdict
from numakit.syscalls.moves_report import PageFate
from numakit.tables import html_table, text_table

SHOWN_PAGES = 16  #: pages that a table shows before it is cut

UNTOLD = "The return code does not count it."


def _stayed(fact: Facts) -> str:
    if "pairs" in fact:
        return (
            "So many pages were to be moved and stayed where they were. Pages that were left out from the beginning (mapped by others, in "
            "an area that is locked, not on the LRU) are not among them."
        )
    return "The policy is set, and some pages stay where they do not belong. MPOL_MF_STRICT asks to be told: without it the answer would be 0."


#: Why a call returned what it returned, where the texts of other calls do not fit.
MOVES_CAUSES: dict[str, Callable[[Facts], str]] = {
    "ok": lambda fact: (
        "Nothing that was to be moved stayed. That does not mean that the old nodes are empty: pages that were left out are not counted."
        if fact.get("pairs")
        else "No node had to be emptied: each of the old nodes is where it is to be."
    ),
    "stayed": _stayed,
    "full": lambda fact: (
        f"On the way from node {fact['source']} to node {fact['destination']} a page got no new page, and this kernel stops there. What "
        "was moved before stays moved."
    ),
    "bad-flags": lambda fact: (
        f"The flags contain {fact['unknown']:#x}, which mbind() does not know: MPOL_MF_STRICT (1), MPOL_MF_MOVE (2) and "
        "MPOL_MF_MOVE_ALL (4) are allowed. Nothing was changed."
    ),
    "all-unprivileged": lambda fact: (
        f"MPOL_MF_MOVE_ALL also moves pages of other processes, so it needs CAP_SYS_NICE, which {fact['caller']} has not. Nothing was changed."
    ),
    "target-cpuset": lambda fact: (
        f"The cpuset of {fact['target']} allows nodes {listed(fact['mems'])}, and {listed(fact['nodes'])} is not among them: only "
        "CAP_SYS_NICE may move a process out of its cpuset. (move_pages() says -EACCES to that.)"
    ),
    "no-node-left": lambda fact: (
        f"Of the new nodes ({listed(fact['nodes']) or 'none'}) the caller's own cpuset (nodes {listed(fact['mems'])}) allows none that has "
        "memory."
    ),
    "unaligned": lambda fact: f"{fact['address']:#x} is not the beginning of a page. Round it down. Nothing was changed.",
    "wraps": lambda fact: f"{fact['address']:#x} plus {fact['length']} goes beyond the end of memory. Nothing was changed.",
    "range-hole": lambda fact: (
        f"From {fact['start']:#x} to {fact['end']:#x} there is no area: a policy needs one. Map the memory first. Nothing was changed."
    ),
    "misplaced": lambda fact: (
        f"The page at {fact['address']:#x} lies on node {fact['node']}, which the policy does not allow, and MPOL_MF_STRICT alone asks to be "
        "told and to move nothing. The policy was not set. Add MPOL_MF_MOVE."
    ),
    "policy-set": lambda fact: (
        "The range has the policy: pages that are touched from now on obey it. Those that were there stay where they are unless "
        "MPOL_MF_MOVE was given, and without MPOL_MF_STRICT nobody says which could not be moved."
    ),
}  # fmt: skip

#: What became of a page that was never tried.
LEFT: dict[str, Callable[[Facts], str]] = {
    "left-shared": lambda fact: (
        f"It is mapped by {listed(fact['sharers'])}, and only MPOL_MF_MOVE_ALL (for migrate_pages(): a caller with CAP_SYS_NICE) moves "
        f"what others map. {UNTOLD}"
    ),
    "left-busy": lambda fact: f"It was on no LRU list and could not be isolated. {UNTOLD}",
    "left-gone": lambda fact: f"It was unmapped while the call looked at it. {UNTOLD}",
    "left-locked": lambda fact: (
        f"The area {fact['area'][0]:#x}-{fact['area'][1]:#x} is locked in memory (VM_LOCKED), and this kernel leaves such areas out. {UNTOLD}"
    ),
    "left-untried": lambda fact: "The call ended with an error before it was tried, or its pages were put back.",
}  # fmt: skip


@dataclass(frozen=True, repr=False, eq=False)
class MovesResult:
    """What migrate_pages(2) or mbind() answered. Compares equal to its return code; None where the kernel hit a BUG.

    ``pairs``: (from, to) in the order in which nodes were emptied. ``fates``: the pages that lay on wrong nodes, in the
    order in which the call came by, each with its address, page (pfn), node and verdict. ``engine``: "steps", or "bulk"
    where all pages were taken at once (numakit.bulk); the answers are the same, and ``fates`` is made when it is read.
    """

    call: str
    ret: int | None
    why: Verdict
    pairs: tuple[tuple[int, int], ...] = ()
    fates: Sequence[PageFate] = ()
    costs: Costs = field(default_factory=Costs)
    engine: str = "steps"

    @property
    def row(self) -> str:
        """The cause of the return code, by its id."""
        return self.why.row

    @property
    def rows(self) -> list[str]:
        """What became of each page, by its id: "moved", a row of the table of statuses, or "left-..."."""
        return [one.verdict.row for one in self.fates]

    @property
    def stayed(self) -> list[PageFate]:
        """The pages that are where they were, counted in the return code or not."""
        return [one for one in self.fates if one.verdict.row != "moved"]

    def __eq__(self, other: object) -> bool:
        return self.ret == other if isinstance(other, int) else self is other

    def __hash__(self) -> int:
        return hash(self.ret)

    def explain(self, i: int | None = None) -> Sentences:
        """Why the call returned what it returned or, with ``i``, what became of page i of ``fates``, and why."""
        if i is None:
            returned = f"returned {errno_name(self.ret)}" if self.ret is not None else "never returned"
            return Sentences(f"{self.call} {returned}. {self._why()}")
        if not isinstance(i, int) or not 0 <= i < len(self.fates):
            raise IndexError(f"i={i!r}: the call came by {len(self.fates)} pages, counted from 0")
        one = self.fates[i]
        return Sentences(f"Page {one.page} at {one.address:#x}, on node {one.node}: {one.verdict.row}. {_fate(one)}")

    def _why(self) -> str:
        for causes in (MOVES_CAUSES, POLICY_CAUSES):
            if self.why.row in causes:
                return causes[self.why.row](self.why.fact)
        return explain_return(self.why)

    def summary(self) -> str:
        """One line: the return code, the pairs, and what became of how many pages."""
        pairs = "; nodes " + ", ".join(f"{source} > {target}" for source, target in self.pairs) if self.pairs else ""
        counted = ", ".join(f"{times} {row}" for row, times in sorted(Counter(self.rows).items()))
        return f"{self.call} = {errno_name(self.ret)}{pairs}" + (f"; pages: {counted}" if counted else "")

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (str(i), f"{one.address:#x}", str(one.node), one.verdict.row, _fate(one))
            for i, one in enumerate(self.fates[:SHOWN_PAGES])
        ]

    def __str__(self) -> str:
        if not self.fates:
            return self.summary()
        left = len(self.fates) - SHOWN_PAGES
        more = [f"... and {left} more pages"] if left > 0 else []
        table = text_table(("page", "address", "was on node", "fate"), [row[:4] for row in self._rows()])
        return "\n".join([self.summary(), table, *more])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = ("page", "address", "was on node", "fate", "why")
        return html_table(f"{self.summary()}. {self._why()}", head, self._rows())


def _fate(one: PageFate) -> str:
    if one.verdict.row in LEFT:
        return LEFT[one.verdict.row](one.verdict.fact)
    return explain_entry(one.verdict)
