"""A folder with a snapshot of sysfs, or the real thing.

Only regular files are opened, and only those that lie in the folder once links are followed: a folder may be
as untrusted as a tar.
"""

import os
import stat
from itertools import islice
from pathlib import Path

from numakit.topology.description import TopologyError
from numakit.topology.readers.snapshot import (
    CPUS,
    MAX_ENTRIES,
    MAX_FILE,
    MEMINFO,
    NODES,
    Snapshot,
    is_named,
    is_wanted,
)

NODE_FILES = ("meminfo", "distance", "cpulist", "cpumap")


def snapshot(path: Path) -> Snapshot:
    """What a folder holds of sysfs: sys/ and proc/ may be in it, or one folder below it.

    Raises `TopologyError` for what cannot be read, is too large, or leaves the folder.
    """
    root = machine_root(path)
    found = Snapshot(str(root))
    for name in _listed(root / NODES):
        inner = f"{NODES}/{name}"
        if is_named(inner):
            found.names.add(inner)
            found.names.update(filter(is_named, (f"{inner}/{cpu}" for cpu in _listed(root / inner))))
    node_files = [f"{inner}/{name}" for inner in sorted(found.names) for name in NODE_FILES]
    others = [f"{NODES}/online", f"{NODES}/possible", f"{CPUS}/online", f"{CPUS}/present", MEMINFO]
    for inner in filter(is_wanted, node_files + others):
        content = _content(root, inner)
        if content is not None:
            found.files[inner] = content
    return found


def machine_root(path: Path) -> Path:
    """The folder that has sys/ in it: the one given, or the only one below it that has."""
    if (path / "sys").is_dir():
        return path
    below = [path / name for name in _listed(path) if (path / name / "sys").is_dir()]
    if len(below) > 1:
        raise TopologyError(f"{path}: holds {len(below)} machines; allowed is one")
    return below[0] if below else path


def _listed(folder: Path) -> list[str]:
    """Names in the folder, sorted; none if there is no such folder."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in islice(entries, MAX_ENTRIES + 1)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise TopologyError(f"{folder}: cannot be read ({error.strerror})") from error
    if len(names) > MAX_ENTRIES:
        raise TopologyError(f"{folder}: has more than the allowed {MAX_ENTRIES} names")
    return sorted(names)


def _content(root: Path, inner: str) -> bytes | None:
    path = root / inner
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root.resolve()):
            raise TopologyError(f"{path}: is a link that leaves {root}")
        if not stat.S_ISREG(real.stat().st_mode):
            raise TopologyError(f"{path}: is not a regular file")
        with real.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except FileNotFoundError:
        return None
    except (OSError, RuntimeError) as error:
        raise TopologyError(f"{path}: cannot be read ({shortened_reason(error)})") from error
    if len(content) > MAX_FILE:
        raise TopologyError(f"{path}: has more than the allowed {MAX_FILE} bytes")
    return content


def shortened_reason(error: Exception) -> str:
    """The system's word for it where there is one (loops of links raise RuntimeError up to Python 3.12)."""
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
