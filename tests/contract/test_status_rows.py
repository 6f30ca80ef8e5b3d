"""Each row of the contract's table of statuses, reached by the cause in its name, with public calls only."""

from __future__ import annotations

from collections.abc import Callable
from errno import EACCES, EBUSY, EFAULT, ENOENT, ENOMEM, EPERM

import pytest

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PAGE_SIZE, PROT_READ, Machine, Process

Fill = Callable[[Machine, int], Process]


@pytest.mark.parametrize("where", ["above", "below", "between"])
def test_hole(shell: Process, where: str) -> None:
    """An address in no VMA is -EFAULT, wherever the hole is; the explanation names the areas beside it."""
    first, second = shell.mmap(pages=2), shell.mmap(pages=2)
    shell.write(first)
    address = {"above": second.end, "below": first.start - PAGE_SIZE, "between": first.end}[where]
    result = shell.move_pages(0, [address, first[0]], [1, 1])
    assert (result.ret, result.status, result.outcome) == (0, [-EFAULT, 1], [-EFAULT, 1])
    assert result.rows == ["hole", "moved"]
    says = result.explain(0)
    assert (f"{first.end:#x}" in says) == (where == "between")
    assert (f"{second.end:#x}" in says) == (where == "above")
    assert (f"{first.start:#x}" in says) == (where == "below")
    assert where in says


def test_hole_in_a_process_without_areas(machine: Machine, shell: Process) -> None:
    """Where nothing is mapped every address is a hole."""
    empty = machine.spawn("empty")
    result = shell.move_pages(empty.pid, [PAGE_SIZE], [1])
    assert (result.ret, result.outcome, result.rows) == (-ENOENT, [-EFAULT], ["hole"])
    assert "no areas" in result.explain(0)


@pytest.mark.parametrize("shared", [False, True], ids=["private", "shared-memory"])
def test_untouched(shell: Process, shared: bool) -> None:
    """Memory that was mapped and never touched has no page; the explanation names its area.

    Shared memory is a file without a name, so its page has not been read in.
    """
    area = shell.mmap(pages=2, shared=shared)
    shell.write(area[0])
    result = shell.move_pages(0, [area[1], area[0]], [1, 1])
    assert (result.ret, result.status) == (0, [-ENOENT, 1])
    assert result.rows == ["not-read" if shared else "untouched", "moved"]
    assert f"{area.start:#x}-{area.end:#x}" in result.explain(0)


def test_migrating(machine: Machine, shell: Process) -> None:
    """A page that another call is moving just now is a migration entry, and nothing is present behind the address."""
    area = shell.mmap(pages=1)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    second = run.when("COPY").do(machine.spawn("second").move_pages, shell.pid, area, [1])
    assert run.finish().status == [1]
    assert (second.result.ret, second.result.outcome) == (-ENOENT, [-ENOENT])
    assert (second.result.row, second.result.rows) == ("nothing", ["migrating"])
    assert "migration entry" in second.result.explain(0)


def test_zero(machine: Machine, shell: Process) -> None:
    """Memory that was only read shows the zero page: -EFAULT; after a write it moves."""
    area = shell.mmap(pages=2)
    assert shell.read(area[0]) == 0
    shell.write(area[1])
    result = shell.move_pages(0, area, [1, 1])
    assert (result.ret, result.status, result.rows) == (0, [-EFAULT, 1], ["zero", "moved"])
    assert f"page {shell.page(area[0])}, the zero page" in result.explain(0)
    shell.write(area[0])
    assert shell.move_pages(0, area[0:1], [1]).status == [1]


def test_there(shell: Process) -> None:
    """A page that already is on the node asked for keeps its frame; its status is that node."""
    area = shell.mmap(pages=2)
    shell.write(area)
    page = shell.page(area[0])
    result = shell.move_pages(0, area, [0, 1])
    assert (result.ret, result.status, result.rows) == (0, [0, 1], ["there", "moved"])
    assert shell.page(area[0]) == page
    assert "already was on node 0" in result.explain(0)


def test_shared(machine: Machine, shell: Process) -> None:
    """A page that two processes map stays without MOVE_ALL; the explanation names both."""
    area = shell.mmap(pages=2)
    shell.write(area)
    child = shell.fork("child")
    shell.write(area[1])  # copy on write: this page is the shell's alone again
    result = shell.move_pages(0, area, [1, 1])
    assert (result.ret, result.status, result.rows) == (0, [-EACCES, 1], ["shared", "moved"])
    assert f"shell (pid {shell.pid}) and child (pid {child.pid})" in result.explain(0)
    assert shell.page(area[0]) == child.page(area[0])
    root = machine.spawn("root", uid=0)
    assert root.move_pages(shell.pid, area[0:1], [1], MPOL_MF_MOVE_ALL).status == [1]
    assert child.pte(area[0]).node == shell.pte(area[0]).node == 1


