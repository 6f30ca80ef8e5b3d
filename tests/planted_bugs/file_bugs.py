"""Bugs in the paths of files, swap and truncation: each replaces one function, and one check finds it."""

from __future__ import annotations

from inspect import unwrap

from numakit import File, Machine, Result, Run
from numakit.abi import EAGAIN, EINVAL, EIO
from numakit.disc import WRITEPAGE, clear_page_dirty_for_io, writepage
from numakit.faults import do_swap_page
from numakit.kernels import Kernel
from numakit.machine.frames import clear_flag, get_page, put_page
from numakit.machine.locks import lock_page, trylock_page, unlock_page
from numakit.machine.pagecache import (
    SWAPPER_SPACE,
    file_system_of,
    page_has_buffers,
    page_index,
    page_mapping,
    slots_of,
)
from numakit.machine.state import PG_DIRTY, PG_SWAPCACHE, MachineState
from numakit.machine.swap import swap_map
from numakit.machine.vma import PTE_PFN, PTE_SWAP, PTE_YOUNG, VM_LOCKED, Pte, set_pte_mapped, unmap_pte
from numakit.migration.migrate_page import count_test, migrate_page, migrate_page_copy, migrate_page_move_mapping
from numakit.moments import (
    COPY,
    COPY_FLAGS,
    COUNT,
    COUNT_AND_SLOT,
    LOCK_PAGE,
    SWAP_IN,
    SWITCH,
    TREE_LOCK,
    TRUNCATE_PAGE,
)
from numakit.rmap import try_to_unmap_one
from numakit.timeline.task import Steps
from tests.interleavings.world import World, broken, finish, new_world
from tests.planted_bugs.bugs import Bug

# -- what a programmer might get wrong


@broken("writeout")
def leaves_migration_entries_during_writepage(m: MachineState, page: int) -> Steps[int]:
    """The page is handed to the disc, which unlocks it, while migration entries lead to it."""
    if not file_system_of(m, page_mapping(m, page)).writepage:
        return -EINVAL
    clear_page_dirty_for_io(m, page)
    if writepage(m, page):
        return -EIO
    yield LOCK_PAGE, page
    yield from lock_page(m, page)
    return -EAGAIN


