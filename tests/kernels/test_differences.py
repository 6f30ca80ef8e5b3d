"""Where kernels answer the same call differently: a row each, with what every kernel says.

An answer is (return code, status[]); None in status[] was not written, None as return code is a BUG.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import networkx as nx
import pytest

from numakit import MPOL_MF_MOVE_ALL, PAGE_SIZE, Machine, Topology
from numakit.abi import E2BIG, EACCES, EAGAIN, EBUSY, EFAULT, EINVAL, EIO, ENODEV, ENOENT, ENOMEM, EPERM
from numakit.kernels import KERNELS
from numakit.syscalls.move_pages_in_chunks import CHUNK
from tests.kernels.small_world import FRAMES, SmallWorld, small_world

Answer = tuple[int | None, Sequence[int | None]]
KERNEL_NAMES = ("seed", "742755a", "2.6.18", "2.6.29", "6.1", "6.12")


class Difference(NamedTuple):
    """A call, and the answers of the kernels in the order of KERNEL_NAMES."""

    name: str
    call: Callable[[SmallWorld], Answer]
    answers: tuple[Answer, ...]


def moved(world: SmallWorld, addresses: list[int], nodes: list[int], flags: int = 2) -> Answer:
    """The shell moves pages of its own."""
    result = world.shell.move_pages(0, addresses, nodes, flags)
    return result.ret, list(result.status)


def zero_page(world: SmallWorld) -> Answer:
    """A page that was only read, beside one that moves."""
    area = world.shell.mmap(1)
    world.shell.read(area)
    return moved(world, [area[0], world.area[0]], [1, 1])


def hole_below_an_area(world: SmallWorld) -> Answer:
    """An address in no area, with an area above it."""
    return moved(world, [world.area[0] - PAGE_SIZE, world.area[0]], [1, 1])


def hole_above_all_areas(world: SmallWorld) -> Answer:
    """An address above the last area."""
    return moved(world, [world.area.end + PAGE_SIZE, world.area[0]], [1, 1])


def never_touched(world: SmallWorld) -> Answer:
    """Anonymous memory that nobody has touched."""
    return moved(world, [world.shell.mmap(1)[0], world.area[0]], [1, 1])


def pinned(world: SmallWorld) -> Answer:
    """A page held by a pipe in all passes, between two that move."""
    world.shell.vmsplice(world.area[1])
    return moved(world, list(world.area[0:3]), [1, 1, 1])


def full_node(world: SmallWorld) -> Answer:
    """The target is full, its nearest neighbour is not."""
    world.fill(2)
    return moved(world, list(world.area[0:2]), [2, 2])


def all_full(world: SmallWorld) -> Answer:
    """Node 1 has one frame left, and no other node has any: the second page finds none."""
    world.fill(2)
    world.fill(0)
    spare = world.machine.alloc_page(1)
    assert spare is not None
    world.fill(1)
    world.machine.free_page(spare)
    return moved(world, list(world.area[0:3]), [1, 1, 1])


def mlocked(world: SmallWorld) -> Answer:
    """A page of an area that is mlocked."""
    world.shell.mlock(world.area[0])
    return moved(world, [world.area[0]], [1])


def mapped_twice_by_one_process(world: SmallWorld) -> Answer:
    """Two areas of one process lead to one page of shared memory."""
    file = world.machine.file("log", 1, "tmpfs")
    first, second = (world.shell.mmap(1, shared=True, file=file) for _ in range(2))
    world.shell.write(first)
    world.shell.read(second)
    return moved(world, [first[0]], [1])


def shared_by_two(world: SmallWorld) -> Answer:
    """Parent and child map the page: nobody moves it without MOVE_ALL."""
    world.shell.fork("child")
    return moved(world, [world.area[0]], [1])


def busy_at_isolation(world: SmallWorld) -> Answer:
    """The only page of the call is isolated by somebody else."""
    world.machine.migrate_prep()
    page = world.shell.page(world.area[0])
    assert page is not None
    assert world.machine.isolate_lru_page(page) == 0
    return moved(world, [world.area[0]], [1])


def nothing_to_move(world: SmallWorld) -> Answer:
    """The page is where it is wanted."""
    return moved(world, [world.area[0]], [0])


def empty_list(world: SmallWorld) -> Answer:
    """No page at all, with nodes given."""
    return moved(world, [], [])


def duplicate(world: SmallWorld) -> Answer:
    """One page twice, with one target."""
    return moved(world, [world.area[0]] * 2, [1, 1])


def duplicate_with_two_targets(world: SmallWorld) -> Answer:
    """One page twice, with two targets."""
    return moved(world, [world.area[0]] * 2, [1, 2])


def first_match(world: SmallWorld) -> Answer:
    """One page twice, first where it is already."""
    return moved(world, [world.area[0]] * 2, [0, 1])


def negative_node(world: SmallWorld) -> Answer:
    """A node id below 0, behind a page that could move."""
    return moved(world, list(world.area[0:2]), [1, -1])


def node_beyond_the_mask(world: SmallWorld) -> Answer:
    """A node id that is not below MAX_NUMNODES."""
    return moved(world, [world.area[0]], [1024])


def offline_node(world: SmallWorld) -> Answer:
    """A node id in range that is not online, behind a page that could move."""
    return moved(world, list(world.area[0:2]), [1, 7])


def offline_node_in_the_second_chunk(world: SmallWorld) -> Answer:
    """A bad node behind so many entries as 2.6.29 takes at once, and one more; all others are where they should be."""
    entries = CHUNK + 2
    return moved(world, [world.area[0]] * entries, [0] * (entries - 1) + [7])


def pinned_in_the_first_chunk(world: SmallWorld) -> Answer:
    """A page that cannot move, and then a chunk and more of pages that are where they should be."""
    world.shell.vmsplice(world.area[1])
    return moved(world, [world.area[1], *[world.area[0]] * CHUNK], [1] + [0] * CHUNK)


def dirty_page_whose_write_fails(world: SmallWorld) -> Answer:
    """The file system has no migration function, and its writepage fails."""
    area = world.shell.mmap(1, shared=True, file=world.machine.file("log", 1, "faulty"))
    world.shell.write(area)
    return moved(world, [area[0]], [1])


def dirty_page_without_writepage(world: SmallWorld) -> Answer:
    """The file system can neither move nor write a dirty page."""
    area = world.shell.mmap(1, shared=True, file=world.machine.file("log", 1, "ramfs"))
    world.shell.write(area)
    return moved(world, [area[0]], [1])


def kernel_thread_of_another_user(world: SmallWorld) -> Answer:
    """A kernel thread belongs to root, and has no memory: which of the two is looked at first?"""
    thread = world.machine.kernel_thread("kswapd0")
    result = world.shell.move_pages(thread.pid, [world.area[0]], [1])
    return result.ret, list(result.status)


def setuid_program_of_the_same_user(world: SmallWorld) -> Answer:
    """A process that runs with another effective uid (CVE-2017-14140)."""
    target = world.machine.spawn("su", uid=1000, euid=0, suid=0, node=0)
    area = target.mmap(1)
    target.write(area)
    result = world.shell.move_pages(target.pid, area, [1])
    return result.ret, list(result.status)


def too_many_pages(world: SmallWorld) -> Answer:
    """nr_pages far beyond the array, which ends with its area."""
    array = world.shell.array(world.shell.mmap(1).start, [world.area[0]], 8)
    result = world.shell.move_pages(0, array, None, nr_pages=2**60)
    return result.ret, list(result.status[:1])


W = None  # not written


def in_order(seed: Answer, of_2006: Answer, of_2009: Answer, now: Answer) -> tuple[Answer, ...]:
    """The answers where the two kernels of 2006 agree, and the two of today do."""
    return (seed, of_2006, of_2006, of_2009, now, now)


def since_2009(seed: Answer, of_2006: Answer, now: Answer) -> tuple[Answer, ...]:
    """The answers where 2.6.29 says what the kernels of today say."""
    return in_order(seed, of_2006, now, now)


def since_today(seed: Answer, until_2009: Answer, now: Answer) -> tuple[Answer, ...]:
    """The answers where 2.6.29 says what the kernels of 2006 said."""
    return in_order(seed, until_2009, until_2009, now)


ABSENT, FAULT = (0, [-ENOENT, 1]), (0, [-EFAULT, 1])
THERE = [0] * CHUNK

DIFFERENCES = (
    Difference("zero page", zero_page, since_today(FAULT, ABSENT, FAULT)),
    Difference("hole below", hole_below_an_area, since_today(FAULT, ABSENT, FAULT)),
    Difference("hole above all areas", hole_above_all_areas, (FAULT,) * 6),
    Difference("never touched", never_touched, (ABSENT, ABSENT, ABSENT, ABSENT, FAULT, ABSENT)),
    Difference("pinned", pinned, in_order(
        (0, [1, -EBUSY, 1]), (1, [1, -EAGAIN, 1]), (0, [1, -EAGAIN, 1]), (1, [W, W, W]))),
    Difference("full node", full_node, since_2009((0, [-ENOMEM] * 2), (0, [1, 1]), (-ENOMEM, [W, W]))),
    Difference("all full", all_full, since_2009((0, [1, -ENOMEM, -ENOMEM]), (-ENOMEM, [W] * 3), (-ENOMEM, [W] * 3))),
    Difference("mlocked", mlocked, ((0, [-EPERM]), (1, [-EPERM]), (0, [1]), (0, [1]), (0, [1]), (0, [1]))),
    Difference("mapped twice", mapped_twice_by_one_process, since_2009((0, [1]), (-ENOENT, [W]), (0, [-EACCES]))),
    Difference("shared by two", shared_by_two, since_2009((-ENOENT, [W]), (-ENOENT, [W]), (0, [-EACCES]))),
    Difference("busy at isolation", busy_at_isolation, since_2009((0, [-EBUSY]), (-ENOENT, [W]), (0, [-EBUSY]))),
    Difference("nothing to move", nothing_to_move, since_2009((-ENOENT, [W]), (-ENOENT, [W]), (0, [0]))),
    Difference("empty list", empty_list, since_2009((-ENOENT, []), (-ENOENT, []), (0, []))),
    Difference("duplicate", duplicate, ((0, [1, -EBUSY]),) * 6),
    Difference("two targets", duplicate_with_two_targets, since_today((0, [1, -EBUSY]), (0, [1, -EBUSY]), (0, [1, 2]))),
    Difference("first match", first_match, since_today((0, [0, 1]), (0, [0, 0]), (0, [0, 1]))),
    Difference("negative node", negative_node, since_today((-ENODEV, [W, W]), (None, [W, W]), (-ENODEV, [1, W]))),
    Difference("node beyond the mask", node_beyond_the_mask, since_today((-ENODEV, [W]), (None, [W]), (-ENODEV, [W]))),
    Difference("offline node", offline_node, since_today((-ENODEV, [W, W]), (-ENODEV, [W, W]), (-ENODEV, [1, W]))),
    Difference("offline in the second chunk", offline_node_in_the_second_chunk, in_order(
        (-ENODEV, [W] * (CHUNK + 2)), (-ENODEV, [W] * (CHUNK + 2)),
        (-ENODEV, [*THERE, W, W]), (-ENODEV, [*THERE, 0, W]))),
    Difference("pinned in the first chunk", pinned_in_the_first_chunk, in_order(
        (0, [-EBUSY, *THERE]), (1, [-EAGAIN, *THERE]), (0, [-EAGAIN, *THERE]), (CHUNK + 1, [W] * (CHUNK + 1)))),
    Difference("a write that fails", dirty_page_whose_write_fails, in_order(
        (0, [-EIO]), (None, [W]), (0, [-EIO]), (1, [W]))),
    Difference("no writepage", dirty_page_without_writepage, in_order(
        (0, [-EINVAL]), (1, [-EINVAL]), (0, [-EINVAL]), (1, [W]))),
    Difference("kernel thread", kernel_thread_of_another_user, since_today(
        (-EINVAL, [W]), (-EINVAL, [W]), (-EPERM, [W]))),
    Difference("setuid program", setuid_program_of_the_same_user, since_today((0, [1]), (0, [1]), (-EPERM, [W]))),
    Difference("too many pages", too_many_pages, since_2009((-E2BIG, [W]), (-E2BIG, [W]), (-EFAULT, [0]))),
)  # fmt: skip


@pytest.mark.parametrize("kernel", KERNEL_NAMES)
@pytest.mark.parametrize("row", DIFFERENCES, ids=lambda row: row.name)
def test_each_kernel_answers_in_its_own_way(row: Difference, kernel: str) -> None:
    """Return code and status[] of the same call, on each kernel; and the machine is sound, unless it hit a BUG."""
    world = small_world(kernel)
    ret, status = row.call(world)
    assert (ret, list(status)) == row.answers[KERNEL_NAMES.index(kernel)]
    if ret is not None:
        assert world.machine.inconsistencies() == []


def test_the_table_has_every_kernel() -> None:
    """A kernel that is added is added here."""
    assert tuple(KERNELS) == KERNEL_NAMES


def test_no_row_is_the_same_twice() -> None:
    """Rows are differences, but for two that mark where one ends."""
    same = {row.name for row in DIFFERENCES if len({(ret, tuple(status)) for ret, status in row.answers}) == 1}
    assert same == {"hole above all areas", "duplicate"}


@pytest.mark.parametrize("kernel", ["742755a", "2.6.18"])
def test_a_full_node_of_2006_gives_a_page_of_the_nearest_node_to_it(kernel: str) -> None:
    """The zonelist is the target's: from node 2 to 1, though the page lies on 0; the status is where it really went."""
    world = small_world(kernel)
    world.fill(2)
    result = world.shell.move_pages(0, world.area, [2] * 4)
    assert (result.status, world.area.nodes) == ([1] * 4, [1] * 4)


