"""The exercise of finding a planted bug in a recording, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

IN_A_STATE = """
from collections import Counter


def broken_in(state):
    frames, broken = state["frames"], {"count": False, "mapcount": False, "lists": False, "entries": False}
    present = Counter(pte["page"] for pte in state["ptes"] if pte["kind"] == "present")
    for number, frame in enumerate(frames):
        trays = sum("pagevec" in name for name in frame["lists"])
        broken["count"] |= frame["count"] != present[number] + trays + sum(frame["held"].values())
        broken["mapcount"] |= frame["mapcount"] != present[number]
        broken["lists"] |= len(frame["lists"]) > 1 or (frame["count"] == 0 and frame["lists"] != [])
    entries = [pte for pte in state["ptes"] if pte["kind"] == "migration entry"]
    broken["entries"] = any(frames[pte["page"]]["locked"] is None for pte in entries)
    return [rule for rule, is_broken in broken.items() if is_broken]
"""
IN_A_RECORDING = """
def first_broken(recording):
    state, steps = recording["start"], recording["steps"]
    for number, step in enumerate(steps):
        before, state, me = state, after(state, step), step["who"]
        rules = set(broken_in(state))
        for was, now in zip(before["frames"], state["frames"]):
            if was["locked"] != now["locked"] and {was["locked"], now["locked"]} != {None, me}:
                rules.add("locks")
            if step["ended"] and (now["locked"] == me or me in now["held"]):
                rules.add("leftovers")
        if step["moment"] in ("COUNT", "COUNT_AND_SLOT"):
            wanted = 1 if step["moment"] == "COUNT" else 2
            then = next((later["moment"] for later in steps[number + 1 :] if later["who"] == me), "")
            if then in ("COPY", "SWITCH") and before["frames"][step["page"]]["count"] != wanted:
                rules.add("count test")
        if rules:
            return number, rules
    return None
"""
RIGHT = {"broken_in": IN_A_STATE, "first_broken": IN_A_RECORDING}
COUNTS_HOLDERS = IN_A_STATE.replace('sum(frame["held"].values())', 'len(frame["held"])')
NO_LIST_OF_FREE_FRAMES = IN_A_STATE.replace(' or (frame["count"] == 0 and frame["lists"] != [])', "")
SUSPECTS_WHO_INTERFERES = IN_A_RECORDING.replace('then in ("COPY", "SWITCH") and ', "")
NEXT_STEP_OF_ANYBODY = IN_A_RECORDING.replace(' if later["who"] == me', "")
LOOKS_AT_THE_END = """
def first_broken(recording):
    state = recording["start"]
    for step in recording["steps"]:
        state = after(state, step)
    return [len(recording["steps"]) - 1, broken_in(state)] if broken_in(state) else None
"""
ANY_LOCK = IN_A_RECORDING.replace("{None, me}", "{None, was['locked'] or now['locked']}")

PLANTED = Marking(
    Exercise("planted", "which-rule-and-which-step", "first_broken"),
    {"counts": 2, "places": 2, "finds": 2, "sound": 1, "test": 2, "locks": 2, "leftovers": 1},
    right={"in other words": RIGHT},
    wrong={
        "no list of free frames": (
            {**RIGHT, "broken_in": NO_LIST_OF_FREE_FRAMES, "first_broken": ANY_LOCK},
            ["counts", "finds", "sound", "test", "leftovers"],
        ),
        "suspects who interferes": (
            {**RIGHT, "first_broken": SUSPECTS_WHO_INTERFERES},
            ["counts", "places", "finds", "test"],
        ),
        "counts holders, takes the next step of anybody": (
            {"broken_in": COUNTS_HOLDERS, "first_broken": NEXT_STEP_OF_ANYBODY},
            ["places", "finds", "sound", "locks", "leftovers"],
        ),
        "looks at the end": ({**RIGHT, "first_broken": LOOKS_AT_THE_END}, ["counts", "places"]),
    },
    told={
        "suspects who interferes": ["no rule is broken, but you said"],
        "looks at the end": ["but you said that all is well", "is the first that breaks a rule"],
    },
    secret=("broken_by", "forgets_new_pages", "takes_no_reference"),
)


class TestPlanted(Marks):
    """Which rule, and at which step."""

    marking = PLANTED
