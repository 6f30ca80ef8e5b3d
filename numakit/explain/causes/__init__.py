"""Every cause of every number that the calls about placement of pages can answer, on each kernel: one table.

The model notes why an answer was given, with names and addresses (:mod:`numakit.explain.entries`,
:mod:`numakit.explain.returns`); the table is for those who have the number alone, from a kernel that notes nothing. Rows
have the same ids in both. Sources: mm/migrate.c and mm/mempolicy.c of the releases that are named; move_pages(2),
migrate_pages(2), mbind(2), set_mempolicy(2), get_mempolicy(2).
"""

from numakit.explain.causes import mempolicies, migrate_pages, move_pages, statuses
from numakit.explain.causes.cause import CALLS, COUNT, NODE, UNWRITTEN, Cause, Number, Where, number_name
from numakit.explain.causes.span import KERNEL_NAMES, UnknownKernel

#: In the order in which a kernel decides, those of a status first.
CAUSES: tuple[Cause, ...] = (*statuses.CAUSES, *move_pages.CAUSES, *migrate_pages.CAUSES, *mempolicies.CAUSES)


def cure(row: str) -> str:
    """What to do about a row, where it is the same whoever tells it."""
    return next(cause.cure for cause in CAUSES if cause.row == row)


__all__ = [
    "CALLS",
    "CAUSES",
    "COUNT",
    "KERNEL_NAMES",
    "NODE",
    "UNWRITTEN",
    "Cause",
    "Number",
    "UnknownKernel",
    "Where",
    "cure",
    "number_name",
]
