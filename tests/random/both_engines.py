"""Random machines and calls for both engines: the bulk engine has to leave behind what the readable one does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest

from numakit import (
    MPOL_BIND,
    MPOL_INTERLEAVE,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    MPOL_PREFERRED,
    PAGE_SIZE,
    Machine,
    Process,
)
from numakit.abi import MPOL_MF_STRICT
from numakit.bulk import first_touch, kernel_migrate_pages, kernel_move_pages, page_range, passes
from numakit.explain.moves import MovesResult
from numakit.facade.pinned import PinnedPages
from numakit.kernels import Kernel
from numakit.machine.state import PG_SWAPCACHE
from numakit.machine.vma import VM_LOCKED
from numakit.migration import kernel_6_12
from numakit.syscalls import move_pages_in_chunks
from tests.random.machines import small_machine
from tests.random.worlds import map_files, pages_behind, swap_out

LARGE, SMALL, SHARED = 30, 6, 4  #: pages of the areas of a process
SWAP_PAGES = 10
NODES = (0, 1, 3)
FILE_SYSTEMS = ("tmpfs", "ext2", "reiserfs", "nfs", *3 * ["faulty"], *3 * ["ramfs"])
MODES = (0, MPOL_PREFERRED, *2 * [MPOL_BIND, MPOL_INTERLEAVE])
SHORT_CHUNK = 9  #: entries that 2.6.29 moves together here, so that calls have several chunks
MOST_PROCESSES = 7


class Played(NamedTuple):
    """What a call asks for; numbers are taken modulo what there is."""

    kind: str
    who: int
    whose: int
    first: int
    pages: int
    random_seed: int


NAMING = (*4 * ["move"], *2 * ["move of other"], "query", "query of other", *2 * ["write"], *2 * ["refused"])
MOVING = (*2 * ["migrate"], *3 * ["mbind"], "mems", "attach")  #: calls about ranges and whole processes
KINDS = (*NAMING, *MOVING, *2 * ["change"])
CALLS = 6


def calls_of(random_seed: int) -> list[Played]:
    """The calls that belong to a random seed."""
    draw = Random(f"calls {random_seed}")
    return [
        Played(
            draw.choice(KINDS), draw.randrange(5), draw.randrange(5),
            draw.choice((0, 0, draw.randrange(45))), draw.randint(5, 60), draw.randrange(2**16),
        )
        for _ in range(CALLS)
    ]  # fmt: skip


def every_run_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines are small here: runs of ordinary pages are moved at once however short they are, and so are chunks."""
    monkeypatch.setattr(passes, "SHORTEST_RUN", 1)
    monkeypatch.setattr(first_touch, "SHORTEST_TOUCH", 1)
    monkeypatch.setattr(move_pages_in_chunks, "CHUNK", SHORT_CHUNK)
    for module in (kernel_6_12, kernel_migrate_pages, kernel_move_pages):
        monkeypatch.setattr(module, "NR_MAX_BATCHED_MIGRATION", 5)
    monkeypatch.setattr(kernel_migrate_pages, "CHUNK", 21)
    monkeypatch.setattr(page_range, "BLOCK", 11)


# -- worlds


