"""What cannot be tried here, and why: a sentence instead of a number that would be misread."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from collections.abc import Sequence
from typing import NamedTuple

from numakit.abi import PAGE_SIZE
from numakit.live.calls import NUMBERS
from numakit.live.probes import Refused
from numakit.topology import Topology


class CannotTry(Exception):
    """Something cannot be tried on this system: no answer of the kernel could be had. The message says why.

    What the kernel itself answers is a value, and never raises this.
    """


class Ended(CannotTry):
    """A process of a world is gone, so that it can be asked nothing."""


class System(NamedTuple):
    """What has to be known of the running system before any call is made."""

    platform: str  #: as sys.platform has it
    machine: str  #: the processor, as uname -m has it
    bits: int  #: of a pointer in this Python: a 32-bit program has other numbers of system calls
    page_size: int = PAGE_SIZE


def this_system() -> System:
    """The system that this Python runs on."""
    page_size = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else PAGE_SIZE
    return System(sys.platform, platform.machine(), 8 * ctypes.sizeof(ctypes.c_void_p), page_size)


def obstacle(system: System) -> str:
    """Why none of the calls can be made on a system: a wrong number would be some other call. Empty if they can."""
    if system.platform != "linux":
        return f"the calls are those of Linux, and this is {system.platform}: there is nobody to ask."
    if system.machine not in NUMBERS:
        known = " and ".join(NUMBERS)
        return f"I know the numbers of the calls on {known}, but not on {system.machine}, so I do not make them."
    if system.bits != 64:
        return f"this is a {system.bits}-bit Python; I know the numbers of the calls for 64-bit programs only."
    if system.page_size != PAGE_SIZE:
        return f"this kernel has pages of {system.page_size} bytes, and the kit counts in pages of {PAGE_SIZE}."
    return ""


def reason(refusal: Refused) -> str:
    """Why a call got no answer of the kernel, as the end of a sentence that may begin with the call's name."""
    if refusal.error == errno.EPERM:
        filtered = ", and a filter (seccomp) is in force" if refusal.filtered else ""
        return (
            f"the sandbox refuses the call (EPERM). The kernel itself lets every process make it for its own memory"
            f"{filtered}; containers often forbid {refusal.call}() altogether."
        )
    if refusal.filtered:
        return (
            "the call seems not to exist (ENOSYS), but a filter of system calls (seccomp) stands between this process "
            "and the kernel: most likely a sandbox hides it."
        )
    return "this kernel does not have the call (ENOSYS): it was built without page migration, or is not Linux' own."


def refusal_of(refusal: Refused) -> CannotTry:
    """The exception for a call that got no answer of the kernel."""
    return CannotTry(f"{refusal.call}() cannot be tried here: {reason(refusal)}")


def two_nodes(topology: Topology) -> tuple[int, int]:
    """The first two nodes with memory, for what needs another node. Raises CannotTry on a machine without."""
    nodes: Sequence[int] = [node for node in topology.nodes if topology.memory(node)]
    if len(nodes) < 2:
        raise CannotTry(
            f"This cannot be tried here: it needs two nodes with memory, and this machine has {len(nodes)}. "
            "A model has as many as you like."
        )
    return nodes[0], nodes[1]
