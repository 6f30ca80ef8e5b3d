"""One wrong node in the middle of a long call: does anything move?

The text of 2006 looks at all nodes before it touches a page; kernels since 4.17 begin, and stop at the wrong one.

    numakit run docs/scenarios/wrong_nodes.py --kernel 6.12
"""

from numakit.live import two_nodes

NOWHERE = 1023  # a node id that no machine of ours has


def a_node_that_does_not_exist(world):
    """The first page is before it, the last one behind it."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(3)
    shell.write(area)
    shell.move_pages(0, area, [there, NOWHERE, there])
    shell.move_pages(0, area)


def a_node_outside_the_cpuset(world):
    """The node exists, but the process may not use it."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here, mems=[here])
    area = shell.mmap(2)
    shell.write(area)
    shell.move_pages(0, area, [here, there])
    shell.move_pages(0, area)
