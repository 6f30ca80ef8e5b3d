"""Causes of the return value of move_pages(), in the order of its checks; first those that any of the calls can meet.

Written from sys_move_pages(), kernel_move_pages() and do_pages_move() in mm/migrate.c.
"""

from __future__ import annotations

from numakit.abi import E2BIG, EACCES, EFAULT, EINVAL, ENODEV, ENOENT, ENOMEM, ENOSYS, EPERM, ESRCH
from numakit.explain.causes.cause import CALLS, COUNT, MBIND, MIGRATE_PAGES, MOVE_PAGES, Cause, Where

RETURN: Where = "return"
MIGRATION = (MOVE_PAGES, MIGRATE_PAGES)

#: The two ways of checking entries: all of them before any page is moved, or each when its turn comes.
ALL_FIRST, ONE_BY_ONE = "seed 742755a..2.6.28", "2.6.29.."

#: Sentences that hold for several rows, and for what the model says of them.
NOTHING_MOVED = "Nothing was moved and status[] was not written."
EARLIER_MOVED = "Earlier entries may have been moved, and their statuses written."

OF_ANY_CALL = (
    Cause(
        "filtered",
        -EPERM,
        "Not the kernel's answer: a filter of system calls (seccomp) refused the call, as container engines and sandboxes do.",
        "Seccomp: 2 in /proc/self/status, and even a call that asks for nothing, such as move_pages(0, 0, NULL, NULL, NULL, 0), gets this.",
        "Run outside the container, or with a profile that allows the call; container engines often tie it to CAP_SYS_NICE.",
        "3.5..",
        RETURN,
        CALLS,
    ),
    Cause(
        "filtered",
        -ENOSYS,
        "Not the kernel's answer: a filter of system calls (seccomp) says that the call does not exist, or the kernel is an imitation "
        "of Linux that lacks it.",
        "Seccomp: 2 in /proc/self/status, or dmesg and /proc/version show a kernel that is not Linux' own (gVisor).",
        "Run outside the container or sandbox.",
        "3.5..",
        RETURN,
        CALLS,
    ),
    Cause(
        "not-built",
        -ENOSYS,
        "The kernel was built without NUMA or page migration (CONFIG_NUMA, CONFIG_MIGRATION, since 7.1 CONFIG_NUMA_MIGRATION), or has no "
        "number for the call on this processor: the commit had it for ia64 alone.",
        "Seccomp: 0 in /proc/self/status; grep NUMA /boot/config-$(uname -r), and /sys/devices/system/node is missing.",
        "Use a kernel with CONFIG_NUMA and CONFIG_MIGRATION.",
        "742755a..",
        RETURN,
        CALLS,
    ),
)  # fmt: skip

PERMISSION = (
    Cause(
        "bad-flags",
        -EINVAL,
        "flags has a bit other than MPOL_MF_MOVE (2) and MPOL_MF_MOVE_ALL (4). MPOL_MF_STRICT (1) belongs to mbind().",
        "flags & ~6 is not 0. This is looked at before everything else.",
        f"Pass MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, or 0, which is taken for MPOL_MF_MOVE. {NOTHING_MOVED}",
        where=RETURN,
    ),
    Cause(
        "all-unprivileged",
        -EPERM,
        "MPOL_MF_MOVE_ALL also moves pages that other processes map, so it needs CAP_SYS_NICE, which the caller has not.",
        "flags has MPOL_MF_MOVE_ALL, and bit 23 of CapEff in /proc/self/status is 0 (capsh --decode=...). It is said even for your own "
        "pages, and by move_pages() for a pid that does not exist.",
        "Use MPOL_MF_MOVE, or give the caller CAP_SYS_NICE.",
        where=RETURN,
        calls=(MOVE_PAGES, MBIND),
    ),
    Cause(
        "no-process",
        -ESRCH,
        "There is no process with that pid in the caller's pid namespace.",
        "/proc/PID does not exist, as seen by the caller. A pid from outside a container means nothing inside.",
        "Check the pid; 0 is the caller itself.",
        where=RETURN,
        calls=MIGRATION,
    ),
    Cause(
        "kthread",
        -EINVAL,
        "The target has no memory of its own: it is a kernel thread, or it is exiting. (2.6.18 looks at this before permissions, "
        "later kernels after them.)",
        "There is no VmSize line in /proc/PID/status, and State: may say Z (zombie).",
        "Name a process that lives. Pages of the kernel itself are not moved by these calls.",
        where=RETURN,
        calls=MIGRATION,
    ),
    Cause(
        "other-user",
        -EPERM,
        "The target runs as another user: the caller's uid or effective uid has to equal the target's uid or saved uid.",
        "Uid: in /proc/PID/status, 1st and 3rd number, and /proc/self/status, 1st and 2nd, have none in common; CapEff lacks bit 23 (CAP_SYS_NICE).",
        "Call as that user, or with CAP_SYS_NICE.",
        "seed 742755a..4.12",
        RETURN,
    ),
    Cause(
        "other-user",
        -EPERM,
        "The caller may not look into the target as ptrace would: another user, a target that is not dumpable (a setuid program, one with "
        "capabilities), or one in another user namespace.",
        "ls -l /proc/PID/fd is refused to the caller as well. Uid: and Gid: in /proc/PID/status all have to be the caller's; CapEff "
        "lacks bit 19 (CAP_SYS_PTRACE). CAP_SYS_NICE does not help.",
        "Call as the same user, or with CAP_SYS_PTRACE. With pid 0 nothing is checked.",
        "4.13..",
        RETURN,
    ),
    Cause(
        "lsm",
        -EACCES,
        "A security module (SELinux, Smack) forbids moving the memory of that process.",
        "dmesg or the audit log says avc: denied { setsched } at the time of the call; no target node is outside the cpuset.",
        "Allow it in the module's policy.",
        "2.6.18..",
        RETURN,
        MIGRATION,
    ),
)  # fmt: skip

