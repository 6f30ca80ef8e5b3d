"""References that outlast a call: pages in a pipe (vmsplice) or under direct I/O (fs/splice.c, fs/direct-io.c of
2.6.18).

While such a reference is held the page's count is one too high for migration, and the page stays where it is.
"""

from __future__ import annotations

from numakit.abi import PAGE_SHIFT
from numakit.faults import access, do_page_fault
from numakit.machine.frames import get_page, put_page
from numakit.machine.locks import lock_page, unlock_page
from numakit.machine.references import FIRST_PIN, Pin
from numakit.machine.state import MachineState
from numakit.machine.vma import present_page
from numakit.moments import GET_USER_PAGES, HOLD, RELEASE
from numakit.timeline.task import Steps

PIPE, DIRECT_IO = "pipe", "direct I/O"


def get_user_pages(
    m: MachineState, mm: int, addresses: tuple[int, ...], *, write: bool, holder: int
) -> Steps[list[int]]:
    """Fault in the pages behind addresses and take a reference to each, for ``holder``. The pages, up to the first
    address that cannot be accessed. Nothing is written: that is the device's business.
    """
    pages: list[int] = []
    for address in addresses:
        yield GET_USER_PAGES, address >> PAGE_SHIFT
        while present_page(m, mm, address, write=write) is None:
            rc = yield from do_page_fault(m, mm, address, write=write)
            if rc:
                return pages
        page = present_page(m, mm, address, write=write)
        assert page is not None
        get_page(m, page, holder)
        pages.append(page)
    return pages


def pin_pages(m: MachineState, pid: int, mm: int, addresses: tuple[int, ...], kind: str, name: str) -> Steps[int]:
    """Pin pages of a process: its pages lie in a pipe, or a device reads or writes them. The pin's number, 0 if no
    page could be had.
    """
    number = FIRST_PIN + m.next("pins")
    pages = yield from get_user_pages(m, mm, addresses, write=kind == DIRECT_IO, holder=number)
    if not pages:
        return 0
    m.put(("pin", number), Pin(number, name, pid, tuple(pages)))
    m.put(("pin kind", number), kind)
    return number


def release_pin(m: MachineState, number: int) -> Steps[int]:
    """The pipe is read, or the device is done: drop the references. 0; nothing happens the second time."""
    yield RELEASE, 0
    put_pin(m, number)
    return 0


def put_pin(m: MachineState, number: int) -> None:
    """Drop the references of a pin."""
    pin: Pin | None = m.table.get(("pin", number))
    if pin is None:
        return
    for page in pin.pages:
        put_page(m, page, number)
    m.put(("pin", number), None)
    m.put(("pin kind", number), None)


def pin_for_a_while(m: MachineState, pid: int, mm: int, addresses: tuple[int, ...], kind: str, name: str) -> Steps[int]:
    """Pin pages and let go at a later turn: an actor beside a call. The pin's number."""
    number = yield from pin_pages(m, pid, mm, addresses, kind, name)
    yield HOLD, 0
    put_pin(m, number)
    return number


def hold_page_lock(m: MachineState, mm: int, address: int) -> Steps[int]:
    """Somebody, I/O perhaps, locks the page behind an address and keeps it locked until a later turn. 0, -EFAULT or
    -ENOMEM.

    Like everybody who locks a page it holds a reference meanwhile.
    """
    page = yield from access(m, mm, address, write=False)
    if page < 0:
        return page
    get_page(m, page, m.current)
    yield from lock_page(m, page)
    yield HOLD, page
    unlock_page(m, page)
    put_page(m, page, m.current)
    return 0


def release_pins_of(m: MachineState, pid: int) -> None:
    """A process ends: its pipes are closed and their pages let go. Direct I/O goes on: the device knows nothing of
    processes.
    """
    pins = [value for key, value in m.table.items() if isinstance(key, tuple) and key[0] == "pin" and value.pid == pid]
    for pin in sorted(pins):  # undo and redo change the order of the table, and a replay must not see that
        if m.table[("pin kind", pin.number)] == PIPE:
            put_pin(m, pin.number)
