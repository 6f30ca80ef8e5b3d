"""Who refused a call: the kernel, or a sandbox before it?

A filter of system calls (seccomp) answers -EPERM or -ENOSYS in the kernel's name, and the kernel has its own -EPERM.
So a refused call is made once more in a form that asks for nothing and that no kernel can refuse for want of a
privilege: if that is refused as well, it was not the kernel. (A filter may look at arguments and let this form pass;
then its refusal is taken for the kernel's.)
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from numakit.live import calls

NO_MODE = (1 << 31) - 1  #: no memory policy has this number

#: call -> a form of it that is answered by anything but -EPERM and -ENOSYS, and that changes nothing
PROBES: dict[str, Callable[[], int]] = {
    "move_pages": lambda: calls.move_pages(0, 0, None, None, None, 0),
    "migrate_pages": lambda: calls.migrate_pages(0, (), ()),
    "mbind": lambda: calls.mbind(0, 0, 0, (), 0),
    "set_mempolicy": lambda: calls.set_mempolicy(NO_MODE, ()),
    "get_mempolicy": lambda: calls.get_mempolicy(0, 0)[0],
    "vmsplice": lambda: calls.vmsplice(-1, None, 0, 0),
}


class Refused(NamedTuple):
    """A call that did not reach the kernel, or that the kernel does not have."""

    call: str
    error: int  #: EPERM or ENOSYS
    filtered: bool  #: whether the kernel says that a filter of system calls is in force


def refused(call: str, ret: int) -> Refused | None:
    """Whether somebody else than the kernel's own checks gave this answer to a call; None for an answer of its own."""
    if ret not in (-errno.EPERM, -errno.ENOSYS) or PROBES[call]() not in (-errno.EPERM, -errno.ENOSYS):
        return None
    return Refused(call, -ret, seccomp_filters())


def seccomp_filters(status: Path = Path("/proc/self/status")) -> bool:
    """Whether the kernel says that a seccomp filter is in force (mode 2, proc(5)); False where nothing is said."""
    with suppress(OSError):
        # As bytes: a process that has become another user may be unable to load a codec from the Python of the first.
        return b"\nSeccomp:\t2\n" in status.read_bytes()
    return False
