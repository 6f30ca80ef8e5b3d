"""The exercise about policies and migrate_pages(), graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from typing import Any

from tests.grading.course import Exercise, cell_named
from tests.grading.marks import Marking, Marks

RIGHT_PAIRS = """
def pairs(old, new, today=False):
    waiting, targets, moved = set(old), sorted(new), []
    while targets:
        last = None
        for source in sorted(waiting):
            target = targets[sorted(old).index(source) % len(targets)]
            if source == target or (today and len(old) != len(new) and source in new):
                continue
            last = [source, target]
            if target not in waiting:
                break
        if last is None:
            return moved
        waiting.discard(last[0])
        moved.append(last)
    return moved
"""
RIGHT_LEAVE = """
def leave(process, area, node):
    others = sorted(process.mems - {node})
    flags = MPOL_MF_MOVE
    if "CAP_SYS_NICE" in process.struct.capabilities:
        flags = MPOL_MF_MOVE_ALL
    process.mbind(area, MPOL_INTERLEAVE, others, flags)
    return [address for address in area if process.pte(address).node == node and process.page(address)]
"""
MOVES_EACH_PAGE = """
def leave(process, area, node):
    others = sorted(process.mems - {node})
    process.mbind(area, MPOL_INTERLEAVE, others)
    for address in [address for address in area if process.pte(address).node == node]:
        there = others[address // PAGE_SIZE % len(others)]
        if process.move_pages(0, [address], [there], MPOL_MF_MOVE_ALL).ret == -EPERM:
            process.move_pages(0, [address], [there], MPOL_MF_MOVE)
    return [address for address in area if process.pte(address).node == node]
"""
RIGHT = {"pairs": RIGHT_PAIRS, "leave": RIGHT_LEAVE}
UPWARDS = """
def pairs(old, new, today=False):
    new = sorted(new)
    found = [(s, new[n % len(new)]) for n, s in enumerate(sorted(old)) if new]
    return [(s, d) for s, d in found if s != d and not (today and len(old) != len(new) and s in new)]
"""
NO_SECOND_ROUND = """
def pairs(old, new, today=False):
    destination = dict(zip(sorted(old), sorted(new)))
    wait, order = sorted(old), []
    skip = new if today and len(old) != len(new) else ()
    while candidates := [s for s in wait if s in destination and destination[s] != s and s not in skip]:
        free = [s for s in candidates if destination[s] not in wait]
        source = free[0] if free else candidates[-1]
        order.append((source, destination[source]))
        wait.remove(source)
    return order
"""
ALREADY_THERE_IS_DONE = """
def pairs(old, new, today=False):
    new = sorted(new)
    destination = {s: new[n % len(new)] for n, s in enumerate(sorted(old)) if new}
    wait, order = [s for s in sorted(destination) if destination[s] != s], []
    if today and len(old) != len(new):
        wait = [s for s in wait if s not in new]
    while wait:
        free = [s for s in wait if destination[s] not in wait]
        source = free[0] if free else wait[-1]
        order.append((source, destination[source]))
        wait.remove(source)
    return order
"""
TRUSTS_THE_ANSWER = """
def leave(process, area, node):
    others = process.mems - {node}
    answer = process.mbind(area, MPOL_INTERLEAVE, others, MPOL_MF_MOVE_ALL)
    if answer == -EPERM:
        answer = process.mbind(area, MPOL_INTERLEAVE, others, MPOL_MF_MOVE | 1)
    return [address for address in area if process.pte(address).node == node] if answer.ret < 0 else []
"""
ASKS_EACH_PAGE = """
def leave(process, area, node):
    from numakit import MPOL_F_ADDR, MPOL_F_NODE

    there = [a for a in area if process.get_mempolicy(a, MPOL_F_NODE | MPOL_F_ADDR).node == node]
    others = process.mems - {node}
    if process.mbind(area, MPOL_INTERLEAVE, others, MPOL_MF_MOVE_ALL) == -EPERM:
        process.mbind(area, MPOL_INTERLEAVE, others, MPOL_MF_MOVE)
    return [a for a in there if process.pte(a).node == node]
"""
POLICY_OF_THE_PROCESS = """
def leave(process, area, node):
    process.set_mempolicy(MPOL_INTERLEAVE, process.mems - {node})
    return [address for address in area if process.pte(address).node == node]
"""
ALWAYS_ALL = """
def leave(process, area, node):
    process.mbind(area, MPOL_INTERLEAVE, process.mems - {node}, MPOL_MF_MOVE_ALL)
    return [address for address in area if process.pte(address).node == node]
"""
NEVER_ALL = """
def leave(process, area, node):
    process.mbind(area, MPOL_INTERLEAVE, process.mems - {node}, MPOL_MF_MOVE)
    return [address for address in area if process.pte(address).node == node]
"""
ONE_KERNEL_FOR_ALL = RIGHT_PAIRS.replace("(today and", "(False and")
LETS_THE_KERNEL_PREDICT = "def pairs(old, new, today=False): return kernels(old, new)"

POLICIES = Marking(
    Exercise("policies", "empty-a-node", "leave"),
    {
        **{"relative": 1, "order": 2, "blocked": 1, "today": 1},
        **{"empties": 2, "stayed": 2, "careful": 1, "privileged": 1},
    },
    right={
        "the kernel's loop, a look at PTEs": RIGHT,
        "by move_pages, which moves what is locked": {**RIGHT, "leave": MOVES_EACH_PAGE},
    },
    wrong={
        "upwards, trusts the answer": (
            {"pairs": UPWARDS, "leave": TRUSTS_THE_ANSWER},
            ["relative", "today", "empties", "careful", "privileged"],
        ),
        "pairs once, faults the zero page in": (
            {"pairs": NO_SECOND_ROUND, "leave": ASKS_EACH_PAGE},
            ["order", "empties", "privileged"],
        ),
        "forgets who stays, moves nothing": (
            {"pairs": ALREADY_THERE_IS_DONE, "leave": POLICY_OF_THE_PROCESS},
            ["relative", "order", "today"],
        ),
        "one kernel for all, asks too much": (
            {"pairs": ONE_KERNEL_FOR_ALL, "leave": ALWAYS_ALL},
            ["relative", "order", "blocked", "privileged"],
        ),
        "one kernel for all, asks too little": (
            {"pairs": LETS_THE_KERNEL_PREDICT, "leave": NEVER_ALL},
            ["relative", "order", "blocked", "empties", "stayed", "careful"],
        ),
    },
    told={
        "upwards, trusts the answer": [
            "the kernel moves [(2, 3), (1, 2)], but pairs() says [(1, 2), (2, 3)]",
            "but names 0 pages",
        ],
        "pairs once, faults the zero page in": ["leave() has touched pages that nobody had touched"],
        "one kernel for all, asks too little": [
            "on 6.1: the kernel moves [(1, 2)]",
            "caller root: page 3 should be on node 1, not 3",
        ],
    },
    secret=("left_alone", "vmsplice", "mlock"),
)


class TestPolicies(Marks):
    """Empty a node."""

    marking = POLICIES

    def test_neighbours_have_other_sets_of_nodes(self) -> None:
        """The seed makes the variant: forty students, hardly two alike."""
        names: dict[str, Any] = {}
        exec(cell_named(self.marking.source, "variant").source, names)
        assert len({str(names["variant"](seed)) for seed in range(40)}) >= 38
