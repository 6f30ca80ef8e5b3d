"""Others take and drop references: pins, copy-on-write, the last user; and no frame is lost on the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from numakit.abi import EAGAIN
from numakit.faults import map_new_anonymous_page
from numakit.kernels import Kernel
from numakit.machine.frames import get_page, put_page
from numakit.machine.mempolicy import alloc_page_vma
from numakit.machine.state import MachineState
from numakit.machine.vma import PTE_PFN, PTE_PRESENT, PTE_TYPE, Pte, pte_address, unmap_pte
from numakit.migration.new_page import NewPage, ResultPointer
from numakit.migration.putback import move_to_lru
from numakit.migration.unmap_and_move import lock_and_move
from numakit.moments import COPY_ON_WRITE, FREED, GET_NEW_PAGE, LOCK_NEW_PAGE, PUT_BACK, PUT_BACK_NEW
from numakit.timeline.task import Steps
from tests.interleavings.world import Scenario, broken, finish, moments_of, new_world, newest_token, passes_of

# -- pins


def check_a_page_pinned_after_unmapping_stays_until_it_is_let_go(kernel: Kernel) -> None:
    """Who finds the page through the page cache may pin it between unmapping and count test; the call tries again."""
    world = new_world(kernel)
    child_was_born_before = world.shell.mmap(1, shared=True)
    child = world.shell.fork("child")
    world = replace(world, area=child_was_born_before)
    assert world.shell.write(world.area) == 0
    run = world.move()
    run.when("TREE_LOCK").until("PASS", in_pass=2).do(child.pin_for_a_while, world.area, "NIC")
    result = finish(run)
    assert (result.status, result.rows, passes_of(run)) == ([1], ["moved"], 3)
    for step in range(len(run)):
        run.goto(step)
        for page in range(world.machine.nr_frames):
            frame = world.machine.frame(page)
            assert "NIC for child" not in frame.holders or frame.mapping != "none", "it has an abandoned frame"
    run.last()
    world.see_quiet()


def check_a_page_pinned_while_it_is_unmapped_stays_until_it_is_let_go(kernel: Kernel) -> None:
    """Between two PTEs a sharer still reaches the page, and may have a device pin it; the call tries again."""
    world = new_world(kernel, shared=True)
    child = world.shell.fork("child")
    child.read(world.area)
    page = world.page()
    run = world.move_all()
    run.when("TRY_TO_UNMAP", 2).until("PASS", in_pass=2).do(child.pin_for_a_while, world.area, "NIC")
    assert finish(run).status == [1]
    assert passes_of(run) == 3
    while run.position and "NIC for child" not in world.machine.frame(page).holders:
        run.back()
    assert run.position, "the pin never held the page"
    assert "page cache" in world.machine.frame(page).holders, "it was pinned and is not the page of the file any more"
    run.last()
    assert (world.page(), world.area.nodes) == (child.page(world.area[0]), [1])
    world.see_quiet()


@broken("count_test")
def counts_nothing(m: MachineState, page: int, expected: int) -> int:
    """Whoever else refers to the page, it is moved."""
    return 0


# -- copy-on-write


def check_a_copy_on_write_lets_go_of_the_old_page(kernel: Kernel) -> None:
    """A sharer that writes gets a copy, its reference goes with its PTE, and the page moves with the others."""
    world = new_world(kernel)
    child = world.shell.fork("child")
    before = world.shell.read(world.area[0])
    run = world.move_all()
    run.when("GET_NEW_PAGE").do(child.write, world.area)
    result = finish(run)
    assert (result.status, result.rows, passes_of(run)) == ([1], ["moved"], 1)
    assert "COPY_ON_WRITE" in moments_of(run, "write")
    assert (world.shell.read(world.area[0]), child.read(world.area[0])) == (before, newest_token(world.machine))
    world.see_quiet()


@broken("do_wp_page")
def keeps_the_old_reference(m: MachineState, pte: Pte) -> Steps[int | None]:
    """The PTE leads to the copy, but its reference to the old page is not dropped."""
    page, copy = pte.value >> PTE_PFN, alloc_page_vma(m, pte.vma, pte_address(pte))
    assert copy is not None
    get_page(m, page, m.current)
    yield COPY_ON_WRITE, page
    m.set(m.contents, copy, m.contents[page])
    unmap_pte(m, pte)
    map_new_anonymous_page(m, pte, copy)
    return 0


@broken("do_wp_page")
def copies_without_a_second_look(m: MachineState, pte: Pte) -> Steps[int | None]:
    """After the allocation, which may sleep, the PTE is taken to be what it was."""
    page = pte.value >> PTE_PFN
    get_page(m, page, m.current)
    yield COPY_ON_WRITE, page
    copy = alloc_page_vma(m, pte.vma, pte_address(pte))
    assert copy is not None
    m.set(m.contents, copy, m.contents[page])
    if pte.value & PTE_TYPE == PTE_PRESENT:
        unmap_pte(m, pte)
    map_new_anonymous_page(m, pte, copy)
    put_page(m, page, m.current)
    return 0


def check_a_copy_on_write_looks_at_the_pte_again(kernel: Kernel) -> None:
    """The page may be unmapped for migration while the copy is allocated: then the fault begins anew."""
    world = new_world(kernel)
    child = world.shell.fork("child")
    run = world.move_all()
    writer = run.when("TRY_TO_UNMAP").do(child.write, world.area)
    while "COPY_ON_WRITE" not in repr(writer):
        run.forward()
    while run.place.moment is not LOCK_NEW_PAGE:
        run.turn(run.call)
    run.turn(writer.task)
    assert finish(run).status == [1]
    assert "ENTRY_WAIT" in moments_of(run, "write")
    assert child.read(world.area[0]) == newest_token(world.machine)
    assert world.area.nodes == [1]
    world.see_quiet()


# -- the last user


def check_a_page_that_everybody_copied_is_gone(kernel: Kernel) -> None:
    """A write to a locked page copies it, whoever else maps it; when I/O lets go, too, only the call holds the page."""
    world = new_world(kernel)
    assert world.shell.fork("child").exit() == 0  # the shell's PTE stays write-protected
    page = world.page()
    run = world.move()
    run.when("GET_NEW_PAGE").until("PASS", in_pass=1).do(world.shell.hold_page_lock, world.area[0])
    writer = run.when("LOCK_PAGE").do(world.shell.write, world.area)
    result = finish(run)
    assert (result.ret, result.status, result.rows) == (0, [1], ["gone"])
    assert (writer.result, passes_of(run)) == (0, 2)
    assert not {"TRY_TO_UNMAP", "COPY"} & set(moments_of(run, "move_pages"))
    assert world.shell.read(world.area[0]) == newest_token(world.machine)
    world.see_quiet()
    assert world.machine.frame(page).count == 0


def check_a_page_whose_processes_exited_is_gone(kernel: Kernel) -> None:
    """Inside the kernel nobody holds the mm: after isolation all that map the page may exit."""
    world = new_world(kernel)
    machine, page, child = world.machine, world.page(), world.shell.fork("child")
    machine.migrate_prep()
    assert machine.isolate_lru_page(page) == 0
    run = machine.begin(machine.migrate_pages, [page], lambda old, private, result: machine.alloc_page(1))
    run.when("PASS").do(world.shell.exit)
    run.when("GET_NEW_PAGE").do(child.exit)
    result = finish(run)
    assert (result.ret, result.rows) == (0, ["gone"])
    assert "TRY_TO_UNMAP" not in moments_of(run, "migrate_pages")
    world.see_quiet()
    assert machine.frame(page).count == 0


@broken("unmap_and_move")
def moves_what_nobody_uses(m: MachineState, get_new_page: NewPage, private: Any, page: int, force: bool) -> Steps[int]:
    """Nobody looks whether the page was freed under the call."""
    result = ResultPointer()
    yield GET_NEW_PAGE, page
    newpage = get_new_page(m, page, private, result)
    assert newpage is not None
    rc = yield from lock_and_move(m, newpage, page, force)
    if rc != -EAGAIN:
        move_to_lru(m, page)
    move_to_lru(m, newpage)
    result.write(m, rc or m.node(newpage))
    return rc


# -- frames


def check_no_frame_is_lost(kernel: Kernel) -> None:
    """A page that moves after two attempts that failed: as many frames are free as before, on both nodes."""
    world = new_world(kernel)
    assert world.free_frames() == 2 * 16 - 2
    run = world.move()
    run.when("GET_NEW_PAGE").until("PASS", in_pass=2).do(world.shell.pin_for_a_while, world.area)
    assert finish(run).status == [1]
    assert passes_of(run) == 3
    assert world.free_frames() == 2 * 16 - 2
    assert world.machine.frame(world.page()).holders == {"PTE": 1}
    world.see_quiet()


@broken("unmap_and_move")
def keeps_new_pages_of_failed_attempts(
    m: MachineState, get_new_page: NewPage, private: Any, page: int, force: bool
) -> Steps[int]:
    """After -EAGAIN the new page is forgotten instead of given to the LRU, where it would be freed."""
    result = ResultPointer()
    yield GET_NEW_PAGE, page
    newpage = get_new_page(m, page, private, result)
    assert newpage is not None
    yield FREED, page
    rc = yield from lock_and_move(m, newpage, page, force)
    if rc != -EAGAIN:
        yield PUT_BACK, page
        move_to_lru(m, page)
        yield PUT_BACK_NEW, newpage
        move_to_lru(m, newpage)
    result.write(m, m.kernel.busy_status if rc == -EAGAIN else rc or m.node(newpage))
    return rc


SCENARIOS = (
    Scenario(check_a_page_pinned_after_unmapping_stays_until_it_is_let_go, (counts_nothing,)),
    Scenario(check_a_page_pinned_while_it_is_unmapped_stays_until_it_is_let_go, (counts_nothing,)),
    Scenario(check_a_copy_on_write_lets_go_of_the_old_page, (keeps_the_old_reference,)),
    Scenario(check_a_copy_on_write_looks_at_the_pte_again, (copies_without_a_second_look,)),
    Scenario(check_a_page_that_everybody_copied_is_gone, (moves_what_nobody_uses,)),
    Scenario(check_a_page_whose_processes_exited_is_gone, (moves_what_nobody_uses,)),
    Scenario(check_no_frame_is_lost, (keeps_new_pages_of_failed_attempts,)),
)
