"""`Topology`: the NUMA nodes of a machine and their distances, immutable, as every other layer sees them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from numakit.topology import show
from numakit.topology.description import Description, Node, TopologyError, checked, linux_distance
from numakit.topology.graph import build_graph, read_graph
from numakit.topology.idlists import format_list
from numakit.topology.warn import warnings_of

if TYPE_CHECKING:
    import networkx as nx

# Readers, writers and presets are imported where they are used: `import numakit` stays light.


class Topology:
    """The NUMA nodes of a machine: their memory, CPUs and distances.

    Made by `load`, `preset`, `host` or `from_networkx`; never changed afterwards. Two topologies are equal if
    nodes and distances are, whatever they are called and whatever is free. To get a changed one, change a copy:
    `g = t.graph; ...; Topology.from_networkx(g)`.

    >>> t = Topology.preset("ring4")
    >>> t.nodes, t.distance(0, 1), t.distance(0, 2), t.nearest(0)
    ((0, 1, 2, 3), 16, 22, (0, 1, 3, 2))
    """

    __slots__ = ("_description", "_distances", "_nodes", "_warnings")

    def __init__(self, description: Description) -> None:
        """From what a reader or preset hands over; raises `TopologyError` if no machine can be like that."""
        self._description = checked(description)
        self._nodes = tuple(i for i, node in self._description.nodes.items() if node.online)
        self._distances = self._all_distances()
        self._warnings = warnings_of(self._description)

    # ---- where topologies come from

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Topology:
        """The machine that a file or folder describes: a sysfs snapshot as a folder, .tar, .tar.gz or .tar.bz2, hwloc's
        XML, the text of `numactl --hardware`, or JSON as `to_json` writes it.

        A bare name such as "altix.tar.bz2" that is no file here means the shipped dump of that name (see
        `dumps`). Raises `TopologyError`, naming file and line, for what is malformed, unsafe or too large;
        `FileNotFoundError` if there is neither file nor dump.
        """
        from numakit.topology import readers

        description = readers.read(path)
        try:
            return cls(description)
        except TopologyError as error:
            raise TopologyError(f"{os.fspath(path)}: {error}") from None

    @classmethod
    def preset(cls, name: str) -> Topology:
        """A machine by name: one of `presets()`; presets.py has the source of each table."""
        from numakit.topology import presets

        return cls(presets.preset(name))

    @classmethod
    def host(cls, root: str | os.PathLike[str] = "/") -> Topology:
        """The running machine, from /sys; one without NUMA directories is one node with all memory and CPUs.

        `root` is where sys/ and proc/ are: another folder than "/" is for tests and mounted snapshots.
        """
        from numakit.topology import readers

        return cls(readers.read_host(root))

    @classmethod
    def from_networkx(cls, graph: nx.Graph[Any]) -> Topology:
        """From a networkx graph: vertices are node ids, attributes memory, cpus, online, kind; edges carry
        `distance`.

        An undirected graph means symmetric distances, a missing loop 10, no edges at all Linux' 10 and 20.
        Raises `TopologyError` for what no machine can be (ids from 1024, distances above 255, a pair without
        distance, ...).
        """
        return cls(read_graph(graph))

    @staticmethod
    def dumps() -> tuple[str, ...]:
        """Names of the dumps of real machines that come with numakit; `load` takes each."""
        from numakit.topology import readers

        return readers.shipped_dumps()

    @staticmethod
    def presets() -> tuple[str, ...]:
        """Names of the machines that `preset` takes."""
        from numakit.topology import presets

        return tuple(presets.PRESETS)

    # ---- where topologies go

    def to_json(self) -> str:
        """The machine as JSON in networkx' node-link form, a line for each node and each row; `load` reads it."""
        from numakit.topology import writers

        return writers.node_link_text(self)

    def to_numactl(self) -> str:
        """The machine as `numactl --hardware` prints it, in whole MB; `load` reads it. It has no word for what a node's
        memory is, nor for nodes that are offline.
        """
        from numakit.topology import writers

        return writers.numactl_text(self)

    def to_qemu(self, memory: int | None = None) -> list[str]:
        """Arguments with which `qemu-system-x86_64` makes this machine; `memory` is the bytes of all nodes together,
        shared out as they are here (None: as much as here).

        Raises `TopologyError` for what QEMU cannot have: ids with holes, CPUs in two nodes, distances below 10, ...
        """
        from numakit.topology import writers

        return writers.qemu_arguments(self, memory)

    # ---- what a topology says

    @property
    def graph(self) -> nx.DiGraph[int]:
        """The machine as a new networkx graph, with loops and assumed distances: a copy to change at will."""
        graph = build_graph(self._description._replace(distances=self._distances))
        if self._description.distances is None:
            graph.graph["distances"] = "assumed"
        return graph

    @property
    def name(self) -> str:
        """What the machine is called: the preset's or file's name."""
        return self._description.name

    @property
    def nodes(self) -> tuple[int, ...]:
        """Ids of the online nodes, ascending; there may be holes."""
        return self._nodes

    @property
    def possible(self) -> tuple[int, ...]:
        """Ids of all nodes, ascending: the online ones, and those that could be plugged in."""
        return tuple(self._description.nodes)

    @property
    def online(self) -> frozenset[int]:
        """The online nodes as a set (the kernel's node_online_map)."""
        return frozenset(self._nodes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about this machine: one plain sentence each."""
        return self._warnings

    def memory(self, i: int) -> int:
        """Bytes of memory of node `i`; 0 for a memory-less one."""
        return self._node(i, "i").memory

    def cpus(self, i: int) -> tuple[int, ...]:
        """Numbers of the CPUs of node `i`, ascending."""
        return self._node(i, "i").cpus

    def kind(self, i: int) -> str:
        """What memory node `i` has: one of `KINDS`; "ram" where the source does not tell."""
        return self._node(i, "i").kind

    def knows_cpus(self, i: int) -> bool:
        """Whether the source tells the CPUs of node `i`; if not, `cpus` is empty."""
        return self._node(i, "i").cpus_known

    def free(self, i: int) -> int | None:
        """Bytes of node `i` that were free when the source was written, None where it does not tell."""
        return self._node(i, "i").free

    @property
    def has_distances(self) -> bool:
        """Whether the source has distances; if not, those here are Linux' 10 and 20."""
        return self._description.distances is not None

    def distance(self, i: int, j: int) -> int:
        """Distance from node `i` to node `j` as the SLIT has it: 10 is local, 20 means twice the latency.

        Linux' 10 and 20 where the source has no number.
        """
        self._node(i, "i")
        self._node(j, "j")
        return self._distances.get(i, {}).get(j, linux_distance(i, j))

    def nearest(self, i: int) -> tuple[int, ...]:
        """Online nodes with memory in the order in which an allocation on node `i` tries them (its zonelist).

        Node `i` itself comes first, then by distance, then by node id. (The kernel's `find_next_best_node`,
        mm/page_alloc.c, also adds 1 for ids below `i` and 1 for nodes with CPUs, and spreads ties by load.)
        """
        self._node(i, "i")
        with_memory = (j for j in self._nodes if self.memory(j))
        return tuple(sorted(with_memory, key=lambda j: (j != i, self.distance(i, j), j)))

    def _node(self, i: int, argument: str) -> Node:
        try:
            return self._description.nodes[i]
        except (KeyError, TypeError):
            allowed = format_list(self.possible)
            raise TopologyError(f"{argument}={i!r} is not a node of {self.name!r}; allowed are {allowed}") from None

    def _all_distances(self) -> dict[int, dict[int, int]]:
        """What the source says, and Linux' own numbers for pairs of online nodes where it says nothing."""
        said = self._description.distances or {}
        table = {i: {j: linux_distance(i, j) for j in self._nodes} for i in self._nodes}
        for i, row in said.items():
            table[i] = {**table.get(i, {}), **row}
        return table

    # ---- equality and looks

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Topology):
            return NotImplemented
        return self._machine() == other._machine() and self._distances == other._distances

    def __hash__(self) -> int:
        return hash(tuple(self._machine().items()))

    def _machine(self) -> dict[int, Node]:
        """The nodes without what is but of the moment."""
        return {i: node._replace(free=None) for i, node in self._description.nodes.items()}

    def __repr__(self) -> str:
        return show.one_line(self)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The machine as a small table, much as `numactl --hardware` prints it."""
        return show.text(self)

    def _repr_html_(self) -> str:
        return show.html(self)