SIZE = (
    Cause(
        "too-many",
        -E2BIG,
        "nr_pages is so large that the size of the kernel's array for it could not be counted in bytes.",
        "nr_pages is above 768614336404564648 (on 32 bits above 268435453): it is negative, or was never set.",
        "Check nr_pages: it is a count of entries.",
        "seed 742755a..2.6.28",
        RETURN,
    ),
    Cause(
        "no-array",
        -ENOMEM,
        "The kernel makes an array of 24 bytes for each entry of the call, and there was no memory for it.",
        "(nr_pages + 1) * 24 bytes are more than MemFree in /proc/meminfo (on 32 bits: than VmallocTotal).",
        "Call several times with fewer pages.",
        "seed 742755a..2.6.28",
        RETURN,
    ),
    Cause(
        "no-array",
        -ENOMEM,
        "The kernel had not even one free page for its own list of entries.",
        "dmesg has page allocation failures of order 0, or the OOM killer was at work.",
        "The machine is out of memory altogether: free some first.",
        "2.6.29..4.16",
        RETURN,
    ),
)  # fmt: skip


def entry_checks(kernels: str, left: str, found: str) -> tuple[Cause, ...]:
    """The checks of entries, for the kernels that leave ``left`` behind when one fails; ``found`` tells which it was."""
    return (
        Cause(
            "pages-unreadable",
            -EFAULT,
            f"An element of pages[] lies where the caller cannot read. {left}",
            f"The arrays are the caller's: /proc/self/maps has no readable area around all of pages[0..nr_pages-1]. {found}",
            "Check the address of the array, and nr_pages: too large a number runs over its end.",
            kernels,
            RETURN,
        ),
        Cause(
            "nodes-unreadable",
            -EFAULT,
            f"An element of nodes[] lies where the caller cannot read. {left}",
            "/proc/self/maps has a readable area around pages[], but none around all of nodes[0..nr_pages-1]; a query (nodes NULL) succeeds.",
            "Check the address of the array: NULL is a query, anything else is read.",
            kernels,
            RETURN,
        ),
        Cause(
            "offline",
            -ENODEV,
            "A target node does not exist, is offline, or (since 2.6.24) has no memory. (Until 2.6.32 a negative or too large id was looked up "
            f"outside the kernel's mask: anything may happen.) {left}",
            f"Some nodes[i] is not in /sys/devices/system/node/has_memory (where that is missing: not in online, or MemTotal of its meminfo is 0). {found}",
            "Take the ids from numactl --hardware: they may have holes, and nodes without memory are no targets.",
            kernels,
            RETURN,
        ),
        Cause(
            "cpuset",
            -EACCES,
            f"A target node is outside the cpuset of the target process. {left}",
            "Mems_allowed_list in /proc/PID/status (the target's, not the caller's) lacks some nodes[i]; /proc/PID/cpuset or /proc/PID/cgroup "
            f"names who decides. {found}",
            "Choose an allowed node, or widen cpuset.mems of the target's group (of its container).",
            kernels,
            RETURN,
        ),
    )


ENTRIES = (
    *entry_checks(ALL_FIRST, NOTHING_MOVED, "All entries are checked first, so no page has moved."),
    *entry_checks(
        ONE_BY_ONE,
        EARLIER_MOVED,
        "With status[] filled beforehand, the entry is behind the last one that was written.",
    ),
)  # fmt: skip

