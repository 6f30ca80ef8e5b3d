"""Writers: a machine as text for other programs, one file a form."""

from numakit.topology.writers.node_link import node_link_text
from numakit.topology.writers.numactl import numactl_text
from numakit.topology.writers.qemu import qemu_arguments

__all__ = ["node_link_text", "numactl_text", "qemu_arguments"]
