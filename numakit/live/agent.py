"""What runs inside a live process: it is told which call to make, makes it, and tells what came back.

It knows nothing of the kit but the numbers of the ABI, so that it starts in milliseconds and has few pages of its own.
No other part of the kit imports it: all that it needs is loaded before a process gives up root's rights, since an
ordinary user may not be allowed to read the modules of this Python.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import mmap
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, NoReturn, TypeAlias

from numakit.abi import PAGE_SIZE
from numakit.live import calls
from numakit.live.channel import MOST_ANSWERS, Channel
from numakit.live.memory import Toucher
from numakit.live.probes import PROBES, Refused, refused

FIRST_ADDRESS = 1 << 36  #: where areas begin: the kernel puts nothing of its own there, be addresses of 39 or 47 bits
UNWRITTEN = -(1 << 31)  #: what status[] holds before a call: no node, and no errno

#: An array of a call: its values, or its address in the memory of the process.
Values: TypeAlias = Sequence[int] | int


class RefusedHere(Exception):
    """A call got no answer of the kernel."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(*refusal)
        self.refusal = refusal


class Pipe(NamedTuple):
    """Both ends of a pipe that holds pages."""

    out: int
    into: int


def answered(name: str, ret: int) -> int:
    """What a call returned. Raises RefusedHere if that was not the kernel's own answer."""
    if name in PROBES and (refusal := refused(name, ret)):
        raise RefusedHere(refusal)
    return ret


