"""One situation for each row of the two tables of move_pages(): brought about as on a real machine, ready to be played.

A situation is a function without arguments. Its name is the row's (``not_read`` stands for ``not-read``), its
docstring is a title and the situation in plain words, which do not give the answer away. It makes a small machine,
makes the call in question as a recorded run, and returns a :class:`Staged`. Public calls only: the same lines can be
typed into a notebook. Same situation, same steps, same frame numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from inspect import getdoc
from typing import NamedTuple

from numakit.abi import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PAGE_SIZE, PROT_READ
from numakit.explain.result import Result
from numakit.facade.machine import Machine
from numakit.facade.process import Process
from numakit.facade.run import Run
from numakit.facade.vma import Vma
from numakit.syscalls.user_memory import UserArray
from numakit.topology import Topology


class Asked(NamedTuple):
    """The arguments of the call in question, and the process that makes it."""

    caller: Process
    pid: int
    pages: Sequence[int] | UserArray
    nodes: Sequence[int] | UserArray | None
    flags: int = MPOL_MF_MOVE
    status: UserArray | None = None
    nr_pages: int | None = None

    def begin(self) -> Run[Result]:
        """The call as a run that has not begun."""
        return self.caller.machine.begin(self.caller.move_pages, *self[1:])

    def record(self) -> Run[Result]:
        """The call as a run that has ended."""
        run = self.begin()
        run.finish()
        return run


class Staged(NamedTuple):
    """A situation that was played: the call, its run, and whose answer is asked for."""

    asked: Asked
    run: Run[Result]
    entry: int | None = None  #: whose status is asked for; None: the return code

    @property
    def answer(self) -> int:
        """What there is to predict: a node, 0 or a negative errno."""
        result = self.run.result
        value = result.ret if self.entry is None else result.outcome[self.entry]
        assert value is not None, "the call came to this entry, and to its end"
        return value

    @property
    def row(self) -> str | None:
        """The row that the answer ended in."""
        return self.run.result.row if self.entry is None else self.run.result.rows[self.entry]

    @property
    def why(self) -> str:
        """The model's own explanation of the answer."""
        return self.run.result.explain(self.entry)


Situation = Callable[[], Staged]


def row_of(situation: Situation) -> str:
    """The row of the tables that a situation is for."""
    return situation.__name__.replace("_", "-")


def title_of(situation: Situation) -> str:
    """A situation in a few words."""
    return (getdoc(situation) or "").partition("\n")[0].rstrip(".")


def words_of(situation: Situation) -> str:
    """A situation in plain words, without its title."""
    return " ".join((getdoc(situation) or "").partition("\n")[2].split())


def two_nodes() -> tuple[Machine, Process]:
    """Two nodes of 128 frames, and a shell that runs on node 0."""
    machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
    return machine, machine.spawn("shell", node=0)


def written(process: Process, pages: int = 1) -> Vma:
    """Memory that a process has just written to."""
    area = process.mmap(pages)
    process.write(area)
    return area


def page_of(process: Process, address: int) -> int:
    """The page (pfn) that is present at an address."""
    page = process.page(address)
    assert page is not None
    return page


def entry_0(asked: Asked) -> Staged:
    """The call, made while nobody else acts; its first entry is asked for."""
    return Staged(asked, asked.record(), 0)


def returned(asked: Asked) -> Staged:
    """The call, made while nobody else acts; its return code is asked for."""
    return Staged(asked, asked.record())


# -- while entries are looked up


def hole() -> Staged:
    """An address between two areas.

    The shell has mapped two areas with free room between them. Entry 0 names an address in that room, and asks for
    node 1.
    """
    _, shell = two_nodes()
    first = written(shell)
    shell.write(shell.mmap(1, address=first.end + 16 * PAGE_SIZE))
    return entry_0(Asked(shell, 0, [first.end], [1]))


def untouched() -> Staged:
    """Memory that nobody has touched.

    The shell has mapped one page of memory, and has neither read nor written it so far.
    """
    _, shell = two_nodes()
    return entry_0(Asked(shell, 0, shell.mmap(1)[:], [1]))


def swapped() -> Staged:
    """Memory that was swapped out.

    The shell wrote to the page on node 0. Memory became scarce, and the kernel wrote the page to the swap disc and
    freed its frame.
    """
    machine, shell = two_nodes()
    area = written(shell)
    machine.migrate_prep()
    machine.reclaim([page_of(shell, area[0])])
    return entry_0(Asked(shell, 0, area[:], [1]))


