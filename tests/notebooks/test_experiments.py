"""What notebook 13 promises its reader: break-even is measured, ping-pong is seen, and code for clusters works."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from numakit import Topology
from tests.clone import ROOT
from tests.notebooks.reading import cells_of, prose, run
from tests.notebooks.test_profiler import moves_for_nothing, moves_nothing

EXPERIMENTS = ROOT / "notebooks" / "13-experiments.ipynb"

replaying = import_module("numakit.trace.replay")


@pytest.fixture(autouse=True)
def pictures_without_a_window() -> Iterator[None]:
    """The cells draw; here nobody looks."""
    pytest.importorskip("matplotlib").use("Agg")
    yield
    pytest.importorskip("matplotlib.pyplot").close("all")


def test_prose_has_the_numbers_of_the_runs() -> None:
    """Captions and conclusions are what the frames say."""
    names, failed = run(cells_of(EXPERIMENTS))
    assert failed == set()
    said = prose(cells_of(EXPERIMENTS))
    times = [round(float(names["beside"].loc[policy, 1]), 1) for policy in names["POLICIES"]]
    assert dict(zip(names["POLICIES"], times, strict=True)) == {
        "stay": 1.0,
        "profiler": 3.7,
        "hysteresis": 2.0,
        "next-touch": 2.7,
        "rent-or-buy": 1.0,
    }
    assert (
        "profiler takes 3.7 times as long, next-touch 2.7 times, hysteresis twice, rent-or-buy exactly as long" in said
    )
    assert round(100 * float(names["against"].loc["profiler", "stencil"]) - 100) == 12
    assert "the profiler a little (+12 %)" in said
    next_touch = names["beside"].loc["next-touch"]
    assert [round(float(next_touch[length]), 1) for length in (10, 20)] == [1.1, 1.1]
    shared = names["against"].loc[["profiler", "next-touch"], ["pointer-chase", "zipf"]]
    assert shared.min(axis=None) > 2
    assert shared.max(axis=None) < 4
    assert round(100 * float(names["two"].loc["next-touch", "locality"])) == 84
    assert names["verdict"].loc["profiler", "worst"] == pytest.approx(3.7, abs=0.05)


def test_distances_that_the_prose_names_are_those_of_the_machines() -> None:
    """21 between sockets, 18 on average on the ring, 32 between packages."""
    ring = Topology.preset("ring4")
    assert Topology.preset("two-sockets").distance(0, 1) == 21
    assert sum(ring.distance(0, node) for node in (1, 2, 3)) / 3 == 18
    multi_die = Topology.preset("multi-die")
    assert {multi_die.distance(0, node) for node in multi_die.nodes} == {10, 12, 32}


def test_code_for_clusters_makes_the_executors_that_are_tested() -> None:
    """It cannot run in a notebook without a cluster; tests/experiments runs the same calls on two workers."""
    blocks = re.findall(r"```python\n(.*?)```", prose(cells_of(EXPERIMENTS)), re.DOTALL)
    tested = (ROOT / "tests" / "experiments" / "test_executors.py").read_text(encoding="utf-8")
    calls = {ast.unparse(node) for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)}
    for call in ("client.get_executor()", "client.executor()"):
        assert call in calls
        assert call in tested


@pytest.mark.parametrize(
    ("name", "bug", "cells"),
    [
        ("move", moves_nothing, {"pays-check", "moves", "gauge", "programs-check", "machines-check"}),
        ("_move_pages", moves_for_nothing, {"pays-check", "gauge", "programs-check", "worst", "machines-check"}),
    ],
    ids=["moves nothing", "calls for nothing"],
)
def test_a_wrong_model_is_noticed_by_the_cells_that_argue_with_it(
    monkeypatch: pytest.MonkeyPatch, name: str, bug: Callable[..., Any], cells: set[str]
) -> None:
    """The assertions of the notebook fail where the model is made wrong. (Threads play: other processes would start
    with the right one, where they are not forked.)
    """
    from concurrent.futures import ThreadPoolExecutor

    monkeypatch.setattr("concurrent.futures.ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(replaying.Calls, name, bug(getattr(replaying.Calls, name)))
    _, failed = run(cells_of(EXPERIMENTS))
    assert cells <= failed
