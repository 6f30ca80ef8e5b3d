"""One trial of a sweep: what it is called, what it replays, and what becomes of it, on whatever computer."""

from __future__ import annotations

import pickle
import re
import traceback
from dataclasses import dataclass
from hashlib import sha256
from inspect import ismemberdescriptor
from pathlib import Path
from typing import NamedTuple, TypeAlias

import cloudpickle

from numakit.experiments.workloads import Workload
from numakit.facade.machine import Machine
from numakit.topology import Topology
from numakit.trace import Policy, Prices, replay
from numakit.version import __version__

Name: TypeAlias = "str | int | float"  #: of a machine, workload or policy in the frame; numbers make an axis
Row: TypeAlias = "dict[str, float]"  #: what a replay came to, by the name of the column

#: The columns that say which trial it was.
KEYS = ("machine", "workload", "policy", "kernel", "random_seed")

#: The columns that say what it came to, with what they hold; see Replayed. Times are in ns.
MEASURES: dict[str, type[int] | type[float]] = {
    "accesses": int,
    "locality": float,
    "access_ns": float,
    "policy_ns": float,
    "total_ns": float,
    "faults": int,
    "calls": int,
    "moved": int,
    "stayed": int,
}


@dataclass(frozen=True)
class Trial:
    """A replay that is to be made. ``machine``, ``workload`` and ``policy`` are names; ``topology``, ``trace_for`` and
    ``mover`` are what they stand for.
    """

    machine: Name
    workload: Name
    policy: Name
    kernel: str
    random_seed: int
    topology: Topology
    trace_for: Workload
    mover: Policy
    epoch: int
    prices: Prices

    @property
    def key(self) -> tuple[Name, ...]:
        """What tells it from the other trials of its sweep: its values of KEYS."""
        return (self.machine, self.workload, self.policy, self.kernel, self.random_seed)

    @property
    def settings(self) -> dict[str, str]:
        """What its names stand for, in words: two trials of one key and other settings are not the same."""
        return {
            "machine": sha256(self.topology.to_json().encode()).hexdigest()[:12],
            "workload": described(self.trace_for),
            "policy": described(self.mover),
            "epoch": str(self.epoch),
            "prices": described(self.prices),
            "numakit": __version__,
        }

    def play(self) -> Row:
        """Make the replay, on a new machine. Raises what workload, machine and policy raise."""
        machine = Machine(self.topology, kernel=self.kernel)
        trace = self.trace_for(self.topology, self.random_seed)
        replayed = replay(machine, trace, self.mover, epoch=self.epoch, prices=self.prices)
        sums = {"accesses": len(trace), **replayed.row()}
        return {column: kind(sums[column]) for column, kind in MEASURES.items()}

    def __str__(self) -> str:
        return ", ".join(f"{name}={value!r}" for name, value in zip(KEYS, self.key, strict=True))


class Failure(NamedTuple):
    """A trial that came to nothing: its number in the sweep, what happened in one line, and the whole traceback."""

    number: int
    trial: Trial
    error: str
    traceback: str = ""

    def __str__(self) -> str:
        return f"trial {self.number} ({self.trial}): {self.error}"


class Outcome(NamedTuple):
    """What a worker sends back: the sums of a replay, or what went wrong (one line, and a traceback)."""

    row: Row | None
    error: str = ""
    traceback: str = ""


def packed(trial: Trial) -> bytes:
    """The trial as bytes that any worker can unpack: classes of a notebook go along.

    Raises ValueError for a trial that cannot be sent, such as one whose policy holds an open file.
    """
    try:
        packed: bytes = cloudpickle.dumps(trial)
    except Exception as error:  # whatever the objects of the user raise
        raise ValueError(f"trial ({trial}) cannot be sent to a worker: {error}") from error
    return packed


def played(trial: bytes) -> Outcome:
    """Unpack a trial and play it. An exception comes back as words, the same from every kind of worker."""
    try:
        return Outcome(pickle.loads(trial).play())
    except (Exception, SystemExit) as error:  # a policy that exits ends its trial, and not the sweep
        return Outcome(None, f"{type(error).__name__}: {error}{_where(error)}", traceback.format_exc())


def described(value: object) -> str:
    """What a value says of itself, or its class with its attributes; no addresses, which change from run to run."""
    if type(value).__repr__ is object.__repr__:
        slots = [name for name in dir(value) if ismemberdescriptor(getattr(type(value), name, None))]
        held = {name: getattr(value, name) for name in slots if hasattr(value, name)} | getattr(value, "__dict__", {})
        inside = ", ".join(f"{name}={described(one)}" for name, one in held.items())
        return f"{type(value).__qualname__}({inside})"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def _where(error: BaseException) -> str:
    """The line that raised it, unless it is one of ours, which says enough by its message."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    if Path(last.filename).is_relative_to(Path(__file__).parents[1]):
        return ""
    in_a_cell = "ipykernel_" in last.filename or last.filename.startswith("<")
    file = "a cell" if in_a_cell else Path(last.filename).name
    return f" ({file}, line {last.lineno})"
