"""Machines by name. Each says where its distance table is from."""

from collections.abc import Callable, Sequence

from numakit.topology import readers
from numakit.topology.description import Description, Node, TopologyError

GIB = 1 << 30


def two_sockets() -> Description:
    """Two sockets, 8 CPUs and 16 GiB each, 21 apart.

    Source: 10 and 21 is what `numactl --hardware` shows on many two-socket servers with Intel Xeons, E5-2600
    and later. CPUs and memory are round numbers of ours.
    """
    return _machine("two-sockets", [[10, 21], [21, 10]], cpus=8, memory=16 * GIB)


def ring4() -> Description:
    """Four nodes in a ring, 4 CPUs and 8 GiB each: a neighbour is 16 away, the node across is 22.

    Source: 16 and 22 (one and two HyperTransport links) are the numbers of four-socket AMD Opteron servers.
    We know of no dump of a bare ring: this one is cut out of the eight nodes of 48amd64-4pa2n6c-sparse
    (hwloc's test data), where the nodes 0, 1, 33 and 2 have exactly this table. CPUs and memory are ours.
    """
    return _machine(
        "ring4",
        [[10, 16, 22, 16], [16, 10, 16, 22], [22, 16, 10, 16], [16, 22, 16, 10]],
        cpus=4,
        memory=8 * GIB,
    )


def altix() -> Description:
    """An SGI Altix, 64 nodes and 256 Itanium CPUs: the kind of machine that page migration was written for.

    Source: all of it is the dump of a real one, 256ia64-64n2s2c of hwloc's test data.
    """
    return readers.read(readers.ALTIX)._replace(name="altix")


PRESETS: dict[str, Callable[[], Description]] = {"two-sockets": two_sockets, "ring4": ring4, "altix": altix}


def preset(name: str) -> Description:
    """The machine of that name; raises `TopologyError` with the names there are."""
    if name not in PRESETS:
        raise TopologyError(f"name={name!r} is not a preset; allowed are {', '.join(PRESETS)}")
    return PRESETS[name]()


def _machine(name: str, table: Sequence[Sequence[int]], cpus: int, memory: int) -> Description:
    """A machine of equal nodes 0, 1, ...: node i has the CPUs from i * cpus."""
    nodes = {i: Node(memory, tuple(range(i * cpus, (i + 1) * cpus))) for i in range(len(table))}
    return Description(name, nodes, {i: dict(enumerate(row)) for i, row in enumerate(table)})
