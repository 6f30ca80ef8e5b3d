"""Kernels as plain data: the rules that a kernel goes by, and the names of the functions that serve where control
flow changed.

A rule is a field of :class:`Kernel`; the pipeline reads it where kernels differ. Where a whole function differs, or
is to be broken on purpose, ``functions`` names the one that serves: role -> name (see
:mod:`numakit.kernels.functions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from numakit.abi import EAGAIN, EBUSY, EFAULT, ENOENT


@dataclass(frozen=True)
class Kernel:
    """What a kernel does where kernels differ. The defaults are those of ``seed``, the contract of the 2006 text."""

    name: str
    title: str  #: what readers call it
    source: str  #: where its rules are written down
    passes: int = 10  #: sweeps of migrate_pages() over the pages that are left
    polite_passes: int = 3  #: so many of them skip a page that is locked or under writeback; later ones sleep for it
    mlocked_stay: bool = True  #: a page in a VM_LOCKED area is not moved (-EPERM); until 2.6.18-rc1
    busy_status: int = -EBUSY  #: what a page that was busy in all passes gets as its status
    zero_page_status: int = -EFAULT  #: what the zero page gets
    holes_are_seen: bool = True  #: an address in a hole below an area is in no area (since 2.6.37)
    shared_by_mm: bool = True  #: mapped in two mm's is shared; else by two PTEs, which may be of one mm
    first_match: bool = False  #: the entry of a page is looked for by the page, and the first one found is taken
    this_node_only: bool = True  #: a full node gives no page; else the next one of its zonelist does (until 2.6.19)
    no_memory_ends_call: bool = False  #: a page that gets no new page ends the whole call, with -ENOMEM
    busy_is_an_answer: bool = True  #: a call whose entries all were busy returns 0; else -ENOENT: nothing to move
    returns_what_stayed: bool = False  #: move_pages() returns how many pages did not move
    node_ids_are_checked: bool = True  #: an id outside the node mask is -ENODEV (since 2.6.33: CVE-2010-0415)
    targets_have_memory: bool = False  #: a target node without memory is -ENODEV, as an offline one (since 2.6.24)
    checks_all_first: bool = True  #: all entries are checked before any page moves; else part by part (since 2.6.29)
    failed_write_locks_again: bool = True  #: the page is locked again after a failed write, else a BUG (until 2.6.28)
    untouched_status: int = -ENOENT  #: what anonymous memory that nobody touched gets; from 4.3 to 6.11 -EFAULT
    locked_areas_left_out: bool = True  #: migrate_pages(2), mbind() and cpusets pass areas over that are VM_LOCKED
    overlap_is_left: bool = False  #: migrate_pages(2) leaves a node alone that is old and new, if more are old than new
    busy_pages_are_counted: bool = False  #: migrate_pages(2) counts pages that could not be isolated (since 6.7)
    forbidden_pages_are_found: bool = True  #: a page is found though its area allows no access; not from 6.1 to 6.5
    anonymous_begins_active: bool = True  #: anonymous pages begin on the active list, new or from swap (until 5.8)
    top_cpuset_is_fixed: bool = False  #: the nodes of the top cpuset cannot be written (since 2.6.19)
    cpusets_may_be_empty: bool = False  #: a cpuset without processes may have no nodes (since 2.6.24)
    numa_maps_of_today: bool = False  #: numa_maps has a colon before nodes, "local", and the size of pages
    entry_wait_holds_page: bool = (
        True  #: who waits on a migration entry holds a reference, which can cost the call a pass
    )
    held_pages_are_copied: bool = False  #: a write copies a page that a fork shared and that a pipe holds (since 5.19)
    shared_writes_dirty_pages: bool = (
        False  #: a write to shared memory marks the page at once (since 2.6.19), not the PTE
    )
    faults_around: bool = False  #: a read maps the file's pages around it, too, that are in memory (since 3.15)
    cpusets_tell_tasks: bool = False  #: who changes a cpuset tells its tasks at once; until 2.6.30 they look themselves
    zonelists_are_spread: bool = False  #: of nodes equally far the next one is tried first, else the lowest
    bind_by_distance: bool = False  #: BIND tries the nearest of its nodes first (since 2.6.26), else the lowest
    local_is_a_mode: bool = False  #: the policy of the local node is told as MPOL_LOCAL (since 5.14)
    preferred_node_stays: bool = False  #: PREFERRED keeps its node when the cpuset gets other nodes (since 5.14)
    functions: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def with_function(self, role: str, name: str) -> Kernel:
        """This kernel with another function in a role: ``kernel.with_function("try_to_unmap", "my_try_to_unmap")``."""
        title = f"{self.title}, with {name} as its {role}"
        return replace(
            self, name=f"{self.name}+{name}", title=title, functions=MappingProxyType({**self.functions, role: name})
        )


SEED = Kernel(
    "seed",
    "the 2006 text",
    "the text of commit 742755a1d8ce, June 2006: 'sys_move_pages(): support moving of individual pages'",
)

COMMIT_742755A = Kernel(
    "742755a",
    "commit 742755a",
    "mm/migrate.c of commit 742755a1d8ce, June 2006: what the code did that came with the text",
    busy_status=-EAGAIN,
    zero_page_status=-ENOENT,
    holes_are_seen=False,
    shared_by_mm=False,
    first_match=True,
    this_node_only=False,
    no_memory_ends_call=True,
    busy_is_an_answer=False,
    returns_what_stayed=True,
    node_ids_are_checked=False,
    failed_write_locks_again=False,
)
LINUX_2_6_18 = replace(
    COMMIT_742755A,
    name="2.6.18",
    title="Linux 2.6.18",
    source="mm/migrate.c of Linux 2.6.18, September 2006",
    mlocked_stay=False,
)
LINUX_2_6_29 = replace(
    LINUX_2_6_18,
    name="2.6.29",
    title="Linux 2.6.29",
    source="mm/migrate.c of Linux 2.6.29, March 2009",
    busy_is_an_answer=True,
    returns_what_stayed=False,
    targets_have_memory=True,
    checks_all_first=False,
    failed_write_locks_again=True,
    locked_areas_left_out=False,
    top_cpuset_is_fixed=True,
    cpusets_may_be_empty=True,
    functions=MappingProxyType(
        {"sys_move_pages": "sys_move_pages_in_chunks", "new_page_node": "new_page_node_of_chunk"}
    ),
)
LINUX_6_1 = Kernel(
    "6.1",
    "Linux 6.1",
    "mm/migrate.c of Linux 6.1, December 2022",
    mlocked_stay=False,
    locked_areas_left_out=False,
    overlap_is_left=True,
    anonymous_begins_active=False,
    top_cpuset_is_fixed=True,
    cpusets_may_be_empty=True,
    numa_maps_of_today=True,
    entry_wait_holds_page=False,
    held_pages_are_copied=True,
    shared_writes_dirty_pages=True,
    faults_around=True,
    cpusets_tell_tasks=True,
    zonelists_are_spread=True,
    bind_by_distance=True,
    local_is_a_mode=True,
    preferred_node_stays=True,
    untouched_status=-EFAULT,
    forbidden_pages_are_found=False,
    shared_by_mm=False,
    no_memory_ends_call=True,
    returns_what_stayed=True,
    targets_have_memory=True,
    checks_all_first=False,
    functions=MappingProxyType(
        {
            "sys_move_pages": "kernel_move_pages",
            "sys_migrate_pages": "kernel_migrate_pages",
            "check_range": "queue_pages_range",
            "do_mlock": "do_mlock_then_populate",
            "new_task_policy": "mpol_set_nodemask",
            "new_area_policy": "mpol_set_nodemask_of_area",
            "new_vma_page": "new_page_of_its_area",
            "migrate_pages": "migrate_pages_6_1",
            "unmap_and_move": "unmap_and_move_6_1",
        }
    ),
)
LINUX_6_12 = replace(
    LINUX_6_1,
    name="6.12",
    title="Linux 6.12",
    source="mm/migrate.c of Linux 6.12, November 2024",
    untouched_status=-ENOENT,
    forbidden_pages_are_found=True,
    busy_pages_are_counted=True,
    functions=MappingProxyType(
        {
            "sys_move_pages": "kernel_move_pages",
            "sys_migrate_pages": "kernel_migrate_pages",
            "check_range": "queue_pages_range",
            "do_mlock": "do_mlock_then_populate",
            "new_task_policy": "mpol_set_nodemask",
            "new_area_policy": "mpol_set_nodemask_of_area",
            "new_vma_page": "new_page_of_its_area",
            "migrate_pages": "migrate_pages_in_batches",
        }
    ),
)

ALL_KERNELS = (SEED, COMMIT_742755A, LINUX_2_6_18, LINUX_2_6_29, LINUX_6_1, LINUX_6_12)
KERNELS: Mapping[str, Kernel] = MappingProxyType({kernel.name: kernel for kernel in ALL_KERNELS})


def kernel_named(kernel: str | Kernel) -> Kernel:
    """The kernel of that name, or the kernel itself. Raises ValueError, naming those that exist."""
    if isinstance(kernel, Kernel):
        return kernel
    if kernel not in KERNELS:
        known = ", ".join(f"{name!r} ({its.title})" for name, its in KERNELS.items())
        raise ValueError(f"kernel={kernel!r}: no such kernel; so far there is {known}")
    return KERNELS[kernel]