def not_read() -> Staged:
    """A page of a file that another process has read.

    The first page of a file is in memory on node 0, for another process has read it. The shell maps the same file,
    and has not read it yet.
    """
    machine, shell = two_nodes()
    file, other = machine.file("log", 1), machine.spawn("other")
    other.read(other.mmap(1, file=file))
    return entry_0(Asked(shell, 0, shell.mmap(1, file=file)[:], [1]))


def migrating() -> Staged:
    """A page that another call is copying.

    The shell is moving a page of its own to node 1, and its call is about to copy it. At this moment an
    administrator's call looks the same page up.
    """
    machine, shell = two_nodes()
    area = written(shell)
    asked = Asked(machine.spawn("admin", uid=0, node=1), shell.pid, area[:], [1])
    run = asked.begin()
    mover = run.now.do(shell.move_pages, 0, area[:], [1])
    while mover.task.at[0].name != "COPY":
        run.act(mover.task)
    while not run.call.done:  # of itself the turn would go back to the mover
        run.act(run.call)
    run.own_order = True
    run.finish()
    return Staged(asked, run, 0)


def zero() -> Staged:
    """Memory that was only read.

    The shell has read the page, and has never written to it. The read gave it zeroes.
    """
    _, shell = two_nodes()
    area = shell.mmap(1)
    shell.read(area)
    return entry_0(Asked(shell, 0, area[:], [1]))


def there() -> Staged:
    """A page that is where it is wanted.

    The page lies on node 0, and the entry asks for node 0.
    """
    _, shell = two_nodes()
    return entry_0(Asked(shell, 0, written(shell)[:], [0]))


def shared() -> Staged:
    """A page of a parent and its child.

    The shell wrote to the page and then forked. Neither of the two has written since.
    """
    _, shell = two_nodes()
    area = written(shell)
    shell.fork("child")
    return entry_0(Asked(shell, 0, area[:], [1]))


def duplicate() -> Staged:
    """A page that is named twice.

    Entry 0 and entry 1 name the same page, which lies on node 0. Both ask for node 1. It is entry 1 that is asked for.
    """
    _, shell = two_nodes()
    area = written(shell)
    asked = Asked(shell, 0, [area[0], area[0]], [1, 1])
    return Staged(asked, asked.record(), 1)


def off_lru() -> Staged:
    """A page first touched during the call.

    An administrator's call begins, as always, with a drain of all pagevecs. Before it comes to the page, the shell
    writes to it for the first time, on its own CPU.
    """
    machine, shell = two_nodes()
    area = shell.mmap(1)
    asked = Asked(machine.spawn("admin", uid=0, node=1), shell.pid, area[:], [1])
    run = asked.begin()
    run.when("FOLLOW_PAGE").do(shell.write, area)
    run.finish()
    return Staged(asked, run, 0)


# -- in the passes


def full() -> Staged:
    """No free frame on the node asked for.

    A process has filled node 1 to its last frame. Node 0, where the page lies, has plenty of room.
    """
    machine, shell = two_nodes()
    area = written(shell)
    hog = machine.spawn("hog", mems={1})
    hog.write(hog.mmap(machine.free_frames(1)))
    return entry_0(Asked(shell, 0, area[:], [1]))


def gone() -> Staged:
    """A file truncated while its page waits.

    The page of a file is queued for node 1. Before the call comes to it the file is truncated, so that nobody but the
    call holds the page any more.
    """
    machine, shell = two_nodes()
    file = machine.file("log", 1)
    area = shell.mmap(1, shared=True, file=file)
    shell.write(area)
    asked = Asked(shell, 0, area[:], [1])
    run = asked.begin()
    run.when("FREED").do(file.truncate, 0)
    run.finish()
    return Staged(asked, run, 0)


def mlocked() -> Staged:
    """Memory locked with mlock().

    The shell has called mlock() for the page. Nobody shares it, and node 1 has room.
    """
    _, shell = two_nodes()
    area = written(shell)
    shell.mlock(area)
    return entry_0(Asked(shell, 0, area[:], [1]))


