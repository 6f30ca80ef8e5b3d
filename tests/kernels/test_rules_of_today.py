"""Rules of kernels of today about memory and policies that random calls on real kernels found, beside those of 2006."""

from __future__ import annotations

import pytest

from numakit import MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, PAGE_SIZE, Machine, Process
from numakit.abi import EFAULT, EINVAL, ENOMEM, MPOL_F_ADDR, MPOL_LOCAL, PROT_NONE
from numakit.guest import guest_topology

KERNELS = ["2.6.18", "6.1", "6.12"]
TODAY = pytest.mark.parametrize(("kernel", "today"), [(kernel, kernel != "2.6.18") for kernel in KERNELS])


def a_process(kernel: str, node: int = 0, mems: list[int] | None = None) -> Process:
    """Alone on a machine of five nodes: four in a ring, and one that is far from all."""
    return Machine(guest_topology(), kernel, scale=64).spawn("shell", node=node, mems=mems)


@TODAY
def test_a_read_maps_what_is_in_memory_around_it(kernel: str, today: bool) -> None:
    """Pages that somebody else has touched; no page comes into memory by that."""
    shell = a_process(kernel)
    area = shell.mmap(3, shared=True)
    shell.write(area[0:2])
    child = shell.fork()
    child.read(area[0])
    assert [child.page(address) is not None for address in area] == [True, today, False]


@TODAY
def test_mlock_faults_nothing_in_if_there_is_a_hole(kernel: str, today: bool) -> None:
    """In 2006 the areas before it have their pages by then."""
    shell = a_process(kernel)
    area = shell.mmap(2)
    assert shell.mlock([*area, area.end]) == -ENOMEM
    assert area.nodes == [None if today else 0] * 2
    shell.mprotect(area, PROT_NONE)
    assert shell.mlock(area) == (-ENOMEM if today else -EFAULT)


@TODAY
def test_a_policy_loses_nodes_that_are_forbidden(kernel: str, today: bool) -> None:
    """One that is allowed is enough."""
    shell = a_process(kernel, mems=[0, 1])
    assert shell.set_mempolicy(MPOL_BIND, [1, 2]).ret == (0 if today else -EINVAL)
    assert shell.get_mempolicy().nodes == ((1,) if today else ())
    assert shell.set_mempolicy(MPOL_BIND, [2, 3]).ret == -EINVAL


@TODAY
def test_a_preferred_node_is_of_those_that_are_allowed_and_stays(kernel: str, today: bool) -> None:
    """The first of them; another cpuset does not change it."""
    shell = a_process(kernel, mems=[0, 1])
    area = shell.mmap(1)
    assert shell.mbind(area, MPOL_PREFERRED, [1]).ret == 0
    shell.machine.cpuset("other", [2, 3]).attach(shell.pid)
    assert shell.get_mempolicy(area[0], MPOL_F_ADDR).nodes == ((1,) if today else (3,))


@TODAY
def test_the_local_node_is_a_mode_of_its_own(kernel: str, today: bool) -> None:
    """A preference without a node."""
    shell = a_process(kernel)
    shell.set_mempolicy(MPOL_PREFERRED, [])
    answer = shell.get_mempolicy()
    assert (answer.mode, answer.nodes) == ((MPOL_LOCAL, ()) if today else (MPOL_PREFERRED, (0, 1, 2, 3, 4)))


@TODAY
def test_memory_is_bound_to_the_nearest_node(kernel: str, today: bool) -> None:
    """Of nodes that are equally far the next one comes first."""
    shell = a_process(kernel, node=2)
    area = shell.mmap(2)
    shell.mbind(area[0], MPOL_BIND, [0, 2])
    shell.mbind(area[1], MPOL_BIND, [1, 3])
    shell.write(area)
    assert area.nodes == ([2, 3] if today else [0, 1])


@TODAY
def test_zonelists_are_those_of_real_kernels(kernel: str, today: bool) -> None:
    """Found by binding to all pairs of nodes, from each CPU, in guests."""
    real = {0: (0, 1, 3, 2, 4), 1: (1, 2, 0, 3, 4), 2: (2, 3, 1, 0, 4), 3: (3, 0, 2, 1, 4), 4: (4, 0, 1, 2, 3)}
    assert (a_process(kernel).machine.zonelists == real) is today


@TODAY
def test_a_page_that_a_pipe_holds_is_copied_once_a_fork_has_shared_it(kernel: str, today: bool) -> None:
    """So that the pipe goes on showing what was put into it; the copy can be moved."""
    shell = a_process(kernel)
    area = shell.mmap(1)
    shell.write(area)
    shell.vmsplice(area)
    shell.fork("child").exit()
    before = shell.page(area[0])
    shell.write(area)
    assert (shell.page(area[0]) != before) is today


@pytest.mark.parametrize("kernel", KERNELS)
def test_interleaving_counts_from_address_zero(kernel: str) -> None:
    """A second area goes on where the first would have."""
    shell = a_process(kernel)
    first, second = shell.mmap(2), shell.mmap(3)
    for area in (first, second):
        shell.mbind(area, MPOL_INTERLEAVE, [0, 1, 2])
        shell.write(area)
        assert area.nodes == [address // PAGE_SIZE % 3 for address in area]
