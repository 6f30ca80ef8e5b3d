"""Who waits for which lock, and for how long: the page lock, mmap_sem, and a lock that nobody ever gives back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numakit import Stuck
from numakit.abi import EAGAIN
from numakit.kernels import Kernel
from numakit.machine.locks import Semaphore, trylock_page
from numakit.machine.state import MachineState
from numakit.machine.verdicts import decide_page
from numakit.migration.new_page import NewPage
from numakit.migration.putback import putback_lru_pages
from numakit.migration.unmap_and_move import unmap_and_move
from numakit.moments import LOCK_PAGE, MMAP_READ, MMAP_WRITE, PASS, WRITEBACK
from numakit.timeline.task import Steps
from tests.interleavings.world import (
    Scenario,
    broken,
    finish,
    moments_of,
    new_world,
    newest_token,
    passes_of,
    steps_of,
)

# -- the page lock


def check_polite_passes_skip_a_locked_page(kernel: Kernel) -> None:
    """I/O has the page locked until the third pass: the first two skip it, and nobody sleeps."""
    world = new_world(kernel, pages=2)
    run = world.move()
    run.when("DRAIN").until("PASS", in_pass=2).do(world.shell.hold_page_lock, world.area[0])
    assert finish(run).status == [1, 1]
    assert passes_of(run) == 3
    assert "SLEEP_ON_PAGE" not in moments_of(run, "move_pages")
    world.see_quiet()


def check_a_forced_pass_sleeps_for_a_locked_page(kernel: Kernel) -> None:
    """I/O would keep the lock until the pass with number 5: the fourth, number 3, sleeps on it, and moves the page."""
    world = new_world(kernel, pages=2)
    run = world.move()
    run.when("DRAIN").until("PASS", in_pass=5).do(world.shell.hold_page_lock, world.area[0])
    result = finish(run)
    assert (result.status, result.rows) == ([1, 1], ["moved", "moved"])
    assert passes_of(run) == 4
    assert "SLEEP_ON_PAGE" in moments_of(run, "move_pages")
    world.see_quiet()


def check_a_lock_that_is_never_released_is_named(kernel: Kernel) -> None:
    """Nobody can run: the text says who waits for whom, up to the one who keeps the lock."""
    world = new_world(kernel)
    page = world.page()
    run = world.move()
    run.when("DRAIN").for_ever().do(world.shell.hold_page_lock, world.area[0])
    run.when("PASS", in_pass=3).do(world.shell.munmap, world.area)
    text = ""
    try:
        run.finish()
    except Stuck as stuck:
        text = str(stuck)
    assert text.splitlines() == [
        f"move_pages waits in lock_page for the lock of page {page}, held by I/O",
        "I/O keeps what it holds for ever",
        f"munmap waits in down_write for mmap_sem of mm {world.shell.mm}, held by move_pages",
    ]
    assert not run.finished


@broken("lock_old_page")
def never_sleeps_for_the_lock(m: MachineState, page: int, force: bool) -> Steps[int]:
    """Every pass is a polite one."""
    yield LOCK_PAGE, page
    if not trylock_page(m, page):
        return decide_page(m, page, -EAGAIN, "locked", holders=())
    yield WRITEBACK, page
    return 0


@broken("lock_old_page")
def does_not_look_at_the_lock(m: MachineState, page: int, force: bool) -> Steps[int]:
    """The page is taken from whoever has it locked."""
    yield LOCK_PAGE, page
    m.set(m.owner, page, m.current)
    yield WRITEBACK, page
    return 0


@broken("migrate_pages")
def forces_one_pass_too_late(m: MachineState, pages: Sequence[int], get_new_page: NewPage, private: Any) -> Steps[int]:
    """The first pass that sleeps for locks is number 4."""
    nr_failed, retry = 0, list(pages)
    for number in range(m.kernel.passes):
        if not retry:
            break
        yield PASS, number
        todo, retry = retry, []
        for page in todo:
            rc = yield from unmap_and_move(m, get_new_page, private, page, number > m.kernel.polite_passes)
            if rc == -EAGAIN:
                retry.append(page)
            elif rc:
                nr_failed += 1
    return nr_failed + putback_lru_pages(m, retry)


# -- mmap_sem


def check_a_fork_of_the_target_waits_for_the_call(kernel: Kernel) -> None:
    """fork needs mmap_sem for write, which move_pages() holds for read: the child gets PTEs of the new pages."""
    world = new_world(kernel, pages=2)
    run = world.move()
    born = run.when("COPY").do(world.shell.fork, "child")
    assert finish(run).status == [1, 1]
    assert min(steps_of(run, "fork", "COPY_PTE")) > max(steps_of(run, "move_pages", "PUT_BACK_NEW"))
    assert [pte.node for pte in map(born.result.pte, world.area)] == [1, 1]
    before = world.shell.read(world.area)
    assert born.result.write(world.area) == 0
    assert world.shell.read(world.area) == before
    world.see_quiet()


def check_a_munmap_of_the_target_waits_and_a_fault_waits_behind_it(kernel: Kernel) -> None:
    """mmap_sem is fair: who comes after a waiting writer waits for it, although the call only reads."""
    world = new_world(kernel, pages=2)
    shell, other = world.shell, world.shell.mmap(1)
    run = world.move()
    unmapped = run.when("TRY_TO_UNMAP").do(shell.munmap, world.area)
    touched = run.when("COPY").do(shell.write, other)
    assert finish(run).status == [1, 1]
    assert (unmapped.result, touched.result) == (0, 0)
    assert min(steps_of(run, "munmap", "ZAP_PTE")) > max(steps_of(run, "move_pages", "PUT_BACK_NEW"))
    assert min(steps_of(run, "write", "FAULT")) > max(steps_of(run, "munmap", "ZAP_PTE"))
    assert [len(vma) for vma in shell.vmas] == [1]
    assert shell.read(other[0]) == newest_token(world.machine)
    world.see_quiet()


def check_faults_of_the_target_go_on_while_nobody_wants_to_write(kernel: Kernel) -> None:
    """Readers share mmap_sem: a fault on another page does not wait for the call."""
    world = new_world(kernel)
    other = world.shell.mmap(1)
    run = world.move()
    run.when("COPY").do(world.shell.write, other)
    assert finish(run).status == [1]
    assert max(steps_of(run, "write")) < min(steps_of(run, "move_pages", "COPY"))
    world.see_quiet()


@broken("down_write")
def pushes_in(m: MachineState, mm: int) -> Steps[None]:
    """A writer takes mmap_sem although readers have it."""
    semaphore: Semaphore = m.table.get(("mmap_sem", mm)) or Semaphore()
    m.put(("mmap_sem", mm), semaphore._replace(writer=m.current))
    yield MMAP_WRITE, mm


@broken("down_read")
def overtakes_waiting_writers(m: MachineState, mm: int) -> Steps[None]:
    """A reader joins those who read, whoever queues."""
    semaphore: Semaphore = m.table.get(("mmap_sem", mm)) or Semaphore()
    m.put(("mmap_sem", mm), semaphore._replace(readers=(*semaphore.readers, m.current)))
    yield MMAP_READ, mm


@broken("down_read")
def reads_alone(m: MachineState, mm: int) -> Steps[None]:
    """A reader shares mmap_sem with nobody."""
    semaphore: Semaphore = m.table.get(("mmap_sem", mm)) or Semaphore()
    m.put(("mmap_sem", mm), semaphore._replace(queue=(*semaphore.queue, (m.current, True))).granted())
    yield MMAP_READ, mm


SCENARIOS = (
    Scenario(check_polite_passes_skip_a_locked_page, (does_not_look_at_the_lock,)),
    Scenario(check_a_forced_pass_sleeps_for_a_locked_page, (never_sleeps_for_the_lock, forces_one_pass_too_late)),
    Scenario(check_a_lock_that_is_never_released_is_named, (never_sleeps_for_the_lock,)),
    Scenario(check_a_fork_of_the_target_waits_for_the_call, (pushes_in,)),
    Scenario(check_a_munmap_of_the_target_waits_and_a_fault_waits_behind_it, (pushes_in, overtakes_waiting_writers)),
    Scenario(check_faults_of_the_target_go_on_while_nobody_wants_to_write, (reads_alone,)),
)
