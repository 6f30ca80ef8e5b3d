"""What of the judge's things a submission may use: the public names of the model, and of classes of the exercise.

Everything that a student's function was ever given in a notebook is here, and nothing that leads out of the model: no
modules, no classes, no name with an underscore in front, none that writes files or past the kernel's back.
"""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping
from functools import cache
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from numakit.facade.call import BoundCall, Call
from numakit.facade.machine import Machine
from numakit.judge.peer import SPECIAL, Description
from numakit.machine.state import MachineState

EXERCISE = "exercise"  #: what the judge's cells have as __name__
MODEL = ("numakit.facade.", "numakit.machine.", "numakit.migration.", "numakit.syscalls.", "numakit.timeline.",
         "numakit.explain.", "numakit.kernels.")  # fmt: skip
#: of a machine's state, what functions of the course use; the rest is for the kernel's own functions
OF_THE_STATE = frozenset(["topology", "kernel", "node_ids", "nr_frames", "scale", "node", "fingerprint", "costs"])
#: not even for those: who else acts, which a hidden test may have decided, and what nobody but the timeline does
NOT_OF_THE_KERNEL = frozenset(["run", "journal", "start_recording", "stop_recording", "start_checking"])
#: writes a file; runs what was never checked; make calls that can be taken back, so that nobody would notice them
CLOSED = frozenset(["to_html", "perform", "begin", "record"])
ERRORS = {name: kind for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, Exception)}


class SubmissionError(Exception):
    """An error of the submission that is no error of Python's own; it begins with the name of its class."""


class Table:
    """A machine's table of structures, to look things up in."""

    def __init__(self, table: Mapping[Any, Any]) -> None:
        self._table = table

    def __getitem__(self, key: Any) -> Any:
        return self._table[key]

    def __contains__(self, key: object) -> bool:
        return key in self._table

    def get(self, key: Any, default: Any = None) -> Any:
        """What stands there, or the default."""
        return self._table.get(key, default)

    def items(self) -> list[tuple[Any, Any]]:
        """All that stands there, as it is now."""
        return list(self._table.items())


class JudgesDoor:
    """What the judge lets a submission do, and how a submission's errors look in the tests.

    A submission's object is never asked whether it equals something, is true, or contains something: that would be a
    verdict, and the tests' to find. It is called, and gone through item by item; how many items it has is counted.
    """

    asked = frozenset(("__call__", "__iter__", "__next__", "__len__", "__getitem__"))
    once = True

    def __init__(self, serves: bool = False) -> None:
        """`serves`: does a function of the submission serve in the kernel?"""
        self.serves = serves
        self.tables: dict[int, Table] = {}

    def describe(self, thing: Any) -> Description | None:
        """A function can be called, an iterator asked for more; of the model's things there are public methods."""
        if isinstance(thing, FunctionType | MethodType):
            return Description(thing.__name__, [], ["__call__"])
        if isinstance(thing, Iterator) and type(thing).__module__ == "builtins":
            return Description("iterator", [], ["__iter__", "__next__"])
        if isinstance(thing, memoryview):
            return Description("memory", [], ["__getitem__", "__iter__", "__len__"])
        kind: type = type(thing)
        return described(kind) if is_open(kind) else None

    def get(self, thing: Any, name: str) -> Any:
        """A public attribute of a thing of the model."""
        if not is_open(type(thing)) or not (is_handed_out(type(thing), name) or self.is_of_the_kernel(thing, name)):
            raise AttributeError(f"{type(thing).__name__}.{name} is not open to submissions")
        found = getattr(thing, name)
        if isinstance(thing, MachineState) and name == "table":
            return self.tables.setdefault(id(found), Table(found))
        return found

    def is_of_the_kernel(self, thing: Any, name: str) -> bool:
        """Whether a name of a machine is handed out to the kernel's functions, of which the submission has some."""
        kept = name.startswith("_") or name in NOT_OF_THE_KERNEL or name in CLOSED
        return self.serves and isinstance(thing, MachineState) and not kept

    def looks_like(self, name: str) -> None:
        """A submission's things are nothing but a submission's things."""

    def told(self, error: Exception) -> list[str]:
        """Its class and its words, no place: that would be a line of the hidden tests."""
        return [type(error).__name__, str(error), ""]

    def error(self, kind: str, what: str, where: str) -> Exception:
        """An error of Python's own is raised as that."""
        error = ERRORS[kind](what) if kind in ERRORS and kind not in UNMADE else SubmissionError(f"{kind}: {what}")
        if where:
            error.add_note(where)
        return error


UNMADE = frozenset(["UnicodeDecodeError", "UnicodeEncodeError", "UnicodeTranslateError", "ExceptionGroup"])


def is_open(kind: type) -> bool:
    """Whether things of that class may be asked at all."""
    return kind is Table or kind.__module__ == EXERCISE or f"{kind.__module__}.".startswith(MODEL)


def is_handed_out(kind: type, name: str) -> bool:
    """Whether a name of things of that class is handed out; of a machine only what people see of it."""
    if name.startswith("_") or name in CLOSED:
        return False
    return not issubclass(kind, MachineState) or name in OF_THE_STATE or name in vars(Machine)


@cache
def described(kind: type) -> Description:
    """The methods of a class, and those special methods that are not object's."""
    methods = [name for name in dir(kind) if is_handed_out(kind, name) and is_method(getattr(kind, name))]
    return Description(f"{kind.__module__}:{kind.__qualname__}", methods, special_of(kind))


def is_method(found: object) -> bool:
    """Whether a name of a class stands for something to call."""
    return isinstance(found, FunctionType | MethodType | BuiltinFunctionType | Call | BoundCall)


def special_of(kind: type) -> list[str]:
    """The special methods that a class has beyond those of every object."""
    own = [name for name in sorted(SPECIAL) if getattr(kind, name, None) is not getattr(object, name, None)]
    return own if getattr(kind, "__hash__", None) else [name for name in own if name != "__hash__"]
