"""The exercise of diagnosing a report, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

import re
from typing import Any

from tests.grading.course import Exercise, cell_named
from tests.grading.marks import Marking, Marks

CAUSES = """
def causes(report):
    told, lines = [], {int(line.split()[0], 16): line for line in report["numa_maps"]}
    for number, entry in enumerate(report["entries"]):
        address, status = entry["address"], entry["status"]
        areas = [area for area in report["maps"] if area["start"] <= address < area["end"]]
        line = lines.get(areas[0]["start"], "") if areas else ""
        named_before = address in [other["address"] for other in report["entries"][:number]]
        present = " N" in line
        if not areas:
            told.append("hole")
        elif f" N{entry['node']}=" in line:
            told.append("there")
        elif status is not None and status >= 0:
            told.append("moved")
        elif not present and status == -EFAULT:
            told.append("zero")
        elif not present and areas[0]["swap"]:
            told.append("swapped")
        elif not present:
            told.append("not-read" if areas[0]["file"] else "untouched")
        elif "mapmax" in line:
            told.append("shared")
        elif areas[0]["locked"]:
            told.append("mlocked" if areas[0]["file"] is None else "driver")
        elif report["free"][entry["node"]] == 0:
            told.append("full")
        elif status in (-EIO, -EINVAL):
            told.append("write-fails" if status == -EIO else "no-write")
        elif named_before:
            told.append("duplicate")
        elif address in report["devices"]:
            told.append("pinned")
        else:
            told.append("written" if "dirty" in line else "buffers")
    return told
"""
CURES = """
def cures(report):
    told, lies, whys = [], {}, causes(report)
    for entry, why in zip(report["entries"], whys):
        if why in ("moved", "there"):
            lies[entry["address"]] = entry["node"]
    for entry, why in zip(report["entries"], whys):
        if lies.get(entry["address"]) == entry["node"]:
            told.append("nothing")
        elif why in ("duplicate", "pinned", "buffers", "written"):
            told.append("call again")
        elif why in ("untouched", "zero", "swapped", "not-read"):
            told.append("touch")
        else:
            table = {"shared": "as root", "mlocked": "munlock", "full": "free memory"}
            table |= {"write-fails": "mend the disc", "no-write": "copy the file"}
            told.append(table.get(why, "leave it out"))
    return told
"""
RIGHT = {"causes": CAUSES, "cures": CURES}
NUMBER_ALONE = """
def causes(report):
    table = {-EBUSY: "pinned", -EAGAIN: "pinned", -EPERM: "mlocked", -EACCES: "shared", -ENOENT: "untouched"}
    table |= {-EFAULT: "hole", -ENOMEM: "full", -EIO: "write-fails", -EINVAL: "no-write"}
    return [table.get(entry["status"], "moved") for entry in report["entries"]]
"""
MLOCKED_ANYHOW = CAUSES.replace(
    "        elif status is not None and status >= 0:",
    """        elif areas[0]["locked"] and areas[0]["file"] is None:
            told.append("mlocked")
        elif status is not None and status >= 0:""",
)
EACH_ENTRY_ALONE = CAUSES.replace("        elif named_before:", "        elif False:")
NEEDS_A_STATUS = CAUSES.replace("status is not None and status >= 0", "status >= 0")
MUNLOCKS_ALL = CURES.replace('{"shared": "as root",', '{"driver": "munlock", "shared": "as root",')
ONE_FOR_EACH_CAUSE = CURES.replace('lies.get(entry["address"]) == entry["node"]', 'why in ("moved", "there")')

DIAGNOSIS = Marking(
    Exercise("diagnosis", "the-cause-of-each-number", "causes"),
    {"busy": 2, "files": 2, "absent": 2, "refused": 1, "unwritten": 1, "kernels": 2, "cures-work": 3},
    right={"by elimination": RIGHT},
    wrong={
        "the number alone": ({**RIGHT, "causes": NUMBER_ALONE}, ["files"]),
        "mlocked anyhow": (
            {**RIGHT, "causes": MLOCKED_ANYHOW},
            ["busy", "files", "absent", "refused", "unwritten", "cures-work"],
        ),
        "each entry alone": (
            {**RIGHT, "causes": EACH_ENTRY_ALONE},
            ["files", "absent", "refused", "unwritten", "kernels", "cures-work"],
        ),
        "needs a status": (
            {**RIGHT, "causes": NEEDS_A_STATUS},
            ["busy", "files", "absent", "refused", "kernels", "cures-work"],
        ),
        "munlocks what a driver locked": (
            {**RIGHT, "cures": MUNLOCKS_ALL},
            ["busy", "files", "absent", "refused", "unwritten", "kernels"],
        ),
        "one cure for each cause": (
            {**RIGHT, "cures": ONE_FOR_EACH_CAUSE},
            ["busy", "files", "absent", "refused", "unwritten", "kernels"],
        ),
    },
    told={
        "the number alone": ["is 'buffers', but you said 'pinned'"],
        "mlocked anyhow": ["is 'moved', but you said 'mlocked'"],
        "munlocks what a driver locked": ["'leave it out', but you said 'munlock', which does not help"],
        "one cure for each cause": ["'nothing', but you said 'call again', which helps, too"],
    },
    secret=("absent = ", "dict.fromkeys"),
)


class TestDiagnosis(Marks):
    """The cause of each number."""

    marking = DIAGNOSIS

    def test_every_cause_and_every_cure_of_the_statement_is_right_somewhere(self) -> None:
        """A word that never is the answer would be a decoy, and one that is missing could not be known."""
        source, names = self.marking.source, dict[str, Any]()
        for cell in ("world", "causes", "cures", "check"):
            exec(cell_named(source, cell).source, names)
        causes, cures = set(), set()
        for fates in ("BUSY", "FILES", "ABSENT", "REFUSED"):
            report = names["report_of"](names["variant"](70, [*names[fates], names["TWICE"]]))
            causes |= set(names["causes"](report))
            cures |= set(names["cures"](report))
        table = [row.split("|")[1] for row in source.cells[0].source.splitlines() if row.startswith('| `"')]
        words = {word for row in table for word in re.findall(r'"([\w -]+)"', row)}
        assert causes | cures == words - {"kernel", "returned", "entries", "maps", "numa_maps", "devices", "free"}
        assert cures == {*names["ACTS"], "leave it out"}

    def test_neighbours_have_other_reports(self) -> None:
        """The seed makes the variant: forty students, hardly two alike."""
        names: dict[str, Any] = {}
        exec(cell_named(self.marking.source, "world").source, names)
        fates = ["memory pinned", "reiserfs clean held", "memory plain"]
        assert len({str(names["variant"](seed, fates)) for seed in range(40)}) >= 36
