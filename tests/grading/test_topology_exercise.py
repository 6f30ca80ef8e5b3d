"""The exercise of the topology, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

RIGHT_FROM_THE_GRAPH = """
def zonelist(topology, node, mems):
    graph, penalties = topology.graph, {}
    for other, about in graph.nodes.items():
        if about["online"] and about["memory"] and other in mems:
            penalty = graph.edges[node, other]["distance"]
            penalty += 1 if other < node else 0
            penalty += 1 if about["cpus"] else 0
            penalties.setdefault(-1 if other == node else penalty, []).append(other)
    return tuple(other for penalty in sorted(penalties) for other in sorted(penalties[penalty]))
"""
TAKES_THE_NEAREST = """
def zonelist(topology, node, mems):
    return [other for other in topology.nearest(node) if other in mems]
"""
ONE_RULE_AFTER_THE_OTHER = """
def zonelist(topology, node, mems):
    usable = [other for other in topology.nodes if topology.memory(other) and other in mems]
    rules = lambda other: (other != node, topology.distance(node, other), other < node, topology.cpus(other) != ())
    return sorted(usable, key=rules)
"""
TAKES_NODES_FOR_MEMORY = """
def zonelist(topology, node, mems):
    def penalty(other):
        return topology.distance(node, other) + (other < node) + bool(topology.cpus(other))

    return sorted(set(topology.nodes) & set(mems), key=lambda other: (other != node, penalty(other), other))
"""
LOOKS_BACK = """
def zonelist(topology, node, mems):
    def penalty(other):
        return topology.distance(other, node) + (other < node) + bool(topology.cpus(other))

    usable = [other for other in topology.nodes if topology.memory(other) and other in mems]
    return sorted(usable, key=lambda other: (other != node, penalty(other), other))
"""
COUNTS_NODES_FROM_0 = """
def zonelist(topology, node, mems):
    def penalty(other):
        return topology.distance(node, other) + (other < node) + bool(topology.cpus(other))

    usable = [other for other in range(len(topology.nodes)) if topology.memory(other)]
    return sorted(usable, key=lambda other: (other != node, penalty(other), other))
"""

TOPOLOGY = Marking(
    Exercise("topology", "when-the-node-is-full", "zonelist"),
    {"no-ties": 1, "ties": 2, "missing": 2, "cpuset": 1, "direction": 1, "sum": 1},
    right={
        "from the graph": {"zonelist": RIGHT_FROM_THE_GRAPH},
    },
    wrong={
        "lower ids first among equals": (
            {"zonelist": TAKES_THE_NEAREST},
            ["no-ties", "missing", "cpuset", "direction"],
        ),
        "compares instead of adding": (
            {"zonelist": ONE_RULE_AFTER_THE_OTHER},
            ["no-ties", "ties", "missing", "cpuset", "direction"],
        ),
        "forgets who has no memory": (
            {"zonelist": TAKES_NODES_FOR_MEMORY},
            ["no-ties", "ties", "cpuset", "direction", "sum"],
        ),
        "reads the column for the row": ({"zonelist": LOOKS_BACK}, ["no-ties", "ties", "missing", "cpuset"]),
        "counts nodes from 0, ignores the cpuset": ({"zonelist": COUNTS_NODES_FROM_0}, ["no-ties", "direction", "sum"]),
    },
    told={
        "lower ids first among equals": [
            "1 and 3 are 16 from node 2, and 1 is below it: [2, 3, 1, 0], not [2, 1, 3, 0]"
        ],
        "forgets who has no memory": ["only nodes 1 and 2 have memory"],
    },
    secret=("def kernels", "def penalty", "crooked"),
)


class TestTopology(Marks):
    """When the node is full."""

    marking = TOPOLOGY
