"""Where memory comes from and how it goes: first touch, copy on write, fork, exit, and areas that are cut."""

from __future__ import annotations

from collections.abc import Callable
from errno import EFAULT, ENOMEM

import pytest

from numakit import PAGE_SIZE, PROT_NONE, PROT_READ, PROT_WRITE, Machine, Process, Vma

Fill = Callable[[Machine, int], Process]
MakeMachine = Callable[..., Machine]


def touched(process: Process, pages: int = 1) -> Vma:
    """Memory that the process has written to."""
    area = process.mmap(pages=pages)
    assert process.write(area) == 0
    return area


# -- first touch


@pytest.mark.parametrize("node", [0, 1])
def test_the_first_write_takes_a_frame_on_the_node_of_the_cpu(machine: Machine, node: int) -> None:
    """Whoever maps it and wherever the caller was born: who touches decides."""
    process = machine.spawn("process", node=node)
    free = machine.free_frames(node)
    assert touched(process, 3).nodes == [node] * 3
    assert machine.free_frames(node) == free - 3


def test_a_child_on_the_same_cpu_touches_the_same_node(machine: Machine) -> None:
    """fork keeps the CPU."""
    child = machine.spawn("parent", node=1).fork("child")
    assert touched(child).nodes == [1]


def test_mmap_alone_takes_no_frame(machine: Machine, shell: Process) -> None:
    """Memory gets a frame only at the first touch."""
    free = machine.free_frames(0)
    area = shell.mmap(pages=8)
    assert (area.nodes, machine.free_frames(0)) == ([None] * 8, free)


def test_a_new_page_is_written_young_and_waits_in_the_pagevec_of_the_cpu(machine: Machine, shell: Process) -> None:
    """count 2 (PTE, pagevec); after a drain 1, on the active list."""
    area = touched(shell)
    pte, page = shell.pte(area[0]), shell.page(area[0])
    assert page is not None
    assert (pte.writable, pte.dirty, pte.young) == (True, True, True)
    assert machine.frame(page).holders == {"PTE": 1, f"pagevec of CPU {shell.cpu}": 1}
    machine.migrate_prep()
    assert (machine.frame(page).count, machine.lru(0)) == (1, [page])


def test_a_pagevec_is_drained_when_it_is_full(machine: Machine, shell: Process) -> None:
    """With the 14th page."""
    area = touched(shell, 13)
    assert (len(machine.pages_in_pagevec(shell.cpu)), machine.lru(0)) == (13, [])
    shell.write(shell.mmap(pages=1))
    assert (len(machine.pages_in_pagevec(shell.cpu)), len(machine.lru(0))) == (0, 14)
    assert shell.page(area[0]) == machine.lru(0)[-1]


def test_the_last_freed_frame_is_used_first(machine: Machine, shell: Process) -> None:
    """Allocation is deterministic."""
    area = touched(shell, 3)
    pages = [shell.page(address) for address in area]
    machine.migrate_prep()
    shell.munmap(area[0])
    shell.munmap(area[2])
    again = touched(shell, 3)
    assert [shell.page(address) for address in again[0:2]] == [pages[2], pages[0]]
    assert shell.page(again[2]) not in pages


# -- fallback


RING = ((0, 1, 16), (1, 2, 16), (2, 3, 16), (0, 3, 16), (0, 2, 22), (1, 3, 22))


def test_a_full_node_falls_back_by_distance_then_by_id(make_machine: MakeMachine) -> None:
    """In a ring 0 tries itself, its neighbours 1 and 3 (same distance: lower id first), then 2 across."""
    machine = make_machine(dict.fromkeys(range(4), 8), distances=RING)
    area = machine.spawn("greedy", node=0).mmap(pages=31)
    assert area.process.write(area) == 0
    nodes = [node for node in area.nodes if node is not None]
    assert sorted(nodes, key=nodes.index) == nodes
    assert list(dict.fromkeys(nodes)) == [0, 1, 3, 2]
    assert [nodes.count(node) for node in range(4)] == [7, 8, 8, 8]  # node 0 has the zero page


def test_distance_comes_before_the_id(make_machine: MakeMachine) -> None:
    """Node 1 is far from node 2, node 0 is near."""
    distances = [(0, 1, 20), (0, 2, 30), (1, 2, 12)]
    machine = make_machine({0: 8, 1: 8, 2: 8}, distances=distances)
    area = machine.spawn("greedy", node=2).mmap(pages=9)
    area.process.write(area)
    assert area.nodes == [2] * 8 + [1]


def test_memory_that_is_used_up_everywhere_is_enomem(machine: Machine, fill: Fill, shell: Process) -> None:
    """The process would be killed; nothing else changes."""
    fill(machine, 0)
    fill(machine, 1)
    area = shell.mmap(pages=1)
    assert (shell.write(area), area.nodes) == (-ENOMEM, [None])
    assert shell.read(area[0]) == 0  # the zero page needs no frame


