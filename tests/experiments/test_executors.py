"""The same sweep gives the same frame on any executor."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from tests.experiments.sweeps import LastFirst, small_sweep


@contextmanager
def dask_workers(folder: Path) -> Iterator[Executor]:
    """Two processes of Dask on this computer."""
    from distributed import Client

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "local_directory": str(folder)}
    with Client(**options) as client:
        yield client.get_executor()


@contextmanager
def ipyparallel_engines(folder: Path) -> Iterator[Executor]:
    """Two engines of ipyparallel on this computer, which hand out tasks to whoever is free."""
    import ipyparallel

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(folder))
        with ipyparallel.Cluster(n=2) as client:
            yield client.executor()


IN_A_SECOND = ("threads", "processes")  #: the others start whole Pythons

EXECUTORS: dict[str, Callable[[Path], AbstractContextManager[Executor]]] = {
    "threads": lambda folder: ThreadPoolExecutor(2),
    "processes": lambda folder: ProcessPoolExecutor(2),
    "new-processes": lambda folder: ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")),
    "dask": dask_workers,
    "ipyparallel": ipyparallel_engines,
}


@pytest.mark.parametrize(
    "name", [name if name in IN_A_SECOND else pytest.param(name, marks=pytest.mark.slow) for name in EXECUTORS]
)
def test_frame_and_kept_lines_are_those_of_a_run_in_one_process(name: str, tmp_path: Path) -> None:
    """Values, order, index and types; the lines of the file may come in another order."""
    sweep = small_sweep()
    alone = sweep.run(tmp_path / "alone.jsonl", progress=False)
    with EXECUTORS[name](tmp_path) as executor:
        together = sweep.run(tmp_path / "together.jsonl", executor, progress=False)
        again = sweep.run(executor=executor, progress=False)
    assert_frame_equal(alone, together, check_exact=True)
    assert_frame_equal(alone, again, check_exact=True)
    lines = [sorted((tmp_path / file).read_text().splitlines()) for file in ("alone.jsonl", "together.jsonl")]
    assert lines[0] == lines[1]


def test_frame_has_the_order_of_the_sweep_whatever_is_done_first(tmp_path: Path) -> None:
    """The file has the order in which they were done."""
    sweep = small_sweep()
    turned = sweep.run(tmp_path / "turned.jsonl", LastFirst(len(sweep)), progress=False)
    assert_frame_equal(turned, sweep.run(tmp_path / "straight.jsonl", progress=False), check_exact=True)
    lines = [(tmp_path / name).read_text().splitlines() for name in ("turned.jsonl", "straight.jsonl")]
    assert lines[0] != lines[1]
    assert sorted(lines[0]) == sorted(lines[1])


@pytest.mark.slow
def test_a_class_of_the_notebook_goes_to_processes_that_never_saw_it() -> None:
    """It is sent by value, as it would be from a notebook, where it belongs to __main__."""
    names = {"__name__": "__main__"}
    exec("class Mine:\n    def begin(self, processes):\n        return lambda epoch: epoch.charge(5)", names)
    sweep = small_sweep(policies={"mine": names["Mine"]()}, random_seeds=[0])  # type: ignore[operator]
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor:
        assert sweep.run(executor=executor, progress=False)["policy_ns"].tolist() == [20.0, 20.0]
