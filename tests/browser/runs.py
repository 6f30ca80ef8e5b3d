"""The run that the browser is shown, as a notebook's source and as a run of this process."""

from __future__ import annotations

from typing import Any

from numakit import Run

#: Two pages move, one of them is met by a write; an address was never touched.
SHORT = """\
from numakit import Machine, Topology
machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
shell = machine.spawn("shell", uid=0, node=0)
area = shell.mmap(pages=4)
shell.write(area[0:2])
run = machine.begin(shell.move_pages, 0, area[0:3], [1, 1, 1])
run.when("COPY").do(shell.write, area[0])
run.finish()
run.first()
"""

#: Every actor and every look: a page shared and pinned for a while, a write that meets a migration entry, a munmap.
BUSY = """\
from numakit import MPOL_MF_MOVE_ALL, Machine, Topology
machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
shell = machine.spawn("shell", uid=0, node=0)
area = shell.mmap(pages=60)
shell.write(area[0:4] + area[5:20])
child = shell.fork("child")
shell.write(area[0])
run = machine.begin(shell.move_pages, 0, area[0:5], [1] * 5, MPOL_MF_MOVE_ALL)
run.when("GET_NEW_PAGE", nth=3).until("PASS", in_pass=3).do(shell.pin_for_a_while, area[2])
run.when("TRY_TO_UNMAP", nth=3).do(child.write, area[1])
run.when("COPY").do(shell.fork, "another")
run.when("COUNT", nth=2).do(shell.munmap, area)
run.finish()
run.goto(40)
"""

#: A page of a file that the disc is writing, so that the call sleeps.
FILE = """\
from numakit import Machine, Topology
machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
shell = machine.spawn("shell", uid=0, node=0)
file = machine.file("data", 4, "ext2")
area = shell.mmap(pages=4, shared=True, file=file)
shell.write(area[0:2])
run = machine.begin(shell.move_pages, 0, area[0:2], [1, 1])
run.when("PASS").do(file.write_back, 0)
run.finish()
"""

#: A page that is in a pipe: all ten passes, of which the last seven are forced.
PINNED = """\
from numakit import Machine, Topology
machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
shell = machine.spawn("shell", uid=0, node=0)
area = shell.mmap(pages=1)
shell.write(area)
shell.vmsplice(area[0])
run = machine.record(shell.move_pages, 0, area, [1])
"""


def made(source: str) -> Run[Any]:
    """The run that a source makes."""
    names: dict[str, Any] = {}
    exec(source, names)
    run: Run[Any] = names["run"]
    return run
