"""The exercise of the interference that makes an entry -EBUSY, graded by nbgrader: what each submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

BY_TOOL = """
def interfere(scene):
    entry, longest = scene["entries"][scene["busy"]], scene["longest"] or 12
    lines = []
    for tool in scene["tools"]:
        what = tool.split(".")[1]
        if what in ("pin_for_a_while", "hold_buffers"):
            about = [entry["address"]] if what == "pin_for_a_while" else entry["file"]["index"]
            for first in range(0, 10, longest):
                lines.append(f"{tool}({about}) when PASS, in pass {first} until PASS, in pass {first + longest}")
    for tool in scene["tools"]:
        if lines == [] and tool.split(".")[1] in ("read", "write"):
            moment = f"LOCK_NEW_PAGE, page {entry['page']}" if entry["file"] is None else "PASS"
            lines = [f"{tool}([{entry['address']}]) when {moment}, in pass {number}" for number in range(10)]
    return lines
"""
LOCKS_IT = BY_TOOL.replace(
    "    lines = []\n",
    """    lines = []
    if "process(1).hold_page_lock" in scene["tools"]:
        return [f"process(1).hold_page_lock({entry['address']}) when DRAIN"]
""",
)
FOR_EVER = BY_TOOL.replace("until PASS, in pass {first + longest}", "for ever")
NINE_PASSES = BY_TOOL.replace("range(0, 10, longest)", "range(0, 9, longest)").replace("or 12", "or 9")
NINE_PASSES = NINE_PASSES.replace("range(10)", "range(9)")
HOLDS_ALL = BY_TOOL.replace('[entry["address"]] if', "[each['address'] for each in scene['entries']] if")
BY_PLACE_IN_THE_CALL = BY_TOOL.replace('entry["file"]["index"]', 'scene["busy"]')
ANY_PAGE_AT_COUNT = BY_TOOL.replace("LOCK_NEW_PAGE, page {entry['page']}", "COUNT")
TRUSTS_THE_JOURNAL = BY_TOOL.replace(
    "    lines = []\n",
    """    lines = []
    if "file(2).hold_buffers" in scene["tools"]:
        scene = {**scene, "tools": ["file(2).hold_buffers"]}
""",
)
LIKE_IN_2006 = BY_TOOL.replace(
    '    lines = []\n    for tool in scene["tools"]:\n        what',
    """    lines = []
    for tool in scene["tools"]:
        if tool.endswith("read"):
            moment = f"COUNT, page {entry['page']}"
            return [f"{tool}([{entry['address']}]) when {moment}, in pass {number}" for number in range(10)]
    for tool in scene["tools"]:
        what""",
)

INTERFERENCE = Marking(
    Exercise("interference", "keep-one-busy", "interfere"),
    {"device": 2, "buffers": 1, "written": 2, "relay": 2, "touch": 2, "today": 2},
    right={"tool by tool": {"interfere": BY_TOOL}},
    wrong={
        "locks the page": ({"interfere": LOCKS_IT}, []),
        "never lets go": ({"interfere": FOR_EVER}, ["written", "touch"]),
        "one pass too few": ({"interfere": NINE_PASSES}, []),
        "holds all pages": ({"interfere": HOLDS_ALL}, ["buffers", "written", "touch"]),
        "counts entries, not pages": ({"interfere": BY_PLACE_IN_THE_CALL}, ["device", "written", "touch"]),
        "at any page's count": ({"interfere": ANY_PAGE_AT_COUNT}, ["device", "buffers", "written", "relay", "today"]),
        "trusts the journal": ({"interfere": TRUSTS_THE_JOURNAL}, ["buffers", "written", "relay", "touch", "today"]),
        "like in 2006": ({"interfere": LIKE_IN_2006}, ["device", "buffers", "written", "relay", "touch"]),
    },
    told={
        "locks the page": ["should end -EBUSY (-16), but it is 1 (moved) after 4 passes and 1 waits"],
        "never lets go": ["somebody goes on for ever: a device keeps what it holds for ever"],
        "holds all pages": ["should move to node 1, but it is -16 (pinned)"],
        "like in 2006": ["their time never came"],
    },
    secret=("in_relays", "starts = "),
)


class TestInterference(Marks):
    """Keep one busy."""

    marking = INTERFERENCE
