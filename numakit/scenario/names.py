"""What a scenario deals with, by names: addresses, pids and contents differ from world to world and tell nothing.

``shell.move_pages(0, area1[0:3], [1] * 3)``: an area is named when it is mapped, a process has its own name, and data
is numbered as it is first read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import signature
from itertools import groupby
from typing import Any, NamedTuple

from numakit.abi import (
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    MPOL_MF_STRICT,
    PAGE_SIZE,
    PROT_READ,
    PROT_WRITE,
    errno_name,
)
from numakit.explain.policies import MODES
from numakit.facade.vma import Area
from numakit.syscalls.user_memory import UserArray

FAR = 1 << 24  #: an address so far from all areas is told as a number
FOLDED = 4  #: so many equal values in a row are told as one

MOVES = {MPOL_MF_STRICT: "MPOL_MF_STRICT", MPOL_MF_MOVE: "MPOL_MF_MOVE", MPOL_MF_MOVE_ALL: "MPOL_MF_MOVE_ALL"}
QUESTIONS = {MPOL_F_NODE: "MPOL_F_NODE", MPOL_F_ADDR: "MPOL_F_ADDR"}
PROTECTIONS = {PROT_READ: "PROT_READ", PROT_WRITE: "PROT_WRITE"}


class NamedArea(NamedTuple):
    """A stretch of a process' memory that has a name."""

    start: int
    end: int
    name: str


