"""The file of a sweep: a line of JSON for each trial that is done, appended whole and never rewritten."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from numakit.experiments.trial import KEYS, MEASURES, Name, Row, Trial

#: With this each line begins.
BEGINNING = f'{{"{KEYS[0]}": '.encode()


class ResultsError(ValueError):
    """A file that cannot hold the results of this sweep: the message names file, line and what is wrong."""


def read_results(path: Path, trials: Iterable[Trial]) -> dict[tuple[Name, ...], Row]:
    """What the file has of these trials, by their keys. A file that does not exist has nothing.

    A last line without an end is what was left of a write that was interrupted; it does not count. Raises ResultsError
    for a line that is no result or the beginning of one, and for one whose trial has the name of one of these and other
    settings.
    """
    wanted = {trial.key: trial for trial in trials}
    found: dict[tuple[Name, ...], Row] = {}
    for number, line in enumerate(_lines(path)[0], start=1):
        where = f"{path}, line {number}"
        key, settings, row = _parsed(line, where)
        trial = wanted.get(key)
        if trial is None:
            continue
        for name, setting in trial.settings.items():
            if settings.get(name) != setting:
                told = f"{name} was {settings.get(name)!r} and is {setting!r}"
                raise ResultsError(f"{where}: trial ({trial}) is another one there: {told}; take another file")
        found.setdefault(key, row)
    return found


class ResultsFile:
    """The file, open for appending: what an interrupted write left behind is cut off first.

    Raises ResultsError if it cannot be opened, and if its end is no such thing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        whole, rest = _lines(path)
        try:
            self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise ResultsError(f"{path}: {error.strerror}") from None
        if rest:  # else another run may be adding lines just now
            os.ftruncate(self.file, sum(len(line) + 1 for line in whole))

    def append(self, trial: Trial, row: Row) -> None:
        """Add the line of a trial, and see that it is on the disc. Raises ResultsError where that fails."""
        names = dict(zip(KEYS, trial.key, strict=True))
        line = json.dumps({**names, **row, "settings": trial.settings}).encode() + b"\n"
        try:
            while line:
                line = line[os.write(self.file, line) :]
            os.fsync(self.file)
        except OSError as error:
            raise ResultsError(f"{self.path}: {error.strerror}; the lines before are kept") from None

    def close(self) -> None:
        """Nothing more will be added."""
        os.close(self.file)


def _lines(path: Path) -> tuple[list[bytes], bytes]:
    """The lines that have an end, without it, and what comes behind. Raises ResultsError if that is no beginning of
    a result: it would be cut off.
    """
    try:
        *whole, rest = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], b""
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from None
    left = rest.rstrip(b"\0")  # a file system that lost its power may have kept the length alone
    if not (left.startswith(BEGINNING) or BEGINNING.startswith(left)):
        raise _no_result(f"{path}, line {len(whole) + 1}", rest)
    return whole, rest


def _no_result(where: str, line: bytes) -> ResultsError:
    return ResultsError(f"{where}: no result of a sweep: {line[:60].decode(errors='replace')!r}")


def _parsed(line: bytes, where: str) -> tuple[tuple[Name, ...], dict[str, str], Row]:
    """Key, settings and sums of a line."""
    try:
        said: dict[str, Any] = json.loads(line)
        key = tuple(said[name] for name in KEYS)
        hash(key)
        row = {column: kind(said[column]) for column, kind in MEASURES.items()}
        return key, dict(said["settings"]), row
    except (ValueError, TypeError, KeyError, OverflowError):
        raise _no_result(where, line) from None
