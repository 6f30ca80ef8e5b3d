"""What is kept of hwloc's elements while they pass by: NUMA nodes, and matrices that may be distances."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NoReturn

from numakit.abi import MAX_NUMNODES
from numakit.topology.description import MAX_CPUS, MAX_MEMORY, TopologyError
from numakit.topology.idlists import decimal, parse_mask, shortened

MAX_ELEMENTS = 1 << 18
"""Elements of a file: a PU with its caches and infos takes ten, so that 8192 CPUs fit."""

MAX_DEPTH = 200
"""Elements in one another: real files have about 20."""

MAX_VALUES = MAX_NUMNODES * MAX_NUMNODES
"""Numbers of all matrices together."""

LATENCY = 4
"""The bit of a matrix' kind that says "latency" (hwloc/distances.h, HWLOC_DISTANCES_KIND_MEANS_LATENCY)."""


@dataclass(frozen=True)
class Found:
    """A NUMA node: `depth` counts the objects around it, `number` is the file's own name for it (gp_index)."""

    index: int
    memory: int
    cpus: tuple[int, ...]
    subtype: str
    depth: int
    number: str


@dataclass
class Matrix:
    """Numbers between objects; `ids` are ids of nodes, `numbers` gp_indexes, and of version 1 there is neither.

    A matrix of version 1 is about the objects that lie `depth` elements deep, from the node `first` of the file on.
    """

    line: int
    name: str
    count: int
    by: str
    depth: int = 0
    first: int = 0
    base: float = 1.0
    ids: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)


class Elements:
    """The target of an XML parser (xml.etree.ElementTree.XMLParser)."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.line: Callable[[], int] = lambda: 0
        self.nodes: list[Found] = []
        self.indexes: set[int] = set()
        self.machines: list[Found] = []
        self.matrices: list[Matrix] = []
        self.count = self.values = self.depth = self.objects = 0
        self.matrix: Matrix | None = None
        self.text: list[str] | None = None

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        """An element begins."""
        self.count += 1
        self.depth += 1
        if self.count > MAX_ELEMENTS or self.depth > MAX_DEPTH:
            what = f"{MAX_ELEMENTS} elements" if self.count > MAX_ELEMENTS else f"{MAX_DEPTH} elements in one another"
            self.refuse(f"more than the allowed {what}")
        if self.depth == 1 and tag != "topology":
            self.refuse(f"the file is about {shortened(tag)!r}; allowed is hwloc's topology")
        if tag == "object":
            self.objects += 1
            self.start_object(attributes)
        elif tag in ("distances", "distances2"):
            self.start_matrix(tag, attributes)
        elif self.matrix is not None and tag == "latency":
            self.take(self.matrix.values, attributes.get("value", ""))
        elif self.matrix is not None and tag in ("indexes", "u64values"):
            self.text = []

    def data(self, text: str) -> None:
        """Text between tags."""
        if self.text is not None:
            self.text.append(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self.depth -= 1
        if tag == "object":
            self.objects -= 1
        if self.matrix is None:
            return
        if self.text is not None and tag in ("indexes", "u64values"):
            kept = self.matrix.ids if tag == "indexes" else self.matrix.values
            self.take(kept, *"".join(self.text).split())
            self.text = None
        elif tag in ("distances", "distances2"):
            self.end_matrix(self.matrix)

    def close(self) -> None:
        """The file ends."""

    # ---- what the elements mean

    def start_object(self, attributes: Mapping[str, str]) -> None:
        """A NUMA node; or a machine, which has the memory where version 1 found no nodes."""
        kind = attributes.get("type")
        if kind == "NUMANode":
            node = self.found(attributes)
            if node.index in self.indexes:
                self.refuse(f"a second NUMANode with os_index {node.index}")
            self.indexes.add(node.index)
            self.nodes.append(node)
        elif kind == "Machine" and "local_memory" in attributes:
            self.machines.append(self.found({**attributes, "os_index": "0"}))

    def found(self, attributes: Mapping[str, str]) -> Found:
        """The attributes, judged."""
        return Found(
            self.number("os_index", attributes.get("os_index", ""), MAX_NUMNODES),
            self.number("local_memory", attributes.get("local_memory", "0"), MAX_MEMORY + 1),
            self.cpus(attributes.get("cpuset", "0x0")),
            attributes.get("subtype", ""),
            self.objects,
            attributes.get("gp_index", ""),
        )

    def cpus(self, text: str) -> tuple[int, ...]:
        """A cpuset, "0x00000410,,0x1": words of 32 bits, the highest first, an empty one for zero."""
        words = [word.removeprefix("0x") for word in text.split(",")]
        if len(words) * 32 > MAX_CPUS:
            self.refuse(f"the cpuset has CPUs of {MAX_CPUS} and above")
        try:
            return parse_mask("".join(word.rjust(8, "0") for word in words), MAX_CPUS)
        except ValueError as error:
            self.refuse(f"cpuset: {error}")

    def start_matrix(self, tag: str, attributes: Mapping[str, str]) -> None:
        """Distances of version 1 (in the object that they are about), or 2 (after all objects)."""
        count = self.number("nbobjs", attributes.get("nbobjs", ""), 1 << 16)
        matrix = Matrix(self.line(), attributes.get("name", ""), count, attributes.get("indexing", "os"))
        if tag == "distances":
            matrix.by, matrix.first = "depth", len(self.nodes)
            matrix.depth = self.objects + self.number("relative_depth", attributes.get("relative_depth", ""), MAX_DEPTH)
            matrix.base = self.base(attributes.get("latency_base", ""))
        elif attributes.get("type") != "NUMANode" or not self.is_latency(attributes):
            return
        self.matrix = matrix

    def is_latency(self, attributes: Mapping[str, str]) -> bool:
        """Whether a matrix of version 2 is one of latencies, not of bandwidths."""
        return bool(self.number("kind", attributes.get("kind", ""), 1 << 32) & LATENCY)

    def end_matrix(self, matrix: Matrix) -> None:
        """Keep it if it is whole."""
        if len(matrix.values) != matrix.count**2 or (matrix.by != "depth" and len(matrix.ids) != matrix.count):
            self.refuse(f"the distances of {matrix.count} objects have {len(matrix.values)} values")
        self.matrices.append(matrix)
        self.matrix = None

    def take(self, kept: list[str], *words: str) -> None:
        """Keep numbers, up to a limit."""
        self.values += len(words)
        if self.values > MAX_VALUES:
            self.refuse(f"the distances have more than the allowed {MAX_VALUES} values")
        kept.extend(words)

    def base(self, text: str) -> float:
        """latency_base, a small number with a point."""
        whole, _, part = text.partition(".")
        if not (whole.isascii() and whole.isdigit() and len(text) < 20 and (not part or part.isdigit())):
            self.refuse(f"latency_base: {shortened(text)!r} is not a number")
        return float(text)

    def number(self, what: str, text: str, limit: int) -> int:
        """A decimal number below `limit`."""
        try:
            return decimal(text, limit)
        except ValueError as error:
            self.refuse(f"{what}: {error}")

    def refuse(self, problem: str) -> NoReturn:
        """Raise the exception that names file and line."""
        raise TopologyError(f"{self.origin}, line {self.line()}: {problem}")
