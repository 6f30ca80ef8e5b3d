"""The exercise of a profiler's policy, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

TWICE_THE_SAME = """
def policy(logs, where, tried, distances):
    if len(logs) < 2:
        return []
    nodes, moves = range(len(distances)), []
    for page, here in enumerate(where):
        if [page, here] in [[p, n] for p, n, status in tried if status < 0]:
            continue
        wishes = []
        for log in logs[-2:]:
            costs = [sum(times * distances[i][n] for i, times in enumerate(log[page])) for n in nodes]
            wishes.append((costs.index(min(costs)), costs[here] - min(costs)))
        (before, _), (best, saved) = wishes
        failures = [1 for p, _, status in tried if p == page and status < 0]
        if before == best != here and saved * 8 > MOVE and len(failures) < 2:
            moves.append([page, best])
    return moves
"""
NEVER = """
def policy(logs, where, tried, distances):
    return []
"""
THE_ONE_WHO_USES_IT_MOST = """
def policy(logs, where, tried, distances):
    most = [max(range(len(used)), key=used.__getitem__) for used in logs[-1]]
    stuck = {page for page, _, status in tried if status < 0}
    return [[page, node] for page, node in enumerate(most) if node != where[page] and page not in stuck]
"""
NEVER_FORGETS = """
def policy(logs, where, tried, distances):
    nodes, moves = range(len(distances)), []
    if len(logs) < 2:
        return []
    for page, here in enumerate(where):
        used = [sum(log[page][i] for log in logs) for i in nodes]
        costs = [sum(used[i] * distances[i][n] for i in nodes) for n in nodes]
        best = costs.index(min(costs))
        if (costs[here] - costs[best]) * 6 > MOVE * len(logs) and page not in [p for p, _, s in tried if s < 0]:
            moves.append([page, best])
    return moves
"""
TRIES_FOR_EVER = TWICE_THE_SAME.replace(" and len(failures) < 2", "").replace(
    "        if [page, here] in [[p, n] for p, n, status in tried if status < 0]:\n            continue\n", ""
)
MOST_TWICE = """
def policy(logs, where, tried, distances):
    moves, stuck = [], {page for page, _, status in tried if status < 0}
    for page, here in enumerate(where):
        most = [max(range(len(log[page])), key=log[page].__getitem__) for log in logs[-2:]]
        clear = all(log[page][most[-1]] > log[page][here] + 10 for log in logs[-2:])
        if len(most) == 2 and most[0] == most[1] != here and clear and page not in stuck:
            moves.append([page, most[0]])
    return moves
"""

PROFILER = Marking(
    Exercise("profiler", "follow-the-accesses", "policy"),
    {"settled": 2, "even": 1, "turns": 2, "phases": 2, "between": 2, "held": 1, "pure": 1},
    right={"twice the same": {"policy": TWICE_THE_SAME}},
    wrong={
        "never": ({"policy": NEVER}, ["even", "turns"]),
        "who uses it most": ({"policy": THE_ONE_WHO_USES_IT_MOST}, ["settled", "phases", "held", "pure"]),
        "never forgets": ({"policy": NEVER_FORGETS}, ["settled", "even", "turns", "between", "held", "pure"]),
        "tries for ever": (
            {"policy": TRIES_FOR_EVER},
            ["settled", "even", "turns", "phases", "between", "pure"],
        ),
        "looks at no distance": ({"policy": MOST_TWICE}, ["settled", "even", "turns", "phases", "held", "pure"]),
    },
    told={
        "never": ["(0 moves); 'never' costs 208086, and 75% of that should be enough"],
        "tries for ever": ["6 times are enough"],
    },
    secret=("stuck", "lately"),
)


class TestProfiler(Marks):
    """Follow the accesses."""

    marking = PROFILER
