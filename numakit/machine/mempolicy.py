"""Memory policies: on which node a process wants its pages (mm/mempolicy.c of 2.6.18).

A process has a policy of its own (set_mempolicy); an area can have one that goes before it (mbind). The pages of tmpfs,
and so of shared anonymous memory, have theirs from the object: it is kept with the address space, by ranges of pages,
and stays there when nobody maps it. Whatever a policy says, no page comes from a node that the cpuset forbids.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from numakit.abi import EINVAL, MPOL_BIND, MPOL_DEFAULT, MPOL_INTERLEAVE, MPOL_PREFERRED, PAGE_SHIFT
from numakit.kernels.functions import kernel_function, serves
from numakit.machine.frames import alloc_pages, mems_allowed
from numakit.machine.locks import down_write, up_mmap_sem
from numakit.machine.nodemask import nodes_remap
from numakit.machine.numastat import INTERLEAVE_HIT, count
from numakit.machine.pagecache import file_system_of
from numakit.machine.state import MachineState
from numakit.machine.verdicts import because
from numakit.timeline.task import Steps

if TYPE_CHECKING:
    from numakit.machine.cpuset import Cpuset
    from numakit.machine.process import TaskStruct
    from numakit.machine.vma import VmAreaStruct

#: as numa_maps has them
MODE_NAMES = {MPOL_DEFAULT: "default", MPOL_PREFERRED: "prefer", MPOL_BIND: "bind", MPOL_INTERLEAVE: "interleave"}


class Mempolicy(NamedTuple):
    """A policy that is not the default one, which is None everywhere: the local node first.

    ``nodes``: PREFERRED has one, or none for the local node; BIND has those with memory, INTERLEAVE all that were
    asked for. Sorted: both go by node id.
    """

    mode: int
    nodes: tuple[int, ...] = ()


class SharedPolicy(NamedTuple):
    """The policy of a range of pages of a tmpfs file, from page ``start`` to before page ``end`` (struct sp_node)."""

    start: int
    end: int
    policy: Mempolicy


def policy_text(policy: Mempolicy | None) -> str:
    """A policy for people: "interleave 0, 2"; "prefer local"."""
    if policy is None:
        return MODE_NAMES[MPOL_DEFAULT]
    return f"{MODE_NAMES[policy.mode]} {', '.join(map(str, policy.nodes)) or 'local'}"


# -- making one


def mpol_check_policy(m: MachineState, mode: int, nodes: tuple[int, ...]) -> int:
    """Whether mode and nodes fit each other, and all nodes are online. 0 or -EINVAL."""
    if mode == MPOL_DEFAULT and nodes:
        return because(m, -EINVAL, "default-with-nodes", nodes=nodes)
    if mode in (MPOL_BIND, MPOL_INTERLEAVE) and not nodes:
        return because(m, -EINVAL, "no-nodes", mode=mode)
    offline = tuple(node for node in nodes if node not in m.row)
    return because(m, -EINVAL, "policy-offline", nodes=offline, online=m.node_ids) if offline else 0


@kernel_function
def new_task_policy(m: MachineState, mode: int, nodes: tuple[int, ...]) -> Mempolicy | int | None:
    """What set_mempolicy() makes of mode and nodes: a policy, None for the default one, or -EINVAL."""
    return contextualize_policy(m, mode, nodes) or mpol_new(m, mode, nodes)


@kernel_function
def new_area_policy(
    m: MachineState, mode: int, nodes: tuple[int, ...]
) -> tuple[Mempolicy | int | None, tuple[int, ...]]:
    """What mbind() makes of mode and nodes, of which it leaves out what the cpuset forbids: a policy, None or -EINVAL;
    and the nodes on which pages are not misplaced.
    """
    cpuset_update_task_memory_state(m)
    allowed = mems_allowed(m)
    wanted = tuple(node for node in nodes if allowed is None or node in allowed)
    return mpol_check_policy(m, mode, wanted) or mpol_new(m, mode, wanted), wanted


def contextualize_policy(m: MachineState, mode: int, nodes: tuple[int, ...]) -> int:
    """The check of set_mempolicy(): the nodes lie within what the acting task's cpuset allows now, and fit the mode. 0
    or -EINVAL.
    """
    cpuset_update_task_memory_state(m)
    allowed = mems_allowed(m)
    if allowed is not None and not set(nodes) <= set(allowed):
        outside = tuple(node for node in nodes if node not in allowed)
        return because(m, -EINVAL, "policy-cpuset", nodes=outside, mems=allowed)
    return mpol_check_policy(m, mode, nodes)


def mpol_new(m: MachineState, mode: int, nodes: tuple[int, ...]) -> Mempolicy | int | None:
    """A policy, None for the default one. -EINVAL for BIND to nodes of which none has memory.

    Needs mode and nodes checked: contextualize_policy() for set_mempolicy(), mpol_check_policy() for mbind().
    """
    if mode == MPOL_DEFAULT:
        return None
    if mode == MPOL_BIND:
        zonelist = bind_zonelist(m, nodes)
        return Mempolicy(mode, zonelist) if zonelist else because(m, -EINVAL, "no-memory", nodes=nodes)
    return Mempolicy(mode, tuple(sorted(nodes))[:1] if mode == MPOL_PREFERRED else tuple(sorted(nodes)))


@serves("new_task_policy")
def mpol_set_nodemask(m: MachineState, mode: int, nodes: tuple[int, ...]) -> Mempolicy | int | None:
    """Both since 2.6.26 (mpol_new, mpol_set_nodemask): nodes that have no memory or that the cpuset forbids are left
    out. A policy, None for the default one; -EINVAL where mode and nodes do not fit, or where no node is left.
    """
    cpuset_update_task_memory_state(m)
    if mode == MPOL_DEFAULT or not nodes:
        rc = mpol_check_policy(m, mode, nodes)
        return rc or (Mempolicy(mode) if mode == MPOL_PREFERRED else None)
    allowed = mems_allowed(m)
    left = tuple(node for node in nodes if node in m.row and m.frames_of(node) and (not allowed or node in allowed))
    if not left:
        return because(m, -EINVAL, "policy-cpuset", nodes=nodes, mems=allowed or m.node_ids)
    return Mempolicy(mode, left[:1] if mode == MPOL_PREFERRED else left)


@serves("new_area_policy")
def mpol_set_nodemask_of_area(
    m: MachineState, mode: int, nodes: tuple[int, ...]
) -> tuple[Mempolicy | int | None, tuple[int, ...]]:
    """The same for mbind(): pages on any node that was asked for are where they should be."""
    return mpol_set_nodemask(m, mode, nodes), nodes


def bind_zonelist(m: MachineState, nodes: tuple[int, ...]) -> tuple[int, ...]:
    """The nodes that a BIND policy tries, in this order: by node id, however far they are. Nodes without memory are
    left out.
    """
    return tuple(sorted(node for node in nodes if m.frames_of(node)))


def get_zonemask(m: MachineState, policy: Mempolicy | None) -> tuple[int, ...]:
    """The nodes of a policy as get_mempolicy() tells them; for PREFERRED without a node all that are online, or none
    where that is a mode of its own.
    """
    if policy is None or policy.nodes or m.kernel.local_is_a_mode:
        return policy.nodes if policy else ()
    return tuple(m.node_ids)


# -- whose policy is it


def get_vma_policy(m: MachineState, task_pid: int, vma: VmAreaStruct | None, address: int) -> Mempolicy | None:
    """The policy that decides for an address of an area: the area's, else the task's.

    Areas of tmpfs ask the object. Where it has none the answer is the default policy, the task's is not looked at.
    """
    if vma is not None:
        if has_shared_policy(m, vma.file):
            return mpol_shared_policy_lookup(m, vma.file, vma.pgoff + ((address - vma.start) >> PAGE_SHIFT))
        if vma.policy is not None:
            return vma.policy
    task: TaskStruct | None = m.table.get(("process", task_pid))
    return task.mempolicy if task else None


def has_shared_policy(m: MachineState, mapping: int) -> bool:
    """Whether a file's pages have their policies from the file: those of tmpfs (shmem_vm_ops.get_policy)."""
    return mapping > 0 and file_system_of(m, mapping).shared_policy


