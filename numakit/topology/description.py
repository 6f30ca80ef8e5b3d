"""What a reader, a preset or a graph says about a machine, and the limits that it must keep.

A `Description` is plain data. `checked` refuses what no Linux machine can be; what is merely odd (a firmware
bug, say) loads, and `warn.py` puts it into sentences.
"""

from collections.abc import Mapping
from typing import NamedTuple, cast

from numakit.abi import MAX_NUMNODES
from numakit.topology.idlists import shortened

LOCAL_DISTANCE = 10
"""Distance of a node to itself (include/linux/topology.h)."""

REMOTE_DISTANCE = 20
"""Distance of two nodes where the firmware has no table (include/linux/topology.h)."""

UNREACHABLE = 255
"""The SLIT's word for "no way"; its entries are bytes (ACPI specification, 5.2.17)."""

MAX_CPUS = 8192
"""CPU numbers are below this (NR_CPUS of x86-64 with CONFIG_MAXSMP)."""

MAX_MEMORY = 1 << 52
"""Bytes of a node: no x86-64 or arm64 has more than 52 physical address bits."""

KINDS = ("ram", "hbm", "pmem", "cxl", "device")
"""What memory a node has. "ram" is ordinary memory, and what is assumed where the source does not tell."""

Distances = Mapping[int, Mapping[int, int]]


class TopologyError(ValueError):
    """A topology, or its file, is refused: the message says where, what was found, what is allowed."""


class Node(NamedTuple):
    """One NUMA node: `memory` in bytes, CPU numbers ascending, whether it is online, and its `kind`.

    `free` is how much of the memory was free when the source was written, None where it does not tell: a moment's
    news, that makes no difference to what machine it is. `cpus_known` is False where the source says nothing of CPUs.
    """

    memory: int = 0
    cpus: tuple[int, ...] = ()
    online: bool = True
    kind: str = "ram"
    free: int | None = None
    cpus_known: bool = True


class Description(NamedTuple):
    """A machine as its source tells it.

    `distances` is None where the source has none; `notes` are the reader's own warnings, a sentence each.
    """

    name: str
    nodes: Mapping[int, Node]
    distances: Distances | None = None
    notes: tuple[str, ...] = ()


def checked(description: Description) -> Description:
    """It with nodes in ascending order; raises `TopologyError` if no machine can be like that."""
    if not description.nodes:
        raise TopologyError("a topology needs at least one node, this one has none")
    for node in description.nodes:
        _check_id(node)
    nodes = {node: _checked_node(node, description.nodes[node]) for node in sorted(description.nodes)}
    if not any(node.online for node in nodes.values()):
        raise TopologyError("no node is online; a topology needs at least one online node")
    if description.distances is not None:
        _check_distances(nodes, description.distances)
    return description._replace(nodes=nodes)


def linux_distance(i: int, j: int) -> int:
    """10 or 20: Linux' word on nodes that no table tells about (`__node_distance`, arch/x86/mm/numa.c)."""
    return LOCAL_DISTANCE if i == j else REMOTE_DISTANCE


def is_int(value: object) -> bool:
    """Whether it is an integer; True and False are not meant."""
    return isinstance(value, int) and not isinstance(value, bool)


def _short(value: object) -> str:
    """A value for an error message: no integer is spelt out that Python would refuse to (4300 digits)."""
    return shortened(repr(value)) if not is_int(value) or abs(cast(int, value)) < 1 << 128 else "a huge number"


def _check_id(node: int) -> None:
    if not is_int(node):
        raise TopologyError(f"node id {_short(node)} is not an integer")
    if not 0 <= node < MAX_NUMNODES:
        raise TopologyError(f"node id {_short(node)} is out of range; allowed are 0 to {MAX_NUMNODES - 1}")


def _checked_node(i: int, node: Node) -> Node:
    if not is_int(node.memory) or not 0 <= node.memory <= MAX_MEMORY:
        raise TopologyError(f"node {i}: memory={_short(node.memory)}; allowed are 0 to {MAX_MEMORY} bytes")
    if node.free is not None and (not is_int(node.free) or not 0 <= node.free <= MAX_MEMORY):
        raise TopologyError(f"node {i}: free={_short(node.free)}; allowed are None and 0 to {MAX_MEMORY} bytes")
    if not isinstance(node.online, bool):
        raise TopologyError(f"node {i}: online={_short(node.online)}; allowed are True and False")
    if node.kind not in KINDS:
        raise TopologyError(f"node {i}: kind={_short(node.kind)}; allowed are {', '.join(KINDS)}")
    for cpu in node.cpus:
        if not is_int(cpu) or not 0 <= cpu < MAX_CPUS:
            raise TopologyError(f"node {i}: cpus has {_short(cpu)}; allowed are integers from 0 to {MAX_CPUS - 1}")
    if len(set(node.cpus)) != len(node.cpus):
        raise TopologyError(f"node {i}: cpus names a CPU twice")
    return node._replace(cpus=tuple(sorted(node.cpus)))


def _check_distances(nodes: Mapping[int, Node], distances: Distances) -> None:
    online = [i for i, node in nodes.items() if node.online]
    for i in online:
        for j in online:
            if j not in distances.get(i, {}):
                raise TopologyError(
                    f"no distance from node {i} to node {j}; give one for each pair of online nodes, or none"
                )
    for i, row in distances.items():
        for j, value in row.items():
            if i not in nodes or j not in nodes:
                raise TopologyError(f"there is a distance from node {i} to node {j}, but not both nodes")
            if not is_int(value) or not 0 <= value <= UNREACHABLE:
                raise TopologyError(
                    f"distance={_short(value)} from node {i} to node {j}; allowed are 0 to {UNREACHABLE}"
                )
