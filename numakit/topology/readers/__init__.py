"""Readers: one file a source. Each turns something outside into a `Description`; nothing outside is trusted.

    snapshot.py   the files of sysfs that matter, held as bytes, and the limits for them
    archive.py    a tar, read without extracting it
    folder.py     a folder
    sysfs.py      what the files mean
    host.py       the running machine
    numactl.py    what `numactl --hardware` prints
    hwloc.py      hwloc's XML: what nodes mean; hwloc_elements.py: what is kept of the elements, and its limits;
                  hwloc_matrices.py: which matrix is the table of distances
    node_link.py  JSON
    content.py    a text file, bounded

A further source is one more file with a line in `READERS`.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from numakit.topology.description import Description, TopologyError
from numakit.topology.idlists import shortened
from numakit.topology.readers import archive, folder
from numakit.topology.readers.host import read_host
from numakit.topology.readers.hwloc import is_hwloc, read_hwloc
from numakit.topology.readers.node_link import is_json, read_node_link
from numakit.topology.readers.numactl import is_numactl_text, read_numactl
from numakit.topology.readers.sysfs import describe

__all__ = ["ALTIX", "dump_path", "read", "read_host", "shipped_dumps", "shipped_texts"]

DUMPS = Path(__file__).parent.parent / "dumps"
"""Dumps of real machines, most from the hwloc project's test data; README.md and COPYING.hwloc lie beside them."""

TEXTS = DUMPS / "numactl"
"""Output of numactl; two of these files are refused on purpose."""

ALTIX = "256ia64-64n2s2c.tar.bz2"

ALIASES = {"altix.tar.bz2": ALTIX}
"""Names that are easier to remember than hwloc's."""

READERS: tuple[tuple[str, Callable[[Path], bool], Callable[[Path], Description]], ...] = (
    ("a sysfs folder", Path.is_dir, lambda path: describe(folder.snapshot(path), path.resolve().name)),
    ("a sysfs tar", archive.is_tar, lambda path: describe(archive.snapshot(path), archive.stem(path))),
    ("hwloc's XML", is_hwloc, read_hwloc),
    ("node-link JSON", is_json, read_node_link),
    ("the text of numactl --hardware", is_numactl_text, read_numactl),
)
"""What it reads, whether a path is that, and how it is read. The first that says yes reads it."""


def read(path: str | os.PathLike[str]) -> Description:
    """What the file, folder or shipped dump describes; see `Topology.load` for the errors."""
    found = dump_path(path)
    for _, accepts, reader in READERS:
        if accepts(found):
            return reader(found)
    allowed = ", ".join(what for what, _, _ in READERS)
    raise TopologyError(f"{found} is nothing that can be read; allowed are {allowed}")


def dump_path(path: str | os.PathLike[str]) -> Path:
    """The path itself if it exists; else, for a bare file name, the shipped file of that name."""
    wanted = Path(path)
    try:
        if wanted.exists():
            return wanted
    except (OSError, ValueError) as error:
        raise TopologyError(f"{shortened(repr(os.fspath(path)))} is no path ({error})") from None
    shipped = {file.name: file for file in _shipped()}
    name = ALIASES.get(wanted.name, wanted.name)
    if wanted == Path(wanted.name) and name in shipped:
        return shipped[name]
    raise FileNotFoundError(f"{wanted}: no such file or folder, and no shipped dump ({', '.join(shipped_dumps())})")


def shipped_dumps() -> tuple[str, ...]:
    """File names of the shipped dumps of machines, sorted."""
    return tuple(sorted(file.name for file in _shipped() if file.parent == DUMPS))


def shipped_texts() -> tuple[str, ...]:
    """File names of the shipped texts of numactl, sorted."""
    return tuple(sorted(file.name for file in _shipped() if file.parent == TEXTS))


def _shipped() -> list[Path]:
    return [*DUMPS.glob("*.tar.bz2"), *DUMPS.glob("*.xml"), *TEXTS.glob("*.txt")]
