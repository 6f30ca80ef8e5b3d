"""What wins where several rows of the contract hold for one page, and what others do meanwhile. Public calls only."""

from __future__ import annotations

from collections.abc import Callable
from errno import EACCES, EBUSY, EFAULT, ENOENT, ENOMEM, EPERM
from typing import Any

import pytest

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, Machine, Process, Vma

Fill = Callable[[Machine, int], Process]


@pytest.fixture
def area(shell: Process) -> Vma:
    """Two pages of the shell on node 0."""
    pages = shell.mmap(pages=2)
    shell.write(pages)
    return pages


@pytest.mark.parametrize(
    ("flags", "status", "row"),
    [(MPOL_MF_MOVE, -EACCES, "shared"), (MPOL_MF_MOVE_ALL, -EPERM, "mlocked")],
    ids=["MOVE", "MOVE_ALL"],
)
def test_mlocked_and_shared(machine: Machine, shell: Process, area: Vma, flags: int, status: int, row: str) -> None:
    """Sharing is looked at first; with MOVE_ALL the mlock is found at unmapping."""
    shell.mlock(area[0])
    child = shell.fork("child")
    result = machine.spawn("root", uid=0).move_pages(shell.pid, area[0:1], [1], flags)
    assert (result.ret, result.outcome, result.rows) == (-ENOENT if row == "shared" else 0, [status], [row])
    assert (f"child (pid {child.pid})" in result.explain(0)) == (row == "shared")
    assert f"shell (pid {shell.pid})" in result.explain(0)


def test_full_node_and_a_page_twice(machine: Machine, shell: Process, area: Vma, fill: Fill) -> None:
    """The first entry queued the page and gets the allocator's answer; the second is a duplicate."""
    fill(machine, 1)
    result = shell.move_pages(0, [area[0], area[0]], [1, 1])
    assert (result.ret, result.status, result.rows) == (0, [-ENOMEM, -EBUSY], ["full", "duplicate"])


@pytest.mark.parametrize(("nodes", "rows"), [([0, 1], ["there", "moved"]), ([1, 0], ["moved", "there"])])
def test_one_page_with_two_targets(shell: Process, area: Vma, nodes: list[int], rows: list[str]) -> None:
    """A status says where the page was when its entry was decided."""
    result = shell.move_pages(0, [area[0], area[0]], nodes)
    assert (result.ret, result.status, result.rows) == (0, nodes, rows)
    assert area.nodes[0] == 1


def test_pinned_and_full(machine: Machine, shell: Process, area: Vma, fill: Fill) -> None:
    """The allocator is asked before anybody counts references: -ENOMEM."""
    shell.vmsplice(area[0])
    fill(machine, 1)
    result = shell.move_pages(0, area[0:1], [1])
    assert (result.ret, result.status, result.rows) == (0, [-ENOMEM], ["full"])


def test_pinned_and_mlocked(shell: Process, area: Vma) -> None:
    """The mlock is found at unmapping, before references are counted: -EPERM."""
    shell.vmsplice(area[0])
    shell.mlock(area[0])
    result = shell.move_pages(0, area[0:1], [1])
    assert (result.ret, result.status, result.rows) == (0, [-EPERM], ["mlocked"])


def test_full_after_busy_is_full(machine: Machine, shell: Process, area: Vma) -> None:
    """A later attempt overwrites what an earlier one wrote: busy in the first passes, then no frame is left."""
    shell.vmsplice(area[0])
    run = machine.begin(shell.move_pages, 0, area[0:1], [1])
    hog = machine.spawn("hog", mems={1})
    room = hog.mmap(pages=64)
    run.when("PASS", nth=3).do(hog.write, room)
    result = run.finish()
    assert (result.status, result.rows) == ([-ENOMEM], ["full"])


