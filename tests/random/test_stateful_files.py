"""Anything in any order to files of all file systems, swap and drivers; the model keeps its promises."""

from __future__ import annotations

from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PAGE_SIZE, Process
from numakit.kernels import SEED
from numakit.machine.pagecache import file_system_of
from tests.random.machines import small_machine
from tests.random.played import (
    LOOKING_UP,
    STEP,
    WHO,
    Meddler,
    Played,
    meddlers_at,
    play_examples,
    see_that_all_was_reached,
)
from tests.random.sights import FILE_PATHS
from tests.random.worlds import (
    FILE_PAGES,
    FILE_SYSTEMS,
    file_behind,
    pages_behind,
    places_from,
    swap_out,
    write_and_exit,
)

EXAMPLES = 1_800
ROWS = ("no-write", "write-fails", "buffers", "driver", "swapped", "not-read")
TO_REACH = [*ROWS, *FILE_PATHS]

#: Memory, a shared file, a private one, a driver's memory: an area each, with a hole behind it.
AREAS = ((0, 3), (4, FILE_PAGES), (8, 2), (11, 1))
PLACES = [address for first, pages in AREAS for address in places_from(0x10000000 + first * PAGE_SIZE, pages)]
OF_FILES = PLACES[3:8]
PLACE = st.integers(0, len(PLACES) - 1)
SOME = st.lists(PLACE, min_size=1, max_size=3)
MEMORY = st.lists(st.integers(0, 2), min_size=1, max_size=3)
ALL_KINDS = st.one_of(SOME, MEMORY)
FILE_SYSTEM = st.sampled_from([*FILE_SYSTEMS, *3 * ["reiserfs"], "ramfs", "faulty"])  # rare rows

ON_FILES = ("truncate", "write_back", "hold_buffers", "lock_buffers")
#: What meddlers do, as a lottery.
KINDS = [
    *("write", "read", "fork", "munmap", "exit", "mlock", "pin_for_a_while", "register_memory", "move_pages"),
    *("hold_page_lock", "reclaim", "reclaim", "write_back", "lock_buffers"),
    *(*7 * ["truncate"], *8 * ["hold_buffers"]),  # in time for only a few pages
]
MOMENTS = [
    *(*LOOKING_UP, "PASS", "GET_NEW_PAGE", "FREED", "TRY_TO_UNMAP", "LOCK_NEW_PAGE", "TREE_LOCK", "COPY"),
    *("REMOVE_ENTRY", "PUT_BACK"),
]
MEDDLERS = meddlers_at(MOMENTS, KINDS, times=(0, 0, 0, 1))


