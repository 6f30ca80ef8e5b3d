"""What goes wrong in a sweep is told in one message that names the trial, and nothing that was done is lost."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from pandas.testing import assert_frame_equal

from numakit import PAGE_SIZE, Topology
from numakit.experiments import FromFile, Generated, Sweep, SweepFailed, Trial
from numakit.experiments.results import ResultsFile
from numakit.trace import Stay
from tests.experiments.sweeps import Acts, LastFirst, small_sweep


def raises() -> None:
    """Make a mistake."""
    raise KeyError("page 7")


def dies() -> None:
    """End the process without a word."""
    os._exit(3)


def nothing() -> None:
    """Do as told."""


def failure_of(sweep: Sweep, *arguments: Any) -> SweepFailed:
    """What the run raised."""
    with pytest.raises(SweepFailed) as failed:
        sweep.run(*arguments, progress=False)
    return failed.value


EXECUTORS: dict[str, Callable[[], Executor | None]] = {
    "this process": lambda: None,
    "threads": lambda: ThreadPoolExecutor(2),
    "processes": lambda: ProcessPoolExecutor(2),
}


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_a_policy_that_raises_is_named_with_its_line_and_the_others_are_played(
    executor: Callable[[], Executor | None], tmp_path: Path
) -> None:
    """The same words from every executor; when it is mended, only its trials are played."""
    path = tmp_path / "results.jsonl"
    sweep = small_sweep(policies={"stay": Stay(), "bad": Acts(raises)}, random_seeds=[0])
    failed = failure_of(sweep, path, executor())
    assert str(failed) == (
        "trial 1 (machine='ring', workload=1, policy='bad', kernel='seed', random_seed=0): KeyError: 'page 7' "
        f"(test_failures.py, line {raises.__code__.co_firstlineno + 2}) (1 more failed: see failures). "
        f"2 of 4 trials are done and kept in {path}. Run the sweep again to go on."
    )
    assert [failure.number for failure in failed.failures] == [1, 3]
    assert [failure.number for failure in failure_of(sweep, None, LastFirst(4)).failures] == [1, 3]
    assert 'raise KeyError("page 7")' in failed.failures[0].traceback
    assert failed.frame["policy"].tolist() == ["stay", "stay"]
    mended = small_sweep(policies={"stay": Stay(), "bad": Acts(nothing)}, random_seeds=[0])
    assert_frame_equal(mended.run(path, progress=False).drop(index=[1, 3]), failed.frame, check_exact=True)


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_a_policy_that_exits_ends_its_trial_only(executor: Callable[[], Executor | None]) -> None:
    """sys.exit() in a policy would end the notebook otherwise."""
    failed = failure_of(small_sweep(policies={"exits": Acts(sys.exit), "stay": Stay()}), None, executor())
    assert {failure.error.split(":")[0] for failure in failed.failures} == {"SystemExit"}
    assert failed.frame["policy"].tolist() == ["stay"] * 6


class ForgetsOne(ThreadPoolExecutor):
    """As a cluster that gives up a task whose workers died one after the other."""

    submitted = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Every fifth future fails by itself."""
        self.submitted += 1
        if self.submitted % 5:
            return super().submit(fn, *args, **kwargs)
        future: Future[Any] = Future()
        future.set_exception(RuntimeError("tried on 4 workers"))
        return future


def test_what_a_cluster_says_of_a_lost_worker_is_told_with_the_trial(tmp_path: Path) -> None:
    """Others are played; the next run plays what is missing."""
    sweep = small_sweep()
    with ForgetsOne(2) as executor:
        failed = failure_of(sweep, tmp_path / "results.jsonl", executor)
    assert [failure.number for failure in failed.failures] == [4, 9]
    told = "random_seed=1): its worker was lost: RuntimeError: tried on 4 workers (1 more failed"
    assert told in str(failed)
    assert len(sweep.run(tmp_path / "results.jsonl", progress=False)) == 12


def test_a_trace_with_a_broken_line_is_named_with_file_and_line(tmp_path: Path) -> None:
    """Without a file of results what was done is in the exception."""
    trace = tmp_path / "trace.csv"
    trace.write_text("pid,cpu,address,write\n1,0,0x5000,1\n1,0,nowhere,1\n")
    sweep = small_sweep(workloads={"good": small_sweep().trials[0].trace_for, "file": FromFile(trace)})
    failed = failure_of(sweep)
    assert str(failed).startswith(
        "trial 6 (machine='ring', workload='file', policy='stay', kernel='seed', random_seed=0): TraceError: "
        f"{trace}, line 3: four whole numbers are wanted: '1,0,nowhere,1' (5 more failed: see failures). "
        "6 of 12 trials are done and kept in the frame of this exception."
    )
    assert failed.frame.index.tolist() == [0, 1, 2, 3, 4, 5]
    trace.write_text("pid,cpu,address,write\n1,0,0x5000,1\n1,4,0x5000,0\n")
    assert sweep.run(progress=False)["accesses"].tolist() == [400] * 6 + [2] * 6


