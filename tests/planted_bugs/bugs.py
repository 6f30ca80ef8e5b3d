"""Fourteen bugs that a kernel's programmer might make: each replaces one function, and one check finds it."""

from __future__ import annotations

from collections.abc import Callable
from errno import EBUSY, EPERM
from typing import Any, NamedTuple

from numakit.abi import EAGAIN
from numakit.kernels import Kernel
from numakit.machine.frames import alloc_pages_node, get_page
from numakit.machine.lru import lru_cache_add
from numakit.machine.references import note_holder
from numakit.machine.state import MachineState
from numakit.machine.vma import PTE_MIGRATION_WRITE, PTE_PFN, PTE_PRESENT, PTE_TYPE, PTE_WRITABLE, Pte
from numakit.migration.new_page import NewPage, ResultPointer
from numakit.migration.putback import move_to_lru
from numakit.migration.unmap_and_move import lock_and_move
from numakit.moments import FREED, GET_NEW_PAGE
from numakit.syscalls.move_pages import CallRecord
from numakit.timeline.task import Steps
from tests.interleavings import locks, migration_entries, references
from tests.interleavings.migration_entries import share_pte
from tests.interleavings.world import broken, finish, new_world, newest_token, passes_of


class Bug(NamedTuple):
    """A bug by name, the kernel that has it, and the check that passes on ``seed`` and finds it."""

    name: str
    kernel: Kernel
    found_by: Callable[[Kernel], None]


# -- broken functions that no scenario of two CPUs has


@broken("move_to_lru")
def keeps_the_isolation_reference(m: MachineState, page: int) -> None:
    """The pagevec gets a reference of its own; that of isolation is not dropped."""
    get_page(m, page, m.current)
    lru_cache_add(m, page, m.current)


@broken("count_test")
def allows_one_reference_too_many(m: MachineState, page: int, expected: int) -> int:
    """The page may have a user besides the call."""
    return 0 if m.count[page] <= expected + 1 else -EAGAIN


@broken("lru_add_drain_all")
def leaves_the_pagevecs_alone(m: MachineState) -> None:
    """Pages that were just touched stay in their pagevecs."""


@broken("copy_one_pte")
def shares_writable_ptes(m: MachineState, pte: Pte, to: Pte) -> None:
    """Parent and child may both go on writing to private memory."""
    share_pte(m, pte, to)


@broken("unmap_and_move")
def puts_back_twice(m: MachineState, get_new_page: NewPage, private: Any, page: int, force: bool) -> Steps[int]:
    """A page that failed for good is given to the LRU here, and once more behind the label `out`."""
    result = ResultPointer()
    yield GET_NEW_PAGE, page
    newpage = get_new_page(m, page, private, result)
    assert newpage is not None
    yield FREED, page
    rc = yield from lock_and_move(m, newpage, page, force)
    if rc not in (0, -EAGAIN):
        note_holder(m, page, m.current)  # put_page() in the kernel drops whosever reference there is
        move_to_lru(m, page)
    if rc != -EAGAIN:
        move_to_lru(m, page)
    move_to_lru(m, newpage)
    result.write(m, m.kernel.busy_status if rc == -EAGAIN else rc or m.node(newpage))
    return rc


@broken("new_page_node")
def points_to_the_first_entry_of_the_page(
    m: MachineState, page: int, private: Any, result: ResultPointer
) -> int | None:
    """As the look-up of 2006, which compares pages only: the first entry that named the page gets the status."""
    queued, outcome = private
    record: CallRecord = m.table[("call", m.current)]
    entry = queued[page]
    result.point_to(outcome, record.addresses.index(entry.address))
    return alloc_pages_node(m, entry.node)


@broken("remove_migration_pte")
def forgets_the_mapcount(m: MachineState, pte: Pte, new: int) -> None:
    """The PTE leads to the new page and has its reference, but is not counted."""
    writable = PTE_WRITABLE if pte.value & PTE_TYPE == PTE_MIGRATION_WRITE else 0
    get_page(m, new)
    m.set(pte.table, pte.at, new << PTE_PFN | PTE_PRESENT | writable)


# -- checks that need no second CPU


def check_fresh_pages_can_be_isolated(kernel: Kernel) -> None:
    """The call drains the pagevecs first: memory that was touched a moment ago moves."""
    world = new_world(kernel)
    assert world.machine.pages_in_pagevec(world.shell.cpu) == [world.page()]
    result = finish(world.move())
    assert (result.status, result.rows) == ([1], ["moved"])