@broken("buffer_migrate_page")
def leaves_the_buffers_reference_behind(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """The buffers go over, the reference that they hold does not."""
    rc = yield from migrate_page_move_mapping(m, newpage, page)
    if not rc:
        m.set(m.private, newpage, m.private[page])
        m.set(m.private, page, 0)
        yield from migrate_page_copy(m, newpage, page)
    return rc


@broken("migrate_page_move_mapping")
def does_not_switch_the_slot(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """References are handed over, but the page cache goes on leading to the old page."""
    if not page_mapping(m, page):
        yield COUNT, page
        return count_test(m, page, 1)
    yield TREE_LOCK, page
    yield COUNT_AND_SLOT, page
    if count_test(m, page, 2 + page_has_buffers(m, page)):
        return -EAGAIN
    yield SWITCH, page
    get_page(m, newpage)
    put_page(m, page)
    return 0


@broken("migrate_page_move_mapping")
def does_not_carry_the_slot_number_over(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """A new page in the swap cache has to know its slot: it stands in `private`."""
    mapping, index = page_mapping(m, page), page_index(m, page)
    if not mapping:
        yield COUNT, page
        return count_test(m, page, 1)
    yield TREE_LOCK, page
    yield COUNT_AND_SLOT, page
    if count_test(m, page, 2 + page_has_buffers(m, page)):
        return -EAGAIN
    yield SWITCH, page
    get_page(m, newpage)
    m.set(slots_of(m, mapping), index, newpage + 1)
    put_page(m, page)
    return 0


@broken("try_to_unmap_one")
def does_not_count_the_use_of_the_slot(m: MachineState, page: int, pte: Pte, migration: bool = True) -> int:
    """The PTE leads to the swap slot, whose map does not know of it."""
    if not m.flags[page] & PG_SWAPCACHE or pte.vma.flags & VM_LOCKED:
        rc: int = unwrap(try_to_unmap_one)(m, page, pte, migration)
        return rc
    unmap_pte(m, pte, m.private[page] - 1 << PTE_PFN | PTE_SWAP)
    return 0


@broken("migrate_page_copy")
def loses_the_swapcache_flag(m: MachineState, newpage: int, page: int) -> Steps[None]:
    """The new page lies in the swap cache without saying so."""
    yield COPY, page
    m.set(m.contents, newpage, m.contents[page])
    yield COPY_FLAGS, page
    m.set(m.flags, newpage, m.flags[page] & ~PG_SWAPCACHE)
    m.set(m.private, page, 0)
    m.set(m.flags, page, 0)
    m.set(m.mapping, page, 0)


@broken("migrate_page_copy")
def loses_the_dirty_flag(m: MachineState, newpage: int, page: int) -> Steps[None]:
    """The new page is taken for clean: nobody will ever write it to its file."""
    yield COPY, page
    m.set(m.contents, newpage, m.contents[page])
    yield COPY_FLAGS, page
    m.set(m.flags, newpage, m.flags[page] & ~PG_DIRTY)
    m.set(m.flags, page, 0)
    m.set(m.mapping, page, 0)


@broken("truncate_inode_pages")
def does_not_look_at_the_slot_again(m: MachineState, mapping: int, first: int) -> Steps[None]:
    """While it slept for the lock of the page somebody else may have truncated it."""
    slots = slots_of(m, mapping)
    for index in range(first, len(slots)):
        if slots[index]:
            page = slots[index] - 1
            get_page(m, page, m.current)
            yield TRUNCATE_PAGE, page
            yield from lock_page(m, page)
            clear_flag(m, page, PG_DIRTY)
            m.set(slots, index, 0)
            m.set(m.mapping, page, 0)
            unlock_page(m, page)
            put_page(m, page)  # the reference of the page cache
            put_page(m, page, m.current)


@broken("lock_old_page")
def does_not_await_writeback(m: MachineState, page: int, force: bool) -> Steps[int]:
    """A forced pass takes the page from under the disc that writes it."""
    yield LOCK_PAGE, page
    if not trylock_page(m, page):
        if not force:
            return -EAGAIN
        yield from lock_page(m, page)
    if ("writeback", page) in m.table and not force:
        unlock_page(m, page)
        return -EAGAIN
    return 0


@broken("fallback_migrate_page")
def forgets_the_buffers(m: MachineState, newpage: int, page: int) -> Steps[int]:
    """A clean page is moved as if nothing were attached to it."""
    return (yield from migrate_page(m, newpage, page))


@broken("writepage")
def takes_a_failed_write_for_done(m: MachineState, page: int) -> int:
    """After -EIO the page stays clean, and what was written to it is lost with it."""
    name = file_system_of(m, page_mapping(m, page)).writepage
    rc = WRITEPAGE[name](m, page)
    if rc:
        clear_page_dirty_for_io(m, page)
    return rc


@broken("do_swap_page")
def maps_a_page_that_is_locked(m: MachineState, pte: Pte, write: bool) -> Steps[int | None]:
    """The page in the swap cache is mapped though a migration has it locked, before it is copied."""
    slot = pte.value >> PTE_PFN
    page = slots_of(m, SWAPPER_SPACE)[slot] - 1
    if page < 0:
        rc: int | None = yield from unwrap(do_swap_page)(m, pte, write)
        return rc
    yield SWAP_IN, page
    if pte.value != slot << PTE_PFN | PTE_SWAP or slots_of(m, SWAPPER_SPACE)[slot] != page + 1:
        return None
    m.set(m.mapping, page, pte.vma.anon_vma)
    set_pte_mapped(m, pte, page, PTE_YOUNG)
    m.set(swap_map(m), slot, swap_map(m)[slot] - 1)
    return 0 if not write else None


# -- what finds it


def with_file(kernel: Kernel, file_system: str, *, write: bool) -> tuple[World, File]:
    """The shell maps the page of a file, and has read it or written to it."""
    world = new_world(kernel)
    file = world.machine.file("log", 1, file_system)
    area = world.shell.mmap(1, shared=True, file=file)
    _ = world.shell.write(area) if write else world.shell.read(area)
    return World(world.machine, world.shell, area, world.root), file


def in_swap_cache(kernel: Kernel) -> World:
    """The shell's page was swapped out and in again, and is in the swap cache."""
    world = new_world(kernel)
    reclaim(world.machine, world.page())
    world.shell.read(world.area)
    world.machine.migrate_prep()
    return world


def reclaim(machine: Machine, page: int | None) -> None:
    """kswapd frees a page."""
    assert page is not None
    machine.migrate_prep()
    assert machine.reclaim([page]) == 1


def names_of(run: Run[Result]) -> list[str]:
    """The moments of all tasks, in order."""
    return [step.moment.name for step in run.steps]


def check_a_page_is_written_with_its_ptes_back(kernel: Kernel) -> None:
    """Who uses the page while the disc has it does not meet a migration entry."""
    world, _ = with_file(kernel, "nfs", write=True)
    assert finish(world.move()).rows == ["moved"]
    world.see_quiet()


def check_buffers_are_carried_over(kernel: Kernel) -> None:
    """With the reference that they hold."""
    world, file = with_file(kernel, "ext2", write=True)
    assert finish(world.move()).rows == ["moved"]
    world.see_quiet()
    assert file.pages[0] is not None
    assert world.machine.frame(file.pages[0]).holders == {"PTE": 1, "page cache": 1, "buffers": 1}


def check_the_page_cache_leads_to_the_new_page(kernel: Kernel) -> None:
    """Another process that maps the file finds what was written."""
    world, file = with_file(kernel, "tmpfs", write=True)
    assert finish(world.move()).rows == ["moved"]
    assert file.pages == [world.page()]
    theirs = world.root.mmap(1, shared=True, file=file)
    assert world.root.read(theirs) == world.shell.read(world.area)
    world.see_quiet()


def check_a_page_in_the_swap_cache_moves_with_its_slot(kernel: Kernel) -> None:
    """It is found again through the slot, and can be swapped out once more."""
    world = in_swap_cache(kernel)
    before = world.shell.read(world.area)
    assert finish(world.move()).rows == ["moved"]
    world.see_quiet()
    assert world.shell.read(world.area) == before
    page = world.page()
    world.machine.migrate_prep()
    assert world.machine.frame(page).holders == {"PTE": 1, "swap cache": 1}
    reclaim(world.machine, page)
    assert world.shell.read(world.area) == before


def check_what_was_written_before_a_move_reaches_the_disc(kernel: Kernel) -> None:
    """Moved while dirty, then reclaimed: it is read back as it was written."""
    world, _ = with_file(kernel, "ext2", write=True)
    before = world.shell.read(world.area)
    assert finish(world.move()).rows == ["moved"]
    reclaim(world.machine, world.page())
    assert world.shell.read(world.area) == before
    world.see_quiet()


def check_two_truncations_take_a_page_once(kernel: Kernel) -> None:
    """Both sleep for the lock that a migration holds; the second finds that the page is no longer the file's."""
    world, file = with_file(kernel, "tmpfs", write=True)
    run = world.move()
    for _ in range(2):
        run.when("TRY_TO_UNMAP").do(file.truncate, 0)
    assert finish(run).rows[0] in ("gone", "moved")
    world.see_quiet()
    assert world.shell.pte(world.area[0]).kind == "none"


def check_a_forced_pass_waits_for_the_disc(kernel: Kernel) -> None:
    """The old frame is not given away while it is written."""
    world, _ = with_file(kernel, "nfs", write=True)
    run = world.move()
    assert finish(run).rows == ["moved"]
    names = names_of(run)
    assert names.index("END_WRITEBACK") < names.index("COPY")
    world.see_quiet()


def check_buffers_come_off_before_a_page_is_moved_without_a_migration_function(kernel: Kernel) -> None:
    """Nobody's buffers are left on the old page."""
    world, _ = with_file(kernel, "reiserfs", write=False)
    free = world.free_frames()
    result = finish(world.move())
    assert (result.rows, result.costs.passes) == (["moved"], 1)
    world.see_quiet()
    assert world.free_frames() == free


def check_a_page_that_could_not_be_written_stays_dirty(kernel: Kernel) -> None:
    """-EIO; and the next call says so again."""
    world, _ = with_file(kernel, "faulty", write=True)
    for _ in range(2):
        assert finish(world.move()).status == [-EIO]
    world.see_quiet()


def check_a_swap_in_waits_for_the_copy(kernel: Kernel) -> None:
    """Who faults between switch and copy reads what was written, not an empty frame."""
    world = in_swap_cache(kernel)
    before = world.shell.read(world.area)
    run = world.move()
    reader = run.when("COPY").do(world.shell.read, world.area)
    assert finish(run).rows == ["moved"]
    assert reader.result == before
    world.see_quiet()


BUGS = (
    Bug(
        "PTEs are not restored before writepage",
        leaves_migration_entries_during_writepage,
        check_a_page_is_written_with_its_ptes_back,
    ),
    Bug("the buffers' reference stays behind", leaves_the_buffers_reference_behind, check_buffers_are_carried_over),
    Bug("the slot is not switched", does_not_switch_the_slot, check_the_page_cache_leads_to_the_new_page),
    Bug(
        "the swap slot's number stays behind",
        does_not_carry_the_slot_number_over,
        check_a_page_in_the_swap_cache_moves_with_its_slot,
    ),
    Bug(
        "a use of the swap slot is not counted",
        does_not_count_the_use_of_the_slot,
        check_a_page_in_the_swap_cache_moves_with_its_slot,
    ),
    Bug(
        "the swapcache flag is lost",
        loses_the_swapcache_flag,
        check_a_page_in_the_swap_cache_moves_with_its_slot,
    ),
    Bug("the dirty flag is lost", loses_the_dirty_flag, check_what_was_written_before_a_move_reaches_the_disc),
    Bug(
        "truncation does not look at the slot again",
        does_not_look_at_the_slot_again,
        check_two_truncations_take_a_page_once,
    ),
    Bug("writeback is not awaited in a forced pass", does_not_await_writeback, check_a_forced_pass_waits_for_the_disc),
    Bug(
        "buffers are forgotten",
        forgets_the_buffers,
        check_buffers_come_off_before_a_page_is_moved_without_a_migration_function,
    ),
    Bug(
        "a failed write is taken for done",
        takes_a_failed_write_for_done,
        check_a_page_that_could_not_be_written_stays_dirty,
    ),
    Bug("a swap-in does not wait for the lock", maps_a_page_that_is_locked, check_a_swap_in_waits_for_the_copy),
)
