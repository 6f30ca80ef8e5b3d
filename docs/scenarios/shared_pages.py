"""Pages of a parent and its child: who may move them, and whose are they after a write?

numakit run docs/scenarios/shared_pages.py --kernel 2.6.18
"""

from numakit import MPOL_MF_MOVE_ALL
from numakit.live import two_nodes


def _family(world):
    """A parent, its child and two pages that both map. The underscore says that this is no scenario."""
    here, there = two_nodes(world.topology)
    parent = world.spawn("parent", node=here)
    area = parent.mmap(2)
    parent.write(area)
    return parent, parent.fork("child"), area, there


def shared_until_one_of_them_writes(world):
    """Copy on write gives the child a page of its own; then both may move theirs."""
    parent, child, area, there = _family(world)
    child.write(area[1])
    parent.move_pages(0, area, [there] * 2)
    child.move_pages(0, area)


def root_moves_what_both_map(world):
    """MPOL_MF_MOVE_ALL takes a capability, and moves the page for both."""
    parent, child, area, there = _family(world)
    root = world.spawn("root", uid=0)
    parent.move_pages(0, area, [there] * 2, MPOL_MF_MOVE_ALL)
    root.move_pages(parent.pid, area, [there] * 2, MPOL_MF_MOVE_ALL)
    child.move_pages(0, area)


def mapped_twice_by_one_process(world):
    """One page of a file, in two areas of the same process: is it shared?"""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    file = world.file("log", 1)
    first, second = (shell.mmap(1, shared=True, file=file) for _ in range(2))
    shell.write(first)
    shell.read(second)
    shell.move_pages(0, first, [there])
