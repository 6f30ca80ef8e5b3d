"""migrate_pages(): ten passes over a list of isolated pages (mm/migrate.c of 2.6.18). Document A.3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numakit.abi import EAGAIN, ENOMEM
from numakit.kernels.functions import kernel_function
from numakit.machine.state import MachineState
from numakit.migration.new_page import NewPage
from numakit.migration.putback import putback_lru_pages
from numakit.migration.unmap_and_move import unmap_and_move
from numakit.moments import PASS
from numakit.timeline.task import Steps


@kernel_function
def migrate_pages(m: MachineState, pages: Sequence[int], get_new_page: NewPage, private: Any) -> Steps[int]:
    """Move pages to new pages that ``get_new_page`` provides.

    Needs the pages off the LRU, with a reference of the acting task to each (isolate_lru_page). A page that is busy is
    tried again in the next pass; the first passes are polite, later ones sleep for locks and for writeback. Returns how
    many pages were not moved; or, where the kernel gives up when memory runs out, -ENOMEM. Nothing is left on the list:
    moved or not, every page has gone back to the LRU.
    """
    nr_failed, retry = 0, list(pages)
    for number in range(m.kernel.passes):
        if not retry:
            break
        yield PASS, number
        m.costs.passes += 1
        todo, retry = retry, []
        for at, page in enumerate(todo):
            force = number >= m.kernel.polite_passes
            m.costs.attempts += 1
            rc = yield from unmap_and_move(m, get_new_page, private, page, force)
            if rc == -ENOMEM and m.kernel.no_memory_ends_call:
                putback_lru_pages(m, retry + todo[at:])
                return rc
            if rc == -EAGAIN:
                retry.append(page)
            elif rc:
                nr_failed += 1  # permanent: the page is off the list and back on the LRU
    nr_failed += putback_lru_pages(m, retry)
    m.set(m.vmstat, 0, m.vmstat[0] + len(pages) - nr_failed)
    m.set(m.vmstat, 1, m.vmstat[1] + nr_failed)
    return nr_failed
