"""Causes of a status: what move_pages() writes for one entry, in the order in which a kernel decides.

Written from mm/migrate.c: add_page_for_migration() and its forebears, unmap_and_move(), do_pages_stat().
"""

from __future__ import annotations

from numakit.abi import EACCES, EAGAIN, EBUSY, EFAULT, EINVAL, EIO, ENOENT, ENOMEM, EPERM
from numakit.explain.causes.cause import NODE, UNWRITTEN, Cause

#: Since 4.17 the reason for which a page stayed is no longer written: it only adds to a positive return value.
STAYED = "742755a..4.16"

LOOKED_UP = (
    Cause(
        "hole",
        -EFAULT,
        "No area (VMA) of the target process contains the address. Until 2.6.36 only an address above all areas got this.",
        "No line of /proc/PID/maps has a range around the address. Mind whose address it is: the target's, not yours.",
        "Check that pages[] holds addresses and not page numbers, and that the area was not unmapped meanwhile.",
    ),
    Cause(
        "hole",
        -ENOENT,
        "The address lies in a hole below some area: these kernels look for the first area that ends above it.",
        "No line of /proc/PID/maps has a range around the address, but some line lies above it.",
        "Check that pages[] holds addresses and not page numbers, and that the area was not unmapped meanwhile.",
        "742755a..2.6.36",
    ),
    Cause(
        "special",
        -EFAULT,
        "The area is one that is never migrated: a device's memory (VM_IO, VM_PFNMAP), or a file on DAX.",
        "The area's VmFlags in /proc/PID/smaps have io or pf, or maps names a file under /dev or on a DAX mount.",
        "Leave the entry out: such memory is where its device is.",
        "2.6.21..",
    ),
    Cause(
        "special",
        -ENOENT,
        "The area maps a device's memory (VM_IO, VM_PFNMAP), behind which there is no page that could be found.",
        "/proc/PID/maps names a file under /dev at the address, such as /dev/mem or a graphics driver's.",
        "Leave the entry out: such memory is where its device is.",
        "742755a..2.6.20",
    ),
    Cause(
        "hugetlb",
        -EFAULT,
        "The area has huge pages of hugetlbfs, which cannot be migrated here. (Until 2.6.20 the attempt crashed the kernel.)",
        "VmFlags in /proc/PID/smaps have ht, or KernelPageSize is more than 4 kB; before smaps had them, numa_maps says huge.",
        "Place huge pages when they are allocated: mbind() or set_mempolicy() before the first touch.",
        "2.6.21..3.11",
    ),
    Cause(
        "untouched",
        -ENOENT,
        "The address lies in anonymous memory that nobody has touched: it has no page yet.",
        "The area has no file in /proc/PID/maps and Swap: 0 kB in smaps; bits 63 and 62 of the page's /proc/PID/pagemap entry are 0.",
        "Write to the address first, or leave it out and set a policy (mbind): it decides where the first touch takes memory.",
        "seed 742755a..4.2 6.12..",
    ),
    Cause(
        "untouched",
        -EFAULT,
        "The address lies in anonymous memory that nobody has touched. (4.3 to 6.11 take that for a bad address.)",
        "/proc/PID/maps does have an area without a file around the address; its pagemap entry has bits 63 and 62 at 0.",
        "Write to the address first, or leave it out and set a policy (mbind): it decides where the first touch takes memory.",
        "4.3..6.11",
    ),
    Cause(
        "not-read",
        -ENOENT,
        "The area maps a file or shared memory, and the process has not faulted this page in, wherever else it may be.",
        "The line of /proc/PID/maps names a file, /dev/zero (deleted), /SYSV or memfd:; mincore(2) may even say that it is in memory.",
        "Read the address in the target process first, or leave it out.",
    ),
    Cause(
        "swapped",
        -ENOENT,
        "The page is swapped out.",
        "Swap: of the area in /proc/PID/smaps is not 0 (before 2.6.25: swapcache= in numa_maps, SwapFree in meminfo); bit 62 of pagemap is 1.",
        "Touch the address, then call again.",
    ),
    Cause(
        "migrating",
        -ENOENT,
        "Another call, or the kernel itself (compaction, balancing), is moving the page at this very moment.",
        "It is gone at the next call. pgmigrate_success in /proc/vmstat (since 3.8) goes up though you move nothing.",
        "Call again.",
    ),
    Cause(
        "hinting",
        -ENOENT,
        "The page is inaccessible: its area allows no access (PROT_NONE), or automatic NUMA balancing has made it so for a while, to see "
        "who uses it. These kernels then find no page.",
        "The area is ---p in /proc/PID/maps; or /proc/sys/kernel/numa_balancing is 1, numa_pte_updates in /proc/vmstat goes up, and once "
        "touched the page is found.",
        "Give the area back its permissions (mprotect), or touch the page, and call again; or set numa_balancing to 0 meanwhile.",
        "6.1..6.5",
    ),
    Cause(
        "device",
        -ENOENT,
        "The page is a device's (ZONE_DEVICE), such as memory of a GPU that the driver has moved it to.",
        "The process uses a GPU through HMM: its driver says so in dmesg, and a plain access brings the page back.",
        "Let the driver bring it back, by touching the address from a CPU.",
        "6.0..",
    ),
    Cause(
        "zero",
        -EFAULT,
        "The address was only read so far and shows the zero page, which all processes share.",
        "/proc/PID/maps has the area; bit 63 of pagemap is 1, but Rss in smaps does not count the page.",
        "Write to the address and it gets a frame of its own.",
        "seed 4.3..",
    ),
    Cause(
        "zero",
        -ENOENT,
        "The address was only read so far and shows the zero page, which all processes share. (The text of 2006 says -EFAULT.)",
        "The address was read, never written; after one write the answer is a node.",
        "Write to the address and it gets a frame of its own.",
        "742755a..2.6.23 2.6.32..4.2",
    ),
    Cause(
        "reserved",
        -ENOENT,
        "The page is reserved by the kernel or by a driver, the vdso for example.",
        "/proc/PID/maps says [vdso] or names a driver's file, such as /dev/snd/.",
        "Leave the entry out.",
        "742755a..4.2",
    ),
    Cause(
        "here",
        NODE,
        "This was a query (nodes NULL): the page is on that node.",
        "The call had nodes NULL.",
        "Nothing is wrong. get_mempolicy(MPOL_F_NODE | MPOL_F_ADDR) says the same of one address of your own.",
    ),
    Cause(
        "there",
        NODE,
        "The page already was on the node asked for when its entry was looked up.",
        "The same node was the answer of a query before the call, and the page's frame (pagemap, for root) has not changed.",
        "Nothing is wrong.",
    ),
    Cause(
        "shared",
        -EACCES,
        "The page is mapped more than once, and MPOL_MF_MOVE moves only what one process maps alone. (The 2006 text counts "
        "processes, all releases count PTEs, so twice in one process is enough.)",
        "The area has Shared_Clean or Shared_Dirty above 0 in /proc/PID/smaps, or mapmax=2 and more in numa_maps; who else maps the "
        "file: grep its inode in /proc/*/maps. After fork() it is the child.",
        "Ask for MPOL_MF_MOVE_ALL (it needs CAP_SYS_NICE), or let the others unmap the page or write to it (copy on write).",
    ),
    Cause(
        "maybe-shared",
        -EACCES,
        "The page is part of a large folio of which the kernel only estimates whether several processes map it.",
        "AnonHugePages, FilePmdMapped or ShmemPmdMapped in smaps is not 0, or mTHP is on (/sys/kernel/mm/transparent_hugepage/hugepages-*); "
        "no other process maps the page now.",
        "Use MPOL_MF_MOVE_ALL (it needs CAP_SYS_NICE).",
        "6.12..",
    ),
    Cause(
        "hugetlb-tail",
        -EACCES,
        "The address is not the first of its hugetlbfs page: only the first address moves it, the others get this by an oversight.",
        "VmFlags in smaps have ht, and the address is no multiple of KernelPageSize.",
        "Name each huge page once, by its first address.",
        "3.12..6.6",
    ),
    Cause(
        "duplicate",
        -EBUSY,
        "An earlier entry of the same call names the same page and has taken it off the LRU list already.",
        "Round all addresses of the call down to pages: one stands there twice. (Since 5.13 only within a row of entries with one target; "
        "else the page moves twice.)",
        "The answer for the page is that of the earlier entry. Name each page once.",
    ),
    Cause(
        "same-folio",
        -EBUSY,
        "An earlier entry has queued the huge page or large folio that this address belongs to; it moves as a whole.",
        "AnonHugePages of the area in smaps is not 0 (or another large folio); a query afterwards shows the page on the new node.",
        "Nothing is wrong. To spare the entries name one address of each huge page.",
        "4.14..",
    ),
    Cause(
        "off-lru",
        -EBUSY,
        "The page is on no LRU list, so it could not be taken off one: another call, reclaim or compaction has it, or it waits in the "
        "pagevec of the CPU that touched it.",
        "No other entry names the page, and the answer changes when you call again a moment later.",
        "Call again. Until 5.12 it helps if the target does not touch new memory during the call.",
    ),
)  # fmt: skip

