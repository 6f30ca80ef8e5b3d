"""What a step of somebody else than a migration does, in a sentence: faults, fork and exit, reclaim, discs, pins."""

from __future__ import annotations

from collections.abc import Callable

from numakit.abi import PAGE_SHIFT
from numakit.machine.references import holder_name
from numakit.machine.state import PG_DIRTY
from numakit.machine.vma import PTE_NONE, PTE_PFN, PTE_PRESENT, PTE_SWAP, PTE_TYPE, PTE_WRITABLE
from numakit.moments import (
    CHANGE_PTE,
    COPY_ON_WRITE,
    COPY_PTE,
    END_WRITEBACK,
    ENTRY_WAIT,
    FAULT,
    FREE_PAGE,
    GET_USER_PAGES,
    HOLD,
    READ_WAIT,
    RELEASE,
    SHRINK_PAGE,
    SLEEP_ON_PAGE,
    SLEEP_ON_WRITEBACK,
    START_WRITEBACK,
    SWAP_IN,
    TRUNCATE_PAGE,
    ZAP_PTE,
    Moment,
)
from numakit.widgets.act import Act
from numakit.widgets.changes import pte_text

# -- faults


def _fault(act: Act) -> str:
    kind = act.pte[0] & PTE_TYPE
    told = FAULTS.get(kind, _migration_entry)(act, f"the PTE at {act.address}")
    return told + _pinned(act)


def _new_frame(act: Act) -> str:
    return f"frame {act.fresh[0]} on node {act.m.node(act.fresh[0])}"


def _nothing_there(act: Act, place: str) -> str:
    after = act.pte[1]
    page = after >> PTE_PFN
    if act.fresh and act.m.mapping[act.fresh[0]] > 0:
        return f"{place} is empty: the file's page is read into {_new_frame(act)}, and mapped there."
    if act.fresh:
        return f"{place} is empty: {act.who} gets {_new_frame(act)}, mapped there."
    if after & PTE_TYPE == PTE_PRESENT and page == act.m.table["zero page"]:
        return f"{place} is empty, and only read: page {page}, which is full of zeroes and shared by all, is mapped."
    if after & PTE_TYPE == PTE_PRESENT:
        return f"{place} is empty: page {page}, which the page cache has, is mapped there."
    if act.taken:
        page = act.taken[0]
        return f"{place} is empty, and page {page} of the file is not filled yet: {act.who} waits for its lock."
    return f"{place} is empty, and nothing can be mapped there: {act.who} fails."


def _in_swap(act: Act, place: str) -> str:
    slot = act.pte[0] >> PTE_PFN
    if act.fresh:
        return f"{place} holds swap slot {slot}: its contents are read into {_new_frame(act)}."
    if act.taken:
        return f"{place} holds swap slot {slot}: the swap cache has its page, {act.taken[0]}, whose lock is wanted now."
    return f"{place} holds swap slot {slot}, and no frame is free: {act.who} fails."


def _mapped(act: Act, place: str) -> str:
    before, after = act.pte
    page = before >> PTE_PFN
    if after & PTE_WRITABLE and not before & PTE_WRITABLE and page == after >> PTE_PFN:
        return f"{place} leads to page {page}, which need not be copied: it may be written from now on."
    if page in act.taken and not act.pinned:
        return f"{place} leads to page {page}, which may not be written: {act.who} takes a reference, to copy it."
    return f"{place} leads to page {page}, and may be used now: {act.who} goes on."


def _migration_entry(act: Act, place: str) -> str:
    page = act.pte[0] >> PTE_PFN
    if act.taken:
        return f"{place} is a migration entry: {act.who} takes a reference to page {page} and sleeps on its lock."
    return f"{place} is a migration entry: {act.who} sleeps on the lock of page {page}."


FAULTS: dict[int, Callable[[Act, str], str]] = {
    PTE_NONE: _nothing_there,
    PTE_PRESENT: _mapped,
    PTE_SWAP: _in_swap,
}


def _pinned(act: Act) -> str:
    return "".join(f" A reference keeps page {page} in its frame from now on." for page in act.pinned)


