"""Every cause of a status of move_pages(), brought about with public calls only: one function for each.

A function makes what it needs on a machine of two nodes, calls, and returns a :class:`Case`: which entry of which
result is meant, the row and status that the contract names for it, and what its explanation has to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from errno import EACCES, EBUSY, EFAULT, EINVAL, EIO, ENOENT, ENOMEM, EPERM

from numakit import MPOL_MF_MOVE_ALL, PAGE_SIZE, Machine, Process, Result, Vma


@dataclass(frozen=True)
class Case:
    """Entry ``entry`` of a result ended in ``row`` with ``status``; its explanation contains all ``facts``."""

    row: str
    status: int
    result: Result
    facts: tuple[str, ...]
    entry: int = 0


Cause = Callable[[Machine, Process], Case]


def written(process: Process, pages: int = 1) -> Vma:
    """Memory that the process has just written to."""
    area = process.mmap(pages)
    assert process.write(area) == 0
    return area


def file_area(process: Process, file_system: str, *, write: bool = False, shared: bool = True) -> Vma:
    """The first page of a new file, mapped and read, and written to if wanted."""
    area = process.mmap(1, shared=shared, file=process.machine.file(f"{file_system} file", 2, file_system))
    process.read(area)
    if write:
        assert process.write(area) == 0
    return area


def page_of(process: Process, address: int) -> int:
    """The page (pfn) that is present at an address."""
    page = process.page(address)
    assert page is not None
    return page


# -- while entries are looked up


def hole_above(machine: Machine, shell: Process) -> Case:
    """An address above all areas."""
    area = written(shell)
    result = shell.move_pages(0, [area.end + PAGE_SIZE], [1])
    return Case("hole", -EFAULT, result, ("No VMA", "above all areas", f"{area.end:#x}"))


def hole_below(machine: Machine, shell: Process) -> Case:
    """An address below all areas."""
    area = written(shell)
    return Case("hole", -EFAULT, shell.move_pages(0, [PAGE_SIZE], [1]), ("No VMA", "below all", f"{area.start:#x}"))


def hole_between(machine: Machine, shell: Process) -> Case:
    """An address between two areas."""
    first, second = written(shell), written(shell)
    result = shell.move_pages(0, [first.end], [1])
    return Case("hole", -EFAULT, result, ("No VMA", "between", f"{first.end:#x}", f"{second.start:#x}"))


def no_areas(machine: Machine, shell: Process) -> Case:
    """The process has mapped nothing."""
    return Case("hole", -EFAULT, shell.move_pages(0, [PAGE_SIZE], [1]), ("No VMA", "no areas"))


def untouched(machine: Machine, shell: Process) -> Case:
    """Memory that nobody has touched."""
    area = shell.mmap(1)
    return Case("untouched", -ENOENT, shell.move_pages(0, area, [1]), (f"{area.start:#x}", "nobody has touched it"))


def swapped(machine: Machine, shell: Process) -> Case:
    """Memory that reclaim has swapped out."""
    area = written(shell)
    machine.migrate_prep()
    assert machine.reclaim([page_of(shell, area[0])]) == 1
    return Case("swapped", -ENOENT, shell.move_pages(0, area, [1]), (f"{area.start:#x}", "swapped out"))


def not_read(machine: Machine, shell: Process) -> Case:
    """A page of a file that is in memory, but was not faulted in by the process."""
    file = machine.file("log", 1)
    machine.spawn("other").read(machine.process(shell.pid + 1).mmap(1, file=file))
    area = shell.mmap(1, file=file)
    facts = (f"{area.start:#x}", "page of the file", "not been faulted in")
    return Case("not-read", -ENOENT, shell.move_pages(0, area, [1]), facts)


def migrating(machine: Machine, shell: Process) -> Case:
    """A page that another call moves just now."""
    area = written(shell)
    run = machine.begin(shell.move_pages, 0, area, [1])
    second = run.when("COPY").do(machine.spawn("second").move_pages, shell.pid, area, [1])
    assert run.finish().rows == ["moved"]
    return Case("migrating", -ENOENT, second.result, (f"{area.start:#x}", "migration entry"))


def zero(machine: Machine, shell: Process) -> Case:
    """Memory that was only read."""
    area = shell.mmap(1)
    shell.read(area)
    page = page_of(shell, area[0])
    return Case("zero", -EFAULT, shell.move_pages(0, area, [1]), (f"page {page}", "zero page"))


def there(machine: Machine, shell: Process) -> Case:
    """A page on the node asked for."""
    return Case("there", 0, shell.move_pages(0, written(shell), [0]), ("already was on node 0",))


def shared(machine: Machine, shell: Process) -> Case:
    """A page that parent and child map."""
    area = written(shell)
    child = shell.fork("child")
    names = (f"page {page_of(shell, area[0])}".capitalize(), "shell (pid", f"child (pid {child.pid})")
    return Case("shared", -EACCES, shell.move_pages(0, area, [1]), names)


def duplicate(machine: Machine, shell: Process) -> Case:
    """A page that an earlier entry has queued."""
    area = written(shell)
    page = page_of(shell, area[0])
    result = shell.move_pages(0, [area[0], area[0]], [1, 1])
    return Case("duplicate", -EBUSY, result, ("Entry 0 of the same call", f"({page})"), entry=1)


def isolated_by_kernel_code(machine: Machine, shell: Process) -> Case:
    """A page that kernel code of the reader's has taken off the LRU."""
    area = written(shell)
    page = page_of(shell, area[0])
    machine.migrate_prep()
    assert machine.isolate_lru_page(page) == 0
    result = shell.move_pages(0, area, [1])
    machine.putback_lru_pages([page])
    return Case("off-lru", -EBUSY, result, (f"Page {page} is on no LRU list", "kernel code of yours"))


