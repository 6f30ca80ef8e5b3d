"""The machine's picture in words, for those who cannot see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from numakit.plots.layout import Group, grouped
from numakit.topology import KINDS, Topology
from numakit.topology.idlists import format_list
from numakit.topology.show import one_line, size


def describe_topology(topology: Topology, use: Mapping[int, int] | None = None) -> str:
    """Plain sentences with all that `draw_topology` shows, one a line; `use` is the same as there."""
    return "\n".join(
        [
            one_line(topology)[1:-1] + ".",
            *_memory_sentences(topology),
            *_use_sentences(topology, use),
            *_distance_sentences(topology),
            *_group_sentences(grouped(topology)),
            *topology.warnings,
        ]
    )


def describe_distances(topology: Topology) -> str:
    """Plain sentences with all that `draw_distances` shows: what is how far from each node, one a line."""
    lines = [f"Distances of {topology.name} (10 is local)."]
    for i in topology.nodes:
        by_distance: dict[int, list[int]] = {}
        for j in topology.nodes:
            by_distance.setdefault(topology.distance(i, j), []).append(j)
        parts = [f"{distance} to {format_list(nodes)}" for distance, nodes in sorted(by_distance.items())]
        lines.append(f"From node {i}: {'; '.join(parts)}.")
    return "\n".join(lines)


def _memory_sentences(topology: Topology) -> Iterable[str]:
    by_size: dict[str, list[int]] = {}
    for i in sorted(topology.nodes, key=topology.memory, reverse=True):
        by_size.setdefault(size(topology.memory(i)) if topology.memory(i) else "no memory", []).append(i)
    for memory, nodes in by_size.items():
        each = " each" if memory != "no memory" and len(nodes) > 1 else ""
        yield f"{_nodes(nodes)} {_verb(nodes)} {memory}{each}."
    for kind in KINDS[1:]:
        if nodes := [i for i in topology.nodes if topology.memory(i) and topology.kind(i) == kind]:
            yield f"The memory of {_nodes(nodes).lower()} is {kind}."
    without_cpus = [i for i in topology.nodes if not topology.cpus(i) and topology.knows_cpus(i)]
    if without_cpus:
        yield f"{_nodes(without_cpus)} {_verb(without_cpus)} no CPUs."
    offline = [i for i in topology.possible if i not in topology.online]
    if offline:
        yield f"{_nodes(offline)} {'is' if len(offline) == 1 else 'are'} possible but offline."


def _use_sentences(topology: Topology, use: Mapping[int, int] | None) -> Iterable[str]:
    for i in topology.nodes if use else ():
        if topology.memory(i):
            yield f"Node {i} uses {size((use or {}).get(i, 0))} of {size(topology.memory(i))}."


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