MIGRATED = (
    Cause(
        "full",
        -ENOMEM,
        "The target node had no free frame, or lies outside the caller's own cpuset. The page stays; no other node is tried. (Only the 2006 "
        "text has this as a status.)",
        "MemFree in /sys/devices/system/node/nodeN/meminfo is near 0, or Mems_allowed_list in /proc/self/status lacks the node.",
        "Free memory on the node, choose another one, or call from a process whose cpuset has it.",
        "seed",
    ),
    Cause(
        "gone",
        NODE,
        "Everybody else let go of the page while the call was under way (exit, munmap, truncation), so nothing had to be moved. The status "
        "names the node where the new page would have been.",
        "A query afterwards says -ENOENT or -EFAULT for the address, or the node of a page that came later.",
        "Nothing is wrong.",
    ),
    Cause(
        "mlocked",
        -EPERM,
        "Some process has mlocked the area, and this kernel does not move what is locked in memory. Every release does, from 2.6.18 on.",
        "VmLck in /proc/PID/status of a process that maps the page is not 0.",
        "munlock the area first, and mlock it again afterwards.",
        "seed 742755a..742755a",
    ),
    Cause(
        "driver",
        -EPERM,
        "A driver's mmap has locked the area in memory (VM_LOCKED).",
        "/proc/PID/maps names the driver's file in /dev at the address, and VmLck does not count what mlock() did.",
        "The driver has to let go: munlock would clear the flag behind the driver's back.",
        "seed 742755a..742755a",
    ),
    Cause(
        "no-write",
        -EINVAL,
        "The page of a file is dirty, and its file system can neither move it nor write it back (no migratepage, no writepage).",
        "/proc/PID/maps names a file, and the type of its mount in /proc/mounts is a rare one, such as ramfs; numa_maps says dirty=.",
        "Such a page never moves. Copy the file to another file system.",
        f"seed {STAYED}",
    ),
    Cause(
        "write-fails",
        -EIO,
        "The page of a file is dirty, its file system can only move it clean, and writing it failed. (Until 2.6.27 the kernel then hits a BUG.)",
        "dmesg has I/O errors of the disc below the mount that holds the file.",
        "Mend the disc first.",
        f"seed {STAYED}",
    ),
    Cause(
        "refuses",
        -EIO,
        "The page belongs to a mapping whose migration function always refuses, such as XFS' cache of its own metadata.",
        "The page is of a block device or of a file system's inside, and dmesg has no I/O error.",
        "Such a page never moves.",
        STAYED,
    ),
    Cause(
        "pinned",
        -EBUSY,
        "Through all ten passes somebody held a reference to the page: direct I/O, a pipe (vmsplice), RDMA, a driver.",
        "A query shows the page where it was, call after call; /proc/PID/fdinfo and lsof of the target show O_DIRECT files, pipes, /dev/infiniband.",
        "Call again when the transfer is over; what is pinned for long does not move before it is released.",
        "seed",
    ),
    Cause(
        "pinned",
        -EAGAIN,
        "Through all ten passes somebody held a reference to the page: direct I/O, a pipe (vmsplice), RDMA, a driver. (The text of 2006 says "
        "-EBUSY.)",
        "A query shows the page where it was, call after call; lsof of the target shows pipes, raw devices, /dev/infiniband.",
        "Call again when the transfer is over; what is pinned for long does not move before it is released.",
        STAYED,
    ),
    Cause(
        "buffers",
        -EBUSY,
        "The page of a file has buffers that could not be taken off in any pass: its file system has no migration function, and a "
        "journal or the disc holds them.",
        "/proc/PID/maps names a file on such a file system; after sync(1) the call succeeds.",
        "Call again after a sync.",
        "seed",
    ),
    Cause(
        "buffers",
        -EAGAIN,
        "The page of a file has buffers that could not be taken off in any pass, since a journal or the disc holds them.",
        "/proc/PID/maps names a file (ext3 with data=journal, reiserfs, a block device); after sync(1) the call succeeds.",
        "Call again after a sync.",
        STAYED,
    ),
    Cause(
        "written",
        -EBUSY,
        "The page of a file can only be moved clean, and at the last pass it was dirty again.",
        "The file is written all the time: Dirty in smaps stays above 0, and a sync helps only for a moment.",
        "Call again when the file is used less.",
        "seed",
    ),
    Cause(
        "written",
        -EAGAIN,
        "The page of a file can only be moved clean, and at the last pass it was dirty again.",
        "dirty= in numa_maps stays above 0 though you sync; a process writes the file all the time.",
        "Call again when the file is used less.",
        STAYED,
    ),
    Cause(
        "writeback",
        -EBUSY,
        "Somebody else was writing the page to disc at the last pass.",
        "Writeback in /proc/meminfo is not 0 (writeback= in numa_maps); it is over a moment later.",
        "Call again.",
        "seed",
    ),
    Cause(
        "writeback",
        -EAGAIN,
        "Somebody else was writing the page to disc at the last pass.",
        "writeback= in numa_maps at the area; it is over a moment later.",
        "Call again.",
        STAYED,
    ),
    Cause(
        "mapped",
        -EBUSY,
        "Some process faulted the page in again between unmapping and the check, at the last pass.",
        "Many processes use the page busily: mapmax= in numa_maps is high, and another call may succeed.",
        "Call again.",
        "seed",
    ),
    Cause(
        "mapped",
        -EAGAIN,
        "Some process faulted the page in again between unmapping and the check, at the last pass.",
        "mapmax= in numa_maps is high, nothing is pinned, and another call may succeed.",
        "Call again.",
        STAYED,
    ),
    Cause(
        "truncated",
        -EBUSY,
        "The file was cut shorter while the page was being moved.",
        "The file is shorter than the offset of the page in /proc/PID/maps; touching the address is a SIGBUS.",
        "Nothing is left to be moved.",
        "seed",
    ),
    Cause(
        "truncated",
        -EAGAIN,
        "The file was cut shorter while the page was being moved.",
        "ls -l shows the file shorter than the offset at which /proc/PID/maps has the page.",
        "Nothing is left to be moved.",
        STAYED,
    ),
    Cause(
        "moved",
        NODE,
        "The page was moved: its contents lie in another frame, on that node, at the same virtual address.",
        "The node is the one asked for, and a query before the call gave another one.",
        "Nothing is wrong.",
    ),
    Cause(
        "elsewhere",
        NODE,
        "The target node was full, so the page was moved to the next node of the target's zonelist that the caller may use. The status is the "
        "node that it really has.",
        "The status is not the node asked for.",
        "Free memory on the node asked for and call again.",
        "742755a..2.6.18",
    ),
    Cause(
        "own-node",
        0,
        "Not a node, but nothing: an earlier entry named the same page and found it already there, so this one moved it within its node "
        "and was never written an answer.",
        "Two entries name one page, the first with the node on which it is; a query says where it is.",
        "Name each page once.",
        STAYED,
    ),
    Cause(
        "failed-call",
        UNWRITTEN,
        "The call returned a negative errno before it wrote this element.",
        "The return value is below 0 (from C: -1, with the number in errno). Until 2.6.28 no element is written then; later ones write those "
        "of earlier entries.",
        "Fill status[] with an impossible number before the call, and look up the return value.",
    ),
    Cause(
        "failed-batch",
        UNWRITTEN,
        "Some page of the batch (entries in a row with one target node) was not moved: no status of the whole batch is written, not even of "
        "pages that moved, and the entries after it were not tried.",
        "The return value is above 0; earlier batches have their statuses.",
        "Ask with a query (nodes NULL) where each page is, then call again for those that stayed.",
        "4.17..",
    ),
    Cause(
        "last-batch",
        UNWRITTEN,
        "The page already was on its node, and nothing after it was queued: these kernels forget to write such statuses at the end of a call.",
        "The return value is 0, and a query says that the page is where it should be.",
        "Ask with a query (nodes NULL).",
        "4.17..5.4",
    ),
)  # fmt: skip

CAUSES = (*LOOKED_UP, *MIGRATED)
