"""The oracle of the random tests: what every process reads, watched from turn to turn.

A migration, a fork, a pin, an mlock, reclaim, a disc or the holder of a page lock changes nothing that anybody reads.
A write changes what its own process reads, or what stands in a file. Only munmap and exit make places vanish, and
truncation those that it cuts off. A place that appears reads as zeroes, as what was written just now (or found on a
disc), in a child as what its parent reads, and a private copy as what stands in the file.

No process gets a page of a node that its cpuset forbids.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from numakit import Machine
from numakit.abi import PAGE_SHIFT
from numakit.machine.consistency import is_key
from numakit.machine.pagecache import SWAPPER_SPACE, AddressSpace, disc_of, slots_of
from numakit.machine.references import FIRST_PIN, HOLDER_MASK
from numakit.machine.state import PG_UPTODATE
from numakit.machine.vma import (
    MIGRATION_ENTRIES,
    PTE_NONE,
    PTE_PFN,
    PTE_PRESENT,
    PTE_SWAP,
    PTE_TYPE,
    VmAreaStruct,
)
from numakit.moments import COPY_ON_WRITE, COPY_PTE, ZAP_PTE, Moment
from numakit.timeline.run import Run
from numakit.timeline.task import Task
from tests.random.sights import Sights

#: Where something can be read: ("mm", mm, page number of the address) or ("file", number of the file, index).
Place: TypeAlias = tuple[str, int, int]
Schedule: TypeAlias = Callable[[Run[Any]], Task | None]

WRITERS = ("write", "store", "a device", "direct I/O")  #: a device that reads from a disc writes to memory


class View:
    """What can be read now: ``reads`` has the contents of each place, ``copied`` the places whose page is on its way
    and can be read by nobody.

    Private memory is read through PTEs, migration entries and swap slots included: whoever touches one gets the page
    behind it, later. A file's page is read through the file, from its disc if it is not in memory. Through a migration
    entry it would be wrong to look: others may already write to the new page.

    ``entries``: pages behind migration entries. ``swapped``: places that lie in swap, and whether the swap cache has
    their page. ``cached``: pages of files. ``behind``: (file, index) of places in areas that map a file. ``verdicts``:
    (task, page) -> the row decided for it.
    """

    def __init__(self, m: Machine) -> None:
        self.reads: dict[Place, int] = {}
        self.copied: set[Place] = set()
        self.entries: set[int] = set()
        self.swapped: dict[Place, bool] = {}
        self.cached: set[int] = set()
        self.behind: dict[Place, tuple[int, int]] = {}
        self.verdicts: dict[tuple[int, int], str] = {}
        for key, value in m.table.items():
            if is_key(key, "vma"):
                self._read_area(m, value)
            elif is_key(key, "mapping") and key[1] != SWAPPER_SPACE and not has_ended(m, key[1], value):
                self._read_file(m, key[1], value)
            elif is_key(key, "page verdict"):
                self.verdicts[key[1], key[2]] = value.row

    def _read_area(self, m: Machine, vma: VmAreaStruct) -> None:
        number = vma.start >> PAGE_SHIFT
        for i, pte in enumerate(m.arrays[vma.table][vma.first : vma.first + vma.pages]):
            kind, page, place = pte & PTE_TYPE, pte >> PTE_PFN, ("mm", vma.mm, number + i)
            if vma.file:
                self.behind[place] = vma.file, vma.pgoff + i
            if kind in MIGRATION_ENTRIES:
                self.entries.add(page)
            if kind == PTE_SWAP:
                self._read_slot(m, place, page)
            elif kind != PTE_NONE and (not vma.file or m.mapping[page] < 0):
                self.reads[place] = m.contents[page]
            elif kind == PTE_PRESENT:
                slot = slots_of(m, vma.file)[vma.pgoff + i]
                assert slot == page + 1, f"mm {vma.mm} maps page {page}, but its file has page {slot - 1} there"
            elif kind != PTE_NONE and not m.mapping[page]:
                self.copied.add(place)

    def _read_slot(self, m: Machine, place: Place, slot: int) -> None:
        page = slots_of(m, SWAPPER_SPACE)[slot] - 1
        self.swapped[place] = page >= 0
        if page < 0:
            self.reads[place] = disc_of(m, SWAPPER_SPACE)[slot]
        elif m.flags[page] & PG_UPTODATE:
            self.reads[place] = m.contents[page]
        else:
            self.copied.add(place)

    def _read_file(self, m: Machine, file: int, space: AddressSpace) -> None:
        slots, blocks = m.arrays[space.slots], m.arrays[space.disc]
        self.cached.update(slot - 1 for slot in slots if slot)
        for index in range(space.size):
            page, place = slots[index] - 1, ("file", file, index)
            if page < 0 and (not blocks or blocks[index]):
                self.reads[place] = blocks[index] if blocks else 0
            elif page >= 0 and m.flags[page] & PG_UPTODATE:
                self.reads[place] = m.contents[page]
            elif page >= 0:
                self.copied.add(place)


class Witness:
    """Sees every turn of a run, and complains (AssertionError) about one that breaks a promise.

    ``seen`` counts what is worth reaching: see :mod:`tests.random.sights`.
    """

    def __init__(self, run: Run[Any], seen: Counter[str] | None = None) -> None:
        self.run, self.machine = run, run.machine
        self._sights = Sights(run, Counter() if seen is None else seen)
        self._looked_at = run.position
        self._known: dict[Place, int] = {}
        self._mms: dict[int, int] = {}
        self._take_in(View(self.machine))

    def watching(self, schedule: Schedule) -> Schedule:
        """The same schedule; before every turn the one before is looked at."""

        def watched(run: Run[Any]) -> Task | None:
            self.look()
            return schedule(run)

        return watched

    def look(self) -> None:
        """See what the last turn did."""
        if self.run.position == self._looked_at:
            return
        assert self.run.position == self._looked_at + 1, "a turn was taken unseen"
        task, moment, about = self.run.unpack(self.run.position - 1)
        view, before = View(self.machine), self._known
        changed = [place for place, token in view.reads.items() if before.get(place, token) != token]
        if changed:
            self._see_writes(task, changed, view)
        self._see_what_appeared(task, moment, about, view)
        self._see_what_vanished(task, moment, about, view)
        self._see_pages_that_are_held(task)
        self._see_what_was_allocated(task)
        self._sights.note(task, moment, about, self._view, view)
        self._take_in(view)

    def _take_in(self, view: View) -> None:
        m = self.machine
        # A page that is being copied is not to be read, and comes back as it was.
        kept = {place: self._known[place] for place in view.copied if place in self._known}
        self._known, self._view = kept | view.reads, view
        self._mms.update((key[1], task.mm) for key, task in m.table.items() if is_key(key, "process"))
        self._pins, self._locks, self._written = pinned(m), locked(m), under_writeback(m)
        self._token, self._looked_at = m.clock[1], self.run.position
        self._free = [not count for count in m.count]
        self._mems = {key[1]: task.mems for key, task in m.table.items() if is_key(key, "process")}

    def _see_writes(self, task: Task, changed: list[Place], view: View) -> None:
        told = f"{task.name} (pid {task.pid}) changed what is read at {changed}"
        assert task.name in WRITERS, told
        tokens = [view.reads[place] for place in changed]
        assert min(tokens) > self._token, f"{told}: an old write came back, or a new one was lost"
        assert len(set(tokens)) == len(tokens), f"{told}: one write is read at several places"
        others = [place for place in changed if place[0] == "mm" and place[1] != self._mms[task.pid]]
        assert not others, f"{told}: of these, {others} are another process' private memory"

    def _see_what_appeared(self, task: Task, moment: Moment, about: int, view: View) -> None:
        """A child's page on its way is known to be as its parent's; it can be read later."""
        for place in (view.reads.keys() | view.copied) - self._known.keys():
            token, source = view.reads.get(place), self._source_of(task, moment, about, place, view)
            if token is None:
                if moment is COPY_PTE and source is not None:
                    self._known[place] = source
                continue
            new = moment is not COPY_PTE and (token == 0 or token > self._token)
            assert new or token == source, f"{task.name} at {moment} made {place} read {token}; {source} was there"

    def _source_of(self, task: Task, moment: Moment, about: int, place: Place, view: View) -> int | None:
        """What stands where a place that appears was copied from: in the parent's memory, or in a file."""
        if moment is COPY_PTE and place[0] == "mm" and place[2] == about:
            return self._known.get(("mm", self._mms[task.pid], about))
        if moment is COPY_ON_WRITE and place in view.behind:
            return self._known.get(("file", *view.behind[place]))
        return None

    def _see_what_vanished(self, task: Task, moment: Moment, about: int, view: View) -> None:
        for place in self._known.keys() - view.reads.keys() - view.copied:
            told = f"{task.name} at {moment} made {place} vanish"
            if place[0] == "file":
                assert self._is_cut_off(place[1], place[2]), told
                continue
            assert (moment, about) == (ZAP_PTE, place[2]), told
            if task.name == "truncate":
                assert self._is_cut_off(*self._view.behind[place]), told

    def _see_what_was_allocated(self, task: Task) -> None:
        """A process may take pages of the nodes that its cpuset allows, or did when it looked last."""
        m = self.machine
        struct = m.table.get(("process", task.pid))
        if struct is None:
            return
        allowed = {*self._mems.get(task.pid, ()), *m.table["cpuset", struct.cpuset].mems}
        got = {page: m.node(page) for page, count in enumerate(m.count) if count and self._free[page]}
        outside = {page: node for page, node in got.items() if node not in allowed}
        assert not outside, f"{task.name} (pid {task.pid}) got {outside} (page: node), its cpuset allows {allowed}"

    def _is_cut_off(self, file: int, index: int) -> bool:
        """Whether a file has become too short for an index, or has ended."""
        space: AddressSpace | None = self.machine.table.get(("mapping", file))
        return space is None or index >= space.size or has_ended(self.machine, file, space)

    def _see_pages_that_are_held(self, task: Task) -> None:
        m = self.machine
        assert not m.contents[m.table["zero page"]], "somebody wrote to the zero page"
        pins = pinned(m)
        for page, mapping in self._pins.items():
            same = pins.get(page, mapping) == mapping or (mapping > 0 and self._is_cut_off(mapping, m.index[page]))
            assert same, f"page {page} lost its place while it was pinned"
        for page, mapping in self._written.items():
            same = ("writeback", page) not in m.table or m.mapping[page] == mapping
            assert same, f"{task.name} took page {page} from its place while a disc reads it"
        for page, (owner, mapping) in self._locks.items():
            same = m.owner[page] != owner or m.mapping[page] == mapping or task.number == owner
            assert same, f"{task.name} took page {page} from its place while {self.run.tasks[owner - 1].name} locks it"


def has_ended(m: Machine, file: int, space: AddressSpace) -> bool:
    """Whether it is shared memory that no area maps any more: its pages are being dropped."""
    return not space.name and ("rmap", file) not in m.table


def pinned(m: Machine) -> dict[int, int]:
    """The pages that pipes and devices hold, and the mapping of each."""
    held = {page: m.mapping[page] for page, holder in enumerate(m.holder) if holder & HOLDER_MASK >= FIRST_PIN}
    for key, holders in m.table.items():
        if is_key(key, "holders") and max(holders) >= FIRST_PIN:
            held[key[1]] = m.mapping[key[1]]
    return held


def under_writeback(m: Machine) -> dict[int, int]:
    """The pages that discs read now, and the mapping of each."""
    return {key[1]: m.mapping[key[1]] for key in m.table if is_key(key, "writeback")}


def locked(m: Machine) -> dict[int, tuple[int, int]]:
    """The pages that are locked: who has each, and its mapping."""
    return {page: (owner, m.mapping[page]) for page, owner in enumerate(m.owner) if owner}
