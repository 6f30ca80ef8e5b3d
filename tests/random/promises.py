"""What a call about policies, cpusets or a whole process has promised, if nobody acted beside it.

Written from migrate_pages(2), mbind(2) and cpuset(7), and from nothing of the model but its plain facts: who maps
which page, on which node that is, and which policies and cpusets there are.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from numakit import MPOL_BIND, MPOL_PREFERRED, PAGE_SIZE, Machine
from numakit.abi import EIO, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL
from numakit.facade.interference import Interference
from numakit.kernels import Kernel
from numakit.machine.mempolicy import Mempolicy, has_shared_policy
from numakit.machine.process import TaskStruct
from numakit.syscalls.mempolicy import policy_of_area

Key = tuple[int, int]  #: a process (pid), and an address

MOVING = MPOL_MF_MOVE | MPOL_MF_MOVE_ALL


class Mapped(NamedTuple):
    """The page at a place (None: none is present), its node, how many PTEs lead to it; the area, from where to where,
    whether its policy is the tmpfs file's, and the policy.
    """

    page: int | None
    node: int | None
    mapcount: int
    area: tuple[int, int]
    shared_policy: bool
    policy: Mempolicy | None


class Snapshot:
    """A machine between two calls, as far as promises are about it."""

    def __init__(self, machine: Machine) -> None:
        self.kernel, self.nodes = machine.kernel, machine.node_ids
        self.tasks: dict[int, TaskStruct] = {process.pid: process.struct for process in machine.processes}
        self.mems = {cpuset.number: cpuset.struct.mems for cpuset in machine.cpusets}
        self.migrates = {cpuset.number for cpuset in machine.cpusets if cpuset.memory_migrate}
        self.places: dict[Key, Mapped] = {}
        for process in machine.processes:
            for vma in process.vm_area_structs:
                for address in range(vma.start, vma.end, PAGE_SIZE):
                    page = process.page(address)
                    self.places[process.pid, address] = Mapped(
                        page,
                        None if page is None else machine.node(page),
                        0 if page is None else machine.mapcount[page],
                        (vma.start, vma.end),
                        has_shared_policy(machine, vma.file),
                        policy_of_area(machine, vma, address),
                    )


def see_that_it_kept_its_word(text: str, result: Any, before: Snapshot, machine: Machine) -> None:
    """A call, in the notation, and what it answered on a machine. Raises AssertionError."""
    call, arguments, options = Interference(text).find_call(machine)
    number, after = int(text[text.index("(") + 1 : text.index(")")]), Snapshot(machine)
    name = call.prepare.__name__
    if name == "migrate_pages":
        see_migrated(number, arguments, result, before, after)
    elif name == "mbind":
        see_bound(number, [*arguments, options["length"]], result, before, after)
    elif name == "set_mems":
        pids = {pid for pid, task in before.tasks.items() if task.cpuset == number} if result == 0 else set()
        see_cpuset_changed(number, pids, before, after)
    else:
        see_cpuset_changed(number, {*arguments}, before, after)


def nth_to_nth(node: int, old: tuple[int, ...], new: tuple[int, ...]) -> int:
    """Where a node goes: the n-th of the old ones to the n-th of the new ones, counted round."""
    return new[old.index(node) % len(new)] if node in old and new else node


def destinations(node: int, old: tuple[int, ...], new: tuple[int, ...]) -> set[int]:
    """Where pages of a node may end up. With fewer new nodes than old ones pairs may be a ring, as 1 to 3 and 3 to 1;
    where it is begun, pages are moved twice.
    """
    return {*new} if len(new) < len(old) else {nth_to_nth(node, old, new)}


def moved(before: Snapshot, after: Snapshot, pid: int) -> dict[int, tuple[Mapped, Mapped]]:
    """The places of a process where another page is than before."""
    both = {key: (there, after.places[key]) for key, there in before.places.items() if key[0] == pid}
    return {address: pair for (_, address), pair in both.items() if pair[0].page != pair[1].page}


def see_that_fates_are_true(result: Any, changes: dict[int, tuple[Mapped, Mapped]], may_go_on: bool) -> None:
    """The pages of which a call tells that they were moved are those that went. Where these may go on from the node to
    which they have come, it tells of those in between as well.
    """
    gone = {one.page for one, _ in changes.values()}
    told = {fate.page for fate in result.fates if fate.verdict.row == "moved"}
    assert told == gone or (may_go_on and told >= gone), f"pages that went: {gone}; told of: {told}"


def see_migrated(caller: int, arguments: list[Any], result: Any, before: Snapshot, after: Snapshot) -> None:
    """The n-th node's pages went to the n-th, and no farther; without CAP_SYS_NICE those alone that nobody shares."""
    pid, old, new = arguments
    task, changes = before.tasks[caller], moved(before, after, pid or caller)
    left = tuple(node for node in new if "6." not in before.kernel.name or node in before.mems[task.cpuset])
    assert result.ret >= 0 or result.row == "full" or not changes, f"{changes}, though the call returned {result.ret}"
    for address, (one, other) in changes.items():
        if one.node is not None and other.node is not None and before.kernel.this_node_only:
            right = one.node in old and other.node in destinations(one.node, tuple(old), left)
            assert right, f"{address:#x} went from node {one.node} to {other.node}"
        private = one.mapcount == 1 or "CAP_SYS_NICE" in task.capabilities
        assert private, f"{address:#x} went though others map it, and the caller has no CAP_SYS_NICE"
    see_that_fates_are_true(result, changes, len(left) < len(old) or not before.kernel.this_node_only)
    assert before.places.keys() == after.places.keys()
    assert all(there.policy == after.places[key].policy for key, there in before.places.items())


