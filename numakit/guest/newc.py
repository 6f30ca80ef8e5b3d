"""The archive that a Linux kernel unpacks as its first file system: cpio in the format "newc".

Archives that stand one behind the other are unpacked in that order, later files over earlier ones: so that an image
is built once and every program is only put behind it. Source: Documentation/driver-api/early-userspace/buffer-format.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import NamedTuple

FOLDER, FILE, LINK = 0o040755, 0o100644, 0o120777
EXECUTABLE = 0o111
TRAILER = "TRAILER!!!"


class Entry(NamedTuple):
    """What lies at a path: its mode (type and permissions), and its bytes; those of a link are the path it leads to."""

    mode: int
    data: bytes = b""


def archive(entries: Mapping[str, Entry]) -> bytes:
    """The archive of these paths, which are relative to the root; folders that are not named are made."""
    whole = {path: Entry(FOLDER) for path in _parents(entries)} | dict(entries)
    records = [_record(number, path, whole[path]) for number, path in enumerate(sorted(whole), start=1)]
    return b"".join([*records, _record(0, TRAILER, Entry(0))])


def _parents(entries: Mapping[str, Entry]) -> set[str]:
    return {str(parent) for path in entries for parent in PurePosixPath(path).parents} - {"."}


def _record(inode: int, path: str, entry: Entry) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if entry.mode == FOLDER else 1
    numbers = (inode, entry.mode, 0, 0, links, 0, len(entry.data), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % number for number in numbers)
    return _padded(header + name) + _padded(entry.data)


def _padded(data: bytes) -> bytes:
    """Up to a multiple of four bytes."""
    return data + bytes(-len(data) % 4)
