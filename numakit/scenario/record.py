"""A world that notes each call that is made in it, and what was answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from numakit.abi import errno_name
from numakit.explain.policies import MODES
from numakit.explain.result import Result
from numakit.facade.cpuset import CpusetView
from numakit.facade.machine import Machine
from numakit.facade.pinned import PinnedPages
from numakit.facade.process import Process
from numakit.facade.vma import Area
from numakit.live import CannotTry, LivePin, LiveProcess, World
from numakit.live.cpuset import LiveCpuset
from numakit.scenario.file import line_of
from numakit.scenario.names import Given, Names, numbers, status_text
from numakit.syscalls.user_memory import UserArray

#: What both kinds of worlds have: kind -> the classes of a model and of a live world.
KINDS = {
    "world": (Machine, World),
    "process": (Process, LiveProcess),
    "cpuset": (CpusetView, LiveCpuset),
    "pipe": (PinnedPages, LivePin),
}


class KernelStopped(Exception):
    """The model's kernel hit a BUG: it makes no further calls."""


@dataclass(frozen=True)
class PlayedCall:
    """A call and its answer, in words that do not depend on the world. ``ret``, ``status``: the numbers, of the calls
    that return an errno. ``result``: what the call returned, where it was made in this Python.
    """

    line: int
    name: str
    text: str
    answer: str
    ret: int | None = None
    status: tuple[int | None, ...] | None = None
    result: Any = field(default=None, compare=False, repr=False)


class Recorder:
    """Notes the calls of a play. ``path``: the file whose lines they are on."""

    def __init__(self, world: Machine | World, path: str) -> None:
        self.calls: list[PlayedCall] = []
        self.line = 0  #: of the call that is made now, or was made last
        self._names, self._path, self._real_world = Names(), path, world
        self._known: dict[tuple[str, int], Recorded] = {}
        self.world = Recorded(self, world, "world", "world")

    def call(self, owner: Recorded, name: str, *positional: Any, **named: Any) -> Any:
        """Make a call, and note it. Raises what the call raises; KernelStopped behind a BUG."""
        self.line = line_of(self._path)
        if isinstance(self._real_world, Machine) and (bug := self._real_world.table.get("bug")):
            raise KernelStopped(f"the kernel hit a BUG: {bug}. It makes no further calls.")
        function = getattr(owner.real, name)
        arguments = self._names.call(owner.pid, function, name, Given(positional, named))
        given = [real_one(value) for value in positional], {key: real_one(value) for key, value in named.items()}
        result = function(*given[0], **given[1])
        shown = self.known(result, owner, name)
        made = shown.recorded_name if isinstance(shown, Recorded) and shown is not owner else ""
        if isinstance(result, Area) and owner.pid is not None:
            made = self._names.area(owner.pid, result)
        of_whom = "" if owner.kind == "world" else f"{owner.recorded_name}."
        text = f"{made} = {of_whom}{name}({arguments})" if made else f"{of_whom}{name}({arguments})"
        ret, status = numbers_of(result)
        answer = self._answer(owner, name, result)
        self.calls.append(PlayedCall(self.line, name, text, answer, ret, status, result))
        return shown

    def known(self, value: Any, owner: Recorded | None = None, call: str = "") -> Any:
        """A value of the world as the scenario gets it: what has calls of its own notes them, too."""
        kind = next((kind for kind, classes in KINDS.items() if isinstance(value, classes)), None)
        if kind is None:
            return value
        if value is self._real_world:
            return self.world
        key = (kind, value.pid if kind == "process" else id(value))
        if key not in self._known:
            self._known[key] = Recorded(self, value, kind, self._name_of(value, kind, owner, call))
        return self._known[key]

    def _name_of(self, value: Any, kind: str, owner: Recorded | None, call: str) -> str:
        if kind == "process":
            return self._names.process(value.pid, value.name, owner.pid if owner and call == "fork" else None)
        return str(value.name) if kind == "cpuset" else self._names.numbered(kind)

    def _answer(self, owner: Recorded, name: str, result: Any) -> str:
        if name == "numa_maps" and owner.pid is not None:
            return self._names.numa_maps(owner.pid, result)
        if name == "read":
            tokens = result if isinstance(result, list) else [result]
            return numbers(map(self._names.data, tokens)) if isinstance(result, list) else self._names.data(result)
        if isinstance(result, Result):
            return f"{errno_name(result.ret)}" + (f", status {status_text(result.status)}" if result.status else "")
        if hasattr(result, "ret"):
            return ", ".join([errno_name(result.ret), *policy_told(result)])
        if isinstance(result, int) and not isinstance(result, bool):
            return errno_name(result)
        if isinstance(result, PinnedPages | LivePin):
            held = result.held if isinstance(result, LivePin) else len(result.pages)
            return f"holds {held} page{'s' * (held != 1)}"
        made = isinstance(result, (*(one for kind in KINDS.values() for one in kind), Area, UserArray))
        return "" if made or result is None or hasattr(result, "name") else repr(result)


class Recorded:
    """Something of a world that has calls: what it is otherwise shows through."""

    def __init__(self, recorder: Recorder, real: Any, kind: str, name: str) -> None:
        self._recorder = recorder
        self.real, self.kind, self.recorded_name = real, kind, name

    def __getattr__(self, attribute: str) -> Any:
        classes = KINDS[self.kind]
        if isinstance(self.real, classes[1]) and not hasattr(self.real, attribute) and hasattr(classes[0], attribute):
            raise CannotTry(f"A real kernel cannot be asked for {attribute}: only a model has that.")
        value = getattr(self.real, attribute)
        if callable(value):
            return partial(self._recorder.call, self, attribute)
        if isinstance(value, list):
            return [self._recorder.known(one) for one in value]
        return self._recorder.known(value)

    @property
    def pid(self) -> Any:
        """The pid of a process; None of what is no process."""
        return self.real.pid if self.kind == "process" else None

    def __repr__(self) -> str:
        return repr(self.real)


def real_one(value: Any) -> Any:
    """What stands behind a recorded value."""
    return value.real if isinstance(value, Recorded) else value


def numbers_of(result: Any) -> tuple[int | None, tuple[int | None, ...] | None]:
    """Return code and status[] of what a call returned, as far as it has them."""
    if isinstance(result, Result):
        return result.ret, tuple(result.status)
    return getattr(result, "ret", None), None


def policy_told(result: Any) -> Sequence[str]:
    """What get_mempolicy() told beside its return code."""
    mode, node, nodes = (getattr(result, name, None) for name in ("mode", "node", "nodes"))
    told = [] if mode is None else [MODES.get(mode, f"mode {mode}")]
    told += [] if node is None else [f"node {node}"]
    return [*told, f"nodes {numbers(list(nodes))}"] if nodes else told