def see_bound(pid: int, arguments: list[Any], result: Any, before: Snapshot, after: Snapshot) -> None:
    """The range has the policy, and what was moved is on its nodes; or nothing happened."""
    start, mode, nodes, flags, length = arguments
    mems, changes = before.mems[before.tasks[pid].cpuset], moved(before, after, pid)
    wanted = tuple(node for node in sorted(nodes) if node in mems)
    policy = Mempolicy(mode, wanted[:1] if mode == MPOL_PREFERRED else wanted) if mode else None
    is_set = result == 0 or (result == -EIO and flags & MOVING and result.row == "stayed")
    inside = {(pid, address) for address in range(start, start + length, PAGE_SIZE)} if is_set else set()
    for key, there in after.places.items():
        if there.shared_policy and key not in inside:
            continue  # whoever maps the pages of a tmpfs file finds its policy there, wherever that is
        expected = policy if key in inside else before.places[key].policy
        assert there.policy == expected, f"{key} has the policy {there.policy}, not {expected}"
    see_that_fates_are_true(result, changes, may_go_on=False)
    assert flags & MOVING or not changes, f"moved, and nobody asked: {changes}"
    areas = {before.places[key].area for key in inside & before.places.keys()}
    if mode != MPOL_BIND or len(areas) > 1:
        return  # pages of other areas are moved by the policy of the first one, at an address that is not in it
    for address, (one, other) in changes.items():
        assert (pid, address) in inside, f"{address:#x} is not in the range, and went to node {other.node}"
        right = other.node is None or other.node in wanted
        assert right, f"{address:#x} went from node {one.node} to {other.node}, bound to {wanted}"


def see_cpuset_changed(number: int, pids: set[int], before: Snapshot, after: Snapshot) -> None:
    """The processes named are now in the cpuset: their areas' policies have gone from node to node, and so have their
    pages if it says so; others' have not.
    """
    for (pid, address), there in before.places.items():
        now = after.places[pid, address]
        if pid not in pids:
            assert there.shared_policy or now.policy == there.policy, f"{pid} at {address:#x}: {now.policy}"
            continue
        old, new = before.mems[before.tasks[pid].cpuset], after.mems[number]
        if not there.shared_policy:
            expected = rebound(there.policy, old, new, before.kernel)
            assert now.policy == expected, f"{pid} at {address:#x} has the policy {now.policy}, not {expected}"
        if now.page == there.page:
            continue
        assert number in before.migrates, f"{pid} at {address:#x} went, though the cpuset moves no memory"
        if there.node is not None and now.node is not None and before.kernel.this_node_only:
            # A page that several map goes on with the next of them, where an old node is a new one as well.
            right = destinations(there.node, old, new) if there.mapcount == 1 else {*new}
            assert now.node in right, f"{pid} at {address:#x} went from {there.node} to {now.node}, not {right}"


def rebound(policy: Mempolicy | None, old: tuple[int, ...], new: tuple[int, ...], kernel: Kernel) -> Mempolicy | None:
    """A policy in a cpuset that went from some nodes to others. A preferred node stays since 5.14."""
    if policy is None or old == new or (policy.mode == MPOL_PREFERRED and kernel.preferred_node_stays):
        return policy
    return policy._replace(nodes=tuple(sorted({nth_to_nth(node, old, new) for node in policy.nodes})))
