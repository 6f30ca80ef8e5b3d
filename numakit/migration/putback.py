"""Pages go back to the LRU (move_to_lru, putback_lru_pages; mm/migrate.c of 2.6.18). Document 20."""

from __future__ import annotations

from collections.abc import Iterable

from numakit.kernels.functions import kernel_function
from numakit.machine.lru import lru_cache_add
from numakit.machine.state import MachineState


@kernel_function
def move_to_lru(m: MachineState, page: int) -> None:
    """Give a page, with the acting task's reference, to this CPU's pagevec. From there it reaches its LRU list when the
    pagevec is drained; a page that nobody else refers to is freed then. This is how the old frame is given back.
    """
    lru_cache_add(m, page, m.current)


def putback_lru_pages(m: MachineState, pages: Iterable[int]) -> int:
    """Give isolated pages back to the LRU. How many there were."""
    number = 0
    for page in pages:
        move_to_lru(m, page)
        number += 1
    return number
