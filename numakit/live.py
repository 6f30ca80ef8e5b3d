"""The running Linux, asked about pages of this very process: move_pages(2) as a query, by ctypes.

Nothing is moved, and no other process is looked at. Where the question cannot be put, the answer is a sentence
that says why: no Linux, a processor whose numbers of system calls are not known here, a kernel without the call,
a sandbox that forbids it. Source: move_pages(2); the kernel's tables of system calls.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import platform
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

#: The number of move_pages on 64-bit processors (arch/x86/entry/syscalls/syscall_64.tbl; asm-generic/unistd.h).
SYSCALL_NUMBERS = {"x86_64": 279, "aarch64": 239}
MOST_PAGES = 1 << 16  #: pages of one question, and of one own area

#: (number of the call, addresses) -> (0 or a negative errno, a status for each address)
SystemCall = Callable[[int, Sequence[int]], tuple[int, list[int]]]


class Host(NamedTuple):
    """What has to be known of the running system to put the question."""

    platform: str  #: as sys.platform has it
    machine: str  #: the processor, as uname -m has it
    bits: int  #: of a pointer in this Python: a 32-bit program has other numbers of system calls
    move_pages: SystemCall
    filtered: Callable[[], bool]  #: whether a filter (seccomp) stands between this process and the kernel


@dataclass(frozen=True)
class Answer:
    """What the running system said: a status for each address, or (``why_not``) why it could not be asked."""

    status: tuple[int, ...] = ()
    why_not: str = ""

    @property
    def answered(self) -> bool:
        """Whether the kernel gave a status for each page."""
        return not self.why_not

    def __str__(self) -> str:
        if not self.answered:
            return self.why_not
        counts = sorted(Counter(self.status).items(), reverse=True)
        return "The running kernel says: " + ", ".join(f"{n} {_place(status)}" for status, n in counts) + "."


class OwnPages:
    """Memory that this process mapped for the experiment; a page has a frame only after it was touched."""

    def __init__(self, memory: mmap.mmap, start: int) -> None:
        self._memory, self.start = memory, start

    @property
    def addresses(self) -> list[int]:
        """The address of each page."""
        return list(range(self.start, self.start + len(self._memory), mmap.PAGESIZE))

    def touch(self, pages: int) -> None:
        """Write one byte to each of the first ``pages`` pages."""
        if not 0 <= pages <= len(self.addresses):
            raise ValueError(f"pages={pages!r}: this area has {len(self.addresses)} pages")
        for page in range(pages):
            self._memory[page * mmap.PAGESIZE] = 1


@contextmanager
def own_pages(n: int) -> Iterator[OwnPages]:
    """Map ``n`` pages of fresh anonymous memory, untouched; they are unmapped at the end of the block."""
    if not isinstance(n, int) or not 1 <= n <= MOST_PAGES:
        raise ValueError(f"n={n!r}: 1 to {MOST_PAGES} pages are allowed")
    with mmap.mmap(-1, n * mmap.PAGESIZE, **_private()) as memory:
        # With large folios the kernel would give frames to neighbours of a touched page as well.
        with suppress(AttributeError, OSError):
            memory.madvise(mmap.MADV_NOHUGEPAGE)
        first = ctypes.c_char.from_buffer(memory)
        start = ctypes.addressof(first)
        del first  # the block could not be closed while a pointer into it is kept
        yield OwnPages(memory, start)


def query(addresses: Sequence[int], host: Host | None = None) -> Answer:
    """Ask the running kernel where pages of this process are: move_pages(0, n, pages, NULL, status, 0).

    ``host`` is the running system unless a test hands in another. Raises ValueError for what cannot be an address;
    whatever forbids the question is told in the answer.
    """
    pages = list(addresses)
    for i, address in enumerate(pages):
        if not isinstance(address, int) or not 0 <= address < 1 << 64:
            raise ValueError(f"addresses[{i}]={address!r}: a whole number from 0 to 2**64 - 1 is allowed")
    if len(pages) > MOST_PAGES:
        raise ValueError(f"addresses: {len(pages)} are more than the {MOST_PAGES} that are asked at once")
    system = host or this_host()
    if obstacle := _obstacle(system):
        return Answer(why_not=obstacle)
    ret, status = system.move_pages(SYSCALL_NUMBERS[system.machine], pages)
    return Answer(why_not=_refusal(-ret, system.filtered())) if ret < 0 else Answer(tuple(status))


def this_host() -> Host:
    """The system that this Python runs on."""
    return Host(sys.platform, platform.machine(), 8 * ctypes.sizeof(ctypes.c_void_p), _move_pages, _seccomp_filters)


def _private() -> dict[str, int]:
    """Shared memory would belong to a file of the kernel's own; systems without the flags have no question to ask."""
    return {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}


def _place(status: int) -> str:
    if status >= 0:
        return f"on node {status}"
    return f"-{errno.errorcode.get(-status, str(-status))}"


def _obstacle(host: Host) -> str:
    """Why the question cannot even be put on this system; empty if it can."""
    if host.platform != "linux":
        return f"move_pages() is a system call of Linux, and this is {host.platform}: there is nobody to ask."
    if host.machine not in SYSCALL_NUMBERS:
        known = " and ".join(SYSCALL_NUMBERS)
        return f"I know the number of move_pages() on {known}, but not on {host.machine}, so I do not ask."
    if host.bits != 64:
        return f"This is a {host.bits}-bit Python; I know the number of move_pages() for 64-bit programs only."
    return ""


def _refusal(error: int, filtered: bool) -> str:
    """What a negative return means for a call that anybody may make."""
    if error == errno.EPERM:
        return (
            "A sandbox refused the call (EPERM). The kernel itself lets every process ask about its own pages; "
            "containers often forbid move_pages() altogether."
        )
    if error == errno.ENOSYS and filtered:
        return (
            "The call seems not to exist (ENOSYS), but a filter of system calls (seccomp) stands between this process "
            "and the kernel: most likely a sandbox hides it."
        )
    if error == errno.ENOSYS:
        return "This kernel does not have the call (ENOSYS): it was built without page migration, or is not Linux' own."
    return f"The kernel could not answer: {errno.errorcode.get(error, str(error))}, {os.strerror(error)}."


def _seccomp_filters(status: Path = Path("/proc/self/status")) -> bool:
    """Whether the kernel says that a seccomp filter is in force (mode 2, proc(5)); False where nothing is said."""
    with suppress(OSError):
        return "\nSeccomp:\t2\n" in status.read_text(encoding="ascii", errors="replace")
    return False


def _move_pages(number: int, pages: Sequence[int]) -> tuple[int, list[int]]:
    """The system call, with pid 0 (this process), nodes NULL (a query) and no flags."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    status = (ctypes.c_int * len(pages))()
    ret = libc.syscall(
        ctypes.c_long(number),
        ctypes.c_long(0),
        ctypes.c_ulong(len(pages)),
        (ctypes.c_void_p * len(pages))(*pages),
        ctypes.c_void_p(None),
        status,
        ctypes.c_long(0),
    )
    return (-ctypes.get_errno() if ret < 0 else 0), list(status)
