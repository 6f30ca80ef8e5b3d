"""A sweep: trials as one object, run on any executor, with results that outlast an interrupted run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import closing, nullcontext
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
from tqdm.auto import tqdm

from numakit.experiments.executing import InThisProcess, WorkerDied, outcomes
from numakit.experiments.results import ResultsFile, read_results
from numakit.experiments.trial import KEYS, MEASURES, Failure, Name, Row, Trial
from numakit.experiments.workloads import Workload
from numakit.kernels import KERNELS
from numakit.topology import Topology
from numakit.trace import POLICIES, Policy, Prices
from numakit.trace.replay import is_policy

#: The same on every system, whatever an int of numpy is there.
DTYPES = {column: f"{kind.__name__}64" for column, kind in MEASURES.items()}


class SweepFailed(RuntimeError):
    """Some trials came to nothing. ``failures`` tells which and why; ``frame`` has what the others came to."""

    def __init__(self, message: str, failures: Sequence[Failure], frame: pd.DataFrame) -> None:
        super().__init__(message)
        self.failures, self.frame = list(failures), frame


class Sweep:
    """Trials in a fixed order, each named once: a grid, a random part of one, or what you choose from another sweep.

    Raises ValueError for two trials of one name.
    """

    def __init__(self, trials: Iterable[Trial]) -> None:
        self.trials = tuple(trials)
        named: dict[tuple[Name, ...], Trial] = {}
        for trial in self.trials:
            if named.setdefault(trial.key, trial) is not trial:
                raise ValueError(f"trials: two are called ({trial})")

    @classmethod
    def grid(
        cls,
        *,
        machines: Mapping[Any, Topology],
        workloads: Mapping[Any, Workload],
        policies: Mapping[Any, Policy] = POLICIES,
        kernels: Iterable[str] = ("seed",),
        random_seeds: Iterable[int] = (0,),
        epoch: int = 10_000,
        prices: Prices | None = None,
    ) -> Sweep:
        """All combinations, the last axis changing first. Names are texts or numbers; numbers make an axis to draw.

        ``random_seeds`` go to the workloads; ``epoch`` and ``prices`` are those of replay(), the same for all. Raises
        ValueError or TypeError for an axis that is empty or has something else in it.
        """
        kernels, random_seeds = list(kernels), list(random_seeds)
        _see_axis("machines", machines, lambda value: isinstance(value, Topology), "Topology")
        _see_axis("workloads", workloads, callable, "Workload")
        _see_axis("policies", policies, is_policy, "Policy")
        if not kernels or any(kernel not in KERNELS for kernel in kernels):
            raise ValueError(f"kernels={kernels!r}: one or more of {', '.join(KERNELS)}")
        if not random_seeds or any(type(number) is not int or number < 0 for number in random_seeds):
            raise ValueError(f"random_seeds={random_seeds!r}: one or more whole numbers from 0 on")
        if type(epoch) is not int or epoch < 1:
            raise ValueError(f"epoch={epoch!r}: so many accesses, at least 1")
        common = (epoch, prices or Prices())
        axes = product(machines.items(), workloads.items(), policies.items(), kernels, random_seeds)
        return cls(
            Trial(machine, workload, policy, kernel, number, topology, trace_for, mover, *common)
            for (machine, topology), (workload, trace_for), (policy, mover), kernel, number in axes
        )

    def sample(self, n: int, *, random_seed: int) -> Sweep:
        """A random sweep: ``n`` of these trials, in their order. Raises ValueError for more than there are."""
        if type(n) is not int or not 1 <= n <= len(self):
            raise ValueError(f"n={n!r}: 1 to {len(self)} trials are allowed")
        return Sweep(self.trials[number] for number in sorted(Random(random_seed).sample(range(len(self)), n)))

    def run(
        self, path: str | Path | None = None, executor: Executor | None = None, *, progress: bool = True
    ) -> pd.DataFrame:
        """Play the trials and return their frame: a row a trial, in the order of the sweep.

        ``path`` keeps each result as soon as it is there; trials whose results it has are not played again. Without
        one, results are kept in memory. ``executor``: whose workers play, None for this process; it is not shut down.
        The frame is the same on any. A trial that fails does not stop the others.

        A trial is known in the file by its names and its settings (see Trial). These tell classes and functions by name
        and attributes, and traces by the name of their file: take another ``path`` when code or contents have changed.

        Raises SweepFailed at the end if some failed, or if the executor broke; ResultsError for a file that is none of
        this sweep.
        """
        file = None if path is None else Path(path)
        kept = {} if file is None else read_results(file, self.trials)
        todo = {number: trial for number, trial in enumerate(self.trials) if trial.key not in kept}
        failures: list[Failure] = []
        broken: WorkerDied | None = None
        results = None if file is None else ResultsFile(file)
        bar = tqdm(total=len(self), initial=len(kept), unit="trial", disable=not progress)
        coming = outcomes(todo, executor or InThisProcess())
        with bar, closing(coming), closing(results) if results else nullcontext():
            try:
                for number, outcome in coming:
                    trial = todo[number]
                    if outcome.row is None:
                        failures.append(Failure(number, trial, outcome.error, outcome.traceback))
                    else:
                        kept[trial.key] = outcome.row
                        if results:
                            results.append(trial, outcome.row)
                    bar.update()
            except WorkerDied as death:
                broken = death
        if broken and broken.culprit is not None:
            failures.append(Failure(broken.culprit, todo[broken.culprit], "the process that played it died"))
        frame = self._frame_of(kept)
        if failures or broken:
            failures.sort()
            raise SweepFailed(_what_failed(failures, broken, len(kept), len(self), file), failures, frame)
        return frame

    def frame(self, path: str | Path) -> pd.DataFrame:
        """What is there so far, without playing anything; also while another process adds to the file."""
        return self._frame_of(read_results(Path(path), self.trials))

    def _frame_of(self, rows: Mapping[tuple[Name, ...], Row]) -> pd.DataFrame:
        """The rows that there are as a frame; ``trial`` is the number in the sweep."""
        done = [(number, trial) for number, trial in enumerate(self.trials) if trial.key in rows]
        names = {key: [trial.key[place] for _, trial in done] for place, key in enumerate(KEYS)}
        sums = {column: [rows[trial.key][column] for _, trial in done] for column in MEASURES}
        index = pd.Index([number for number, _ in done], name="trial", dtype="int64")
        return pd.DataFrame({**names, **sums}, index=index).astype({**DTYPES, "random_seed": "int64"})

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[Trial]:
        return iter(self.trials)

    def __repr__(self) -> str:
        counts = [len({trial.key[place] for trial in self.trials}) for place in range(len(KEYS))]
        axes = ", ".join(f"{count} {_plural(key)}" for key, count in zip(KEYS, counts, strict=True) if count > 1)
        return f"<Sweep: {len(self)} trials{': ' * bool(axes)}{axes}>"


def _see_axis(axis: str, values: Mapping[Any, object], fits: Callable[[object], bool], wanted: str) -> None:
    """Raises for an axis without a value, a name that is no text and no number, and a value that does not fit."""
    if not isinstance(values, Mapping) or not values:
        raise ValueError(f"{axis}={values!r}: a mapping with one or more names is wanted")
    for name, value in values.items():
        if isinstance(name, bool) or not isinstance(name, (str, int, float)):
            raise TypeError(f"{axis}: {name!r} is no name; a text or a number is wanted")
        if not fits(value):
            raise TypeError(f"{axis}: {name!r} is {value!r}; a {wanted} is wanted")


def _what_failed(
    failures: Sequence[Failure], broken: WorkerDied | None, done: int, trials: int, file: Path | None
) -> str:
    """The one message: which trial, what happened, what is kept, how to go on."""
    if failures:
        others = f" ({len(failures) - 1} more failed: see failures)" if len(failures) > 1 else ""
        what = f"{failures[0]}{others}"
    else:
        what = f"the executor broke, and no trial does that when it is played alone: {broken}"
    where = "in the frame of this exception" if file is None else f"in {file}"
    again = "Run the sweep again to go on" + (", with a new executor" if broken else "")
    return f"{what}. {done} of {trials} trials are done and kept {where}. {again}."


def _plural(name: str) -> str:
    return "policies" if name == "policy" else f"{name}s"
