"""set_mempolicy() and get_mempolicy(): order of checks, what they answer, and that asking can read a page in."""

from __future__ import annotations

from collections.abc import Callable
from errno import EFAULT, EINVAL, ENOMEM
from typing import Any

import pytest

from numakit import (
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_PREFERRED,
    PAGE_SIZE,
    PROT_NONE,
    Machine,
    Process,
)
from numakit.explain.policies import POLICY_CAUSES
from tests.conftest import MachineMaker
from tests.policies.areas import give_policy, nodes_of, touched

Fill = Callable[[Machine, int], Process]
NODE_AT = MPOL_F_NODE | MPOL_F_ADDR


@pytest.fixture
def machine(make_machine: MachineMaker) -> Machine:
    """Three nodes of 32 frames; node 7 exists and is offline."""
    return make_machine({0: 32, 1: 32, 2: 32, 7: 32}, offline=(7,))


# -- setting


@pytest.mark.parametrize(
    ("mode", "nodes", "row", "ret"),
    [
        (MPOL_DEFAULT, [], "policy-set", 0),
        (MPOL_DEFAULT, [1], "default-with-nodes", -EINVAL),
        (MPOL_BIND, [], "no-nodes", -EINVAL),
        (MPOL_BIND, [1], "policy-set", 0),
        (MPOL_INTERLEAVE, [], "no-nodes", -EINVAL),
        (MPOL_INTERLEAVE, [0, 1], "policy-set", 0),
        (MPOL_PREFERRED, [], "policy-set", 0),
        (MPOL_PREFERRED, [1], "policy-set", 0),
        (-1, [], "bad-mode", -EINVAL),
        (4, [], "bad-mode", -EINVAL),  # MPOL_LOCAL of later kernels
        (4, [1], "bad-mode", -EINVAL),
        (-1, [4000], "bad-mode", -EINVAL),  # looked at before the mask
        (MPOL_BIND, [0, 1024], "beyond-the-mask", -EINVAL),
        (MPOL_BIND, [0, 7], "policy-cpuset", -EINVAL),  # the top cpuset has the nodes that are online
        (MPOL_DEFAULT, [7], "policy-cpuset", -EINVAL),  # looked at before the mode's own rules
    ],
)
def test_modes_and_masks_as_ltp_tries_them(shell: Process, mode: int, nodes: list[int], row: str, ret: int) -> None:
    """The cases of LTP's mbind01 about mode and mask, and what is looked at first. A refusal changes nothing."""
    shell.set_mempolicy(MPOL_BIND, [2])
    before = shell.struct
    result = shell.set_mempolicy(mode, nodes)
    assert (result.ret, result.row) == (ret, row)
    assert result == ret
    if ret:
        assert shell.struct == before
    else:
        assert (shell.get_mempolicy().mode, shell.get_mempolicy().nodes) == (mode, tuple(nodes or shown_nodes(mode)))


def shown_nodes(mode: int) -> list[int]:
    """What get_mempolicy() tells where no node was named: PREFERRED shows all that are online."""
    return [0, 1, 2] if mode == MPOL_PREFERRED else []


def test_nodes_lie_within_the_cpuset_of_the_process(machine: Machine) -> None:
    """Each of them: a policy is not made narrower, it is refused."""
    process = machine.spawn("process", mems={0, 1})
    result = process.set_mempolicy(MPOL_INTERLEAVE, [1, 2])
    assert (result.ret, result.row) == (-EINVAL, "policy-cpuset")
    assert "nodes 0 and 1" in result.explain()


def test_a_policy_moves_no_page(machine: Machine, shell: Process) -> None:
    """It is about pages to come."""
    area = shell.mmap(2)
    shell.write(area[0])
    shell.set_mempolicy(MPOL_BIND, [2])
    shell.write(area)
    assert nodes_of(area) == [0, 2]


def test_interleaving_begins_with_the_lowest_node_again(machine: Machine, shell: Process) -> None:
    """Whatever turn it was before."""
    shell.set_mempolicy(MPOL_INTERLEAVE, [0, 1, 2])
    shell.read(shell.mmap(1, file=machine.file("log", 1)))
    assert shell.get_mempolicy(flags=MPOL_F_NODE).node == 1
    shell.set_mempolicy(MPOL_INTERLEAVE, [0, 2])
    assert shell.get_mempolicy(flags=MPOL_F_NODE).node == 0


# -- asking


def test_without_an_address_the_policy_of_the_task_is_told(shell: Process) -> None:
    """Mode and nodes."""
    assert (shell.get_mempolicy().mode, shell.get_mempolicy().nodes) == (MPOL_DEFAULT, ())
    shell.set_mempolicy(MPOL_INTERLEAVE, [2, 0])
    assert (shell.get_mempolicy().mode, shell.get_mempolicy().nodes) == (MPOL_INTERLEAVE, (0, 2))