def isolated_by_another_call(machine: Machine, shell: Process) -> Case:
    """A page that another move_pages() has isolated."""
    area = written(shell)
    page = page_of(shell, area[0])
    run = machine.begin(machine.spawn("first").move_pages, shell.pid, area, [1])
    second = run.when("PASS").do(shell.move_pages, 0, area, [1])
    run.finish()
    return Case("off-lru", -EBUSY, second.result, (f"Page {page} is on no LRU list", "move_pages has taken it off"))


def isolated_by_reclaim(machine: Machine, shell: Process) -> Case:
    """A page that kswapd has taken off the LRU to free it."""
    area = written(shell)
    page = page_of(shell, area[0])
    machine.migrate_prep()
    run = machine.begin(machine.reclaim, [page])
    call = run.when("SHRINK_PAGE").do(shell.move_pages, 0, area, [1])
    run.finish()
    return Case("off-lru", -EBUSY, call.result, (f"Page {page} is on no LRU list", "kswapd has taken it off"))


def touched_after_the_drain(machine: Machine, shell: Process) -> Case:
    """A page in the pagevec of another CPU."""
    area = shell.mmap(1)
    run = machine.begin(machine.spawn("other", node=1).move_pages, shell.pid, area, [1])
    run.when("FOLLOW_PAGE").do(shell.write, area)
    return Case("off-lru", -EBUSY, run.finish(), ("is on no LRU list", f"pagevec of CPU {shell.cpu}"))


# -- in the passes


def no_free_frame(machine: Machine, shell: Process) -> Case:
    """Node 1 is full."""
    area = written(shell)
    hog = machine.spawn("hog", mems={1})
    assert hog.write(hog.mmap(machine.free_frames(1))) == 0
    return Case("full", -ENOMEM, shell.move_pages(0, area, [1]), ("Node 1 had no free frame left (all 64",))


def callers_cpuset(machine: Machine, shell: Process) -> Case:
    """The caller may not allocate on node 1."""
    caller = machine.spawn("caller", mems={0})
    result = caller.move_pages(shell.pid, written(shell), [1])
    return Case("full", -ENOMEM, result, ("Node 1 is outside the caller's own cpuset (nodes 0)",))


def gone_by_truncation(machine: Machine, shell: Process) -> Case:
    """The file is truncated while the page waits to be moved, and nobody else holds the page."""
    file = machine.file("log", 1)
    area = shell.mmap(1, shared=True, file=file)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("FREED").do(file.truncate, 0)
    return Case("gone", 1, run.finish(), ("everybody else let go of the page", "node 1"))


def gone_by_copy_on_write(machine: Machine, shell: Process) -> Case:
    """Parent and child both copy the page for themselves while it waits to be moved."""
    area = written(shell)
    child = shell.fork("child")
    run = machine.begin(machine.spawn("root", uid=0, node=1).move_pages, shell.pid, area, [1], MPOL_MF_MOVE_ALL)
    first = run.when("FREED").do(child.write, area)
    while "COPY_ON_WRITE" not in repr(first):  # both see the other's PTE, so both will copy
        run.forward()
    run.now.do(shell.write, area)
    return Case("gone", 1, run.finish(), ("everybody else let go of the page", "node 1"))


def mlocked(machine: Machine, shell: Process) -> Case:
    """The area is mlocked."""
    area = written(shell)
    shell.mlock(area)
    facts = (f"shell (pid {shell.pid}) has mlocked", f"{area.start:#x}-{area.end:#x}")
    return Case("mlocked", -EPERM, shell.move_pages(0, area, [1]), facts)


