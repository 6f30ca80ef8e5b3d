"""numakit: a NUMA machine in a notebook, for teaching and experimenting with page migration.

A topology, a machine with a kernel, processes on it, and the calls they make:

>>> from numakit import Machine, Topology
>>> machine = Machine(Topology.preset("two-sockets"))
>>> shell = machine.spawn("shell", node=0)
>>> area = shell.mmap(pages=4)
>>> shell.write(area)
0
>>> result = shell.move_pages(0, area[0:2], [1, 1])
>>> result.ret, result.status
(0, [1, 1])
"""

from numakit.abi import (
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    MPOL_PREFERRED,
    PAGE_SIZE,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)
from numakit.allocators import by_preference, failing, interleaved, nearest_with_room, to_node
from numakit.explain import MigrationResult, Result
from numakit.facade.file import File
from numakit.facade.machine import Machine
from numakit.facade.process import Process
from numakit.facade.run import EXPORTERS, Run
from numakit.facade.vma import Vma
from numakit.migration.new_page import Cells
from numakit.timeline.run import BrokenUserCode, Stuck
from numakit.timeline.state import InThePast
from numakit.topology import Topology, TopologyError
from numakit.version import __version__

# Named, not imported: runs stand below the widgets, and this is where both are known.
EXPORTERS["html"] = "numakit.widgets.export:to_html"

__all__ = [
    "MPOL_BIND",
    "MPOL_DEFAULT",
    "MPOL_F_ADDR",
    "MPOL_F_NODE",
    "MPOL_INTERLEAVE",
    "MPOL_MF_MOVE",
    "MPOL_MF_MOVE_ALL",
    "MPOL_PREFERRED",
    "PAGE_SIZE",
    "PROT_NONE",
    "PROT_READ",
    "PROT_WRITE",
    "BrokenUserCode",
    "Cells",
    "File",
    "InThePast",
    "Machine",
    "MigrationResult",
    "Process",
    "Result",
    "Run",
    "Stuck",
    "Topology",
    "TopologyError",
    "Vma",
    "__version__",
    "by_preference",
    "failing",
    "interleaved",
    "nearest_with_room",
    "to_node",
]
