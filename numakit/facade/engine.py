"""Which engine makes a call: the steps that can be watched, or all pages at once (numakit.bulk)."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar

from numakit.facade.call import Prepared
from numakit.kernels import KERNELS

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


def bulk_calls() -> Any:
    """The calls of the bulk engine, which is loaded when the first one is made."""
    return import_module("numakit.bulk.calls")
