"""As `numactl --hardware` prints it (hardware() and print_distances() in numactl.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numakit.topology.idlists import format_list

if TYPE_CHECKING:
    from numakit.topology.topology import Topology


def numactl_text(topology: Topology) -> str:
    """The text, with a newline at its end; lines for what the source does not tell are left out."""
    nodes = topology.nodes
    lines = [f"available: {len(nodes)} nodes ({format_list(nodes)})"]
    for i in nodes:
        if topology.knows_cpus(i):
            lines.append(" ".join([f"node {i} cpus:", *map(str, topology.cpus(i))]))
        lines.append(f"node {i} size: {topology.memory(i) >> 20} MB")
        free = topology.free(i)
        if free is not None:
            lines.append(f"node {i} free: {free >> 20} MB")
    return "\n".join([*lines, *_distance_lines(topology)]) + "\n"


def _distance_lines(topology: Topology) -> list[str]:
    if not topology.has_distances:
        return ["No distance information available."]
    lines = ["node distances:", "node " + "".join(f"{j:3} " for j in topology.nodes)]
    for i in topology.nodes:
        lines.append(f"{i:3}: " + "".join(f"{topology.distance(i, j):3} " for j in topology.nodes))
    return lines