@pytest.mark.parametrize("kernel", ["742755a", "2.6.18"])
def test_the_fallback_of_2006_obeys_the_cpuset_of_the_caller(kernel: str) -> None:
    """Root may name node 2, and its own cpuset sends the page to 0, the only other node that it has."""
    world = small_world(kernel)
    root = world.machine.spawn("root", uid=0, mems={0}, node=0)
    result = root.move_pages(world.shell.pid, world.area[0:1], [2], MPOL_MF_MOVE_ALL)
    assert result.status == [0]


def test_a_bug_stops_the_machine_until_it_is_stepped_back() -> None:
    """No further call is made; the run can be gone back, and then all is as before."""
    world = small_world("2.6.18")
    before = world.machine.fingerprint()
    run = world.machine.record(world.shell.move_pages, 0, world.area[0:1], [-1])
    assert run.result.ret is None
    assert "reads outside the node mask" in run.result.explain()
    assert "a BUG" in str(run.result)
    with pytest.raises(RuntimeError, match=r"hit a BUG .*stepped back \(run\.first\(\)\)"):
        world.shell.write(world.area[0])
    run.first()
    assert world.machine.fingerprint() == before


def test_the_quadratic_scan_is_counted_on_every_kernel_of_2006() -> None:
    """Entry i costs i + 1 looks."""
    for kernel in ("seed", "742755a", "2.6.18"):
        world = small_world(kernel)
        assert world.shell.move_pages(0, world.area, [1] * 4).costs.scanned == 1 + 2 + 3 + 4


