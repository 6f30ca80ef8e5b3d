"""migrate_pages(2): which node is emptied into which, in which order, which pages are left out, and who may ask."""

from __future__ import annotations

import networkx as nx
import pytest

from numakit import PAGE_SIZE, Machine, Process, Topology, Vma
from numakit.abi import EBUSY, EINVAL, ENOMEM, EPERM, ESRCH
from numakit.kernels import KERNELS, kernel_named
from numakit.syscalls.migrate_pages import next_pair
from tests.conftest import MachineMaker

#: from, to, the order of 2006, the order of today (each as "source>destination")
VECTORS = (
    ([0], [1], "0>1", "0>1"),
    ([0, 1], [2, 3], "0>2 1>3", "0>2 1>3"),
    ([2, 3, 4], [3, 4, 5], "4>5 3>4 2>3", "4>5 3>4 2>3"),
    ([0, 1], [0, 1], "", ""),
    ([0, 1], [1, 2], "1>2 0>1", "1>2 0>1"),
    ([2, 3, 4, 5], [7, 9, 12, 13], "2>7 3>9 4>12 5>13", "2>7 3>9 4>12 5>13"),
    ([0, 1, 2, 3, 4, 5, 6, 7], [3, 4, 5], "7>4 6>3 2>5 1>4 0>3", "7>4 6>3 2>5 1>4 0>3"),
    ([1, 2, 3], [2, 3], "3>2 2>3 1>2", "1>2"),
    ([0, 1, 2, 3], [0, 1], "3>1 2>0", "3>1 2>0"),
    ([0, 1], [0, 1, 2, 3], "", ""),
    ([0, 1, 2], [1], "2>1 0>1", "2>1 0>1"),
    ([1, 2, 3], [1, 2, 3], "", ""),
    ([0, 1, 2], [0, 1, 2], "", ""),
    ([0, 2], [1, 2], "0>1", "0>1"),
)
TODAY = ("6.1", "6.12")


def machine_of(nodes: int, kernel: str = "seed", frames: int = 24) -> Machine:
    """So many nodes in a row, each with a CPU."""
    graph: nx.DiGraph[int] = nx.DiGraph(name="row")
    for node in range(nodes):
        graph.add_node(node, memory=frames * PAGE_SIZE, cpus=(node,))
    for i in range(nodes):
        for j in range(nodes):
            if i != j:
                graph.add_edge(i, j, distance=10 + 5 * abs(i - j))
    return Machine(Topology.from_networkx(graph), kernel)


def on_each_node(machine: Machine, process: Process, pages: int = 1) -> Vma:
    """An area with so many pages on each node, in order."""
    area = process.mmap(pages * len(machine.node_ids))
    for at, node in enumerate(machine.node_ids):
        process.run_on(node)
        process.write(area[at * pages : (at + 1) * pages])
    process.run_on(0)
    return area


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("old", "new", "then", "now"), VECTORS)
def test_pairs_come_in_the_kernels_order(old: list[int], new: list[int], then: str, now: str, kernel: str) -> None:
    """So that pages which came to a node are not moved on; nodes that are old and new are left alone since 3.5."""
    m = machine_of(1, kernel)
    left, pairs = tuple(old), []
    while pair := next_pair(m, left, tuple(old), tuple(new)):
        pairs.append("{}>{}".format(*pair))
        left = tuple(node for node in left if node != pair[0])
    assert " ".join(pairs) == (now if kernel in TODAY else then)


@pytest.mark.parametrize("kernel", KERNELS)
def test_pages_keep_their_places_relative_to_each_other(kernel: str) -> None:
    """The pages of node 0 go where 0 goes, those of 1 where 1 goes; the result tells the pairs; contents follow."""
    machine = machine_of(4, kernel)
    shell = machine.spawn("shell")
    area = on_each_node(machine, shell, 2)
    before = shell.read(area)
    result = shell.migrate_pages(0, {0, 1}, {2, 3})
    assert (result.ret, result.pairs) == (0, ((0, 2), (1, 3)))
    assert area.nodes == [2, 2, 3, 3, 2, 2, 3, 3]
    assert shell.read(area) == before
    assert result.rows == ["moved"] * 4
    assert machine.inconsistencies() == []


@pytest.mark.parametrize(("kernel", "where"), [("2.6.18", [0, 2, 3, 3]), ("6.1", [0, 2, 2, 3])])
def test_what_comes_to_a_node_may_be_moved_on_where_old_nodes_are_new_ones(kernel: str, where: list[int]) -> None:
    """[1, 2, 3] to [2, 3] in 2006: 3>2 runs first, and 2>3 moves those pages back along with node 2's own."""
    machine = machine_of(4, kernel)
    shell = machine.spawn("shell")
    area = on_each_node(machine, shell)
    assert shell.migrate_pages(0, {1, 2, 3}, {2, 3}).ret == 0
    assert area.nodes == where


