"""Machines by name. Each says where its distance table is from."""

from collections.abc import Callable, Sequence

from numakit.topology import readers
from numakit.topology.description import Description, Node, TopologyError

GIB = 1 << 30


def two_sockets() -> Description:
    """Two sockets, 8 CPUs and 16 GiB each, 21 apart.

    Source: 10 and 21 is what firmware says of two-socket servers with Intel Xeons, E5-2600 and later; for one, see
    the output of `numactl --hardware` in awslabs/aws-c-s3, pull request 403. CPUs and memory are round numbers of ours.
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


def glueless8() -> Description:
    """Eight nodes, 6 CPUs and 12 GiB each, tied by the processors' own links, without a node controller between them.

    Source: the whole table is that of the dump 48amd64-4pa2n6c-sparse (hwloc's test data; four AMD Opteron 6100, two
    dies each), with its nodes 0, 1, 2, 33, 34, 45, 72, 73 counted from 0 to 7. CPUs are its own too; its nodes
    have 8 and 16 GiB in turn, ours the mean.
    """
    return _machine(
        "glueless8",
        [
            [10, 16, 16, 22, 16, 22, 16, 22],
            [16, 10, 22, 16, 16, 22, 22, 16],
            [16, 22, 10, 16, 16, 16, 16, 16],
            [22, 16, 16, 10, 16, 16, 22, 22],
            [16, 16, 16, 16, 10, 16, 16, 22],
            [22, 22, 16, 16, 16, 10, 22, 16],
            [16, 22, 16, 22, 16, 22, 10, 16],
            [22, 16, 16, 22, 22, 16, 16, 10],
        ],
        cpus=6,
        memory=12 * GIB,
    )


def altix() -> Description:
    """An SGI Altix, 64 nodes and 256 Itanium CPUs: the kind of machine that page migration was written for.

    Source: all of it is the dump of a real one, 256ia64-64n2s2c of hwloc's test data.
    """
    return readers.read(readers.ALTIX)._replace(name="altix")


def multi_die() -> Description:
    """A server of today: two sockets with many dies, cut into four nodes a socket (AMD's setting NPS4).

    Source: the nodes of Dardel, a Cray EX of KTH's PDC Center (two AMD EPYC with 64 cores; `numactl --hardware` in the
    slides of PDC's introduction): 12 in a socket, 32 to the other. An EPYC 7413 and others that we saw say the same.
    16 cores and 32 GiB a node are its own; we leave out the second threads of its cores.
    """
    table = [[10 if i == j else 12 if i // 4 == j // 4 else 32 for j in range(8)] for i in range(8)]
    return _machine("multi-die", table, cpus=16, memory=32 * GIB)


def cxl() -> Description:
    """Two sockets, and two memories on CXL that have no CPUs: node 2 hangs on node 0, node 3 on node 1.

    Source: Steve Scargall, "How To Map a CXL Endpoint to a CPU Socket in Linux" (stevescargall.com, December 2022),
    with the output of `numactl -H`: this table, and 64 and 128 GiB of CXL memory. The CPUs are fewer than there.
    """
    table = [[10, 21, 14, 24], [21, 10, 24, 14], [14, 24, 10, 26], [24, 14, 26, 10]]
    machine = _machine("cxl", table, cpus=16, memory=64 * GIB)
    memories = {2: Node(64 * GIB, kind="cxl"), 3: Node(128 * GIB, kind="cxl")}
    return machine._replace(nodes={**machine.nodes, **memories})


PRESETS: dict[str, Callable[[], Description]] = {
    "two-sockets": two_sockets,
    "ring4": ring4,
    "glueless8": glueless8,
    "altix": altix,
    "multi-die": multi_die,
    "cxl": cxl,
}
"""The machines by name."""


def preset(name: str) -> Description:
    """The machine of that name; raises `TopologyError` with the names there are."""
    if name not in PRESETS:
        raise TopologyError(f"name={name!r} is not a preset; allowed are {', '.join(PRESETS)}")
    return PRESETS[name]()


def _machine(name: str, table: Sequence[Sequence[int]], cpus: int, memory: int) -> Description:
    """A machine of equal nodes 0, 1, ...: node i has the CPUs from i * cpus."""
    nodes = {i: Node(memory, tuple(range(i * cpus, (i + 1) * cpus))) for i in range(len(table))}
    return Description(name, nodes, {i: dict(enumerate(row)) for i, row in enumerate(table)})