def check_memory_is_private_after_fork(kernel: Kernel) -> None:
    """What the child writes the parent does not read, nor the other way round."""
    world = new_world(kernel)
    child, before = world.shell.fork("child"), world.shell.read(world.area[0])
    child.write(world.area)
    assert world.shell.read(world.area[0]) == before
    assert child.read(world.area[0]) == newest_token(world.machine)


def check_a_page_that_failed_for_good_is_on_one_list(kernel: Kernel) -> None:
    """-EPERM for an mlocked page: it goes back to its list, once, and is as it was."""
    world = new_world(kernel)
    assert world.shell.mlock(world.area) == 0
    page = world.page()
    assert finish(world.move()).status == [-EPERM]
    world.see_quiet()
    frame = world.machine.frame(page)
    assert (world.page(), frame.on_lru, frame.holders) == (page, True, {"PTE": 1})


def check_a_page_named_twice_has_two_statuses(kernel: Kernel) -> None:
    """A page on node 0 with targets 0 and 1: the first entry is there already, the second moves the page."""
    world = new_world(kernel)
    address = world.area[0]
    result = finish(world.machine.begin(world.shell.move_pages, 0, [address, address], [0, 1]))
    assert (result.status, result.rows) == ([0, 1], ["there", "moved"])


def check_a_page_busy_in_all_passes_takes_no_frame(kernel: Kernel) -> None:
    """Ten new pages were allocated and not used: all of them are free again."""
    world = new_world(kernel)
    world.shell.vmsplice(world.area)
    free = world.free_frames()
    run = world.move()
    assert (finish(run).status, passes_of(run)) == ([-EBUSY], 10)
    assert world.free_frames() == free


def check_the_new_page_is_mapped_as_often_as_the_old(kernel: Kernel) -> None:
    """Two PTEs led to the old page, two lead to the new one."""
    world = new_world(kernel)
    world.shell.fork("child")
    run = world.move_all()
    run.finish()
    frame = world.machine.frame(world.page())
    assert (frame.mapcount, frame.node) == (2, 1)
    assert world.machine.inconsistencies() == []


BUGS = (
    Bug("the isolation reference is kept", keeps_the_isolation_reference, references.check_no_frame_is_lost),
    Bug(
        "the count test allows one too many",
        allows_one_reference_too_many,
        references.check_a_page_pinned_while_it_is_unmapped_stays_until_it_is_let_go,
    ),
    Bug("the drain at the start is left out", leaves_the_pagevecs_alone, check_fresh_pages_can_be_isolated),
    Bug("PTEs stay writable after fork", shares_writable_ptes, check_memory_is_private_after_fork),
    Bug(
        "a page that failed for good is put back twice",
        puts_back_twice,
        check_a_page_that_failed_for_good_is_on_one_list,
    ),
    Bug(
        "the roll-back leaves one migration entry",
        migration_entries.leaves_one_entry_at_the_rollback,
        migration_entries.check_a_rollback_turns_every_entry_back,
    ),
    Bug(
        "the new page is not freed after -EAGAIN",
        references.keeps_new_pages_of_failed_attempts,
        check_a_page_busy_in_all_passes_takes_no_frame,
    ),
    Bug(
        "the status goes to the first entry of the page",
        points_to_the_first_entry_of_the_page,
        check_a_page_named_twice_has_two_statuses,
    ),
    Bug(
        "force from pass 4 on",
        locks.forces_one_pass_too_late,
        locks.check_a_forced_pass_sleeps_for_a_locked_page,
    ),
    Bug(
        "the mapcount of the new page is not raised",
        forgets_the_mapcount,
        check_the_new_page_is_mapped_as_often_as_the_old,
    ),
    Bug(
        "copy-on-write keeps the old reference",
        references.keeps_the_old_reference,
        references.check_a_copy_on_write_lets_go_of_the_old_page,
    ),
    Bug(
        "who sleeps on the page is not woken",
        migration_entries.never_unlocks_the_page,
        migration_entries.check_a_write_while_the_page_is_copied_is_not_lost,
    ),
    Bug(
        "the walk does not look at the PTE again",
        migration_entries.unmaps_without_a_second_look,
        migration_entries.check_the_walk_of_the_reverse_map_looks_at_each_pte_again,
    ),
    Bug(
        "there is no lock on the reverse map",
        migration_entries.no_lock_on_the_reverse_map,
        migration_entries.check_a_fork_by_a_sharer_waits_for_the_walk_of_the_reverse_map,
    ),
)
