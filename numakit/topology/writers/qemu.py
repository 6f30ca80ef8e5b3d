"""As arguments of `qemu-system-x86_64` (its -numa option, see qemu(1)).

QEMU numbers nodes and CPUs from 0 without holes. CPUs are counted anew in the order of their numbers. Holes in the ids
of nodes are refused, since a machine with other ids would not be this one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from numakit.topology.description import LOCAL_DISTANCE, TopologyError, is_int
from numakit.topology.idlists import format_list

if TYPE_CHECKING:
    from numakit.topology.topology import Topology

MAX_NODES = 128
"""MAX_NODES in QEMU's include/sysemu/numa.h."""

MAX_EMULATED_CPUS = 255
"""More CPUs than this need KVM. A larger machine gets fewer, the same part of each node."""

MIB = 1 << 20


def qemu_arguments(topology: Topology, memory: int | None = None) -> list[str]:
    """The arguments; see `Topology.to_qemu`."""
    _check(topology, memory)
    sizes, cpus = _sizes(topology, memory), _cpus(topology)
    count = sum(map(len, cpus.values()))
    arguments = ["-machine", "q35", "-m", f"{sum(sizes.values())}M", "-smp", f"{count}{_sockets(cpus, count)}"]
    for i, size in sizes.items():
        # Each range is a cpus= of its own: a comma would end the value.
        ranges = "".join(f",cpus={part}" for part in format_list(cpus[i]).split(",") if part)
        if size:
            arguments += ["-object", f"memory-backend-ram,id=ram{i},size={size}M"]
        backend = f",memdev=ram{i}" if size else ""
        arguments += ["-numa", f"node,nodeid={i}{ranges}{backend}"]
    for i in topology.nodes if len(topology.nodes) > 1 else ():
        for j in topology.nodes:
            arguments += ["-numa", f"dist,src={i},dst={j},val={topology.distance(i, j)}"]
    return arguments


def _check(topology: Topology, memory: int | None) -> None:
    """Raise `TopologyError` for what QEMU would refuse in its own words."""
    name, nodes = topology.name, topology.nodes
    if memory is not None and (not is_int(memory) or memory < MIB * len(nodes)):
        raise TopologyError(f"memory={memory!r}; allowed are None and bytes, at least 1 MiB for each node")
    if nodes != tuple(range(len(nodes))):
        allowed = f"0-{len(nodes) - 1}" if len(nodes) > 1 else "0"
        raise TopologyError(
            f"{name!r} cannot be a QEMU machine: its node ids {format_list(nodes)} have holes; allowed are {allowed}"
        )
    if len(nodes) > MAX_NODES:
        raise TopologyError(f"{name!r} cannot be a QEMU machine: it has {len(nodes)} nodes; allowed are {MAX_NODES}")
    if not any(topology.memory(i) for i in nodes):
        raise TopologyError(f"{name!r} cannot be a QEMU machine: no node has memory")
    owners: dict[int, int] = {}
    for i in nodes:
        for cpu in topology.cpus(i):
            if owners.setdefault(cpu, i) != i:
                raise TopologyError(f"{name!r} cannot be a QEMU machine: CPU {cpu} is in nodes {owners[cpu]} and {i}")
    if not owners:
        raise TopologyError(f"{name!r} cannot be a QEMU machine: no node has CPUs, or they are unknown")
    for i in nodes:
        for j in nodes:
            _check_distance(name, i, j, topology.distance(i, j))


def _check_distance(name: str, i: int, j: int, distance: int) -> None:
    if i == j and distance != LOCAL_DISTANCE:
        problem = f"the distance of node {i} to itself is {distance}; allowed is {LOCAL_DISTANCE}"
    elif distance < LOCAL_DISTANCE:
        problem = f"the distance from node {i} to node {j} is {distance}; allowed are {LOCAL_DISTANCE} to 255"
    else:
        return
    raise TopologyError(f"{name!r} cannot be a QEMU machine: {problem}")


def _sizes(topology: Topology, memory: int | None) -> dict[int, int]:
    """Whole MiB of each node, at least one where there is memory; scaled, they add up to at most `memory`."""
    total = sum(topology.memory(i) for i in topology.nodes)
    wanted = total if memory is None else memory
    return {i: max(1, topology.memory(i) * wanted // total // MIB) if topology.memory(i) else 0 for i in topology.nodes}


def _cpus(topology: Topology) -> dict[int, list[int]]:
    """New numbers of the CPUs of each node."""
    owners = sorted((cpu, i) for i in topology.nodes for cpu in topology.cpus(i))
    kept = {i: [cpu for cpu, owner in owners if owner == i] for i in topology.nodes}
    if len(owners) > MAX_EMULATED_CPUS:
        kept = {i: cpus[: max(1, len(cpus) * MAX_EMULATED_CPUS // len(owners))] for i, cpus in kept.items()}
    rank = {cpu: new for new, cpu in enumerate(sorted(cpu for cpus in kept.values() for cpu in cpus))}
    return {i: [rank[cpu] for cpu in cpus] for i, cpus in kept.items()}


def _sockets(cpus: dict[int, list[int]], count: int) -> str:
    """A socket for each node with CPUs, where these are equal blocks; guests distrust a socket in two nodes."""
    blocks = [block for block in cpus.values() if block]
    size = len(blocks[0])
    equal = all(block == list(range(place * size, (place + 1) * size)) for place, block in enumerate(blocks))
    return f",sockets={count // size}" if equal else ""
