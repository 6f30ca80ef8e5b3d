"""The counters of all nodes as numastat(8) shows them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from numakit.machine.numastat import Numastat
from numakit.tables import html_table

WIDTH = 16  #: of a column, in numastat(8)


class NumastatTable(Mapping[int, Numastat]):
    """Whether memory came from the node that was wanted, at one moment: ``machine.numastat()[0].numa_hit``.

    In pages since the machine began. Source: numastat(8), Documentation/numastat.txt of 2.6.18 (whose words for
    numa_miss and numa_foreign are the wrong way round; here they are as zone_statistics() counts them).
    """

    def __init__(self, counters: Mapping[int, Numastat]) -> None:
        self._counters = dict(counters)

    def __getitem__(self, node: int) -> Numastat:
        return self._counters[node]

    def __iter__(self) -> Iterator[int]:
        return iter(self._counters)

    def __len__(self) -> int:
        return len(self._counters)

    def _rows(self) -> list[tuple[str, ...]]:
        return [
            (name, *(str(getattr(counters, name)) for counters in self._counters.values())) for name in Numastat._fields
        ]

    def __str__(self) -> str:
        lines = [("", *(f"node{node}" for node in self._counters)), *self._rows()]
        return "\n".join(name.ljust(WIDTH) + "".join(cell.rjust(WIDTH) for cell in cells) for name, *cells in lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return html_table("numastat", ("pages", *(f"node {node}" for node in self._counters)), self._rows())
