"""What a step does, in one plain sentence or two: present tense, who acts first, the page by its number.

A sentence says what the recorded changes of the step say, and takes nothing from elsewhere but the frame's present
state. Here are those of a migration; those of everybody else stand in ``others``.
"""

from __future__ import annotations

from collections.abc import Callable

from numakit.abi import errno_name
from numakit.machine.pagecache import page_has_buffers
from numakit.machine.references import holder_name
from numakit.machine.state import PG_SWAPCACHE
from numakit.machine.vma import PTE_NONE, PTE_PFN, PTE_SWAP, PTE_TYPE
from numakit.moments import (
    COPY,
    COPY_FLAGS,
    COUNT,
    COUNT_AND_SLOT,
    DRAIN,
    FOLLOW_PAGE,
    FREED,
    GET_NEW_PAGE,
    ISOLATE,
    LOCK_BUFFERS,
    LOCK_NEW_PAGE,
    LOCK_PAGE,
    MMAP_READ,
    MMAP_WRITE,
    MOVE_BUFFERS,
    NEXT_BATCH,
    NEXT_PAIR,
    PASS,
    PUT_BACK,
    PUT_BACK_NEW,
    PUT_USER,
    RELEASE_BUFFERS,
    REMOVE_ENTRY,
    RMAP_LOCK,
    SET_MAPPING,
    START,
    SWITCH,
    TREE_LOCK,
    TRY_TO_UNMAP,
    UNLOCK_NEW_PAGE,
    UNLOCK_PAGE,
    WRITEBACK,
    WRITEOUT,
    WRITEPAGE,
    Moment,
)
from numakit.widgets import others
from numakit.widgets.act import Act
from numakit.widgets.changes import mapping_text, mm_name
from numakit.widgets.others import begun_to_write


def sentence(act: Act) -> str:
    """The sentence for a step."""
    text = SENTENCES[act.moment](act) if act.moment in SENTENCES else f"{act.who}: {act.moment.what}."
    answers = act.answers if act.moment not in (FOLLOW_PAGE, ISOLATE, PUT_USER) else []
    end = [f"This is the end of {act.who}."] if act.ended else []
    return " ".join([text[0].upper() + text[1:], *answers, *end])


def _start(act: Act) -> str:
    if any(c.label == "table" and isinstance(c.index, tuple) and c.index[0] == "mmap_sem" for c in act.changes):
        return f"{act.who} begins, and asks for mmap_sem."
    if act.access and act.ended:
        return f"{act.who} begins: the PTE serves it as it is, and there is no fault."
    if any(before and after and after.users < before.users for before, after in act.entries("mm")):
        return f"{act.who} begins: the memory stays, for a call still looks at it."
    off = [c.index for c in act.net if c.label == "stamp" and not c.after]
    return f"{act.who} begins, and takes page {off[0]} off its LRU list." if off else f"{act.who} begins."


def _mmap_read(act: Act) -> str:
    has = f"{act.who} has mmap_sem of {mm_name(act.m, act.about)}"
    if act.access and act.ended:
        return f"{has}, and finds no area that allows the access: it fails."
    return f"{has}: nobody can add, cut or remove an area meanwhile."


def _mmap_write(act: Act) -> str:
    return f"{act.who} has mmap_sem of {mm_name(act.m, act.about)}, alone: it may change the list of areas."


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


def _writeback(act: Act) -> str:
    if act.verdict:
        return f"{act.page} is being written to disc: it is left for the next pass."
    if ("writeback", act.about) in act.m.table:
        return f"{act.page} is being written to disc: {act.who} goes to sleep."
    return f"{act.page} is not being written to disc: there is nothing to wait for."


def _try_to_unmap(act: Act) -> str:
    if act.ptes:
        return _unmapped(act) + begun_to_write(act)
    if act.verdict and act.verdict.row in ("mlocked", "driver"):
        return f"{act.page} lies in an area that is locked in memory: its PTE stays, and the attempt is given up."
    return f"no PTE of {act.page} is changed."


def _unmapped(act: Act) -> str:
    """What became of the PTEs: in the swap cache a page has a slot; else migration and reclaim differ."""
    names = " and ".join(act.whose(pte) for pte in act.ptes)
    after, one = act.ptes[0].after, len(act.ptes) == 1
    if after & PTE_TYPE == PTE_NONE:
        return f"{names} {'is' if one else 'are'} emptied: who touches {act.page} there has to find it in its file."
    if after & PTE_TYPE == PTE_SWAP:
        slot = f"swap slot {after >> PTE_PFN} in place of {act.page}"
        return f"{names} {'gets' if one else 'get'} {slot}: who touches it there has to come by the slot."
    become = "becomes a migration entry" if one else "become migration entries"
    return f"{names} {become}: whoever touches {act.page} there now has to wait."


def _set_mapping(act: Act) -> str:
    mapping, index = act.m.mapping[act.about], act.m.index[act.about]
    return f"the new page, {act.about}, gets {mapping_text(mapping)} and index {index}, as the old one has them."


