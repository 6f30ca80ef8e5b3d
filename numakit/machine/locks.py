"""Locks with owners: the page lock, mmap_sem, and the lock of a mapping's reverse map.

Other spinlocks of the kernel are sections without a moment in the pipeline: nobody gets a turn inside them.
"""

from __future__ import annotations

from typing import NamedTuple

from numakit.kernels.functions import kernel_function
from numakit.machine.state import RMAP_SHIFT, MachineState
from numakit.moments import MMAP_READ, MMAP_WRITE, RMAP_LOCK, SLEEP_ON_PAGE
from numakit.timeline.task import Steps


def trylock_page(m: MachineState, page: int) -> bool:
    """Lock the page for the acting task (TestSetPageLocked); False if somebody has it locked."""
    if m.owner[page]:
        return False
    m.set(m.owner, page, m.current)
    return True


def lock_page(m: MachineState, page: int) -> Steps[None]:
    """Sleep until the page is unlocked, then lock it. The caller holds a reference."""
    while not trylock_page(m, page):
        yield SLEEP_ON_PAGE, page


def unlock_page(m: MachineState, page: int) -> None:
    """Unlock a page; who sleeps on it may go on."""
    assert m.owner[page], f"page {page} was unlocked, but it is not locked"
    m.set(m.owner, page, 0)


class Semaphore(NamedTuple):
    """mmap_sem: who has it, and who queues, in order: (task, whether it wants to write)."""

    writer: int = 0
    readers: tuple[int, ...] = ()
    queue: tuple[tuple[int, bool], ...] = ()

    def ahead_of(self, me: int) -> tuple[int, ...]:
        """The tasks that have to act before ``me`` has the semaphore; empty if it has it."""
        waiting = [task for task, _ in self.queue]
        if me not in waiting:
            return ()
        return tuple(task for task in (self.writer, *self.readers, *waiting[: waiting.index(me)]) if task)

    def granted(self) -> Semaphore:
        """The semaphore after whoever can have it got it, in the order of the queue: it is fair."""
        writer, readers, queue = self
        while queue and not writer and not (queue[0][1] and readers):
            (task, wants_to_write), *rest = queue
            writer, readers = (task, readers) if wants_to_write else (0, (*readers, task))
            queue = tuple(rest)
        return Semaphore(writer, readers, queue)


@kernel_function
def down_read(m: MachineState, mm: int) -> Steps[None]:
    """Take an mm's mmap_sem for read; sleeps while a writer has it or queues for it."""
    _queue(m, mm, write=False)
    yield MMAP_READ, mm


@kernel_function
def down_write(m: MachineState, mm: int) -> Steps[None]:
    """Take an mm's mmap_sem for write; sleeps while anybody has it or queues before."""
    _queue(m, mm, write=True)
    yield MMAP_WRITE, mm


def _queue(m: MachineState, mm: int, write: bool) -> None:
    semaphore: Semaphore = m.table.get(("mmap_sem", mm)) or Semaphore()
    m.put(("mmap_sem", mm), semaphore._replace(queue=(*semaphore.queue, (m.current, write))).granted())


def up_mmap_sem(m: MachineState, mm: int) -> None:
    """Give mmap_sem back (up_read, up_write); who is first in the queue gets it, readers together."""
    semaphore: Semaphore = m.table[("mmap_sem", mm)]
    if semaphore.writer == m.current:
        semaphore = semaphore._replace(writer=0)
    else:
        assert m.current in semaphore.readers, f"task {m.current} gives back mmap_sem of mm {mm}, which it has not"
        semaphore = semaphore._replace(readers=tuple(t for t in semaphore.readers if t != m.current))
    semaphore = semaphore.granted()
    m.put(("mmap_sem", mm), semaphore if semaphore != Semaphore() else None)


@kernel_function
def lock_rmap(m: MachineState, mapping: int) -> Steps[None]:
    """Take the lock of a mapping's list of VMAs (anon_vma->lock, i_mmap_lock); sleeps while a walk or a fork has it."""
    while m.table.get(("rmap lock", mapping)):
        yield RMAP_LOCK, mapping + RMAP_SHIFT
    m.put(("rmap lock", mapping), m.current)


def unlock_rmap(m: MachineState, mapping: int) -> None:
    """Give the lock of a mapping's list of VMAs back."""
    m.put(("rmap lock", mapping), None)
