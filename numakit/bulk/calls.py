"""The calls that can be made in bulk, in one place: the facade asks here."""

from __future__ import annotations

from numakit.bulk.move_pages import report_move_pages_in_bulk

__all__ = ["report_move_pages_in_bulk"]