def mpol_shared_policy_lookup(m: MachineState, mapping: int, index: int) -> Mempolicy | None:
    """The policy of a page of a tmpfs file; None where none was set."""
    for shared in m.table.get(("shared policy", mapping), ()):
        if shared.start <= index < shared.end:
            return shared.policy  # type: ignore[no-any-return]
    return None


def mpol_set_shared_policy(m: MachineState, vma: VmAreaStruct, policy: Mempolicy | None) -> None:
    """Set the policy of the pages of a tmpfs file that an area maps; others keep theirs (shared_policy_replace)."""
    start, end = vma.pgoff, vma.pgoff + vma.pages
    kept: list[SharedPolicy] = []
    for old in m.table.get(("shared policy", vma.file), ()):
        kept += [old._replace(end=min(old.end, start))] if old.start < start else []
        kept += [old._replace(start=max(old.start, end))] if end < old.end else []
    kept += [SharedPolicy(start, end, policy)] if policy else []
    m.put(("shared policy", vma.file), tuple(sorted(kept)) or None)


def policy_vma(m: MachineState, vma: VmAreaStruct, policy: Mempolicy | None) -> None:
    """Give an area a policy, and with it the object behind an area of tmpfs. Needs mmap_sem for write."""
    if has_shared_policy(m, vma.file):
        mpol_set_shared_policy(m, vma, policy)
    m.put(("vma", vma.number), vma._replace(policy=policy))


