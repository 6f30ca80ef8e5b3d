"""Files that once were good: a corpus made anew from the shipped ones at each run, always the same."""

from __future__ import annotations

import bz2
import random
from collections.abc import Callable, Iterator
from pathlib import Path

from numakit.topology import Topology
from numakit.topology.readers import dump_path, shipped_texts

EACH = 20
"""Mutants of each file."""

PLANTED = (
    b"",
    b"\0",
    b"-1",
    b"9" * 30,
    b"4294967296",
    b"1024",
    b"255",
    b"0-1000000000",
    b"\xff\xfe",
    b"\r\n",
    b"\n",
    b" " * 5000,
    b"<",
    b"&a;",
    b'"',
    b"../../etc/passwd",
    b"1e9",
    "٣".encode(),
)

Mutation = Callable[[random.Random, bytes], bytes]


def corpus() -> Iterator[tuple[str, bytes]]:
    """Name and content of each mutant, those of tars both packed and not."""
    for name in (*Topology.dumps(), *shipped_texts()):
        content = dump_path(name).read_bytes()
        sources = [(name, content)]
        if name.endswith(".tar.bz2"):
            sources.append((name.removesuffix(".bz2"), bz2.decompress(content)))
        for source, whole in sources:
            for number in range(EACH):
                yield f"{number:02}-{source}", mutant(random.Random(f"{source} {number}"), whole)


def mutant(chance: random.Random, content: bytes) -> bytes:
    """The content after one mutation, or a few."""
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        content = chance.choice(MUTATIONS)(chance, content)
    return content


def _span(chance: random.Random, content: bytes) -> tuple[int, int]:
    start = chance.randrange(len(content) + 1)
    return start, min(len(content), start + chance.choice((1, 2, 8, 64, 512, 4096)))


def _flip(chance: random.Random, content: bytes) -> bytes:
    changed = bytearray(content)
    for _ in range(chance.choice((1, 3, 20))):
        if changed:
            changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut(chance: random.Random, content: bytes) -> bytes:
    return content[: _span(chance, content)[0]]


def _leave_out(chance: random.Random, content: bytes) -> bytes:
    start, end = _span(chance, content)
    return content[:start] + content[end:]


def _repeat(chance: random.Random, content: bytes) -> bytes:
    start, end = _span(chance, content)
    return content[:end] + content[start:end] * chance.choice((1, 2, 50)) + content[end:]


def _plant(chance: random.Random, content: bytes) -> bytes:
    start, end = _span(chance, content)
    return content[:start] + chance.choice(PLANTED) + content[chance.choice((start, end)) :]


def _replace_number(chance: random.Random, content: bytes) -> bytes:
    """Put something else in the place of a run of digits."""
    start = _span(chance, content)[0]
    while start < len(content) and not content[start : start + 1].isdigit():
        start += 1
    end = start
    while end < len(content) and content[end : end + 1].isdigit():
        end += 1
    return content[:start] + chance.choice(PLANTED) + content[end:]


def _swap_lines(chance: random.Random, content: bytes) -> bytes:
    lines = content.split(b"\n")
    a, b = chance.randrange(len(lines)), chance.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return b"\n".join(lines)


MUTATIONS: tuple[Mutation, ...] = (_flip, _cut, _leave_out, _repeat, _plant, _replace_number, _swap_lines)


def write_corpus(folder: Path) -> list[Path]:
    """All mutants as files."""
    paths = []
    for name, content in corpus():
        path = folder / name
        path.write_bytes(content)
        paths.append(path)
    return paths
