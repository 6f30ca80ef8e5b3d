"""Trials on an executor: handed out in order, taken back as they are done, and what to do when a worker dies."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from queue import SimpleQueue
from typing import Any, TypeAlias

from numakit.experiments.trial import Outcome, Trial, packed, played

Coming: TypeAlias = "Generator[tuple[int, Outcome]]"  #: trials that are done, by their numbers

AHEAD = 1000  #: trials that an executor holds at a time

#: Lost trials that are looked at again, alone: those that the workers of one computer can have had in hand.
SUSPECTS = 2 * (os.cpu_count() or 1) + 1


class InThisProcess(Executor):
    """Does what it is told at once, in the caller's process: for a few trials, and for the debugger."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call it; the future is done already."""
        future: Future[Any] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class WorkerDied(Exception):
    """The executor broke. ``culprit`` is the number of the trial that kills its worker, None if none does so alone."""

    def __init__(self, culprit: int | None, reason: str) -> None:
        super().__init__(reason)
        self.culprit = culprit


def outcomes(trials: Mapping[int, Trial], executor: Executor) -> Coming:
    """The outcomes of trials by their numbers, as they come.

    Where one computer's pool of processes breaks, it does not say by whose fault. Then the first of the trials that
    were lost are played again, each in a process of its own; what comes through counts. Raises WorkerDied at last.
    """
    done: SimpleQueue[Future[Outcome]] = SimpleQueue()
    waiting: dict[Future[Outcome], int] = {}
    lost: dict[int, BrokenExecutor] = {}

    def taken_back() -> Coming:
        future = done.get()
        number = waiting.pop(future)
        try:
            yield number, future.result()
        except BrokenExecutor as error:
            lost[number] = error
        except Exception as error:  # what the executor has to say of a worker: dask's KilledWorker, for example
            yield number, Outcome(None, f"its worker was lost: {type(error).__name__}: {error}")

    try:
        for number, trial in trials.items():
            try:
                future = executor.submit(played, packed(trial))
            except BrokenExecutor as error:
                lost[number] = error
            else:
                waiting[future] = number
                future.add_done_callback(done.put)
            while waiting and (lost or len(waiting) == AHEAD or not done.empty()):
                yield from taken_back()
            if lost:
                break
        while waiting:
            yield from taken_back()
    finally:
        for future in waiting:
            future.cancel()
    if lost:
        yield from _alone({number: trials[number] for number in sorted(lost)[:SUSPECTS]}, str(min(lost.items())[1]))


def _alone(suspects: Mapping[int, Trial], reason: str) -> Coming:
    """Play trials that were lost one by one until one kills its process. Raises WorkerDied."""
    for number, trial in suspects.items():
        with ProcessPoolExecutor(1) as process:
            try:
                outcome = process.submit(played, packed(trial)).result()
            except BrokenExecutor:
                raise WorkerDied(number, reason) from None
        yield number, outcome
    raise WorkerDied(None, reason)
