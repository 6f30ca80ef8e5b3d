"""Causes of the return values of mbind(2), set_mempolicy(2) and get_mempolicy(2).

Written from mm/mempolicy.c: do_mbind(), mpol_new(), do_get_mempolicy() and their callers.
"""

from __future__ import annotations

from numakit.abi import EFAULT, EINVAL, EIO, ENOMEM
from numakit.explain.causes.cause import GET_MEMPOLICY, MBIND, SET_MEMPOLICY, Cause
from numakit.explain.causes.move_pages import RETURN

BIND, GET = (MBIND,), (GET_MEMPOLICY,)
SETTING = (SET_MEMPOLICY, MBIND)

POLICY = (
    Cause(
        "bad-mode",
        -EINVAL,
        "The mode is none that this kernel knows: DEFAULT, PREFERRED, BIND and INTERLEAVE are 0 to 3, LOCAL (4) came with 3.8, "
        "PREFERRED_MANY (5) with 5.15, WEIGHTED_INTERLEAVE (6) with 6.9.",
        "The mode without its flags (bits 13 to 15, since 2.6.26) is above what the release has, or two of the flags contradict each other.",
        "Use a mode of this kernel; numactl --show names the one in force.",
        where=RETURN,
        calls=SETTING,
    ),
    Cause(
        "default-with-nodes",
        -EINVAL,
        "MPOL_DEFAULT (since 3.8 MPOL_LOCAL as well) takes no nodes, and the mask is not empty.",
        "The mode is 0 (or 4), and a bit of the mask is set.",
        "Pass NULL and 0 for mask and maxnode.",
        where=RETURN,
        calls=SETTING,
    ),
    Cause(
        "no-nodes",
        -EINVAL,
        "The mode needs at least one node, and the mask is empty as it was read.",
        "maxnode is one too small: it counts bits plus 1, so that maxnode 1 reads none and maxnode 2 reads node 0 alone.",
        "Set a bit, and pass maxnode as the number of bits plus 1.",
        where=RETURN,
        calls=SETTING,
    ),
    Cause(
        "policy-cpuset",
        -EINVAL,
        "The nodes of the policy are not allowed by the cpuset of the process: until 2.6.24 one such node is enough, later ones are "
        "dropped and this is said if none is left.",
        "Mems_allowed_list in /proc/self/status has not the nodes of the mask.",
        "Name allowed nodes, or widen cpuset.mems of the process' group (of its container).",
        where=RETURN,
        calls=SETTING,
    ),
    Cause(
        "policy-offline",
        -EINVAL,
        "A node of the policy is not online.",
        "/sys/devices/system/node/online lacks a node of the mask.",
        "Take the ids from numactl --hardware.",
        "seed 742755a..2.6.24",
        RETURN,
        SETTING,
    ),
    Cause(
        "no-memory",
        -EINVAL,
        "None of the nodes that the policy binds to has memory.",
        "MemTotal in /sys/devices/system/node/nodeN/meminfo is 0 for all of them; they are missing in has_memory beside them.",
        "Name at least one node with memory.",
        where=RETURN,
        calls=SETTING,
    ),
    Cause(
        "policy-no-memory",
        -ENOMEM,
        "The kernel had no memory for its own record of the policy.",
        "dmesg has allocation failures, or the OOM killer was at work; for mbind() it can also be that the process has as many areas as "
        "vm.max_map_count allows (wc -l /proc/self/maps).",
        "Free memory; for mbind() use fewer, larger ranges.",
        where=RETURN,
        calls=SETTING,
    ),
    Cause(
        "policy-set",
        0,
        "The policy is in force for what is allocated from now on; pages that are there stay where they are, unless mbind() was told to "
        "move them. Without MPOL_MF_STRICT mbind() says 0 even if some could not be moved.",
        "N<node>= of the area in /proc/self/numa_maps shows where its pages are; a positive answer there needs a first touch.",
        "Touch the memory after the call, or use mbind() with MPOL_MF_MOVE and MPOL_MF_STRICT.",
        where=RETURN,
        calls=SETTING,
    ),
)  # fmt: skip