def test_a_node_without_memory_takes_its_frames_from_the_nearest(make_machine: MakeMachine) -> None:
    """Its CPUs work; their first touches go elsewhere, and moving to it is impossible."""
    machine = make_machine({0: 16, 1: 0, 2: 16}, distances=[(0, 1, 30), (0, 2, 20), (1, 2, 15)])
    process = machine.spawn("process", node=1)
    area = touched(process, 2)
    assert (process.node, area.nodes, machine.free_frames(1)) == (1, [2, 2], 0)


def test_node_ids_with_holes(make_machine: MakeMachine) -> None:
    """Nodes 2 and 5: node ids are names, not places."""
    machine = make_machine({2: 16, 5: 16}, cpus={2: (0,), 5: (9,)})
    process = machine.spawn("process", node=5)
    area = touched(process, 2)
    assert (process.cpu, area.nodes) == (9, [5, 5])
    result = process.move_pages(0, area, [2, 5])
    assert (result.status, area.nodes) == ([2, 5], [2, 5])
    assert process.move_pages(0, area, [3, 3]).row == "offline"
    with pytest.raises(ValueError, match="nodes with CPUs are"):
        machine.spawn("nowhere", node=0)


# -- cpusets


def test_a_fault_obeys_the_cpuset(machine: Machine) -> None:
    """A process on node 0 that may only use node 1 touches there."""
    assert touched(machine.spawn("process", node=0, mems={1})).nodes == [1]


def test_a_cpuset_that_is_full_is_full(machine: Machine, fill: Fill) -> None:
    """Free frames outside it do not help."""
    fill(machine, 1)
    process = machine.spawn("process", node=0, mems={1})
    assert process.write(process.mmap(pages=1)) == -ENOMEM
    assert machine.free_frames(0) > 0


def test_copy_on_write_obeys_the_cpuset(machine: Machine) -> None:
    """The copy is made for the one who writes."""
    parent = machine.spawn("parent", node=0, mems={1})
    area = touched(parent)
    child = parent.fork("child")
    child.write(area)
    assert child.pte(area[0]).node == 1


def test_the_call_allocates_within_the_callers_own_cpuset(machine: Machine, shell: Process) -> None:
    """The target's cpuset decides whether a node may be asked for, the caller's where a frame comes from."""
    area = touched(shell, 2)
    caller = machine.spawn("caller", node=0, mems={0})
    assert caller.move_pages(shell.pid, area, [1, 1]).rows == ["full", "full"]
    free = machine.spawn("free", node=0, mems={0, 1})
    assert free.move_pages(shell.pid, area, [1, 1]).rows == ["moved", "moved"]


def test_a_child_is_in_its_parents_cpuset(machine: Machine) -> None:
    """fork copies it."""
    assert machine.spawn("parent", mems={1}).fork("child").mems == {1}


# -- the zero page, and copy on write


def test_reading_maps_the_zero_page_without_a_frame(machine: Machine, shell: Process) -> None:
    """One page of zeroes for all, read-only; the first write gets a frame near the CPU, with zeroes in it before."""
    area, other = shell.mmap(pages=2), machine.spawn("other", node=1).mmap(pages=1)
    free = machine.free_frames(0)
    assert shell.read(area) == [0, 0]
    assert other.process.read(other[0]) == 0
    assert shell.page(area[0]) == shell.page(area[1]) == other.process.page(other[0])
    assert (machine.free_frames(0), shell.pte(area[0]).writable) == (free, False)
    other.process.write(other)
    assert (other.nodes, machine.free_frames(0)) == ([1], free)
    assert shell.read(area[0]) == 0 != other.process.read(other[0])


def test_fork_shares_until_one_writes(machine: Machine, shell: Process) -> None:
    """Same frame, both read-only, mapcount 2; the writer gets a copy, the other keeps the page."""
    area = touched(shell, 2)
    page, contents = shell.page(area[0]), shell.read(area[0])
    child = shell.fork("child")
    assert page is not None
    assert child.page(area[0]) == page
    assert machine.frame(page).mapcount == 2
    assert not shell.pte(area[0]).writable
    assert not child.pte(area[0]).writable
    child.write(area[0])
    assert (shell.page(area[0]), machine.frame(page).mapcount) == (page, 1)
    assert child.page(area[0]) != page
    assert shell.read(area[0]) == contents != child.read(area[0])


def test_who_is_left_alone_with_a_page_reuses_it(shell: Process) -> None:
    """After the child has copied, the parent's write makes no second copy."""
    area = touched(shell)
    page = shell.page(area[0])
    shell.fork("child").write(area)
    shell.write(area)
    assert (shell.page(area[0]), shell.pte(area[0]).writable) == (page, True)


