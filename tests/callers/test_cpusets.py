"""Cpusets: what becomes of pages and policies when a process changes its cpuset, or a cpuset its nodes."""

from __future__ import annotations

import pytest

from numakit import MPOL_BIND, MPOL_F_ADDR, Machine, Process, Vma
from numakit.abi import EACCES, EBUSY, EINVAL, ENOSPC, ESRCH
from numakit.kernels import COMMIT_742755A, LINUX_2_6_18, LINUX_6_1, LINUX_6_12, SEED, Kernel
from tests.conftest import MachineMaker
from tests.random.machines import small_machine


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Four nodes."""
    return make_machine(dict.fromkeys(range(4), 40))


def written(process: Process, pages: int = 1) -> Vma:
    """Memory that the process has just written to."""
    area = process.mmap(pages)
    process.write(area)
    return area


@pytest.mark.parametrize(("migrate", "old_page"), [(False, 0), (True, 1)])
def test_a_task_that_is_attached_takes_its_pages_along_if_the_cpuset_says_so(
    machine: Machine, migrate: bool, old_page: int
) -> None:
    """cpuset_memory_test 9 and 10: new pages come from the new nodes in any case."""
    first = machine.cpuset("first", {0})
    second = machine.cpuset("second", {1}, memory_migrate=migrate)
    task = machine.spawn("task", cpuset=first, node=0)
    area = written(task)
    assert second.attach(task.pid) == 0
    assert (area.nodes, written(task).nodes) == ([old_page], [1])
    assert machine.inconsistencies() == []


@pytest.mark.parametrize(("migrate", "old_page"), [(False, 1), (True, 0)])
def test_other_nodes_of_a_cpuset(machine: Machine, migrate: bool, old_page: int) -> None:
    """cpuset_memory_test 11 and 12."""
    cpuset = machine.cpuset("both", {1}, memory_migrate=migrate)
    task = machine.spawn("task", cpuset=cpuset, node=0)
    area = written(task)
    assert cpuset.set_mems({0}) == 0
    assert (area.nodes, written(task).nodes) == ([old_page], [0])


def test_every_task_of_the_cpuset_is_moved_and_nobody_elses(machine: Machine) -> None:
    """cpuset_memory_test 16 and 17: a task in another cpuset stays."""
    cpuset = machine.cpuset("two", {0, 1}, memory_migrate=True)
    tasks = [machine.spawn(f"task {node}", cpuset=cpuset, node=node) for node in (0, 1)]
    other = machine.spawn("other", node=0)
    areas = [written(task, 2) for task in (*tasks, other)]
    assert cpuset.set_mems({2, 3}) == 0
    assert [area.nodes for area in areas] == [[2, 2], [3, 3], [0, 0]]


def test_shared_pages_move_along(machine: Machine) -> None:
    """MOVE_ALL: whoever else maps them, and is in another cpuset."""
    cpuset = machine.cpuset("new", {1}, memory_migrate=True)
    task = machine.spawn("task", node=0)
    area = written(task)
    child = task.fork("child")
    cpuset.attach(task.pid)
    assert (area.nodes, child.pte(area[0]).node) == ([1], 1)


def test_policies_of_areas_are_rebound(machine: Machine) -> None:
    """The n-th node of the old ones becomes the n-th of the new ones, for what is touched later."""
    cpuset = machine.cpuset("moving", {0, 1})
    task = machine.spawn("task", cpuset=cpuset, node=0)
    area = task.mmap(2)
    assert task.mbind(area, MPOL_BIND, {1}) == 0
    cpuset.set_mems({2, 3})
    assert task.get_mempolicy(area[0], MPOL_F_ADDR).nodes == (3,)
    task.write(area)
    assert area.nodes == [3, 3]


def test_what_cannot_be_written_is_an_errno(machine: Machine) -> None:
    """Nodes that the parent lacks, that a child needs, none; no such process."""
    parent = machine.cpuset("parent", {0, 1, 2})
    child = machine.cpuset("child", {0, 1}, parent)
    assert child.set_mems({3}) == -EACCES
    assert parent.set_mems({1, 2}) == -EBUSY
    assert parent.set_mems(set()) == -EINVAL
    assert parent.attach(99) == -ESRCH
    assert (parent.mems, child.mems) == (frozenset({0, 1, 2}), frozenset({0, 1}))


@pytest.mark.parametrize("kernel", [SEED, COMMIT_742755A, LINUX_2_6_18], ids=lambda kernel: kernel.name)
def test_in_2006_the_top_cpuset_can_be_made_smaller_too(kernel: Kernel) -> None:
    """Whoever is in no other cpuset is in this one; its children must fit in."""
    machine = small_machine({0: 40, 1: 40}, kernel)
    top = machine.cpusets[0]
    below = machine.cpuset("below", {1})
    assert top.set_mems({0}) == -EBUSY
    assert below.set_mems({0}) == 0
    assert top.set_mems({0}) == 0
    assert written(machine.spawn("task", node=1)).nodes == [0]


@pytest.mark.parametrize("kernel", [LINUX_6_1, LINUX_6_12], ids=lambda kernel: kernel.name)
def test_today_the_top_cpuset_is_fixed_and_an_empty_one_lets_nobody_in(kernel: Kernel) -> None:
    """A cpuset can be empty as long as nobody is in it."""
    machine = small_machine({0: 40, 1: 40}, kernel)
    cpuset = machine.cpuset("set", {0})
    task = machine.spawn("task", cpuset=cpuset)
    assert machine.cpusets[0].set_mems({0}) == -EACCES
    assert cpuset.set_mems(set()) == -ENOSPC
    assert (machine.cpusets[0].attach(task.pid), cpuset.set_mems(set()), cpuset.attach(task.pid)) == (0, 0, -ENOSPC)
    assert cpuset.set_mems({1}) == 0
    assert cpuset.attach(task.pid) == 0


def test_a_change_is_a_run_that_can_be_stepped(machine: Machine) -> None:
    """Back to its beginning everything is as it was; the notation of the call reads back."""
    cpuset = machine.cpuset("moving", {0}, memory_migrate=True)
    task = machine.spawn("task", cpuset=cpuset, node=0)
    area = written(task, 2)
    before = machine.fingerprint()
    run = machine.record(cpuset.set_mems, {1})
    assert [step.moment.name for step in run.steps].count("COPY") == 2
    run.first()
    assert (machine.fingerprint(), area.nodes) == (before, [0, 0])
    run.last()
    assert area.nodes == [1, 1]
    with pytest.raises(ValueError, match=r"nodes=\{9\}: online nodes are wanted"):
        cpuset.set_mems({9})


@pytest.mark.parametrize("call", ["set_mems", "attach"])
def test_a_bug_of_the_kernel_ends_a_change_of_cpusets_as_any_other_call(call: str) -> None:
    """A failed write is a BUG until 2.6.28: there is no return code, and one can go back."""
    machine = small_machine({0: 16, 1: 16}, LINUX_2_6_18)
    first = machine.cpuset("first", {0}, memory_migrate=True)
    second = machine.cpuset("second", {1}, memory_migrate=True)
    task = machine.spawn("task", cpuset=first, node=0)
    task.write(task.mmap(1, shared=True, file=machine.file("log", 1, "faulty")))
    before = machine.fingerprint()
    changed = machine.record(first.set_mems, {1}) if call == "set_mems" else machine.record(second.attach, task.pid)
    assert changed.result is None
    changed.first()
    assert machine.fingerprint() == before
