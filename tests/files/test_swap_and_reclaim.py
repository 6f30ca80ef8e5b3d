"""Swap out and in, with fork; what reclaim frees and what it has to leave; a swap disc that is full."""

from __future__ import annotations

from collections.abc import Callable
from errno import EFAULT

import networkx as nx
import pytest

from numakit import MPOL_MF_MOVE_ALL, PAGE_SIZE, File, Machine, Process, Topology, Vma
from numakit.machine.consistency import left_in_flight
from numakit.machine.pagecache import SWAPPER_SPACE, slots_of
from numakit.machine.swap import swap_map


def pages_of(process: Process, area: Vma) -> list[int]:
    """The pages (pfns) that are present in an area."""
    return [page for address in area if (page := process.page(address)) is not None]


def swap_out(process: Process, area: Vma) -> int:
    """Let kswapd try to free the pages of an area. How many were freed."""
    process.machine.migrate_prep()
    return process.machine.reclaim(pages_of(process, area))


def slots_in_use(machine: Machine) -> int:
    """Swap slots that hold something, or whose page is in the swap cache."""
    cached = slots_of(machine, SWAPPER_SPACE)
    return sum(bool(used or page) for used, page in zip(swap_map(machine), cached, strict=True))


def free_frames(machine: Machine) -> int:
    """Free frames, when those in pagevecs are free."""
    machine.migrate_prep()
    return sum(machine.free_frames(node) for node in machine.node_ids)


def written(process: Process, pages: int = 1) -> Vma:
    """Memory that was written to."""
    area = process.mmap(pages)
    process.write(area)
    return area


# -- swap


def test_out_and_in(machine: Machine, shell: Process) -> None:
    """The frames are free, the contents lie in slots; they come back, writable after a write, and the slots go."""
    free = free_frames(machine)
    area = written(shell, 3)
    before = shell.read(area)
    assert swap_out(shell, area) == 3
    assert ([pte.kind for pte in area.ptes], slots_in_use(machine)) == (["swap"] * 3, 3)
    assert free_frames(machine) == free
    assert shell.read(area) == before
    assert not any(pte.writable for pte in area.ptes)
    shell.write(area)
    assert all(pte.writable for pte in area.ptes)
    machine.migrate_prep()  # in a pagevec a page has one reference more, and would be left to reclaim
    shell.munmap(area)
    assert (free_frames(machine), slots_in_use(machine), left_in_flight(machine)) == (free, 0, [])


def test_a_page_that_was_not_written_since_needs_no_second_write(machine: Machine, shell: Process) -> None:
    """In again and only read: the slot has its contents still."""
    area = written(shell)
    swap_out(shell, area)
    before = shell.read(area)
    machine.migrate_prep()
    run = machine.record(machine.reclaim, pages_of(shell, area))
    assert run.result == 1
    assert "END_WRITEBACK" not in [step.moment.name for step in run.steps]
    assert shell.read(area) == before


def test_a_page_that_was_written_since_is_written_again(machine: Machine, shell: Process) -> None:
    """In again and written to: the slot would be out of date."""
    area = written(shell)
    swap_out(shell, area)
    shell.write(area)
    before = shell.read(area)
    assert swap_out(shell, area) == 1
    assert shell.read(area) == before


def test_parent_and_child_share_a_slot(machine: Machine, shell: Process) -> None:
    """A page of two processes is swapped out once; each finds it again, and a write is private."""
    area = written(shell)
    child = shell.fork("child")
    before = shell.read(area)
    assert swap_out(shell, area) == 1
    assert (shell.pte(area[0]).kind, child.pte(area[0]).kind, sum(swap_map(machine))) == ("swap", "swap", 2)
    child.write(area)
    assert (shell.read(area), child.read(area) == before) == (before, False)
    child.exit()
    shell.write(area)
    assert slots_in_use(machine) <= 1
    free = free_frames(machine)
    shell.exit()
    assert (free_frames(machine), slots_in_use(machine)) == (free + 1, 0)


def test_fork_of_swapped_memory(machine: Machine, shell: Process) -> None:
    """The child's PTE counts for the slot; the last one to go frees it."""
    area = written(shell)
    before = shell.read(area)
    swap_out(shell, area)
    child = shell.fork("child")
    assert sum(swap_map(machine)) == 2
    shell.exit()
    assert (sum(swap_map(machine)), child.read(area)) == (1, before)
    machine.migrate_prep()
    child.exit()
    assert (slots_in_use(machine), machine.inconsistencies()) == (0, [])


