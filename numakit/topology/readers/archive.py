"""A tar with a snapshot of sysfs, read in one pass and never extracted.

Nothing is written anywhere, so a hostile archive can only try to cost time or memory, or to make us believe
something. The unpacked stream, the number of members and each file are bounded; archives that could harm
someone who does extract them (absolute or parent paths, links that leave, devices) are refused, since no
honest snapshot has those.
"""

import bz2
import gzip
import posixpath
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Self, cast

from numakit.topology.description import TopologyError
from numakit.topology.idlists import shortened
from numakit.topology.readers.snapshot import MAX_ENTRIES, MAX_FILE, Snapshot, is_named, is_wanted

MAX_UNPACKED = 1 << 26
"""Bytes of the unpacked archive: the dump of a 64-node machine has 1.4 MB, most of it headers."""

MAX_EXTENSION = 1 << 13
"""Bytes of an extended header: enough for a path and a link's target of 4096 characters."""

# What the standard library raises for mutated archives (the last three: odd fields, a chain of headers).
_DAMAGE = (
    tarfile.TarError,
    EOFError,
    OSError,
    zlib.error,
    ValueError,
    ArithmeticError,
    LookupError,
    RecursionError,
)

_EXTENSIONS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)

SUFFIXES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2")


class _Header(tarfile.TarInfo):
    """A header that refuses what would make `tarfile` itself fill the memory before we see the member."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError:
            # `tarfile` takes any bad header but the first for the end; only a block of zeros is.
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise TopologyError("this is not a whole tar (a header is damaged or missing)") from None
        if header.size < 0 or (header.type in _EXTENSIONS and header.size > MAX_EXTENSION):
            raise TopologyError(f"an extended header has {header.size} bytes; allowed are {MAX_EXTENSION}")
        if header.type == tarfile.GNUTYPE_SPARSE:
            raise TopologyError(f"{shortened(header.name)!r} is a sparse file")
        return header

    def _proc_gnusparse_10(self, *_: object) -> None:
        # A map of holes in the data, of any length; the other formats of sparse files have theirs in headers.
        raise TopologyError(f"{shortened(self.name)!r} is a sparse file")


class _Bounded:
    """A stream that gives up after `MAX_UNPACKED` bytes."""

    def __init__(self, stream: IO[bytes], origin: str) -> None:
        self._stream, self._origin, self._left = stream, origin, MAX_UNPACKED

    def read(self, size: int) -> bytes:
        data = self._stream.read(min(size, self._left + 1))
        self._left -= len(data)
        if self._left < 0:
            raise TopologyError(f"{self._origin}: unpacked it has more than the allowed {MAX_UNPACKED} bytes")
        return data


def is_tar(path: Path) -> bool:
    """Whether the name is that of a tar."""
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def stem(path: Path) -> str:
    """The name without the suffixes of an archive."""
    for suffix in sorted(SUFFIXES, key=len, reverse=True):
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.name


def snapshot(path: Path) -> Snapshot:
    """What a tar holds of sysfs. Raises `TopologyError` for what is damaged, unsafe or too large."""
    collected = _Collected(Snapshot(str(path)))
    with _members(path) as members:
        for archive, member in members:
            collected.add(archive, member)
    return collected.finished()


class _Collected:
    """What was found so far: paths are the archive's, cut down to those of a machine's root."""

    def __init__(self, found: Snapshot) -> None:
        self._found = found
        self._links: dict[str, str] = {}
        self._machines: set[str] = set()

    def add(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        name = self._safe_name(member)
        self._check_kind(name, member)
        machine, path = _split(name)
        if is_named(path):
            self._machines.add(machine)
            self._found.names.add(path)
        if not is_wanted(path):
            return
        if member.isreg():
            self._found.files[path] = self._content(archive, member, name)
        elif member.issym() or member.islnk():
            self._links[path] = _split(_target(name, member))[1]

    def finished(self) -> Snapshot:
        """Links to files that were read are followed, others say nothing."""
        if len(self._machines) > 1:
            first, second = sorted(self._machines)[:2]
            raise TopologyError(f"{self._found.origin}: holds two machines, {first!r} and {second!r}; allowed is one")
        for path, target in self._links.items():
            if target in self._found.files:
                self._found.files[path] = self._found.files[target]
        return self._found

    def _safe_name(self, member: tarfile.TarInfo) -> str:
        if member.name.startswith("/") or ".." in member.name.split("/"):
            raise self._refusal(member.name, "is a path that leaves the archive")
        return posixpath.normpath(member.name)

    def _check_kind(self, name: str, member: tarfile.TarInfo) -> None:
        if member.issym() or member.islnk():
            target = _target(name, member)
            if target.startswith("/") or target.split("/")[0] == "..":
                raise self._refusal(name, f"is a link that leaves the archive, to {shortened(member.linkname)!r}")
        elif not (member.isreg() or member.isdir()):
            raise self._refusal(name, "is neither file, folder nor link")

    def _content(self, archive: tarfile.TarFile, member: tarfile.TarInfo, name: str) -> bytes:
        if member.size > MAX_FILE:
            raise self._refusal(name, f"has {member.size} bytes; allowed are {MAX_FILE}")
        stream = archive.extractfile(member)
        content = stream.read(MAX_FILE) if stream else b""
        if len(content) != member.size:
            raise self._refusal(name, "ends too early")
        return content

    def _refusal(self, name: str, problem: str) -> TopologyError:
        return TopologyError(f"{self._found.origin}: {shortened(name)!r} {problem}")


@contextmanager
def _members(path: Path) -> Iterator[Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]]:
    """The archive's members one after the other; whatever unpacking raises comes out as `TopologyError`."""
    try:
        with _opened(path) as raw:
            stream = cast(IO[bytes], _Bounded(raw, str(path)))
            with tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header) as archive:
                yield _each(archive, str(path))
    except TopologyError as error:
        raise error if str(path) in str(error) else TopologyError(f"{path}: {error}") from error
    except _DAMAGE as error:
        raise TopologyError(f"{path}: this is not a whole tar ({shortened(str(error))})") from error


def _each(archive: tarfile.TarFile, origin: str) -> Iterator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    count = 0
    while (member := archive.next()) is not None:
        count += 1
        if count > MAX_ENTRIES:
            raise TopologyError(f"{origin}: has more than the allowed {MAX_ENTRIES} members")
        yield archive, member
        # Else the archive would keep each member, and what global headers say.
        archive.members.clear()  # type: ignore[attr-defined]
        archive.pax_headers = {}


def _opened(path: Path) -> IO[bytes]:
    """The unpacked stream. No xz: its header may ask for gigabytes of dictionary before the first byte."""
    with path.open("rb") as file:
        start = file.read(3)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if start.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(path, "rb"))
    return path.open("rb")


def _target(name: str, member: tarfile.TarInfo) -> str:
    """Where a link points to, from the archive's root."""
    base = posixpath.dirname(name) if member.issym() else ""
    return posixpath.normpath(posixpath.join(base, member.linkname))


def _split(name: str) -> tuple[str, str]:
    """The folder in which a machine's root lies, and the path from there: "x/sys/devices" gives "x" and
    "sys/devices".

    A name that is nowhere under a machine's root is all folder.
    """
    parts = name.split("/")
    for place, part in enumerate(parts):
        if part in ("sys", "proc"):
            return "/".join(parts[:place]), "/".join(parts[place:])
    if "devices" in parts:
        place = parts.index("devices")
        return "/".join(parts[:place]), "/".join(["sys", *parts[place:]])
    return name, ""
