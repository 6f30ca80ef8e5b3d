"""A file of scenarios: its functions, and its mistakes as whoever wrote it wants to read them."""

from __future__ import annotations

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

PARAMETERS = ("world", "machine")  #: what the one parameter of a scenario may be called
FORM = "a scenario is a function with one parameter called world: def pages_move(world): ..."


class WrongFile(Exception):
    """The file cannot be read, is no Python, or has an error that came up when it was run: with file and line."""


@dataclass(frozen=True)
class ScenarioFile:
    """A file that was run, so that its functions are there. ``label``: what it is called in messages."""

    path: Path
    label: str
    source: str
    scenarios: Mapping[str, Callable[[Any], Any]]

    def chosen(self, names: Sequence[str]) -> list[str]:
        """The scenarios of these names, all of them if none is named. Raises WrongFile for a name that it lacks."""
        for name in names:
            if name not in self.scenarios:
                raise WrongFile(f"{self.label}: no scenario {name!r}; there are {', '.join(self.scenarios)}")
        return list(dict.fromkeys(names)) or list(self.scenarios)


def open_scenarios(path: Path, label: str | None = None) -> ScenarioFile:
    """Run a file and take its scenarios, in the order in which they stand there. Raises WrongFile.

    Names that begin with an underscore, and what the file imported, are none.
    """
    label = label or str(path)
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongFile(f"{label}: it cannot be read ({error})") from None
    module = ModuleType(f"scenarios of {path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses look their module up
    try:
        with folder_of(path):
            exec(compile(source, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        raise WrongFile(in_file(error, path, label)) from None
    scenarios = {name: value for name, value in vars(module).items() if is_scenario(value, module)}
    if not scenarios:
        raise WrongFile(f"{label}: no scenario in it; {FORM}")
    return ScenarioFile(path, label, source, scenarios)


def is_scenario(value: object, module: ModuleType) -> bool:
    """Whether a value of a module is one of its scenarios."""
    if not inspect.isfunction(value) or value.__module__ != module.__name__ or value.__name__.startswith("_"):
        return False
    parameters = inspect.signature(value).parameters
    return len(parameters) == 1 and next(iter(parameters)) in PARAMETERS


@contextmanager
def folder_of(path: Path) -> Iterator[None]:
    """The file may import what lies beside it, as if Python had been started with it."""
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def in_file(error: BaseException, path: Path, label: str) -> str:
    """An error in one sentence: the innermost line of the file that led to it, and what it is."""
    what = " ".join(traceback.format_exception_only(error)[-1].split())
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"{label}:{error.lineno}: SyntaxError: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if not frames:
        return f"{label}: {what}"
    last = frames[-1]
    place = "" if last.name == "<module>" else f", in {last.name}"
    return f"{label}:{last.lineno}{place}: {what}"


def line_of(path: str) -> int:
    """The line of the file that is being run now; 0 if none is."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename != path:
        if frame.f_back is None:
            return 0
        frame = frame.f_back
    return frame.f_lineno