def world(random_seed: int, kernel: Kernel, engine: str) -> Machine:
    """Two or three nodes, one of which may be small or without memory; processes that share memory, in a cpuset or
    not, with policies or without; somebody of another user, and a kernel thread.
    """
    draw = Random(f"both engines {random_seed}")
    frames = {0: draw.choice((60, 120)), 1: draw.choice((45, 120)), 3: draw.choice((0, 5, 9, 120))}
    machine = small_machine(frames, kernel, SWAP_PAGES)
    machine.engine = engine
    allowed = draw.choice(((0, 1), (0, 1), (0,), (1,)))
    jobs = machine.cpuset("jobs", allowed, memory_migrate=draw.random() < 0.5)
    parent = machine.spawn("parent", uid=0, node=0, cpuset=jobs if draw.random() < 0.3 else None)
    set_some_policy(draw, parent, 0.2)
    areas = [parent.mmap(LARGE), parent.mmap(SMALL), parent.mmap(SHARED, shared=True)]
    for area in areas:
        if draw.random() < 0.4:
            parent.mbind(area, *some_policy(draw))
    touched = draw.choice((0.2, 0.9, 1))
    parent.write([page for area in areas for page in area if draw.random() < touched])
    parent.read([page for area in areas for page in area if draw.random() < 0.2])
    if draw.random() < 0.7:
        map_files(draw, parent, FILE_SYSTEMS)
    if draw.random() < 0.4:
        parent.munmap(areas[0][draw.randrange(LARGE)])
    if draw.random() < 0.3:
        swap_out(parent, [page for page in areas[0] if draw.random() < 0.2])
        parent.read([page for page in areas[0] if draw.random() < 0.5])
    everywhere = places(parent)
    for name in ("child", "grandchild")[: draw.randrange(3)]:
        child = parent.fork(name)
        child.read([page for page in everywhere if draw.random() < 0.3])
        child.write([page for page in everywhere if draw.random() < draw.choice((0, 0.7))])
    machine.spawn("visitor", uid=draw.choice((0, 1000)), node=1).write([])
    machine.kernel_thread("kswapd")
    if draw.random() < 0.2:
        parent.mlock(areas[0][3:5])
    if draw.random() < 0.4:
        parent.vmsplice(draw.sample(list(areas[1]), 2))
    if draw.random() < 0.2:
        parent.mprotect(areas[0][6:8], 0)
    if draw.random() < 0.2:
        machine.migrate_prep()
        for page in pages_behind(parent, areas[1][:2]):
            machine.isolate_lru_page(page)
    return machine


def set_some_policy(draw: Random, process: Process, often: float) -> None:
    """Perhaps a process gets a policy, and one of its areas another one."""
    if draw.random() < often:
        process.set_mempolicy(*some_policy(draw))
    if process.vmas and draw.random() < often:
        area = process.vmas[draw.randrange(len(process.vmas))]
        process.mbind(area, *some_policy(draw), 0)


def some_nodes(draw: Random) -> list[int]:
    """Some of the nodes, one at least."""
    return [node for node in NODES if draw.random() < 0.5] or [draw.choice(NODES)]


def some_policy(draw: Random) -> tuple[int, list[int]]:
    """A mode and nodes; seldom they do not fit each other."""
    mode = draw.choice(MODES)
    return mode, some_nodes(draw) if mode or draw.random() < 0.05 else []


def places(process: Process) -> list[int]:
    """The pages of a process's areas, with the first one behind each."""
    return [address for vma in process.vmas for address in [*vma, vma.end]]


# -- calls


def play(machine: Machine, call: Played) -> Any:
    """Make a call; what it answered."""
    draw = Random(call.random_seed)
    processes = machine.processes
    caller, target = processes[call.who % len(processes)], processes[call.whose % len(processes)]
    if not caller.mm:
        caller = processes[0]
    if not call.kind.endswith("of other") or not target.mm:
        target = caller
    if call.kind in MOVING:
        return play_moves(machine, draw, call, caller, processes[call.whose % len(processes)])
    addresses = named(draw, target, call)
    pid = 0 if target is caller else target.pid
    if call.kind == "write":
        return caller.write([address for address in named(draw, caller, call) if address < 1 << 47])
    if call.kind.startswith("query"):
        return caller.move_pages(pid, addresses)
    if call.kind == "change":
        return change(draw, machine, caller, [address for address in addresses if address < 1 << 47])
    if call.kind == "refused":
        return refused(draw, machine, caller, addresses)
    nodes = [draw.choice(NODES)] * len(addresses)
    if draw.random() < 0.5:
        nodes = [draw.choice(NODES) for _ in addresses]
    if draw.random() < 0.03 and nodes:
        nodes[draw.randrange(len(nodes))] = draw.choice((-1, 7, 1024))
    return caller.move_pages(pid, addresses, nodes, draw.choice((MPOL_MF_MOVE, MPOL_MF_MOVE_ALL)))


