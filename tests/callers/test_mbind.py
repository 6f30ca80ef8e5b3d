"""mbind(2): the policy of a range, what happens to pages that are there, and what it refuses."""

from __future__ import annotations

import pytest

from numakit import MPOL_BIND, MPOL_DEFAULT, MPOL_F_ADDR, MPOL_INTERLEAVE, MPOL_PREFERRED, PAGE_SIZE, Machine, Process
from numakit.abi import EFAULT, EINVAL, EIO, EPERM, MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, MPOL_MF_STRICT
from tests.conftest import MachineMaker


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Three nodes."""
    return make_machine({0: 40, 1: 40, 2: 40})


@pytest.fixture
def shell(machine: Machine) -> Process:
    """A process on node 0."""
    return machine.spawn("shell", node=0)


def policy_at(process: Process, address: int) -> tuple[int | None, tuple[int, ...]]:
    """Mode and nodes of the area at an address."""
    told = process.get_mempolicy(address, MPOL_F_ADDR)
    assert told == 0
    return told.mode, told.nodes


@pytest.mark.parametrize(
    ("mode", "nodes", "answer"),
    [
        (MPOL_DEFAULT, (), 0), (MPOL_DEFAULT, {1}, -EINVAL),
        (MPOL_BIND, (), -EINVAL), (MPOL_BIND, {1}, 0),
        (MPOL_INTERLEAVE, (), -EINVAL), (MPOL_INTERLEAVE, {1}, 0),
        (MPOL_PREFERRED, (), 0), (MPOL_PREFERRED, {1}, 0),
        (4, (), -EINVAL), (99, {1}, -EINVAL),
    ],
)  # fmt: skip
def test_modes_and_nodes_have_to_fit(shell: Process, mode: int, nodes: set[int], answer: int) -> None:
    """LTP's mbind01: get_mempolicy() tells the new policy, or the old one after a refusal."""
    area = shell.mmap(2)
    result = shell.mbind(area, mode, nodes)
    assert result.ret == answer
    assert policy_at(shell, area[0]) == ((mode, tuple(nodes)) if answer == 0 and nodes else policy_at(shell, area[1]))
    assert result.explain()


@pytest.mark.parametrize("mode", [MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED])
def test_strict_alone_tells_of_a_misplaced_page_and_sets_nothing(shell: Process, mode: int) -> None:
    """LTP's mbind02: -EIO; the sentence names the page and its node."""
    area = shell.mmap(2)
    shell.write(area[1])
    result = shell.mbind(area, mode, {1}, MPOL_MF_STRICT)
    assert (result.ret, result.row, area.nodes) == (-EIO, "misplaced", [None, 0])
    assert f"{area[1]:#x} lies on node 0" in result.explain()
    assert policy_at(shell, area[0]) == (MPOL_DEFAULT, ())


@pytest.mark.parametrize("flag", [MPOL_MF_MOVE, MPOL_MF_MOVE_ALL])
def test_pages_are_moved_to_where_the_policy_wants_them(machine: Machine, flag: int) -> None:
    """LTP's mbind03: the page is on the new node, and nowhere else."""
    root = machine.spawn("root", uid=0, node=0)
    area = root.mmap(1)
    root.write(area)
    result = root.mbind(area, MPOL_BIND, {1}, flag)
    assert (result.ret, result.rows, area.nodes) == (0, ["moved"], [1])


def test_what_is_touched_later_obeys_in_parent_and_child(shell: Process) -> None:
    """LTP's mbind04: a child inherits the policy of the area."""
    area = shell.mmap(8)
    assert shell.mbind(area, MPOL_BIND, {2}) == 0
    child = shell.fork("child")
    shell.write(area[0:4])
    child.write(area[4:8])
    assert area.nodes[0:4] == [2] * 4
    assert [child.pte(address).node for address in area[4:8]] == [2] * 4


