"""The exercise of frames and faults, graded by nbgrader: what each kind of submission deserves."""

from __future__ import annotations

from tests.grading.course import Exercise
from tests.grading.marks import Marking, Marks

RIGHT_BY_COUNTING = """
def predict(process, addresses, node):
    machine = process.machine

    def status(address):
        page = process.page(address)
        if page is None:
            return -ENOENT
        frame, users = machine.frame(page), {place.processes for place in machine.mapped_at(page)}
        if "the kernel: its zero page" in frame.holders:
            return -EFAULT
        if frame.node == node:
            return node
        told = sum(times for name, times in frame.holders.items() if name in ("page cache", "swap cache", "buffers"))
        waiting = sum(times for name, times in frame.holders.items() if "pagevec" in name)
        return -EACCES if len(users) > 1 else node if frame.count == frame.mapcount + told + waiting else -EBUSY

    return [status(address) for address in addresses]
"""
FORGETS_THE_CACHES = """
def predict(process, addresses, node):
    def status(address):
        pte = process.pte(address)
        if pte.kind != "present":
            return -ENOENT
        frame = process.machine.frame(pte.page)
        if pte.page == 0 or pte.node == node:
            return -EFAULT if pte.page == 0 else node
        if frame.mapcount > 1:
            return -EACCES
        return -EBUSY if [name for name in frame.holders if name != "PTE" and "pagevec" not in name] else node

    return [status(address) for address in addresses]
"""
FORGETS_THE_PAGEVECS = """
def predict(process, addresses, node):
    def status(address):
        pte = process.pte(address)
        if pte.kind != "present":
            return -ENOENT
        if pte.page == 0 or pte.node == node:
            return -EFAULT if pte.page == 0 else node
        users = {name for place in process.machine.mapped_at(pte.page) for name in place.processes}
        known = {"PTE", "page cache", "swap cache", "buffers"}
        return -EACCES if len(users) > 1 else -EBUSY if set(process.machine.frame(pte.page).holders) - known else node

    return [status(address) for address in addresses]
"""
SHARED_BEFORE_THERE = """
def predict(process, addresses, node):
    def status(address):
        pte = process.pte(address)
        if pte.kind != "present":
            return -ENOENT
        if pte.page == 0:
            return -EFAULT
        holders = process.machine.frame(pte.page).holders
        if [name for name in holders if name.startswith(("a pipe", "a disc", "a network"))]:
            return -EBUSY
        users = {name for place in process.machine.mapped_at(pte.page) for name in place.processes}
        return -EACCES if len(users) > 1 and pte.node != node else node

    return [status(address) for address in addresses]
"""
ASKS_THE_KERNEL = """
def predict(process, addresses, node):
    return process.move_pages(0, addresses, nodes=[node] * len(addresses)).outcome
"""

FRAMES = Marking(
    Exercise("frames", "who-holds-this-page", "predict"),
    {"memory": 2, "strangers": 2, "files": 2, "worlds": 2, "order": 1},
    right={
        "by counting": {"predict": RIGHT_BY_COUNTING},
    },
    wrong={
        "takes caches for strangers": ({"predict": FORGETS_THE_CACHES}, ["memory", "order"]),
        "takes pagevecs for strangers": ({"predict": FORGETS_THE_PAGEVECS}, ["order"]),
        "looks for strangers first": ({"predict": SHARED_BEFORE_THERE}, ["memory", "strangers", "files", "worlds"]),
        "moves the pages": ({"predict": ASKS_THE_KERNEL}, []),
    },
    told={
        "takes caches for strangers": ["you said -16 for entry 0. Entry 0 (0x10000000): 3. The page was moved"],
        "moves the pages": ["predict() must only look, but the machine has changed"],
    },
    secret=("strangers = [", "glueless8"),
)


class TestFrames(Marks):
    """Who holds this page?"""

    marking = FRAMES
