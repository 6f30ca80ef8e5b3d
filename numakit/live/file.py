"""A file of a live world."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class LiveFile(NamedTuple):
    """A file on a real file system, removed with its world."""

    name: str
    pages: int
    path: Path
