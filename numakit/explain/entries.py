"""Why one entry got its status: two or three sentences for each row of the contract."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from numakit.explain.causes import cure
from numakit.machine.verdicts import Verdict

Facts = dict[str, Any]


def listed(names: Sequence[object]) -> str:
    """``a, b and c``."""
    words = [str(name) for name in names]
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _hole(fact: Facts, value: int) -> str:
    if "below" in fact and "above" in fact:
        where = f"It lies in a hole between two areas: one ends at {fact['below']:#x}, the next begins at {fact['above']:#x}."
    elif "below" in fact:
        where = f"It lies above all areas: the last one ends at {fact['below']:#x}."
    elif "above" in fact:
        where = f"It lies below all areas: the first one begins at {fact['above']:#x}."
    else:
        where = "The process has no areas at all."
    return f"No VMA of the process contains this address. {where} Check the address: pages[] wants addresses, not page numbers."


def _not_present(what: str) -> Callable[[Facts, int], str]:
    def text(fact: Facts, value: int) -> str:
        start, end = fact["vma"]
        return f"The address lies in the area {start:#x}-{end:#x}, but no page is present there: {what}"

    return text


def _shared(fact: Facts, value: int) -> str:
    return (
        f"Page {fact['page']} is mapped by {listed(fact['sharers'])}, and MPOL_MF_MOVE moves only what one process "
        f"maps alone. {cure('shared')}"
    )


def _not_read(fact: Facts, value: int) -> str:
    whose = "file" if fact["file"] else "shared memory"
    what = f"this page of the {whose} has not been faulted in by the process. Read it first, or leave it out."
    return _not_present(what)(fact, value)


def _off_lru(fact: Facts, value: int) -> str:
    if fact["cpus"]:
        cpus = listed([f"CPU {cpu}" for cpu in fact["cpus"]])
        cause = f"it still waits in the pagevec of {cpus}, because it was touched there after the call had drained all pagevecs"
    elif fact["holders"]:
        cause = f"{listed(fact['holders'])} has taken it off already"
    else:
        cause = "somebody has taken it off already"
    return f"Page {fact['page']} is on no LRU list, so it could not be isolated: {cause}. Call again later."


def _full(fact: Facts, value: int) -> str:
    if "node" not in fact:
        return "get_new_page had no new page for it. The page stays where it was."
    node = fact["node"]
    if fact["mems"]:
        cause = f"Node {node} is outside the caller's own cpuset (nodes {listed(fact['mems'])}), so the caller may not allocate there"
        cure = "Call from a process whose cpuset has the node."
    elif not fact["frames"]:
        cause, cure = (
            f"Node {node} has no memory of its own, so it is always full",
            "Choose a node with memory.",
        )
    else:
        cause = f"Node {node} had no free frame left (all {fact['frames']} were in use)"
        cure = "Free memory there, or choose another node."
    return f"{cause}. No other node is tried, and the page stays where it was. {cure}"


def _mlocked(fact: Facts, value: int) -> str:
    start, end = fact["area"]
    return (
        f"{listed(fact['processes'])} has mlocked the area {start:#x}-{end:#x}, which maps this page at "
        f"{fact['address']:#x}; this kernel does not move what is locked in memory. {cure('mlocked')}"
    )


def _driver(fact: Facts, value: int) -> str:
    start, end = fact["area"]
    return (
        f"The area {start:#x}-{end:#x} of {listed(fact['processes'])}, which maps this page at {fact['address']:#x}, was made by "
        f"the mmap of {fact['driver']}, which has locked it in memory (VM_LOCKED). {cure('driver')}"
    )


def _no_write(fact: Facts, value: int) -> str:
    return (
        f"The page belongs to {fact['file']} and is dirty. Its file system, {fact['file_system']}, can neither move a dirty page (it has "
        "no migration function) nor write it back (it has no writepage). Such a page never moves; copy the file to another file system."
    )


def _write_fails(fact: Facts, value: int) -> str:
    return (
        f"The page belongs to {fact['file']} and is dirty. Its file system, {fact['file_system']}, has no migration function, so the page "
        "had to be written first, and the write failed when it was submitted. Look for I/O errors of that disc."
    )


def _last_attempt(fact: Facts) -> str:
    return f"At the last of {'ten' if fact['passes'] == 10 else fact['passes']} attempts"


def _buffers(fact: Facts, value: int) -> str:
    return (
        f"The page belongs to {fact['file']}, whose file system has no migration function, so its buffers have to be taken off "
        f"first. {_last_attempt(fact)} {fact['holder']} held them. Call again when it is done, after a sync for example."
    )


def _written(fact: Facts, value: int) -> str:
    return (
        f"The page belongs to {fact['file']}, whose file system can only move it clean. {_last_attempt(fact)} it was dirty again and "
        "had to be written first. Call again when it is used less."
    )


def _in_words(holder: str) -> str:
    return f"the {holder}" if holder.startswith("pagevec") else "a PTE" if holder == "PTE" else holder


def _pinned(fact: Facts, value: int) -> str:
    who = listed([_in_words(holder) for holder in fact["holders"]]) if fact["holders"] else "somebody unknown"
    return (
        f"{_last_attempt(fact)} {who} held a reference to the page: its count was {fact['count']} where {fact['expected']} is "
        "allowed, so somebody could still have used the old frame. Call again when the reference is dropped."
    )


def _locked(fact: Facts, value: int) -> str:
    return f"{listed(fact['holders'])} had the page locked. Call again later."


ENTRIES: dict[str, Callable[[Facts, int], str]] = {
    "hole": _hole,
    "untouched": _not_present(
        "nobody has touched it yet, and memory gets a frame only at the first touch. Write to it first, or leave "
        "it out."
    ),
    "not-read": _not_read,
    "swapped": _not_present("it is swapped out. Touch it first: it is found in the swap cache where it lies, or comes in near the CPU that touches it."),
    "migrating": _not_present("another call is moving it just now (its PTE is a migration entry). Call again."),
    "hinting": lambda fact, value: (
        f"Page {fact['page']} is present, but its area allows no access (PROT_NONE): this kernel takes that for a page that waits for a "
        "NUMA hint, and does not find it. Give the area back its permissions, and call again."
    ),
    "zero": lambda fact, value: (
        f"The address was only read so far, so it shows page {fact['page']}, the zero page that all processes share. "
        f"It is never moved. {cure('zero')}"
    ),
    "there": lambda fact, value: f"The page already was on node {value} when this entry was looked up: there was nothing to move.",
    "here": lambda fact, value: f"The page is on node {value}. This was a query, so nothing was moved.",
    "shared": _shared,
    "own-node": lambda fact, value: (
        f"Entry {fact['earlier']} of the same call names the same page, and this kernel looks for the entry of a page from the "
        "beginning of the list: it found that one, moved the page to where that one asked for, and wrote the status there. The 0 "
        "here was written before the move and says nothing, not even node 0. Name each page once."
    ),
    "duplicate": lambda fact, value: (
        f"Entry {fact['earlier']} of the same call names the same page ({fact['page']}) and had queued it already; "
        f"a page can be isolated only once. {cure('duplicate')}"
    ),
    "off-lru": _off_lru,
    "full": _full,
    "gone": lambda fact, value: (
        "While the call was under way everybody else let go of the page, so there was nothing left to move."
        + ("" if "origin" in fact else f" The status names node {value}, where the new page would have been.")
    ),
    "mlocked": _mlocked,
    "driver": _driver,
    "no-write": _no_write,
    "write-fails": _write_fails,
    "buffers": _buffers,
    "written": _written,
    "pinned": _pinned,
    "locked": _locked,
    "writeback": lambda fact, value: "The page was being written to disc. Call again later.",
    "mapped": lambda fact, value: f"{fact['ptes']} PTEs still mapped the page after unmapping: it was touched meanwhile. Call again.",
    "truncated": lambda fact, value: "The file was truncated, and the page is no longer in its page cache.",
    "elsewhere": lambda fact, value: (
        f"The node asked for had no free frame, or the caller's cpuset does not allow it, so the page was moved to node {value}, the next "
        "one of that node's zonelist. This kernel does not insist."
    ),
    "moved": lambda fact, value: (
        f"The page was moved to node {value}: its contents lie in another frame there, at the same virtual address."
        if value >= 0 and "origin" not in fact
        else f"The page left node {fact.get('origin')} for a new frame, at the same virtual addresses."
    ),
}  # fmt: skip


def explain_entry(verdict: Verdict | None) -> str:
    """The sentences for a verdict on an entry; None is an entry that the call did not come to."""
    if verdict is None:
        return "The call ended before this entry was looked at: nothing was decided for it. See explain() for the return code."
    return ENTRIES[verdict.row](verdict.fact, verdict.value)
