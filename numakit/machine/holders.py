"""Every reference to a page, by who holds it. Together they always add up to the page's count."""

from __future__ import annotations

from numakit.machine.pagecache import in_page_cache, page_has_buffers
from numakit.machine.references import holder_name, in_pagevecs, noted_holders
from numakit.machine.state import PG_SWAPCACHE, MachineState


def references(m: MachineState, page: int) -> dict[str, int]:
    """Every reference to a page, by who holds it: ``{"PTE": 2, "pagevec of CPU 0": 1, "move_pages": 1}``.

    The sum is the page's count.
    """
    held: dict[str, int] = {}
    if m.mapcount[page]:
        held["PTE"] = m.mapcount[page]
    if in_page_cache(m, page):
        held["swap cache" if m.flags[page] & PG_SWAPCACHE else "page cache"] = 1
    if page_has_buffers(m, page):
        held["buffers"] = 1
    for cpu in in_pagevecs(m, page):
        held[f"pagevec of CPU {cpu}"] = held.get(f"pagevec of CPU {cpu}", 0) + 1
    if m.table.get("zero page") == page:
        held["the kernel: its zero page"] = 1
    for holder, times in noted_holders(m, page).items():
        held[holder_name(m, holder)] = held.get(holder_name(m, holder), 0) + times
    return held