def test_memory_that_exits_while_swapped_out_frees_its_slots(machine: Machine, shell: Process) -> None:
    """With no page in the swap cache, nor with one."""
    area = written(shell, 2)
    swap_out(shell, area)
    shell.read(area[0])
    machine.migrate_prep()
    free = free_frames(machine)
    shell.exit()
    assert (slots_in_use(machine), free_frames(machine)) == (0, free + 1)


@pytest.mark.parametrize("swap_pages", [0, 1])
def test_a_full_swap_disc_leaves_pages_where_they_are(swap_pages: int) -> None:
    """Who finds no slot stays present; when a slot is free again it can go."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_node(0, memory=16 * PAGE_SIZE, cpus=(0,))
    machine = Machine(Topology.from_networkx(graph), scale=1, swap_pages=swap_pages)
    shell = machine.spawn("shell")
    area = written(shell, 2)
    before = shell.read(area)
    assert swap_out(shell, area) == swap_pages
    assert [pte.kind for pte in area.ptes].count("present") == 2 - swap_pages
    assert machine.inconsistencies() == []
    assert shell.read(area) == before
    machine.migrate_prep()
    shell.munmap(area[0])
    assert swap_out(shell, area) == swap_pages
    assert shell.read(area[1]) == before[1]


def test_contents_follow_through_swap_cache_and_migration(machine: Machine, shell: Process) -> None:
    """Out, in, moved, out and in again: what was written last is read, by both who share it."""
    area = written(shell)
    child = shell.fork("child")
    before = shell.read(area)
    root = machine.spawn("root", uid=0)
    for node in (1, 0, 1):
        assert swap_out(shell, area) == 1
        assert (shell.read(area), child.read(area)) == (before, before)
        status = root.move_pages(shell.pid, area, [node], MPOL_MF_MOVE_ALL).outcome
        assert status == [node]
        assert (shell.pte(area[0]).kind, child.pte(area[0]).kind) in (("swap", "swap"), ("present", "present"))
        assert (shell.read(area), child.read(area)) == (before, before)
        assert area.nodes == [node]
        assert machine.inconsistencies() == []


def test_a_moved_page_of_the_swap_cache_can_be_written_by_each_alone(machine: Machine, shell: Process) -> None:
    """Copy on write counts PTEs that lead to the slot."""
    area = written(shell)
    child = shell.fork("child")
    swap_out(shell, area)
    before = shell.read(area)
    machine.spawn("root", uid=0).move_pages(shell.pid, area, [1], MPOL_MF_MOVE_ALL)
    shell.write(area)
    assert (child.read(area), shell.read(area) == before) == (before, False)
    machine.migrate_prep()
    free = free_frames(machine)
    shell.exit()
    child.exit()
    machine.reclaim(machine.lru(1) + machine.lru(0))  # what copy on write left behind in the swap cache
    assert (free_frames(machine), slots_in_use(machine)) == (free + 2, 0)


def test_a_moved_page_of_the_swap_cache_that_nobody_maps_goes_with_its_slot(machine: Machine, shell: Process) -> None:
    """After the move only the swap cache holds it; munmap drops both."""
    area = written(shell)
    swap_out(shell, area)
    shell.read(area)
    assert shell.move_pages(0, area, [1]).status == [1]
    machine.migrate_prep()
    free = free_frames(machine)
    shell.munmap(area)
    assert (free_frames(machine), slots_in_use(machine)) == (free + 1, 0)


# -- reclaim


def file_area(process: Process, file_system: str, *, write: bool) -> tuple[File, Vma]:
    """The page of a new file, mapped and read, or written to."""
    file = process.machine.file("log", 1, file_system)
    area = process.mmap(1, shared=True, file=file)
    _ = process.write(area) if write else process.read(area)
    return file, area


@pytest.mark.parametrize(
    ("file_system", "write", "freed"),
    [
        ("ext2", False, 1), ("ext2", True, 1), ("reiserfs", False, 1), ("reiserfs", True, 1), ("nfs", False, 1),
        ("nfs", True, 1), ("faulty", False, 1), ("faulty", True, 0), ("ramfs", False, 1), ("ramfs", True, 0),
        ("tmpfs", False, 1), ("tmpfs", True, 0),
    ],
)  # fmt: skip
def test_reclaim_of_a_page_of_a_file(
    machine: Machine, shell: Process, file_system: str, write: bool, freed: int
) -> None:
    """A clean page goes; a dirty one is written first, or stays, dirty, where that cannot be."""
    file, area = file_area(shell, file_system, write=write)
    before, free = shell.read(area), free_frames(machine)
    assert machine.reclaim(pages_of(shell, area)) == freed
    assert (file.pages == [None], free_frames(machine)) == (bool(freed), free + freed)
    if not freed:
        page = file.pages[0]
        assert page is not None
        assert "dirty" in machine.frame(page).flags
        assert machine.frame(page).on_lru
    assert shell.read(area) == before
    assert (machine.inconsistencies(), left_in_flight(machine)) == ([], [])


@pytest.mark.parametrize("what", ["mlocked", "driver", "pinned", "locked", "buffers"])
def test_reclaim_leaves_what_is_in_use(machine: Machine, shell: Process, what: str) -> None:
    """The page is on its LRU list again, with its contents, and can be moved or freed when it is let go."""
    if what == "buffers":
        file, area = file_area(shell, "ext2", write=False)
    else:
        area = shell.mmap_driver(1) if what == "driver" else shell.mmap(1)
        shell.write(area)
    pin = shell.direct_io(area) if what == "pinned" else None
    if what == "mlocked":
        shell.mlock(area)
    before = shell.read(area)
    machine.migrate_prep()
    page = pages_of(shell, area)[0]
    run = machine.begin(machine.reclaim, [page])
    if what == "locked":
        run.when("SHRINK_PAGE").do(shell.hold_page_lock, area[0])
    if what == "buffers":
        run.when("SHRINK_PAGE").do(file.hold_buffers, 0)
    assert run.finish() == 0
    machine.migrate_prep()
    assert (machine.frame(page).on_lru, machine.frame(page).locked_by) == (True, 0)
    assert shell.read(area) == before
    assert left_in_flight(machine) == []
    assert machine.inconsistencies() == []
    if what in ("mlocked", "driver"):
        shell.munlock(area)
    if pin:
        pin.release()
    if what in ("mlocked", "pinned", "locked", "buffers"):
        assert swap_out(shell, area) == 1
        assert shell.read(area) == before


def test_what_is_written_while_it_is_written_to_disc_stays(machine: Machine, shell: Process) -> None:
    """A write during the writeback makes the page dirty, or maps it: it is not freed, and nothing is lost."""
    for make in (written, lambda p: file_area(p, "ext2", write=True)[1]):
        area: Vma = make(shell)
        machine.migrate_prep()
        run = machine.begin(machine.reclaim, pages_of(shell, area))
        run.when("SLEEP_ON_WRITEBACK").do(shell.write, area)
        assert run.finish() == 0
        assert shell.read(area[0]) == machine.clock[1]
        assert machine.inconsistencies() == []


def test_reclaim_of_a_page_that_is_truncated_meanwhile(machine: Machine, shell: Process) -> None:
    """At any of its moments: the page goes either way, once."""
    names = ["SHRINK_PAGE", "TRY_TO_UNMAP", "SLEEP_ON_WRITEBACK", "FREE_PAGE"]
    for name in names:
        file, area = file_area(shell, "ext2", write=True)
        free = free_frames(machine)
        run = machine.begin(machine.reclaim, pages_of(shell, area))
        run.when(name).do(file.truncate, 0)
        run.finish()
        assert free_frames(machine) == free + 1, name
        assert (file.pages, shell.read(area[0]), machine.inconsistencies()) == ([], -EFAULT, [])


def test_two_who_fault_on_one_slot(machine: Machine, shell: Process) -> None:
    """Parent and child swap the same page in at once: one frame, mapped by both."""
    area = written(shell)
    child = shell.fork("child")
    before = shell.read(area)
    swap_out(shell, area)
    run = machine.begin(shell.read, area)
    other = run.when("SWAP_IN").do(child.read, area)
    assert (run.finish(), other.result) == (before, before)
    assert shell.page(area[0]) == child.page(area[0])
    assert (machine.inconsistencies(), left_in_flight(machine)) == ([], [])


def test_swapping_in_where_no_memory_is_left(machine: Machine, shell: Process, fill: Callable[..., Process]) -> None:
    """-ENOMEM, and the slot keeps the page."""
    area = written(shell)
    before = shell.read(area)
    swap_out(shell, area)
    hogs = [fill(machine, 0), fill(machine, 1)]
    assert shell.read(area[0]) == -12
    assert shell.pte(area[0]).kind == "swap"
    hogs[0].exit()
    machine.migrate_prep()
    assert shell.read(area) == before
