"""One step as its sentence needs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from numakit.abi import PAGE_SHIFT
from numakit.machine.references import FIRST_PIN, HOLDER_MASK
from numakit.machine.state import PG_SWAPCACHE, MachineState
from numakit.machine.verdicts import Verdict
from numakit.machine.vma import PTE_NONE, find_vma, pte_at
from numakit.moments import PUT_BACK_NEW, Moment
from numakit.timeline.state import Change
from numakit.widgets.changes import PAGE_CACHE, PteChange, answer_text, fresh_frames, mm_name, net, pte_changes


@dataclass
class Act:
    """One step: who acts, where, about what, and what that changed. The machine stands after it.

    ``place``: (mm, address) of the PTE that is looked at. ``ended``: it is the last step of who acts. ``access``: who
    acts is a read or a write. ``last_pass``: the call is in the last of its passes.
    """

    m: MachineState
    who: str  #: "the call", "the write of child"
    moment: Moment
    about: int
    old: int | None
    new: int | None
    changes: list[Change]
    place: tuple[int, int] | None = None
    ended: bool = False
    access: bool = False
    last_pass: bool = False

    @cached_property
    def net(self) -> list[Change]:
        """What is different after the step."""
        return net(self.changes)

    @property
    def page(self) -> str:
        """The page that the moment is about."""
        return f"page {self.about}"

    @property
    def address(self) -> str:
        """The address that the moment is about."""
        return f"{self.about << PAGE_SHIFT:#x}"

    @cached_property
    def ptes(self) -> list[PteChange]:
        """The PTEs that the step changed."""
        return pte_changes(self.changes)

    @cached_property
    def fresh(self) -> list[int]:
        """The frames that the step allocated."""
        return fresh_frames(self.changes)

    def frame(self, label: str, page: int | None = None) -> Change | None:
        """The change of a frame's field: of the moment's page, or of another."""
        wanted = self.about if page is None else page
        return next((c for c in self.net if c.label == label and c.index == wanted), None)

    @property
    def answers(self) -> list[str]:
        """The entries that got an answer, which may be another one after a later pass."""
        so_far = {self.m.kernel.busy_status: " so far"} if self.moment is PUT_BACK_NEW and not self.last_pass else {}
        decided = [(c.index, c.after) for c in self.net if c.label == "outcome"]
        return [f"Entry {entry}: {answer_text(value)}{so_far.get(value, '')}." for entry, value in decided]

    def took(self, page: int) -> bool:
        """Whether the step took a reference to a page."""
        change = self.frame("count", page)
        return change is not None and change.after > change.before

    @property
    def verdict(self) -> Verdict | None:
        """What was decided about the page in this step."""
        for change in reversed(self.changes):
            key = change.index if change.label == "table" and isinstance(change.index, tuple) else ("",)
            if (key[0], key[-1]) == ("page verdict", self.about) and change.after:
                return cast("Verdict", change.after)
        return None

    def whose(self, pte: PteChange) -> str:
        """A changed PTE: "the PTE of shell at 0x10000000"."""
        return f"the PTE of {mm_name(self.m, pte.mm)} at {pte.address:#x}"

    @cached_property
    def pte(self) -> tuple[int, int]:
        """The PTE at the address that the moment is about, before the step and after it."""
        there = [pte for pte in self.ptes if pte.address >> PAGE_SHIFT == self.about]
        if there:
            return there[0].before, there[0].after
        vma = find_vma(self.m, *self.place) if self.place else None
        value = pte_at(self.m, vma, self.about << PAGE_SHIFT).value if vma else PTE_NONE
        return value, value

    @cached_property
    def taken(self) -> list[int]:
        """The pages that have more references after the step."""
        return [c.index for c in self.net if c.label == "count" and c.after > c.before]

    @cached_property
    def pinned(self) -> list[int]:
        """The pages to which a pipe or a device took a reference, which outlasts the step."""
        return [c.index for c in self.net if c.label == "holder" and c.after & HOLDER_MASK >= FIRST_PIN]

    def got_lock(self, page: int | None = None) -> bool:
        """Whether who acts locked a page in this step, though it may have unlocked it since."""
        wanted = self.about if page is None else page
        return any(c.label == "owner" and c.index == wanted and c.after for c in self.changes)

    @property
    def gave_up(self) -> bool:
        """Whether the lock of the moment's page was taken and given back in this one step."""
        return self.got_lock() and not self.frame("owner")

    def entries(self, kind: str) -> Sequence[tuple[Any, Any]]:
        """What the step changed in the table under ``kind``: the values before and after."""
        found = [c for c in self.net if c.label == "table" and isinstance(c.index, tuple) and c.index[0] == kind]
        return [(c.before, c.after) for c in found]

    @property
    def cache(self) -> str:
        """The cache that leads to pages of the kind that the step is about."""
        names = [cache[1] for c in self.net if (cache := PAGE_CACHE.fullmatch(c.label))]
        if names:
            return "swap cache" if names[0] == "the swap disc" else "page cache"
        return "swap cache" if self.m.flags[self.about] & PG_SWAPCACHE else "page cache"

    def slot_of(self, page: int, *, before: bool = False) -> int | None:
        """The slot of a cache that leads to a page since this step; or (``before``) that has led to it so far."""
        for c in self.net:
            if PAGE_CACHE.fullmatch(c.label) and (c.before if before else c.after) == page + 1:
                return int(c.index)
        return None