def test_shared_memory_mapped_by_one_process_is_not_shared(shell: Process) -> None:
    """Sharing is told by the processes that map the page, not by how the area was mapped."""
    area = shell.mmap(pages=1, shared=True)
    shell.write(area)
    assert shell.move_pages(0, area, [1]).status == [1]


def test_shared_ends_with_the_other_process(shell: Process) -> None:
    """When the child has exited the page is the parent's alone, and moves."""
    area = shell.mmap(pages=1)
    shell.write(area)
    child = shell.fork("child")
    assert shell.move_pages(0, area, [1]).rows == ["shared"]
    child.exit()
    assert shell.move_pages(0, area, [1]).rows == ["moved"]


def test_duplicate(shell: Process) -> None:
    """The second entry for a page that the call has queued is -EBUSY; the explanation names the first."""
    area = shell.mmap(pages=2)
    shell.write(area)
    result = shell.move_pages(0, [area[1], area[0], area[1] + 100], [1, 1, 1])
    assert (result.ret, result.status) == (0, [1, 1, -EBUSY])
    assert result.rows == ["moved", "moved", "duplicate"]
    assert "Entry 0 of the same call" in result.explain(2)


@pytest.mark.parametrize("cause", ["isolated", "another-call", "touched-after-the-drain"])
def test_off_lru(machine: Machine, shell: Process, cause: str) -> None:
    """A page on no LRU list is -EBUSY: somebody isolated it before, or it waits in the pagevec of a CPU."""
    area = shell.mmap(pages=2)
    shell.write(area[1])
    other = machine.spawn("other", node=1)
    run = machine.begin(other.move_pages, shell.pid, area[0:1], [1])
    if cause == "touched-after-the-drain":
        run.when("FOLLOW_PAGE").do(shell.write, area[0])
        result, who = run.finish(), f"pagevec of CPU {shell.cpu}"
    elif cause == "isolated":
        shell.write(area[0])
        machine.migrate_prep()
        page = shell.page(area[0])
        assert page is not None
        assert machine.isolate_lru_page(page) == 0
        result, who = run.finish(), "kernel code of yours has taken it off"
        machine.putback_lru_pages([page])
    else:
        shell.write(area[0])
        second = run.when("PASS").do(shell.move_pages, 0, area[0:1], [1])
        assert run.finish().status == [1]
        result, who = second.result, "move_pages has taken it off"
    assert (result.ret, result.status, result.outcome) == (0, [-EBUSY], [-EBUSY])
    assert result.rows == ["off-lru"]
    assert who in result.explain(0)


def test_off_lru_is_over_at_the_next_call(machine: Machine, shell: Process) -> None:
    """What waited in a pagevec is drained by the next call, and moves."""
    area = shell.mmap(pages=1)
    run = machine.begin(machine.spawn("other", node=1).move_pages, shell.pid, area, [1])
    run.when("FOLLOW_PAGE").do(shell.write, area)
    assert run.finish().rows == ["off-lru"]
    assert shell.move_pages(0, area, [1]).rows == ["moved"]


@pytest.mark.parametrize("cause", ["no-free-frame", "no-memory", "callers-cpuset"])
def test_full(make_machine: Callable[..., Machine], fill: Fill, cause: str) -> None:
    """A target without a frame for the caller is -ENOMEM for this page alone; no other node is tried."""
    machine = make_machine({0: 64, 1: 0 if cause == "no-memory" else 8, 2: 64})
    shell = machine.spawn("shell", node=0)
    caller = machine.spawn("caller", node=0, mems={0, 2} if cause == "callers-cpuset" else {0, 1, 2})
    area = shell.mmap(pages=2)
    shell.write(area)
    page = shell.page(area[0])
    if cause == "no-free-frame":
        fill(machine, 1)
    result = caller.move_pages(shell.pid, area, [1, 2])
    assert (result.ret, result.status, result.rows) == (0, [-ENOMEM, 2], ["full", "moved"])
    assert (shell.page(area[0]), shell.pte(area[0]).node) == (page, 0)
    fact = {
        "no-free-frame": "Node 1 had no free frame left (all 8",
        "no-memory": "Node 1 has no memory",
        "callers-cpuset": "outside the caller's own cpuset (nodes 0 and 2)",
    }[cause]
    assert fact in result.explain(0)


