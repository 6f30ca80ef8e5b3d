"""Who holds each reference to a page.

References of PTEs, of the page cache and of pagevecs can be found by looking there. A task or a pin that takes one is
noted: the frame's ``holder`` field has the first such holder and how many references it holds; others, which are rare,
are kept in the table.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from numakit.machine.state import PAGEVEC_ROW, MachineState

HOLDER_BITS = 16
HOLDER_MASK = (1 << HOLDER_BITS) - 1
ONE_REFERENCE = 1 << HOLDER_BITS
KERNEL_CODE = 0x7FFF  #: the holder that stands for kernel code which the reader writes: machine.isolate_lru_page()
FIRST_PIN = 0x8000  #: holders from here on are pins, below they are the tasks of the run


class Pin(NamedTuple):
    """References that a device or a pipe holds for a process: pages and how they came to be pinned."""

    number: int
    name: str
    pid: int
    pages: tuple[int, ...]


def note_holder(m: MachineState, page: int, holder: int) -> None:
    """``holder`` has taken one more reference to the page."""
    noted = m.holder[page]
    if not noted or noted & HOLDER_MASK == holder:
        m.set(m.holder, page, (noted or holder) + ONE_REFERENCE)
    else:
        m.put(("holders", page), (*m.table.get(("holders", page), ()), holder))


def forget_holder(m: MachineState, page: int, holder: int) -> None:
    """``holder`` has one reference less: it dropped it, or handed it on to a pagevec or a PTE."""
    noted = m.holder[page]
    if noted & HOLDER_MASK == holder:
        m.set(m.holder, page, noted - ONE_REFERENCE if noted >= 2 * ONE_REFERENCE else 0)
        return
    others = list(m.table.get(("holders", page), ()))
    assert holder in others, f"page {page}: holder {holder} has no reference to give back"
    others.remove(holder)
    m.put(("holders", page), tuple(others) or None)


def noted_holders(m: MachineState, page: int) -> Counter[int]:
    """The tasks and pins that hold references to the page, and how many."""
    held: Counter[int] = Counter(m.table.get(("holders", page), ()))
    if m.holder[page]:
        held[m.holder[page] & HOLDER_MASK] += m.holder[page] >> HOLDER_BITS
    return held


def holder_name(m: MachineState, holder: int) -> str:
    """A holder's name for a sentence."""
    if holder >= FIRST_PIN:
        pin = m.table.get(("pin", holder))
        return pin.name if pin else "a device"
    if holder == KERNEL_CODE:
        return "kernel code of yours"
    tasks = m.run.tasks if m.run else []
    return tasks[holder - 1].name if 0 < holder <= len(tasks) else f"task {holder}"


def in_pagevecs(m: MachineState, page: int) -> list[int]:
    """The CPUs in whose pagevec the page waits; with a reference each."""
    found = []
    for cpu, row in m.cpu_row.items():
        begin = row * PAGEVEC_ROW
        found += [cpu] * list(m.pagevec[begin + 1 : begin + 1 + m.pagevec[begin]]).count(page)
    return found
