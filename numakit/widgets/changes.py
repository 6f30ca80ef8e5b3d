"""What a step changed, in words: "frame 7: count 1 → 2", "PTE of shell at 0x10000000: page 7 → migration entry".

The kernel's fields are named; what only the model keeps (counters, arrays that come and go, verdicts) is left out.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from numakit.abi import MPOL_INTERLEAVE, PAGE_SHIFT, errno_name
from numakit.machine.cpuset import cpuset_numbered
from numakit.machine.locks import Semaphore
from numakit.machine.mempolicy import policy_text
from numakit.machine.process import processes_of
from numakit.machine.references import HOLDER_BITS, HOLDER_MASK, holder_name
from numakit.machine.state import FLAG_NAMES, PAGEVEC_ROW, MachineState
from numakit.machine.vma import PTE_DIRTY, PTE_NONE, PTE_PFN, PTE_PRESENT, PTE_SWAP, PTE_TYPE, PTE_WRITABLE, PTE_YOUNG
from numakit.syscalls.move_pages import UNSET
from numakit.timeline.state import Change

PAGE_TABLE = re.compile(r"PTEs of mm (\d+) from (0x[0-9a-f]+)")
PAGE_CACHE = re.compile(r"page cache of (.+)")
SWAP_MAP = "PTEs that lead to swap slot"
FREE_LISTS = ("frames on the free stack", "frames never used yet")
KINDS = {PTE_NONE: "none", PTE_PRESENT: "page", PTE_SWAP: "swap slot"}
BITS = {PTE_WRITABLE: "writable", PTE_DIRTY: "dirty", PTE_YOUNG: "young"}


class Told(NamedTuple):
    """A change in words: where, and the values before and after. ``page``: the frame that it is about, if any."""

    where: str
    before: str
    after: str
    page: int | None = None
    field: str = ""

    def __str__(self) -> str:
        return f"{self.where} {self.before} → {self.after}"


class PteChange(NamedTuple):
    """A PTE that a step changed: whose mm, at which address, and what it held."""

    mm: int
    address: int
    before: int
    after: int


def tell_changes(m: MachineState, changes: Iterable[Change]) -> list[Told]:
    """The changes of a step, in order, one line for each place: its value before the step and after it."""
    differences = net(changes)
    told: list[Told] = []
    for change in differences:
        page = _noted_page(change)
        line = _tell(m, change) if page is None else _tell_holders(m, page, differences)
        if line is not None and line.before != line.after and line not in told:
            told.append(line)
    return told


def net(changes: Iterable[Change]) -> list[Change]:
    """One change for each place, from the first value to the last; none where the old value came back."""
    places: dict[Any, Change] = {}
    for change in changes:
        first = places.get((change.label, change.index), change)
        places[change.label, change.index] = change._replace(before=first.before)
    return [change for change in places.values() if change.before != change.after]


def pte_changes(changes: Iterable[Change]) -> list[PteChange]:
    """The PTEs among the changes of a step."""
    found = []
    for change in net(changes):
        table = PAGE_TABLE.fullmatch(change.label)
        if table:
            address = int(table[2], 16) + (change.index << PAGE_SHIFT)
            found.append(PteChange(int(table[1]), address, change.before, change.after))
    return found


def fresh_frames(changes: Iterable[Change]) -> list[int]:
    """The frames that a step allocated."""
    return [change.index for change in net(changes) if change.label == "count" and not change.before]


def mm_name(m: MachineState, mm: int) -> str:
    """Who uses an mm: "shell", "shell and child"; its number when nobody does."""
    return " and ".join(process.name for process in processes_of(m, mm)) or f"mm {mm}"


def pte_text(pte: int) -> str:
    """What a PTE leads to: "none", "page 7", "migration entry for page 7"."""
    kind = KINDS.get(pte & PTE_TYPE, "migration entry for page")
    return kind if kind == "none" else f"{kind} {pte >> PTE_PFN}"


def pte_bits(pte: int) -> str:
    """The bits of a present PTE: "writable, dirty"; "read-only" where it may not be written."""
    names = [name for bit, name in BITS.items() if pte & bit]
    return ", ".join(names if pte & PTE_WRITABLE else ["read-only", *names])


def flags_text(flags: int) -> str:
    """Page flags by name."""
    return ", ".join(name for flag, name in FLAG_NAMES.items() if flags & flag) or "none"


def mapping_text(mapping: int) -> str:
    """What a page belongs to."""
    return f"file {mapping}" if mapping > 0 else f"anon_vma {-mapping}" if mapping else "none"


def contents_text(token: int) -> str:
    """What is written in a page, as a token."""
    return f"#{token}" if token else "zeroes"


def answer_text(value: int) -> str:
    """An element of outcome[]."""
    return "undecided" if value == UNSET else errno_name(value) if value < 0 else f"on node {value}"


def _tell(m: MachineState, change: Change) -> Told | None:
    if change.label in FRAME:
        return _tell_frame(m, change)
    if change.label in HIDDEN:
        return None
    if change.label == "table":
        return _tell_structure(m, change)
    if change.label in FREE_LISTS:
        return _tell_free_list(m, change)
    if change.label == "pagevec":
        return _tell_pagevec(m, change)
    return _tell_array(m, change)


#: Fields of a frame that people know, and how their values read.
FRAME: dict[str, Callable[[MachineState, int], str]] = {
    "count": lambda m, value: str(value),
    "mapcount": lambda m, value: str(value),
    "mapping": lambda m, value: mapping_text(value),
    "index": lambda m, value: str(value),
    "flags": lambda m, value: flags_text(value),
    "owner": lambda m, value: f"locked by {holder_name(m, value)}" if value else "unlocked",
    "contents": lambda m, value: contents_text(value),
    "stamp": lambda m, value: "on its list" if value else "on no list",
}
FIELD_NAMES = {"owner": "", "stamp": "LRU"}
HIDDEN = frozenset({"free", "private", "clock", "queued page of entry", "vmstat", "numastat"})


def _tell_frame(m: MachineState, change: Change) -> Told:
    words = FRAME[change.label]
    name = FIELD_NAMES.get(change.label, change.label)
    where = f"frame {change.index}: {name}".rstrip()
    return Told(where, words(m, change.before), words(m, change.after), change.index, change.label)


def _noted_page(change: Change) -> int | None:
    """The page whose noted holders a change concerns: the first stands in the frame, further ones in the table."""
    if change.label == "holder":
        return int(change.index)
    if change.label == "table" and isinstance(change.index, tuple) and change.index[0] == "holders":
        return int(change.index[1])
    return None


def _tell_holders(m: MachineState, page: int, differences: list[Change]) -> Told:
    """The tasks and pins that hold a page, before and after."""
    first, others = m.holder[page], m.table.get(("holders", page))
    after = _holders(m, first, others)
    for change in differences:
        if _noted_page(change) == page:
            first = change.before if change.label == "holder" else first
            others = change.before if change.label == "table" else others
    return Told(f"frame {page}: held by", _holders(m, first, others), after, page, "holder")


def _holders(m: MachineState, first: int, others: tuple[int, ...] | None) -> str:
    held = Counter(others or ())
    if first:
        held[first & HOLDER_MASK] += first >> HOLDER_BITS
    names = [holder_name(m, holder) + (f" × {times}" if times > 1 else "") for holder, times in sorted(held.items())]
    return ", ".join(names) or "no task"


def _tell_free_list(m: MachineState, change: Change) -> Told:
    node = m.node_ids[change.index]
    if change.label == FREE_LISTS[1]:
        return Told(f"node {node}: frames never used", str(change.before), str(change.after))
    return Told(f"node {node}: frames given back", str(change.before), str(change.after))


def _tell_pagevec(m: MachineState, change: Change) -> Told | None:
    row, slot = divmod(change.index, PAGEVEC_ROW)
    if slot:
        return None
    cpu = next(cpu for cpu, its_row in m.cpu_row.items() if its_row == row)
    return Told(f"pagevec of CPU {cpu}: pages", str(change.before), str(change.after))


def _tell_array(m: MachineState, change: Change) -> Told | None:
    table = PAGE_TABLE.fullmatch(change.label)
    if table:
        address = int(table[2], 16) + (change.index << PAGE_SHIFT)
        before, after = pte_text(change.before), pte_text(change.after)
        if before == after:
            before, after = pte_bits(change.before), pte_bits(change.after)
        return Told(f"PTE of {mm_name(m, int(table[1]))} at {address:#x}:", before, after)
    if change.label == "outcome":
        return Told(f"entry {change.index}:", answer_text(change.before), answer_text(change.after))
    cache = PAGE_CACHE.fullmatch(change.label)
    if cache:
        before, after = (f"page {slot - 1}" if slot else "empty" for slot in (change.before, change.after))
        name = change.label.replace("page cache of the swap disc", "swap cache")
        return Told(f"{name}, slot {change.index}:", before, after)
    if change.label == SWAP_MAP:
        return Told(f"{SWAP_MAP} {change.index}:", str(change.before), str(change.after))
    return Told(m.place_name(change) + ":", str(change.before), str(change.after))


def _tell_structure(m: MachineState, change: Change) -> Told | None:
    kind, *rest = change.index if isinstance(change.index, tuple) else (change.index,)
    tell = STRUCTURES.get(str(kind))
    return tell(m, rest[0], change.before, change.after) if tell and rest else None


def _semaphore(m: MachineState, value: Semaphore | None) -> str:
    if value is None:
        return "free"
    held = [f"{holder_name(m, value.writer)} writes"] if value.writer else []
    held += [f"{holder_name(m, task)} reads" for task in value.readers]
    held += [f"{holder_name(m, task)} waits" for task, _ in value.queue]
    return ", ".join(held)


def _owner(m: MachineState, value: int | None) -> str:
    return f"held by {holder_name(m, value)}" if value else "free"


def _area(m: MachineState, value: Any) -> str:
    if not value:
        return "none"
    policy = f", {policy_text(value.policy)}" if value.policy else ""
    return f"{value.start:#x}-{value.end:#x} of {mm_name(m, value.mm)}{policy}"


def _process(m: MachineState, value: Any) -> str:
    if not value:
        return "none"
    policy = f", policy {policy_text(value.mempolicy)}" if value.mempolicy else ""
    turn = f", next node {value.il_next}" if value.mempolicy and value.mempolicy.mode == MPOL_INTERLEAVE else ""
    cpuset = f", cpuset {cpuset_numbered(m, value.cpuset).name!r}" if value.cpuset else ""
    return f"{value.name}{policy}{turn}{cpuset}"


def _cpuset(m: MachineState, value: Any) -> str:
    return f"nodes {', '.join(map(str, value.mems))}" if value else "none"


def _exists(value: Any, there: str) -> str:
    return there if value else "none"


#: Structures of the table that people know: (machine, number, before, after) -> words.
STRUCTURES: dict[str, Callable[[MachineState, int, Any, Any], Told]] = {
    "mmap_sem": lambda m, mm, a, b: Told(f"mmap_sem of {mm_name(m, mm)}:", _semaphore(m, a), _semaphore(m, b)),
    "rmap lock": lambda m, n, a, b: Told(f"reverse map of {mapping_text(n)}:", _owner(m, a), _owner(m, b)),
    "writeback": lambda m, page, a, b: Told(f"frame {page}: writeback", _owner(m, a), _owner(m, b), page, "writeback"),
    "buffer lock": lambda m, key, a, b: Told(
        f"buffers of file {key >> 32}, page {key & 0xFFFFFFFF}:", _owner(m, a), _owner(m, b)
    ),
    "vma": lambda m, n, a, b: Told(f"area {n}:", _area(m, a), _area(m, b)),
    "process": lambda m, pid, a, b: Told(f"process {pid}:", _process(m, a), _process(m, b)),
    "cpuset": lambda m, n, a, b: Told(f"cpuset {(a or b).name!r}:", _cpuset(m, a), _cpuset(m, b)),
    "pin": lambda m, n, a, b: Told("pin:", _exists(a, a and a.name), _exists(b, b and b.name)),
}
