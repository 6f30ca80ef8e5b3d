"""Processes of a live world: they are made, they answer, and none is left over, however the world ends."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from numakit import PAGE_SIZE, Result
from numakit.abi import EFAULT, EINVAL, ESRCH, MPOL_BIND, MPOL_DEFAULT, MPOL_F_ADDR, MPOL_F_NODE
from numakit.live import CannotTry, Ended, LiveProcess, World, own_pages, query
from numakit.numa_maps import parse_numa_maps
from tests.clone import ROOT

END_SECONDS = 20.0


def state(pid: int) -> str:
    """What a process is doing, as proc(5) has it: "S", "Z" for a zombie; "" for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    """The process that is told when another ends."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def wait_until_gone(pids: Iterable[int], allowed: str = "") -> None:
    """Fails for a process that is still there after a while, if only as a zombie, unless that is ``allowed``."""
    deadline = time.monotonic() + END_SECONDS
    for pid in pids:
        while state(pid) not in ("", allowed):
            assert time.monotonic() < deadline, f"process {pid} is still there, in state {state(pid)}"
            time.sleep(0.001)


def family(world: World) -> list[int]:
    """A process, its child, a grandchild whose parent has exited; and the process that all come from."""
    shell = world.spawn("shell")
    child = shell.fork("child")
    grandchild = child.fork("grandchild")
    child.exit()
    return [world.pid, shell.pid, child.pid, grandchild.pid]


# -- the end


def test_no_process_is_left_over_when_the_block_ends() -> None:
    """Neither running nor as a zombie; orphans are no exception."""
    with World() as world:
        pids = family(world)
        assert [bool(state(pid)) for pid in pids] == [True, True, False, True]
        assert parent_of(pids[3]) == world.pid  # an orphan comes back to where it will be reaped
    assert [state(pid) for pid in pids] == [""] * 4


def test_processes_end_without_being_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody holds the other end of a channel that is not its own: all see the end at once."""
    signals = []

    def kill(pid: int, number: int, kill: Callable[[int, int], None] = os.kill) -> None:
        signals.append(number)
        kill(pid, number)

    monkeypatch.setattr("numakit.live.lifetime.END_SECONDS", 1.0)
    monkeypatch.setattr(os, "kill", kill)
    with World() as world:
        pids = family(world)
    wait_until_gone(pids)
    assert signal.SIGKILL not in signals


def test_no_process_is_left_over_after_an_exception() -> None:
    """The block ends as it would without."""
    world = World()
    pids = family(world)
    with pytest.raises(KeyError), world:
        raise KeyError
    wait_until_gone(pids)


def test_a_world_that_is_forgotten_ends() -> None:
    """As when a cell of a notebook is run again."""
    world = World()
    pids = family(world)
    del world
    gc.collect()
    wait_until_gone(pids)


KILLED = """
import os, signal, sys
from tests.live.test_world import family
from numakit.live import World
print(*family(World()), flush=True)
{end}
"""


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)", "pass", "sys.exit(3)"])
def test_no_process_outlives_the_python_that_made_it(end: str) -> None:
    """Not even if that is killed, and has no chance to tell anybody."""
    program = KILLED.format(end=end)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    nursery, *processes = map(int, done.stdout.split())
    wait_until_gone(processes)
    wait_until_gone([nursery], allowed="Z")  # when an orphan is reaped is up to the first process of the system


def test_a_fork_of_this_python_does_not_end_the_world_at_its_own_end(world: World, shell: LiveProcess) -> None:
    """It has the world in its memory, and leaves it alone."""
    pid = os.fork()
    if not pid:
        world.close()
        os._exit(0)
    os.waitpid(pid, 0)
    assert shell.read(shell.mmap(1)[0]) == 0


