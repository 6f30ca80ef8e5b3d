"""Others meet migration entries: they wait for them, copy them, and find every one turned back."""

from __future__ import annotations

from errno import EPERM

from numakit.faults import WRITTEN
from numakit.kernels import Kernel
from numakit.machine.frames import get_page
from numakit.machine.locks import lock_rmap, unlock_rmap
from numakit.machine.state import MachineState
from numakit.machine.vma import (
    PTE_PFN,
    PTE_PRESENT,
    PTE_TYPE,
    PTE_WRITABLE,
    VM_SHARED,
    Pte,
    is_migration_entry,
    maps,
    rmap_walk,
    set_pte_mapped,
)
from numakit.migration.move_to_new_page import move_to_new_page
from numakit.migration.unmap_and_move import lock_old_page
from numakit.moments import ENTRY_WAIT, REMOVE_ENTRY, TRY_TO_UNMAP
from numakit.rmap import remove_migration_pte, remove_migration_ptes, try_to_unmap, try_to_unmap_one
from numakit.timeline.task import Steps
from tests.interleavings.world import Scenario, broken, finish, moments_of, new_world, newest_token, passes_of

# -- a fault


def check_a_fault_on_a_migration_entry_waits_and_costs_a_pass(kernel: Kernel) -> None:
    """Who waits in migration_entry_wait() holds a reference: if it is taken before the count test, that fails once."""
    world = new_world(kernel)
    run = world.move()
    writer = run.when("LOCK_NEW_PAGE").do(world.shell.write, world.area)
    result = finish(run)
    assert (result.status, result.rows, writer.result) == ([1], ["moved"], 0)
    assert "ENTRY_WAIT" in moments_of(run, "write")
    assert passes_of(run) == 2
    assert world.shell.read(world.area[0]) == newest_token(world.machine)
    world.see_quiet()


def check_a_write_while_the_page_is_copied_is_not_lost(kernel: Kernel) -> None:
    """A write that faults on a migration entry reaches the new page, whenever between count test and UNLOCK_PAGE."""
    for moment in ("COPY", "REMOVE_ENTRY"):
        world = new_world(kernel)
        run = world.move()
        run.when(moment).do(world.shell.write, world.area)
        assert finish(run).status == [1]
        assert (passes_of(run), world.area.nodes) == (1, [1])
        assert world.shell.read(world.area[0]) == newest_token(world.machine)
        world.see_quiet()


@broken("migration_entry_wait")
def uses_the_old_page(m: MachineState, pte: Pte) -> Steps[None]:
    """The fault takes a migration entry for a present PTE of the old page, and does not sleep."""
    set_pte_mapped(m, pte, pte.value >> PTE_PFN, WRITTEN)
    yield from ()


@broken("migration_entry_wait")
def waits_without_a_reference(m: MachineState, pte: Pte) -> Steps[None]:
    """The fault sleeps, but does not hold the page meanwhile."""
    yield ENTRY_WAIT, pte.value >> PTE_PFN


@broken("lock_and_move")
def never_unlocks_the_page(m: MachineState, newpage: int, page: int, force: bool) -> Steps[int]:
    """The old page stays locked: who sleeps on it is not woken."""
    rc = yield from lock_old_page(m, page, force)
    if rc:
        return rc
    rc = yield from try_to_unmap(m, page)
    if not rc:
        rc = yield from move_to_new_page(m, newpage, page)
    if rc:
        yield from remove_migration_ptes(m, page, page)
    return rc


# -- a fork


def check_a_fork_by_a_sharer_copies_migration_entries(kernel: Kernel) -> None:
    """copy_one_pte() copies an entry as it is, and remove_migration_ptes() finds the new child's, too."""
    world = new_world(kernel)
    child = world.shell.fork("child")
    run = world.move_all()
    born = run.when("COUNT").do(child.fork, "grandchild")
    assert finish(run).status == [1]
    family = [world.shell, child, born.result]
    assert {process.page(world.area[0]) for process in family} == {world.page()}
    assert (world.area.nodes, world.machine.frame(world.page()).mapcount) == ([1], 3)
    assert len({process.read(world.area[0]) for process in family}) == 1
    world.see_quiet()


def check_a_fork_by_a_sharer_waits_for_the_walk_of_the_reverse_map(kernel: Kernel) -> None:
    """The new area is listed under the lock that the walk holds: no entry is copied behind the walk's back."""
    for moment in ("REMOVE_ENTRY", "TRY_TO_UNMAP"):
        world = new_world(kernel)
        child = world.shell.fork("child")
        run = world.move_all()
        born = run.when(moment, 2).do(child.fork, "grandchild")
        assert finish(run).status == [1]
        assert "RMAP_LOCK" in moments_of(run, "fork")
        assert passes_of(run) == 1
        assert born.result.page(world.area[0]) == world.page()
        world.see_quiet()


def check_a_fork_during_an_in_kernel_migration_makes_write_entries_read(kernel: Kernel) -> None:
    """Without mmap_sem the target itself can fork: neither parent nor child may write to the shared page afterwards."""
    world = new_world(kernel)
    machine, shell, address = world.machine, world.shell, world.area[0]
    machine.migrate_prep()
    assert machine.isolate_lru_page(world.page()) == 0
    run = machine.begin(machine.migrate_pages, [world.page()], lambda page, private, result: machine.alloc_page(1))
    born = run.when("COPY").do(shell.fork, "child")
    assert finish(run) == 0
    child = born.result
    assert (world.area.nodes, child.page(address)) == ([1], world.page())
    assert (shell.pte(address).writable, child.pte(address).writable) == (False, False)
    before = shell.read(address)
    child.write(address)
    assert (shell.read(address), child.read(address)) == (before, newest_token(machine))
    world.see_quiet()