def test_an_area_without_a_policy_tells_default_whatever_the_task_has(shell: Process) -> None:
    """The task's policy decides there, but F_ADDR asks about the area."""
    area = shell.mmap(3)
    shell.set_mempolicy(MPOL_BIND, [2])
    give_policy(shell, area[1:2], MPOL_PREFERRED, [1])
    told = [shell.get_mempolicy(address, MPOL_F_ADDR) for address in area]
    assert [(answer.mode, answer.nodes) for answer in told] == [(0, ()), (MPOL_PREFERRED, (1,)), (0, ())]


def test_shared_memory_tells_the_policy_of_the_object(machine: Machine, shell: Process) -> None:
    """Also to a process that did not set it."""
    area = shell.mmap(2, shared=True)
    child = shell.fork("child")
    give_policy(shell, area[1:2], MPOL_BIND, [2])
    assert [child.get_mempolicy(address, MPOL_F_ADDR).mode for address in area] == [MPOL_DEFAULT, MPOL_BIND]


@pytest.mark.parametrize(
    ("address", "flags", "row"),
    [
        (None, 4, "bad-policy-flags"),
        (PAGE_SIZE, 4 | MPOL_F_ADDR, "bad-policy-flags"),
        (PAGE_SIZE, 0, "address-without-flag"),
        (PAGE_SIZE, MPOL_F_NODE, "address-without-flag"),
        (None, MPOL_F_NODE, "not-interleaving"),
        (None, MPOL_F_ADDR, "no-area"),
        (PAGE_SIZE, NODE_AT, "no-area"),
    ],
)
def test_flags_that_do_not_fit(shell: Process, address: int | None, flags: int, row: str) -> None:
    """-EINVAL; -EFAULT in no area. Nothing is told."""
    shell.set_mempolicy(MPOL_BIND, [1])
    result = shell.get_mempolicy(address, flags)
    assert (result.ret, result.row) == (-EFAULT if row == "no-area" else -EINVAL, row)
    assert (result.mode, result.node, result.nodes) == (None, None, ())


def test_the_next_node_is_told_only_while_the_task_interleaves(shell: Process) -> None:
    """F_NODE alone; PREFERRED has no next one."""
    for mode, nodes, row in ((MPOL_PREFERRED, [1], "not-interleaving"), (MPOL_INTERLEAVE, [1, 2], "policy-told")):
        shell.set_mempolicy(mode, nodes)
        assert shell.get_mempolicy(flags=MPOL_F_NODE).row == row
    assert shell.get_mempolicy(flags=MPOL_F_NODE).node == 1


# -- asking for the node of a page


def test_the_node_of_a_page(shell: Process) -> None:
    """And with it the nodes of the area's policy."""
    area = shell.mmap(2)
    give_policy(shell, area, MPOL_INTERLEAVE, [1, 2])
    shell.write(area)
    told = [shell.get_mempolicy(address + 5, NODE_AT) for address in area]
    assert [(answer.node, answer.mode, answer.nodes) for answer in told] == [(1, None, (1, 2)), (2, None, (1, 2))]


def test_asking_for_the_node_reads_a_page_of_a_file_in(machine: Machine, shell: Process) -> None:
    """By the policy of the task that asks. Who only wants to look changes what there is to see."""
    file = machine.file("log", 2)
    area = shell.mmap(2, file=file, shared=True)
    shell.set_mempolicy(MPOL_BIND, [2])
    assert file.pages == [None, None]
    assert shell.get_mempolicy(area[1], NODE_AT).node == 2
    assert (file.pages[0], nodes_of(area)) == (None, [None, 2])


def test_asking_for_the_node_of_untouched_memory_maps_the_zero_page(machine: Machine, shell: Process) -> None:
    """The answer is the zero page's node, which says nothing of where a write will go."""
    area = shell.mmap(1)
    give_policy(shell, area, MPOL_BIND, [2])
    free = [machine.free_frames(node) for node in range(3)]
    assert shell.get_mempolicy(area[0], NODE_AT).node == 0
    assert shell.page(area[0]) == machine.table["zero page"]
    assert [machine.free_frames(node) for node in range(3)] == free
    shell.write(area)
    assert shell.get_mempolicy(area[0], NODE_AT).node == 2


def test_asking_for_the_node_swaps_a_page_in(machine: Machine, shell: Process) -> None:
    """A page that was on the disc has a node again."""
    area = shell.mmap(1)
    shell.write(area)
    machine.migrate_prep()
    machine.reclaim([page for page in [shell.page(area[0])] if page is not None])
    assert shell.pte(area[0]).kind == "swap"
    give_policy(shell, area, MPOL_BIND, [1])
    assert shell.get_mempolicy(area[0], NODE_AT).node == 1
    assert shell.pte(area[0]).kind == "present"


def test_asking_for_the_node_where_no_reading_is_allowed(machine: Machine, shell: Process) -> None:
    """-EFAULT, though there is an area; its policy can be asked for. So behind the end of a file."""
    hidden = shell.mmap(1, prot=PROT_NONE)
    assert shell.get_mempolicy(hidden[0], MPOL_F_ADDR) == 0
    assert shell.get_mempolicy(hidden[0], NODE_AT).row == "node-unreadable"
    beyond = shell.mmap(2, file=machine.file("log", 1))
    result = shell.get_mempolicy(beyond[1], NODE_AT)
    assert (result.ret, result.row) == (-EFAULT, "node-unreadable")


