"""A process of the running Linux that makes the calls of the kit's modelled processes, by the same names."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from numakit.abi import MPOL_F_NODE, MPOL_MF_MOVE, PROT_READ, PROT_WRITE
from numakit.explain.result import Result
from numakit.facade.process import argument, array_length, check_area, check_user_array, entries_of, one_address
from numakit.facade.unmodelled import check_advice, refuse_hugetlb
from numakit.facade.vma import Area, Pages, addresses_of, range_of, whole
from numakit.live.channel import ANSWER_SECONDS, MOST_ANSWERS, Channel
from numakit.live.lifetime import end_process
from numakit.live.probes import Refused
from numakit.live.refusal import CannotTry, Ended, refusal_of
from numakit.live.result import LivePolicy, LiveResult
from numakit.syscalls.user_memory import Argument, UserArray

if TYPE_CHECKING:
    from numakit.live.file import LiveFile
    from numakit.live.world import World

MOST_HELD = 256  #: pages that a pipe can hold without a privilege (/proc/sys/fs/pipe-max-size)
NODES_BEYOND = 1 << 20  #: no mask is made for nodes from here on


class LiveArea(Area):
    """The pages of an area that a live process mapped."""

    def __init__(self, process: LiveProcess, start: int, pages: int) -> None:
        super().__init__(start, pages)
        self.process = process

    @property
    def nodes(self) -> list[int | None]:
        """The node on which each page is now, None where none is present. A query of move_pages()."""
        status = self.process.move_pages(0, self).status if self.process.alive else [None] * self.pages
        return [node if node is not None and node >= 0 else None for node in status]

    def __repr__(self) -> str:
        count = f"{self.pages} page{'s' * (self.pages != 1)}"
        return f"<LiveArea of {self.process.name}: {count}, {self.start:#x}-{self.end:#x}>"


class LivePin:
    """Pages that a pipe holds by reference until :meth:`release`; they cannot move meanwhile."""

    def __init__(self, process: LiveProcess, handle: int, name: str, held: int) -> None:
        self._process, self._handle, self.name, self.held = process, handle, name, held

    def release(self) -> int:
        """The pipe is closed: the references are dropped. 0."""
        self.held = 0
        return self._process.ask("release", self._handle) if self._process.alive else 0

    def __repr__(self) -> str:
        return f"<{self.name}: holds {self.held} page{'s' * (self.held != 1)}>"


class LiveProcess:
    """A process that a world made. What the kernel answers its calls is returned, as in the model.

    Calls raise :class:`CannotTry` where the kernel gave no answer: a sandbox refuses the call, or the process is no
    more. ValueError is for wrong arguments, as in the model.
    """

    def __init__(self, world: World, pid: int, name: str, channel: Channel) -> None:
        self.world, self.pid, self.name = world, pid, name
        self._channel = channel

    # -- what it is

    @property
    def alive(self) -> bool:
        """Whether it can still be asked."""
        return not self._channel.closed

    def __repr__(self) -> str:
        return f"<LiveProcess {self.name}: pid {self.pid}{'' if self.alive else ', has ended'}>"

    def ask(self, command: str, *arguments: Any, fd: int | None = None) -> Any:
        """Let the process do something, and wait for its answer."""
        if self._channel.closed:
            raise Ended(f"{self.name} (pid {self.pid}) has ended: it cannot make {command}().")
        try:
            message = self._channel.ask([command, *arguments], fd)
        except BaseException:
            self.end()  # interrupted: its answer, still under way, would be taken for the next one's
            raise
        if message is None:
            self.end()
            raise Ended(
                f"{self.name} (pid {self.pid}) ended during {command}(): something has killed it, perhaps a sandbox "
                "that answers a forbidden call with a signal."
            )
        return self._understood(command, message.data)

    def _understood(self, command: str, answer: dict[str, Any]) -> Any:
        if "refused" in answer:
            raise refusal_of(Refused(*answer["refused"]))
        if "cannot" in answer:
            self.end()
            raise CannotTry(f"{self.name} cannot be made here: the kernel answers {answer['cannot']}.")
        if "broken" in answer:
            raise RuntimeError(f"{self.name} (pid {self.pid}) could not make {command}(): {answer['broken']}")
        return answer["answer"]

    def wait_for_birth(self) -> None:
        """Read the first message. Raises CannotTry if the process could not become who it was to be."""
        message = self._channel.receive()
        self._understood("spawn", message.data if message else {"cannot": "nothing: it ended at once"})

    def end(self) -> None:
        """See to it that the process is gone, with a signal if need be."""
        end_process(self.pid, self._channel)

    # -- its calls: the process itself

    def fork(self, name: str | None = None) -> LiveProcess:
        """Make a child that shares all pages until one of the two writes."""
        ours, theirs = socket.socketpair()
        with theirs:
            pid = self.ask("fork", fd=theirs.fileno())
        if pid < 0:
            ours.close()
            raise CannotTry(f"{self.name} cannot fork here: the kernel answers {os.strerror(-pid)}.")
        return self.world.adopt(pid, name or f"child of {self.name}", Channel(ours, ANSWER_SECONDS))

    def exit(self) -> int:
        """End. 0."""
        self.end()
        return 0

    def numa_maps(self) -> str:
        """The text of its /proc/<pid>/numa_maps; :func:`numakit.numa_maps.parse_numa_maps` reads it."""
        text = self.ask("numa_maps")
        if isinstance(text, int):
            raise CannotTry(
                f"numa_maps cannot be read here: {os.strerror(-text)}. A kernel without NUMA has no such file, and a "
                "sandbox may hide it."
            )
        return str(text)

    # -- its calls: memory

    def mmap(
        self,
        pages: int,
        *,
        shared: bool = False,
        prot: int = PROT_READ | PROT_WRITE,
        address: int | None = None,
        file: LiveFile | None = None,
        offset: int = 0,
        hugetlb: bool = False,
    ) -> LiveArea:
        """Map so many pages of memory, or of a file of the world (``world.file``) from its page ``offset`` on; nothing
        is touched yet. ``address`` is a wish. ``hugetlb`` is refused.
        """
        refuse_hugetlb(hugetlb)
        check_area(pages, prot, address)
        if file is not None and file not in self.world.files:
            raise ValueError(f"file={file!r}: a file of the world is wanted: world.file(name, pages)")
        if not isinstance(offset, int) or offset < 0 or (file is None and offset):
            raise ValueError(f"offset={offset!r}: a page of a file, from 0 on")
        path = None if file is None else str(file.path)
        start = self.ask("mmap", pages, prot, bool(shared), address or 0, path, offset)
        if start < 0:
            raise CannotTry(f"{self.name} cannot map {pages} pages here: {os.strerror(-start)}.")
        return LiveArea(self, start, pages)

    def munmap(self, pages: Pages) -> int:
        """Unmap neighbouring pages. 0."""
        start, end = range_of(pages, "pages")
        return int(self.ask("munmap", start, end - start))

    def mprotect(self, pages: Pages, prot: int) -> int:
        """Say what may be done with neighbouring pages. 0, or -ENOMEM at a hole."""
        start, end = range_of(pages, "pages")
        if prot not in range(4):
            raise ValueError(f"prot={prot!r}: a sum of PROT_READ (1) and PROT_WRITE (2)")
        return int(self.ask("mprotect", start, end - start, prot))

    def madvise(self, pages: Pages, advice: int) -> int:
        """As in the model: 0 for what is so anyhow. A live process has no huge pages: they are switched off for it.
        Raises NotModelled for MADV_HUGEPAGE and MADV_MERGEABLE.
        """
        range_of(pages, "pages")
        check_advice(advice)
        return 0

    def mlock(self, pages: Pages) -> int:
        """Lock neighbouring pages in memory; all of them are faulted in. 0, -ENOMEM or -EPERM (RLIMIT_MEMLOCK)."""
        start, end = range_of(pages, "pages")
        return int(self.ask("mlock", start, end - start))

    def munlock(self, pages: Pages) -> int:
        """Take the lock of mlock from neighbouring pages. 0, or -ENOMEM at a hole."""
        start, end = range_of(pages, "pages")
        return int(self.ask("munlock", start, end - start))

    def write(self, pages: Pages) -> int:
        """Write to each page named. 0, or -EFAULT from the first that cannot be written: the kernel writes for the
        process, which would be killed by a signal.
        """
        addresses = addresses_of(pages, "pages")
        return int(self.ask("write", addresses, self.world.tokens(len(addresses))))

    def read(self, pages: Pages) -> Any:
        """Read each page named: a token that every write renews (0: zeroes), or -EFAULT. One number for one address, a
        list for several.
        """
        tokens = self.ask("read", addresses_of(pages, "pages"))
        return tokens if isinstance(pages, Iterable) else tokens[0]

    def vmsplice(self, pages: Pages, name: str = "a pipe") -> LivePin:
        """Put pages into a pipe without copying them: it holds a reference to each until ``release``. Pages stop at the
        first that cannot be read.
        """
        addresses = addresses_of(pages, "pages")
        if len(addresses) > MOST_HELD:
            raise ValueError(f"pages: {len(addresses)} are more than the {MOST_HELD} that a pipe can hold")
        handle, held = self.ask("vmsplice", addresses)
        if handle < 0:
            raise CannotTry(f"{self.name} cannot put pages into a pipe here: {os.strerror(-handle)}.")
        return LivePin(self, handle, f"{name} of {self.name}", held)

    def array(self, address: int, values: Sequence[int], size: int) -> UserArray:
        """Store integers of ``size`` bytes in memory at ``address``: 8 for pages[], 4 for nodes[] and status[]. What
        cannot be written is left out: the kernel will notice when it reads it.
        """
        if size not in (4, 8):
            raise ValueError(f"size={size!r}: 8 (pages) or 4 (nodes, status) bytes are allowed")
        one_address(address)
        addresses_of([address, address + size * max(0, len(values) - 1)], "address")
        lowest, highest = (0, 2**64 - 1) if size == 8 else (-(2**31), 2**31 - 1)
        stored = argument(values, "values", lowest, highest)
        self.ask("store", address, list(stored), size)
        return UserArray(address, len(values), size)

    # -- its calls: where pages are, and where they are to be

    def move_pages(
        self,
        pid: int,
        pages: Sequence[int] | UserArray,
        nodes: Sequence[int] | UserArray | None = None,
        flags: int = MPOL_MF_MOVE,
        status: UserArray | None = None,
        nr_pages: int | None = None,
    ) -> Result:
        """move_pages(2): move pages of process ``pid`` (0: its own) to ``nodes``, one for each; without nodes tell
        where they are. The arguments are those of the model. Source: move_pages(2).
        """
        whole_numbers(pid=pid, flags=flags)
        for name, given, size in (("pages", pages, 8), ("nodes", nodes, 4), ("status", status, 4)):
            if isinstance(given, UserArray):
                check_user_array(given, name, size)
        copied = argument(pages, "pages", 0, 2**64 - 1)
        wanted = None if nodes is None else argument(nodes, "nodes", -(2**31), 2**31 - 1)
        if status is not None and not isinstance(status, UserArray):
            raise ValueError(f"status={status!r}: a user array (process.array), or None")
        count = entries_of(copied, wanted, nr_pages)
        shown = min(count, array_length(copied), count if status is None else status.length)
        if shown > MOST_ANSWERS:
            raise ValueError(f"pages: {shown} are more than the {MOST_ANSWERS} that are asked at once")
        where = None if status is None else status.address
        words = (sent(copied), None if wanted is None else sent(wanted))
        ret, told = self.ask("move_pages", pid, count, shown, *words, where, flags)
        call = f"move_pages(pid={pid}, {count} page{'s' * (count != 1)})"
        addresses = () if isinstance(copied, UserArray) else tuple(copied)
        return Result(call, ret, told, list(told), addresses, None, (None,) * shown, kernel=self.world.kernel)

    def migrate_pages(self, pid: int, old_nodes: Iterable[int], new_nodes: Iterable[int]) -> LiveResult:
        """migrate_pages(2): move all pages of process ``pid`` (0: its own) that lie on ``old_nodes`` to ``new_nodes``.

        How many were not moved, or a negative errno.
        """
        whole_numbers(pid=pid)
        old, new = node_set(old_nodes, "old_nodes"), node_set(new_nodes, "new_nodes")
        return self._told(f"migrate_pages(pid={pid}, {old}, {new})", self.ask("migrate_pages", pid, old, new))

    def mbind(self, pages: Pages, mode: int, nodes: Iterable[int] = (), flags: int = 0) -> LiveResult:
        """mbind(2): where new pages of neighbouring pages are to come from and, with MPOL_MF_MOVE, where those that are
        there are to go.
        """
        whole_numbers(mode=mode, flags=flags)
        (start, end), wanted = range_of(pages, "pages"), node_set(nodes, "nodes")
        ret = self.ask("mbind", start, end - start, mode, wanted, flags)
        return self._told(f"mbind({start:#x}-{end:#x}, mode={mode}, {wanted}, flags={flags})", ret)

    def set_mempolicy(self, mode: int, nodes: Iterable[int] = ()) -> LiveResult:
        """set_mempolicy(2): where new pages of the process are to come from, where an area has no policy of its own."""
        whole_numbers(mode=mode)
        wanted = node_set(nodes, "nodes")
        return self._told(f"set_mempolicy({mode}, {wanted})", self.ask("set_mempolicy", mode, wanted))

    def get_mempolicy(self, address: int | None = None, flags: int = 0) -> LivePolicy:
        """get_mempolicy(2): the policy of the process or, with MPOL_F_ADDR, of the area at ``address``.

        With MPOL_F_NODE the node of the page there, or where the process interleaves next.
        """
        whole_numbers(flags=flags)
        if address is not None:
            one_address(address)
        ret, value, nodes = self.ask("get_mempolicy", address or 0, flags)
        call = f"get_mempolicy({'' if address is None else f'{address:#x}, '}flags={flags})"
        if ret < 0:
            return LivePolicy(call, ret, self.world.kernel)
        mode, node = (None, value) if flags & MPOL_F_NODE else (value, None)
        return LivePolicy(call, ret, self.world.kernel, mode, node, tuple(nodes))

    def _told(self, call: str, ret: int) -> LiveResult:
        return LiveResult(call, ret, self.world.kernel)


def sent(values: Argument) -> list[int] | int:
    """An array as it is sent to the process: its values, or its address."""
    return values.address if isinstance(values, UserArray) else list(values)


def whole_numbers(**arguments: Any) -> None:
    """Raise ValueError for what is no whole number of the size of a long."""
    for name, value in arguments.items():
        if not isinstance(value, int) or isinstance(value, bool) or not -(2**63) <= value < 2**64:
            raise ValueError(f"{name}={value!r}: a whole number is wanted")


def node_set(nodes: Iterable[int], name: str) -> list[int]:
    """Nodes in ascending order. Raises ValueError for what cannot stand in a mask."""
    given = [whole(node) for node in nodes] if isinstance(nodes, Iterable) else [nodes]
    for node in given:
        if not isinstance(node, int) or not 0 <= node < NODES_BEYOND:
            raise ValueError(f"{name}={nodes!r}: a set of node ids is wanted, whole numbers from 0 on")
    return sorted(set(given))
