"""Two migrations at once, and sharers that let go at any moment of one."""

from __future__ import annotations

from dataclasses import replace
from errno import EBUSY, ENOENT

from numakit.kernels import Kernel
from numakit.machine.frames import get_page
from numakit.machine.state import MachineState
from numakit.machine.verdicts import decide_entry
from numakit.machine.vma import PTE_NONE, PTE_PFN, find_vma, pte_at
from numakit.syscalls.move_pages import PageToNode
from tests.interleavings.migration_entries import (
    restores_without_a_second_look,
    unmaps_without_a_second_look,
    uses_the_old_page,
)
from tests.interleavings.references import counts_nothing, keeps_the_old_reference
from tests.interleavings.world import Scenario, broken, finish, moments_of, new_world, newest_token

# -- another call


def check_a_page_that_another_call_has_isolated_is_off_lru(kernel: Kernel) -> None:
    """Isolation takes the page off its LRU list: whoever comes second gets -EBUSY, and the first moves it."""
    world = new_world(kernel)
    run = world.move()
    second = run.when("GET_NEW_PAGE").do(world.root.move_pages, world.shell.pid, world.area, [1])
    assert finish(run).status == [1]
    assert (second.result.ret, second.result.outcome, second.result.rows) == (0, [-EBUSY], ["off-lru"])
    assert world.area.nodes == [1]
    world.see_quiet()


def check_a_page_that_another_call_has_unmapped_is_migrating(kernel: Kernel) -> None:
    """Behind a migration entry no page is present: -ENOENT."""
    world = new_world(kernel)
    run = world.move()
    second = run.when("COPY").do(world.root.move_pages, world.shell.pid, world.area, [1])
    assert finish(run).status == [1]
    assert (second.result.ret, second.result.outcome, second.result.rows) == (-ENOENT, [-ENOENT], ["migrating"])
    world.see_quiet()


def check_two_calls_that_move_the_same_pages(kernel: Kernel) -> None:
    """Wherever the second begins: each page is moved by one of them or by both in turn, and nothing is lost."""
    for moment in pipeline(kernel):
        world = new_world(kernel, pages=3, nodes=3)
        before = world.shell.read(world.area)
        run = world.move()
        order = [world.area[2], world.area[0], world.area[1]]
        rival = run.when(*moment).do(world.root.move_pages, world.shell.pid, order, [2, 2, 2])
        outcomes = [finish(run).outcome, rival.result.outcome]
        assert set(world.area.nodes) <= {1, 2}, moment
        assert set(outcomes[0]) <= {1, -EBUSY, -ENOENT}, moment
        assert set(outcomes[1]) <= {2, -EBUSY, -ENOENT}, moment
        for place, node in enumerate(world.area.nodes):
            assert node in (outcomes[0][place], outcomes[1][(place + 1) % 3]), moment
        assert world.shell.read(world.area) == before
        world.see_quiet()


@broken("isolate_lru_page")
def isolates_what_is_isolated(m: MachineState, page: int, holder: int) -> int:
    """Nobody looks whether the page is on a list."""
    get_page(m, page, holder)
    m.set(m.stamp, page, 0)
    return 0


@broken("look_up")
def follows_migration_entries(m: MachineState, mm: int, entry: PageToNode) -> int:
    """A migration entry is taken for a present PTE."""
    vma = find_vma(m, mm, entry.address)
    assert vma is not None
    value = pte_at(m, vma, entry.address).value
    if value == PTE_NONE:
        return decide_entry(m, entry.entry, -ENOENT, "untouched")
    return value >> PTE_PFN


# -- sharers


def pipeline(kernel: Kernel, shared: bool = False) -> list[tuple[str, int]]:
    """Every moment at which others may act while a page with two PTEs is moved, with its number."""
    world = new_world(kernel, shared=shared)
    world.shell.fork("child")
    run = world.move_all()
    finish(run)
    names = [step.moment.name for step in run.steps if step.moment.others][1:]
    return [(name, names[: place + 1].count(name)) for place, name in enumerate(names)]


