"""Cpusets: a tree, who is in which, and what a process knows of a change."""

from __future__ import annotations

from collections.abc import Callable
from errno import EACCES, EBUSY, EINVAL, ENOMEM
from typing import Any

import pytest

from numakit import MPOL_BIND, MPOL_F_NODE, MPOL_INTERLEAVE, MPOL_PREFERRED, Machine, Process, Topology
from numakit.kernels import KERNELS
from numakit.machine.cpuset import cpuset_numbered, validate_change
from tests.conftest import MachineMaker
from tests.policies.areas import give_policy, nodes_of, touched, write_mems

Fill = Callable[[Machine, int], Process]


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Four nodes of 32 frames, all equally far."""
    return make_machine(dict.fromkeys(range(4), 32))


# -- the tree


def test_there_is_a_top_cpuset_with_all_nodes(machine: Machine, shell: Process) -> None:
    """Processes are in it unless something else is said; kernel threads, too."""
    top = machine.cpusets[0]
    thread = machine.kernel_thread("kswapd0")
    assert (top.name, sorted(top.mems), top.parent) == ("/", [0, 1, 2, 3], None)
    assert [process.name for process in top.processes] == ["shell", "kswapd0"]
    assert (shell.cpuset, thread.cpuset) == (top, top)


def test_a_cpuset_lies_within_its_parent(machine: Machine) -> None:
    """What the parent does not allow is refused, with what it allows; nothing changes."""
    batch = machine.cpuset("batch", {1, 2})
    inner = machine.cpuset("inner", [2], parent=batch)
    before = machine.fingerprint()
    with pytest.raises(ValueError, match=r"mems=\(2, 3\).*'batch' allows \(1, 2\)"):
        machine.cpuset("other", {2, 3}, parent=batch)
    assert machine.fingerprint() == before
    assert (inner.parent, batch.children, sorted(inner.mems)) == (batch, [inner], [2])


def test_a_change_is_validated_against_children_and_parent(machine: Machine) -> None:
    """-EBUSY while a child needs a node, -EACCES for one that the parent has not; children are asked first."""
    batch = machine.cpuset("batch", {1, 2})
    machine.cpuset("inner", [2], parent=batch)
    struct = cpuset_numbered(machine, batch.number)
    trials = [(1, 2, 3), (2,), (1,), (0, 1), (2, 3)]
    expected = [0, 0, -EBUSY, -EBUSY, 0]
    assert [validate_change(machine, struct._replace(mems=mems)) for mems in trials] == expected
    inner = cpuset_numbered(machine, batch.children[0].number)
    assert validate_change(machine, inner._replace(mems=(3,))) == -EACCES


def test_processes_are_put_into_a_cpuset_and_their_children_stay_in_it(machine: Machine) -> None:
    """fork inherits."""
    batch = machine.cpuset("batch", {2, 3})
    process = machine.spawn("process", node=0, cpuset=batch)
    child = process.fork("child")
    assert (child.cpuset, sorted(child.mems)) == (batch, [2, 3])
    assert [p.name for p in batch.processes] == ["process", "child"]
    assert touched(child, 1) == [2]


def test_mems_make_a_cpuset_of_the_process_own(machine: Machine) -> None:
    """As ever: spawn(mems=...). It can be looked at."""
    process = machine.spawn("process", mems=[3, 1])
    assert (sorted(process.mems), process.cpuset.mems) == ([1, 3], process.mems)
    assert process.cpuset in machine.cpusets
    assert f"cpuset {process.cpuset.name!r}" in repr(process)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        (r"name=''", lambda m: m.cpuset("", [1])),
        (r"name='batch'", lambda m: m.cpuset("batch", [1])),
        (r"mems=\[9\]", lambda m: m.cpuset("x", [9])),
        (r"mems=\[\]", lambda m: m.cpuset("x", [])),
        (r"mems=3", lambda m: m.cpuset("x", 3)),
        (r"parent='batch'", lambda m: m.cpuset("x", [1], parent="batch")),
        (r"memory_migrate=2", lambda m: m.cpuset("x", [1], memory_migrate=2)),
        (r"mems=\{1\}.*leave out one", lambda m: m.spawn("x", mems={1}, cpuset=m.cpusets[1])),
        (r"cpuset=1", lambda m: m.spawn("x", cpuset=1)),
        (r"number=77", lambda m: m.cpuset_numbered(77)),
    ],
)
def test_a_wrong_argument_is_named_and_changes_nothing(
    machine: Machine, name: str, call: Callable[[Any], object]
) -> None:
    """One exception; the machine is as it was."""
    machine.cpuset("batch", {1, 2})
    before = machine.fingerprint()
    with pytest.raises(ValueError, match=name):
        call(machine)
    assert machine.fingerprint() == before


def test_a_cpuset_of_another_machine_is_refused(machine: Machine, make_machine: MachineMaker) -> None:
    """Numbers mean something on their own machine only."""
    foreign = make_machine({0: 8}).cpuset("batch", [0])
    with pytest.raises(ValueError, match="a cpuset of this machine"):
        machine.spawn("process", cpuset=foreign)


def test_two_cpusets_may_have_one_name_below_different_parents(machine: Machine) -> None:
    """Names are those of directories."""
    outer = machine.cpuset("jobs", {1, 2})
    assert machine.cpuset("jobs", {1}, parent=outer).parent == outer


# -- what a change does to allocation and policies


def test_a_process_learns_of_a_change_when_it_allocates(machine: Machine) -> None:
    """LTP's cpuset memory tests 9 and 11: old pages stay, new ones come from the new nodes."""
    batch = machine.cpuset("batch", {0})
    process = machine.spawn("process", node=0, cpuset=batch)
    old = process.mmap(1)
    process.write(old)
    write_mems(machine, batch.number, [1])
    assert (sorted(process.mems), process.struct.mems) == ([1], (0,))
    assert (touched(process, 1), nodes_of(old), process.struct.mems) == ([1], [0], (1,))


