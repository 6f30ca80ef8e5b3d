"""The running Linux asked about pages of this very process: move_pages(2) as a query, for a notebook's first look.

Nothing is moved, no other process is looked at, and nothing is raised: where the question cannot be put, the answer is
a sentence that says why. A whole world of processes is :class:`numakit.live.World`.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from numakit.live import calls
from numakit.live.probes import Refused, seccomp_filters
from numakit.live.refusal import System, obstacle, reason, this_system

MOST_PAGES = 1 << 16  #: pages of one question, and of one own area

#: addresses -> (0 or a negative errno, a status for each address)
Query = Callable[[Sequence[int]], tuple[int, list[int]]]


class Host(NamedTuple):
    """What has to be known of the running system to put the question."""

    system: System
    query: Query
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
    asked = host or Host(this_system(), _query, seccomp_filters)
    if why := obstacle(asked.system):
        return Answer(why_not=_sentence(why))
    ret, status = asked.query(pages)
    return Answer(why_not=_refusal(-ret, asked.filtered())) if ret < 0 else Answer(tuple(status))


def _private() -> dict[str, int]:
    """Shared memory would belong to a file of the kernel's own; systems without the flags have no question to ask."""
    return {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}


def _place(status: int) -> str:
    if status >= 0:
        return f"on node {status}"
    return f"-{errno.errorcode.get(-status, str(-status))}"


def _refusal(error: int, filtered: bool) -> str:
    """What a negative return means for a call that anybody may make: the kernel itself never says EPERM."""
    if error in (errno.EPERM, errno.ENOSYS):
        return _sentence(reason(Refused("move_pages", error, filtered)))
    return f"The kernel could not answer: {errno.errorcode.get(error, str(error))}, {os.strerror(error)}."


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _query(pages: Sequence[int]) -> tuple[int, list[int]]:
    """move_pages() with pid 0 (this process), nodes NULL (a query) and no flags."""
    status = (ctypes.c_int * len(pages))()
    ret = calls.move_pages(0, len(pages), (ctypes.c_uint64 * len(pages))(*pages), None, status, 0)
    return ret, list(status)
