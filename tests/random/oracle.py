"""The oracle of the random tests: what every process reads, watched from turn to turn.

A migration, a fork, a pin, an mlock or the holder of a page lock changes nothing that anybody reads. A write changes
what its own process reads, or what stands in a file. Only munmap and exit make places vanish. A place that appears
reads as zeroes, as what was written just now or, in a child, as what its parent reads.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from numakit import Machine
from numakit.abi import PAGE_SHIFT
from numakit.machine.consistency import is_key
from numakit.machine.references import FIRST_PIN, HOLDER_MASK
from numakit.machine.state import PG_UPTODATE
from numakit.machine.vma import MIGRATION_ENTRIES, PTE_PFN, PTE_PRESENT, PTE_TYPE, VM_SHARED
from numakit.moments import COPY_ON_WRITE, COPY_PTE, REMOVE_ENTRY, ZAP_PTE, Moment
from numakit.timeline.run import Run
from numakit.timeline.task import Task

#: Where something can be read: ("mm", mm, page number of the address) or ("file", number of the file, index).
Place: TypeAlias = tuple[str, int, int]
Schedule: TypeAlias = Callable[[Run[Any]], Task | None]

WRITERS = ("write", "store", "a device", "direct I/O")  #: a device that reads from a disc writes to memory


class View:
    """What can be read now: ``reads`` has the contents of each place; ``entries`` are the pages behind migration
    entries.

    Private memory is read through PTEs, migration entries included: whoever touches one gets the page behind it, later.
    A file's page is read through the file, if it is up to date. Through a migration entry it would be wrong to look:
    others may already write to the new page.
    """

    def __init__(self, m: Machine) -> None:
        self.reads: dict[Place, int] = {}
        self.entries: set[int] = set()
        for key, value in m.table.items():
            if is_key(key, "vma"):
                self._read_area(m, value)
            elif is_key(key, "mapping"):
                self._read_file(m, key[1], m.arrays[value.slots])

    def _read_area(self, m: Machine, vma: Any) -> None:
        number = vma.start >> PAGE_SHIFT
        for i, pte in enumerate(m.arrays[vma.table][vma.first : vma.first + vma.pages]):
            kind, page = pte & PTE_TYPE, pte >> PTE_PFN
            if kind in MIGRATION_ENTRIES:
                self.entries.add(page)
            elif kind != PTE_PRESENT:
                continue
            if not vma.file or m.mapping[page] < 0:
                self.reads["mm", vma.mm, number + i] = m.contents[page]
            elif kind == PTE_PRESENT and vma.flags & VM_SHARED:
                slot = m.arrays[m.table["mapping", vma.file].slots][vma.pgoff + i]
                assert slot == page + 1, f"mm {vma.mm} maps page {page}, but its file has page {slot - 1} there"

    def _read_file(self, m: Machine, file: int, slots: memoryview[int]) -> None:
        for index, slot in enumerate(slots):
            if slot and m.flags[slot - 1] & PG_UPTODATE:
                self.reads["file", file, index] = m.contents[slot - 1]


class Witness:
    """Sees every turn of a run, and complains (AssertionError) about one that breaks a promise.

    ``seen`` counts what is worth reaching: rollbacks, waits by the moment at which somebody slept, copies on write
    during a migration.
    """

    def __init__(self, run: Run[Any], seen: Counter[str] | None = None) -> None:
        self.run, self.machine = run, run.machine
        self.seen: Counter[str] = Counter() if seen is None else seen
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
        self._count(task, moment, about, view)
        self._take_in(view)

    def _take_in(self, view: View) -> None:
        m = self.machine
        files = {place: token for place, token in self._known.items() if place[0] == "file"}
        # A page of a file that is being copied is not to be read, and comes back as it was.
        kept = {place: token for place, token in files.items() if ("mapping", place[1]) in m.table}
        self._known, self._view = kept | view.reads, view
        self._mms.update((key[1], task.mm) for key, task in m.table.items() if is_key(key, "process"))
        self._pins, self._locks = pinned(m), locked(m)
        self._token, self._looked_at = m.clock[1], self.run.position

    def _see_writes(self, task: Task, changed: list[Place], view: View) -> None:
        told = f"{task.name} (pid {task.pid}) changed what is read at {changed}"
        assert task.name in WRITERS, told
        tokens = [view.reads[place] for place in changed]
        assert min(tokens) > self._token, f"{told}: an old write came back, or a new one was lost"
        assert len(set(tokens)) == len(tokens), f"{told}: one write is read at several places"
        others = [place for place in changed if place[0] == "mm" and place[1] != self._mms[task.pid]]
        assert not others, f"{told}: of these, {others} are another process' private memory"

    def _see_what_appeared(self, task: Task, moment: Moment, about: int, view: View) -> None:
        for place in view.reads.keys() - self._known.keys():
            token = view.reads[place]
            if moment is COPY_PTE and place[0] == "mm":
                same = self._known["mm", self._mms[task.pid], about]
                assert (place[2], token) == (about, same), f"a child reads {token} at {place}, its parent {same}"
            else:
                assert token == 0 or token > self._token, f"{task.name} made {place} read {token}, which is old"

    def _see_what_vanished(self, task: Task, moment: Moment, about: int, view: View) -> None:
        for place in self._known.keys() - view.reads.keys():
            if place[0] == "mm":
                zapped = moment is ZAP_PTE and about == place[2]
                assert zapped, f"{task.name} at {moment} made {place} vanish"

    def _see_pages_that_are_held(self, task: Task) -> None:
        m = self.machine
        assert not m.contents[m.table["zero page"]], "somebody wrote to the zero page"
        pins = pinned(m)
        for page, mapping in self._pins.items():
            same = pins.get(page, mapping) == mapping or ("rmap", mapping) not in m.table  # else: its file is gone
            assert same, f"page {page} lost its place while it was pinned"
        for page, (owner, mapping) in self._locks.items():
            same = m.owner[page] != owner or m.mapping[page] == mapping or task.number == owner
            assert same, f"{task.name} took page {page} from its place while {self.run.tasks[owner - 1].name} locks it"

    def _count(self, task: Task, moment: Moment, about: int, view: View) -> None:
        at = task.at[0]
        if not task.done and at.lock and at is not moment and self.run.waits_for(task):
            self.seen[f"wait at {at}"] += 1
        if moment is REMOVE_ENTRY and about in self._view.entries and about not in view.entries:
            self.seen["rollback"] += 1
        call, in_pass = self.run.call, self.run.place.in_pass
        if moment is COPY_ON_WRITE and not call.done and in_pass >= 0:
            self.seen["copy on write during a migration"] += 1


def pinned(m: Machine) -> dict[int, int]:
    """The pages that pipes and devices hold, and the mapping of each."""
    held = {page: m.mapping[page] for page, holder in enumerate(m.holder) if holder & HOLDER_MASK >= FIRST_PIN}
    for key, holders in m.table.items():
        if is_key(key, "holders") and max(holders) >= FIRST_PIN:
            held[key[1]] = m.mapping[key[1]]
    return held


def locked(m: Machine) -> dict[int, tuple[int, int]]:
    """The pages that are locked: who has each, and its mapping."""
    return {page: (owner, m.mapping[page]) for page, owner in enumerate(m.owner) if owner}