def _came_in(act: Act) -> str:
    """ ", and ..." where a PTE that held a swap slot leads to the moment's page now."""
    addresses = [f"{pte.address:#x}" for pte in act.ptes if pte.before & PTE_TYPE == PTE_SWAP]
    return f", and the PTE at {addresses[0]} leads to it now" if addresses else ""


def _swap_in(act: Act) -> str:
    if not act.got_lock():
        return f"{act.page} is locked by {holder_name(act.m, act.m.owner[act.about])}: {act.who} goes to sleep."
    came = _came_in(act)
    if came:
        return f"{act.who} locks {act.page}, which is still the slot's{came}.{_pinned(act)}"
    return f"{act.who} locks {act.page}, which is no longer the slot's, and looks at the PTE again."


def _copy_on_write(act: Act) -> str:
    if act.fresh:
        return f"{act.page} is copied to {_new_frame(act)}, to which the PTE leads now.{_pinned(act)}"
    if act.ended:
        return f"no frame is free for a copy of {act.page}: {act.who} fails."
    return f"the PTE of {act.page} has changed meanwhile: {act.who} drops its reference and looks again."


def _get_user_pages(act: Act) -> str:
    if act.pinned:
        return f"{act.who} takes a reference to page {act.pinned[0]}: from now on it has to keep its frame."
    if act.taken:
        return f"{act.who} takes a reference to page {act.taken[0]}: from now on it has to keep its frame."
    return f"{act.who} wants the page at {act.address}, which is not there yet: it takes a fault, and mmap_sem."


# -- PTEs that are copied, dropped, changed


def _copy_pte(act: Act) -> str:
    child = next((pte for pte in act.ptes if pte.address >> PAGE_SHIFT == act.about and not pte.before), None)
    if child is None:
        return f"{act.who} copies the PTE at {act.address} to the child."
    what = f"the PTE at {act.address}, with {pte_text(child.after)}, is copied to the child"
    return f"{what}: neither may write through it from now on." if len(act.ptes) > 1 else f"{what}, as it is."


def _zap_pte(act: Act) -> str:
    before = act.pte[0]
    page = before >> PTE_PFN
    if before & PTE_TYPE == PTE_PRESENT:
        end = ", and freed, for nobody refers to it" if not act.m.count[page] else ""
        return f"{act.who} drops the PTE at {act.address}: page {page} is mapped once less{end}."
    return f"{act.who} drops the PTE at {act.address}, which held {_article(pte_text(before))}."


def _article(what: str) -> str:
    return f"a {what}" if what.startswith("migration") else what


def _change_pte(act: Act) -> str:
    before, after = act.pte
    if after & PTE_TYPE == PTE_PRESENT:
        return f"page {after >> PTE_PFN} may no longer be written through the PTE at {act.address}."
    what = _article(pte_text(before))
    return f"the PTE at {act.address} holds {what}: it will come back as a PTE that may not be written."


# -- reclaim and truncation


def _taken_out(act: Act) -> str:
    """ ", and ..." where the moment's page has left its cache."""
    left = act.slot_of(act.about, before=True) is not None and act.m.mapping[act.about] <= 0
    return ", and takes it out of the page cache" if left else ""


def _shrink_page(act: Act) -> str:
    if not act.got_lock():
        owner = holder_name(act.m, act.m.owner[act.about])
        return f"{act.page} is locked by {owner}: it goes back to the LRU."
    slot = act.slot_of(act.about)
    if slot is not None:
        return f"{act.who} locks {act.page} and gives it swap slot {slot}: the swap cache has it now."
    if not act.gave_up:
        return f"{act.who} locks {act.page}, to unmap it."
    cause = "it is being written to disc" if ("writeback", act.about) in act.m.table else "there is no swap slot for it"
    return f"{act.page} cannot be freed, for {cause}: it goes back to the LRU."


def _free_page(act: Act) -> str:
    count = act.frame("count")
    if count is not None and not count.after:
        return f"only {act.who} and the {act.cache} refer to {act.page}: it leaves the cache, and its frame is free."
    cause = "written" if act.m.flags[act.about] & PG_DIRTY else "mapped" if act.m.mapcount[act.about] else "used"
    return f"{act.page} is {cause} by somebody: it goes back to the LRU."