def test_the_copy_lies_near_the_cpu_that_writes(machine: Machine, shell: Process) -> None:
    """Wherever the page itself was moved to."""
    area = touched(shell)
    shell.move_pages(0, area, [1])
    child = shell.fork("child")
    child.write(area)
    assert (area.nodes, child.pte(area[0]).node) == ([1], 0)


def test_shared_memory_is_not_copied(machine: Machine, shell: Process) -> None:
    """A write of the child is seen by the parent; pages touched after the fork are shared, too."""
    area = shell.mmap(pages=2, shared=True)
    shell.write(area[0])
    child = shell.fork("child")
    child.write(area)
    assert child.page(area[0]) == shell.page(area[0])
    assert shell.read(area) == child.read(area)


# -- the life of an mm


def test_exit_gives_all_frames_back(machine: Machine) -> None:
    """When the pagevecs are drained the node is as before."""
    free = machine.free_frames(0)
    process = machine.spawn("process", node=0)
    touched(process, 5)
    shared = process.mmap(pages=2, shared=True)
    process.write(shared)
    process.exit()
    machine.migrate_prep()
    assert (process.alive, machine.free_frames(0)) == (False, free)


def test_shared_pages_live_until_the_last_process_is_gone(machine: Machine, shell: Process) -> None:
    """The child keeps what its parent wrote."""
    private, shared = touched(shell), shell.mmap(pages=1, shared=True)
    shell.write(shared)
    contents = shell.read([private[0], shared[0]])
    child = shell.fork("child")
    shell.exit()
    assert child.read([private[0], shared[0]]) == contents
    child.exit()
    machine.migrate_prep()
    assert machine.free_frames(0) == 63


def test_a_call_that_looks_at_an_mm_keeps_it_alive(machine: Machine, shell: Process) -> None:
    """The target exits in the middle: its areas are removed when the call lets go, by the call's own task."""
    area = touched(shell, 2)
    run = machine.begin(machine.spawn("caller", node=1).move_pages, shell.pid, area, [1, 1])
    run.when("FOLLOW_PAGE").do(shell.exit)
    assert run.finish().status == [1, 1]
    by = {step.task.name for step in run.steps if step.moment.name == "ZAP_PTE"}
    machine.migrate_prep()
    assert (by, machine.free_frames(0), machine.free_frames(1)) == ({"move_pages"}, 63, 64)


def test_a_process_that_has_exited_makes_no_calls(shell: Process) -> None:
    """A handle that is kept does no harm: it is refused, and the machine stays as it is."""
    area = touched(shell)
    shell.exit()
    before = shell.machine.fingerprint()
    for call in (lambda: shell.write(area), lambda: shell.move_pages(0, area, [1]), lambda: shell.direct_io(area)):
        with pytest.raises(ValueError, match="has exited"):
            call()
    assert shell.machine.fingerprint() == before


# -- areas that are cut


def test_munmap_of_the_middle_leaves_two_areas(machine: Machine, shell: Process) -> None:
    """What lies beside it keeps its pages."""
    area = touched(shell, 5)
    pages = [shell.page(address) for address in area]
    free = machine.free_frames(0)
    machine.migrate_prep()
    assert shell.munmap(area[1:3]) == 0
    assert [(vma.start, vma.pages) for vma in shell.vmas] == [(area[0], 1), (area[3], 2)]
    assert [shell.page(address) for address in area] == [pages[0], None, None, pages[3], pages[4]]
    assert machine.free_frames(0) == free + 2
    assert shell.write(area[1]) == -EFAULT
    result = shell.move_pages(0, area, [1] * 5)
    assert result.rows == ["moved", "hole", "hole", "moved", "moved"]


def test_munmap_over_several_areas(shell: Process) -> None:
    """A range may reach over holes; both areas are cut."""
    first, second = touched(shell, 2), touched(shell, 2)
    shell.munmap(range(first[1], second[1], PAGE_SIZE))
    assert [(vma.start, vma.pages) for vma in shell.vmas] == [(first[0], 1), (second[1], 1)]


def test_mprotect_cuts_the_area_and_takes_the_write_permission(shell: Process) -> None:
    """The pages stay; a write is refused until the permission is back."""
    area = touched(shell, 3)
    assert shell.mprotect(area[1], PROT_READ) == 0
    assert [vma.pages for vma in shell.vmas] == [1, 1, 1]
    assert [shell.write(address) for address in area] == [0, -EFAULT, 0]
    assert shell.mprotect(area[1], PROT_READ | PROT_WRITE) == 0
    assert shell.write(area[1]) == 0