OF_MBIND = (
    Cause(
        "bad-flags",
        -EINVAL,
        "flags has a bit other than MPOL_MF_STRICT (1), MPOL_MF_MOVE (2) and MPOL_MF_MOVE_ALL (4).",
        "flags & ~7 is not 0; MPOL_MF_LAZY (8) is defined, but refused.",
        "Use the three flags only.",
        where=RETURN,
        calls=BIND,
    ),
    Cause(
        "unaligned",
        -EINVAL,
        "The address is not the beginning of a page. (The length is rounded up by the kernel.)",
        "address % sysconf(_SC_PAGESIZE) is not 0.",
        "Round the address down; memory from malloc() hardly ever begins at a page: use mmap() or posix_memalign().",
        where=RETURN,
        calls=BIND,
    ),
    Cause(
        "wraps",
        -EINVAL,
        "Address plus length go beyond the end of the address space.",
        "length is negative, or huge, taken as an unsigned number.",
        "Check the length: it is in bytes.",
        where=RETURN,
        calls=BIND,
    ),
    Cause(
        "range-hole",
        -EFAULT,
        "Some part of the range lies in no area (VMA) of the process. (For MPOL_DEFAULT holes are allowed, but in new kernels not a "
        "range that is nothing else.)",
        "/proc/self/maps has areas around the range with a gap in it; the mask is readable.",
        "Map the memory first, and mind that munmap() of a part leaves a hole.",
        where=RETURN,
        calls=BIND,
    ),
    Cause(
        "misplaced",
        -EIO,
        "With MPOL_MF_STRICT and neither MOVE nor MOVE_ALL: a page of the range lies on a node that the policy does not allow. The policy "
        "was not set.",
        "flags & 6 is 0, and N<node>= of the area in /proc/self/numa_maps shows another node.",
        "Add MPOL_MF_MOVE, or leave out MPOL_MF_STRICT.",
        where=RETURN,
        calls=BIND,
    ),
    Cause(
        "stayed",
        -EIO,
        "With MPOL_MF_STRICT and MOVE or MOVE_ALL: a misplaced page could not be moved (pinned, shared, no free frame). The policy was set.",
        "flags & 6 is not 0; N<node>= in /proc/self/numa_maps shows what stayed, mapmax= whether others map it, MemFree of the node "
        "whether there was room. move_pages() on these addresses says which.",
        "Call again; for shared pages with MPOL_MF_MOVE_ALL (CAP_SYS_NICE).",
        where=RETURN,
        calls=BIND,
    ),
)  # fmt: skip

OF_GET_MEMPOLICY = (
    Cause(
        "bad-policy-flags",
        -EINVAL,
        "flags has an unknown bit; known are MPOL_F_NODE (1), MPOL_F_ADDR (2) and, since 2.6.24, MPOL_F_MEMS_ALLOWED (4), which goes with "
        "neither.",
        "flags & ~7 is not 0, or flags is above 4.",
        "Use one of 0, 1, 2, 3 and 4.",
        where=RETURN,
        calls=GET,
    ),
    Cause(
        "mask-too-small",
        -EINVAL,
        "A mask was given that is too small for all nodes that this kernel may have.",
        "maxnode is smaller than the number of possible nodes (/sys/devices/system/node/possible), or until 4.20 than 2**CONFIG_NODES_SHIFT.",
        "Make the mask 1024 bits long, as libnuma does.",
        where=RETURN,
        calls=GET,
    ),
    Cause(
        "address-without-flag",
        -EINVAL,
        "An address was given, but not MPOL_F_ADDR.",
        "addr is not NULL, and flags & 2 is 0.",
        "Add MPOL_F_ADDR, or pass NULL.",
        where=RETURN,
        calls=GET,
    ),
    Cause(
        "not-interleaving",
        -EINVAL,
        "MPOL_F_NODE alone asks for the next node of interleaving, and the policy of the process does not interleave.",
        "flags is 1, and numactl --show says another policy than interleave.",
        "For the node of a page use MPOL_F_NODE | MPOL_F_ADDR with its address.",
        where=RETURN,
        calls=GET,
    ),
    Cause(
        "no-area",
        -EFAULT,
        "The address lies in no area (VMA) of the process.",
        "/proc/self/maps has no range around the address. The call sees the caller's own memory only.",
        "For another process use move_pages() with nodes NULL.",
        where=RETURN,
        calls=GET,
    ),
    Cause(
        "node-unreadable",
        -EFAULT,
        "To tell the node the kernel reads the page in, and it cannot be read: the area allows no reading, or the file ends before it.",
        "/proc/self/maps has the area, with --- as its rights, or of a file that is shorter.",
        "Make the area readable (mprotect) first, or use move_pages() with nodes NULL, which faults nothing in.",
        where=RETURN,
        calls=GET,
    ),
    Cause(
        "answer-unwritable",
        -EFAULT,
        "Mode or mask cannot be written to where the caller wants them.",
        "/proc/self/maps has no area with w around the mode or the mask.",
        "Check both addresses.",
        where=RETURN,
        calls=GET,
    ),
    Cause(
        "node-no-memory",
        -ENOMEM,
        "To tell the node the kernel reads the page in, and no frame was free where policy and cpuset allow.",
        "flags is 3, and MemFree of the allowed nodes is near 0.",
        "Free memory, or use move_pages() with nodes NULL, which faults nothing in.",
        where=RETURN,
        calls=GET,
    ),
    Cause(
        "policy-told",
        0,
        "The call only asked. With MPOL_F_NODE | MPOL_F_ADDR it faults the page in if it is not there, so that the answer is where it is now.",
        "It is the only cause of 0.",
        "Nothing is wrong.",
        where=RETURN,
        calls=GET,
    ),
)  # fmt: skip

CAUSES = (*POLICY, *OF_MBIND, *OF_GET_MEMPOLICY)