def test_asking_for_the_node_can_find_memory_full(machine: Machine, shell: Process, fill: Fill) -> None:
    """A page of a file needs a frame."""
    area = shell.mmap(1, file=machine.file("log", 1))
    shell.set_mempolicy(MPOL_BIND, [1])
    fill(machine, 1)
    result = shell.get_mempolicy(area[0], NODE_AT)
    assert (result.ret, result.row) == (-ENOMEM, "node-no-memory")


def test_asking_for_the_node_waits_for_a_migration(machine: Machine, shell: Process) -> None:
    """Behind a migration entry there is no page: the question sleeps and then tells the new node."""
    area = shell.mmap(1)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    asked = run.when("COPY").do(shell.get_mempolicy, area[0], NODE_AT)
    assert run.finish().status == [1]
    assert asked.result.node == 1


# -- LTP's mbind04, with the policy of the task


@pytest.mark.parametrize("node", [0, 1, 2])
def test_sixteen_pages_touched_by_parent_or_child_lie_on_the_node(machine: Machine, node: int) -> None:
    """LTP mbind04: bind, then fault sixteen pages in, in the parent and in a child forked afterwards."""
    process = machine.spawn("process", node=0)
    process.set_mempolicy(MPOL_BIND, [node])
    area = process.mmap(16)
    child = process.fork("child")
    for toucher in (process, child):
        toucher.write(area)
        assert {toucher.get_mempolicy(address, NODE_AT).node for address in area} == {node}


def test_bind_on_a_full_node_is_enomem(machine: Machine, shell: Process, fill: Fill) -> None:
    """The process would be killed."""
    fill(machine, 1)
    shell.set_mempolicy(MPOL_BIND, [1])
    assert shell.write(shell.mmap(1)) == -ENOMEM


# -- the results, and wrong arguments


def test_every_cause_has_its_sentences(machine: Machine, shell: Process) -> None:
    """Each id that the calls note is a key of the table."""
    area = shell.mmap(1)
    calls: list[Any] = [
        shell.set_mempolicy(9),
        shell.set_mempolicy(MPOL_BIND, [1, 5000]),
        shell.set_mempolicy(MPOL_BIND, [7]),
        shell.set_mempolicy(MPOL_DEFAULT, [1]),
        shell.set_mempolicy(MPOL_INTERLEAVE),
        shell.set_mempolicy(MPOL_BIND, [1]),
        shell.get_mempolicy(flags=8),
        shell.get_mempolicy(area[0]),
        shell.get_mempolicy(flags=MPOL_F_NODE),
        shell.get_mempolicy(0, MPOL_F_ADDR),
        shell.get_mempolicy(area[0], NODE_AT),
    ]
    for result in calls:
        assert result.row in POLICY_CAUSES
        assert len(result.explain()) > len(result.call) + 20
    assert str(calls[-1]).endswith("= 0; node 0")


def test_a_policy_is_seen_in_the_process(shell: Process) -> None:
    """Its text names it."""
    assert "policy" not in repr(shell)
    shell.set_mempolicy(MPOL_INTERLEAVE, [0, 2])
    assert "policy interleave 0, 2" in repr(shell)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        (r"mode='bind'", lambda shell: shell.set_mempolicy("bind", [1])),
        (r"nodes=1", lambda shell: shell.set_mempolicy(MPOL_BIND, 1)),
        (r"nodes=\[-1\]", lambda shell: shell.set_mempolicy(MPOL_BIND, [-1])),
        (r"address='x'", lambda shell: shell.get_mempolicy("x")),
        (r"flags=True", lambda shell: shell.get_mempolicy(flags=True)),
    ],
)
def test_a_wrong_argument_is_named_and_changes_nothing(
    machine: Machine, shell: Process, name: str, call: Callable[[Any], object]
) -> None:
    """One exception; the machine is as it was."""
    before = machine.fingerprint()
    with pytest.raises(ValueError, match=name):
        call(shell)
    assert machine.fingerprint() == before


def test_a_process_that_has_exited_sets_no_policy(machine: Machine, shell: Process) -> None:
    """When its turn comes it is gone."""
    area = shell.mmap(1)
    shell.write(area)
    run = machine.begin(machine.spawn("other", uid=0).move_pages, shell.pid, area, [1])
    run.when("COPY", nth=1).do(shell.exit)
    late = run.when("PUT_BACK").do(shell.set_mempolicy, MPOL_BIND, [1])
    run.finish()
    assert late.result.row == "no-process"
    assert "exited" in late.result.explain()


def test_first_touch_follows_the_answer(machine: Machine, shell: Process) -> None:
    """What get_mempolicy() tells of the task is what its next page obeys."""
    for node in (2, 1):
        shell.set_mempolicy(MPOL_BIND, [node])
        assert tuple(touched(shell, 1)) == shell.get_mempolicy().nodes
