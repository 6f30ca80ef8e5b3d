"""Which engine makes a call: the steps that can be watched, or all pages at once (numakit.bulk)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from numakit.abi import PAGE_SIZE
from numakit.facade.call import Prepared
from numakit.facade.vma import Area
from numakit.kernels import KERNELS
from numakit.machine.state import MachineState
from numakit.machine.vma import vmas_of

if TYPE_CHECKING:
    from numakit.facade.machine import Machine

ENGINES = ("auto", "steps", "bulk")
MANY_PAGES = 4096  #: from here on a call is worth the way through arrays

R = TypeVar("R")


def engine_named(engine: str) -> str:
    """The engine of that name. Raises ValueError for others."""
    if engine not in ENGINES:
        raise ValueError(f"engine={engine!r}: one of {', '.join(map(repr, ENGINES))} is wanted")
    return engine


def in_bulk_if_possible(machine: Machine, prepared: Prepared[R]) -> Prepared[R]:
    """The call as the machine's engine makes it.

    In bulk nothing can be recorded, and the rules have to be those of a kernel that is known: one with a function of
    the reader's is played.
    """
    wanted = machine.engine == "bulk" or (machine.engine == "auto" and prepared.pages >= MANY_PAGES)
    if prepared.in_bulk is None or not wanted or machine.has_journal or not has_a_known_flow(machine):
        return prepared
    return replace(prepared, start=prepared.in_bulk)


def has_a_known_flow(machine: Machine) -> bool:
    """Whether the kernel's functions are those of one that comes with the kit."""
    return any(dict(machine.kernel.functions) == dict(kernel.functions) for kernel in KERNELS.values())


def many(machine: Machine, values: Any, lowest: int, highest: int) -> Sequence[int] | None:
    """A large argument copied into an array; None for others, and where an element is not allowed: whoever asks then
    looks at them one by one.
    """
    if machine.engine == "steps" or not isinstance(values, Sized) or len(values) < MANY_PAGES:
        return None
    plain = range(values.start, values.end, PAGE_SIZE) if isinstance(values, Area) else values
    column: Sequence[int] | None = import_module("numakit.bulk.columns").checked_column(plain, lowest, highest)
    return column


def mapped_pages(m: MachineState, pids: Iterable[int]) -> int:
    """How many pages the areas of some processes have, which a call about all their memory goes through."""
    tasks = (m.table.get(("process", pid)) for pid in pids)
    return sum(vma.pages for task in tasks if task for vma in vmas_of(m, task.mm))


def bulk_calls() -> Any:
    """The calls of the bulk engine, which is loaded when the first one is made."""
    return import_module("numakit.bulk.calls")