def test_prot_none_forbids_reading_what_is_there(shell: Process) -> None:
    """Nothing can be read through it, the page stays mapped, and comes back with the permission."""
    area = touched(shell)
    contents, page = shell.read(area[0]), shell.page(area[0])
    shell.mprotect(area, PROT_NONE)
    assert (shell.read(area[0]), shell.write(area), shell.page(area[0])) == (-EFAULT, -EFAULT, page)
    shell.mprotect(area, PROT_READ)
    assert shell.read(area[0]) == contents


@pytest.mark.parametrize("call", ["mprotect", "mlock", "munlock"])
def test_a_range_with_a_hole_is_enomem(shell: Process, call: str) -> None:
    """What lies before the hole is changed."""
    first, second = touched(shell), touched(shell)
    pages = range(first[0], second.end, PAGE_SIZE)
    rc = shell.mprotect(pages, PROT_READ) if call == "mprotect" else getattr(shell, call)(pages)
    assert rc == -ENOMEM


def test_mlock_faults_everything_in_and_cuts_the_area(shell: Process) -> None:
    """Also what was only read: it gets a frame of its own."""
    area = shell.mmap(pages=4)
    shell.read(area[1])
    assert shell.mlock(area[1:3]) == 0
    assert area.nodes == [None, 0, 0, None]
    assert [vma.pages for vma in shell.vmas] == [1, 2, 1]
    shell.write(area)
    assert shell.move_pages(0, area, [1] * 4).rows == ["moved", "mlocked", "mlocked", "moved"]


def test_a_child_inherits_no_mlock(shell: Process) -> None:
    """fork copies the area without it."""
    area = touched(shell)
    shell.mlock(area)
    child = shell.fork("child")
    child.write(area)
    assert child.move_pages(0, area, [1]).rows == ["moved"]


def test_mlock_when_memory_is_full(machine: Machine, fill: Fill, shell: Process) -> None:
    """-ENOMEM, and what was faulted in stays."""
    area = shell.mmap(pages=1)
    fill(machine, 0)
    fill(machine, 1)
    assert shell.mlock(area) == -ENOMEM


def test_a_wish_for_an_address_is_granted_where_nothing_is(shell: Process) -> None:
    """Where an area is in the way another place is taken, as without MAP_FIXED."""
    area = shell.mmap(pages=2, address=0x7000000)
    assert area[0] == 0x7000000
    other = shell.mmap(pages=1, address=area[1])
    assert other[0] not in range(area.start, area.end)
    assert shell.write(other) == 0


# -- pins


@pytest.mark.parametrize("way", ["vmsplice", "direct_io"])
def test_a_pin_holds_a_reference_until_it_is_released(machine: Machine, shell: Process, way: str) -> None:
    """The holder has a name; releasing twice does nothing."""
    area = touched(shell)
    page = shell.page(area[0])
    machine.migrate_prep()
    assert page is not None
    pin = shell.vmsplice(area) if way == "vmsplice" else shell.direct_io(area)
    assert (pin.pages, machine.frame(page).count) == ((page,), 2)
    assert pin.name in machine.frame(page).holders
    assert pin.release() == pin.release() == 0
    assert (pin.pages, machine.frame(page).count) == ((), 1)


def test_a_pinned_page_outlives_its_area(machine: Machine, shell: Process) -> None:
    """The device still writes to it: the frame is free only when the reference is dropped."""
    area = touched(shell)
    page = shell.page(area[0])
    assert page is not None
    pin = shell.direct_io(area)
    shell.munmap(area)
    machine.migrate_prep()
    assert (machine.frame(page).count, machine.frame(page).mapcount) == (1, 0)
    pin.release()
    assert machine.frame(page).count == 0


def test_exit_closes_pipes_and_leaves_devices_at_work(machine: Machine, shell: Process) -> None:
    """A device knows nothing of processes."""
    area = touched(shell, 2)
    pipe, device = shell.vmsplice(area[0]), shell.direct_io(area[1])
    shell.exit()
    machine.migrate_prep()
    assert (pipe.pages, len(device.pages), machine.free_frames(0)) == ((), 1, 62)
    device.release()
    assert machine.free_frames(0) == 63


def test_direct_io_into_shared_memory_breaks_the_sharing_first(shell: Process) -> None:
    """The device writes, so the process gets its copy before; a pipe only reads."""
    area = touched(shell)
    child = shell.fork("child")
    pipe = child.vmsplice(area)
    assert pipe.pages == (shell.page(area[0]),)
    device = child.direct_io(area)
    assert device.pages == (child.page(area[0]),) != (shell.page(area[0]),)


def test_pins_stop_at_what_cannot_be_accessed(shell: Process) -> None:
    """As many as could be had."""
    area = touched(shell, 2)
    assert len(shell.vmsplice([*area, area.end]).pages) == 2
    assert shell.vmsplice(area.end).pages == ()
