"""Numbers and names that the kernel shares with programs: errno, flags, modes, sizes. Imports nothing.

Sources: include/linux/mempolicy.h, include/asm-generic/errno-base.h and errno.h of Linux 2.6.18; move_pages(2),
mbind(2).
"""

from __future__ import annotations

PAGE_SHIFT = 12
PAGE_SIZE = 1 << PAGE_SHIFT  #: bytes in a page, and in a frame, on every machine of the kit
MAX_NUMNODES = 1024  #: node ids are below this, as on the ia64 machines that move_pages() was written for
ULONG_MAX = 2**64 - 1

MPOL_MF_STRICT = 1  #: mbind: say so if a page is misplaced
MPOL_MF_MOVE = 2  #: move pages that only this process maps
MPOL_MF_MOVE_ALL = 4  #: also move pages that several processes map; needs CAP_SYS_NICE

MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL = range(5)

MPOL_F_NODE = 1  #: get_mempolicy: tell a node instead of a mode
MPOL_F_ADDR = 2  #: get_mempolicy: ask about an address

PROT_NONE, PROT_READ, PROT_WRITE = 0, 1, 2

MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE, MADV_NOHUGEPAGE = 12, 13, 14, 15

CAP_SYS_NICE, CAP_SYS_PTRACE = "CAP_SYS_NICE", "CAP_SYS_PTRACE"

EPERM = 1
ENOENT = 2
ESRCH = 3
EIO = 5
E2BIG = 7
EAGAIN = 11
ENOMEM = 12
EACCES = 13
EFAULT = 14
EBUSY = 16
ENODEV = 19
EINVAL = 22
ENOSPC = 28
ENOSYS = 38

#: errno -> (name, the kernel's own short text)
ERRNO = {
    EPERM: ("EPERM", "operation not permitted"),
    ENOENT: ("ENOENT", "no such entry"),
    ESRCH: ("ESRCH", "no such process"),
    EIO: ("EIO", "input/output error"),
    E2BIG: ("E2BIG", "argument list too long"),
    EAGAIN: ("EAGAIN", "try again"),
    ENOMEM: ("ENOMEM", "out of memory"),
    EACCES: ("EACCES", "permission denied"),
    EFAULT: ("EFAULT", "bad address"),
    EBUSY: ("EBUSY", "device or resource busy"),
    ENODEV: ("ENODEV", "no such device"),
    EINVAL: ("EINVAL", "invalid argument"),
    ENOSPC: ("ENOSPC", "no space left on device"),
    ENOSYS: ("ENOSYS", "function not implemented"),
}


def errno_name(value: int | None) -> str:
    """``-13`` -> ``"-EACCES"``; numbers that are no known negative errno come back as digits. None: a BUG."""
    if value is None:
        return "no answer (a BUG)"
    return f"-{ERRNO[-value][0]}" if -value in ERRNO else str(value)
