"""A text file as a whole: bounded, decoded, cut into lines."""

from __future__ import annotations

import stat
from pathlib import Path

from numakit.topology.description import TopologyError

MAX_CONTENT = 1 << 23
"""Bytes of a file: `numactl --hardware` of 1024 nodes prints 5 MB, hwloc's XML of 192 CPUs has 0.4 MB."""


def read_content(path: Path) -> bytes:
    """All bytes of a regular file; raises `TopologyError` for more than `MAX_CONTENT`, and for what cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise TopologyError(f"{path}: is not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_CONTENT + 1)
    except OSError as error:
        raise TopologyError(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) > MAX_CONTENT:
        raise TopologyError(f"{path}: has more than the allowed {MAX_CONTENT} bytes")
    return content


def decoded(content: bytes, origin: str) -> str:
    """The bytes as text: UTF-8 with or without its mark; raises `TopologyError` naming the line that is not."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TopologyError(f"{origin}, line {line}: this is not UTF-8 text") from None


def beginning(path: Path) -> bytes:
    """The first bytes of a regular file, for a look at what it is; none where there is no such file."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return b""
        with path.open("rb") as file:
            return file.read(4096)
    except OSError:
        return b""
