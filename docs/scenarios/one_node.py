"""What can be asked on any machine, also on one with a single node: nothing moves, and yet kernels differ.

numakit run docs/scenarios/one_node.py --live
numakit run docs/scenarios/one_node.py --live --kernel seed
"""

from numakit import PAGE_SIZE


def _first_node(world):
    """The first node that has memory and a CPU."""
    topology = world.topology
    return next(node for node in topology.nodes if topology.memory(node) and topology.cpus(node))


def what_a_query_tells(world):
    """Of a page that was written, one that was only read, one that nobody touched, and an address in no area."""
    shell = world.spawn("shell", node=_first_node(world))
    area = shell.mmap(3)
    shell.write(area[0])
    shell.read(area[1])
    shell.move_pages(0, [area[0], area[1], area[2], area.start - PAGE_SIZE])


def nothing_needs_to_move(world):
    """The page is where it is wanted: is that an error?"""
    node = _first_node(world)
    shell = world.spawn("shell", node=node)
    area = shell.mmap(1)
    shell.write(area)
    shell.move_pages(0, area, [node])


def a_node_that_nobody_has(world):
    """Behind an entry that is in order."""
    node = _first_node(world)
    shell = world.spawn("shell", node=node)
    area = shell.mmap(2)
    shell.write(area)
    shell.move_pages(0, area, [node, 1023])