class Names:
    """The names of one play. Processes are known by what the world calls them, their pid."""

    def __init__(self) -> None:
        self._processes: dict[int, str] = {}
        self._areas: dict[int, list[NamedArea]] = {}
        self._tokens: dict[int, str] = {0: "zeroes"}
        self._counted: dict[str, int] = {}

    # -- naming

    def process(self, pid: int, name: str, parent: int | None = None) -> str:
        """A new process; a child has its parent's memory. A name that is taken already gets a number."""
        taken = list(self._processes.values())
        number = 2
        unique = name
        while unique in taken:
            unique, number = f"{name} {number}", number + 1
        self._processes[pid] = unique
        self._areas[pid] = list(self._areas.get(parent, [])) if parent is not None else []
        return unique

    def area(self, pid: int, area: Area) -> str:
        """A new area of a process."""
        name = self.numbered("area")
        self._areas.setdefault(pid, []).append(NamedArea(area.start, area.end, name))
        return name

    def numbered(self, kind: str) -> str:
        """``pipe1``, ``pipe2`` ..."""
        self._counted[kind] = self._counted.get(kind, 0) + 1
        return f"{kind}{self._counted[kind]}"

    # -- telling calls

    def pid(self, pid: int) -> str:
        """A pid as a call names it."""
        return f"{self._processes[pid]}.pid" if pid in self._processes else str(pid)

    def address(self, pid: int, address: int) -> str:
        """``area1[2]``, ``area1[0] + 123``, ``area1.end``, or the number."""
        areas = self._areas.get(pid, [])
        around = [area for area in reversed(areas) if area.start <= address < area.end]
        if around:
            page, offset = divmod(address - around[0].start, PAGE_SIZE)
            return f"{around[0].name}[{page}]" + (f" + {offset}" if offset else "")
        distance = {area: max(area.start - address, address - area.end) for area in reversed(areas)}
        if not distance or min(distance.values()) > FAR:
            return hex(address) if address >= PAGE_SIZE else str(address)
        near = min(distance, key=distance.__getitem__)
        if address < near.start:
            return f"{near.name}[0] - {near.start - address}"
        return f"{near.name}.end" + (f" + {address - near.end}" if address > near.end else "")

    def pages(self, pid: int, pages: Any) -> str:
        """Pages as a call names them: a whole area, neighbouring pages as a slice, single addresses."""
        if isinstance(pages, int):
            return self.address(pid, pages)
        if isinstance(pages, UserArray):
            return f"the array at {self.address(pid, pages.address)}"
        return self._stretch(pid, list(pages)) or self._list(pid, pages)

    def _stretch(self, pid: int, pages: list[int]) -> str:
        """Neighbouring pages of one area; empty if they are something else."""
        first_page = pages[0] if pages else 0
        if not pages or pages != list(range(first_page, first_page + len(pages) * PAGE_SIZE, PAGE_SIZE)):
            return ""
        for area in reversed(self._areas.get(pid, [])):
            first, offset = divmod(first_page - area.start, PAGE_SIZE)
            if area.start <= first_page and pages[-1] < area.end and not offset:
                whole = len(pages) * PAGE_SIZE == area.end - area.start
                return area.name if whole else f"{area.name}[{first}:{first + len(pages)}]"
        return ""

    def _list(self, pid: int, pages: Iterable[int]) -> str:
        return f"[{', '.join(folded(self.address(pid, address) for address in pages))}]"

    def call(self, owner: int | None, function: Callable[..., Any], name: str, given: Given) -> str:
        """The arguments of a call as they stand between its brackets. ``owner``: the pid of who makes it."""
        try:
            bound = signature(function).bind(*given.positional, **given.named)
        except (TypeError, ValueError):  # the call itself will say what is wrong
            return ", ".join(
                [*map(repr, given.positional), *(f"{key}={value!r}" for key, value in given.named.items())]
            )
        target = bound.arguments.get("pid") or owner
        told = []
        for parameter, value in bound.arguments.items():
            text = self._argument(name, parameter, value, owner or 0, target or 0)
            told.append(f"{parameter}={text}" if parameter in given.named else text)
        return ", ".join(told)

    def _argument(self, call: str, parameter: str, value: Any, owner: int, target: int) -> str:
        if hasattr(value, "recorded_name"):
            return str(value.recorded_name)
        if parameter == "pid" and isinstance(value, int):
            return self.pid(value)
        if parameter == "pages" and call not in ("mmap", "mmap_driver", "file") and not isinstance(value, str | None):
            return self.pages(owner if isinstance(value, UserArray) else target, value)
        if parameter == "address" and isinstance(value, int):
            return self.address(owner, value)
        if isinstance(value, UserArray):
            return self.pages(owner, value)
        if parameter == "flags" and isinstance(value, int):
            return bits(value, QUESTIONS if call == "get_mempolicy" else MOVES)
        if parameter == "prot" and isinstance(value, int):
            return bits(value, PROTECTIONS)
        if parameter == "mode":
            return MODES.get(value, repr(value))
        if parameter == "values" and isinstance(value, Sequence):
            return self._list(owner, value) if any(entry >= PAGE_SIZE for entry in value) else numbers(value)
        if isinstance(value, set | frozenset | Sequence | range) and not isinstance(value, str):
            return numbers(value)
        return value.name if hasattr(value, "name") else repr(value)

    # -- telling answers

    def data(self, token: int) -> str:
        """What was read from a page: an errno, zeroes, or data that gets a number when it is first seen."""
        if token < 0:
            return errno_name(token)
        if token not in self._tokens:
            self._tokens[token] = self.numbered("data")
        return self._tokens[token]

    def numa_maps(self, pid: int, text: str) -> str:
        """The lines of areas that have a name; a real process has others."""
        names = {area.start: area.name for area in self._areas.get(pid, [])}
        lines = [line.partition(" ") for line in text.splitlines()]
        return "; ".join(f"{names[int(at, 16)]} {rest}" for at, _, rest in lines if int(at, 16) in names)


class Given(NamedTuple):
    """The arguments of a call."""

    positional: Sequence[Any]
    named: Mapping[str, Any]


def bits(value: int, known: Mapping[int, str]) -> str:
    """``MPOL_MF_MOVE | MPOL_MF_STRICT``; what is unknown as a number."""
    names = [name for bit, name in known.items() if value & bit]
    rest = value & ~sum(known)
    return " | ".join([*names, *[str(rest)] * bool(rest)]) or "0"


def numbers(values: Iterable[Any]) -> str:
    """A list, with equal neighbours folded, or a set."""
    if isinstance(values, set | frozenset):
        return "{" + ", ".join(map(str, sorted(values))) + "}" if values else "set()"
    return f"[{', '.join(folded([str(value) for value in values]))}]"


def folded(words: Iterable[str]) -> list[str]:
    """``1, 1, 1, 1, 0`` -> ``1 (4 times), 0``: so that two lists are the same text exactly if they are the same."""
    told: list[str] = []
    for word, group in groupby(words):
        times = len(list(group))
        told += [f"{word} ({times} times)"] if times >= FOLDED else [word] * times
    return told


def status_text(status: Iterable[int | None]) -> str:
    """status[] in names."""
    return f"[{', '.join(folded('unwritten' if value is None else errno_name(value) for value in status))}]"