def test_a_process_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is waited for, and then no longer."""
    monkeypatch.setattr("numakit.live.lifetime.END_SECONDS", 0.2)
    with World() as world:
        pids = family(world)
        os.kill(pids[1], signal.SIGSTOP)
        os.kill(pids[3], signal.SIGSTOP)
    wait_until_gone(pids)


def test_a_process_that_was_killed_is_reported_and_not_waited_for(world: World, shell: LiveProcess) -> None:
    """The next call says so; so does the one after it."""
    os.kill(shell.pid, signal.SIGKILL)
    wait_until_gone([shell.pid])
    with pytest.raises(Ended, match=rf"shell \(pid {shell.pid}\) ended during mmap\(\)"):
        shell.mmap(1)
    with pytest.raises(Ended, match="has ended: it cannot make mmap"):
        shell.mmap(1)
    assert not shell.alive


def test_an_interrupted_call_ends_its_process(
    world: World, shell: LiveProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer, still under way, would be taken for that of the next call."""

    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("numakit.live.channel.Channel.receive", interrupted)
    with pytest.raises(KeyboardInterrupt):
        shell.mmap(1)
    assert not shell.alive
    wait_until_gone([shell.pid])


def test_a_closed_world_makes_no_processes() -> None:
    """And says so; closing it twice does nothing."""
    world = World()
    shell = world.spawn("shell")
    world.close()
    world.close()
    assert (world.closed, shell.alive, repr(world).endswith("closed>")) == (True, False, True)
    with pytest.raises(ValueError, match="was closed"):
        world.spawn("late")


def test_files_are_removed_with_the_world() -> None:
    """And their folder."""
    with World() as world:
        paths = [world.file("a name / with a slash", 2).path, world.file("b", 1).path]
        assert [path.stat().st_size for path in paths] == [2 * PAGE_SIZE, PAGE_SIZE]
    assert not any(path.parent.exists() for path in paths)


def test_cpusets_are_removed_with_the_world() -> None:
    """Nothing is left in the control file system."""
    with World() as world:
        node = world.topology.nodes[0]
        shell = world.spawn("shell", mems=[node])
        cpuset = world.cpusets[0]
        assert cpuset.mems == {node}
        assert str(shell.pid) in (cpuset.folder / "cgroup.procs").read_text().split()
        assert cpuset.set_mems([1023]) < 0
        assert cpuset.mems == {node}
    assert not cpuset.folder.exists()


# -- who they are


def test_nothing_of_this_python_is_in_a_process(world: World, shell: LiveProcess) -> None:
    """It is a fresh one: small, and without the kit."""
    areas = parse_numa_maps(shell.numa_maps())
    assert sum(area.pages for area in areas) < 10_000  # 40 MB
    assert not any("networkx" in (area.file or "") for area in areas)


def test_process_is_who_it_was_to_be(world: World) -> None:
    """Ids of a user, CPUs of a node."""
    node = next(node for node in world.topology.nodes if world.topology.cpus(node))
    process = world.spawn("mixed", uid=1000, euid=1001, suid=1002, node=node)
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert "\nUid:\t1000\t1001\t1002\t" in status
    assert os.sched_getaffinity(process.pid) <= set(world.topology.cpus(node))


def test_an_ordinary_process_has_no_rights_of_root(world: World, shell: LiveProcess) -> None:
    """Also if root made it."""
    status = Path(f"/proc/{shell.pid}/status").read_text()
    assert "\nCapEff:\t0000000000000000\n" in status or os.getuid() != 0
    assert "\nUid:\t0\t" not in status


