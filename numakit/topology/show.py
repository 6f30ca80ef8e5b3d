"""How a topology looks: one line, a table in plain text, a table in HTML."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import TYPE_CHECKING

from numakit.topology.idlists import format_list

if TYPE_CHECKING:
    from numakit.topology.topology import Topology

MATRIX_LIMIT = 16
"""With more online nodes than this, text shows how often each distance occurs, not the whole matrix."""

UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB", "PiB")


def size(count: int) -> str:
    """Bytes for people: "0", "512 MiB", "7.7 GiB"."""
    if not count:
        return "0"
    power = min((count.bit_length() - 1) // 10, len(UNITS) - 1)
    number = f"{count / (1 << 10 * power):.1f}".removesuffix(".0")
    return f"{number} {UNITS[power]}"


def summary(topology: Topology) -> str:
    """How many nodes and CPUs, and how much memory in all."""
    nodes, cpus = len(topology.nodes), len({cpu for i in topology.nodes for cpu in topology.cpus(i)})
    memory = size(sum(topology.memory(i) for i in topology.nodes))
    return f"{_count(nodes, 'node')}, {_count(cpus, 'CPU')}, {memory}"


def one_line(topology: Topology) -> str:
    """Name and summary."""
    return f"<Topology {topology.name!r}: {summary(topology)}>"


def text(topology: Topology) -> str:
    """Nodes, CPUs and memory, then the distances, then the warnings."""
    blocks = [one_line(topology)[1:-1], _node_table(topology), _offline(topology), _distances(topology)]
    blocks += [f"Warning: {warning}" for warning in topology.warnings]
    return "\n".join(block for block in blocks if block)


def html(topology: Topology) -> str:
    """An accessible table: a caption, a header for each row and column; it scrolls if there are many."""
    title = escape(one_line(topology)[1:-1])
    columns = ("node", "CPUs", "memory", *(f"to {j}" for j in topology.nodes))
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    body = "".join(_html_row(topology, i) for i in topology.nodes)
    notes = [note for note in (_offline(topology),) if note]
    notes += [f"Warning: {warning}" for warning in topology.warnings]
    return (
        '<div class="numakit-topology" style="overflow:auto;max-height:32em" tabindex="0" role="group"'
        f' aria-label="Topology {escape(topology.name)}"><table>'
        f'<caption style="caption-side:top;text-align:left">{title}; distances from the row\'s node</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        + "".join(f"<p>{escape(note)}</p>" for note in notes)
        + "</div>"
    )


def cpus_text(topology: Topology, i: int) -> str:
    """The node's CPUs as a kernel list, "none", or "unknown"."""
    return (format_list(topology.cpus(i)) or "none") if topology.knows_cpus(i) else "unknown"


def memory_text(topology: Topology, i: int) -> str:
    """The node's memory for people, "none" for a memory-less node; with its kind if that is not "ram"."""
    if not topology.memory(i):
        return "none"
    kind = topology.kind(i)
    return size(topology.memory(i)) + ("" if kind == "ram" else f" ({kind})")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _node_table(topology: Topology) -> str:
    rows = [("node", "CPUs", "memory")]
    rows += [(str(i), cpus_text(topology, i), memory_text(topology, i)) for i in topology.nodes]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(f"{a:>{widths[0]}}  {b:<{widths[1]}}  {c:>{widths[2]}}" for a, b, c in rows)


def _offline(topology: Topology) -> str:
    offline = [i for i in topology.possible if i not in topology.online]
    return f"possible but offline: {format_list(offline)}" if offline else ""


def _distances(topology: Topology) -> str:
    nodes = topology.nodes
    if len(nodes) > MATRIX_LIMIT:
        seen = Counter(topology.distance(i, j) for i in nodes for j in nodes)
        return "distances: " + ", ".join(f"{value} ({seen[value]} times)" for value in sorted(seen))
    width = max(3, *(len(str(i)) for i in nodes))
    lines = ["distances", " " * (width + 1) + "".join(f" {j:>{width}}" for j in nodes)]
    lines += [f"{i:>{width}}:" + "".join(f" {topology.distance(i, j):>{width}}" for j in nodes) for i in nodes]
    return "\n".join(lines)


def _html_row(topology: Topology, i: int) -> str:
    cells = "".join(f"<td>{topology.distance(i, j)}</td>" for j in topology.nodes)
    return (
        f'<tr><th scope="row">{i}</th><td>{cpus_text(topology, i)}</td>'
        f"<td>{escape(memory_text(topology, i))}</td>{cells}</tr>"
    )
