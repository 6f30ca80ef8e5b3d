r"""Reading /proc/<pid>/numa_maps: where the pages of a process lie, area by area.

    7f31c2a00000 bind:0-1 anon=48 dirty=48 mapmax=3 active=20 N0=40 N1=8 kernelpagesize_kB=4
    7f31c4000000 prefer (many):2 file=/dev/shm/a\040b mapped=12 N2=12 kernelpagesize_kB=4

A line is an address, a policy, and fields. The policy's text has changed often, and may contain blanks and "="; so it
is taken to be all that stands before the first word that is a field. Fields that a kernel newer than this module adds
are kept. The text may come from anybody: it is bounded, and what is malformed is refused with file and line. Source:
Documentation/vm/numa_memory_policy, proc(5), show_numa_map() of fs/proc/task_mmu.c (mm/mempolicy.c until 2.6.39).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from numakit.abi import MAX_NUMNODES
from numakit.topology.description import TopologyError
from numakit.topology.idlists import decimal, shortened
from numakit.topology.readers.content import MAX_CONTENT, read_content

MAX_LINE = 1 << 15  #: characters: a name has at most 4096 bytes, four characters each, and 1024 nodes fill 15,000
MAX_PAGES = 1 << 52  #: no process maps as many pages

FLAGS = ("heap", "stack", "huge")
COUNTS = ("anon", "dirty", "mapped", "mapmax", "swapcache", "active", "writeback")
PAGE_SIZE = "kernelpagesize_kB"

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=[0-9]*")
_NODE = re.compile(r"N([0-9]+)")
_ADDRESS = re.compile(r"[0-9a-f]{1,16}")
_ESCAPED = re.compile(rb"\\([0-3][0-7]{2})")


class NumaMapsError(ValueError):
    """A text is no numa_maps: the message says where, and what was found."""


@dataclass(frozen=True)
class NumaArea:
    """One area of a process: a line of numa_maps. Counts are pages of the area's own page size.

    ``anon`` to ``writeback`` are None where the line does not tell. It leaves out what is 0, ``mapmax`` of 1,
    ``active`` if all pages are, and ``mapped`` if it equals ``anon`` or ``dirty``.
    """

    start: int
    policy: str  #: as the kernel writes it: "default", "bind:0-1", "prefer (many):2", "interleave=static:0,4"
    file: str | None = None  #: its name, with bytes that are no UTF-8 as surrogates (os.fsencode gives the bytes)
    heap: bool = False
    stack: bool = False
    huge: bool = False
    anon: int | None = None
    dirty: int | None = None
    mapped: int | None = None
    mapmax: int | None = None  #: the most page tables that map one of the pages
    swapcache: int | None = None
    active: int | None = None
    writeback: int | None = None
    nodes: Mapping[int, int] = field(default_factory=dict)  #: node -> pages of the area that lie there
    page_size: int | None = None  #: in bytes; since Linux 3.14
    others: Mapping[str, str] = field(default_factory=dict)  #: fields that are not known here, "" for a bare word

    @property
    def pages(self) -> int:
        """Pages of the area that are in memory."""
        return sum(self.nodes.values())


def read_numa_maps(path: str | os.PathLike[str]) -> tuple[NumaArea, ...]:
    """The areas that a file tells of, /proc/<pid>/numa_maps or a copy. Raises NumaMapsError, naming file and line, for
    what is malformed, too large, or cannot be read.
    """
    try:
        content = read_content(Path(path))
    except TopologyError as error:
        raise NumaMapsError(str(error)) from None
    return parse_numa_maps(content.decode("utf-8", errors="surrogateescape"), os.fspath(path))


def parse_numa_maps(text: str, origin: str = "numa_maps") -> tuple[NumaArea, ...]:
    """The areas of a text, in its order; ``origin`` stands for it in errors. Raises NumaMapsError."""
    if len(text) > MAX_CONTENT:
        raise NumaMapsError(f"{origin}: has more than the allowed {MAX_CONTENT} characters")
    lines = text.split("\n")
    if lines[-1] == "":
        del lines[-1]
    return tuple(_Line(origin, number, line).area() for number, line in enumerate(lines, 1))


class _Line:
    """One line while it is read, and where it stands."""

    def __init__(self, origin: str, number: int, line: str) -> None:
        self.where = f"{origin}, line {number}"
        if len(line) > MAX_LINE:
            self.refuse(f"the line has more than the allowed {MAX_LINE} characters")
        self.words = line.removesuffix("\r").split(" ")

    def area(self) -> NumaArea:
        """What the line tells."""
        address = self.words[0]
        if not _ADDRESS.fullmatch(address):
            self.refuse(f"{shortened(address)!r} is no address: 1 to 16 hexadecimal digits are wanted")
        end = next((i for i, word in enumerate(self.words) if i > 1 and is_field(word)), len(self.words))
        policy = " ".join(self.words[1:end]).rstrip(" ")
        if not policy:
            self.refuse("there is no policy behind the address")
        return self.with_fields(int(address, 16), policy, [word for word in self.words[end:] if word])

    def with_fields(self, start: int, policy: str, words: list[str]) -> NumaArea:
        """The fields by their names; one that comes twice is refused."""
        told: dict[str, str] = {}
        for word in words:
            name, equals, value = word.partition("=")
            if name in told:
                self.refuse(f"{shortened(name)!r} is told twice")
            if (name in FLAGS and equals) or (name in (*COUNTS, PAGE_SIZE, "file") and not equals):
                self.refuse(f"{shortened(word)!r} is not how {name!r} is told")
            told[name] = value
        file = unescaped(told.pop("file")) if "file" in told else None
        # For some years the stack of a thread was told with its number: "stack:4242" (Linux 3.4 to 4.4).
        stacks = [name for name in told if name == "stack" or name.startswith("stack:")]
        for name in stacks:
            del told[name]
        heap, huge = (told.pop(name, None) is not None for name in ("heap", "huge"))
        counts = {name: self.number(name, told.pop(name), MAX_PAGES) for name in COUNTS if name in told}
        size = self.number(PAGE_SIZE, told.pop(PAGE_SIZE), 1 << 32) << 10 if PAGE_SIZE in told else None
        nodes = self.nodes(told)
        return NumaArea(
            start, policy, file, heap, bool(stacks), huge, **counts, nodes=nodes, page_size=size, others=told
        )

    def nodes(self, told: dict[str, str]) -> dict[int, int]:
        """Take N0=3 N1=5 out of the fields; nodes in ascending order."""
        nodes = {}
        for name in [name for name in told if _NODE.fullmatch(name)]:
            node = self.number("a node's id", name[1:], MAX_NUMNODES)
            if node in nodes:
                self.refuse(f"node {node} is told twice")
            nodes[node] = self.number(name, told.pop(name), MAX_PAGES)
        return dict(sorted(nodes.items()))

    def number(self, name: str, text: str, limit: int) -> int:
        """A decimal number below a limit."""
        try:
            return decimal(text, limit)
        except ValueError as error:
            self.refuse(f"{name}: {error}")

    def refuse(self, problem: str) -> NoReturn:
        """Raise the exception that names file and line."""
        raise NumaMapsError(f"{self.where}: {problem}")


def is_field(word: str) -> bool:
    """Whether a word behind the policy's first is a field. "interleave=static:0-3" and "(many):0" are none."""
    name, equals, _ = word.partition("=")
    known = name in (*COUNTS, PAGE_SIZE, "file") or _NODE.fullmatch(name)
    return word in FLAGS or word.startswith("stack:") or bool(equals and (known or _FIELD.fullmatch(word)))


def unescaped(name: str) -> str:
    r"""A file's name without the escapes of the kernel: \040 is a blank, \012 a new line, \011 a tab, \075 "=".

    A backslash itself is not escaped, so that a name that contains such four characters cannot be told from one that
    was escaped.
    """
    data = name.encode("utf-8", errors="surrogateescape")
    plain = _ESCAPED.sub(lambda escape: bytes([int(escape[1], 8)]), data)
    return plain.decode("utf-8", errors="surrogateescape")
