"""The student's process: `python -m numakit.judge.student`, started by the judge for one submission.

It imports the kit, then gives up what it may do (its user, its folder, memory, new processes), and only then gets the
first cell. It knows no test: it is asked for functions, and called. Whatever the submission does to this process,
numakit and this module included, all that leaves it is a value on the pipe.
"""

from __future__ import annotations

import ast
import builtins
import ctypes
import linecache
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from types import FunctionType, MethodType
from typing import Any

import numakit.explain.result  # noqa: F401  # a record that arrives is looked up among what was imported
from numakit.judge.exposed import ERRORS, UNMADE, special_of
from numakit.judge.peer import SPECIAL, Description, Peer

try:
    import resource  # now: the user that the process becomes may not be able to look into the home of this Python
except ImportError:  # Windows has no such limits; the judge's watch is left
    resource = None  # type: ignore[assignment]

PR_SET_PDEATHSIG, PR_SET_NO_NEW_PRIVS, SIGKILL = 1, 38, 9
CELL = "<cell "  #: how the file name of a cell begins
SHOWN_LINES = 6  #: of a traceback, the innermost


#: what answers import; loaded beforehand where Python lies in a home that the other user cannot look into
LIKELY = (
    "array", "bisect", "collections", "contextlib", "copy", "dataclasses", "datetime", "decimal", "enum", "errno",
    "email.parser", "fractions", "functools", "graphlib", "heapq", "inspect", "itertools", "json", "math", "networkx",
    "numakit.allocators", "numpy", "operator", "pprint", "random", "re", "secrets", "statistics", "string",
    "subprocess", "textwrap", "time", "types", "typing", "zoneinfo",
)  # fmt: skip
PICTURES = ("matplotlib.backends.backend_agg", "matplotlib.pyplot")
#: the same for what takes long to load: for a word that stands in the cells, what it needs
LARGE = {"matplotlib": PICTURES, "numakit.plots": PICTURES, "numakit.widgets": ("anywidget",), "pandas": ("pandas",)}


class JudgeError(Exception):
    """An error on the judge's side that is no error of Python's own."""


class StudentsDoor:
    """The judge may ask for everything; it is the submission's own process."""

    asked = SPECIAL
    once = False  # what the judge has changes, and the judge does not lie

    def describe(self, thing: Any) -> Description:
        """Functions, iterators, and objects of the submission with their public methods."""
        if isinstance(thing, FunctionType | MethodType | type):
            return Description(getattr(thing, "__name__", "function"), [], ["__call__"])
        if isinstance(thing, Iterator):
            return Description("iterator", [], ["__iter__", "__next__"])
        kind = type(thing)
        methods = [name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name, None))]
        return Description(kind.__name__, methods, special_of(kind))

    def get(self, thing: Any, name: str) -> Any:
        """Any attribute."""
        return getattr(thing, name)

    def looks_like(self, name: str) -> type | None:
        """`isinstance(process, Process)` holds for a process that is the judge's."""
        module, _, qualname = name.partition(":")
        found = getattr(sys.modules.get(module), qualname, None) if module.startswith("numakit.") else None
        return found if isinstance(found, type) else None

    def told(self, error: Exception) -> list[str]:
        """Its class, its words, and the lines of the submission that it came through."""
        return [type(error).__name__, str(error), where(error)]

    def error(self, kind: str, what: str, where: str) -> Exception:
        """An error of Python's own is raised as that."""
        return ERRORS[kind](what) if kind in ERRORS and kind not in UNMADE else JudgeError(f"{kind}: {what}")


class Workshop:
    """What the judge asks for first: thing 0 of this end."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}

    def begin(
        self, uid: int | None, memory: int, file_size: int, seconds: int, closed: list[str], named: list[str]
    ) -> list[str]:
        """Give up everything; which of the paths that should be closed to a submission can be opened all the same.

        `named`: the words of LARGE that stand in its cells.
        """
        if uid is not None and not readable_to(uid, os.__file__):
            for name in [*LIKELY, *(name for word in named for name in LARGE[word])]:
                with suppress(ImportError):
                    import_module(name)
        give_up(uid, memory, file_size, seconds)
        return [path for path in closed if os.access(path, os.R_OK) or os.access(path, os.X_OK)]

    def run(self, source: str, name: str) -> None:
        """Run a cell. Raises what it raises."""
        filename = f"{CELL}{name}>"
        linecache.cache[filename] = len(source), None, source.splitlines(keepends=True), filename
        exec(compile(without_magic(source), filename, "exec"), self.names)

    def has(self, name: str) -> bool:
        """Whether a cell has defined that name."""
        return name in self.names

    def value(self, name: str) -> Any:
        """What a name stands for."""
        return self.names[name]


def without_magic(source: str) -> str:
    """The cell as Python: commands of the notebook's shell (%matplotlib, !ls, name?) do nothing here."""
    try:
        ast.parse(source)
    except SyntaxError:
        lines = source.splitlines()
        return "\n".join("pass" if line.startswith(("%", "!", "?")) or line.endswith("?") else line for line in lines)
    return source


def where(error: Exception) -> str:
    """The lines of the submission that an error came through, the innermost last."""
    lines = [line for line in traceback.extract_tb(error.__traceback__) if line.filename.startswith(CELL)]
    told = [f"{line.filename[1:-1]}, line {line.lineno}, in {line.name}: {line.line}" for line in lines]
    if isinstance(error, SyntaxError) and not told:
        told = [f"{(error.filename or '')[1:-1]}, line {error.lineno}: {(error.text or '').strip()}"]
    return "\n".join(told[-SHOWN_LINES:])


def readable_to(uid: int, path: str) -> bool:
    """Whether that user could read a file. For root."""
    os.seteuid(uid)
    try:
        return os.access(path, os.R_OK, effective_ids=True)
    finally:
        os.seteuid(0)


def give_up(uid: int | None, memory: int, file_size: int, seconds: int) -> None:
    """Become another user, for good, and have limits that cannot be raised again. Raises OSError if that fails."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None, use_errno=True).prctl
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
    if resource is None:
        return
    limits = {
        "RLIMIT_AS": memory, "RLIMIT_FSIZE": file_size, "RLIMIT_CPU": seconds, "RLIMIT_NPROC": 0, "RLIMIT_CORE": 0,
    }  # fmt: skip
    for name, most in limits.items():
        if hasattr(resource, name) and (name, sys.platform) != ("RLIMIT_AS", "darwin"):  # macOS refuses to be told
            limit = getattr(resource, name)
            before = resource.getrlimit(limit)[1]
            most = most if before == resource.RLIM_INFINITY else min(most, before)
            resource.setrlimit(limit, (most, most))


def main() -> None:
    """Serve the judge on the pipe that was standard input and output; prints go to standard error."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    peer = Peer(incoming, outgoing, StudentsDoor())
    peer.away(Workshop())
    peer.serve_for_ever()
    os._exit(0)


if __name__ == "__main__":
    main()
