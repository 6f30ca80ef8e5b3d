"""A page that a pipe holds: what becomes of it, and of the pages that were to move beside it?

Until 2.6.28, and again since 4.17, the call returns how many pages stayed; the kernels from 4.17 on tell no more than
that.

    numakit run docs/scenarios/held_pages.py --kernel 6.12
"""

from numakit.live import two_nodes


def one_of_three_is_held(world):
    """Is the call an error? Which of the three have moved? Ask again afterwards."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(3)
    shell.write(area)
    shell.vmsplice(area[1])
    shell.move_pages(0, area, [there] * 3)
    shell.move_pages(0, area)


def held_until_the_pipe_is_read(world):
    """Once nobody holds the page it moves."""
    here, there = two_nodes(world.topology)
    shell = world.spawn("shell", node=here)
    area = shell.mmap(1)
    shell.write(area)
    pipe = shell.vmsplice(area)
    shell.move_pages(0, area, [there])
    pipe.release()
    shell.move_pages(0, area, [there])
