"""The running machine: its own /sys and /proc, read like any other folder."""

from __future__ import annotations

import os
from pathlib import Path

from numakit.topology.description import Description
from numakit.topology.readers.folder import snapshot
from numakit.topology.readers.sysfs import describe


def read_host(root: str | os.PathLike[str] = "/") -> Description:
    """The machine whose root folder this is. Raises `TopologyError` where there is neither sysfs nor proc."""
    return describe(snapshot(Path(root)), "host")