def test_gone(machine: Machine, shell: Process) -> None:
    """Nobody but the call holds the page any more: the status is the node of the new page that was not used."""
    area = shell.mmap(pages=1)
    shell.write(area)
    child = shell.fork("child")
    root = machine.spawn("root", uid=0, node=1)
    page = shell.page(area[0])
    assert page is not None
    run = machine.begin(root.move_pages, shell.pid, area, [1], MPOL_MF_MOVE_ALL)
    first = run.when("FREED").do(child.write, area)
    while "COPY_ON_WRITE" not in repr(first):  # both see the other's PTE, so both will copy
        run.forward()
    run.now.do(shell.write, area)
    result = run.finish()
    assert (result.ret, result.status, result.rows) == (0, [1], ["gone"])
    assert "everybody else let go of the page" in result.explain(0)
    assert page not in (shell.page(area[0]), child.page(area[0]))
    machine.migrate_prep()
    assert machine.frame(page).count == 0


@pytest.mark.parametrize("locker", ["shell", "child"])
def test_mlocked(machine: Machine, shell: Process, locker: str) -> None:
    """Memory that any process which maps it has mlocked stays: -EPERM; the explanation names who, and the area."""
    area = shell.mmap(pages=2, shared=True)
    shell.write(area)
    child = shell.fork("child")
    child.read(area)
    who = {"shell": shell, "child": child}[locker]
    assert who.mlock(area[0]) == 0
    result = machine.spawn("root", uid=0).move_pages(shell.pid, area, [1, 1], MPOL_MF_MOVE_ALL)
    assert (result.ret, result.status, result.rows) == (0, [-EPERM, 1], ["mlocked", "moved"])
    assert f"{locker} (pid {who.pid}) has mlocked the area {area[0]:#x}-{area[1]:#x}" in result.explain(0)
    assert shell.pte(area[0]).kind == child.pte(area[0]).kind == "present"
    assert shell.pte(area[0]).node == 0


def test_mlocked_ends_with_munlock(shell: Process) -> None:
    """What was unlocked again moves."""
    area = shell.mmap(pages=1)
    shell.mlock(area)
    assert shell.move_pages(0, area, [1]).rows == ["mlocked"]
    shell.munlock(area)
    assert shell.move_pages(0, area, [1]).rows == ["moved"]


@pytest.mark.parametrize("cause", ["pipe", "direct-io"])
def test_pinned(machine: Machine, shell: Process, cause: str) -> None:
    """An extra reference through all ten passes is -EBUSY; the explanation names who holds it."""
    area = shell.mmap(pages=2)
    shell.write(area)
    pin = shell.vmsplice(area[0], "the pipe") if cause == "pipe" else shell.direct_io(area[0], "disc sda")
    page, contents = shell.page(area[0]), shell.read(area[0])
    run = machine.record(shell.move_pages, 0, area, [1, 1])
    result = run.result
    assert (result.ret, result.status, result.rows) == (0, [-EBUSY, 1], ["pinned", "moved"])
    assert ("the pipe of shell" if cause == "pipe" else "disc sda, by direct I/O for shell") in result.explain(0)
    assert "count was 2 where 1 is allowed" in result.explain(0)
    assert sum(step.moment.name == "PASS" for step in run.steps) == 10
    assert (shell.page(area[0]), shell.read(area[0])) == (page, contents)
    pin.release()
    assert shell.move_pages(0, area[0:1], [1]).rows == ["moved"]


@pytest.mark.parametrize("shared", [False, True], ids=["anonymous", "shared-memory"])
def test_moved(shell: Process, shared: bool) -> None:
    """A page moves to another frame on the node asked for, with its contents, at the same address."""
    area = shell.mmap(pages=3, shared=shared)
    shell.write(area)
    before = shell.read(area)
    result = shell.move_pages(0, area, [1, 0, 1], MPOL_MF_MOVE)
    assert (result.ret, result.status, result.rows) == (0, [1, 0, 1], ["moved", "there", "moved"])
    assert (area.nodes, shell.read(area)) == ([1, 0, 1], before)
    assert "moved to node 1" in result.explain(0)


def test_moved_read_only_memory(shell: Process) -> None:
    """Protection does not matter to a move, and is as it was afterwards."""
    area = shell.mmap(pages=1)
    shell.write(area)
    shell.mprotect(area, PROT_READ)
    assert shell.move_pages(0, area, [1]).rows == ["moved"]
    assert (shell.pte(area[0]).writable, shell.write(area)) == (False, -EFAULT)