def test_shared_pages_are_left_out_and_not_counted(make_machine: MachineMaker) -> None:
    """LTP's migrate_pages02: the private page follows; the shared one only for a caller with CAP_SYS_NICE."""
    machine = make_machine({0: 40, 1: 40})
    shell = machine.spawn("shell", node=0)
    shared = shell.mmap(1)
    shell.write(shared)
    child = shell.fork("child")
    private = child.mmap(1)
    child.write(private)
    result = child.migrate_pages(0, {0}, {1})
    assert (result.ret, child.pte(shared[0]).node, child.pte(private[0]).node) == (0, 0, 1)
    assert sorted(result.rows) == ["left-shared", "moved"]
    assert "shell (pid 1) and child (pid 2)" in result.explain(result.rows.index("left-shared"))
    root = machine.spawn("root", uid=0, node=0)
    assert root.migrate_pages(child.pid, {0}, {1}).rows == ["moved"]
    assert shell.pte(shared[0]).node == 1


@pytest.mark.parametrize(("kernel", "node"), [("seed", 0), ("2.6.18", 0), ("6.1", 1)])
def test_locked_areas_are_left_out_as_a_whole(kernel: str, node: int) -> None:
    """Though move_pages() of 2.6.18 moves their pages; today's kernels move them."""
    machine = machine_of(2, kernel)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(2)
    shell.mlock(area)
    result = shell.migrate_pages(0, {0}, {1})
    assert (result.ret, area.nodes) == (0, [node] * 2)
    assert result.rows == [("left-locked" if node == 0 else "moved")] * 2


@pytest.mark.parametrize(("kernel", "answer"), [("seed", 1), ("2.6.18", 1), ("6.1", 1), ("6.12", 1)])
def test_a_pinned_page_is_counted(kernel: str, answer: int) -> None:
    """It was isolated and could not be moved: that is the number that is returned."""
    machine = machine_of(2, kernel)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(3)
    shell.write(area)
    shell.vmsplice(area[1], "the pipe")
    result = shell.migrate_pages(0, {0}, {1})
    assert (result.ret, area.nodes, result.rows) == (answer, [1, 0, 1], ["moved", "pinned", "moved"])
    assert "the pipe of shell" in result.explain(1)


@pytest.mark.parametrize(("kernel", "answer"), [("seed", 0), ("2.6.18", 0), ("6.1", 0), ("6.12", 1)])
def test_a_page_that_cannot_be_isolated_is_counted_since_6_7_only(kernel: str, answer: int) -> None:
    """Somebody else has it off the LRU."""
    machine = machine_of(2, kernel)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(1)
    shell.write(area)
    machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    assert machine.isolate_lru_page(page) == 0
    result = shell.migrate_pages(0, {0}, {1})
    assert (result.ret, result.rows) == (answer, ["left-busy"])


@pytest.mark.parametrize(("kernel", "answer"), [("seed", 2), ("742755a", 0), ("6.1", -ENOMEM), ("6.12", -ENOMEM)])
def test_a_full_node(kernel: str, answer: int) -> None:
    """The text: all stay and are counted. 2006: the next node takes them. Today: -ENOMEM."""
    machine = machine_of(3, kernel)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(2)
    shell.write(area)
    while machine.alloc_page(1) is not None:
        pass
    result = shell.migrate_pages(0, {0}, {1})
    assert result.ret == answer
    assert area.nodes == [0, 0]  # in 2006, too: the nearest node to 1 that has room is 0
    assert machine.inconsistencies() == []


def test_the_checks_come_in_the_kernels_order(make_machine: MachineMaker) -> None:
    """Masks, process, memory, user, cpuset: LTP's migrate_pages01, as far as sets of nodes can say it."""
    machine = make_machine({0: 20, 1: 20, 2: 20})
    shell, root = machine.spawn("shell", node=0), machine.spawn("root", uid=0, node=0)
    other = machine.spawn("other", uid=1001, node=0)
    narrow = machine.spawn("narrow", uid=1001, mems={0}, node=0)
    thread = machine.kernel_thread("kswapd0")
    calls = [
        (shell.migrate_pages(99, {0}, {1024}), -EINVAL, "beyond-the-mask"),
        (shell.migrate_pages(99, {0}, {1}), -ESRCH, "no-process"),
        (shell.migrate_pages(thread.pid, {0}, {1}), -EINVAL, "kthread"),
        (shell.migrate_pages(narrow.pid, {0}, {1}), -EPERM, "other-user"),
        (other.migrate_pages(narrow.pid, {0}, {1}), -EPERM, "target-cpuset"),
        (root.migrate_pages(narrow.pid, {0}, {1}), 0, "ok"),
        (shell.migrate_pages(0, set(), set()), 0, "ok"),
        (shell.migrate_pages(0, {0}, set()), 0, "ok"),
    ]
    assert [(result.ret, result.row) for result, _, _ in calls] == [(ret, row) for _, ret, row in calls]
    assert all(result.explain() for result, _, _ in calls)


