"""The Stepper's sentences, of whoever acts: what they say is what the recorded changes are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from numakit import MPOL_MF_MOVE_ALL, Machine, Process, Run, Topology, Vma
from numakit.facade.file import File
from numakit.machine.vma import PTE_MIGRATION_READ, PTE_MIGRATION_WRITE, PTE_NONE, PTE_SWAP, PTE_TYPE
from numakit.moments import FAULT, FREE_PAGE, MOMENTS, PUT_BACK, SLEEP_ON_PAGE, TRY_TO_UNMAP, Moment
from numakit.widgets.changes import net, pte_changes
from numakit.widgets.reading import Reading
from numakit.widgets.scene import scene
from numakit.widgets.sentences import SENTENCES

MIGRATION_ENTRIES = (PTE_MIGRATION_READ, PTE_MIGRATION_WRITE)


def _machine() -> Machine:
    return Machine(Topology.preset("two-sockets"), scale=1 << 15)


def _shell(machine: Machine, pages: int = 2, touched: bool = True) -> tuple[Process, Vma]:
    shell = machine.spawn("shell", uid=0, node=0)
    area = shell.mmap(pages=pages)
    if touched:
        shell.write(area)
        machine.migrate_prep()
    return shell, area


def _of_a_file(machine: Machine, file_system: str = "ext2") -> tuple[Process, File, Vma]:
    shell = machine.spawn("shell", uid=0, node=0)
    file = machine.file("data", 4, file_system)
    area = shell.mmap(pages=3, shared=True, file=file)
    shell.write(area[0:2])
    machine.migrate_prep()
    return shell, file, area


def _pages(process: Process, area: Vma) -> list[int]:
    return [page for page in (process.page(address) for address in area) if page is not None]


def swapping_out() -> Run[Any]:
    """kswapd frees a page of two processes."""
    machine = _machine()
    shell, area = _shell(machine, 1)
    shell.fork("child")
    return machine.record(machine.reclaim, _pages(shell, area))


def swapping_out_what_is_written_again() -> Run[Any]:
    """The page comes back from the swap cache while the disc writes it."""
    machine = _machine()
    shell, area = _shell(machine, 1)
    run = machine.begin(machine.reclaim, _pages(shell, area))
    run.when("SLEEP_ON_WRITEBACK").do(shell.write, area[0])
    run.finish()
    return run


def reclaiming_what_is_locked() -> Run[Any]:
    """One page is locked by I/O, the other lies in an area that is mlocked."""
    machine = _machine()
    shell, area = _shell(machine)
    shell.mlock(area[1:2])
    run = machine.begin(machine.reclaim, _pages(shell, area))
    run.when("SHRINK_PAGE").do(shell.hold_page_lock, area[0])
    run.finish()
    return run


def reclaiming_a_file() -> Run[Any]:
    machine = _machine()
    shell, _, area = _of_a_file(machine)
    return machine.record(machine.reclaim, _pages(shell, area))


def swapping_in() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine, 1)
    machine.reclaim(_pages(shell, area))
    return machine.record(shell.write, area[0])


def swapping_in_what_another_has_read() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine, 1)
    child = shell.fork("child")
    machine.reclaim(_pages(shell, area))
    shell.read(area[0])
    return machine.record(child.write, area[0])


def moving_what_is_in_the_swap_cache() -> Run[Any]:
    """A read finds the new page through its slot and has to wait for its lock."""
    machine = _machine()
    shell, area = _shell(machine, 1)
    shell.fork("child")
    machine.reclaim(_pages(shell, area))
    shell.read(area[0])
    run = machine.begin(shell.move_pages, 0, area[0:1], [1], MPOL_MF_MOVE_ALL)
    run.when("COPY").do(shell.read, area[0])
    run.finish()
    return run


def first_read() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine, touched=False)
    return machine.record(shell.read, area[0])


def write_to_the_zero_page() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine, touched=False)
    shell.read(area[0])
    return machine.record(shell.write, area[0])


def write_that_needs_no_fault() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine)
    return machine.record(shell.write, area[0])


def write_to_a_hole() -> Run[Any]:
    machine = _machine()
    shell, _ = _shell(machine)
    return machine.record(shell.write, 0x99999000)


def write_to_what_the_child_has_copied() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine, 1)
    shell.fork("child").write(area)
    return machine.record(shell.write, area[0])


def private_write_to_a_file() -> Run[Any]:
    machine = _machine()
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(pages=1, file=machine.file("data", 4, "ext2"))
    return machine.record(shell.write, area[0])


def read_of_a_file_on_its_way() -> Run[Any]:
    """The new page is in the page cache, but has no contents yet."""
    machine = _machine()
    shell, file, area = _of_a_file(machine)
    other = machine.spawn("other", node=1)
    its_own = other.mmap(pages=3, shared=True, file=file)
    run = machine.begin(shell.move_pages, 0, area[0:1], [1])
    run.when("COPY").do(other.read, its_own[0])
    run.finish()
    return run


def forking() -> Run[Any]:
    """One page is in swap."""
    machine = _machine()
    shell, area = _shell(machine)
    machine.reclaim(_pages(shell, area)[:1])
    return machine.record(shell.fork, "child")


def unmapping() -> Run[Any]:
    """One page is in swap."""
    machine = _machine()
    shell, area = _shell(machine)
    machine.reclaim(_pages(shell, area)[:1])
    return machine.record(shell.munmap, area)


def exiting_under_a_call() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine, 1)
    root = machine.spawn("root", uid=0, node=1)
    run = machine.begin(root.move_pages, shell.pid, area[0:1], [1])
    run.when("GET_NEW_PAGE").do(shell.exit)
    run.finish()
    return run


def protecting() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine)
    return machine.record(shell.mprotect, area[0:1], 0)


def truncating_what_is_on_its_way() -> Run[Any]:
    machine = _machine()
    shell, file, area = _of_a_file(machine)
    run = machine.begin(shell.move_pages, 0, area[0:2], [1, 1])
    run.when("TREE_LOCK").do(file.truncate, 0)
    run.finish()
    return run


def moving_what_has_to_be_written() -> Run[Any]:
    machine = _machine()
    shell, _, area = _of_a_file(machine, "reiserfs")
    shell.read(area[2])
    return machine.record(shell.move_pages, 0, area[0:3], [1, 1, 1])


def writing_back() -> Run[Any]:
    machine = _machine()
    shell, file, area = _of_a_file(machine)
    shell.munmap(area)  # which leaves the pages dirty
    return machine.record(file.write_back, 0)


def direct_io() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine, touched=False)
    return machine.record(shell.direct_io, area)


def pinned_for_ever() -> Run[Any]:
    """All ten passes fail."""
    machine = _machine()
    shell, area = _shell(machine, 1)
    shell.vmsplice(area[0])
    return machine.record(shell.move_pages, 0, area, [1])


def two_at_the_same_moment() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine, 1)
    child = shell.fork("child")
    run = machine.begin(shell.move_pages, 0, area, [1], MPOL_MF_MOVE_ALL)
    run.when("COPY").do(shell.write, area[0])
    run.when("COPY").do(child.write, area[0])
    run.finish()
    return run


RUNS: list[Callable[[], Run[Any]]] = [
    swapping_out, swapping_out_what_is_written_again, reclaiming_what_is_locked, reclaiming_a_file, swapping_in,
    swapping_in_what_another_has_read, moving_what_is_in_the_swap_cache, first_read, write_to_the_zero_page,
    write_that_needs_no_fault, write_to_a_hole, write_to_what_the_child_has_copied, private_write_to_a_file,
    read_of_a_file_on_its_way, forking, unmapping, exiting_under_a_call, protecting, truncating_what_is_on_its_way,
    moving_what_has_to_be_written, writing_back, direct_io, pinned_for_ever, two_at_the_same_moment,
]  # fmt: skip
every_run = pytest.mark.parametrize("make", RUNS, ids=lambda make: make.__name__)


def told(run: Run[Any], moment: Moment | None = None) -> Iterator[tuple[int, str]]:
    """(step, sentence) of a run, or of its steps at one moment; the machine stands after the step."""
    reading = Reading(run)
    for step in range(len(run)):
        if moment in (None, reading.turns[step].moment):
            yield step, scene(run, step + 1, reading).sentence


def said(make: Callable[[], Run[Any]]) -> str:
    """All sentences of a run."""
    return "\n".join(sentence for _, sentence in told(make()))


def test_every_moment_has_a_sentence() -> None:
    assert set(SENTENCES) == set(MOMENTS)


@every_run
def test_a_sentence_is_one_line_and_ends_as_one(make: Callable[[], Run[Any]]) -> None:
    for _, sentence in told(make()):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert "None" not in sentence
        assert len(sentence) <= 200


@every_run
def test_a_migration_entry_is_told_exactly_where_one_is_left(make: Callable[[], Run[Any]]) -> None:
    """Reclaim leaves a swap slot, or nothing; so does a migration of a page in the swap cache."""
    run = make()
    for step, sentence in told(run, TRY_TO_UNMAP):
        left = {pte.after & PTE_TYPE for pte in pte_changes(run.steps[step].changes)}
        assert ("migration entr" in sentence) == bool(left & {*MIGRATION_ENTRIES})
        assert ("swap slot" in sentence) == (PTE_SWAP in left)
        assert ("emptied" in sentence) == (PTE_NONE in left)


@every_run
def test_a_fault_tells_what_the_pte_held(make: Callable[[], Run[Any]]) -> None:
    run = make()
    for step, sentence in told(run, FAULT):
        run.goto(step)
        address = run.steps[step].about << 12
        users = {process.struct.mm: process for process in run.machine.processes}
        acting = next(p for p in users.values() if p.pid == run.steps[step].task.pid)
        kind = acting.pte(address).kind
        words = {"none": "is empty", "present": "leads to page", "swap": "holds swap slot"}
        assert words.get(kind, "is a migration entry") in sentence


@every_run
def test_who_wakes_has_the_lock_or_sleeps_on(make: Callable[[], Run[Any]]) -> None:
    """A lock that was taken and given back within the step was had, too."""
    run = make()
    for step, sentence in told(run, SLEEP_ON_PAGE):
        locked = [c for c in run.steps[step].changes if c.label == "owner" and c.after]
        assert ("sleeps on" in sentence) == (not locked)


@every_run
def test_a_frame_is_said_to_be_free_when_it_is(make: Callable[[], Run[Any]]) -> None:
    run = make()
    for step, sentence in told(run, FREE_PAGE):
        assert ("its frame is free" in sentence) == (not run.machine.frame(run.steps[step].about).count)


@every_run
def test_what_is_not_put_back_stays_isolated_for_the_next_pass(make: Callable[[], Run[Any]]) -> None:
    """And where there is no next pass that is told instead."""
    run = make()
    last = [s.number for s in run.steps if s.moment.name == "PASS"][9:]
    for step, sentence in told(run, PUT_BACK):
        page = run.steps[step].about
        changed = {c.label for c in net(run.steps[step].changes) if c.index == page}
        waits = not changed & {"holder", "count"}
        assert ("stays isolated for the next pass" in sentence) == (waits and not (last and step > last[0]))
        assert ("there is no next pass" in sentence) == bool(waits and last and step > last[0])


def test_what_is_only_true_of_a_migration_is_said_of_one() -> None:
    """A moment's texts stand in the runs of kswapd and of truncations, too: they have no passes."""
    shared = {step.moment for make in (swapping_out, reclaiming_what_is_locked) for step in make().steps}
    for moment in [*shared, SLEEP_ON_PAGE]:
        for text in (moment.what, moment.why):
            assert "pass" not in text or "migration" in text
            assert "migration entry" not in text


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (swapping_out, "gives it swap slot 0: the swap cache has it now."),
        (swapping_out, "is dirty: a disc begins to write it."),
        (swapping_out, "Only kswapd and the swap cache refer to page"),
        (swapping_out_what_is_written_again, "The page was used meanwhile, so it goes back to the LRU."),
        (reclaiming_what_is_locked, "is locked by I/O: it goes back to the LRU."),
        (reclaiming_what_is_locked, "lies in an area that is locked in memory"),
        (swapping_in, "holds swap slot 0: its contents are read into frame"),
        (swapping_in, "which need not be copied: it may be written from now on."),
        (swapping_in_what_another_has_read, "the swap cache has its page"),
        (moving_what_is_in_the_swap_cache, "The slot of the swap cache leads to page"),
        (moving_what_is_in_the_swap_cache, "none but those of the call and the swap cache"),
        (moving_what_is_in_the_swap_cache, "wakes and locks it, and the PTE at 0x10000000 leads to it now."),
        (first_read, "which is full of zeroes and shared by all, is mapped."),
        (write_that_needs_no_fault, "there is no fault."),
        (write_to_a_hole, "finds no area that allows the access: it fails."),
        (private_write_to_a_file, "the file's page is read into frame"),
        (read_of_a_file_on_its_way, "is not filled yet: the read of other waits for its lock."),
        (forking, "with swap slot 0, is copied to the child, as it is."),
        (forking, "is copied to the child: neither may write through it from now on."),
        (unmapping, "which held swap slot 0."),
        (unmapping, "is mapped once less, and freed, for nobody refers to it."),
        (exiting_under_a_call, "The exit of shell begins: the memory stays, for a call still looks at it."),
        (protecting, "may no longer be written through the PTE at 0x10000000."),
        (truncating_what_is_on_its_way, "which held a migration entry for page"),
        (truncating_what_is_on_its_way, "is locked by move_pages: the truncate goes to sleep."),
        (moving_what_has_to_be_written, "is handed to the disc, which reads its frame from now on"),
        (moving_what_has_to_be_written, "are taken off: now it can be moved like any other page."),
        (writing_back, "is dirty: the disc begins to write it"),
        (direct_io, "A reference keeps page"),
    ],
)  # fmt: skip
def test_what_others_do_is_told_by_its_outcome(make: Callable[[], Run[Any]], words: str) -> None:
    assert words in said(make)


def test_an_answer_that_a_later_pass_may_change_is_one_so_far() -> None:
    """-EBUSY stands in status[] from the first pass on; after the last one it stays."""
    run = moving_what_has_to_be_written()
    assert "Entry 0: -EBUSY so far." in "\n".join(sentence for _, sentence in told(run))
    assert run.result.status[0] == 1


def test_two_who_come_at_the_same_moment_are_told_apart() -> None:
    run = two_at_the_same_moment()
    copy = next(s.number for s in run.steps if s.moment.name == "COPY")
    before = [sentence for step, sentence in told(run) if step < copy]
    for who in ("shell", "child"):
        assert f"The write of {who} begins, and asks for mmap_sem." in before
    waits = [sentence for sentence in before if "sleeps on its lock" in sentence]
    assert len(waits) == 2
