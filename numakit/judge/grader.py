"""The grader's side: one judge for each submission, what it found, and many of them at once.

A judge that ends without a word, or does not end, costs its submission nothing but an answer: what it had found stands,
and for the rest there are no marks, which is not the same as none earned.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any, NamedTuple

from numakit.judge.confine import KIT, SLEEPING, Limits, walls
from numakit.judge.exercise import Case
from numakit.judge.trial import Trouble

PATIENCE = 30  #: seconds beyond those of the submission, for two interpreters to start and to be ended
LONGEST = 16 << 20  #: bytes that a judge may have to tell


class Finding(NamedTuple):
    """Of a test: the points earned, None if it could not be run. Of a cell of the submission: no points."""

    points: float | None
    said: str = ""
    trouble: Trouble | None = None


class Judged(NamedTuple):
    """What the judge found: tests by name, the submission's cells by place, and why not all could be run, if so."""

    tests: dict[str, Finding]
    theirs: dict[int, Finding]
    cannot: str = ""

    @property
    def score(self) -> float | None:
        """All points; None if something could not be run, and somebody has to look."""
        earned = [finding.points for finding in self.tests.values()]
        return None if self.cannot or None in earned else sum(points for points in earned if points is not None)


def judge(case: Case, limits: Limits, closed: Sequence[str], kind: str | None = None) -> Judged:
    """Try a case in a process of its own. `closed` are paths that a submission must not be able to read; `kind` the
    walls around it, the best there are by default.
    """
    with walls(kind) as apart:
        task = {"case": case, "limits": limits, "walls": apart, "closed": list(closed)}
        process = subprocess.Popen(
            [sys.executable, "-m", "numakit.judge.trial"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(KIT)},
            start_new_session=True,
        )
        why = ""
        most = SLEEPING * limits.all_seconds + PATIENCE
        try:
            out, errors = process.communicate(json.dumps(task).encode(), timeout=most)
        except subprocess.TimeoutExpired:
            process.kill()
            out, errors = process.communicate()
            why = f"the judge did not end within {most:g} seconds"
    return judged(case, out[:LONGEST].decode(errors="replace"), why or last_line(errors))


def judged(case: Case, lines: str, why: str) -> Judged:
    """What a judge's lines say; `why` they may have ended early."""
    tests: dict[str, Finding] = {}
    theirs: dict[int, Finding] = {}
    cannot = f"the judge ended early: {why or 'it did not say why'}"
    for line in lines.splitlines():
        try:
            told = json.loads(line)
        except ValueError:  # the judge ended, or had too much to tell, in the middle of it
            continue
        if told.get("done"):
            cannot = ""
        elif "cannot" in told:
            cannot = told["cannot"]
        elif "cell" in told:
            tests[told["cell"]] = Finding(told["points"], told["said"], trouble_of(told))
        elif "theirs" in told:
            theirs[told["theirs"]] = Finding(0, told["said"], trouble_of(told))
    for kind, name, _, _ in case.ours:
        if kind == "test" and name not in tests:
            tests[name] = Finding(None, "", Trouble("CouldNotRun", cannot))
    return Judged(tests, theirs, cannot)


def judge_class(
    cases: Mapping[str, Case], executor: Executor, limits: Limits, closed: Sequence[str], kind: str | None = None
) -> dict[str, Judged]:
    """Try many cases, as many at once as the executor has workers; threads will do, each only waits for its judge."""
    found = executor.map(partial(judge, limits=limits, closed=closed, kind=kind), cases.values())
    return dict(zip(cases, found, strict=True))


def trouble_of(told: Mapping[str, Any]) -> Trouble | None:
    """The trouble in a line of the judge's."""
    return Trouble(*told["trouble"]) if told["trouble"] else None


def last_line(errors: bytes) -> str:
    """What a process said last."""
    return (errors.decode(errors="replace").strip().splitlines() or [""])[-1]