def test_today_only_nodes_that_the_caller_may_use_count() -> None:
    """-EINVAL if none is left; the kernel of 2006 asks neither for memory nor for the caller's cpuset."""
    machine = machine_of(3, "6.1")
    caller = machine.spawn("caller", mems={0, 1}, node=0)
    result = caller.migrate_pages(0, {0}, {9})
    assert (result.ret, result.row) == (-EPERM, "target-cpuset")
    root = machine.spawn("root", uid=0, mems={0, 1}, node=0)
    result = root.migrate_pages(caller.pid, {0}, {2})
    assert (result.ret, result.row) == (-EINVAL, "no-node-left")


def test_munmap_of_the_target_waits_until_the_call_is_over(make_machine: MachineMaker) -> None:
    """mmap_sem is held for read from the first page to the last; faults go on."""
    machine = make_machine({0: 40, 1: 40})
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(4)
    shell.write(area[0:3])
    run = machine.begin(shell.migrate_pages, 0, {0}, {1})
    unmapping = run.when("COPY").do(shell.munmap, area[2:4])
    result = run.finish()
    assert result.rows == ["moved"] * 3
    order = [step.task.name for step in run.steps if step.moment.name in ("COPY", "ZAP_PTE")]
    assert order == ["migrate_pages"] * 3 + ["munmap"]
    assert unmapping.result == 0
    run.first()
    run.last()


def test_a_run_can_be_stepped_to_and_fro_and_repeated(make_machine: MachineMaker) -> None:
    """The same fingerprint at every step; the call not recorded ends in the same state."""
    machine, twin = make_machine({0: 40, 1: 40}), make_machine({0: 40, 1: 40})
    for one in (machine, twin):
        one.spawn("shell", node=0).write(one.process(1).mmap(3))
    shell = machine.process(1)
    run = machine.record(shell.migrate_pages, 0, {0}, {1})
    seen = [run.goto(step).machine.fingerprint() for step in range(len(run) + 1)]
    assert [run.goto(step).machine.fingerprint() for step in reversed(range(len(run) + 1))] == seen[::-1]
    assert twin.process(1).migrate_pages(0, {0}, {1}) == run.result.ret
    assert twin.fingerprint() == seen[-1]


def test_wrong_arguments_are_refused_with_what_is_wanted(make_machine: MachineMaker) -> None:
    """One sentence, and the machine is as it was."""
    machine = make_machine({0: 20, 1: 20})
    shell = machine.spawn("shell", node=0)
    before = machine.fingerprint()
    for wrong in ("zero", True, shell):
        with pytest.raises(ValueError, match=r"pid=.*a whole number is wanted"):
            shell.migrate_pages(wrong, {0}, {1})  # type: ignore[arg-type]
    for nodes in (0, {-1}, ["a"]):
        with pytest.raises(ValueError, match=r"old_nodes=.*a set of node ids is wanted"):
            shell.migrate_pages(0, nodes, {1})  # type: ignore[arg-type]
    assert machine.fingerprint() == before


def test_all_eleven_busy_pages_of_the_text_are_told(make_machine: MachineMaker) -> None:
    """-EBUSY is what a pinned page's fate has in `seed`, -EAGAIN in the code."""
    machine = make_machine({0: 40, 1: 40})
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(1)
    shell.write(area)
    shell.vmsplice(area[0])
    assert [one.verdict.value for one in shell.migrate_pages(0, {0}, {1}).fates] == [-EBUSY]
    assert kernel_named("2.6.18").busy_status == -11


@pytest.mark.parametrize("kernel", TODAY)
def test_a_call_that_runs_out_of_memory_tells_which_pages_it_has_moved(kernel: str) -> None:
    """-ENOMEM at the third page: two are on node 1, and nobody tried the fourth."""
    machine = machine_of(2, kernel, frames=8)
    hog, shell = machine.spawn("hog", node=1), machine.spawn("shell", node=0)
    hog.write(hog.mmap(6))
    area = shell.mmap(4)
    shell.write(area)
    result = shell.migrate_pages(0, {0}, {1})
    assert (result.ret, result.rows) == (-ENOMEM, ["moved", "moved", "full", "left-untried"])
    assert area.nodes == [1, 1, 0, 0]