def test_the_caller_of_move_pages_learns_of_a_change_before_it_allocates(machine: Machine) -> None:
    """The kernel allocates its array first; so the frames come from where the cpuset allows now."""
    batch = machine.cpuset("batch", {0, 1})
    process = machine.spawn("process", node=0, cpuset=batch)
    area = process.mmap(2)
    process.write(area)
    write_mems(machine, batch.number, [0, 2])
    assert process.move_pages(0, area, [1, 1]).row == "cpuset"
    assert process.move_pages(0, area, [2, 2]).status == [2, 2]


@pytest.mark.parametrize("kernel", KERNELS)
def test_no_kernel_lets_the_caller_allocate_by_what_its_cpuset_was(kernel: str) -> None:
    """The first call after the change gets its frame from a node that is allowed only now."""
    machine = Machine(Topology.preset("ring4"), kernel=kernel)
    batch = machine.cpuset("batch", {0, 1})
    process = machine.spawn("process", node=0, cpuset=batch)
    area = process.mmap(1)
    process.write(area)
    assert batch.set_mems([0, 2]) == 0
    assert process.move_pages(0, area, [2]).status == [2]
    assert nodes_of(area) == [2]


def test_move_pages_asks_the_targets_cpuset_not_what_the_target_knows(machine: Machine) -> None:
    """The target has not noticed the change yet, and need not."""
    batch = machine.cpuset("batch", {0})
    target = machine.spawn("target", node=0, cpuset=batch)
    area = target.mmap(1)
    target.write(area)
    write_mems(machine, batch.number, [0, 3])
    assert machine.spawn("admin", uid=0).move_pages(target.pid, area, [3]).status == [3]
    assert target.struct.mems == (0,)


def test_a_task_policy_is_rebound_when_the_task_notices(machine: Machine) -> None:
    """The n-th node of the old set becomes the n-th of the new one."""
    batch = machine.cpuset("batch", {0, 1})
    process = machine.spawn("process", node=0, cpuset=batch)
    process.set_mempolicy(MPOL_BIND, [1])
    write_mems(machine, batch.number, [2, 3])
    assert process.mempolicy is not None
    assert process.mempolicy.nodes == (1,)
    assert touched(process, 1) == [3]
    assert process.get_mempolicy().nodes == (3,)


def test_asking_for_the_policy_is_a_moment_to_notice(machine: Machine) -> None:
    """get_mempolicy() looks at the cpuset first; set_mempolicy() does, too, before it checks the nodes."""
    batch = machine.cpuset("batch", {0, 1})
    process, other = (machine.spawn(name, cpuset=batch) for name in ("process", "other"))
    process.set_mempolicy(MPOL_PREFERRED, [0])
    write_mems(machine, batch.number, [2, 3])
    assert process.get_mempolicy().nodes == (2,)
    assert [other.set_mempolicy(MPOL_BIND, [node]).ret for node in (1, 3)] == [-EINVAL, 0]


