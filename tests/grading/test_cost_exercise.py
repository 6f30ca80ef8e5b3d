"""The exercise of what a move costs and saves, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

COUNTS = """
def counts(entries):
    pinned = [place for place, entry in enumerate(entries) if entry == "pinned"]
    once = [place for place, entry in enumerate(entries) if entry == "moves"]
    looks = sum(place + 1 for place in once) + 10 * sum(place + 1 for place in pinned)
    return {"attempts": len(once) + 10 * len(pinned), "thrown away": 10 * len(pinned), "scanned": looks}
"""
PORTION = """
def portion(pages, prices):
    best, least = None, None
    for size in range(pages, 0, -1):
        portions = [size] * (pages // size) + [pages % size] * (pages % size > 0)
        looks = sum(n * (n + 1) / 2 for n in portions)
        paid = len(portions) * prices["call"] + looks * prices["look"]
        if least is None or paid < least:
            best, least = size, paid
    return best
"""
PLAN = """
def plan(job):
    prices, distances, found = job["prices"], job["distances"], {}
    for number, page in enumerate(job["pages"]):
        def time(node):
            return sum(n * distances[near][node] for near, n in enumerate(page["accesses"])) * prices["local"] / 10
        node = min(range(len(distances)), key=time)
        gain = time(page["node"]) - time(node) - prices["attempt"]
        if gain > 0 and not page["pinned"]:
            found[number] = (gain, node)
    chosen = sorted(found, key=lambda number: found[number][0])
    while chosen and found[chosen[0]][0] <= prices["look"] * len(chosen):
        del chosen[0]  # the one that gains least does not pay for its looks
    gains = sum(found[number][0] for number in chosen)
    if gains <= prices["call"] + prices["look"] * len(chosen) * (len(chosen) + 1) / 2:
        chosen = []
    return [found[number][1] if number in chosen else None for number in range(len(job["pages"]))]
"""
RIGHT = {"counts": COUNTS, "portion": PORTION, "plan": PLAN}
SCANS_WHAT_IS_QUEUED = """
def counts(entries):
    queued = [entry for entry in entries if entry != "there"]
    times = [10 if entry == "pinned" else 1 for entry in queued]
    looks = sum(place * n for place, n in enumerate(times, start=1))
    return {"attempts": sum(times), "thrown away": 10 * queued.count("pinned"), "scanned": looks}
"""
BY_THE_FORMULA = """
def portion(pages, prices):
    return round((2 * prices["call"] / prices["look"]) ** 0.5)
"""
HOME_OF_THE_MOST_EAGER = PLAN.replace(
    "min(range(len(distances)), key=time)", "page['accesses'].index(max(page['accesses']))"
)
NEARER_IS_BETTER = PLAN.replace(' - prices["attempt"]', "")
ONE_PAGE_AT_A_TIME = PLAN.replace("    while chosen", "    while False").replace(
    "    if gains <=", "    if False and gains <="
)
TRIES_PINNED_ONES = PLAN.replace(' and not page["pinned"]', "")

COST = Marking(
    Exercise("cost", "is-it-worth-a-move", "plan"),
    {"calls": 3, "portions": 2, "pays": 2, "readers": 2, "whole": 2},
    right={"in other words": RIGHT},
    wrong={
        "scans what is queued, goes to the most eager reader": (
            {**RIGHT, "counts": SCANS_WHAT_IS_QUEUED, "plan": HOME_OF_THE_MOST_EAGER},
            ["portions", "pays", "whole"],
        ),
        "goes by the formula, nearer is better": (
            {**RIGHT, "portion": BY_THE_FORMULA, "plan": NEARER_IS_BETTER},
            ["calls"],
        ),
        "one page at a time": ({**RIGHT, "plan": ONE_PAGE_AT_A_TIME}, ["calls", "portions", "pays", "readers"]),
        "tries pinned ones": ({**RIGHT, "plan": TRIES_PINNED_ONES}, ["calls", "portions", "pays", "readers"]),
    },
    told={
        "scans what is queued, goes to the most eager reader": ["scanned 7, but you said", "costs"],
        "goes by the formula, nearer is better": [
            "portions of 250 cost 667.475 us",
            "your [0, 0, None] costs",
        ],
    },
    secret=("access_time", "a_best_plan"),
)


class TestCost(Marks):
    """Is it worth a move."""

    marking = COST
