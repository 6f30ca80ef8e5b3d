"""What `numactl --hardware` prints, as people paste it: between prompts, with CRLF, from versions old and new.

    available: 2 nodes (0-1)
    node 0 cpus: 0 2 4 6            no such line: unknown (numactl of 2004)
    node 0 size: 24123 MB           mebibytes, whatever the letters say; or "<not available>"
    node 0 free: 1877 MB
    node distances:                 or "No distance information available."
    node   0   1
      0:  10  21

A grammar for a parser generator would be no shorter, and its errors would name tokens. Here every line is judged
by its first words, and every refusal names the line. The numbers before the colons are node ids, never places.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from numakit.abi import MAX_NUMNODES
from numakit.topology.description import MAX_CPUS, MAX_MEMORY, UNREACHABLE, Description, Distances, Node, TopologyError
from numakit.topology.idlists import decimal, format_list, parse_list, shortened
from numakit.topology.readers.content import beginning, decoded, read_content

MIB = 1 << 20

MAX_LINE = 1 << 16
"""Characters of a line: 8192 CPUs fill 40,000, a row of 1024 distances 5,000."""

NO_NUMA = ("No NUMA available on this system", "No NUMA support available on this system")
NO_DISTANCES = "No distance information available"
NOT_AVAILABLE = "<not available>"
MARKS = (b"available:", b"node distances:", b" size:", b"No NUMA ")


def is_numactl_text(path: Path) -> bool:
    """Whether a file is named *.txt, or begins with something like the output of numactl."""
    start = beginning(path)
    return path.suffix == ".txt" or (b"\0" not in start and any(mark in start for mark in MARKS))


def read_numactl(path: Path) -> Description:
    """The machine that the text tells about; raises `TopologyError` naming file and line."""
    return parse_numactl(decoded(read_content(path), str(path)), str(path), path.stem)


def parse_numactl(text: str, origin: str, name: str) -> Description:
    """The same for a text that is no file: `origin` stands for it in errors."""
    reading = _Reading(origin)
    for line in text.split("\n"):
        reading.take(line)
    return reading.description(name)


@dataclass
class _Reading:
    """What was read so far. `part` is what the next line may belong to."""

    origin: str
    line: int = 0
    part: str = "before"
    header: tuple[str, tuple[int, ...]] | None = None
    nodes: set[int] = field(default_factory=set)
    cpus: dict[int, tuple[int, ...]] = field(default_factory=dict)
    sizes: dict[str, dict[int, int | None]] = field(default_factory=lambda: {"size": {}, "free": {}})
    has_table: bool = False
    columns: tuple[int, ...] | None = None
    rows: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def take(self, line: str) -> None:
        """Read the next line."""
        self.line += 1
        if len(line) > MAX_LINE:
            self.refuse(f"the line has more than the allowed {MAX_LINE} characters")
        words = line.split()
        text = " ".join(words).rstrip(".")
        if text in NO_NUMA:
            self.refuse("numactl found no NUMA on that system")
        elif words[:1] == ["available:"]:
            self.take_header(words)
        elif words[:1] == ["node"] and len(words) > 2 and words[2] in ("cpus:", "size:", "free:"):
            self.take_node(words)
        elif text in ("node distances:", NO_DISTANCES):
            self.take_end_of_nodes(text)
        elif self.part == "distances" and words:
            self.take_distances(words)
        elif self.part == "nodes" and words:
            self.refuse(f"{shortened(text)!r} is no line of numactl --hardware")

    def take_header(self, words: list[str]) -> None:
        """available: 5 nodes (0,8,252-254)"""
        self.must_be_in("before")
        self.part = "nodes"
        ids = words[3] if len(words) == 4 and words[2] in ("node", "nodes") else ""
        if not (ids.startswith("(") and ids.endswith(")")):
            self.refuse("the header is not like 'available: 2 nodes (0-1)'")
        self.header = (words[1], self.numbers(ids[1:-1], MAX_NUMNODES))

    def take_node(self, words: list[str]) -> None:
        """node 0 cpus: 0-3 8 9"""
        self.must_be_in("before", "nodes")
        self.part = "nodes"
        node, what, values = self.number(words[1], MAX_NUMNODES), words[2].rstrip(":"), words[3:]
        known = self.cpus if what == "cpus" else self.sizes[what]
        if node in known:
            self.refuse(f"a second line tells the {what} of node {node}")
        self.nodes.add(node)
        if what == "cpus":
            self.cpus[node] = self.numbers(",".join(values), MAX_CPUS)
        elif " ".join(values) == NOT_AVAILABLE:
            self.sizes[what][node] = None
        elif len(values) == 2 and values[1] == "MB":
            self.sizes[what][node] = self.number(values[0], MAX_MEMORY // MIB + 1) * MIB
        else:
            self.refuse(f"the {what} of node {node} is not a number and MB")

    def take_end_of_nodes(self, text: str) -> None:
        """node distances:"""
        self.must_be_in("before", "nodes")
        self.has_table = text == "node distances:"
        self.part = "distances" if self.has_table else "after"

    def take_distances(self, words: list[str]) -> None:
        """First "node 0 1", then a row "0: 10 21" for each of them; anything else is the end of the table."""
        if self.columns is None and words[0] == "node":
            self.columns = tuple(self.number(word, MAX_NUMNODES) for word in words[1:])
            if len(set(self.columns)) != len(self.columns):
                self.refuse("the distances have two columns for one node")
        elif self.columns is not None and words[0].endswith(":") and words[0][:-1].isdigit():
            self.take_row(self.number(words[0][:-1], MAX_NUMNODES), words[1:], self.columns)
        else:
            self.part = "after"

    def take_row(self, node: int, words: list[str], columns: tuple[int, ...]) -> None:
        """0: 10 21"""
        if node in self.rows or node not in columns:
            self.refuse(f"a row for node {node}; expected is one for each column ({format_list(columns)})")
        if len(words) > len(columns):
            self.refuse(f"{len(words)} distances in {len(columns)} columns")
        self.rows[node] = tuple(self.number(word, UNREACHABLE + 1) for word in words)

    def description(self, name: str) -> Description:
        """All of it; raises `TopologyError` for what is missing."""
        if not self.nodes:
            what = "tells of 0 nodes" if self.header else "has no line like 'node 0 size: 24123 MB'"
            self.refuse(f"the text {what}: it is no output of numactl --hardware on a NUMA system")
        nodes = {i: self.node(i) for i in sorted(self.nodes)}
        return Description(name, nodes, self.distances(), (*self.header_notes(), *self.size_notes()))

    def node(self, i: int) -> Node:
        """What the lines about one node say."""
        memory, free = (self.sizes[what].get(i) for what in ("size", "free"))
        return Node(memory or 0, self.cpus.get(i, ()), free=free, cpus_known=i in self.cpus)

    def header_notes(self) -> list[str]:
        """Old versions count up to the highest id, and name nodes that are not there."""
        if self.header is None:
            return []
        count, ids = self.header
        if set(ids) == self.nodes and count == str(len(ids)):
            return []
        says = f"{shortened(count)} nodes ({shortened(format_list(ids))})"
        return [f"The header tells of {says}, the lines below it of nodes {format_list(self.nodes)}: they are taken."]

    def size_notes(self) -> list[str]:
        """A size that is not told counts as none."""
        unknown = [i for i in sorted(self.nodes) if self.sizes["size"].get(i) is None]
        if not unknown:
            return []
        return [f"The memory of node {format_list(unknown)} is not told: it is taken to be memory-less."]

    def distances(self) -> Distances | None:
        """The table; raises `TopologyError` naming rows and columns that are missing."""
        if not self.has_table:
            return None
        if self.columns is None:
            self.refuse("the distances have no line of columns, like 'node 0 1'")
        columns = self.columns
        if set(columns) != self.nodes:
            of = f"nodes {format_list(columns)}, the lines above them tell of nodes {format_list(self.nodes)}"
            self.refuse(f"the distances are between {of}")
        short = {
            i: columns[len(self.rows[i]) :] for i in columns if i in self.rows and len(self.rows[i]) < len(columns)
        }
        gaps = [f"row {i} has no column {format_list(missing)}" for i, missing in short.items()]
        if absent := [i for i in columns if i not in self.rows]:
            gaps.append(f"row {format_list(absent)} is missing")
        if gaps:
            self.refuse(f"the distances are not whole: {'; '.join(gaps)}")
        return {i: dict(zip(columns, row, strict=True)) for i, row in self.rows.items()}

    # ---- words of a line

    def must_be_in(self, *parts: str) -> None:
        """Refuse a line that comes too late."""
        if self.part not in parts:
            self.refuse("a second machine begins here; allowed is one in a file")

    def number(self, word: str, limit: int) -> int:
        """A decimal number below `limit`."""
        try:
            return decimal(word, limit)
        except ValueError as error:
            self.refuse(str(error))

    def numbers(self, text: str, limit: int) -> tuple[int, ...]:
        """A list such as "0-3,8"."""
        try:
            return parse_list(text, limit)
        except ValueError as error:
            self.refuse(str(error))

    def refuse(self, problem: str) -> NoReturn:
        """Raise the exception that names file and line."""
        raise TopologyError(f"{self.origin}, line {self.line}: {problem}")
