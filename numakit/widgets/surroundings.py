"""What stands around the pages of a step: the slot of the page cache, lists, nodes, locks and who waits for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from numakit.machine.locks import Semaphore
from numakit.machine.pagecache import SWAPPER_SPACE, page_index, page_mapping, space_of
from numakit.machine.process import processes
from numakit.machine.references import HOLDER_MASK, holder_name, noted_holders
from numakit.machine.state import PAGEVEC_ROW, PG_ACTIVE, RMAP_SHIFT, MachineState
from numakit.timeline.state import Change
from numakit.widgets.changes import PAGE_CACHE, mapping_text, mm_name, net
from numakit.widgets.reading import CALL, Reading

SHOWN_IN_LIST = 5  #: pages of a list that are shown
SHOWN_LISTS = 4  #: nodes of a machine that is small enough to show all LRU lists
SHOWN_NODES = 8  #: nodes that are shown; the two concerned first


class SlotScene(NamedTuple):
    """The slot of the page cache, or of the swap cache, that leads to the pages looked at: ``leads_to`` is "old",
    "new", "another" or "nothing".
    """

    cache: str
    place: int
    page: int | None
    leads_to: str
    changed: bool
    before: str


class ListScene(NamedTuple):
    """A list of pages: how many there are, and the first of them; ``roles`` says "old", "new" or "" of each."""

    name: str
    size: int
    pages: tuple[int, ...]
    roles: tuple[str, ...]
    changed: bool


class NodeScene(NamedTuple):
    """How full a node is. ``role``: "old", "new" or "old, new" where pages looked at lie."""

    node: int
    used: int
    frames: int
    role: str
    changed: bool


class LockScene(NamedTuple):
    """A lock: who has it, and who waits for it."""

    name: str
    owners: tuple[str, ...]
    waiters: tuple[str, ...]
    changed: bool


# -- the page cache


def slot_scene(m: MachineState, old: int | None, new: int | None, changes: list[Change]) -> SlotScene | None:
    """The slot for the old page, or for the new one that took its place; None for anonymous pages."""
    page = next((p for p in (old, new) if p is not None and page_mapping(m, p)), None)
    if page is None or ("mapping", page_mapping(m, page)) not in m.table:
        return None
    space, index = space_of(m, page_mapping(m, page)), page_index(m, page)
    slots = m.arrays[space.slots]
    if not 0 <= index < len(slots):
        return None
    there = slots[index] - 1 if slots[index] else None
    leads_to = "nothing" if there is None else "old" if there == old else "new" if there == new else "another"
    was = ""
    for change in net(changes):
        cache = PAGE_CACHE.fullmatch(change.label)
        if cache and cache[1] == space.name and change.index == index:
            was = f"page {change.before - 1}" if change.before else "empty"
    swap = page_mapping(m, page) == SWAPPER_SPACE
    name = "swap cache" if swap else f"page cache of {space.name or 'shared memory'}"
    return SlotScene(name, index, there, leads_to, bool(was), was)


# -- lists


def list_scenes(
    m: MachineState, reading: Reading, old: int | None, new: int | None, step: int, changes: list[Change]
) -> Iterator[ListScene]:
    """The LRU lists of the nodes concerned, what the call has isolated, and the pagevec of who acted."""
    differences = net(changes)
    moved = {change.index for change in differences if change.label == "stamp"}
    held = {change.index for change in differences if change.label in ("holder", "count")}
    for node in _nodes_with_lists(m, old, new):
        size, pages = _lru(m, node)
        yield _list(f"LRU of node {node}", size, pages, old, new, any(m.node(page) == node for page in moved))
    isolated = [page for page, first in reading.taken_off.items() if first <= step and _isolated(m, page)]
    yield _list(
        "isolated by the call", len(isolated), isolated, old, new, bool(held & reading.taken_off.keys() & moved)
    )
    cpu = reading.tasks[reading.turns[step - 1].task - 1].cpu if step else m.run.call.cpu if m.run else m.cpu
    row = m.cpu_row[cpu] * PAGEVEC_ROW
    waiting = list(m.pagevec[row + 1 : row + 1 + m.pagevec[row]])
    its_own = any(c.label == "pagevec" and row <= c.index < row + PAGEVEC_ROW for c in differences)
    yield _list(f"pagevec of CPU {cpu}", len(waiting), waiting, old, new, its_own)


def _nodes_with_lists(m: MachineState, old: int | None, new: int | None) -> list[int]:
    """The nodes whose lists are shown: all of a small machine, else the two concerned; so that no list moves."""
    with_memory = [node for node in m.node_ids if len(m.frames_of(node))]
    if len(with_memory) <= SHOWN_LISTS:
        return with_memory
    concerned = [m.node(page) for page in (old, new) if page is not None]
    return list(dict.fromkeys([*concerned, *with_memory]))[:2]


def _list(name: str, size: int, pages: list[int], old: int | None, new: int | None, changed: bool) -> ListScene:
    """Those looked at are always among the shown ones; the order stays."""
    concerned = [page for page in pages if page in (old, new)]
    others = [page for page in pages if page not in (old, new)][: SHOWN_IN_LIST - len(concerned)]
    shown = [page for page in pages if page in concerned or page in others]
    roles = ["old" if page == old else "new" if page == new else "" for page in shown]
    return ListScene(name, size, tuple(shown), tuple(roles), changed)


def _lru(m: MachineState, node: int) -> tuple[int, list[int]]:
    """How many pages are on the LRU lists of a node, and the pages that came last, active ones first."""
    frames = m.frames_of(node)
    stamps = np.asarray(m.stamp)[frames.start : frames.stop]
    active = np.asarray(m.flags)[frames.start : frames.stop] & PG_ACTIVE
    on_list = np.flatnonzero(stamps)
    if len(on_list) > 64:
        newest = np.argpartition(stamps[on_list], -64)[-64:]
        shown = on_list[newest]
    else:
        shown = on_list
    order = np.lexsort((-stamps[shown], active[shown] == 0))
    return len(on_list), [int(page) + frames.start for page in shown[order]]


def _isolated(m: MachineState, page: int) -> bool:
    if m.stamp[page] or not m.count[page]:
        return False
    noted = m.holder[page]
    return bool(noted) and (noted & HOLDER_MASK == CALL or CALL in noted_holders(m, page))


# -- nodes


def node_scenes(m: MachineState, old: int | None, new: int | None, changes: list[Change]) -> Iterator[NodeScene]:
    """How full the nodes are: on machines with many nodes those concerned, those that changed, and the first others."""
    changed = {m.node(c.index) for c in net(changes) if c.label == "count" and bool(c.before) != bool(c.after)}
    where = {role: m.node(page) for role, page in (("old", old), ("new", new)) if page is not None}
    with_memory = [node for node in m.node_ids if len(m.frames_of(node))]
    wanted = [*where.values(), *sorted(changed), *with_memory]
    for node in sorted(list(dict.fromkeys(wanted))[:SHOWN_NODES]):
        frames = len(m.frames_of(node))
        role = ", ".join(role for role, its_node in where.items() if its_node == node)
        yield NodeScene(node, frames - m.nr_free(node), frames, role, node in changed)


# -- locks


def lock_scenes(
    m: MachineState, reading: Reading, old: int | None, step: int, changes: list[Change]
) -> Iterator[LockScene]:
    """mmap_sem of every mm, the reverse map of the page looked at, and every page lock that somebody waits for."""
    waiting = _waiting(m, reading, step)
    touched = {c.index[:2] for c in net(changes) if c.label == "table" and isinstance(c.index, tuple)}
    for mm in dict.fromkeys(process.mm for process in processes(m) if process.mm):
        semaphore: Semaphore = m.table.get(("mmap_sem", mm)) or Semaphore()
        owners = [f"{holder_name(m, semaphore.writer)} (writes)"] if semaphore.writer else []
        owners += [f"{holder_name(m, task)} (reads)" for task in semaphore.readers]
        queue = [holder_name(m, task) for task, _ in semaphore.queue]
        yield LockScene(f"mmap_sem of {mm_name(m, mm)}", tuple(owners), tuple(queue), ("mmap_sem", mm) in touched)
    mapping = m.mapping[old] if old is not None else 0
    if mapping:
        owner = m.table.get(("rmap lock", mapping))
        waiters = waiting.get(("rmap", mapping + RMAP_SHIFT), [])
        changed = ("rmap lock", mapping) in touched
        name = f"reverse map of {mapping_text(mapping)}"
        yield LockScene(name, (holder_name(m, owner),) if owner else (), tuple(waiters), changed)
    owned = {c.index for c in net(changes) if c.label == "owner"}
    pages = {what for lock, what in waiting if lock == "page"} | ({old} if old is not None else set())
    for page in sorted(pages):
        holder = m.owner[page]
        waiters = waiting.get(("page", page), [])
        yield LockScene(
            f"lock of page {page}", (holder_name(m, holder),) if holder else (), tuple(waiters), page in owned
        )
    for lock, what in sorted(waiting):
        if lock in ("writeback", "buffer lock"):
            blockers = m.blockers(lock, what, 0)
            owners = [holder_name(m, blocker) for blocker in blockers]
            yield LockScene(m.lock_name(lock, what), tuple(owners), tuple(waiting[lock, what]), False)


def _waiting(m: MachineState, reading: Reading, step: int) -> dict[tuple[str, int], list[str]]:
    """Who stands before a lock that somebody else has, by lock."""
    waiting: dict[tuple[str, int], list[str]] = {}
    for task in reading.tasks:
        at = reading.standing(task, step)
        if at and at[0].lock and m.blockers(at[0].lock, at[1], task.number):
            waiting.setdefault((at[0].lock, at[1]), []).append(task.name)
    return waiting
