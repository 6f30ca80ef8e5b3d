"""What random play comes across: races, waits, and the paths of files and swap, counted by name."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from numakit.machine.state import PG_SWAPCACHE
from numakit.moments import (
    COPY_FLAGS,
    COPY_ON_WRITE,
    FREED,
    MOVE_BUFFERS,
    REMOVE_ENTRY,
    SLEEP_ON_PAGE,
    SWITCH,
    TRUNCATE_PAGE,
    WRITEBACK,
    Moment,
)
from numakit.timeline.run import Run
from numakit.timeline.task import Task

if TYPE_CHECKING:
    from tests.random.oracle import View

ROLLBACK, COPIED_MEANWHILE = "rollback", "copy on write during a migration"
RACES = (ROLLBACK, COPIED_MEANWHILE)
GONE, WRITTEN, BUFFERS, SWAP_CACHE = "gone by truncation", "written, then moved", "buffers moved", "moved in swap cache"
SWAP_IN, SWAP_OUT, FILE_COPIED = "swap in", "swap out", "private copy of a file's page"
TRUNCATION_WAITS, DISC_AWAITED = "truncation waits for a page", "forced wait for writeback"
FILE_PATHS = (
    *(GONE, WRITTEN, BUFFERS, SWAP_CACHE, SWAP_IN, SWAP_OUT, FILE_COPIED),
    *(TRUNCATION_WAITS, DISC_AWAITED),
)


class Sights:
    """Counts into ``seen`` what the turns of a run show."""

    def __init__(self, run: Run[Any], seen: Counter[str]) -> None:
        self.run, self.machine, self.seen = run, run.machine, seen
        self._truncated: set[int] = set()
        self._written: set[tuple[int, int]] = set()

    def note(self, task: Task, moment: Moment, about: int, before: View, after: View) -> None:
        """A turn: ``task`` acted from ``moment`` on; what could be read before it, and after it."""
        self._note_waits(task, moment)
        self._note_races(moment, about, before, after)
        self._note_files(task, moment, about, before, after)
        self._note_swap(moment, about, before, after)

    def _note_waits(self, task: Task, moment: Moment) -> None:
        at = task.at[0]
        if task.done or not at.lock or at is moment or not self.run.waits_for(task):
            return
        self.seen[f"wait at {at}"] += 1
        self.seen[TRUNCATION_WAITS] += moment is TRUNCATE_PAGE and at is SLEEP_ON_PAGE
        self.seen[DISC_AWAITED] += moment is WRITEBACK

    def _note_races(self, moment: Moment, about: int, before: View, after: View) -> None:
        self.seen[ROLLBACK] += moment is REMOVE_ENTRY and about in before.entries and about not in after.entries
        under_way = not self.run.call.done and self.run.place.in_pass >= 0
        self.seen[COPIED_MEANWHILE] += moment is COPY_ON_WRITE and under_way

    def _note_files(self, task: Task, moment: Moment, about: int, before: View, after: View) -> None:
        if task.name == "truncate":
            self._truncated |= before.cached - after.cached
        for key in after.verdicts.keys() - before.verdicts.keys():
            if after.verdicts[key] == "gone":
                self.seen[GONE] += moment is FREED and key[1] in self._truncated and not self.machine.mapping[key[1]]
        self._written |= {key for key, row in after.verdicts.items() if row == "written"}
        self.seen[WRITTEN] += moment is COPY_FLAGS and (task.number, about) in self._written
        self.seen[BUFFERS] += moment is MOVE_BUFFERS
        if moment is COPY_ON_WRITE:
            self.seen[FILE_COPIED] += len((after.reads.keys() - before.reads.keys()) & after.behind.keys())

    def _note_swap(self, moment: Moment, about: int, before: View, after: View) -> None:
        self.seen[SWAP_CACHE] += moment is SWITCH and bool(self.machine.flags[about] & PG_SWAPCACHE)
        for place, cached in before.swapped.items():
            self.seen[SWAP_IN] += place in after.reads and place not in after.swapped
            self.seen[SWAP_OUT] += cached and after.swapped.get(place) is False
