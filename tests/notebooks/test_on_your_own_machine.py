"""What notebook 12 promises its reader: the same sentences on every machine, and no agreement that was not seen."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Callable
from errno import ENOSYS, EPERM
from types import TracebackType
from typing import Any

import pytest

import numakit.live
import numakit.live.world
from numakit import Machine, Topology, TopologyError
from numakit.live import CannotTry, World
from numakit.live.refusal import System
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    run,
)

OWN = ROOT / "notebooks" / "12-on-your-own-machine.ipynb"


def other_sentences() -> list[str]:
    """The cells that fail here, or print something else than is stored; what is not compared may."""
    names: dict[str, Any] = {}
    different = []
    for cell in cells_of(OWN)[:-1]:
        if cell.cell_type == "code":
            printed = io.StringIO()
            try:
                with contextlib.redirect_stdout(printed):
                    exec(cell.source, names)
            except Exception as error:
                different.append(f"{cell.id}: {error!r}")
                continue
            stored = "".join(output.get("text", "") for output in cell.outputs)
            if printed.getvalue() != stored and "nbval-ignore-output" not in cell.metadata.get("tags", []):
                different.append(f"{cell.id}: {printed.getvalue()}")
    return different


@pytest.mark.parametrize(("call", "error"), [("move_pages", EPERM), ("get_mempolicy", ENOSYS)])
def test_sentences_are_true_in_a_sandbox(call: str, error: int) -> None:
    """A filter refuses a call, for a process of its own, since nobody gets rid of it again."""
    if sys.platform != "linux":
        pytest.skip("filters of system calls are Linux' own")
    program = (
        "from tests.live.filters import refuse\n"
        "from tests.notebooks.test_on_your_own_machine import other_sentences\n"
        f"refuse({call!r}, {error})\n"
        "print(other_sentences())\n"
    )
    sandbox = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False, capture_output=True, text=True)
    assert (sandbox.stdout, sandbox.stderr) == ("[]\n", "")


def test_sentences_are_true_where_there_is_no_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a kernel to ask nor nodes to see."""

    def no_host() -> Topology:
        raise TopologyError("this is no Linux")

    monkeypatch.setattr(numakit.live.world, "this_system", lambda: System("darwin", "arm64", 64))
    monkeypatch.setattr(Topology, "host", no_host)
    with pytest.raises(CannotTry):
        World()
    assert other_sentences() == []


class FourNodes(Machine):
    """A machine with more nodes than most, in the place of the running kernel."""

    def __init__(self, kernel: str = "6.12") -> None:
        super().__init__(Topology.preset("ring4"), kernel)

    def __enter__(self) -> FourNodes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass


def test_sentences_are_true_on_four_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pages really move: a model answers for the kernel that this machine has not."""
    monkeypatch.setattr(numakit.live, "World", FourNodes)
    assert other_sentences() == []


def test_a_kernel_that_answers_otherwise_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that goes by the text of 2006 returns what no kernel of today returns."""
    monkeypatch.setattr(numakit.live, "World", lambda: FourNodes("seed"))
    assert run(cells_of(OWN))[1] == {"to-itself", "pinned"}


@pytest.mark.parametrize(
    ("name", "wrong", "cells"),
    [
        ("look_up", lambda m, mm, entry: 1, {"where"}),
        ("check_call_now", lambda m, caller, pid, flags: 0, {"refusals"}),
    ],
    ids=["every-address-has-a-page", "nothing-is-checked"],
)
def test_a_wrong_model_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any], cells: set[str]
) -> None:
    """One function of the model is exchanged for a wrong one, where no kernel can be asked."""
    monkeypatch.setattr(f"numakit.syscalls.kernel_move_pages.{name}", wrong)
    monkeypatch.setattr(numakit.live.world, "this_system", lambda: System("darwin", "arm64", 64))
    assert cells <= run(cells_of(OWN))[1]
