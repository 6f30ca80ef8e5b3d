"""A world of processes on the running Linux: what a Machine is for the model."""

from __future__ import annotations

import os
import platform
import re
import socket
import tempfile
import weakref
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from numakit.abi import PAGE_SIZE
from numakit.live.calls import CAPABILITY_NUMBERS
from numakit.live.channel import ANSWER_SECONDS, Channel
from numakit.live.cpuset import LiveCpuset, make_cpuset
from numakit.live.file import LiveFile
from numakit.live.lifetime import end_world, remove_files, start_nursery
from numakit.live.process import LiveProcess
from numakit.live.refusal import CannotTry, obstacle, this_system
from numakit.topology import Topology

FIRST_THREAD = 2  #: the pid of kthreadd, from which the kernel makes its other threads
ORDINARY_UID = 1000  #: who processes are if root makes them and names nobody
LARGEST_FILE = 1 << 16  #: pages of a file of a world


class KernelThread(NamedTuple):
    """A thread of the kernel: a process without memory."""

    pid: int
    name: str


class World:
    """Processes of the running Linux that make the calls of the kit's modelled ones, by the same names::

        with World() as world:
            shell = world.spawn("shell")
            area = shell.mmap(pages=4)
            shell.write(area[0:3])
            print(shell.move_pages(0, area))

    All processes are made for it, and end with it. No memory is touched but theirs, and no other process is looked at,
    except one whose pid a call names. What cannot be had here raises :class:`CannotTry` with a sentence.
    """

    def __init__(self) -> None:
        if why := obstacle(this_system()):
            raise CannotTry(f"A live world cannot be made here: {why}")
        self.kernel = platform.release()
        self.files: list[LiveFile] = []
        self.processes: list[LiveProcess] = []
        self.cpusets: list[LiveCpuset] = []
        self._members: list[tuple[int, Channel]] = []
        self._token = 1
        ours, theirs = socket.socketpair()
        with theirs:
            nursery = start_nursery(theirs.fileno())
        self.pid = nursery.pid
        self._nursery = Channel(ours, ANSWER_SECONDS)
        #: Also when the world is forgotten, or Python ends.
        to_end = (os.getpid(), nursery, self._nursery, self._members, self.cpusets)
        self._end = weakref.finalize(self, end_world, *to_end)

    # -- its beginning and end

    def __enter__(self) -> World:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End all its processes and remove its files. Twice is as good as once."""
        self._end()
        if self.files:
            self._remove()

    @property
    def closed(self) -> bool:
        """Whether its processes are gone."""
        return not self._end.alive

    # -- what it has

    @cached_property
    def topology(self) -> Topology:
        """The machine that all this runs on."""
        return Topology.host()

    def spawn(
        self,
        name: str,
        *,
        uid: int | None = None,
        node: int | None = None,
        mems: Iterable[int] | None = None,
        cpuset: LiveCpuset | None = None,
        euid: int | None = None,
        suid: int | None = None,
        capabilities: Sequence[str] | None = None,
    ) -> LiveProcess:
        """A new process.

        ``uid``: None is an ordinary user: who runs this Python or, if that is root, 1000. ``node``: it runs on the CPUs
        of this node only. ``cpuset``: one of :meth:`cpuset`; or ``mems``: the nodes that a cpuset of its own is to
        allow. ``capabilities``: these and no others, some of those that the model knows; by default what the ids bring.

        Raises CannotTry where that takes a privilege, or a writable file, that is not there.
        """
        self._must_be_open()
        if uid is None:
            uid = os.getuid() or ORDINARY_UID
        ids = (uid, uid if euid is None else euid, uid if suid is None else suid)
        for argument, value in zip(("uid", "euid", "suid"), ids, strict=True):
            if not isinstance(value, int) or not 0 <= value < 2**32 - 1:
                raise ValueError(f"{argument}={value!r}: a whole number from 0 to 2**32 - 2 is allowed")
        if capabilities is not None and not set(capabilities) <= set(CAPABILITY_NUMBERS):
            known = ", ".join(CAPABILITY_NUMBERS)
            raise ValueError(f"capabilities={capabilities!r}: a sequence of names is wanted; known are {known}")
        cpus = None if node is None else self._cpus_of(node)
        if mems is not None:
            if cpuset is not None:
                raise ValueError(f"mems={mems!r}: a process with a cpuset gets its nodes from that; leave out one")
            cpuset = self.cpuset(f"of {name}", mems)
        ours, theirs = socket.socketpair()
        with theirs:
            born = self._nursery.ask([ids, cpus, None if capabilities is None else list(capabilities)], theirs.fileno())
        if born is None:
            ours.close()
            raise CannotTry(f"{name} cannot be made here: the process from which all others are forked has ended.")
        process = self.adopt(born.data, name, Channel(ours, ANSWER_SECONDS))
        process.wait_for_birth()
        if cpuset is not None:
            cpuset.attach(process.pid)
        return process

    def adopt(self, pid: int, name: str, channel: Channel) -> LiveProcess:
        """A process that is to end with this world."""
        process = LiveProcess(self, pid, name, channel)
        self._members.append((pid, channel))
        self.processes.append(process)
        return process

    def kernel_thread(self, name: str) -> KernelThread:
        """A thread of the running kernel by its name: "kthreadd" is the first of them all. Nothing can be asked of it
        but its pid. Raises CannotTry where that is another process, as in a container.
        """
        self._must_be_open()
        thread = Path(f"/proc/{FIRST_THREAD}/comm")
        if (
            name != "kthreadd"
            or not thread.exists()
            or thread.read_text(encoding="utf-8", errors="replace").strip() != name
        ):
            raise CannotTry(f"No thread {name!r} of the kernel can be seen here: only kthreadd, outside containers.")
        return KernelThread(FIRST_THREAD, name)

    def file(self, name: str, pages: int) -> LiveFile:
        """A file of so many pages of zeroes, none of them in memory, in a folder for temporary files: which file system
        that is, the system decides.
        """
        self._must_be_open()
        if not isinstance(pages, int) or not 1 <= pages <= LARGEST_FILE:
            raise ValueError(f"pages={pages!r}: 1 to {LARGEST_FILE} pages are allowed")
        if not name:
            raise ValueError("name='': a file needs a name")
        path = self._folder / f"{len(self.files)}-{re.sub('[^A-Za-z0-9.-]', '_', name)[:64]}"
        path.touch()
        os.truncate(path, pages * PAGE_SIZE)  # nothing is written: pages lie on the node of who reads them first
        path.chmod(0o666)  # processes of all users of this world map it
        self.files.append(LiveFile(name, pages, path))
        return self.files[-1]

    def cpuset(self, name: str, mems: Iterable[int], memory_migrate: bool = False) -> LiveCpuset:
        """A new cpuset that allows the nodes ``mems``. Raises CannotTry where none can be made: that takes root and a
        mounted cpuset controller.
        """
        self._must_be_open()
        return make_cpuset(self, name, mems, memory_migrate)

    @cached_property
    def _folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="numakit-"))
        folder.chmod(0o755)
        self._remove = weakref.finalize(self, remove_files, os.getpid(), folder)
        return folder

    def tokens(self, number: int) -> int:
        """The first of so many tokens that no page of this world holds yet."""
        first, self._token = self._token, self._token + number
        return first

    def _cpus_of(self, node: int) -> list[int]:
        cpus = list(self.topology.cpus(node)) if node in self.topology.nodes else []
        if not cpus:
            with_cpus = [node for node in self.topology.nodes if self.topology.cpus(node)]
            raise ValueError(f"node={node!r}: a process needs a CPU; nodes with CPUs are {with_cpus}")
        return cpus

    def _must_be_open(self) -> None:
        if self.closed:
            raise ValueError("this world was closed: its processes are gone")

    def __repr__(self) -> str:
        if self.closed:
            return f"<World: Linux {self.kernel}, closed>"
        return f"<World: Linux {self.kernel}, {sum(process.alive for process in self.processes)} processes>"
