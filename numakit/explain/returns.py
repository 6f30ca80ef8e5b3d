"""Why a call returned what it returned: two or three sentences for each row of the table of return codes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from numakit.explain.causes import cure
from numakit.explain.causes.move_pages import EARLIER_MOVED
from numakit.explain.entries import Facts, listed
from numakit.machine.verdicts import Verdict

BEFORE = "The check comes before any page is looked at: nothing was moved and status[] was not written."


def _nothing(fact: Facts) -> str:
    if not fact["entries"]:
        return "The list of pages is empty, so there was nothing to move. This kernel answers -ENOENT then. Name at least one page."
    entries = "No entry (of 1)" if fact["entries"] == 1 else f"None of the {fact['entries']} entries"
    return (
        f"{entries} required a move: each page was already there, not present, at an invalid address, or mapped by several "
        "processes. status[] was not written; outcome[] has what was decided for each. A query (nodes None) tells where the "
        "pages are."
    )


def online(nodes: Sequence[int]) -> str:
    """The online nodes in words."""
    return f"its only one is {nodes[0]}" if len(nodes) == 1 else f"those are {listed(nodes)}"


def _bad_flags(fact: Facts) -> str:
    return (
        f"The flags contain {fact['unknown']:#x}, which move_pages() does not know: only MPOL_MF_MOVE (2) and "
        f"MPOL_MF_MOVE_ALL (4) are allowed. {BEFORE}"
    )


def _unreadable(array: str) -> Callable[[Facts], str]:
    return lambda fact: (
        f"{array}[{fact['entry']}] lies at {fact['address']:#x}, where the caller cannot read. {_before('The arrays are copied in', fact)} "
        "Check the address of the array and nr_pages."
    )


def _before(all_first: str, fact: Facts) -> str:
    """What has happened to the entries before the one that ended the call."""
    if "lazily" in fact:
        return f"This kernel does not look at all entries first. {EARLIER_MOVED}"
    return f"{all_first} before any page is moved: nothing was moved and status[] was not written."


def _status_unwritable(fact: Facts) -> str:
    return (
        f"{len(fact['entries'])} elements of status[] could not be written, the first at {fact['address']:#x}: the "
        "memory is unmapped or "
        "read-only. This is noticed last: the pages have been moved. Elements that could be written were; ask "
        "again with a query."
    )


def _ok(fact: Facts) -> str:
    if "lazily" in fact:
        return (
            "Every page that was queued for moving has moved. Entries that were decided otherwise have their own status."
            if fact["queued"]
            else "No page had to be moved; status[] says why, for each entry."
        )
    if "uncounted" in fact and not fact["queued"]:
        return "The call went through to its end, and no page was queued for moving; status[] says why, for each entry."
    if "uncounted" in fact:
        return (
            f"The call went through to its end: {fact['queued']} pages were queued for moving, and {fact['uncounted']} of them stayed. These "
            "kernels (2.6.29 to 4.16) do not return that number: look at each element of status[]."
        )
    if not fact["queued"]:
        return (
            "The call went through, but no page was queued for moving: what would have had to move was busy when it was "
            "to be isolated (-EBUSY). Look at each element of status[], and call again later."
        )
    return (
        "The call went through: at least one page was queued for moving. 0 does not mean that every page moved: "
        "look at each element of status[]."
    )


def _full(fact: Facts) -> str:
    if "chunk" in fact:
        return (
            f"A target node had no free frame for a page of the chunk, entries {fact['chunk'][0]} to {fact['chunk'][1] - 1}. The call ended "
            "there; earlier chunks have moved and have their statuses, this one has none, whatever moved of it."
        )
    if "node" in fact:
        return (
            f"Node {fact['node']} had no free frame for a page of the batch, entries {fact['entries'][0]} to {fact['entries'][1] - 1}. The "
            "call ended there; earlier batches have moved and have their statuses, this one has none, whatever moved of it."
        )
    if "queued" in fact:
        return (
            f"For one of the {fact['queued']} pages that were to be moved no node had a free frame. This kernel stops there: pages "
            "before it have moved, the others have not, and status[] was not written. A query tells where the pages are."
        )
    return "get_new_page had no page for one of them, and this kernel stops there: pages before it have moved, the others not."


def _stayed(fact: Facts) -> str:
    if "queued" in fact:
        return (
            f"{fact['queued']} pages were queued for moving, and so many of them, the number returned, did not move. The manual page of "
            "that time knew no positive return. Every element of status[] was written and says which page, and why."
        )
    if "stayed" in fact:
        return (
            f"{fact['stayed']} pages did not move, or were not tried any more because the call ended there. No entry of the batch in "
            "which that happened has a status, not even those that moved: fill status[] with a value of your own before the call, "
            "and ask again with a query."
        )
    return "So many pages were not moved; they are back on the LRU. explain(i) tells why page i stayed."


RETURNS: dict[str, Callable[[Facts], str]] = {
    "ok": _ok,
    "query": lambda fact: "The call only asked where the pages are; status[] has a node or an error for each.",
    "nothing": _nothing,
    "bad-flags": _bad_flags,
    "all-unprivileged": lambda fact: (
        f"MPOL_MF_MOVE_ALL also moves pages of other processes, so it needs CAP_SYS_NICE, which {fact['caller']} "
        "has not. "
        f"Use MPOL_MF_MOVE, or call with the capability. {BEFORE}"
    ),
    "no-process": lambda fact: f"There is no process with pid {fact['pid']}. {BEFORE}",
    "kthread": lambda fact: (
        f"{fact['target']} has no memory of its own: it is a kernel thread, or it is exiting. "
        f"This is looked at before permissions. {BEFORE}"
    ),
    "other-user": lambda fact: (
        f"{fact['target']} belongs to uid {fact['target_uid']} and {fact['caller']} runs as uid "
        f"{fact['caller_uid']}: the pages of "
        f"another user's process may only be moved with {fact['capability']}. {BEFORE}"
    ),
    "too-many": lambda fact: f"nr_pages is {fact['nr_pages']}, and the kernel's array for it could not even be counted in bytes "
    f"(the limit is {fact['limit']}). Is nr_pages negative, or not set? {BEFORE}",
    "no-array": lambda fact: (
        f"The kernel needs an array of {fact['wanted']} bytes for {fact['nr_pages']} pages, and only {fact['free']} "
        f"bytes are free. {cure('no-array')} {BEFORE}"
    ),
    "pages-unreadable": _unreadable("pages"),
    "nodes-unreadable": _unreadable("nodes"),
    "offline": lambda fact: (
        f"nodes[{fact['entry']}] is {fact['node']}, which is no online node of this machine "
        f"({online(fact['online'])}). {_before('All nodes are checked', fact)}"
        if fact["node"] not in fact["online"]
        else f"nodes[{fact['entry']}] is {fact['node']}, which has no memory. {_before('All nodes are checked', fact)}"
    ),
    "cpuset": lambda fact: (
        f"nodes[{fact['entry']}] is {fact['node']}, which the cpuset of {fact['target']} does not allow (it allows "
        f"{listed(fact['mems'])}). {_before('All nodes are checked', fact)}"
    ),
    "status-unwritable": _status_unwritable,
    "full": _full,
    "bug": lambda fact: (
        f"The kernel hit a BUG: {fact['what']}. There is no return code: the call never comes back, what it held is held for ever. "
        "This machine makes no further calls until it is stepped back (run.back(), run.first())."
    ),
    "all-moved": lambda fact: "Every page was moved, or freed by its last user meanwhile.",
    "stayed": _stayed,
}  # fmt: skip


def explain_return(verdict: Verdict) -> str:
    """The sentences for a return code."""
    return RETURNS[verdict.row](verdict.fact)
