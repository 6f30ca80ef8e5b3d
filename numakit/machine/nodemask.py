"""Sets of nodes, as sorted tuples of node ids, and how one set is laid upon another (lib/bitmap.c of 2.6.18)."""

from __future__ import annotations


def node_remap(node: int, old: tuple[int, ...], new: tuple[int, ...]) -> int:
    """Where a node goes when the nodes ``old`` become the nodes ``new``: the n-th of the one is the n-th of the other,
    beginning anew if that has fewer. A node outside ``old`` stays, all do if ``new`` is empty (bitmap_bitremap).
    """
    if node not in old or not new:
        return node
    return new[old.index(node) % len(new)]


def nodes_remap(nodes: tuple[int, ...], old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """Where the nodes of a set go (bitmap_remap). Two may meet on one node."""
    return tuple(sorted({node_remap(node, old, new) for node in nodes}))