def _truncate_page(act: Act) -> str:
    if not act.got_lock():
        return f"{act.page} is locked by {holder_name(act.m, act.m.owner[act.about])}: {act.who} goes to sleep."
    out = _taken_out(act)
    if out:
        return f"{act.who} locks {act.page}{out}.{_what_is_left(act)}"
    if not act.gave_up:
        return f"{act.who} locks {act.page}, and has to wait for its I/O."
    return f"{act.who} locks {act.page}, but a migration has put another page in its place: it looks there."


def _what_is_left(act: Act) -> str:
    if not act.m.count[act.about]:
        return " Its frame is free."
    return " It is still referred to, so its frame is not free yet."


# -- sleepers who wake


def _sleep_on_page(act: Act) -> str:
    if not act.got_lock():
        return f"{act.who} wakes, but {act.page} is locked again: it sleeps on."
    told = f"{act.page} is unlocked: {act.who} wakes and locks it{_came_in(act)}{_taken_out(act)}."
    if act.gave_up and act.ended is False and not act.ptes and not _taken_out(act):
        return f"{told} It is not the page that was wanted any more: it is unlocked again."
    return told


def _sleep_on_writeback(act: Act) -> str:
    told = f"the disc is done with {act.page}: {act.who} wakes{_taken_out(act)}."
    if act.gave_up:
        return f"{told} The page was used meanwhile, so it goes back to the LRU."
    return told


# -- discs, devices, pipes


def begun_to_write(act: Act) -> str:
    """A sentence more where a step handed the moment's page to a disc."""
    begun = any(not before and after for before, after in act.entries("writeback"))
    return f" {act.page[0].upper()}{act.page[1:]} is dirty: a disc begins to write it." if begun else ""


def _start_writeback(act: Act) -> str:
    if not act.got_lock():
        return f"{act.page} is locked by {holder_name(act.m, act.m.owner[act.about])}: {act.who} goes to sleep."
    if begun_to_write(act):
        return f"{act.page} is dirty: the disc begins to write it, and reads its frame until it is done."
    return f"{act.page} is not marked dirty, or cannot be written: nothing is to be done."


def _hold(act: Act) -> str:
    done = [f"page {c.index} is unlocked" for c in act.net if c.label == "owner" and not c.after]
    done += ["the write is done" for _, after in act.entries("writeback") if not after]
    done += _dropped(act)
    return f"{act.who} lets go: {' and '.join(done)}." if done else f"{act.who} has nothing that it could let go."


def _dropped(act: Act) -> list[str]:
    fewer = [c.index for c in act.net if c.label == "count" and c.after < c.before]
    return [f"page {page} has a reference less" for page in fewer]


def _release(act: Act) -> str:
    fewer = _dropped(act)
    if not fewer:
        return f"{act.who} has nothing that it could let go."
    return f"{act.who} drops its references: {', '.join(fewer)}, and a migration may succeed from now on."


SENTENCES: dict[Moment, Callable[[Act], str]] = {
    FAULT: _fault,
    ENTRY_WAIT: lambda act: (
        f"{act.page} is unlocked: {act.who} wakes, drops its reference, and looks at the PTE again."
    ),
    READ_WAIT: lambda act: f"{act.page} is unlocked: {act.who} wakes, and looks at the PTE again.",
    SWAP_IN: _swap_in,
    COPY_ON_WRITE: _copy_on_write,
    COPY_PTE: _copy_pte,
    ZAP_PTE: _zap_pte,
    CHANGE_PTE: _change_pte,
    GET_USER_PAGES: _get_user_pages,
    SHRINK_PAGE: _shrink_page,
    FREE_PAGE: _free_page,
    TRUNCATE_PAGE: _truncate_page,
    SLEEP_ON_PAGE: _sleep_on_page,
    SLEEP_ON_WRITEBACK: _sleep_on_writeback,
    START_WRITEBACK: _start_writeback,
    END_WRITEBACK: lambda act: f"{act.page} is written: {act.who} is done, and who waited for that may go on.",
    HOLD: _hold,
    RELEASE: _release,
}
