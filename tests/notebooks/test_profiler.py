"""What notebook 10 promises its reader: a profiler that works, that harms, and that is cured; and what is to blame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from numakit.trace import replay as replay_function
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    prose,
    run,
)

PROFILER = ROOT / "notebooks" / "10-a-profiler-in-user-space.ipynb"

replaying, move_pages = (import_module(f"numakit.{name}") for name in ("trace.replay", "syscalls.move_pages"))


@pytest.fixture(autouse=True)
def pictures_without_a_window() -> Iterator[None]:
    """The cells draw; here nobody looks."""
    pytest.importorskip("matplotlib").use("Agg")
    yield
    pytest.importorskip("matplotlib.pyplot").close("all")


def test_prose_has_the_numbers_of_the_runs() -> None:
    """What the text says about ping-pong, noise and the price of hesitation is what the cells print."""
    names, failed = run(cells_of(PROFILER))
    assert failed == set()
    call_ms = names["profiled"].policy_ns / names["profiled"].calls / 1e6
    assert round(call_ms, 1) == 4.3
    assert "a call for 400 pages costs 4.3 ms" in prose(cells_of(PROFILER))
    assert 2.5 < names["busy"].policy_ns / names["busy"].access_ns < 2.7
    waiting = [epoch.number for epoch in names["runs"]["ten epochs a phase", "careful"].epochs if not epoch.local]
    assert waiting == [10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33]


def moves_nothing(real: Callable[..., Any]) -> Callable[..., Any]:
    """An epoch whose moves are not made."""

    def move(self: Any, pages: Any, nodes: Any, flags: int = 0) -> int:
        return 0

    return move


def moves_for_nothing(real: Callable[..., Any]) -> Callable[..., Any]:
    """An epoch whose calls have no price."""

    def call(self: Any, *arguments: Any) -> Any:
        answers, self.ns = real(self, *arguments), 0.0
        return answers

    return call


@pytest.mark.parametrize(
    ("owner", "name", "bug", "cells"),
    [
        (replaying.Epoch, "move", moves_nothing, {"first-run", "break-even", "ping-pong-run", "shared-table"}),
        (replaying.Epoch, "_move_pages", moves_for_nothing, {"ping-pong-run", "break-even"}),
    ],
    ids=["moves nothing", "moves for nothing"],
)
def test_a_wrong_model_is_noticed_by_the_cells_that_argue_with_it(
    monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, bug: Callable[..., Any], cells: set[str]
) -> None:
    """The assertions of the notebook fail where the model is made wrong."""
    monkeypatch.setattr(owner, name, bug(getattr(owner, name)))
    _, failed = run(cells_of(PROFILER))
    assert cells <= failed


def test_the_notebook_uses_the_public_replay() -> None:
    """What readers import is what is tested."""
    names, _ = run(cells_of(PROFILER)[:2])
    assert names["replay"] is replay_function
