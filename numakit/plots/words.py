"""The machine's picture in words, for those who cannot see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from numakit.plots.layout import Group, grouped
from numakit.topology import Topology
from numakit.topology.idlists import format_list
from numakit.topology.show import one_line, size


def describe_topology(topology: Topology) -> str:
    """Plain sentences with all that `draw_topology` and `draw_distances` show, one a line."""
    return "\n".join(
        [
            one_line(topology)[1:-1] + ".",
            *_memory_sentences(topology),
            *_distance_sentences(topology),
            *_group_sentences(grouped(topology)),
            *topology.warnings,
        ]
    )


def _memory_sentences(topology: Topology) -> Iterable[str]:
    by_size: dict[str, list[int]] = {}
    for i in sorted(topology.nodes, key=topology.memory, reverse=True):
        by_size.setdefault(size(topology.memory(i)) if topology.memory(i) else "no memory", []).append(i)
    for memory, nodes in by_size.items():
        each = " each" if memory != "no memory" and len(nodes) > 1 else ""
        yield f"{_nodes(nodes)} {_verb(nodes)} {memory}{each}."
    without_cpus = [i for i in topology.nodes if not topology.cpus(i)]
    if without_cpus:
        yield f"{_nodes(without_cpus)} {_verb(without_cpus)} no CPUs."
    offline = [i for i in topology.possible if i not in topology.online]
    if offline:
        yield f"{_nodes(offline)} {'is' if len(offline) == 1 else 'are'} possible but offline."


def _distance_sentences(topology: Topology) -> Iterable[str]:
    pairs = Counter(topology.distance(i, j) for i in topology.nodes for j in topology.nodes if i != j)
    for distance, count in sorted(pairs.items()):
        yield f"Distance {distance}: {count} of {pairs.total()} ordered pairs."


def _group_sentences(group: Group) -> Iterable[str]:
    """The groups of near nodes from the smallest on; nothing where all are alike."""
    found: dict[int, list[Group]] = {}
    for inner in _inner_groups(group):
        found.setdefault(inner.distance, []).append(inner)
    for distance, groups in sorted(found.items()):
        lists = "; ".join(format_list(inner.nodes) for inner in groups)
        yield f"Groups linked by distance {distance}: {lists}."


def _inner_groups(group: Group) -> Iterable[Group]:
    for child in group.children:
        if child.children:
            yield from _inner_groups(child)
            yield child


def _nodes(nodes: list[int]) -> str:
    return f"Node{'' if len(nodes) == 1 else 's'} {format_list(nodes)}"


def _verb(nodes: list[int]) -> str:
    return "has" if len(nodes) == 1 else "have"
