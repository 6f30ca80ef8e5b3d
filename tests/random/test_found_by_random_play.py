"""What random play found once: the shortest case of each, kept."""

from __future__ import annotations

from numakit import MPOL_MF_MOVE_ALL
from numakit.kernels import SEED
from tests.random.machines import see_that_it_is_sound, small_machine


def test_a_file_that_is_truncated_waits_for_the_page_that_is_being_moved() -> None:
    """The last process that maps shared memory exits between the unmapping of its page and the test of its slot."""
    machine = small_machine({0: 16, 1: 16}, SEED)
    owner = machine.spawn("owner", node=0)
    area = owner.mmap(pages=1, shared=True)
    owner.write(area)
    page = owner.page(area[0])
    assert page is not None
    machine.migrate_prep()
    assert machine.isolate_lru_page(page) == 0
    run = machine.begin(machine.migrate_pages, [page], lambda old, private, result: machine.alloc_page(1))
    run.when("TREE_LOCK").do(owner.exit)
    assert run.finish() == 0
    machine.migrate_prep()
    assert machine.free_frames(1) == 16
    see_that_it_is_sound(machine)


def test_pipes_are_closed_in_the_same_order_when_an_exit_is_played_again() -> None:
    """Undoing changes the order of the table, and thus of the pipes, but not the order in which an exit closes them."""
    machine = small_machine({0: 16, 1: 16}, SEED)
    shell = machine.spawn("shell", uid=0, node=0)
    child = shell.fork("child")
    area = child.mmap(pages=1)
    child.write(area)
    child.vmsplice(area)
    child.vmsplice(area)
    run = machine.begin(shell.move_pages, child.pid, area, [1], MPOL_MF_MOVE_ALL)
    actor = run.when("DRAIN").do(child.exit)
    run.finish()
    assert actor.done
    end = machine.fingerprint()
    run.goto(len(run) - 1).finish()
    assert machine.fingerprint() == end
    see_that_it_is_sound(machine)
