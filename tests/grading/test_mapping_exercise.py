"""The exercise of a mapping for migrate_pages(), graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

BACKWARDS = """
def comes_back(node, left):
    at = left[node]
    for _ in left:
        if at == node:
            return True
        at = left[at]
    return False


def calls(wanted, nodes):
    left, made = {n: t for n, t in wanted.items() if n != t}, []
    order = sorted(left)
    if [left[n] for n in order] == sorted(set(left.values())):
        return [[order, [left[n] for n in order]]] if order else []
    full = set(wanted)
    while left:
        source = next((n for n in sorted(left, reverse=True) if left[n] not in left), None)
        if source is None:
            source, spare = next(n for n in left if comes_back(n, left)), max(set(nodes) - full)
            left[spare] = left.pop(source)
            made.append([[source], [spare]])
            full = full - {source} | {spare}
        else:
            made.append([[source], [left[source]]])
            full = full - {source} | {left.pop(source)}
    return made
"""
ONE_CALL = """
def calls(wanted, nodes):
    moved = {node: target for node, target in wanted.items() if node != target}
    return [[list(moved), list(moved.values())]] if moved else []
"""
NOBODY_STEPS_ASIDE = """
def calls(wanted, nodes):
    left, made = {node: target for node, target in wanted.items() if node != target}, []
    if sorted(set(left.values())) == [left[node] for node in sorted(left)]:
        return [[sorted(left), sorted(left.values())]] if left else []
    while left:
        source = next((node for node in left if left[node] not in left), min(left))
        made.append([[source], [left.pop(source)]])
    return made
"""
ALL_STEP_ASIDE = """
def calls(wanted, nodes):
    left, made = {node: target for node, target in wanted.items() if node != target}, []
    while left:
        source = next((node for node in left if left[node] not in left), None)
        if source is None:
            source = min(left)
            for _ in nodes:
                source = left[source]
            spare = min(set(nodes) - set(left) - {t for n, t in wanted.items() if n not in left})
            left[spare] = left[source]
            made.append([[source], [spare]])
            del left[source]
        else:
            made.append([[source], [left.pop(source)]])
    return made
"""
AS_IN_2006 = """
def calls(wanted, nodes):
    left, made = {node: target for node, target in sorted(wanted.items()) if node != target}, []
    targets = sorted(set(left.values()))
    if all(target == targets[n % len(targets)] for n, target in enumerate(left.values())) and not (
        set(left) & set(targets) and set(targets) <= set(left)
    ):
        return [[list(left), targets]] if left else []
    used = {node for node, target in wanted.items() if node == target}
    while left:
        source = next((node for node in left if left[node] not in left), None)
        if source is None:
            source = min(left)
            spare = min(set(nodes) - set(left) - used)
            left[spare] = left[source]
            made.append([[source], [spare]])
            del left[source]
        else:
            used.add(left[source])
            made.append([[source], [left.pop(source)]])
    return made
"""

MAPPING = Marking(
    Exercise("mapping", "where-you-want-them", "calls"),
    {"places": 1, "crossed": 2, "chains": 1, "rings": 3, "few": 1, "merged": 2},
    right={"works from above": {"calls": BACKWARDS}},
    wrong={
        "one call for all": ({"calls": ONE_CALL}, ["places"]),
        "nobody steps aside": ({"calls": NOBODY_STEPS_ASIDE}, ["places", "crossed", "chains"]),
        "never one call": ({"calls": ALL_STEP_ASIDE}, ["places", "crossed", "chains", "rings", "merged"]),
        "knows one kernel": ({"calls": AS_IN_2006}, ["places", "crossed", "chains", "rings", "few"]),
    },
    told={
        "one call for all": ["what was on node 0 lies on [2], not on 3"],
        "never one call": ["at most 1 calls are needed, not 2"],
        "knows one kernel": ["kernel 6.1"],
    },
    secret=("waiting", "step aside"),
)


class TestMapping(Marks):
    """Where you want them."""

    marking = MAPPING
