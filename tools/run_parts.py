"""Runs the parts of the test suite one after the other and ends with a table of their times.

Every part runs, whatever became of those before it; the exit status is 1 if any failed. A part whose
folder does not exist is left out. `make check`, `make test` and `make test-long` call this file.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PYTHON = sys.executable
RUFF = [PYTHON, "-m", "ruff"]
PYTEST = [PYTHON, "-m", "pytest", "--quiet"]
TWO_WORKERS = ["-n", "2", "--dist", "worksteal"]
SUMMARY = "Runs the parts of the test suite and ends with a table of their times."

CELL_SECONDS = 60
NOTEBOOK_SECONDS = 30
STRICT_NBVAL = [
    *PYTEST,
    "--nbval",
    "--nbval-sanitize-with=sanitize.cfg",
    f"--nbval-cell-timeout={CELL_SECONDS}",
    "--nbval-current-env",
    "-p",
    "tools.notebook_seconds",
    f"--notebook-seconds={NOTEBOOK_SECONDS}",
]

# Folders of tests that are a part of their own; all other tests are the part `model`.
OWN_PARTS = ("random", "planted_bugs", "readers", "experiments", "notebooks", "grading", "browser", "packaging")


class Part(NamedTuple):
    """Commands that belong together, and the seconds that they should stay below on two cores."""

    name: str
    commands: list[list[str]]
    budget: int
    needs: str = "tests"  # the folder without which there is nothing to run
    daily: bool = False
    has_long: bool = False


class Outcome(NamedTuple):
    """How a part went, and the seconds that it took."""

    part: Part
    passed: bool
    seconds: float


def all_parts(*, daily: bool = False) -> list[Part]:
    """The parts in the order of their run: what fails fast comes first."""
    others = [f"--ignore=tests/{name}" for name in OWN_PARTS]
    quick = ["-m", "not slow"] if daily else []
    code = [name for name in ("numakit", "tests", "tools", "benchmarks") if (ROOT / name).is_dir()]
    return [
        Part("lint", [[*RUFF, "check", "."], [*RUFF, "format", "--check", "."]], 5, daily=True),
        Part("types", [[PYTHON, "-m", "mypy", "--strict", *code]], 40, daily=True),
        Part("model", [[*PYTEST, "tests", *TWO_WORKERS, *others, *quick]], 120, daily=True),
        Part("readers", [[*PYTEST, "tests/readers", *quick]], 180, needs="tests/readers", daily=True),
        _folder("experiments", 90, [*TWO_WORKERS, *quick], daily=True),
        _folder("random", 480, TWO_WORKERS, has_long=True),
        _folder("planted_bugs", 180, daily=True),
        Part("notebooks", [[*STRICT_NBVAL, *_notebook_folders()]], 160, needs="notebooks"),
        _folder("notebook_checks", 140, at="tests/notebooks"),
        _folder("grading", 540, TWO_WORKERS),
        _folder("browser", 480),
        _folder("packaging", 180),
    ]


def run_part(part: Part, environment: Mapping[str, str]) -> Outcome:
    """Run each command of the part, the later ones even if an earlier one fails."""
    print(f"\n=== {part.name}", flush=True)
    start = time.perf_counter()
    passed = True
    for command in part.commands:
        passed &= subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0
    return Outcome(part, passed, time.perf_counter() - start)


def table(outcomes: Sequence[Outcome]) -> str:
    """One line a part: its result, its seconds, its budget, and a mark where it took longer."""
    lines = [f"{'part':<17}{'result':<9}{'seconds':>7}{'budget':>9}"]
    for part, passed, seconds in outcomes:
        mark = "  over its budget" if seconds > part.budget else ""
        lines.append(f"{part.name:<17}{_word(passed):<9}{seconds:>7.1f}{part.budget:>9}{mark}")
    seconds, budget = sum(o.seconds for o in outcomes), sum(o.part.budget for o in outcomes)
    lines.append(f"{'all':<17}{_word(all(o.passed for o in outcomes)):<9}{seconds:>7.1f}{budget:>9}")
    return "\n".join(lines)


def choose(parts: Sequence[Part], names: Sequence[str], *, daily: bool, long: bool) -> list[Part]:
    """Those of `parts` that are there and asked for; no names stand for all."""
    return [
        part
        for part in parts
        if (ROOT / part.needs).is_dir()
        and (part.name in names or not names)
        and (part.daily or not daily)
        and (part.has_long or not long)
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts that the command line asks for; 0 if all passed, 1 if not."""
    names = [part.name for part in all_parts()]
    parser = argparse.ArgumentParser(description=SUMMARY)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"only these: {', '.join(names)}")
    parser.add_argument("--daily", action="store_true", help="the parts for daily work, without slow tests")
    parser.add_argument("--long", action="store_true", help="the random parts, with NUMAKIT_LONG=1 set")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.parts) - set(names)):
        parser.error(f"no such part: {', '.join(unknown)}")

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if options.long:
        environment["NUMAKIT_LONG"] = "1"
    parts = choose(all_parts(daily=options.daily), options.parts, daily=options.daily, long=options.long)
    outcomes = [run_part(part, environment) for part in parts]
    print(f"\n{table(outcomes)}")
    return 0 if all(outcome.passed for outcome in outcomes) else 1


def _folder(
    name: str, budget: int, options: Sequence[str] = (), *, at: str = "", daily: bool = False, has_long: bool = False
) -> Part:
    """The part that runs the tests of one folder."""
    folder = at or f"tests/{name}"
    return Part(name, [[*PYTEST, folder, *options]], budget, needs=folder, daily=daily, has_long=has_long)


def _notebook_folders() -> list[str]:
    """Where the notebooks lie that are stored with outputs."""
    return [name for name in ("notebooks", "exercises/source") if (ROOT / name).is_dir()]


def _word(passed: bool) -> str:
    return "passed" if passed else "FAILED"


if __name__ == "__main__":
    sys.exit(main())