def test_a_chunk_cures_the_quadratic_scan_and_batches_need_none() -> None:
    """From 2.6.29 on the search begins anew with every chunk; since 4.17 the node is that of the whole batch."""
    looks = {}
    for kernel in ("2.6.18", "2.6.29", "6.12"):
        machine = Machine(Topology.preset("two-sockets"), kernel)
        shell = machine.spawn("shell", node=0)
        area = shell.mmap(2 * CHUNK + 1)
        shell.write(area)
        result = shell.move_pages(0, area, [1] * len(area))
        assert (result.ret, set(result.status)) == (0, {1})
        looks[kernel] = result.costs.scanned
    n = 2 * CHUNK + 1
    assert looks == {"2.6.18": n * (n + 1) // 2, "2.6.29": CHUNK * (CHUNK + 1) + 1, "6.12": 0}


def test_a_page_of_entries_is_a_chunk() -> None:
    """169 entries of 24 bytes and the mark behind them fill 4096 bytes."""
    assert CHUNK == 169


@pytest.mark.parametrize(("kernel", "ret"), [("2.6.18", 0), ("2.6.29", -ENODEV), ("6.12", -ENODEV)])
def test_a_node_without_memory_is_no_target_since_2_6_24(kernel: str, ret: int) -> None:
    """Before, the page goes to the next node of its zonelist."""
    graph: nx.DiGraph[int] = nx.DiGraph(name="one without memory")
    for node, memory in enumerate((FRAMES * PAGE_SIZE, 0)):
        graph.add_node(node, memory=memory, cpus=(node,))
    graph.add_edges_from(((0, 1), (1, 0)), distance=20)
    topology = Topology.from_networkx(graph)
    shell = Machine(topology, kernel).spawn("shell", node=0)
    area = shell.mmap(1)
    shell.write(area)
    assert shell.move_pages(0, area, [1]).ret == ret


def test_frames_are_enough() -> None:
    """The rows above fill nodes; the machine is as large as they think."""
    world = small_world("seed")
    assert [len(world.machine.frames_of(node)) for node in range(3)] == [FRAMES] * 3


@pytest.mark.parametrize(
    ("kernel", "capability"),
    [("seed", "CAP_SYS_NICE"), ("2.6.18", "CAP_SYS_NICE"), *dict.fromkeys(("6.1", "6.12"), "CAP_SYS_PTRACE").items()],
)
def test_another_user_is_told_which_capability_would_help(kernel: str, capability: str) -> None:
    """CAP_SYS_NICE alone lets nobody in since 4.13: who may look into the process may move it."""
    machine = small_world(kernel).machine
    target = machine.spawn("target", uid=2000, node=0)
    for asked in ("move_pages", "migrate_pages"):
        caller = machine.spawn(f"caller of {asked}", uid=1000, node=0)
        given = machine.spawn(f"given {asked}", uid=1000, node=0, capabilities=(capability,))
        arguments = (target.pid, [target.mmap(1)[0]], [1]) if asked == "move_pages" else (target.pid, {0}, {1})
        refused, allowed = getattr(caller, asked)(*arguments), getattr(given, asked)(*arguments)
        assert (refused.ret, refused.row) == (-EPERM, "other-user")
        assert f"with {capability}." in " ".join(refused.explain().split())
        assert allowed.row != "other-user"
