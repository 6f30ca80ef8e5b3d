"""System calls of the running Linux, by number and through ctypes: one function for each, and errno as a value.

Every function returns what the kernel returns, with a negative errno instead of -1. Pointers are addresses, arrays of
ctypes, or None for NULL; nothing is checked here. Source of the numbers: the kernel's tables
arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h. Nothing is looked up at import, so that
systems other than Linux can import it.
"""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterable
from functools import cache
from typing import Any, TypeAlias

from numakit.abi import CAP_SYS_NICE, CAP_SYS_PTRACE, MAX_NUMNODES

#: processor, as uname -m has it -> the numbers that 64-bit programs use there
NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "read": 0,
        "write": 1,
        "mmap": 9,
        "mprotect": 10,
        "munmap": 11,
        "mlock": 149,
        "munlock": 150,
        "mbind": 237,
        "set_mempolicy": 238,
        "get_mempolicy": 239,
        "migrate_pages": 256,
        "vmsplice": 278,
        "move_pages": 279,
    },
    "aarch64": {
        "read": 63,
        "write": 64,
        "vmsplice": 75,
        "munmap": 215,
        "mmap": 222,
        "mprotect": 226,
        "mlock": 228,
        "munlock": 229,
        "mbind": 235,
        "get_mempolicy": 236,
        "set_mempolicy": 237,
        "migrate_pages": 238,
        "move_pages": 239,
    },
}

MAP_SHARED, MAP_PRIVATE, MAP_ANONYMOUS = 1, 2, 0x20  #: the same on both processors
SPLICE_F_NONBLOCK = 2  #: vmsplice: a full pipe is no reason to wait
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS = 1, 4, 8
PR_SET_CHILD_SUBREAPER, PR_SET_THP_DISABLE = 36, 41
CAPABILITY_VERSION = 0x20080522  #: of the structs that capset() takes (include/uapi/linux/capability.h)
CAPABILITY_NUMBERS = {CAP_SYS_PTRACE: 19, CAP_SYS_NICE: 23}
WORD = 8 * ctypes.sizeof(ctypes.c_ulong)  #: nodes in a word of a mask

Pointer: TypeAlias = "int | ctypes.Array[Any] | None"


class IoVec(ctypes.Structure):
    """A piece of memory, as vmsplice() takes it (struct iovec)."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


@cache
def libc() -> ctypes.CDLL:
    """The C library of this process, with an errno of its own for each thread."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    return library


def system_call(name: str, *arguments: Pointer) -> int:
    """Make a call: its value, or the negative errno. Raises KeyError where its number is not known."""
    number = NUMBERS[platform.machine()][name]
    words = [word if isinstance(word, ctypes.Array) else ctypes.c_long(word or 0) for word in arguments]
    ret = int(libc().syscall(ctypes.c_long(number), *words))
    return -ctypes.get_errno() if ret == -1 else ret


def prctl(option: int, value: int) -> int:
    """prctl(2), by its name in the C library: 0 or a negative errno."""
    zero = ctypes.c_ulong(0)
    ret = int(libc().prctl(ctypes.c_int(option), ctypes.c_ulong(value), zero, zero, zero))
    return -ctypes.get_errno() if ret == -1 else ret


def capset(capabilities: Iterable[str]) -> int:
    """capset(2), by its name in the C library: this process has these capabilities and no others. 0 or a negative
    errno.
    """
    bits = sum(1 << CAPABILITY_NUMBERS[name] for name in capabilities)
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(bits, bits, 0, 0, 0, 0)  # the low words, then the high ones
    ret = int(libc().capset(header, effective_permitted_inheritable))
    return -ctypes.get_errno() if ret == -1 else ret


# -- memory


def mmap(address: int, length: int, prot: int, flags: int, fd: int, offset: int) -> int:
    """mmap(2): where the new area begins."""
    return system_call("mmap", address, length, prot, flags, fd, offset)


def munmap(address: int, length: int) -> int:
    """munmap(2)."""
    return system_call("munmap", address, length)


def mprotect(address: int, length: int, prot: int) -> int:
    """mprotect(2)."""
    return system_call("mprotect", address, length, prot)


def mlock(address: int, length: int) -> int:
    """mlock(2)."""
    return system_call("mlock", address, length)


def munlock(address: int, length: int) -> int:
    """munlock(2)."""
    return system_call("munlock", address, length)


def read(fd: int, address: int, length: int) -> int:
    """read(2): the kernel writes to ``address``. -EFAULT where the process itself would get a signal."""
    return system_call("read", fd, address, length)


def write(fd: int, address: int, length: int) -> int:
    """write(2): the kernel reads from ``address``. -EFAULT where the process itself would get a signal."""
    return system_call("write", fd, address, length)


def vmsplice(fd: int, pieces: ctypes.Array[IoVec] | None, count: int, flags: int) -> int:
    """vmsplice(2): how many bytes a pipe holds by reference now, or a negative errno."""
    return system_call("vmsplice", fd, pieces, count, flags)


# -- where pages are, and where they are to be


def move_pages(pid: int, count: int, pages: Pointer, nodes: Pointer, status: Pointer, flags: int) -> int:
    """move_pages(2): 0, since Linux 4.17 also how many pages were not moved, or a negative errno."""
    return system_call("move_pages", pid, count, pages, nodes, status, flags)


def migrate_pages(pid: int, old_nodes: Iterable[int], new_nodes: Iterable[int]) -> int:
    """migrate_pages(2): how many pages were not moved, or a negative errno."""
    old, new = node_masks(old_nodes, new_nodes)
    return system_call("migrate_pages", pid, len(old) * WORD + 1, old, new)


def mbind(address: int, length: int, mode: int, nodes: Iterable[int], flags: int) -> int:
    """mbind(2)."""
    (mask,) = node_masks(nodes)
    return system_call("mbind", address, length, mode, mask, len(mask) * WORD + 1, flags)


def set_mempolicy(mode: int, nodes: Iterable[int]) -> int:
    """set_mempolicy(2)."""
    (mask,) = node_masks(nodes)
    return system_call("set_mempolicy", mode, mask, len(mask) * WORD + 1)


def get_mempolicy(address: int, flags: int) -> tuple[int, int, list[int]]:
    """get_mempolicy(2): what it returned, the mode or (MPOL_F_NODE) a node, and the nodes of the policy."""
    mode, (mask,) = (ctypes.c_int * 1)(), node_masks(())
    ret = system_call("get_mempolicy", mode, mask, len(mask) * WORD + 1, address, flags)
    return ret, mode[0], [node for node in range(len(mask) * WORD) if mask[node // WORD] >> node % WORD & 1]


def node_masks(*sets: Iterable[int]) -> list[ctypes.Array[ctypes.c_ulong]]:
    """Masks of one length for sets of nodes, with room for all that Linux can have, and for what is beyond.

    The kernel takes the length in bits and one more (mm/mempolicy.c, get_nodes).
    """
    given = [tuple(nodes) for nodes in sets]
    bits = max([MAX_NUMNODES, *(node + 1 for nodes in given for node in nodes)])
    masks = []
    for nodes in given:
        mask = (ctypes.c_ulong * -(-bits // WORD))()
        for node in nodes:
            mask[node // WORD] |= 1 << node % WORD
        masks.append(mask)
    return masks
