"""Causes of the return value of migrate_pages(2) that move_pages() has not, in the order of its checks.

Written from sys_migrate_pages(), kernel_migrate_pages() and do_migrate_pages() in mm/mempolicy.c.
"""

from __future__ import annotations

from numakit.abi import EFAULT, EINVAL, ENOMEM, EPERM
from numakit.explain.causes.cause import COUNT, MBIND, MIGRATE_PAGES, SET_MEMPOLICY, Cause
from numakit.explain.causes.move_pages import RETURN

ONLY = (MIGRATE_PAGES,)
WITH_MASKS = (MIGRATE_PAGES, MBIND, SET_MEMPOLICY)

MASKS = (
    Cause(
        "mask-too-long",
        -EINVAL,
        "maxnode says that the mask has more bits than a page holds (32768 with pages of 4 kB).",
        "maxnode is above 32769, or it is 0 or negative, which wraps to a huge number where a mask is given.",
        "maxnode is the number of bits plus 1; libnuma's numa_migrate_pages() and numa_bind() do it right.",
        where=RETURN,
        calls=WITH_MASKS,
    ),
    Cause(
        "beyond-the-mask",
        -EINVAL,
        "A bit is set for a node that no kernel of this configuration can have (CONFIG_NODES_SHIFT).",
        "maxnode is small, but a bit at or above 2**CONFIG_NODES_SHIFT is set (grep NODES_SHIFT /boot/config-$(uname -r)): was the mask "
        "cleared, and is it of unsigned longs?",
        "Clear the whole mask before you set bits.",
        where=RETURN,
        calls=WITH_MASKS,
    ),
    Cause(
        "mask-unreadable",
        -EFAULT,
        "A node mask lies where the caller cannot read.",
        "/proc/self/maps has no readable area around the (maxnode - 1) bits of a mask, rounded up to unsigned longs.",
        "Check the address, and that maxnode counts bits and not bytes or nodes.",
        where=RETURN,
        calls=WITH_MASKS,
    ),
)  # fmt: skip

CAUSES = (
    *MASKS,
    Cause(
        "other-user",
        -EPERM,
        "The target runs as another user: the caller's uid or effective uid has to equal the target's uid or saved uid.",
        "Uid: in /proc/PID/status, 1st and 3rd number, and /proc/self/status, 1st and 2nd, have none in common; CapEff lacks bit 23 (CAP_SYS_NICE).",
        "Call as that user, or with CAP_SYS_NICE.",
        "seed 742755a..4.14",
        RETURN,
        ONLY,
    ),
    Cause(
        "other-user",
        -EPERM,
        "The caller may not look into the target as ptrace would: another user, or a target that is not dumpable (a setuid program).",
        "ls -l /proc/PID/fd is refused to the caller as well; CapEff lacks bit 19 (CAP_SYS_PTRACE). With pid 0 this cannot be it.",
        "Call as the same user, or with CAP_SYS_PTRACE.",
        "4.15..",
        RETURN,
        ONLY,
    ),
    Cause(
        "target-cpuset",
        -EPERM,
        "A new node is outside the cpuset of the target process. Only with CAP_SYS_NICE may a process be moved out of its cpuset. "
        "(move_pages() says -EACCES.)",
        "Mems_allowed_list in /proc/PID/status (the target's) lacks a new node, and CapEff of the caller lacks bit 23.",
        "Name allowed nodes only, or widen the target's cpuset.",
        where=RETURN,
        calls=ONLY,
    ),
    Cause(
        "no-memory-there",
        -EINVAL,
        "A new node is offline or has no memory.",
        "A new node is not in has_memory of /sys/devices/system/node (MemTotal of its meminfo is 0); one such node is enough.",
        "Take the ids from numactl --hardware.",
        "2.6.24..4.15",
        RETURN,
        ONLY,
    ),
    Cause(
        "no-node-left",
        -EINVAL,
        "None of the new nodes is allowed to the caller itself: empty, offline, or outside its own cpuset.",
        "Mems_allowed_list in /proc/self/status (the caller's) has none of the new nodes.",
        "Call from a process whose cpuset has the nodes, or name others.",
        "4.16..",
        RETURN,
        ONLY,
    ),
    Cause(
        "full",
        -ENOMEM,
        "A new page could not be had: no free frame in the whole machine. Pages that were moved before stay moved.",
        "MemFree in /proc/meminfo is near 0.",
        "Free memory, and call again: what has moved is not touched a second time.",
        "742755a..4.0",
        RETURN,
        ONLY,
    ),
    Cause(
        "full",
        -ENOMEM,
        "A new node has no free frame; no other node is tried. Pages that were moved before stay moved.",
        "MemFree in /sys/devices/system/node/nodeN/meminfo of a new node is near 0; numa_maps of the target shows N<old>= still.",
        "Free memory on the node or name more nodes, and call again.",
        "4.1..",
        RETURN,
        ONLY,
    ),
    Cause(
        "ok",
        0,
        "Nothing that was tried stayed behind. Pages that others map (without CAP_SYS_NICE) are left out and not counted.",
        "numa_maps of the target has no N<old>= any more; if it has, look there for mapmax=, or a page that came back.",
        "Check with numa_maps.",
        where=RETURN,
        calls=ONLY,
    ),
    Cause(
        "stayed",
        COUNT,
        "So many pages were taken off the LRU, but could not be moved (pinned, dirty, being written). Shared ones are not counted, nor "
        "what could not be taken off the LRU; until 2.6.20 mlocked areas are skipped as well.",
        "N<old>= of the areas in /proc/PID/numa_maps tells which stayed: at least so many.",
        "Call again, after a sync for files. One page of libc or ld.so often stays.",
        "742755a..6.6",
        RETURN,
        ONLY,
    ),
    Cause(
        "stayed",
        COUNT,
        "So many pages could not be taken off the LRU, or were taken off and could not be moved (pinned, dirty, being written). Shared "
        "ones are not counted without CAP_SYS_NICE.",
        "N<old>= of the areas in /proc/PID/numa_maps tells which stayed; pgmigrate_fail in /proc/vmstat counts those that were tried.",
        "Call again, after a sync for files.",
        "6.7..",
        RETURN,
        ONLY,
    ),
    Cause(
        "stayed",
        COUNT,
        "So many pages were taken off the LRU, but not moved, -ENOMEM included: in the 2006 text a full node stops nobody.",
        "N<old>= of the areas in numa_maps tells which stayed; MemFree of the new nodes tells whether they are full.",
        "Free memory on the new nodes, and call again.",
        "seed",
        RETURN,
        ONLY,
    ),
)  # fmt: skip