def test_a_user_that_nobody_may_become_is_refused_in_words(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes root."""
    if os.getuid() == 0:
        pytest.skip("root may become anybody")
    with pytest.raises(CannotTry, match=r"root cannot be made here: the kernel answers Operation not permitted"):
        world.spawn("root", uid=0)


# -- what they answer


def test_result_is_the_one_of_the_model(world: World, shell: LiveProcess) -> None:
    """Same class, same table, and the kernel's release in place of reasons."""
    area = shell.mmap(2)
    shell.write(area[0])
    result = shell.move_pages(0, area)
    assert isinstance(result, Result)
    assert (result.ret, result.outcome, result.addresses) == (0, result.status, tuple(area))
    assert (result.row, result.rows, result.kernel) == ("", [None, None], world.kernel)
    assert f"{area[0]:#x}" in str(result)
    assert "query: The call asked where the pages are" in result.explain()
    assert result.explain(1).startswith(f"Entry 1 ({area[1]:#x}): -E")
    assert "<table>" in result._repr_html_()


def test_contents_follow_what_was_written(world: World, shell: LiveProcess) -> None:
    """Every write renews the token of a page, and no two pages have the same."""
    area = shell.mmap(3)
    assert shell.write(area[0:2]) == 0
    first = shell.read(area)
    assert shell.write(area[0]) == 0
    assert first[2] == 0 < first[0] < first[1] < shell.read(area[0])
    assert shell.read(area[1:2]) == [first[1]]


def test_kernel_writes_where_the_process_would_be_killed(world: World, shell: LiveProcess) -> None:
    """-EFAULT at the first page that cannot be written; those before it are written."""
    area = shell.mmap(3)
    shell.mprotect(area[1], 0)
    assert shell.write(area) == -EFAULT
    assert [token > 0 for token in shell.read(area)] == [True, False, False]
    assert shell.read(area) == [shell.read(area[0]), -EFAULT, 0]


def test_areas_do_not_touch_each_other(world: World, shell: LiveProcess) -> None:
    """The kernel would make one of two, and an address beside one would be in the other."""
    areas = [shell.mmap(pages) for pages in (1, 2, 1, 3)]
    starts = {area.start for area in parse_numa_maps(shell.numa_maps())}
    assert {area.start for area in areas} <= starts
    status = shell.move_pages(0, [area.end for area in areas] + [area.start - 1 for area in areas]).status
    assert status == [-EFAULT] * 8


def test_status_of_the_caller_is_written_only_where_the_kernel_writes(world: World, shell: LiveProcess) -> None:
    """What stood there before the call stands there after it failed, and is not taken for an answer."""
    area, room = shell.mmap(2), shell.mmap(1)
    shell.write(area)
    status = shell.array(room[0], [77, 78], 4)
    assert shell.move_pages(0, area, None, 64, status).status == [None, None]
    assert shell.read(room[0]) == 78 << 32 | 77
    told = shell.move_pages(0, area, None, 2, status).status
    assert shell.read(room[0]) == (told[1] or 0) << 32 | (told[0] or 0)


def test_mbind_and_migrate_pages_reach_the_kernel(world: World, shell: LiveProcess) -> None:
    """With their masks: what is set is told, and each refusal is the kernel's own."""
    node = world.topology.nodes[0]
    area = shell.mmap(3)
    shell.write(area)
    assert shell.mbind(area[1], MPOL_BIND, {node}) == 0
    assert list(shell.get_mempolicy(area[1], MPOL_F_ADDR)) == [0, MPOL_BIND, (node,)]
    assert list(shell.get_mempolicy(area[2], MPOL_F_ADDR)) == [0, MPOL_DEFAULT, ()]
    assert list(shell.get_mempolicy(area[1], MPOL_F_ADDR | MPOL_F_NODE)) == [
        0,
        shell.move_pages(0, area).status[1],
        (node,),
    ]
    assert shell.mbind(area, MPOL_BIND, {1023}) == -EINVAL
    assert shell.migrate_pages(0, {node}, {node}) == 0
    refused = shell.migrate_pages(1 << 30, {node}, {node})
    assert (refused.ret, refused.kernel) == (-ESRCH, world.kernel)
    assert refused.explain().startswith(f"migrate_pages(pid={1 << 30}, [{node}], [{node}]) returned -ESRCH. ")


def test_more_pages_than_fit_into_one_message_part(world: World, shell: LiveProcess) -> None:
    """Arrays travel whole."""
    area = shell.mmap(20_000)
    shell.write(area[0::1000])
    result = shell.move_pages(0, area)
    assert result.ret == 0
    assert [i for i, node in enumerate(result.status) if node is not None and node >= 0] == list(range(0, 20_000, 1000))


def test_nodes_of_an_area_are_asked_for(world: World, shell: LiveProcess) -> None:
    """None where no page is present, or nobody is left to ask."""
    area = shell.mmap(2)
    shell.write(area[1])
    assert area.nodes[0] is None
    assert area.nodes[1] in world.topology.nodes
    shell.exit()
    assert area.nodes == [None, None]


def test_pipe_holds_pages_until_it_is_released(world: World, shell: LiveProcess) -> None:
    """A child holds nothing of what its parent holds."""
    area = shell.mmap(40)
    shell.write(area)
    pin = shell.vmsplice(area)
    child = shell.fork()
    assert (pin.held, pin.release(), pin.held) == (40, 0, 0)
    assert child.read(area[0]) > 0
    shell.munmap(area[3])
    assert shell.vmsplice(area[0:5]).held == 3
    with pytest.raises(ValueError, match="257 are more than the 256"):
        shell.vmsplice(shell.mmap(257))


def test_numa_maps_tells_of_an_area(world: World, shell: LiveProcess) -> None:
    """The reader understands the running kernel."""
    area = shell.mmap(4)
    shell.write(area[0:3])
    (told,) = [told for told in parse_numa_maps(shell.numa_maps()) if told.start == area.start]
    assert (told.pages, told.anon, told.dirty, told.page_size) == (3, 3, 3, PAGE_SIZE)
    assert told.others == {}


def test_query_of_own_pages_agrees_with_a_world(world: World, shell: LiveProcess) -> None:
    """Both ask the same kernel."""
    area = shell.mmap(2)
    shell.write(area[0])
    with own_pages(2) as mine:
        mine.touch(1)
        assert query(mine.addresses).status[1] == shell.move_pages(0, area).status[1]


# -- wrong arguments


@pytest.mark.parametrize(
    ("call", "wrong", "says"),
    [
        ("mmap", {"pages": 0}, "pages=0"),
        ("mmap", {"pages": 1, "file": "name"}, "file='name'"),
        ("mmap", {"pages": 1, "offset": 1}, "offset=1"),
        ("mprotect", {"pages": 4096, "prot": 9}, "prot=9"),
        ("munmap", {"pages": [4096, 12288]}, "neighbouring"),
        ("write", {"pages": "0x1000"}, "an address is a whole number"),
        ("move_pages", {"pid": "1", "pages": []}, "pid='1'"),
        ("move_pages", {"pid": 0, "pages": [1 << 64]}, r"pages\[0\]"),
        ("move_pages", {"pid": 0, "pages": [4096], "nodes": []}, "the length of nodes is 0"),
        ("move_pages", {"pid": 0, "pages": [4096], "status": [0]}, "status="),
        ("mbind", {"pages": 4096, "mode": "bind"}, "mode='bind'"),
        ("mbind", {"pages": 4096, "mode": 2, "nodes": {-1}}, "nodes="),
        ("set_mempolicy", {"mode": 2, "nodes": {1 << 20}}, "nodes="),
        ("get_mempolicy", {"address": "0"}, "address='0'"),
        ("migrate_pages", {"pid": 0, "old_nodes": "0", "new_nodes": {0}}, "old_nodes="),
        ("array", {"address": 4096, "values": [1], "size": 2}, "size=2"),
    ],
)
def test_wrong_argument_is_named_and_the_process_lives_on(
    shell: LiveProcess, call: str, wrong: dict[str, object], says: str
) -> None:
    """Nothing is asked then."""
    with pytest.raises(ValueError, match=says):
        getattr(shell, call)(**wrong)
    assert shell.mbind(shell.mmap(1), 77).ret == -EINVAL


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"uid": -1}, "uid=-1"),
        ({"euid": 1 << 32}, "euid="),
        ({"node": 1023}, "node=1023"),
        ({"capabilities": ("CAP_SYS_ADMIN",)}, "capabilities="),
    ],
)
def test_wrong_argument_of_spawn_is_named(world: World, wrong: dict[str, object], says: str) -> None:
    """Nobody is made then."""
    with pytest.raises(ValueError, match=says):
        world.spawn("wrong", **wrong)  # type: ignore[arg-type]
    assert world.processes == []


@pytest.mark.parametrize("pages", [0, 1 << 17])
def test_size_of_a_file_is_bounded(world: World, pages: int) -> None:
    """A disc is not filled by accident."""
    with pytest.raises(ValueError, match=f"pages={pages}"):
        world.file("data", pages)