def test_binding_to_and_fro_keeps_contents(shell: Process) -> None:
    """numactl's mbind_mig_pages: all to 0, all to 1, strictly; the untouched page stays untouched."""
    area = shell.mmap(8)
    shell.write([address for at, address in enumerate(area) if at != 2])
    before = shell.read([address for at, address in enumerate(area) if at != 2])
    for node in (0, 1):
        assert shell.mbind(area, MPOL_BIND, {node}, MPOL_MF_MOVE | MPOL_MF_STRICT) == 0
    assert area.nodes == [1, 1, None, 1, 1, 1, 1, 1]
    assert shell.read([address for at, address in enumerate(area) if at != 2]) == before


def test_an_area_is_cut_where_the_range_ends(shell: Process) -> None:
    """The parts beside it keep the policy that they had."""
    area = shell.mmap(6)
    assert shell.mbind(area[2:4], MPOL_BIND, {1}) == 0
    assert [policy_at(shell, address)[0] for address in area] == [0, 0, MPOL_BIND, MPOL_BIND, 0, 0]
    assert len(shell.vmas) == 3


def test_strict_and_move_tell_of_what_stayed_and_the_policy_is_set(shell: Process) -> None:
    """A pinned page: -EIO. Without STRICT: 0, and nobody says so."""
    area = shell.mmap(2)
    shell.write(area)
    pin = shell.vmsplice(area[0], "the pipe")
    result = shell.mbind(area, MPOL_BIND, {1}, MPOL_MF_MOVE)
    assert (result.ret, result.rows, area.nodes) == (0, ["pinned", "moved"], [0, 1])
    result = shell.mbind(area, MPOL_BIND, {2}, MPOL_MF_MOVE | MPOL_MF_STRICT)
    assert (result.ret, result.row, area.nodes) == (-EIO, "stayed", [0, 2])
    assert policy_at(shell, area[0]) == (MPOL_BIND, (2,))
    pin.release()
    assert shell.mbind(area, MPOL_BIND, {2}, MPOL_MF_MOVE | MPOL_MF_STRICT) == 0
    assert area.nodes == [2, 2]


def test_shared_pages_stay_without_move_all(machine: Machine, shell: Process) -> None:
    """And STRICT does not count them, as they were never tried."""
    area = shell.mmap(1)
    shell.write(area)
    shell.fork("child")
    result = shell.mbind(area, MPOL_BIND, {1}, MPOL_MF_MOVE | MPOL_MF_STRICT)
    assert (result.ret, result.rows, area.nodes) == (0, ["left-shared"], [0])


def test_a_hole_is_refused_unless_the_policy_is_the_default_one(shell: Process) -> None:
    """Inside and behind the range; at its beginning 2006 does not look."""
    area = shell.mmap(4)
    shell.munmap(area[2])
    length = 4 * PAGE_SIZE
    inside = shell.mbind(area[0], MPOL_BIND, {1}, length=length)
    assert (inside.ret, inside.row) == (-EFAULT, "range-hole")
    assert shell.mbind(area[3], MPOL_BIND, {1}, length=length) == -EFAULT
    assert shell.mbind(area[2], MPOL_BIND, {1}, length=2 * PAGE_SIZE) == 0
    assert shell.mbind(area[0], MPOL_DEFAULT, length=length) == 0


def test_arguments_are_looked_at_in_the_kernels_order(machine: Machine, shell: Process) -> None:
    """Flags, mode, privilege, alignment, wrapping, nothing at all, nodes."""
    area = shell.mmap(1)
    start = area[0]
    calls = [
        (shell.mbind(start + 1, 99, {1}, 16, length=1), -EINVAL, "bad-flags"),
        (shell.mbind(start + 1, 99, {1}, 4, length=1), -EINVAL, "bad-mode"),
        (shell.mbind(start + 1, MPOL_BIND, {1}, MPOL_MF_MOVE_ALL, length=1), -EPERM, "all-unprivileged"),
        (shell.mbind(start + 1, MPOL_BIND, {1}, length=1), -EINVAL, "unaligned"),
        (shell.mbind(start, MPOL_BIND, {1}, length=2**64 - 1), -EINVAL, "wraps"),
        (shell.mbind(start, MPOL_BIND, (), length=0), 0, "policy-set"),
        (shell.mbind(start, MPOL_BIND, (), length=1), -EINVAL, "no-nodes"),
        (shell.mbind(start, MPOL_BIND, {7}, length=1), -EINVAL, "no-nodes"),
        (shell.mbind(start, MPOL_BIND, {2000}, length=1), -EINVAL, "beyond-the-mask"),
        (shell.mbind(start, MPOL_BIND, {1}, length=1), 0, "policy-set"),
    ]
    assert [(result.ret, result.row) for result, _, _ in calls] == [(ret, row) for _, ret, row in calls]
    assert all(result.explain() and str(result) and result._repr_html_() for result, _, _ in calls)


