"""Random machines and calls for both engines: the bulk engine has to leave behind what the readable one does."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

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
from numakit.explain.moves import MovesResult
from numakit.kernels import Kernel
from tests.random.machines import small_machine
from tests.random.worlds import map_files, swap_out

LARGE, SMALL, SHARED = 30, 6, 4  #: pages of the areas of a process
SWAP_PAGES = 10
NODES = (0, 1, 3)


class Played(NamedTuple):
    """What a call asks for; numbers are taken modulo what there is."""

    kind: str
    who: int
    whose: int
    first: int
    pages: int
    random_seed: int


MOVING = (*2 * ["migrate"], *3 * ["mbind"], "mems", "attach")  #: calls about ranges and whole processes
NAMING = ("move", "move", "move", "move of other", "query", "write")  #: calls that name each page
KINDS = (*NAMING, *MOVING)
MODES = (0, MPOL_PREFERRED, *2 * [MPOL_BIND, MPOL_INTERLEAVE])
CALLS = st.builds(
    Played,
    st.sampled_from((*NAMING, "mbind")),
    *[st.integers(0, 3)] * 2,
    st.integers(0, 44),
    st.integers(0, 60),
    st.integers(0, 2**16),
)


def world(random_seed: int, kernel: Kernel, engine: str) -> Machine:
    """Two or three nodes, one of which may be small or without memory, and two to four processes that share memory."""
    draw = Random(f"both engines {random_seed}")
    frames = {0: draw.choice((60, 120)), 1: draw.choice((45, 120)), 3: draw.choice((0, 5, 9, 120))}
    machine = small_machine(frames, kernel, SWAP_PAGES)
    machine.engine = engine
    jobs = machine.cpuset("jobs", draw.choice(([0], [1], [0, 1])), memory_migrate=draw.random() < 0.7)
    where = draw.choice((None, None, jobs))
    parent = machine.spawn("parent", uid=draw.choice((0, 0, 1000)), node=0, cpuset=where)
    areas = [parent.mmap(LARGE), parent.mmap(SMALL), parent.mmap(SHARED, shared=True)]
    for area in areas:
        if draw.random() < 0.4:
            parent.mbind(area, *some_policy(draw))
    if draw.random() < 0.2:
        parent.set_mempolicy(*some_policy(draw))
    touched = draw.choice((0.2, 0.9, 1))
    parent.write([page for area in areas for page in area if draw.random() < touched])
    parent.read([page for area in areas for page in area if draw.random() < 0.2])
    if draw.random() < 0.5:
        map_files(draw, parent)
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
    if draw.random() < 0.2:
        parent.mlock(areas[0][3:5])
    if draw.random() < 0.4:
        parent.vmsplice(draw.sample(list(areas[1]), 2))
    if draw.random() < 0.2:
        parent.mprotect(areas[0][6:8], 0)
    return machine


def places(process: Process) -> list[int]:
    """The pages of a process's areas, with the first one behind each."""
    return [address for vma in process.vmas for address in [*vma, vma.end]]


def some_nodes(draw: Random) -> list[int]:
    """Some of the nodes, one at least."""
    return [node for node in NODES if draw.random() < 0.5] or [draw.choice(NODES)]


def some_policy(draw: Random) -> tuple[int, list[int]]:
    """A mode and nodes; seldom they do not fit each other."""
    mode = draw.choice(MODES)
    return mode, some_nodes(draw) if mode or draw.random() < 0.05 else []


def play(machine: Machine, call: Played) -> Any:
    """Make a call; what it answered."""
    draw = Random(call.random_seed)
    processes = machine.processes
    caller, target = processes[call.who % len(processes)], processes[call.whose % len(processes)]
    if call.kind != "move of other":
        target = caller
    if call.kind in MOVING:
        return play_moves(machine, draw, call, caller, processes[call.whose % len(processes)])
    addresses = named(draw, target, call)
    pid = 0 if target is caller else target.pid
    if call.kind == "write":
        return caller.write([address for address in named(draw, caller, call) if address < 1 << 47])
    if call.kind == "query":
        return caller.move_pages(pid, addresses)
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


def told(answer: Any) -> Any:
    """An answer with the costs, which are no part of a result's equality to a number."""
    if isinstance(answer, MovesResult):
        return answer.ret, answer.why, answer.pairs, tuple(answer.fates), answer.costs
    return answer, getattr(answer, "costs", None)


def reached_by(answer: Any) -> Counter[str]:
    """What a call in bulk came across: rows of the contract, and what was handed to the readable functions."""
    if answer is None or isinstance(answer, int):
        return Counter([f"number: {answer}"])
    if isinstance(answer, MovesResult):
        rows = Counter(f"fate: {row}" for row in answer.rows)
        return rows + Counter([f"moves: {answer.row}", f"moves by {answer.engine}"])
    if getattr(answer, "engine", "") != "bulk":
        return Counter(["handed over: the whole call"])
    alone = getattr(answer.verdicts, "single", {})
    rows = Counter(row for row in answer.rows if row)
    rows.update(f"handed over: {verdict.row}" for verdict in alone.values() if verdict)
    return rows + Counter([f"ret: {answer.row}"])
