"""An area of a process' memory as people see it: a list of page addresses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from operator import index
from typing import TYPE_CHECKING, Any, NamedTuple, SupportsIndex, TypeAlias, overload

from numakit.abi import PAGE_SHIFT, PAGE_SIZE
from numakit.machine.state import MachineState
from numakit.machine.vma import (
    PTE_DIRTY,
    PTE_MIGRATION_WRITE,
    PTE_NONE,
    PTE_PFN,
    PTE_PRESENT,
    PTE_SWAP,
    PTE_TYPE,
    PTE_WRITABLE,
    PTE_YOUNG,
    find_vma,
    pte_at,
)
from numakit.tables import html_table

if TYPE_CHECKING:
    from numakit.facade.process import Process

SHOWN_PAGES = 32  #: pages that a table shows before it is cut


class PteView(NamedTuple):
    """A PTE in words: its kind ("none", "present", "migration entry", "swap"), the page (pfn) and its node, and its
    bits. For "swap" ``page`` is the slot on the swap disc.
    """

    kind: str
    page: int | None = None
    node: int | None = None
    writable: bool = False
    dirty: bool = False
    young: bool = False

    def __str__(self) -> str:
        if self.page is None:
            return "none: nothing is mapped"
        if self.kind == "swap":
            return f"swap: slot {self.page} of the swap disc"
        bits = [
            "writable" if self.writable else "read-only",
            *["dirty"] * self.dirty,
            *["young"] * self.young,
        ]
        where = f" on node {self.node}" if self.node is not None else ""
        return f"{self.kind}: page {self.page}{where}, {', '.join(bits)}"


def view_pte(m: MachineState, mm: int, address: int) -> PteView:
    """The PTE of an address in words; kind "none" where there is no area either."""
    vma = find_vma(m, mm, address)
    value = pte_at(m, vma, address).value if vma else PTE_NONE
    kind = value & PTE_TYPE
    if kind == PTE_NONE:
        return PteView("none")
    page = value >> PTE_PFN
    if kind == PTE_PRESENT:
        bits = (bool(value & PTE_WRITABLE), bool(value & PTE_DIRTY), bool(value & PTE_YOUNG))
        return PteView("present", page, m.node(page), *bits)
    if kind == PTE_SWAP:
        return PteView("swap", page)
    return PteView("migration entry", page, m.node(page), kind == PTE_MIGRATION_WRITE)


class Area(Sequence[int]):
    """Neighbouring pages of a process: ``area[3]`` is the address of page 3, ``area[2:6]`` a list of addresses.

    It is a list of addresses and no more: it stays what it is when the process unmaps the area.
    """

    def __init__(self, start: int, pages: int) -> None:
        self.start, self.pages = start, pages

    @property
    def end(self) -> int:
        """The first address behind the area."""
        return self.start + self.pages * PAGE_SIZE

    def __len__(self) -> int:
        return self.pages

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> list[int]: ...

    def __getitem__(self, index: int | slice) -> int | list[int]:
        try:
            place = range(self.pages)[index]
        except IndexError:
            raise IndexError(f"area[{index}]: this area has pages 0 to {self.pages - 1}") from None
        if isinstance(place, int):
            return self.start + place * PAGE_SIZE
        return [self.start + i * PAGE_SIZE for i in place]

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.end, PAGE_SIZE))


class Vma(Area):
    """The pages of an area that a process mapped, and what is mapped there now."""

    def __init__(self, process: Process, start: int, pages: int) -> None:
        super().__init__(start, pages)
        self.process = process

    @property
    def ptes(self) -> list[PteView]:
        """The PTE of each page as it is now."""
        m = self.process.machine
        return [view_pte(m, self.process.mm, address) for address in self]

    @property
    def nodes(self) -> list[int | None]:
        """The node on which each page is now, None where none is present."""
        return [pte.node if pte.kind == "present" else None for pte in self.ptes]

    @property
    def mapped(self) -> list[bool]:
        """For each page whether an area of the process covers it now."""
        if not self.process.alive:
            return [False] * self.pages
        m, mm = self.process.machine, self.process.mm
        return [find_vma(m, mm, address) is not None for address in self]

    def __repr__(self) -> str:
        mapped = self.mapped
        gone = "" if all(mapped) else f", {mapped.count(False)} of them unmapped" if any(mapped) else ", unmapped"
        count = f"{self.pages} page{'s' * (self.pages != 1)}"
        return f"<Vma of {self.process.name}: {count}, {self.start:#x}-{self.end:#x}{gone}>"

    def _repr_html_(self) -> str:
        rows = [(i, f"{self[i]:#x}", pte) for i, pte in enumerate(self.ptes[:SHOWN_PAGES])]
        more = f", the first {SHOWN_PAGES}" if self.pages > SHOWN_PAGES else ""
        return html_table(repr(self)[1:-1] + more, ("page", "address", "PTE"), rows)


#: A range of pages: an area, an address (one page), or addresses of neighbouring pages, ascending.
Pages: TypeAlias = Vma | Sequence[int] | int


def addresses_of(pages: Pages, argument: str) -> list[int]:
    """The addresses that a caller named, one or several. Raises ValueError for what cannot be an address."""
    if not isinstance(pages, SupportsIndex | Iterable):
        raise ValueError(f"{argument}={pages!r}: an area, an address or a list of addresses is wanted")
    addresses = [whole(page) for page in (pages if isinstance(pages, Iterable) else [pages])]
    for address in addresses:
        if not isinstance(address, int) or not 0 <= address < 1 << 47:
            raise ValueError(f"{argument}={address!r}: an address is a whole number from 0 to 2**47 - 1")
    return addresses


def whole(value: Any) -> Any:
    """An integer of another kind, numpy's for example, as an int; anything else as it is, to be refused."""
    if type(value) is int:  # nearly always, and a million times in a call of a million pages
        return value
    return index(value) if isinstance(value, SupportsIndex) else value


def range_of(pages: Pages, argument: str) -> tuple[int, int]:
    """(first address, first address behind) of neighbouring pages. Raises ValueError if they are not."""
    if isinstance(pages, Area) and pages.pages:
        return pages.start, pages.end
    addresses = addresses_of(pages, argument)
    begin = [address >> PAGE_SHIFT << PAGE_SHIFT for address in addresses]
    if not begin or begin != list(range(begin[0], begin[0] + len(begin) * PAGE_SIZE, PAGE_SIZE)):
        raise ValueError(f"{argument}: one or more neighbouring pages, ascending, are wanted")
    return begin[0], begin[-1] + PAGE_SIZE