def test_a_pin_that_ends_in_time_does_no_harm(machine: Machine, shell: Process, area: Vma) -> None:
    """A temporary failure is overwritten by the attempt that succeeds."""
    pin = shell.vmsplice(area[0])
    run = machine.begin(shell.move_pages, 0, area[0:1], [1])
    run.when("PASS", nth=10).do(pin.release)
    result = run.finish()
    assert (result.status, result.rows, area.nodes[0]) == ([1], ["moved"], 1)


@pytest.mark.parametrize("cause", ["full", "mlocked", "pinned"])
def test_the_only_page_queued_fails(machine: Machine, shell: Process, area: Vma, fill: Fill, cause: str) -> None:
    """ret 0: something was queued, and what became of it stands in its status."""
    status = {"full": -ENOMEM, "mlocked": -EPERM, "pinned": -EBUSY}[cause]
    if cause == "full":
        fill(machine, 1)
    elif cause == "mlocked":
        shell.mlock(area[0])
    else:
        shell.direct_io(area[0])
    result = shell.move_pages(0, area[0:1], [1])
    assert (result.ret, result.status, result.row, result.rows) == (0, [status], "ok", [cause])


def test_all_busy_at_isolation(machine: Machine, shell: Process, area: Vma) -> None:
    """ret 0, although nothing was queued."""
    machine.migrate_prep()
    for address in area:
        page = shell.page(address)
        assert page is not None
        assert machine.isolate_lru_page(page) == 0
    result = shell.move_pages(0, area, [1, 1])
    assert (result.ret, result.status) == (0, [-EBUSY, -EBUSY])
    assert (result.row, result.rows) == ("ok", ["off-lru", "off-lru"])


# -- queries


def test_a_query_of_an_empty_list(shell: Process) -> None:
    """ret 0, where a moving call says -ENOENT."""
    result = shell.move_pages(0, [])
    assert (result.ret, result.status, result.row) == (0, [], "query")


def test_a_query_tells_holes_untouched_and_zero_pages(shell: Process, area: Vma) -> None:
    """Rows 1 to 3, else the node."""
    other = shell.mmap(pages=2)
    shell.read(other[1])
    result = shell.move_pages(0, [area[0], other[0], other[1], other.end])
    assert (result.ret, result.status) == (0, [0, -ENOENT, -EFAULT, -EFAULT])
    assert result.rows == ["here", "untouched", "zero", "hole"]


def test_a_query_looks_at_neither_sharing_nor_cpuset_nor_the_lru(machine: Machine) -> None:
    """Where a page is can be told of any page, and nothing is changed by asking."""
    target = machine.spawn("target", node=0)
    area = target.mmap(pages=1)
    target.write(area)
    target.fork("child")
    page = target.page(area[0])
    assert page is not None
    machine.migrate_prep()
    assert machine.isolate_lru_page(page) == 0
    asker = machine.spawn("asker", mems={1})
    before = machine.frame(page)
    assert asker.move_pages(target.pid, area).status == [0]
    assert machine.frame(page) == before


def test_a_query_with_the_flag_all_needs_the_privilege(shell: Process, area: Vma) -> None:
    """The checks before the arrays are made in a query, too."""
    assert shell.move_pages(0, area, flags=MPOL_MF_MOVE_ALL).row == "all-unprivileged"


# -- others act meanwhile


def test_who_writes_to_a_page_that_is_moved_sleeps_and_writes_to_the_new_one(machine: Machine, shell: Process) -> None:
    """A migration entry makes the write wait; nothing is lost."""
    area = shell.mmap(pages=1)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    writer = run.when("COPY").do(shell.write, area)
    result = run.finish()
    assert (result.status, writer.result) == ([1], 0)
    page = shell.page(area[0])
    assert page is not None
    assert (machine.frame(page).node, shell.read(area[0])) == (1, machine.frame(page).contents)
    waits = [step.moment.name for step in run.steps if step.task.name == "write"]
    assert "ENTRY_WAIT" in waits


