"""A sweep is trials in a fixed order; its frame depends on nothing else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from numakit import Machine, Topology
from numakit.experiments import FromFile, Generated, Sweep
from numakit.trace import Prices, Profiler, moving_phases, replay
from tests.clone import ROOT
from tests.experiments.sweeps import small_sweep


def test_grid_has_every_combination_once_the_last_axis_changing_first() -> None:
    sweep = small_sweep(kernels=["seed", "6.12"])
    keys = [trial.key for trial in sweep]
    assert keys[:4] == [
        ("ring", 1, "stay", "seed", 0),
        ("ring", 1, "stay", "seed", 1),
        ("ring", 1, "stay", "seed", 2),
        ("ring", 1, "stay", "6.12", 0),
    ]
    assert len(set(keys)) == len(sweep) == 2 * 2 * 2 * 3
    assert repr(sweep) == "<Sweep: 24 trials: 2 workloads, 2 policies, 2 kernels, 3 random_seeds>"


def test_a_row_is_the_replay_that_one_makes_by_hand() -> None:
    """Machine, kernel, workload with its random_seed, policy, epoch and prices all arrive."""
    prices = Prices(page=7.0)
    sweep = small_sweep(prices=prices, kernels=["6.12"])
    row = sweep.run(progress=False).loc[11]
    trace = moving_phases(pages=8, accesses=400, cpus=(0, 4, 8, 12), phases=4, random_seed=2)
    machine = Machine(Topology.preset("ring4"), kernel="6.12")
    by_hand = replay(machine, trace, Profiler(), epoch=100, prices=prices)
    assert (row["workload"], row["policy"], row["kernel"], row["random_seed"]) == (4, "profiler", "6.12", 2)
    assert by_hand.moved > 0
    assert {name: row[name] for name in by_hand.row() if name != "policy"} == {
        name: value for name, value in by_hand.row().items() if name != "policy"
    }
    assert row["accesses"] == 400


def test_each_kernel_is_played() -> None:
    """The scan of 2006 is quadratic, and cured in 2.6.29: the same calls cost less."""
    sweep = small_sweep(
        workloads={"p": Generated("moving-phases", pages=64, accesses=8000)}, kernels=["seed", "6.12"], epoch=500
    )
    frame = sweep.run(progress=False)
    costs = frame[frame["policy"] == "profiler"].groupby("kernel")["policy_ns"].sum()
    assert costs["6.12"] < costs["seed"]


def test_a_random_sweep_is_part_of_the_grid_in_its_order_and_the_same_for_the_same_random_seed() -> None:
    grid = small_sweep()
    chosen, again, other = (grid.sample(5, random_seed=number) for number in (1, 1, 2))
    keys, all_keys = [trial.key for trial in chosen], [trial.key for trial in grid]
    assert keys == sorted(keys, key=all_keys.index)
    assert len(set(keys)) == 5
    assert keys == [trial.key for trial in again] != [trial.key for trial in other]


def test_names_that_are_numbers_stay_numbers_and_types_are_those_of_the_columns() -> None:
    frame = small_sweep().run(progress=False)
    assert {name: str(kind) for name, kind in frame.dtypes.items() if name not in ("machine", "policy", "kernel")} == {
        "workload": "int64",
        "random_seed": "int64",
        "accesses": "int64",
        "locality": "float64",
        "access_ns": "float64",
        "policy_ns": "float64",
        "total_ns": "float64",
        "faults": "int64",
        "calls": "int64",
        "moved": "int64",
        "stayed": "int64",
    }
    assert frame.index.tolist() == list(range(12))


@pytest.mark.parametrize(
    ("axis", "wrong", "told"),
    [
        ("machines", {"ring": "ring4"}, "machines: 'ring' is 'ring4'; a Topology is wanted"),
        ("workloads", {"zipf": "zipf"}, "workloads: 'zipf' is 'zipf'; a Workload is wanted"),
        ("policies", {"profiler": "profiler"}, "policies: 'profiler' is 'profiler'; a Policy is wanted"),
        ("policies", {"profiler": Profiler}, "policies: 'profiler' is <class .*; a Policy is wanted"),
        ("workloads", {}, "workloads={}: a mapping with one or more names is wanted"),
        ("policies", {True: Profiler()}, "policies: True is no name"),
        ("kernels", ["2.4"], r"kernels=\['2.4'\]: one or more of seed"),
        ("random_seeds", [-1], r"random_seeds=\[-1\]"),
        ("epoch", 0, "epoch=0: so many accesses, at least 1"),
    ],
)
def test_a_wrong_axis_is_refused_by_name(axis: str, wrong: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        small_sweep(**{axis: wrong})


def test_two_trials_of_one_name_are_refused() -> None:
    sweep = small_sweep()
    with pytest.raises(ValueError, match=r"trials: two are called \(machine='ring', workload=1, policy='stay'"):
        Sweep([*sweep, small_sweep().trials[0]])
    with pytest.raises(ValueError, match="n=13: 1 to 12 trials are allowed"):
        sweep.sample(13, random_seed=0)


def test_generated_workload_has_a_thread_on_each_node_with_cpus_and_names_unknown_ones() -> None:
    topology = Topology.preset("cxl")
    trace = Generated("streaming", pages=10, accesses=20)(topology, 0)
    assert trace.cpus == tuple(topology.cpus(node)[0] for node in topology.nodes if topology.cpus(node))
    with pytest.raises(ValueError, match="name='stream': workloads are streaming, stencil"):
        Generated("stream")


def test_traces_from_files_are_read_by_the_format_that_their_name_tells(tmp_path: Path) -> None:
    """CSV by its name; all else is what perf script printed."""
    (tmp_path / "log.csv").write_text("pid,cpu,address,write\n1,4,0x5000,1\n")
    (tmp_path / "log.txt").write_text("app 7/7 [004] 12.5: cpu/mem-stores/: 5000\n")
    for name, pid in (("log.csv", 1), ("log.txt", 7)):
        trace = FromFile(tmp_path / name)(Topology.preset("ring4"), 0)
        assert (trace.pids, trace.cpus, trace.address.tolist(), trace.write.tolist()) == (
            (pid,),
            (4,),
            [0x5000],
            [True],
        )


@pytest.mark.slow
def test_progress_bar_is_a_widget_in_a_notebook() -> None:
    """As JupyterLab would show it, from a kernel of its own."""
    source = "from tests.experiments.sweeps import small_sweep\nlen(small_sweep().run())"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    client = NotebookClient(notebook, timeout=60, kernel_name="python3")
    client.execute(env={**os.environ, "PYTHONPATH": str(ROOT)})
    bar, number = [output["data"] for output in notebook.cells[0].outputs if "data" in output]
    assert "application/vnd.jupyter.widget-view+json" in bar
    assert number["text/plain"] == "12"
    progress = [w for w in client.widget_state.values() if w["_model_name"] == "FloatProgressModel"]
    assert [(widget["value"], widget["max"]) for widget in progress] == [(12, 12)]


def test_progress_bar_counts_the_trials_in_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    small_sweep().run()
    assert "12/12" in capsys.readouterr().err
    small_sweep().run(progress=False)
    assert capsys.readouterr().err == ""
