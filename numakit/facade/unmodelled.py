"""What people may ask for and the kit does not have, refused with a sentence each: huge pages, merged pages."""

from __future__ import annotations

from numakit.abi import MADV_HUGEPAGE, MADV_MERGEABLE, MADV_NOHUGEPAGE, MADV_UNMERGEABLE

PAGES = "a machine has pages of 4 kB only (docs/fidelity.md says what is modelled)"
HUGETLB = f"huge pages of hugetlbfs are not modelled: {PAGES}"

#: advice -> why it is refused
REFUSED = {
    MADV_HUGEPAGE: f"transparent huge pages (THP) are not modelled: {PAGES}",
    MADV_MERGEABLE: "merging of equal pages (KSM) is not modelled: pages are shared by fork and by files only "
    "(docs/fidelity.md says what is modelled)",
}
#: What is so anyhow.
GRANTED = (MADV_NOHUGEPAGE, MADV_UNMERGEABLE)


class NotModelled(ValueError):
    """Something that real kernels have and the kit has not. The message says what, and what there is instead."""


def refuse_hugetlb(hugetlb: bool) -> None:
    """Raise NotModelled for memory of huge pages (MAP_HUGETLB)."""
    if hugetlb:
        raise NotModelled(f"hugetlb={hugetlb!r}: {HUGETLB}")


def check_advice(advice: int) -> None:
    """Raise NotModelled for advice that would make pages of another kind, ValueError for what is unknown here."""
    if advice in REFUSED:
        raise NotModelled(f"advice={advice!r}: {REFUSED[advice]}")
    if advice not in GRANTED:
        raise ValueError(f"advice={advice!r}: MADV_NOHUGEPAGE (15) and MADV_UNMERGEABLE (13) are allowed")
