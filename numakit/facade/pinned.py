"""Pages that a pipe or a device holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numakit.facade.call import Call, Prepared
from numakit.machine.references import Pin
from numakit.pins import release_pin

if TYPE_CHECKING:
    from numakit.facade.machine import Machine


class PinnedPages:
    """References that a pipe or a device holds until :meth:`release`; the pages cannot move meanwhile."""

    def __init__(self, machine: Machine, number: int, name: str) -> None:
        self._machine, self.number, self.name = machine, number, name

    @property
    def machine(self) -> Machine:
        """The machine whose pages are held."""
        return self._machine

    @property
    def notation(self) -> str:
        """What it is called in the notation of schedules."""
        return f"pin({self.number})"

    @property
    def pages(self) -> tuple[int, ...]:
        """The pages (pfns) that are held now; empty once they were released."""
        pin: Pin | None = self._machine.table.get(("pin", self.number))
        return pin.pages if pin else ()

    @Call
    def release(self) -> Prepared[int]:
        """The pipe is read, or the device is done: the references are dropped. 0."""
        return Prepared("release", lambda m: release_pin(m, self.number), lambda rc: rc, self._machine.first_cpu)

    def __repr__(self) -> str:
        return f"<{self.name}: holds {len(self.pages)} page{'s' * (len(self.pages) != 1)}>"