def driver() -> Staged:
    """Memory mapped through a driver.

    The shell has mapped the page through the driver of a sound card, whose mmap has locked the area in memory.
    """
    _, shell = two_nodes()
    area = shell.mmap_driver(1, "the sound card")
    shell.write(area)
    return entry_0(Asked(shell, 0, area[:], [1]))


def no_write() -> Staged:
    """A dirty page that has no disc.

    The shell has written to a page of a file on ramfs. That file system has neither a function that moves a dirty
    page nor one that writes it to a disc.
    """
    machine, shell = two_nodes()
    area = shell.mmap(1, shared=True, file=machine.file("scratch", 1, "ramfs"))
    shell.write(area)
    return entry_0(Asked(shell, 0, area[:], [1]))


def write_fails() -> Staged:
    """A dirty page on a broken disc.

    The shell has written to a page of a file. Its file system cannot move a dirty page, so it has to be written first,
    and the disc refuses every write.
    """
    machine, shell = two_nodes()
    area = shell.mmap(1, shared=True, file=machine.file("data", 1, "faulty"))
    shell.write(area)
    return entry_0(Asked(shell, 0, area[:], [1]))


def buffers() -> Staged:
    """A page whose buffers a journal holds.

    The page of a file is clean. Its file system has no migration function, so the page's buffers have to be taken off
    first; the journal holds them, and does not let go.
    """
    machine, shell = two_nodes()
    file = machine.file("log", 1, "reiserfs")
    area = shell.mmap(1, file=file)
    shell.read(area)
    asked = Asked(shell, 0, area[:], [1])
    run = asked.begin()
    run.when("DRAIN").do(file.hold_buffers, 0, "the journal of sda1")
    run.finish()
    return Staged(asked, run, 0)


def pinned() -> Staged:
    """A page that lies in a pipe.

    The shell has put the page into a pipe without copying it (vmsplice). The pipe holds a reference until somebody
    reads it, and nobody does.
    """
    _, shell = two_nodes()
    area = written(shell)
    shell.vmsplice(area, "the pipe")
    return entry_0(Asked(shell, 0, area[:], [1]))


def moved() -> Staged:
    """A page in nobody's way.

    The page lies on node 0. Only the shell maps it, nobody holds it, and node 1 has room.
    """
    _, shell = two_nodes()
    return entry_0(Asked(shell, 0, written(shell)[:], [1]))


# -- return codes


def ok() -> Staged:
    """The only page of the call is pinned.

    The call names one page, which is queued for node 1. A pipe holds the page through all ten passes, so it does not
    move.
    """
    _, shell = two_nodes()
    area = written(shell)
    shell.vmsplice(area, "the pipe")
    return returned(Asked(shell, 0, area[:], [1]))


def nothing() -> Staged:
    """Every page is where it is wanted.

    The call names two pages. Both lie on node 0, and both are asked to go there.
    """
    _, shell = two_nodes()
    return returned(Asked(shell, 0, written(shell, 2)[:], [0, 0]))


def bad_flags() -> Staged:
    """A flag of another system call.

    The flags are MPOL_MF_MOVE and 1. The bit 1 is MPOL_MF_STRICT, which mbind() knows.
    """
    _, shell = two_nodes()
    return returned(Asked(shell, 0, written(shell)[:], [1], MPOL_MF_MOVE | 1))


def kthread() -> Staged:
    """The target is a kernel thread.

    root means to move the pages of a process, and gives the pid of kswapd0 instead, a thread of the kernel.
    """
    machine, shell = two_nodes()
    area, thread = written(shell), machine.kernel_thread("kswapd0")
    return returned(Asked(machine.spawn("root", uid=0), thread.pid, area[:], [1]))


def all_unprivileged() -> Staged:
    """MPOL_MF_MOVE_ALL from an ordinary user.

    The shell asks to move a page of its own, with MPOL_MF_MOVE_ALL. Nobody else maps the page. The shell has no
    CAP_SYS_NICE.
    """
    _, shell = two_nodes()
    return returned(Asked(shell, 0, written(shell)[:], [1], MPOL_MF_MOVE_ALL))


def other_user() -> Staged:
    """Pages of another user's process.

    A guest (uid 2000) asks to move a page of the shell (uid 1000). The guest has no CAP_SYS_NICE.
    """
    machine, shell = two_nodes()
    return returned(Asked(machine.spawn("guest", uid=2000), shell.pid, written(shell)[:], [1]))


