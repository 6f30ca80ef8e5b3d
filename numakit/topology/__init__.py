"""Topologies: which NUMA nodes a machine has, and how far they are from one another.

topology.py     the class that people use
description.py  what a reader or a preset hands over, and the limits that it must keep
warn.py         what is odd about a machine, in sentences
graph.py        from and to networkx
presets.py      machines by name
idlists.py      the kernel's "0-3,8" and "00000000,0000010f"
show.py         plain text and HTML
readers/        one file a source
writers/        one file a form in which a machine leaves
dumps/          machines that come with numakit
"""

from numakit.topology.description import KINDS, Description, Node, TopologyError
from numakit.topology.topology import Topology

__all__ = ["KINDS", "Description", "Node", "Topology", "TopologyError"]