# -- allocation that obeys policy and cpuset


@kernel_function
def alloc_page_vma(m: MachineState, vma: VmAreaStruct | None, address: int) -> int | None:
    """A frame for an address of an area, by the policy that decides there. None if there is none. Needs mmap_sem.

    Without an area (None) by the acting task's policy; see alloc_pages_current.
    """
    cpuset_update_task_memory_state(m)
    policy = get_vma_policy(m, m.pid, vma, address)
    if policy is not None and policy.mode == MPOL_INTERLEAVE:
        if vma is None:
            return alloc_page_interleave(m, interleave_nodes(m, policy))
        return alloc_page_interleave(m, offset_il_node(policy, interleave_offset(vma, address)))
    return alloc_pages(m, zonelist_policy(m, policy))


def alloc_pages_current(m: MachineState) -> int | None:
    """A frame by the acting task's policy: page cache of files. None if there is none."""
    return alloc_page_vma(m, None, 0)


def shmem_alloc_page(m: MachineState, mapping: int, index: int) -> int | None:
    """A frame for a page of a tmpfs file: by the object's policy, else by the acting task's, which then interleaves by
    the page's index, too. None if there is none.
    """
    cpuset_update_task_memory_state(m)
    policy = mpol_shared_policy_lookup(m, mapping, index) or get_vma_policy(m, m.pid, None, 0)
    if policy is not None and policy.mode == MPOL_INTERLEAVE:
        return alloc_page_interleave(m, offset_il_node(policy, index))
    return alloc_pages(m, zonelist_policy(m, policy))


def zonelist_policy(m: MachineState, policy: Mempolicy | None) -> tuple[int, ...]:
    """The nodes to try, in this order. BIND has its own list and no fall-back, unless the cpuset forbids all of it:
    then it is ignored. All others fall back along the zonelist of the node they want.
    """
    near = m.zonelists[m.cpu_nodes[m.cpu]]
    if policy is not None and policy.mode == MPOL_BIND:
        allowed = mems_allowed(m)
        if allowed is None or not set(policy.nodes).isdisjoint(allowed):
            return tuple(node for node in near if node in policy.nodes) if m.kernel.bind_by_distance else policy.nodes
    elif policy is not None and policy.nodes:
        return m.zonelists[policy.nodes[0]]
    return near