def test_policies_of_areas_are_rebound_at_once(machine: Machine) -> None:
    """By whoever writes the cpuset, in all processes that are in it; those of shared memory are not."""
    batch = machine.cpuset("batch", {0, 1, 2})
    process = machine.spawn("process", node=0, cpuset=batch)
    private, shared = process.mmap(4), process.mmap(2, shared=True)
    give_policy(process, private, MPOL_INTERLEAVE, [1, 2])
    give_policy(process, shared, MPOL_BIND, [2])
    child = process.fork("child")
    write_mems(machine, batch.number, [0, 3])
    for who in (process, child):
        assert [vma.policy.nodes for vma in who.vm_area_structs if vma.policy and not vma.file] == [(0, 3)]
    child.write(private)
    assert [child.pte(address).node for address in private] == [0, 3, 0, 3]
    child.write(shared)  # bound to node 2 still, which is not allowed: no policy is left
    assert [child.pte(address).node for address in shared] == [0, 0]


def test_a_cpuset_that_grows_back_does_not_bring_the_nodes_back(machine: Machine) -> None:
    """Two nodes that were laid on one stay one."""
    batch = machine.cpuset("batch", {0, 1})
    process = machine.spawn("process", node=0, cpuset=batch)
    process.set_mempolicy(MPOL_INTERLEAVE, [0, 1])
    write_mems(machine, batch.number, [2])
    assert process.get_mempolicy().nodes == (2,)
    write_mems(machine, batch.number, [0, 1])
    assert process.get_mempolicy().nodes == (0,)


def test_the_next_turn_is_not_rebound(machine: Machine) -> None:
    """2.6.18 takes the new nodes for the old ones there: the next turn is a node that the policy no longer has. The
    page comes from what the cpuset allows nearest to it, then the turns go on among the new nodes.
    """
    batch = machine.cpuset("batch", {0, 1})
    process = machine.spawn("process", node=0, cpuset=batch)
    process.set_mempolicy(MPOL_INTERLEAVE, [0, 1])
    area = process.mmap(4, file=machine.file("log", 4))
    process.read(area[0])
    write_mems(machine, batch.number, [2, 3])
    assert process.get_mempolicy(flags=MPOL_F_NODE).node == 1
    process.read(area)
    assert nodes_of(area) == [0, 2, 2, 3]


def test_policy_and_cpuset_meet_in_nothing_after_a_change_without_rebinding(machine: Machine) -> None:
    """Nodes outside the old set are not remapped: if none is allowed then, a BIND policy is as none."""
    batch = machine.cpuset("batch", {0, 1})
    process = machine.spawn("process", node=0, cpuset=batch)
    area = process.mmap(1)
    give_policy(process, area, MPOL_BIND, [3])
    write_mems(machine, batch.number, [1, 2])
    process.write(area)
    assert nodes_of(area) == [1]


def test_a_bind_policy_keeps_its_nodes_where_the_new_ones_have_no_memory(make_machine: MachineMaker) -> None:
    """There is nothing to bind to; the old list is kept, and ignored as long as the cpuset forbids it."""
    machine = make_machine({0: 16, 1: 16, 2: 0, 3: 16})
    batch = machine.cpuset("batch", {0, 1})
    process = machine.spawn("process", node=0, cpuset=batch)
    process.set_mempolicy(MPOL_BIND, [0])
    write_mems(machine, batch.number, [2, 3])
    assert process.get_mempolicy().nodes == (0,)
    assert touched(process, 1) == [3]


@pytest.mark.parametrize("kind", ["write", "copy", "file", "tmpfs", "swap", "query"])
def test_no_page_ever_comes_from_outside_the_cpuset(machine: Machine, fill: Fill, kind: str) -> None:
    """Every way to a frame, with a policy that wants node 0, which is forbidden, and the allowed node full."""
    process = machine.spawn("process", node=0, mems={1})
    child = process.fork("child")
    area = process.mmap(1, file={"file": machine.file("f", 1), "tmpfs": machine.file("t", 1, "tmpfs")}.get(kind))
    if kind in ("copy", "swap"):
        process.write(area)
        child = process.fork("child")
    if kind == "swap":
        machine.migrate_prep()
        machine.reclaim([page for page in [process.page(area[0])] if page is not None])
    fill(machine, 1)
    before = [machine.free_frames(node) for node in machine.node_ids]
    who = child if kind == "copy" else process
    give_policy(who, area, MPOL_BIND, [0])
    answer = who.get_mempolicy(area[0], 3).ret if kind == "query" else who.write(area)
    assert answer == (0 if kind == "query" else -ENOMEM)
    assert [machine.free_frames(node) for node in machine.node_ids] == before
