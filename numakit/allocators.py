"""Functions that decide where a page moves to, ready to be handed to ``machine.migrate_pages()`` (document A.2).

Each makes a ``get_new_page(page, private, result)``, which the kernel calls new_page_t: it is asked once for each
attempt to move a page, and returns a frame that it has just allocated, or None where there is none. They are short
enough to be read, and to be the beginning of one of your own:

    machine.migrate_pages(pages, to_node(machine, 1))
    machine.migrate_pages(pages, interleaved(machine, [1, 2, 3]), private=machine.cells(1))

What such a function has to remember stands in cells of the machine, which go back when the machine goes back; a
variable would not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from numakit.facade.machine import Machine

#: (page, private, result) -> a fresh frame, or None.
GetNewPage: TypeAlias = Callable[[int, Any, Any], int | None]


def to_node(machine: Machine, node: int) -> GetNewPage:
    """Every page moves to one node; a full one gives none. Raises ValueError for a node that is not online."""
    machine.free_frames(node)

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        return machine.alloc_page(node)

    return get_new_page


def interleaved(machine: Machine, nodes: Sequence[int]) -> GetNewPage:
    """The pages go to the nodes in turn. Whose turn it is stands in ``private``, which has to be ``machine.cells(1)``.

    A node that is full gives none, and its turn is over. Raises ValueError for nodes that are not online, or none.
    """
    order = online_nodes(machine, nodes)

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        turn = private[0]
        private[0] = turn + 1
        return machine.alloc_page(order[turn % len(order)])

    return get_new_page


def nearest_with_room(machine: Machine) -> GetNewPage:
    """Each page leaves its node for the nearest other one that has a free frame; of equally near ones, the lowest."""

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        home = machine.node(page)
        for node in machine.topology.nearest(home):
            if node != home and machine.free_frames(node):
                return machine.alloc_page(node)
        return None

    return get_new_page


def by_preference(machine: Machine, nodes: Sequence[int]) -> GetNewPage:
    """Each page goes to the first node of a list that has a free frame. Raises ValueError for nodes that are not
    online, or none.
    """
    order = online_nodes(machine, nodes)

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        for node in order:
            if machine.free_frames(node):
                return machine.alloc_page(node)
        return None

    return get_new_page


def failing(machine: Machine, every: int, get_new_page: GetNewPage | None = None) -> GetNewPage:
    """Fails on purpose: of every so many requests the last gets None, the others what ``get_new_page`` gives (by
    default :func:`nearest_with_room`). 1 always fails. Raises ValueError for ``every`` below 1.
    """
    if not isinstance(every, int) or every < 1:
        raise ValueError(f"every={every!r}: a whole number from 1 on is wanted")
    otherwise = get_new_page or nearest_with_room(machine)
    asked = machine.cells(1)

    def get_new_page_or_fail(page: int, private: Any, result: Any) -> int | None:
        asked[0] += 1
        if asked[0] % every == 0:
            return None
        return otherwise(page, private, result)

    return get_new_page_or_fail


def online_nodes(machine: Machine, nodes: Sequence[int]) -> tuple[int, ...]:
    """The nodes, which have to be online, and at least one. Raises ValueError."""
    order = tuple(nodes)
    if not order:
        raise ValueError("nodes=[]: at least one node is wanted")
    for node in order:
        machine.free_frames(node)
    return order