def alloc_page_interleave(m: MachineState, node: int) -> int | None:
    """A frame of the node whose turn it is, or of the next one in its zonelist. Only the first counts as
    interleave_hit.
    """
    zonelist = m.zonelists[node]
    page = alloc_pages(m, zonelist)
    if page is not None and m.node(page) == zonelist[0]:
        count(m, zonelist[0], INTERLEAVE_HIT)
    return page


def interleave_nodes(m: MachineState, policy: Mempolicy) -> int:
    """The node whose turn it is for the acting task; the next one is noted in it (il_next)."""
    task: TaskStruct = m.table[("process", m.pid)]
    later = [node for node in policy.nodes if node > task.il_next]
    m.put(("process", m.pid), task._replace(il_next=later[0] if later else policy.nodes[0]))
    return task.il_next


def interleave_offset(vma: VmAreaStruct, address: int) -> int:
    """The place of an address in what is behind an area, in pages: in its file or, of anonymous memory, in all memory
    of the process (vm_pgoff is where the area began).
    """
    return (vma.pgoff if vma.file else vma.start >> PAGE_SHIFT) + ((address - vma.start) >> PAGE_SHIFT)


def offset_il_node(policy: Mempolicy, offset: int) -> int:
    """The node of a page by its place in the object behind the area, in pages: the same whoever touches it first."""
    return policy.nodes[offset % len(policy.nodes)]


# -- when a cpuset gets other nodes


def mpol_rebind_policy(
    m: MachineState, policy: Mempolicy | None, old: tuple[int, ...], new: tuple[int, ...]
) -> Mempolicy | None:
    """A policy as it is after its cpuset went from the nodes ``old`` to ``new``: the n-th node of the one becomes the
    n-th of the other. BIND to nodes of which none has memory stays as it was.
    """
    if policy is None or old == new or (policy.mode == MPOL_PREFERRED and m.kernel.preferred_node_stays):
        return policy
    nodes = nodes_remap(policy.nodes, old, new)
    if policy.mode == MPOL_BIND:
        nodes = bind_zonelist(m, nodes) or policy.nodes
    return policy._replace(nodes=nodes)


@kernel_function
def mpol_rebind_mm(m: MachineState, mm: int, old: tuple[int, ...], new: tuple[int, ...]) -> Steps[None]:
    """Rebind the policies of all areas of an mm, whose cpuset has changed. Takes mmap_sem for write.

    Policies that are kept with a tmpfs file stay as they are.
    """
    yield from down_write(m, mm)
    for number in m.table[("vmas", mm)]:
        vma: VmAreaStruct = m.table[("vma", number)]
        policy = mpol_rebind_policy(m, vma.policy, old, new)
        if policy != vma.policy:
            m.put(("vma", number), vma._replace(policy=policy))
    up_mmap_sem(m, mm)


def cpuset_update_task_memory_state(m: MachineState) -> None:
    """The acting task looks whether its cpuset has changed behind its back. If so it learns of the nodes that are
    allowed now, and its policy is rebound (kernel/cpuset.c, mpol_rebind_task).

    Whose turn it is (il_next) stays as it was: 2.6.18 means to rebind it, but takes the new nodes for both sets.
    """
    tell_task_its_cpuset(m, m.pid)


def tell_task_its_cpuset(m: MachineState, pid: int) -> None:
    """A task learns of the nodes that its cpuset allows now: by itself, above, or since 2.6.31 from who changes the
    cpuset (cpuset_change_task_nodemask).
    """
    task: TaskStruct | None = m.table.get(("process", pid))
    if task is None:
        return
    cpuset: Cpuset = m.table[("cpuset", task.cpuset)]
    if task.mems_generation == cpuset.generation:
        return
    policy = mpol_rebind_policy(m, task.mempolicy, task.mems, cpuset.mems)
    m.put(
        ("process", task.pid),
        task._replace(mems=cpuset.mems, mems_generation=cpuset.generation, mempolicy=policy),
    )
