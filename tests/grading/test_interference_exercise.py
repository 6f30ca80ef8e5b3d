"""The exercise of the interference that makes an entry -EBUSY, graded by nbgrader: what each submission deserves."""

from __future__ import annotations

from typing import Any

from tests.grading.course import Exercise, cell_named
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
BY_PLACE_IN_THE_CALL = BY_TOOL.replace('entry["file"]["index"]', 'scene["busy"]')
ANY_PAGE_AT_COUNT = BY_TOOL.replace("LOCK_NEW_PAGE, page {entry['page']}", "COUNT")
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
        "counts entries, not pages": ({"interfere": BY_PLACE_IN_THE_CALL}, ["device", "written", "touch"]),
        "at any page's count": ({"interfere": ANY_PAGE_AT_COUNT}, ["device", "buffers", "written", "relay", "today"]),
        "like in 2006": ({"interfere": LIKE_IN_2006}, ["device", "buffers", "written", "relay", "touch"]),
    },
    told={
        "locks the page": ["should end -EBUSY (-16), but it is 1 (moved) after 4 passes and 1 waits"],
        "never lets go": ["somebody goes on for ever: a device keeps what it holds for ever"],
        "like in 2006": ["their time never came"],
    },
    secret=("in_relays", "starts = "),
)


class TestInterference(Marks):
    """Keep one busy."""

    marking = INTERFERENCE

    def test_all_pages_would_move_if_nobody_interfered(self) -> None:
        """What keeps the page busy is what the student writes, and nothing of the scene."""
        names: dict[str, Any] = {}
        exec(cell_named(self.marking.source, "world").source, names)
        for kernel in ("seed", "6.1", "6.12"):
            for what, tools in (("memory", "pin"), ("reiserfs", "journal"), ("ext2", "pin"), ("nfs", "write")):
                if (what, kernel) != ("nfs", "6.12"):  # which never moves a page that it had to have written first
                    plan = names["variant"](1, tools, what, kernel=kernel)
                    run, again = names["play"](plan, [])
                    assert set(run.result.outcome) == {1} == set(again.outcome)

    def test_neighbours_have_other_scenes(self) -> None:
        """The seed makes the variant: forty students, hardly two alike."""
        names: dict[str, Any] = {}
        exec(cell_named(self.marking.source, "world").source, names)
        assert len({str(names["variant"](seed, "pin lock")) for seed in range(40)}) >= 36