def test_munmap_of_the_target_waits_for_the_whole_call(machine: Machine, shell: Process, area: Vma) -> None:
    """move_pages() has mmap_sem for read from beginning to end; so the pages move, and are unmapped afterwards."""
    run = machine.begin(shell.move_pages, 0, area, [1, 1])
    unmapped = run.when("TRY_TO_UNMAP").do(shell.munmap, area)
    result = run.finish()
    assert (result.status, result.rows, unmapped.result) == ([1, 1], ["moved", "moved"], 0)
    assert shell.vmas == []
    moments = [step.moment.name for step in run.steps]
    assert moments.index("ZAP_PTE") > len(moments) - 1 - moments[::-1].index("PUT_BACK_NEW")


def test_a_fork_meanwhile_waits_and_shares_the_new_pages(machine: Machine, shell: Process, area: Vma) -> None:
    """fork needs mmap_sem for write."""
    run = machine.begin(shell.move_pages, 0, area, [1, 1])
    born = run.when("COPY").do(shell.fork, "child")
    run.finish()
    assert [born.result.pte(a).node for a in area] == [1, 1]


def test_an_exit_of_the_target_waits_for_the_call_with_its_mm(machine: Machine, shell: Process, area: Vma) -> None:
    """The call holds the mm: the pages move though their process has gone, then they are freed."""
    caller = machine.spawn("caller", node=1)
    free = machine.free_frames(0)
    run = machine.begin(caller.move_pages, shell.pid, area, [1, 1])
    run.when("TRY_TO_UNMAP").do(shell.exit)
    assert run.finish().rows == ["moved", "moved"]
    machine.migrate_prep()
    assert (shell.alive, machine.free_frames(0), machine.free_frames(1)) == (False, free + 2, 64)


def test_who_waits_on_a_migration_entry_costs_the_call_a_pass(machine: Machine, shell: Process, area: Vma) -> None:
    """The waiter holds a reference, so that the count is one too high; the next pass moves the page."""
    run = machine.begin(shell.move_pages, 0, area[0:1], [1])
    reader = run.when("LOCK_NEW_PAGE").do(shell.read, area[0])
    result = run.finish()
    assert (result.status, result.rows) == ([1], ["moved"])
    assert sum(step.moment.name == "PASS" for step in run.steps) == 2
    assert reader.result == shell.read(area[0])


def test_a_temporary_failure_is_written_at_every_attempt(machine: Machine, shell: Process, area: Vma) -> None:
    """-EBUSY stands in the status between the passes, until the attempt that succeeds overwrites it."""
    pin = shell.vmsplice(area[0])
    machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    assert machine.isolate_lru_page(page) == 0
    cells = machine.cells(1, fill=99)

    def to_node_1(page: int, private: Any, result: Any) -> int | None:
        result.point_to(cells, 0)
        return machine.alloc_page(1)

    run = machine.begin(machine.migrate_pages, [page], to_node_1)
    run.when("PASS", nth=3).do(pin.release)
    assert run.finish().rows == ["moved"]
    between = []
    for number in [step.number for step in run.steps if step.moment.name == "PASS"]:
        run.goto(number)
        between.append(cells[0])
    run.last()
    assert (between, cells[0]) == ([99, -EBUSY, -EBUSY], 1)


def test_a_page_that_is_unmapped_inside_the_kernel_migration_is_gone(machine: Machine, shell: Process) -> None:
    """migrate_pages() inside the kernel holds no mmap_sem: its last user can unmap the page. Then 0 pages stayed."""
    area = shell.mmap(pages=1)
    shell.write(area)
    machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    assert machine.isolate_lru_page(page) == 0
    cells = machine.cells(1, fill=99)

    def to_node_1(page: int, private: Any, result: Any) -> int | None:
        result.point_to(cells, 0)
        return machine.alloc_page(1)

    run = machine.begin(machine.migrate_pages, [page], to_node_1)
    run.when("FREED").do(shell.munmap, area)
    result = run.finish()
    assert (result.ret, result.rows, list(cells)) == (0, ["gone"], [1])
    machine.migrate_prep()
    assert machine.frame(page).count == 0
