"""What a step does, in one plain sentence or two: present tense, who acts first, the page by its number.

A sentence says what the recorded changes of the step say, and takes nothing from elsewhere but the frame's present
count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import cast

from numakit.abi import PAGE_SHIFT, errno_name
from numakit.machine.references import holder_name
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict
from numakit.machine.vma import PTE_NONE, PTE_PFN, PTE_PRESENT, PTE_TYPE
from numakit.moments import (
    CHANGE_PTE,
    COPY,
    COPY_FLAGS,
    COPY_ON_WRITE,
    COPY_PTE,
    COUNT,
    COUNT_AND_SLOT,
    DRAIN,
    ENTRY_WAIT,
    FAULT,
    FOLLOW_PAGE,
    FREED,
    GET_NEW_PAGE,
    GET_USER_PAGES,
    HOLD,
    ISOLATE,
    LOCK_NEW_PAGE,
    LOCK_PAGE,
    MMAP_READ,
    MMAP_WRITE,
    PASS,
    PUT_BACK,
    PUT_BACK_NEW,
    PUT_USER,
    READ_WAIT,
    RELEASE,
    REMOVE_ENTRY,
    RMAP_LOCK,
    SET_MAPPING,
    SLEEP_ON_PAGE,
    SLEEP_ON_WRITEBACK,
    START,
    SWITCH,
    TREE_LOCK,
    TRY_TO_UNMAP,
    UNLOCK_NEW_PAGE,
    UNLOCK_PAGE,
    WRITEBACK,
    ZAP_PTE,
    Moment,
)
from numakit.timeline.state import Change
from numakit.widgets.changes import PteChange, answer_text, fresh_frames, mapping_text, mm_name, net, pte_changes


@dataclass
class Act:
    """One step as its sentence needs it: who acts, where, about what, and what that changed. The machine stands after
    it.
    """

    m: MachineState
    who: str  #: "the call", "the write of child"
    moment: Moment
    about: int
    old: int | None
    new: int | None
    changes: list[Change]

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
        """The entries that got an answer."""
        return [f"Entry {c.index}: {answer_text(c.after)}." for c in self.net if c.label == "outcome"]

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


def sentence(act: Act) -> str:
    """The sentence for a step."""
    text = SENTENCES[act.moment](act) if act.moment in SENTENCES else f"{act.who}: {act.moment.what}."
    answers = act.answers if act.moment not in (FOLLOW_PAGE, ISOLATE, PUT_USER) else []
    return " ".join([text[0].upper() + text[1:], *answers])


def _start(act: Act) -> str:
    asked = any(c.label == "table" and isinstance(c.index, tuple) and c.index[0] == "mmap_sem" for c in act.changes)
    return f"{act.who} begins, and asks for mmap_sem." if asked else f"{act.who} begins."


def _mmap_sem(how: str) -> Callable[[Act], str]:
    return lambda act: f"{act.who} has mmap_sem of {mm_name(act.m, act.about)}: {how}."


def _follow_page(act: Act) -> str:
    pages = [c.index for c in act.net if c.label == "count" and c.after > c.before]
    if pages:
        return f"the PTE at {act.address} leads to page {pages[0]}: {act.who} takes a reference to it."
    answer = next((c.after for c in act.net if c.label == "outcome"), None)
    if answer is None:
        return f"{act.who} looks up {act.address}."
    if answer >= 0:
        return f"the page at {act.address} is on node {answer}: that is the answer."
    return f"{act.who} finds no page to move at {act.address}: {errno_name(answer)}."


def _isolate(act: Act) -> str:
    if act.frame("stamp"):
        return f"{act.page} comes off its LRU list; {act.who} keeps a reference to it."
    answer = next((c.after for c in act.net if c.label == "outcome"), None)
    why = {-13: "several processes map it", -16: "it is on no LRU list"}.get(answer or 0, "it is not taken")
    return f"{act.page} stays where it is: {why}" + (f", {errno_name(answer)}." if answer is not None else ".")


def _get_new_page(act: Act) -> str:
    if act.fresh:
        new = act.fresh[0]
        return f"{act.who} asks for a new page for {act.page} and gets frame {new} on node {act.m.node(new)}."
    return f"{act.who} asks for a new page for {act.page} and gets none: {act.page} goes back to the LRU."


def _freed(act: Act) -> str:
    if act.verdict is None:
        count = act.m.count[act.about]
        return f"{act.page} has {count} references, so somebody besides {act.who} still uses it: go on."
    return f"only {act.who} still holds {act.page}: everybody else let go, and there is nothing to move."


def _lock_page(act: Act) -> str:
    if act.frame("owner"):
        return f"{act.who} locks the old page, {act.about}."
    owner = holder_name(act.m, act.m.owner[act.about])
    if act.verdict:
        return f"{act.page} is locked by {owner}: it is left for the next pass."
    return f"{act.page} is locked by {owner}: {act.who} goes to sleep."


def _sleep_on_page(act: Act) -> str:
    if act.frame("owner"):
        return f"{act.page} is unlocked: {act.who} wakes and locks it."
    return f"{act.who} wakes, but {act.page} is locked again: it sleeps on."


def _writeback(act: Act) -> str:
    if act.verdict:
        return f"{act.page} is being written to disc: it is left for the next pass."
    if ("writeback", act.about) in act.m.table:
        return f"{act.page} is being written to disc: {act.who} goes to sleep."
    return f"{act.page} is not being written to disc: there is nothing to wait for."


def _try_to_unmap(act: Act) -> str:
    if act.ptes:
        names = " and ".join(act.whose(pte) for pte in act.ptes)
        become = "becomes a migration entry" if len(act.ptes) == 1 else "become migration entries"
        return f"{names} {become}: whoever touches {act.page} there now has to wait."
    if act.verdict and act.verdict.row == "mlocked":
        return f"{act.page} lies in an area that is locked in memory: its PTE stays, and the attempt is given up."
    return f"no PTE of {act.page} is changed."


def _set_mapping(act: Act) -> str:
    mapping, index = act.m.mapping[act.about], act.m.index[act.about]
    return f"the new page, {act.about}, gets {mapping_text(mapping)} and index {index}, as the old one has them."


def _count(allowed: str) -> Callable[[Act], str]:
    def text(act: Act) -> str:
        count = act.m.count[act.about]
        references = "1 reference" if count == 1 else f"{count} references"
        if act.verdict is None:
            return f"{act.page} has {references}, {allowed}: nobody else can reach it, go on."
        if act.verdict.row == "truncated":
            return f"the slot no longer holds {act.page}: the file was truncated. Roll back."
        expected = act.verdict.fact["expected"]
        return f"{act.page} has {references} where {expected} may be: somebody could still use it. Roll back."

    return text


def _remove_entry(act: Act) -> str:
    back = act.about == act.old
    if not act.ptes:
        return f"there is no migration entry for page {act.old} to turn back into a PTE."
    which = "the old page again" if back else f"the new page, {act.about}"
    roll = "roll back: " if back else ""
    names = " and ".join(mm_name(act.m, pte.mm) for pte in act.ptes)
    entries = "the migration entry" if len(act.ptes) == 1 else "the migration entries"
    become = "becomes a PTE" if len(act.ptes) == 1 else "become PTEs"
    return f"{roll}{entries} of {names} {become} of {which}."


def _put_back(act: Act) -> str:
    if not (act.frame("holder") or act.frame("count")):
        return f"{act.page} stays with {act.who} for the next pass."
    if not act.m.mapcount[act.about]:
        return f"the old page, {act.about}, goes to a pagevec: it is freed when that is drained, if nobody holds it."
    return f"the old page, {act.about}, goes to a pagevec, on its way back to the LRU list: it cannot be moved."


def _put_back_new(act: Act) -> str:
    if act.m.mapping[act.about]:
        return f"the new page, {act.about}, goes to a pagevec, on its way to the LRU list."
    return f"the new page, {act.about}, was not used: it goes to a pagevec, to be freed."


def _fault(act: Act) -> str:
    place = f"the PTE at {act.address}"
    if act.fresh:
        return (
            f"{place} is empty: {act.who} gets frame {act.fresh[0]} on node {act.m.node(act.fresh[0])}, mapped there."
        )
    for pte in act.ptes:
        if pte.before & PTE_TYPE == PTE_NONE:
            return f"{place} is empty: page {pte.after >> PTE_PFN} is mapped there."
        if pte.after & PTE_TYPE == PTE_PRESENT:
            return f"{place} leads to page {pte.after >> PTE_PFN}, and may be used now: {act.who} goes on."
    taken = [c.index for c in act.net if c.label == "count" and c.after > c.before]
    if not taken:
        return f"{act.who} looks at {place}."
    page = taken[0]
    if act.m.owner[page]:
        return f"{place} is a migration entry: {act.who} takes a reference to page {page} and sleeps on its lock."
    return f"{place} leads to page {page}, which may not be written: {act.who} takes a reference, to copy it."


def _copy_on_write(act: Act) -> str:
    if act.fresh:
        return f"{act.page} is copied to frame {act.fresh[0]}: from now on {act.who} has a page of its own."
    return f"the PTE of {act.page} has changed meanwhile: {act.who} drops its reference and looks again."


def _zap_pte(act: Act) -> str:
    gone = next((pte for pte in act.ptes if pte.address >> PAGE_SHIFT == act.about), None)
    if gone is None or gone.before & PTE_TYPE != PTE_PRESENT:
        return f"{act.who} drops what stood in the PTE at {act.address}."
    return f"{act.who} drops the PTE at {act.address}: page {gone.before >> PTE_PFN} is mapped once less."


def _get_user_pages(act: Act) -> str:
    taken = [c.index for c in act.net if c.label == "count" and c.after > c.before]
    if taken:
        return f"{act.who} takes a reference to page {taken[0]}: from now on it has to keep its frame."
    return f"{act.who} wants to pin the page at {act.address}."


SENTENCES: dict[Moment, Callable[[Act], str]] = {
    START: _start,
    MMAP_READ: _mmap_sem("nobody can add, cut or remove an area meanwhile"),
    MMAP_WRITE: _mmap_sem("it may change the list of areas"),
    DRAIN: lambda act: "the pagevecs of all CPUs are emptied: pages that waited there are on their LRU lists now.",
    FOLLOW_PAGE: _follow_page,
    ISOLATE: _isolate,
    PASS: lambda act: f"pass {act.about} begins over the pages that are left.",
    GET_NEW_PAGE: _get_new_page,
    FREED: _freed,
    LOCK_PAGE: _lock_page,
    SLEEP_ON_PAGE: _sleep_on_page,
    WRITEBACK: _writeback,
    SLEEP_ON_WRITEBACK: lambda act: f"the disc is done with {act.page}: {act.who} wakes.",
    TRY_TO_UNMAP: _try_to_unmap,
    RMAP_LOCK: lambda act: f"the reverse map is free: {act.who} wakes and takes its lock.",
    LOCK_NEW_PAGE: lambda act: f"{act.who} locks the new page, {act.about}.",
    SET_MAPPING: _set_mapping,
    TREE_LOCK: lambda act: f"{act.who} takes the lock of the tree in which the page cache keeps {act.page}.",
    COUNT_AND_SLOT: _count("none but those of the call, the page cache and its buffers"),
    COUNT: _count("the one of the call"),
    SWITCH: lambda act: f"the slot of the page cache leads to page {act.new} now, no longer to {act.page}.",
    COPY: lambda act: f"the contents go from page {act.about} to page {act.new}.",
    COPY_FLAGS: lambda act: f"page {act.new} takes over the flags; the old page, {act.about}, keeps none.",
    REMOVE_ENTRY: _remove_entry,
    UNLOCK_NEW_PAGE: lambda act: f"the new page, {act.about}, is unlocked.",
    UNLOCK_PAGE: lambda act: f"the old page, {act.about}, is unlocked: who slept on it may go on.",
    PUT_BACK: _put_back,
    PUT_BACK_NEW: _put_back_new,
    PUT_USER: lambda act: f"{act.who} copies status[{act.about}] to the caller's memory.",
    FAULT: _fault,
    ENTRY_WAIT: lambda act: (
        f"{act.page} is unlocked: {act.who} wakes, drops its reference, and looks at the PTE again."
    ),
    READ_WAIT: lambda act: f"{act.page} is unlocked: {act.who} wakes, and looks at the PTE again.",
    COPY_ON_WRITE: _copy_on_write,
    COPY_PTE: lambda act: f"{act.who} copies the PTE at {act.address} to the child.",
    ZAP_PTE: _zap_pte,
    CHANGE_PTE: lambda act: f"{act.who} changes the protection of the PTE at {act.address}.",
    GET_USER_PAGES: _get_user_pages,
    HOLD: lambda act: f"{act.who} lets go.",
    RELEASE: lambda act: f"{act.who} drops its references: a migration of the page can succeed from now on.",
}