def play_moves(machine: Machine, draw: Random, call: Played, caller: Process, target: Process) -> Any:
    """Make a call about the pages of a range or of a whole process; what it answered."""
    cpuset = draw.choice([cpuset for cpuset in machine.cpusets if cpuset.parent] or machine.cpusets)
    if call.kind == "migrate":
        return caller.migrate_pages(target.pid, some_nodes(draw), some_nodes(draw))
    if call.kind == "mems":
        return cpuset.set_mems(some_nodes(draw))
    if call.kind == "attach":
        return draw.choice(machine.cpusets).attach(target.pid)
    everywhere = places(caller) or [0x10000000]
    start = everywhere[call.first % len(everywhere)]
    its_end = min([vma.end for vma in caller.vmas if vma.end > start], default=start)
    behind = draw.choice((start + call.pages * PAGE_SIZE, everywhere[-1], *3 * [its_end]))
    flags = draw.choice((0, *2 * [MPOL_MF_MOVE], *2 * [MPOL_MF_MOVE_ALL])) | draw.choice((0, MPOL_MF_STRICT))
    mode, nodes = some_policy(draw)
    return caller.mbind(start, mode, nodes, flags, length=max(0, behind - start))


def named(draw: Random, target: Process, call: Played) -> list[int]:
    """The addresses that a call names: in order, in any order, or some several times."""
    everywhere = places(target) or [0x10000000]
    some = everywhere[call.first : call.first + call.pages]
    if draw.random() < 0.3:
        draw.shuffle(some)
    if some and draw.random() < 0.3:
        some = draw.choices(some, k=len(some))
    if draw.random() < 0.1:
        some.append(draw.choice((0, 2**64 - 1, everywhere[-1] + 50 * PAGE_SIZE)))
    return some


def change(draw: Random, machine: Machine, process: Process, addresses: list[int]) -> str:
    """Something else happens between two calls, so that they meet other pages; what it was."""
    one = addresses[:1] or [0x10000000]
    cpuset = machine.cpuset_numbered(1)
    kind = draw.choice(("fork", "lock", "unlock", "unmap", "swap", "policy", "mems", "attach", "pin", "release"))
    match kind:
        case "fork" if len(machine.processes) < MOST_PROCESSES:
            process.fork()
        case "lock":
            process.mlock(one)
        case "unlock":
            process.munlock(one)
        case "unmap":
            process.munmap(one)
        case "swap":
            swap_out(process, addresses[:6])
        case "policy":
            set_some_policy(draw, process, 1)
        case "mems":
            cpuset.set_mems(draw.choice(((0,), (1,), (0, 1))))
        case "attach":
            cpuset.attach(process.pid)
        case "pin":
            draw.choice((process.vmsplice, process.direct_io))(one)
        case "release":
            for pin in pins(machine):
                pin.release()
    return kind


def pins(machine: Machine) -> list[PinnedPages]:
    """All that holds pages for a device or in a pipe."""
    return [machine.pin(key[1]) for key in list(machine.table) if isinstance(key, tuple) and key[0] == "pin"]


def refused(draw: Random, machine: Machine, caller: Process, addresses: list[int]) -> Any:
    """A call that cannot be made, or whose arrays lie in memory of the caller."""
    by_name = {process.name: process for process in machine.processes}
    nodes = [draw.choice(NODES) for _ in addresses]
    others = [process.pid for process in machine.processes if process.name == "parent"]
    visitor, pages, few = by_name["visitor"], addresses[:4], nodes[:4]
    outside = draw.choice((2**46, 2**46, 0x10000000))
    ways: list[Callable[[], Any]] = [
        lambda: caller.move_pages(0, addresses, nodes, 8),
        lambda: caller.move_pages(4242, addresses, nodes),
        lambda: caller.move_pages(by_name["kswapd"].pid, addresses, nodes),
        lambda: visitor.move_pages(0, addresses, nodes, MPOL_MF_MOVE_ALL),
        lambda: visitor.move_pages(others[0], addresses, nodes),
        lambda: caller.move_pages(0, [], []),
        lambda: caller.move_pages(0, [*pages, 0], [*[0] * len(pages), 7]),
        lambda: caller.move_pages(0, caller.array(2**46, pages, 8), few, nr_pages=len(pages)),
        lambda: caller.move_pages(0, pages, caller.array(2**46, few, 4), nr_pages=len(pages)),
        *2
        * [lambda: caller.move_pages(0, addresses, draw.choice((nodes, None)), status=caller.array(outside, nodes, 4))],
        lambda: caller.move_pages(0, caller.array(0x10000000, pages, 8), None, nr_pages=2**62),
        lambda: caller.move_pages(0, caller.array(0x10000000, pages, 8), None, nr_pages=2**40),
    ]
    return draw.choice(ways)()


