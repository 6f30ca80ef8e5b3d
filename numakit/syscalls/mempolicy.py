"""sys_set_mempolicy() and sys_get_mempolicy(): a process chooses where its memory comes from, and asks (mm/mempolicy.c
of 2.6.18).
"""

from __future__ import annotations

from typing import NamedTuple

from numakit.abi import (
    EFAULT,
    EINVAL,
    ENOMEM,
    MAX_NUMNODES,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_LOCAL,
    PAGE_SHIFT,
)
from numakit.faults import handle_mm_fault
from numakit.machine.locks import down_read, up_mmap_sem
from numakit.machine.mempolicy import (
    Mempolicy,
    cpuset_update_task_memory_state,
    get_zonemask,
    has_shared_policy,
    mpol_shared_policy_lookup,
    new_task_policy,
)
from numakit.machine.process import TaskStruct
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict, because, take_verdict
from numakit.machine.vma import VM_READ, VmAreaStruct, find_vma, present_page
from numakit.moments import GET_USER_PAGES
from numakit.timeline.task import Steps

MPOL_MAX = MPOL_INTERLEAVE  #: the highest mode there is


class PolicyReport(NamedTuple):
    """What a call about a policy answered: ``ret`` and why; where ret is 0 and it was asked for, the mode or (F_NODE)
    the node, and the nodes of the policy.
    """

    ret: int
    why: Verdict
    mode: int | None = None
    node: int | None = None
    nodes: tuple[int, ...] = ()


def sys_set_mempolicy(m: MachineState, mode: int, nodes: tuple[int, ...]) -> Steps[PolicyReport]:
    """The acting task gets another policy. 0, or -EINVAL and the old one stays.

    Pages that it has stay where they are. Nobody can act in between: the call sleeps at no point.
    """
    yield from ()
    ret = get_nodes(m, nodes) if 0 <= mode <= MPOL_MAX else because(m, -EINVAL, "bad-mode", mode=mode)
    ret = ret or do_set_mempolicy(m, mode, nodes)
    return PolicyReport(ret, noted(m))


def get_nodes(m: MachineState, nodes: tuple[int, ...]) -> int:
    """Copy a node mask in: -EINVAL for a node that no mask of the kernel has a bit for, or 0."""
    beyond = tuple(node for node in nodes if node >= MAX_NUMNODES)
    return because(m, -EINVAL, "beyond-the-mask", nodes=beyond) if beyond else 0


def do_set_mempolicy(m: MachineState, mode: int, nodes: tuple[int, ...]) -> int:
    """Check mode and nodes against each other and the cpuset, then replace the acting task's policy. 0 or -EINVAL.

    Interleaving begins with the lowest node.
    """
    new = new_task_policy(m, mode, nodes)
    if isinstance(new, int):
        return new
    task: TaskStruct = m.table[("process", m.pid)]
    il_next = new.nodes[0] if new is not None and new.mode == MPOL_INTERLEAVE else task.il_next
    m.put(("process", m.pid), task._replace(mempolicy=new, il_next=il_next))
    return because(m, 0, "policy-set")


def sys_get_mempolicy(m: MachineState, mm: int, address: int, flags: int) -> Steps[PolicyReport]:
    """The policy of the acting task; with F_ADDR that of the area at an address, None of its own being the default one,
    whatever the task's is.

    With F_NODE and F_ADDR the node of the page there, which is read in for that if it is not present; with F_NODE
    alone the node where the task will interleave next. 0, -EINVAL, -EFAULT in no area or where reading is not allowed,
    -ENOMEM.
    """
    cpuset_update_task_memory_state(m)
    unknown = flags & ~(MPOL_F_NODE | MPOL_F_ADDR)
    if unknown:
        return failed(m, -EINVAL, "bad-policy-flags", unknown=unknown)
    if flags & MPOL_F_ADDR:
        return (yield from policy_at(m, mm, address, flags))
    if address:
        return failed(m, -EINVAL, "address-without-flag", address=address)
    task: TaskStruct = m.table[("process", m.pid)]
    policy = task.mempolicy
    if not flags & MPOL_F_NODE:
        return told(m, policy)
    if policy is None or policy.mode != MPOL_INTERLEAVE:
        return failed(m, -EINVAL, "not-interleaving", mode=policy.mode if policy else MPOL_DEFAULT)
    return told(m, policy, task.il_next)


def policy_at(m: MachineState, mm: int, address: int, flags: int) -> Steps[PolicyReport]:
    """The part of get_mempolicy() that asks about an address. Takes mmap_sem for read."""
    yield from down_read(m, mm)
    vma = find_vma(m, mm, address)
    if vma is None:
        report = failed(m, -EFAULT, "no-area", address=address)
    else:
        policy = policy_of_area(m, vma, address)
        node = (yield from lookup_node(m, vma, address)) if flags & MPOL_F_NODE else None
        if node is not None and node < 0:
            row = "node-no-memory" if node == -ENOMEM else "node-unreadable"
            report = failed(m, node, row, address=address)
        else:
            report = told(m, policy, node)
    up_mmap_sem(m, mm)
    return report


def policy_of_area(m: MachineState, vma: VmAreaStruct, address: int) -> Mempolicy | None:
    """The policy of an area itself, or of the tmpfs object behind it."""
    if has_shared_policy(m, vma.file):
        return mpol_shared_policy_lookup(m, vma.file, vma.pgoff + ((address - vma.start) >> PAGE_SHIFT))
    return vma.policy


def lookup_node(m: MachineState, vma: VmAreaStruct, address: int) -> Steps[int]:
    """The node of the page at an address, which is faulted in as for reading: untouched anonymous memory gets the zero
    page. Needs mmap_sem. Or -EFAULT, -ENOMEM.

    (2.6.18 has no page table yet where a whole stretch is untouched, and tells the zero page's node without a fault.)
    """
    if not vma.flags & VM_READ:
        return -EFAULT
    yield GET_USER_PAGES, address >> PAGE_SHIFT
    while (page := present_page(m, vma.mm, address)) is None:
        rc = yield from handle_mm_fault(m, vma, address, write=False)
        if rc:
            return rc
    return m.node(page)


def told(m: MachineState, policy: Mempolicy | None, node: int | None = None) -> PolicyReport:
    """An answer: mode or, where one was asked for, node; and the policy's nodes."""
    mode = None if node is not None else mode_told(m, policy)
    because(m, 0, "policy-told")
    return PolicyReport(0, noted(m), mode, node, get_zonemask(m, policy))


def mode_told(m: MachineState, policy: Mempolicy | None) -> int:
    """The mode of a policy as get_mempolicy() tells it: that of the local node is MPOL_LOCAL since 5.14."""
    if policy is None:
        return MPOL_DEFAULT
    return policy.mode if policy.nodes or not m.kernel.local_is_a_mode else MPOL_LOCAL


def failed(m: MachineState, rc: int, row: str, **facts: int) -> PolicyReport:
    """No answer: the errno and its cause."""
    because(m, rc, row, **facts)
    return PolicyReport(rc, noted(m))


def noted(m: MachineState) -> Verdict:
    """What was noted of the acting task's call last, which the state does not keep any longer."""
    why = take_verdict(m, "return", m.current)
    assert why is not None, "a call has to say why it returns what it returns"
    return why
