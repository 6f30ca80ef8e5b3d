"""Each row of the contract's table of return codes, with public calls only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from errno import E2BIG, EACCES, EBUSY, EFAULT, EINVAL, ENODEV, ENOENT, ENOMEM, EPERM, ESRCH

import pytest

from numakit import (
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    PAGE_SIZE,
    PROT_NONE,
    PROT_READ,
    Machine,
    Process,
    Result,
    Vma,
)


@pytest.fixture
def area(shell: Process) -> Vma:
    """Two pages of the shell on node 0."""
    pages = shell.mmap(pages=2)
    shell.write(pages)
    return pages


def assert_refused(result: Result, ret: int, row: str, *facts: str) -> None:
    """The call ended in that row, wrote nothing to user memory, and its explanation has the facts."""
    assert (result.ret, result.row) == (ret, row)
    assert set(result.status) <= {None}
    for fact in facts:
        assert fact in result.explain()


# -- 0


@pytest.mark.parametrize("cause", ["queued-and-moved", "queued-and-stayed", "duplicate", "off-lru", "query"])
def test_ok(machine: Machine, shell: Process, area: Vma, cause: str) -> None:
    """0: something was queued or could not be isolated, even if nothing moved; a query always."""
    pages: Sequence[int] = area[0:1]
    nodes: list[int] | None = [1]
    statuses, page = [1], shell.page(area[0])
    if cause == "queued-and-stayed":
        shell.vmsplice(area[0])
        statuses = [-EBUSY]
    elif cause == "duplicate":
        pages, nodes, statuses = [area[0], area[0]], [1, 1], [1, -EBUSY]
    elif cause == "off-lru":
        machine.migrate_prep()
        assert page is not None
        assert machine.isolate_lru_page(page) == 0
        statuses = [-EBUSY]
    elif cause == "query":
        nodes, statuses = None, [0]
    result = shell.move_pages(0, pages, nodes)
    assert (result.ret, result.status) == (0, statuses)
    assert result.row == ("query" if cause == "query" else "ok")
    assert ("queued" in result.explain()) == (cause != "query")
    assert (shell.page(area[0]) == page) == (cause not in ("queued-and-moved", "duplicate"))


# -- -ENOENT


@pytest.mark.parametrize("cause", ["hole", "untouched", "zero", "there", "shared", "empty-list", "all-of-them"])
def test_nothing(shell: Process, area: Vma, cause: str) -> None:
    """Every entry is in rows 1 to 5, or there is none: -ENOENT, and no status is written; outcome has each."""
    other = shell.mmap(pages=2)
    shell.read(other[1])
    if cause in ("shared", "all-of-them"):
        shell.fork("child")
    entries = {
        "hole": (area.end, 1, -EFAULT),
        "untouched": (other[0], 1, -ENOENT),
        "zero": (other[1], 1, -EFAULT),
        "there": (area[0], 0, 0),
        "shared": (area[1], 1, -EACCES),
    }
    chosen = [] if cause == "empty-list" else [e for row, e in entries.items() if cause in (row, "all-of-them")]
    result = shell.move_pages(0, [e[0] for e in chosen], [e[1] for e in chosen])
    assert_refused(result, -ENOENT, "nothing", "empty" if not chosen else "required a move")
    assert result.outcome == [e[2] for e in chosen]


# -- checks before the arrays are read


@pytest.mark.parametrize("flags", [1, 8, MPOL_MF_MOVE | 1, 1 << 20, -1])
def test_bad_flags(shell: Process, area: Vma, flags: int) -> None:
    """Any flag but MOVE and MOVE_ALL is -EINVAL."""
    result = shell.move_pages(0, area, [1, 1], flags)
    assert_refused(result, -EINVAL, "bad-flags", f"{flags & ~6:#x}")
    assert result.outcome == [None, None]


def test_no_flag_is_required(shell: Process, area: Vma) -> None:
    """flags 0 is as good as MOVE: the kernel never looks at it."""
    assert shell.move_pages(0, area, [1, 1], 0).status == [1, 1]


def test_kthread(machine: Machine, shell: Process, area: Vma) -> None:
    """A kernel thread has no memory of its own: -EINVAL, before permissions are looked at."""
    thread = machine.kernel_thread("kswapd0")
    assert_refused(shell.move_pages(thread.pid, area, [1, 1]), -EINVAL, "kthread", f"kswapd0 (pid {thread.pid})")


def test_all_unprivileged(machine: Machine, shell: Process, area: Vma) -> None:
    """MOVE_ALL needs CAP_SYS_NICE: a uid is not enough, and the capability is enough without it."""
    weak = machine.spawn("weak root", uid=0, capabilities=[])
    for caller in (shell, weak):
        result = caller.move_pages(shell.pid, area, [1, 1], MPOL_MF_MOVE_ALL)
        assert_refused(result, -EPERM, "all-unprivileged", f"{caller.name} (pid {caller.pid})")
    nice = machine.spawn("nice", uid=1000, capabilities=["CAP_SYS_NICE"])
    assert nice.move_pages(shell.pid, area, [1, 1], MPOL_MF_MOVE_ALL).ret == 0


@pytest.mark.parametrize(
    ("caller", "target", "allowed"),
    [
        ({"uid": 1000}, {"uid": 2000}, False),
        ({"uid": 1000}, {"uid": 1000}, True),
        ({"uid": 1000, "euid": 2000, "capabilities": ()}, {"uid": 2000}, True),
        ({"uid": 2000, "euid": 1000}, {"uid": 2000}, True),
        ({"uid": 1000}, {"uid": 2000, "suid": 1000}, True),
        ({"uid": 1000}, {"uid": 2000, "euid": 1000}, False),
        ({"uid": 1000, "suid": 2000}, {"uid": 2000}, False),
        ({"uid": 1000, "capabilities": ("CAP_SYS_NICE",)}, {"uid": 2000}, True),
        ({"uid": 0, "capabilities": ()}, {"uid": 2000}, False),
    ],
    ids=[
        "another-uid",
        "same-uid",
        "callers-euid-is-its-uid",
        "callers-uid-is-its-uid",
        "callers-uid-is-its-suid",
        "targets-euid-does-not-count",
        "callers-suid-does-not-count",
        "capability",
        "root-without-capability",
    ],
)
def test_other_user(machine: Machine, caller: dict[str, int], target: dict[str, int], allowed: bool) -> None:
    """The caller's uid or euid has to be the target's uid or suid, unless it has CAP_SYS_NICE."""
    me, it = machine.spawn("caller", **caller), machine.spawn("target", **target)  # type: ignore[arg-type]
    pages = it.mmap(pages=1)
    it.write(pages)
    result = me.move_pages(it.pid, pages, [1])
    if allowed:
        assert (result.ret, result.status) == (0, [1])
    else:
        names = f"target (pid {it.pid}) belongs to uid 2000", f"caller (pid {me.pid}) runs as uid {caller['uid']}"
        assert_refused(result, -EPERM, "other-user", *names)
    query = me.move_pages(it.pid, pages)
    assert (query.ret == 0) == allowed, "permission is looked at in a query, too"


@pytest.mark.parametrize("cause", ["never-was", "negative", "exited"])
def test_no_process(machine: Machine, shell: Process, area: Vma, cause: str) -> None:
    """A pid that nobody has is -ESRCH."""
    child = shell.fork("child")
    child.exit()
    pid = {"never-was": 4711, "negative": -1, "exited": child.pid}[cause]
    assert_refused(shell.move_pages(pid, area, [1, 1]), -ESRCH, "no-process", f"pid {pid}")


@pytest.mark.parametrize("nr_pages", [2**60, (2**64 - 1) // 24 - 1, 2**64 - 1])
def test_too_many(shell: Process, area: Vma, nr_pages: int) -> None:
    """nr_pages from ULONG_MAX/24 - 1 on cannot even be multiplied by the size of an entry: -E2BIG."""
    pages = shell.array(area[0], [area[1]], 8)
    result = shell.move_pages(0, pages, shell.array(area[0] + 8, [1], 4), nr_pages=nr_pages)
    assert_refused(result, -E2BIG, "too-many", f"nr_pages is {nr_pages}", "768614336404564649")


def test_no_array(machine: Machine, shell: Process, area: Vma) -> None:
    """(nr_pages + 1) * 24 bytes are more than is free: -ENOMEM; one entry less and the check is passed."""
    pages, nodes = shell.array(area[0], [area[1]], 8), shell.array(area[0] + 8, [1], 4)
    while (machine.free_frames(0) + machine.free_frames(1)) % 3:
        shell.write(shell.mmap(pages=1))
    free = (machine.free_frames(0) + machine.free_frames(1)) * PAGE_SIZE
    most = free // 24 - 1
    assert (most + 1) * 24 == free, "exactly all that is free is not too much"
    result = shell.move_pages(0, pages, nodes, nr_pages=most + 1)
    assert_refused(result, -ENOMEM, "no-array", f"{(most + 2) * 24} bytes", f"{free} bytes are free")
    assert shell.move_pages(0, pages, nodes, nr_pages=most).row != "no-array"
    assert shell.move_pages(0, pages, nodes, nr_pages=(2**64 - 1) // 24 - 2).ret == -ENOMEM


# -- checks of the arrays


UNREADABLE = ["hole", "prot-none", "unmapped-later", "runs-over-the-end", "nr_pages"]


def unreadable(shell: Process, cause: str, values: list[int], size: int) -> tuple[int, int]:
    """(address of an array of such elements that cannot be read to its end, the first element that cannot be read)."""
    area = shell.mmap(pages=1)
    if cause == "hole":
        return area.end, 0
    if cause == "runs-over-the-end":
        return area.end - size, 1
    if cause == "nr_pages":
        return area.end - size * len(values), len(values)
    shell.array(area.start, values, size)
    if cause == "prot-none":
        shell.mprotect(area, PROT_NONE)
        assert shell.read(area[0]) == -EFAULT
    else:
        shell.munmap(area)
    return area.start, 0


@pytest.mark.parametrize("cause", UNREADABLE)
def test_pages_unreadable(shell: Process, area: Vma, cause: str) -> None:
    """pages[] lies, or ends, where the caller cannot read: -EFAULT, and nothing has moved."""
    address, entry = unreadable(shell, cause, list(area), 8)
    pages = shell.array(address, list(area), 8)
    nodes = shell.array(shell.mmap(pages=1).start, [1] * 3, 4)
    result = shell.move_pages(0, pages, nodes, nr_pages=3 if cause == "nr_pages" else None)
    assert_refused(result, -EFAULT, "pages-unreadable", f"pages[{entry}] lies at {address + 8 * entry:#x}")
    assert area.nodes == [0, 0]


@pytest.mark.parametrize("cause", UNREADABLE)
def test_nodes_unreadable(shell: Process, area: Vma, cause: str) -> None:
    """nodes[] lies, or ends, where the caller cannot read: -EFAULT, and nothing has moved."""
    address, entry = unreadable(shell, cause, [1, 1], 4)
    nodes = shell.array(address, [1, 1], 4)
    pages = shell.array(shell.mmap(pages=1).start, [*area, area[0]], 8)
    result = shell.move_pages(0, pages, nodes, nr_pages=3 if cause == "nr_pages" else None)
    assert_refused(result, -EFAULT, "nodes-unreadable", f"nodes[{entry}] lies at {address + 4 * entry:#x}")
    assert area.nodes == [0, 0]


@pytest.mark.parametrize("node", [5, 7, -1, -(2**31), 1023, 1024, 2**31 - 1])
def test_offline(make_machine: Callable[..., Machine], node: int) -> None:
    """A node that is offline (5), does not exist, is negative or not below MAX_NUMNODES is -ENODEV; nothing moves."""
    machine = make_machine({0: 64, 1: 64, 5: 64}, offline=[5])
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(pages=2)
    shell.write(area)
    result = shell.move_pages(0, area, [1, node])
    assert_refused(result, -ENODEV, "offline", f"nodes[1] is {node}", "0 and 1")
    assert (area.nodes, result.outcome) == ([0, 0], [None, None])


def test_cpuset(machine: Machine) -> None:
    """A node outside the target's cpuset is -EACCES; the caller's own cpuset does not count here."""
    target = machine.spawn("target", mems={0})
    area = target.mmap(pages=2)
    target.write(area)
    caller = machine.spawn("caller", mems={0, 1})
    result = caller.move_pages(target.pid, area, [0, 1])
    assert_refused(result, -EACCES, "cpuset", "nodes[1] is 1", f"cpuset of target (pid {target.pid})", "allows 0)")
    assert area.nodes == [0, 0]


# -- the last check


@pytest.mark.parametrize("cause", ["hole", "read-only", "not-the-end", "not-the-beginning", "unmapped-meanwhile"])
@pytest.mark.parametrize("query", [False, True], ids=["move", "query"])
def test_status_unwritable(machine: Machine, shell: Process, area: Vma, cause: str, query: bool) -> None:
    """status[] cannot be written: -EFAULT after all was moved; elements that can be written are, the others None."""
    room = shell.mmap(pages=1)
    begins = {"hole": room.end, "not-the-end": room.end - 4, "not-the-beginning": room.start - 4}
    address = begins.get(cause, room.start)
    shell.write(room)
    status = shell.array(address, [99, 99], 4)
    if cause == "read-only":
        shell.mprotect(room, PROT_READ)
    run = machine.begin(shell.move_pages, 0, area, None if query else [1, 1], status=status)
    if cause == "unmapped-meanwhile":
        run.when("PUT_USER").do(shell.munmap, room)
    result = run.finish()
    node = 0 if query else 1
    assert (result.ret, result.row) == (-EFAULT, "status-unwritable")
    written = {"not-the-end": [node, None], "not-the-beginning": [None, node]}
    assert result.status == written.get(cause, [None, None])
    assert (result.outcome, area.nodes) == ([node, node], [node, node])
    first = address + 4 * (cause == "not-the-end")
    assert f"the first at {first:#x}" in result.explain()


def test_nothing_wins_over_status_unwritable(shell: Process, area: Vma) -> None:
    """status[] is only written if the call would have returned 0."""
    status = shell.array(area.end, [0, 0], 4)
    assert shell.move_pages(0, area, [0, 0], status=status).row == "nothing"


def test_a_negative_return_leaves_the_status_array_alone(shell: Process, area: Vma) -> None:
    """What stood in status[] before stands there afterwards; the result shows that the call wrote none of it."""
    status = shell.array(shell.mmap(pages=1).start, [77, 77], 4)
    before = shell.read(status.address)
    for nodes in ([0, 0], [1, 9]):
        result = shell.move_pages(0, area, nodes, status=status)
        assert result.ret in (-ENOENT, -ENODEV)
        assert result.status == [None, None]
        assert shell.read(status.address) == before