def test_a_machine_that_is_too_small_is_a_failure_of_its_trials_only() -> None:
    """The 2,000 pages do not fit into 100 and as many of swap: OutOfMemory has words of its own."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_node(0, memory=100 * PAGE_SIZE, cpus=(0,))
    machines = {"small": Topology.from_networkx(graph), "ring": Topology.preset("ring4")}
    workload = Generated("streaming", pages=2000, accesses=8000, writes=1, cpus=[0])
    failed = failure_of(small_sweep(machines=machines, workloads={"big": workload}, random_seeds=[0]))
    assert [failure.trial.machine for failure in failed.failures] == ["small", "small"]
    assert "OutOfMemory: trace: a page of pid 1 on CPUs of node 0 cannot be touched" in str(failed)
    assert failed.frame["machine"].tolist() == ["ring", "ring"]


@pytest.mark.parametrize("keep", [False, True])
def test_a_trial_that_kills_its_worker_is_found_and_the_rest_is_kept(keep: bool, tmp_path: Path) -> None:
    """A pool that breaks does not say by whose fault: those that were lost are tried alone. Then the sweep goes on."""
    path = tmp_path / "results.jsonl" if keep else None
    sweep = small_sweep(policies={"stay": Stay(), "deadly": Acts(dies)}, random_seeds=[0])
    with ProcessPoolExecutor(2) as executor:
        failed = failure_of(sweep, path, executor)
    assert [failure.number for failure in failed.failures] == [1]
    told = "trial 1 (machine='ring', workload=1, policy='deadly', kernel='seed', random_seed=0): "
    assert str(failed).startswith(f"{told}the process that played it died. ")
    assert str(failed).endswith("Run the sweep again to go on, with a new executor.")
    assert 0 in failed.frame.index
    if path:
        assert_frame_equal(sweep.frame(path), failed.frame, check_exact=True)
        others = Sweep(trial for trial in sweep if trial.policy != "deadly")
        with ProcessPoolExecutor(2) as executor:
            frame = others.run(path, executor, progress=False)
        assert_frame_equal(frame, small_sweep(policies={"stay": Stay()}, random_seeds=[0]).run(progress=False))


def test_a_pool_that_breaks_by_itself_blames_no_trial(tmp_path: Path) -> None:
    """Its workers die before they begin; what is played alone comes through and counts."""
    sweep = small_sweep()
    with ProcessPoolExecutor(1, initializer=dies) as executor:
        failed = failure_of(sweep, tmp_path / "results.jsonl", executor)
    assert failed.failures == []
    assert str(failed).startswith("the executor broke, and no trial does that when it is played alone: ")
    assert len(failed.frame) > 0
    assert len(sweep.run(tmp_path / "results.jsonl", progress=False)) == 12


def test_a_trial_that_cannot_be_sent_is_refused_by_name(tmp_path: Path) -> None:
    """An open file does not go to another computer."""
    with (tmp_path / "log").open("w") as log:
        sweep = small_sweep(policies={"logs": Acts(lambda: print(file=log))})
        with pytest.raises(ValueError, match=r"trial \(machine='ring', workload=1, policy='logs'.*cannot be sent"):
            sweep.run(progress=False)


def test_whoever_interrupts_a_sweep_finds_what_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C goes through, and trials that wait are not begun."""
    play, played = Trial.play, []

    def interrupted(trial: Trial) -> dict[str, float]:
        played.append(trial)
        if len(played) == 4:
            raise KeyboardInterrupt
        return play(trial)

    monkeypatch.setattr(Trial, "play", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_sweep().run(tmp_path / "results.jsonl", progress=False)
    assert len(small_sweep().frame(tmp_path / "results.jsonl")) == 3


class LastOnly(Executor):
    """Never gets to its tasks, but for the last."""

    def __init__(self, tasks: int) -> None:
        self.tasks = tasks
        self.futures: list[Future[Any]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Keep it waiting."""
        self.futures.append(Future())
        if len(self.futures) == self.tasks:
            self.futures[-1].set_result(fn(*args, **kwargs))
        return self.futures[-1]


def test_trials_that_wait_are_cancelled_when_a_sweep_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster would go on for hours for nobody."""

    def interrupted(file: ResultsFile, trial: Trial, row: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ResultsFile, "append", interrupted)
    executor = LastOnly(12)
    with pytest.raises(KeyboardInterrupt):
        small_sweep().run(tmp_path / "results.jsonl", executor, progress=False)
    assert [future.cancelled() for future in executor.futures] == [True] * 11 + [False]