ANSWERS = (
    Cause(
        "nothing",
        -ENOENT,
        "No entry required a move: each page was already there, not present, shared, busy or at an invalid address, or the list is empty. "
        "status[] was not written.",
        "As a return value it has this one cause. Make the same call with nodes NULL: it says where each page is.",
        "Nothing is wrong if the pages are where they should be. Kernels from 2.6.28 on return 0.",
        "seed 742755a..2.6.27",
        RETURN,
    ),
    Cause(
        "full",
        -ENOMEM,
        "No free frame in the whole machine, or in what the caller's cpuset allows. No status is written, though earlier pages have moved.",
        "MemFree in /proc/meminfo is near 0, and so is SwapFree.",
        "Free memory, then ask with a query which pages moved.",
        "742755a..2.6.18",
        RETURN,
    ),
    Cause(
        "full",
        -ENOMEM,
        "A target node has no free frame, or the caller's own cpuset does not allow it. Pages before it have moved; the statuses of the "
        "batch (of the chunk, until 4.16) are not written.",
        "MemFree in /sys/devices/system/node/nodeN/meminfo is near 0 (below min of its zones in /proc/zoneinfo), or Mems_allowed_list in "
        "/proc/self/status (the caller's) lacks the node.",
        "Free memory on the node or choose another one; ask with a query which pages moved, and move the rest.",
        "2.6.19..",
        RETURN,
    ),
    Cause(
        "status-unwritable",
        -EFAULT,
        "An element of status[] cannot be written. This is noticed last: pages have been moved.",
        "/proc/self/maps has no area with w around all of status[0..nr_pages-1]; a query shows that pages are where they were to go.",
        "Make status[] nr_pages ints long, in writable memory, and ask with a query.",
        where=RETURN,
    ),
    Cause(
        "query",
        0,
        "The call asked where the pages are (nodes NULL); status[] has a node or an error for each.",
        "nodes was NULL.",
        "Look at each element of status[].",
        where=RETURN,
    ),
    Cause(
        "ok",
        0,
        "At least one page was queued for moving, or busy. 0 does not mean that every page moved.",
        "nodes was not NULL.",
        "Look at each element of status[].",
        "seed",
        RETURN,
    ),
    Cause(
        "ok",
        0,
        "Every page that was queued has moved. Entries that were not queued have an error as their status; since 2.6.28 that may be all of them.",
        "nodes was not NULL; negative elements of status[] say who did not move.",
        "Look at each element of status[].",
        "742755a..2.6.28 4.17..",
        RETURN,
    ),
    Cause(
        "ok",
        0,
        "The call went through to its end. Pages may have stayed all the same: these kernels do not count them.",
        "nodes was not NULL; each status[i] that is not nodes[i] did not move.",
        "Look at each element of status[].",
        "2.6.29..4.16",
        RETURN,
    ),
    Cause(
        "stayed",
        COUNT,
        "So many pages were queued, but not moved. Every status is written: -EAGAIN, -EINVAL or -EIO for those.",
        "The number equals that of statuses -EAGAIN, -EINVAL and -EIO (-EPERM too at 742755a).",
        "Look up these statuses. They were busy or cannot move; the others are done.",
        "742755a..2.6.28",
        RETURN,
    ),
    Cause(
        "stayed",
        COUNT,
        "So many pages were queued and not moved. The call ended there: entries behind them were not even tried, and are not counted.",
        "The number is smaller than that of statuses which still have the value from before the call.",
        "Ask with a query (nodes NULL) where each page is, then call again for those that stayed.",
        "4.17..5.5",
        RETURN,
    ),
    *(
        Cause(
            "stayed",
            COUNT,
            f"Pages that were queued and not moved, plus all entries behind their batch, which were not tried. {dirty} What a page stayed for "
            "(pinned, dirty, locked ...) is not told. A huge page counts as 1 (since 5.17).",
            "status[] of the whole batch is as it was before the call, even for pages that moved; pgmigrate_fail in /proc/vmstat went up, and "
            "the tracepoint migrate:mm_migrate_pages tells how many failed.",
            "Ask with a query (nodes NULL) where each page is, then call again for those that stayed. What stays every time is pinned "
            f"(direct I/O, RDMA, VFIO), or {cure}",
            kernels,
            RETURN,
        )
        for kernels, dirty, cure in (
            (
                "5.6..6.15",
                "Dirty pages of file systems that cannot migrate them are written first.",
                "of a file that is written all the time.",
            ),
            (
                "6.16..",
                "Dirty pages of file systems that cannot migrate them stay: they are no longer written first.",
                "dirty and of such a file system: sync it before the call.",
            ),
        )
    ),
)  # fmt: skip

CAUSES = (*OF_ANY_CALL, *PERMISSION, *SIZE, *ENTRIES, *ANSWERS)