def _count(allowed: Callable[[Act], str]) -> Callable[[Act], str]:
    def text(act: Act) -> str:
        count = act.m.count[act.about]
        references = "1 reference" if count == 1 else f"{count} references"
        if act.verdict is None:
            return f"{act.page} has {references}, {allowed(act)}: nobody else can reach it, go on."
        if act.verdict.row == "truncated":
            return f"the slot no longer holds {act.page}: the file was truncated. Roll back."
        expected = act.verdict.fact["expected"]
        return f"{act.page} has {references} where {expected} may be: somebody could still use it. Roll back."

    return text


def _expected(act: Act) -> str:
    if page_has_buffers(act.m, act.about):
        return f"none but those of {act.who}, the {act.cache} and the buffers"
    return f"none but those of {act.who} and the {act.cache}"


def _remove_entry(act: Act) -> str:
    back = act.about == act.old
    if not act.ptes and act.m.flags[act.about] & PG_SWAPCACHE:
        return f"no migration entry is left for page {act.old}: PTEs that hold its swap slot lead to it by that."
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
        if act.last_pass:
            return f"{act.page} is still busy, and there is no next pass: it goes back to the LRU."
        return f"nothing is put back: {act.page} stays isolated for the next pass."
    if act.m.mapcount[act.about] or act.m.mapping[act.about] > 0:
        return f"the old page, {act.about}, goes to a pagevec, on its way back to the LRU list: it cannot be moved."
    return f"the old page, {act.about}, goes to a pagevec: it is freed when that is drained, if nobody holds it."


def _put_back_new(act: Act) -> str:
    if act.m.mapping[act.about]:
        return f"the new page, {act.about}, goes to a pagevec, on its way to the LRU list."
    return f"the new page, {act.about}, was not used: it goes to a pagevec, to be freed."


def _writeout(act: Act) -> str:
    if act.verdict is None:
        return f"{act.page} is dirty, and its file system cannot move it: it is written first, with its PTEs back."
    if act.verdict.row == "no-write":
        return f"{act.page} is dirty, and its file system can neither move nor write it. Roll back."
    return f"{act.page} is not dirty any more: it is left for the next pass."


def _writepage(act: Act) -> str:
    if act.verdict is None:
        return f"{act.page} is handed to the disc, which reads its frame from now on; it is unlocked meanwhile."
    return f"the disc refuses to write {act.page}, which stays dirty."


def _release_buffers(act: Act) -> str:
    if act.verdict is None:
        return f"the buffers of {act.page} are taken off: now it can be moved like any other page."
    return f"{act.verdict.fact['holder']} keeps the buffers of {act.page}: it is left for the next pass. Roll back."


SENTENCES: dict[Moment, Callable[[Act], str]] = others.SENTENCES | {
    START: _start,
    MMAP_READ: _mmap_read,
    MMAP_WRITE: _mmap_write,
    DRAIN: lambda act: "the pagevecs of all CPUs are emptied: pages that waited there are on their LRU lists now.",
    FOLLOW_PAGE: _follow_page,
    ISOLATE: _isolate,
    NEXT_PAIR: lambda act: f"{act.who} empties the next of the old nodes.",
    NEXT_BATCH: lambda act: f"{act.who} moves the pages that it has isolated so far, of entries before {act.about}.",
    PASS: lambda act: f"pass {act.about} begins over the pages that are left.",
    GET_NEW_PAGE: _get_new_page,
    FREED: _freed,
    LOCK_PAGE: _lock_page,
    WRITEBACK: _writeback,
    TRY_TO_UNMAP: _try_to_unmap,
    RMAP_LOCK: lambda act: f"the reverse map is free: {act.who} wakes and takes its lock.",
    LOCK_NEW_PAGE: lambda act: f"{act.who} locks the new page, {act.about}.",
    SET_MAPPING: _set_mapping,
    TREE_LOCK: lambda act: f"{act.who} takes the lock of the tree in which the {act.cache} keeps {act.page}.",
    COUNT_AND_SLOT: _count(_expected),
    COUNT: _count(lambda act: f"the one of {act.who}"),
    SWITCH: lambda act: f"the slot of the {act.cache} leads to page {act.new} now, no longer to {act.page}.",
    WRITEOUT: _writeout,
    WRITEPAGE: _writepage,
    RELEASE_BUFFERS: _release_buffers,
    LOCK_BUFFERS: lambda act: f"the buffers of {act.page} are unlocked: {act.who} wakes.",
    MOVE_BUFFERS: lambda act: f"the buffers of {act.page} go to page {act.new}, with the reference that they hold.",
    COPY: lambda act: f"the contents go from page {act.about} to page {act.new}.",
    COPY_FLAGS: lambda act: f"page {act.new} takes over the flags; the old page, {act.about}, keeps none.",
    REMOVE_ENTRY: _remove_entry,
    UNLOCK_NEW_PAGE: lambda act: f"the new page, {act.about}, is unlocked.",
    UNLOCK_PAGE: lambda act: f"the old page, {act.about}, is unlocked: who slept on it may go on.",
    PUT_BACK: _put_back,
    PUT_BACK_NEW: _put_back_new,
    PUT_USER: lambda act: f"{act.who} copies status[{act.about}] to the caller's memory.",
}
