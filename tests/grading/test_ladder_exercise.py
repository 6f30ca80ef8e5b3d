"""The exercise of the return code of move_pages(), graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

AS_A_TABLE = """
def answer(call):
    number, nodes, mistakes = call["nr_pages"], call["nodes"], []
    mistakes.append((call["flags"] == "no such flag", -EINVAL))
    mistakes.append((call["flags"] == "MOVE_ALL" and call["caller"] != "root", -EPERM))
    mistakes.append((call["target"] == "nobody", -ESRCH))
    mistakes.append((call["target"] == "kernel thread", -EINVAL))
    mistakes.append((call["caller"] == "stranger", -EPERM))
    mistakes.append((number == 2**60, -E2BIG))
    mistakes.append((number == 2**30, -ENOMEM))
    mistakes.append(("unreadable" in (call["pages"], nodes), -EFAULT))
    for node in nodes if isinstance(nodes, list) else []:
        mistakes.append((node > 3, -ENODEV))
        mistakes.append((node not in call["mems"], -EACCES))
    for wrong, rc in mistakes:
        if wrong:
            return [rc, 0]
    queued = []
    if nodes is not None:
        for entry, node in zip(call["entries"], nodes):
            alone = call["flags"] == "MOVE_ALL" or not entry["shared"]
            if entry["node"] is not None and entry["node"] != node and alone:
                queued.append(entry)
        if queued == []:
            return [-ENOENT, 0]
    return [0 if call["status"] == "writable" else -EFAULT, len([e for e in queued if not e["held"]])]
"""
COUNTS_WHAT_MOVED = AS_A_TABLE.replace("if queued == []:", "if not [e for e in queued if not e['held']]:")
LOOKS_AT_STATUS_FIRST = AS_A_TABLE.replace(
    "    for wrong, rc", '    mistakes.append((call["status"] == "unwritable", -EFAULT))\n    for wrong, rc'
)
ONLINE_BEFORE_CPUSET = AS_A_TABLE.replace(
    "    for node in nodes if",
    "    mistakes.append((isinstance(nodes, list) and max([0, *nodes]) > 3, -ENODEV))\n    for node in nodes if",
)
TARGET_FIRST = AS_A_TABLE.replace(
    '    mistakes.append((call["flags"] == "no such flag", -EINVAL))',
    '    mistakes.append((call["target"] == "nobody", -ESRCH))\n'
    '    mistakes.append((call["target"] == "kernel thread", -EINVAL))\n'
    '    mistakes.append((call["flags"] == "no such flag", -EINVAL))',
)

LADDER = Marking(
    Exercise("ladder", "the-first-thing-that-is-wrong", "answer"),
    {"one": 2, "order": 2, "nodes": 1, "nothing": 2, "query": 1, "unwritable": 1},
    right={"as a table": {"answer": AS_A_TABLE}},
    wrong={
        "counts what moved": ({"answer": COUNTS_WHAT_MOVED}, ["one", "order", "nodes", "query"]),
        "looks at status first": ({"answer": LOOKS_AT_STATUS_FIRST}, ["one", "order", "nodes", "nothing", "query"]),
        "online before cpuset": ({"answer": ONLINE_BEFORE_CPUSET}, ["one", "order", "nothing", "query", "unwritable"]),
        "target first": ({"answer": TARGET_FIRST}, ["one", "nodes", "nothing", "query", "unwritable"]),
    },
    told={
        "looks at status first": ["the kernel returns -2, but you said -14"],
        "target first": ["the kernel returns -1, but you said -3"],
    },
    secret=("first_mistake", "queued"),
)


class TestLadder(Marks):
    """The first thing that is wrong."""

    marking = LADDER