def cpuset() -> Staged:
    """A node outside the target's cpuset.

    The cpuset of a worker allows node 0 only. root, whose own cpuset allows all nodes, asks to move a page of the
    worker to node 1.
    """
    machine, _ = two_nodes()
    worker = machine.spawn("worker", mems={0})
    return returned(Asked(machine.spawn("root", uid=0), worker.pid, written(worker)[:], [1]))


def offline() -> Staged:
    """A node that does not exist.

    Entry 0 asks for node 1, which is there. Entry 1 asks for node 7, on a machine with nodes 0 and 1.
    """
    _, shell = two_nodes()
    return returned(Asked(shell, 0, written(shell, 2)[:], [1, 7]))


def no_process() -> Staged:
    """A pid that nobody has.

    The child whose pages should be moved has exited a moment ago.
    """
    _, shell = two_nodes()
    area = written(shell)
    child = shell.fork("child")
    child.exit()
    return returned(Asked(shell, child.pid, area[:], [1]))


def too_many() -> Staged:
    """A number of pages that was never set.

    The variable nr_pages holds 2 to the power of 60. For each page the kernel's own array takes 24 bytes.
    """
    _, shell = two_nodes()
    pages, nodes = user_arrays(shell)
    return returned(Asked(shell, 0, pages, nodes, nr_pages=2**60))


def no_array() -> Staged:
    """A million pages at once.

    nr_pages is one million, on a machine that has one megabyte of memory in all. For each page the kernel's own array
    takes 24 bytes.
    """
    _, shell = two_nodes()
    pages, nodes = user_arrays(shell)
    return returned(Asked(shell, 0, pages, nodes, nr_pages=1_000_000))


def pages_unreadable() -> Staged:
    """pages[] lies where no memory is.

    The pointer to pages[] leads to an address at which the caller has mapped nothing.
    """
    _, shell = two_nodes()
    pages, nodes = user_arrays(shell)
    return returned(Asked(shell, 0, UserArray(pages.address + 64 * PAGE_SIZE, 1, 8), nodes))


def nodes_unreadable() -> Staged:
    """nodes[] runs over the end of its area.

    nodes[] has two elements. The first is the last number of an area, and behind it the caller has mapped nothing.
    """
    _, shell = two_nodes()
    pages, _ = user_arrays(shell, 2)
    desk = written(shell)
    return returned(Asked(shell, 0, pages, shell.array(desk.end - 4, [1, 1], 4)))


def status_unwritable() -> Staged:
    """status[] lies in memory that is read-only.

    The call names one page that can go to node 1. The area in which status[] lies was made read-only.
    """
    _, shell = two_nodes()
    area, board = written(shell), written(shell)
    status = shell.array(board[0], [99], 4)
    shell.mprotect(board, PROT_READ)
    return returned(Asked(shell, 0, area[:], [1], status=status))


def query() -> Staged:
    """A question about memory that nobody has touched.

    The call gives no nodes, so it only asks where pages are. The one page that it names was never touched.
    """
    _, shell = two_nodes()
    return returned(Asked(shell, 0, shell.mmap(1)[:], None))


def user_arrays(process: Process, pages: int = 1) -> tuple[UserArray, UserArray]:
    """pages[] and nodes[] in memory of the process, for pages that are to go to node 1."""
    area, desk = written(process, pages), written(process)
    return process.array(desk[0], area[:], 8), process.array(desk[0] + PAGE_SIZE // 2, [1] * pages, 4)


#: In the order of the table of statuses.
LOOKED_UP: tuple[Situation, ...] = (
    hole, untouched, swapped, not_read, migrating, zero, there, shared, duplicate, off_lru,
)  # fmt: skip
QUEUED: tuple[Situation, ...] = (full, gone, mlocked, driver, no_write, write_fails, buffers, pinned, moved)
#: In the order of the table of return codes.
CALLS: tuple[Situation, ...] = (
    ok, nothing, bad_flags, kthread, all_unprivileged, other_user, cpuset, offline, no_process, too_many, no_array,
    pages_unreadable, nodes_unreadable, status_unwritable, query,
)  # fmt: skip
SITUATIONS: dict[str, Situation] = {row_of(situation): situation for situation in (*LOOKED_UP, *QUEUED, *CALLS)}
