"""The exercise of new_page_t, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

RIGHT_WITH_CELLS = """
class Spread:
    def __init__(self, machine, nodes, pages):
        self.machine, self.nodes, self.pages = machine, list(nodes), list(pages)
        self.shares = [machine.free_frames(node) for node in nodes]
        self.given = machine.cells(len(nodes))

    def __call__(self, page, private, result):
        result.point_to(private, self.pages.index(page))
        for i in sorted(range(len(self.nodes)), key=lambda i: (self.given[i] + 0.5) / max(self.shares[i], 0.001)):
            if self.nodes[i] != self.machine.node(page):
                new = self.machine.alloc_page(self.nodes[i])
                if new is not None:
                    self.given[i] += 1
                    return new


def spread(machine, nodes, pages):
    return Spread(machine, nodes, pages)
"""
COUNTS_IN_A_VARIABLE = """
def spread(machine, nodes, pages):
    shares, given = {node: machine.free_frames(node) for node in nodes}, dict.fromkeys(nodes, 0)

    def get_new_page(page, private, result):
        result.point_to(private, pages.index(page))
        able = [node for node in nodes if node != machine.node(page) and machine.free_frames(node)]
        if not able:
            return None
        node = min(able, key=lambda node: (given[node] + 0.5) / shares[node])
        given[node] += 1
        return machine.alloc_page(node)

    return get_new_page
"""
TAKES_THE_EMPTIEST = """
def spread(machine, nodes, pages):
    def get_new_page(page, private, result):
        result.point_to(private, pages.index(page))
        able = [node for node in nodes if node != machine.node(page) and machine.free_frames(node)]
        return machine.alloc_page(max(able, key=machine.free_frames)) if able else None

    return get_new_page
"""
TELLS_NO_STATUS = """
def spread(machine, nodes, pages):
    first = {node: machine.free_frames(node) for node in nodes if machine.free_frames(node)}

    def get_new_page(page, private, result):
        able = [node for node in first if node != machine.node(page) and machine.free_frames(node)]
        if able:
            return machine.alloc_page(max(able, key=lambda node: machine.free_frames(node) / first[node]))

    return get_new_page
"""
STAYS_AT_HOME = """
def spread(machine, nodes, pages):
    first = {node: machine.free_frames(node) for node in nodes if machine.free_frames(node)}

    def get_new_page(page, private, result):
        result.point_to(private, pages.index(page))
        able = [node for node in first if machine.free_frames(node)]
        return machine.alloc_page(max(able, key=lambda node: machine.free_frames(node) / first[node])) if able else None

    return get_new_page
"""
RETURNS_THE_NODE = """
def spread(machine, nodes, pages):
    return lambda page, private, result: max(nodes, key=machine.free_frames)
"""

NEW_PAGE = Marking(
    Exercise("new-page-t", "spread-by-free-memory", "spread"),
    {"leaves": 2, "shares": 2, "status": 1, "room": 2, "back": 1},
    right={
        "with cells": {"spread": RIGHT_WITH_CELLS},
    },
    wrong={
        "counts in a variable": ({"spread": COUNTS_IN_A_VARIABLE}, ["leaves", "shares", "status", "room"]),
        "takes the emptiest node": ({"spread": TAKES_THE_EMPTIEST}, ["leaves", "status", "room", "back"]),
        "tells no status": ({"spread": TELLS_NO_STATUS}, ["leaves", "shares", "back"]),
        "lets pages stay on their node": ({"spread": STAYS_AT_HOME}, ["status", "back"]),
        "returns a node": ({"spread": RETURNS_THE_NODE}, []),
    },
    told={
        "tells no status": ["17 pages found no room"],
        "lets pages stay on their node": ["nodes 1 and 3 are wanted, not [0, 1, 3]"],
    },
    secret=("at_first", "glueless8"),
)


class TestNewPage(Marks):
    """Spread by free memory."""

    marking = NEW_PAGE