class Agent:
    """One live process, seen from inside. Each public method is a command, named for the call that it makes."""

    def __init__(self, channel: Channel, next_address: int = FIRST_ADDRESS) -> None:
        self._channel, self._toucher, self._next_address = channel, Toucher(), next_address
        self._pipes: dict[int, Pipe] = {}
        self._passed_fd: int | None = None

    def serve(self) -> NoReturn:
        """Do what comes in, until nobody is left to ask."""
        while message := self._channel.receive():
            self._passed_fd = message.fd
            name, *arguments = message.data
            try:
                answer: dict[str, Any] = {"answer": getattr(self, name)(*arguments)}
            except RefusedHere as refusal:
                answer = {"refused": refusal.refusal}
            except Exception as error:
                answer = {"broken": f"{type(error).__name__}: {error}"}
            try:
                self._channel.send(answer)
            except OSError:
                break  # whoever asked is gone
        os._exit(0)

    # -- the process

    def fork(self) -> int:
        """A child that serves the other end of the socket that came along. Its pid, or a negative errno."""
        fd, self._passed_fd = self._passed_fd, None
        assert fd is not None
        try:
            pid = os.fork()
        except OSError as error:
            os.close(fd)
            return -(error.errno or errno.EAGAIN)
        if pid:
            os.close(fd)
            return pid
        self._channel.close()
        self._toucher.close()
        for handle in list(self._pipes):
            self.release(handle)  # pages are held by the parent, and are not held twice
        Agent(Channel(socket.socket(fileno=fd)), self._next_address).serve()

    def exit(self) -> NoReturn:
        """End. The answer is the end of the channel."""
        os._exit(0)

    def numa_maps(self) -> str | int:
        """The text of /proc/self/numa_maps, or a negative errno."""
        try:
            with open("/proc/self/numa_maps", encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError as error:
            return -(error.errno or errno.EIO)

    # -- memory

    def mmap(self, pages: int, prot: int, shared: bool, address: int, path: str | None, offset: int) -> int:
        """Map memory or a file: where the area begins, or a negative errno.

        Areas are laid out as in the model, far from what Python itself maps: a page without an area is left behind
        each, so that addresses beside it are holes and stay holes, and the kernel merges no two areas.
        """
        flags = calls.MAP_SHARED if shared else calls.MAP_PRIVATE
        fd = -1
        if path is not None:
            try:
                fd = os.open(path, os.O_RDWR)
            except OSError as error:
                return -(error.errno or errno.EIO)
        else:
            flags |= calls.MAP_ANONYMOUS
        length = pages * PAGE_SIZE
        wish = address or self._next_address
        start = calls.mmap(wish, length, prot, flags, fd, offset * PAGE_SIZE)
        if start == wish:
            self._next_address = max(self._next_address, start + length + PAGE_SIZE)
        if fd >= 0:
            os.close(fd)
        return start

    def munmap(self, start: int, length: int) -> int:
        """munmap()."""
        return calls.munmap(start, length)

    def mprotect(self, start: int, length: int, prot: int) -> int:
        """mprotect()."""
        return calls.mprotect(start, length, prot)

    def mlock(self, start: int, length: int) -> int:
        """mlock()."""
        return calls.mlock(start, length)

    def munlock(self, start: int, length: int) -> int:
        """munlock()."""
        return calls.munlock(start, length)

    def write(self, addresses: Sequence[int], token: int) -> int:
        """Write tokens, counted up from one, to pages: 0, or -EFAULT at the first that cannot be written."""
        for i, address in enumerate(addresses):
            if not self._toucher.store_token(address, token + i):
                return -errno.EFAULT
        return 0

    def read(self, addresses: Sequence[int]) -> list[int]:
        """The token of each page, or -EFAULT."""
        tokens = map(self._toucher.load_token, addresses)
        return [-errno.EFAULT if token is None else token for token in tokens]

    def store(self, address: int, values: Sequence[int], size: int) -> int:
        """Store integers in memory: how many bytes could be written."""
        data = b"".join(value.to_bytes(size, "little", signed=value < 0) for value in values)
        return self._toucher.store(address, data)

    def vmsplice(self, addresses: Sequence[int]) -> tuple[int, int]:
        """Let a new pipe hold pages: (its handle, how many it holds), or (a negative errno, 0).

        Pages stop at the first that cannot be read.
        """
        pipe = Pipe(*os.pipe())
        if len(addresses) * PAGE_SIZE > fcntl.fcntl(pipe.into, fcntl.F_GETPIPE_SZ):
            fcntl.fcntl(pipe.into, fcntl.F_SETPIPE_SZ, len(addresses) * PAGE_SIZE)
        held, ret = 0, 0
        for address in addresses:  # one by one, since the kernel reports a fault only if it comes first
            piece = (calls.IoVec * 1)(calls.IoVec(address - address % PAGE_SIZE, PAGE_SIZE))
            ret = calls.vmsplice(pipe.into, piece, 1, calls.SPLICE_F_NONBLOCK)
            if ret < 0:
                break
            held += 1
        self._pipes[pipe.into] = pipe
        if ret < 0 and ret != -errno.EFAULT:
            self.release(pipe.into)
            return answered("vmsplice", ret), 0
        return pipe.into, held

    def release(self, handle: int) -> int:
        """Let go of the pages of a pipe: 0."""
        pipe = self._pipes.pop(handle, None)
        for fd in pipe or ():
            os.close(fd)
        return 0

    # -- where pages are, and where they are to be

    def move_pages(
        self, pid: int, count: int, shown: int, pages: Values, nodes: Values | None, status: int | None, flags: int
    ) -> tuple[int, list[int | None]]:
        """move_pages(): what it returned, and status[] as far as the kernel has written it (None: it has not).

        ``shown`` elements are looked at, up to the first that cannot be written. A status[] of the caller holds during
        the call what no kernel writes, and gets back what stood in it where the kernel left that alone.
        """
        before = b"" if status is None else self._toucher.load(status, 4 * shown)
        unwritten = UNWRITTEN.to_bytes(4, "little", signed=True) * shown
        # A block of our own costs memory only where it is written to.
        with mmap.mmap(-1, max(4 * min(count, MOST_ANSWERS), 1)) as own:
            first = ctypes.c_char.from_buffer(own)
            where = ctypes.addressof(first) if status is None else status
            del first  # the block could not be closed while a pointer into it is kept
            prepared = self._toucher.store(where, unwritten) // 4
            ret = calls.move_pages(pid, count, words(pages, 8), words(nodes, 4), where, flags)
            data = self._toucher.load(where, 4 * shown)
        values = [int.from_bytes(data[i : i + 4], "little", signed=True) for i in range(0, len(data) - 3, 4)]
        written = [None if value == UNWRITTEN else value for value in values[:prepared]]
        for i, value in enumerate(written):
            if status is not None and value is None:
                self._toucher.store(status + 4 * i, before[4 * i : 4 * i + 4])
        return answered("move_pages", ret), written + [None] * (shown - len(written))

    def migrate_pages(self, pid: int, old_nodes: Sequence[int], new_nodes: Sequence[int]) -> int:
        """migrate_pages()."""
        return answered("migrate_pages", calls.migrate_pages(pid, old_nodes, new_nodes))

    def mbind(self, start: int, length: int, mode: int, nodes: Sequence[int], flags: int) -> int:
        """mbind()."""
        return answered("mbind", calls.mbind(start, length, mode, nodes, flags))

    def set_mempolicy(self, mode: int, nodes: Sequence[int]) -> int:
        """set_mempolicy()."""
        return answered("set_mempolicy", calls.set_mempolicy(mode, nodes))

    def get_mempolicy(self, address: int, flags: int) -> tuple[int, int, list[int]]:
        """get_mempolicy()."""
        ret, mode, nodes = calls.get_mempolicy(address, flags)
        return answered("get_mempolicy", ret), mode, nodes


def words(values: Values | None, size: int) -> calls.Pointer:
    """An array of elements of 4 or 8 bytes, an address as it is, or NULL."""
    if values is None or isinstance(values, int):
        return values
    element: Callable[..., Any] = ctypes.c_int if size == 4 else ctypes.c_uint64
    return (element * len(values))(*values)  # type: ignore[operator, no-any-return]