def share_pte(m: MachineState, pte: Pte, to: Pte) -> None:
    """The second half of copy_one_pte(): the child's PTE is the parent's."""
    if pte.value & PTE_TYPE == PTE_PRESENT:
        page = pte.value >> PTE_PFN
        get_page(m, page)
        m.set(m.mapcount, page, m.mapcount[page] + 1)
    m.set(to.table, to.at, pte.value)


@broken("copy_one_pte")
def forks_without_migration_entries(m: MachineState, pte: Pte, to: Pte) -> None:
    """A migration entry is taken for no page at all."""
    if pte.value & PTE_TYPE == PTE_PRESENT:
        m.set(pte.table, pte.at, pte.value & ~PTE_WRITABLE)
        share_pte(m, pte, to)


@broken("copy_one_pte")
def leaves_write_entries_writable(m: MachineState, pte: Pte, to: Pte) -> None:
    """Present PTEs are write-protected, migration entries forgotten."""
    if pte.value & PTE_TYPE == PTE_PRESENT and not pte.vma.flags & VM_SHARED:
        m.set(pte.table, pte.at, pte.value & ~PTE_WRITABLE)
    share_pte(m, pte, to)


@broken("lock_rmap")
def no_lock_on_the_reverse_map(m: MachineState, mapping: int) -> Steps[None]:
    """Walks and changes of a mapping's list of areas go on together."""
    yield from ()


# -- the roll-back


def check_a_rollback_turns_every_entry_back(kernel: Kernel) -> None:
    """At an area that is VM_LOCKED the PTEs unmapped so far come back; who waited on one finds its page in place."""
    world = new_world(kernel, shared=True)
    child = world.shell.fork("child")
    assert child.mlock(world.area) == 0
    page = world.page()
    run = world.move_all()
    reader = run.when("TRY_TO_UNMAP", 2).do(world.shell.read, world.area[0])
    result = finish(run)
    assert (result.status, result.rows) == ([-EPERM], ["mlocked"])
    assert "ENTRY_WAIT" in moments_of(run, "read")
    assert [world.shell.page(world.area[0]), child.page(world.area[0])] == [page, page]
    assert reader.result == child.read(world.area[0])
    world.see_quiet()


@broken("remove_migration_ptes")
def leaves_one_entry_at_the_rollback(m: MachineState, old: int, new: int) -> Steps[None]:
    """The roll-back turns all entries back but the first."""
    entries = [pte for pte in rmap_walk(m, new) if is_migration_entry(pte.value, old)]
    for pte in entries[old == new :]:
        remove_migration_pte(m, pte, new)
    yield from ()


# -- PTEs that change during a walk


def check_the_walk_of_the_reverse_map_looks_at_each_pte_again(kernel: Kernel) -> None:
    """Between two PTEs a sharer may exit: its PTE maps nothing when the walk comes to it."""
    for moment in ("TRY_TO_UNMAP", "REMOVE_ENTRY"):
        world = new_world(kernel)
        child = world.shell.fork("child")
        before = world.shell.read(world.area[0])
        run = world.move_all()
        run.when(moment, 2).do(child.exit)
        assert finish(run).status == [1]
        assert (world.area.nodes, world.machine.frame(world.page()).mapcount) == ([1], 1)
        assert world.shell.read(world.area[0]) == before
        world.see_quiet()


@broken("try_to_unmap")
def unmaps_without_a_second_look(m: MachineState, page: int) -> Steps[int]:
    """Each PTE is looked at before the moment at which others act, and not after it."""
    yield TRY_TO_UNMAP, page
    yield from lock_rmap(m, m.mapping[page])
    for place, pte in enumerate(pte for pte in rmap_walk(m, page) if maps(pte.value, page)):
        if place:
            yield TRY_TO_UNMAP, page
        try_to_unmap_one(m, page, pte)
    unlock_rmap(m, m.mapping[page])
    return 0


@broken("remove_migration_ptes")
def restores_without_a_second_look(m: MachineState, old: int, new: int) -> Steps[None]:
    """Each entry is looked at before the moment at which others act, and not after it."""
    yield REMOVE_ENTRY, new
    yield from lock_rmap(m, m.mapping[new])
    for place, pte in enumerate(pte for pte in rmap_walk(m, new) if is_migration_entry(pte.value, old)):
        if place:
            yield REMOVE_ENTRY, new
        remove_migration_pte(m, pte, new)
    unlock_rmap(m, m.mapping[new])


SCENARIOS = (
    Scenario(
        check_a_fault_on_a_migration_entry_waits_and_costs_a_pass,
        (uses_the_old_page, waits_without_a_reference, never_unlocks_the_page),
    ),
    Scenario(check_a_write_while_the_page_is_copied_is_not_lost, (uses_the_old_page, never_unlocks_the_page)),
    Scenario(check_a_fork_by_a_sharer_copies_migration_entries, (forks_without_migration_entries,)),
    Scenario(check_a_fork_by_a_sharer_waits_for_the_walk_of_the_reverse_map, (no_lock_on_the_reverse_map,)),
    Scenario(check_a_fork_during_an_in_kernel_migration_makes_write_entries_read, (leaves_write_entries_writable,)),
    Scenario(check_a_rollback_turns_every_entry_back, (leaves_one_entry_at_the_rollback,)),
    Scenario(
        check_the_walk_of_the_reverse_map_looks_at_each_pte_again,
        (unmaps_without_a_second_look, restores_without_a_second_look),
    ),
)