class Files(Played):
    """Two families of processes that map the same two files, and a swap disc that fills up."""

    frames: ClassVar = {0: 50, 1: 50}
    reached: ClassVar = Counter()

    @initialize(
        first=FILE_SYSTEM, second=FILE_SYSTEM, untouched=st.sets(PLACE, max_size=4), swapped=ALL_KINDS, forks=WHO
    )
    def populate(self, first: str, second: str, untouched: set[int], swapped: list[int], forks: int) -> None:
        """Each process maps one file shared and the other privately; most pages are there, some were reclaimed."""
        self.machine = machine = small_machine(self.frames, SEED, swap_pages=8)
        files = [machine.file("log", FILE_PAGES, first), machine.file("data", FILE_PAGES, second)]
        for which, name in enumerate(("parent", "visitor")):
            process = machine.spawn(name, uid=0, node=which)
            process.mmap(3)
            process.mmap(FILE_PAGES, shared=True, file=files[which])
            process.mmap(2, file=files[1 - which])
            process.mmap_driver(1)
            touched = [place for i, place in enumerate(PLACES) if i not in untouched]
            process.read(touched)
            process.write([place for i, place in enumerate(touched) if i % 3 or place not in OF_FILES])
        if forks % 2:
            machine.process(1).fork("child")
        swap_out(machine.process(1), addresses_of(swapped))
        machine.process(1).read(addresses_of(swapped[::2]))
        self.begin_recording()

    def what_is_done(
        self, meddler: Meddler, process: Process, target: Process, address: int, places: list[int]
    ) -> tuple[Any, tuple[Any, ...]]:
        """Also to the file behind the address, where there is one; reclaim takes all pages that the call is about."""
        if meddler.kind == "reclaim":
            return self.machine.reclaim, (pages_behind(target, places),)
        if meddler.kind not in ON_FILES:
            return super().what_is_done(meddler, process, target, address, places)
        behind = file_behind(target, address)
        if behind is None:
            return process.write, ([address],)
        file, index = behind
        if meddler.kind == "hold_buffers" and not file_system_of(self.machine, file.number).buffers:
            return file.write_back, (index,)
        return getattr(file, meddler.kind), (index,)

    @rule(who=WHO, places=ALL_KINDS, write=st.booleans())
    def touch(self, who: int, places: list[int], write: bool) -> None:
        """Somebody reads or writes."""
        process = self.process(who)
        self.make(process.write if write else process.read, addresses_of(places))

    @rule(who=WHO, ends=st.booleans())
    def come_and_go(self, who: int, ends: bool) -> None:
        """A process forks or ends; there are two to four."""
        number = len(self.machine.processes)
        if ends and number > 2:
            self.make(self.process(who).exit)
        elif not ends and number < 4:
            self.make(self.process(who).fork)

    @rule(who=WHO, places=ALL_KINDS, meddlers=MEDDLERS, at=STEP)
    def reclaim(self, who: int, places: list[int], meddlers: Any, at: int) -> None:
        """Memory is needed: pages of a process go to swap, or back to their files."""
        process, addresses = self.process(who), addresses_of(places)
        self.make(self.machine.migrate_prep)
        pages = pages_behind(process, addresses)
        self.make(self.machine.reclaim, pages, meddlers=meddlers, whose=who, places=addresses, at=at)

    @rule(who=WHO, place=PLACE, kind=st.sampled_from(("write_back", "write_back", "truncate")), meddlers=MEDDLERS)
    def change_file(self, who: int, place: int, kind: str, meddlers: Any) -> None:
        """A dirty page is written to its disc, or a file becomes shorter."""
        file = file_behind(self.process(who), PLACES[place])
        if file:
            self.make(getattr(file[0], kind), file[1], meddlers=meddlers, whose=who, places=[PLACES[place]])

    @rule(who=WHO, which=st.booleans(), file_system=FILE_SYSTEM, write=SOME)
    def map_new_file(self, who: int, which: bool, file_system: str, write: list[int]) -> None:
        """A process maps another file where it had one; it reads all of it, and writes here and there."""
        process, (first, pages) = self.process(who), AREAS[1 + which]
        places = places_from(0x10000000 + first * PAGE_SIZE, pages)
        self.make(process.munmap, places)
        file = self.machine.file("new", pages, file_system)
        self.make(process.mmap, pages, shared=not which, address=places[0], file=file)
        self.make(process.read, places)
        self.make(process.write, [address for address in addresses_of(write) if address in places])

    @rule(who=WHO, place=PLACE)
    def leave_a_dirty_page(self, who: int, place: int) -> None:
        """Somebody else writes to a file, and exits."""
        file = file_behind(self.process(who), PLACES[place])
        if file:
            write_and_exit(file[0], [file[1]])

    @rule(who=WHO, places=SOME, kind=st.sampled_from(["vmsplice", "register_memory", "release"]))
    def hold(self, who: int, places: list[int], kind: str) -> None:
        """A pipe or a driver holds pages, or lets go; at most two do."""
        pins = self.pins()
        if kind == "release" and pins:
            self.make(self.machine.pin(pins[who % len(pins)]).release)
        elif kind != "release" and len(pins) < 2:
            self.make(getattr(self.process(who), kind), addresses_of(places))

    @rule(who=WHO, places=ALL_KINDS, node=WHO, all_pages=st.booleans(), meddlers=MEDDLERS, at=STEP)
    def move(self, who: int, places: list[int], node: int, all_pages: bool, meddlers: Any, at: int) -> None:
        """A process moves pages of its own to one node."""
        addresses = addresses_of(places)
        flags = MPOL_MF_MOVE_ALL if all_pages else MPOL_MF_MOVE
        arguments = (0, addresses, self.targets(self.process(who), addresses, node), flags)
        self.make(self.process(who).move_pages, *arguments, meddlers=meddlers, whose=who, places=addresses, at=at)

    @rule(who=WHO, whose=WHO, places=ALL_KINDS, node=WHO, meddlers=MEDDLERS, at=STEP)
    def move_of_other(self, who: int, whose: int, places: list[int], node: int, meddlers: Any, at: int) -> None:
        """A process moves pages of another, shared ones too."""
        addresses = addresses_of(places)
        target = self.process(whose)
        arguments = (target.pid, addresses, self.targets(target, addresses, node), MPOL_MF_MOVE_ALL)
        self.make(self.process(who).move_pages, *arguments, meddlers=meddlers, whose=whose, places=addresses, at=at)

    def targets(self, process: Process, addresses: list[int], option: int) -> list[int]:
        """The other node for each page, or (option 0) the first node for all."""
        return [1 - (process.pte(address).node or 0) if option else 0 for address in addresses]

    @rule(whose=WHO, places=ALL_KINDS, node=WHO, meddlers=MEDDLERS, at=STEP)
    def in_kernel(self, whose: int, places: list[int], node: int, meddlers: Any, at: int) -> None:
        """The kernel itself moves pages."""
        addresses = addresses_of(places)
        self.isolate(self.process(whose), addresses)
        call, pages = self.machine.migrate_pages, self.isolated()
        self.make(call, pages, self.get_new_page, node, meddlers=meddlers, whose=whose, places=addresses, at=at)

    def get_new_page(self, page: int, private: int, result: Any) -> int | None:
        """A page of the node asked for."""
        return self.machine.alloc_page(self.node(private))


def addresses_of(places: list[int]) -> list[int]:
    """The addresses of places."""
    return [PLACES[place] for place in places]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_promises_hold_for_files_swap_and_drivers() -> None:
    """And each row, each path of a file system, swapping and truncation come up by random play."""
    play_examples(Files, EXAMPLES)
    see_that_all_was_reached(Files.reached, TO_REACH)