def test_nodes_outside_the_cpuset_are_left_out_without_a_word(machine: Machine) -> None:
    """Where set_mempolicy() would refuse them."""
    narrow = machine.spawn("narrow", mems={0, 1}, node=0)
    area = narrow.mmap(1)
    assert narrow.mbind(area, MPOL_BIND, {1, 2}) == 0
    assert policy_at(narrow, area[0]) == (MPOL_BIND, (1,))


def test_interleaving_goes_by_the_place_in_memory(shell: Process) -> None:
    """Pages that were all on node 0 are spread as a first touch would have spread them."""
    area = shell.mmap(6)
    shell.write(area)
    assert shell.mbind(area, MPOL_INTERLEAVE, {0, 1, 2}, MPOL_MF_MOVE) == 0
    fresh = shell.mmap(6)
    shell.mbind(fresh, MPOL_INTERLEAVE, {0, 1, 2})
    shell.write(fresh)
    assert fresh.nodes == [address // PAGE_SIZE % 3 for address in fresh]
    assert area.nodes == [0] * 6, "pages on an allowed node are not misplaced"


def test_a_page_fault_of_the_process_waits_under_mbind(machine: Machine, shell: Process) -> None:
    """mmap_sem is held for write: even a touch of another page comes after the call."""
    area = shell.mmap(3)
    shell.write(area[0:2])
    run = machine.begin(shell.mbind, area[0:2], MPOL_BIND, {1}, MPOL_MF_MOVE)
    run.when("COPY").do(shell.write, area[2])
    assert run.finish() == 0
    order = [step.task.name for step in run.steps if step.moment.name in ("COPY", "FAULT")]
    assert order[:2] == ["mbind", "mbind"]
    assert order[-1] == "write"


@pytest.mark.parametrize(("kernel", "answer"), [("2.6.18", 0), ("6.1", -EFAULT)])
def test_a_hole_at_the_beginning_is_seen_today(kernel: str, answer: int) -> None:
    """2006 begins at the first area behind it."""
    from tests.kernels.small_world import small_world

    shell = small_world(kernel).shell
    area = shell.mmap(2)
    assert shell.mbind(area[0] - PAGE_SIZE, MPOL_BIND, {1}, length=2 * PAGE_SIZE) == answer


def test_a_strict_call_that_fails_tells_which_pages_it_has_moved_all_the_same(shell: Process) -> None:
    """-EIO for the page that is pinned; the other one is on node 1."""
    area = shell.mmap(2)
    shell.write(area)
    shell.vmsplice(area[1])
    result = shell.mbind(area, MPOL_BIND, {1}, MPOL_MF_MOVE | MPOL_MF_STRICT)
    assert (result.ret, result.rows, area.nodes) == (-EIO, ["moved", "pinned"], [1, 0])


def test_pages_that_were_put_back_at_a_hole_were_not_tried(shell: Process) -> None:
    """-EFAULT behind them, and nothing has moved."""
    area = shell.mmap(2)
    shell.write(area)
    result = shell.mbind(area[0], MPOL_BIND, {1}, MPOL_MF_MOVE, length=3 * PAGE_SIZE)
    assert (result.ret, result.rows, area.nodes) == (-EFAULT, ["left-untried"] * 2, [0, 0])
