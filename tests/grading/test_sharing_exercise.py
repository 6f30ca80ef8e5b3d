"""The exercise of processes that share pages, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

FRAMES = """
from collections import defaultdict


def play(story):
    # (area, page) of each process -> number of a frame; where frames are; which belong to nobody but who maps them
    tables, nodes, anonymous = {"shop": {}, "ann": {}}, [], set()
    runs_on, cache = {"shop": 0, "ann": 1}, {}

    def new(who, is_anonymous):
        nodes.append(runs_on[who])
        if is_anonymous:
            anonymous.add(len(nodes) - 1)
        return len(nodes) - 1

    def touch(who, place):
        if place not in tables[who]:
            if place not in cache:
                cache[place] = new(who, False)
            tables[who][place] = cache[place]
        return tables[who][place]

    for page in range(story["pages"]["private"]):
        tables["shop"]["private", page] = new("shop", True)
    for kind, who, *rest in story["acts"]:
        if kind == "run_on":
            runs_on[who] = rest[0]
        elif kind == "fork":
            parent, child = tables[who], rest[0]
            copied = [area for area in ("private", "library") if has_own(parent, area, anonymous)]
            tables[child] = {place: frame for place, frame in parent.items() if place[0] in copied}
            runs_on[child] = runs_on[who]
        elif kind == "exit":
            del tables[who]
        elif kind == "read":
            touch(who, tuple(rest))
        elif kind == "write":
            frame = touch(who, tuple(rest))
            alone = frame in anonymous and len(mappers(tables, frame)) == 1
            if rest[0] != "board" and not alone:
                tables[who][tuple(rest)] = new(who, True)
        else:
            outcome(story, tables, nodes, who, *rest)
    return tables, nodes


def has_own(table, area, anonymous):
    return any(place[0] == area and frame in anonymous for place, frame in table.items())


def mappers(tables, frame):
    return [who for who, table in tables.items() if frame in table.values()]


def frames_after(story):
    tables, nodes = play(story)
    found = defaultdict(list)
    for who, table in tables.items():
        for (area, page), frame in table.items():
            found[frame, area, page].append(who)
    return [(area, page, nodes[frame], names) for (frame, area, page), names in found.items()]
"""
TOLD = """
def outcome(story, tables, nodes, caller, target, node, flags):
    can = caller in ("root", "scheduler")
    if (flags == "MOVE_ALL" or (caller == "ann") != (target == "ann")) and not can:
        return -1
    answers = []
    areas = ("library",) if target == "ann" else ("private", "board", "library")
    for place in [(area, page) for area in areas for page in range(story["pages"][area])]:
        frame = tables[target].get(place)
        if frame is None:
            answers.append(-2)
        elif nodes[frame] == node:
            answers.append(node)
        elif flags == "MOVE" and len(mappers(tables, frame)) > 1:
            answers.append(-13)
        else:
            nodes[frame] = node
            answers.append(node)
    return answers


def told(story, caller, target, node, flags):
    tables, nodes = play(story)
    return outcome(story, tables, nodes, caller, target, node, flags)
"""
RIGHT = {"frames_after": FRAMES, "told": TOLD}
FORK_COPIES_ALL = FRAMES.replace("if has_own(parent, area, anonymous)]", "or True]").replace(
    'for area in ("private", "library") or True', 'for area in ("private", "board", "library")'
)
COPIES_ALWAYS = FRAMES.replace(" and not alone", "")
EMPTIES_THE_CACHE = FRAMES.replace(
    "            del tables[who]\n",
    "            del tables[who]\n"
    "            for place in [place for place in cache if not mappers(tables, cache[place])]:\n"
    "                del cache[place]\n",
)
MEANT_TO_BE_SHARED = TOLD.replace(
    "len(mappers(tables, frame)) > 1", '(place[0] == "board" or len(mappers(tables, frame)) > 1)'
)
SHARED_BEFORE_THERE = TOLD.replace("elif nodes[frame] == node:", 'elif nodes[frame] == node and flags == "MOVE_ALL":')
ALL_OF_MINE = TOLD.replace('(flags == "MOVE_ALL" or (caller', '((flags == "MOVE_ALL" and caller != target) or (caller')

SHARING = Marking(
    Exercise("sharing", "whose-page-is-it", "frames_after"),
    {"forks": 2, "shared": 3, "alone": 2, "all": 2, "moves": 2},
    right={"in other words": RIGHT},
    wrong={
        "a fork copies all": ({**RIGHT, "frames_after": FORK_COPIES_ALL}, ["forks"]),
        "copies what is its own": (
            {"frames_after": COPIES_ALWAYS, "told": ALL_OF_MINE},
            ["alone"],
        ),
        "empties the cache": (
            {"frames_after": EMPTIES_THE_CACHE, "told": SHARED_BEFORE_THERE},
            ["forks", "all"],
        ),
        "goes by what is meant to be shared": ({**RIGHT, "told": MEANT_TO_BE_SHARED}, ["forks", "shared", "all"]),
    },
    told={
        "a fork copies all": ["there is ['board', 0, 0, ['shop']], but you said"],
        "copies what is its own": ["the answers are -1, but you said"],
    },
    secret=("class Memory", "write clerk private 2"),
)


class TestSharing(Marks):
    """Whose page is it."""

    marking = SHARING