def check_a_sharer_that_exits_at_any_moment(kernel: Kernel) -> None:
    """zap_pte() drops a present PTE with its reference, and forgets an entry; the page moves for who is left."""
    for moment in pipeline(kernel):
        world = new_world(kernel)
        child = world.shell.fork("child")
        before = world.shell.read(world.area[0])
        run = world.move_all()
        run.when(*moment).do(child.exit)
        assert finish(run).status == [1], moment
        assert (run.never_began, child.alive) == ([], False)
        assert (world.area.nodes, world.shell.read(world.area[0])) == ([1], before)
        world.see_quiet()
        assert world.machine.frame(world.page()).holders == {"PTE": 1}, moment


def check_a_sharer_that_unmaps_at_any_moment(kernel: Kernel) -> None:
    """mmap_sem of the call is that of the target: a sharer's munmap waits for the reverse map only."""
    for moment in pipeline(kernel):
        world = new_world(kernel)
        child = world.shell.fork("child")
        before = world.shell.read(world.area[0])
        run = world.move_all()
        run.when(*moment).do(child.munmap, world.area)
        assert finish(run).status == [1], moment
        assert (child.vmas, world.area.nodes, world.shell.read(world.area[0])) == ([], [1], before), moment
        world.see_quiet()
        assert world.machine.frame(world.page()).holders == {"PTE": 1}, moment


def check_a_sharer_that_writes_at_any_moment(kernel: Kernel) -> None:
    """The writer gets a copy of the old page or, if it had to wait, of the new one; the others keep what they read."""
    waited = set()
    for moment in pipeline(kernel):
        world = new_world(kernel)
        child = world.shell.fork("child")
        before = world.shell.read(world.area[0])
        run = world.move_all()
        run.when(*moment).do(child.write, world.area)
        assert finish(run).status == [1], moment
        assert (world.shell.read(world.area[0]), child.read(world.area[0])) == (before, newest_token(world.machine))
        assert world.page(child) != world.page()
        if "ENTRY_WAIT" in moments_of(run, "write"):
            waited.add(moment[0])
        world.see_quiet()
    assert {"COUNT", "COPY", "REMOVE_ENTRY"} <= waited, "from unmapping on a writer waits"


def check_a_write_to_shared_memory_at_any_moment_is_read_by_all(kernel: Kernel) -> None:
    """Through a PTE, after a wait on its migration entry, or by a first touch through the page cache: none is lost."""
    waits = set()
    for touched in (True, False):
        for moment in pipeline(kernel, shared=True):
            world = new_world(kernel)
            area = world.shell.mmap(1, shared=True)
            others = [world.shell.fork("first"), world.shell.fork("second")]
            world = replace(world, area=area)
            world.shell.write(area)
            others[0].read(area)
            if touched:
                others[1].read(area)
            run = world.move_all()
            run.when(*moment).do(others[1].write, area)
            assert finish(run).status == [1], moment
            readers = [world.shell, *others]
            assert {reader.read(area[0]) for reader in readers} == {newest_token(world.machine)}, moment
            assert {reader.page(area[0]) for reader in readers} == {world.page()}
            waits |= {"ENTRY_WAIT", "READ_WAIT"} & set(moments_of(run, "write"))
            world.see_quiet()
    assert waits == {"ENTRY_WAIT", "READ_WAIT"}


SCENARIOS = (
    Scenario(check_a_page_that_another_call_has_isolated_is_off_lru, (isolates_what_is_isolated,)),
    Scenario(check_a_page_that_another_call_has_unmapped_is_migrating, (follows_migration_entries,)),
    Scenario(check_two_calls_that_move_the_same_pages, (isolates_what_is_isolated,)),
    Scenario(check_a_sharer_that_exits_at_any_moment, (unmaps_without_a_second_look, restores_without_a_second_look)),
    Scenario(check_a_sharer_that_unmaps_at_any_moment, (unmaps_without_a_second_look, restores_without_a_second_look)),
    Scenario(check_a_sharer_that_writes_at_any_moment, (keeps_the_old_reference,)),
    Scenario(check_a_write_to_shared_memory_at_any_moment_is_read_by_all, (uses_the_old_page, counts_nothing)),
)