def mlocked_file(machine: Machine, shell: Process) -> Case:
    """A page of a file that another process has mlocked."""
    file = machine.file("log", 1)
    other = machine.spawn("other")
    locked = other.mmap(1, shared=True, file=file)
    other.mlock(locked)
    area = shell.mmap(1, shared=True, file=file)
    shell.read(area)
    result = machine.spawn("root", uid=0).move_pages(shell.pid, area, [1], MPOL_MF_MOVE_ALL)
    return Case("mlocked", -EPERM, result, (f"other (pid {other.pid}) has mlocked", f"at {locked[0]:#x}"))


def driver(machine: Machine, shell: Process) -> Case:
    """The mmap of a driver has locked the area."""
    area = shell.mmap_driver(1, "the sound card")
    shell.write(area)
    facts = ("the mmap of the sound card", f"{area.start:#x}-{area.end:#x}", f"shell (pid {shell.pid})")
    return Case("driver", -EPERM, shell.move_pages(0, area, [1]), facts)


def no_write(machine: Machine, shell: Process) -> Case:
    """Dirty, and the file system can neither move nor write it."""
    result = shell.move_pages(0, file_area(shell, "ramfs", write=True), [1])
    return Case("no-write", -EINVAL, result, ("ramfs file", "is dirty", "no migration function", "no writepage"))


def write_fails(machine: Machine, shell: Process) -> Case:
    """Dirty, and the write fails when it is submitted."""
    result = shell.move_pages(0, file_area(shell, "faulty", write=True), [1])
    return Case("write-fails", -EIO, result, ("faulty file", "is dirty", "the write failed when it was submitted"))


def buffers_of_a_journal(machine: Machine, shell: Process) -> Case:
    """A journal holds the buffers through all passes."""
    file = machine.file("log", 1, "reiserfs")
    area = shell.mmap(1, file=file)
    shell.read(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("DRAIN").do(file.hold_buffers, 0, "the journal of sda1")
    return Case("buffers", -EBUSY, run.finish(), ("belongs to log", "the journal of sda1 held them", "buffers"))


def buffers_under_io(machine: Machine, shell: Process) -> Case:
    """I/O keeps the buffers locked through all passes."""
    file = machine.file("log", 1, "reiserfs")
    area = shell.mmap(1, file=file)
    shell.read(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("DRAIN").do(file.lock_buffers, 0)
    return Case("buffers", -EBUSY, run.finish(), ("belongs to log", "buffer I/O held them"))


def pinned_by_a_pipe(machine: Machine, shell: Process) -> Case:
    """The page lies in a pipe."""
    area = written(shell)
    shell.vmsplice(area, "the pipe")
    facts = ("the pipe of shell held a reference", "count was 2 where 1 is allowed")
    return Case("pinned", -EBUSY, shell.move_pages(0, area, [1]), facts)


def pinned_by_a_network_driver(machine: Machine, shell: Process) -> Case:
    """A driver has registered a page of a file: cache and call may hold references, it may not."""
    area = file_area(shell, "tmpfs")
    shell.register_memory(area, "mlx4")
    facts = ("mlx4, for shell held a reference", "count was 3 where 2 is allowed")
    return Case("pinned", -EBUSY, shell.move_pages(0, area, [1]), facts)


def moved(machine: Machine, shell: Process) -> Case:
    """Nothing stands in the way."""
    return Case("moved", 1, shell.move_pages(0, written(shell), [1]), ("was moved to node 1",))


CAUSES: tuple[Cause, ...] = (
    hole_above,
    hole_below,
    hole_between,
    no_areas,
    untouched,
    swapped,
    not_read,
    migrating,
    zero,
    there,
    shared,
    duplicate,
    isolated_by_kernel_code,
    isolated_by_another_call,
    isolated_by_reclaim,
    touched_after_the_drain,
    no_free_frame,
    callers_cpuset,
    gone_by_truncation,
    gone_by_copy_on_write,
    mlocked,
    mlocked_file,
    driver,
    no_write,
    write_fails,
    buffers_of_a_journal,
    buffers_under_io,
    pinned_by_a_pipe,
    pinned_by_a_network_driver,
    moved,
)

#: The rows of the table of statuses, in its order.
ROWS = (
    "hole", "untouched", "swapped", "not-read", "migrating", "zero", "there", "shared", "duplicate", "off-lru", "full",
    "gone", "mlocked", "driver", "no-write", "write-fails", "buffers", "pinned", "moved",
)  # fmt: skip