def told(answer: Any) -> Any:
    """An answer with the costs, which are no part of a result's equality to a number."""
    if isinstance(answer, MovesResult):
        return answer.ret, answer.why, answer.pairs, tuple(answer.fates), answer.costs
    return answer, getattr(answer, "costs", None)


# -- what was come across


def reached_by(answer: Any) -> Counter[str]:
    """What a call came across: rows of the contract, and what was handed to the readable functions."""
    if answer is None or isinstance(answer, int | str):
        return Counter([f"number: {answer}"])
    if isinstance(answer, MovesResult):
        rows = Counter(f"fate: {row}" for row in answer.rows)
        return rows + Counter([f"moves: {answer.row}", f"moves by {answer.engine}"])
    if answer.engine != "bulk":
        return Counter(["handed over: the whole call", f"ret: {answer.row}"])
    alone = getattr(answer.verdicts, "single", {})
    rows = Counter(row for row in answer.rows if row)
    rows.update(f"handed over: {verdict.row}" for verdict in alone.values() if verdict)
    return rows + Counter([f"ret: {answer.row}"])


def note_why_pages_are_handed_over(monkeypatch: pytest.MonkeyPatch, reached: Counter[str]) -> None:
    """Count each reason for which a page or a batch is left to the readable functions."""
    hand_over: Any = passes.hand_over
    named_before, can_move = kernel_move_pages.named_before, kernel_move_pages.can_move
    first_bad_node, there_are_frames = kernel_move_pages.first_bad_node, kernel_move_pages.Ahead.there_are_frames

    def noting_hand_over(m: Any, queue: Any, at: int) -> Any:
        reached[f"page: {why_not_in_bulk(m, queue, at)}"] += 1
        return hand_over(m, queue, at)

    def noting_named_before(m: Any, pages: Any, movers: Any) -> Any:
        found = named_before(m, pages, movers)
        reached["batch: an earlier entry moves a page"] += bool(found.any())
        return found

    def noting_can_move(m: Any, frames: Any, pages: Any, rows: Any) -> Any:
        able = can_move(m, frames, pages, rows)
        reached["batch: a page is not ordinary"] += not able.all()
        return able

    def noting_first_bad_node(m: Any, target: Any, nodes: Any) -> int:
        number = first_bad_node(m, target, nodes)
        reached["batch: a node ends the call"] += number < len(nodes)
        return number

    def noting_there_are_frames(ahead: Any, m: Any, part: Any) -> bool:
        enough = there_are_frames(ahead, m, part)
        reached["batch: frames may not suffice"] += not enough
        return enough

    monkeypatch.setattr(passes, "hand_over", noting_hand_over)
    monkeypatch.setattr(kernel_move_pages, "named_before", noting_named_before)
    monkeypatch.setattr(kernel_move_pages, "can_move", noting_can_move)
    monkeypatch.setattr(kernel_move_pages, "first_bad_node", noting_first_bad_node)
    monkeypatch.setattr(kernel_move_pages.Ahead, "there_are_frames", noting_there_are_frames)


def why_not_in_bulk(m: Machine, queue: Any, at: int) -> str:
    """Why a page is moved by the readable functions."""
    page = int(queue.pages[at])
    areas = [m.table[("vma", number)] for number in m.table.get(("rmap", m.mapping[page]), ())]
    if queue.rows[at] == passes.NO_ROW:
        return "its node gives nothing"
    if m.mapping[page] > 0:
        return "of a file"
    if m.flags[page] & PG_SWAPCACHE:
        return "in the swap cache"
    if m.count[page] != m.mapcount[page] + queue.held:
        return "held by others"
    if m.kernel.mlocked_stay and any(area.flags & VM_LOCKED for area in areas):
        return "locked in memory"
    return "its node is full" if not m.nr_free(m.node_ids[queue.rows[at]]) else "behind one without a frame"
