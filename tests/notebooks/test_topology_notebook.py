"""What notebook 01 promises its reader: tables that are read right, and arguments that a wrong model would break."""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Callable, Iterable
from typing import Any

import nbformat
import pytest

import numakit.machine.state
from numakit import Topology
from numakit.topology import Description, TopologyError
from tests.clone import ROOT
from tests.notebooks.reading import (
    cells_of,
    run,
)
from tests.notebooks.test_stored_outputs import code_cells, compared_texts

TOPOLOGY = ROOT / "notebooks" / "01-topology.ipynb"
IGNORED = {"host": "host-check"}  #: cells whose output differs between machines, and the cell that asserts on it
HOSTS = [*Topology.presets(), *Topology.dumps(), "01-two-node-classic.txt", "09-single-node.txt"]


def cell(name: str) -> nbformat.NotebookNode:
    """The cell with that id."""
    return next(cell for cell in cells_of(TOPOLOGY) if cell.id == name)


def names_of(*names: str) -> dict[str, Any]:
    """What the cells of these ids define, after the imports."""
    return run([cell(name) for name in ("imports", *names)])[0]


def test_six_in_ten_cells_have_a_compared_text() -> None:
    """The others define what the next cell uses, or draw."""
    cells = code_cells(TOPOLOGY)
    assert sum(any(compared_texts(cell)) for cell in cells) >= 0.6 * len(cells)


def test_notebook_ends_with_summary_sources_and_version() -> None:
    """The specification of the table, the kernel's functions, the dumps' origin."""
    *_, last_words, last = cells_of(TOPOLOGY)
    for wanted in ("## Summary", "## Further reading", "5.2.17", "find_next_best_node()", "slit_valid()", "hwloc"):
        assert wanted in last_words.source
    assert last.source.endswith("numakit.__version__")


def test_each_dump_and_text_that_is_named_is_shipped_and_shown() -> None:
    """Nobody needs a file that does not come with numakit."""
    source = "\n".join(cell.source for cell in code_cells(TOPOLOGY))
    named = re.findall(r'Topology\.load\("([^"]+)"\)', source)
    assert len(named) == len(set(named)) >= 10
    for name in named:
        Topology.load(name)


def test_all_assertions_hold() -> None:
    """As stored, and when run here; each text is the one that is stored."""
    assert noticed() == set()


def test_output_is_ignored_only_where_another_cell_asserts_on_it() -> None:
    """No other tag hides anything."""
    tagged = {cell.id: cell.metadata.tags for cell in cells_of(TOPOLOGY) if cell.metadata.get("tags")}
    assert tagged == {ignored: ["nbval-ignore-output"] for ignored in IGNORED}
    for ignored, check in IGNORED.items():
        assert f"{ignored} = " in cell(ignored).source
        assert "assert" in cell(check).source


@pytest.mark.parametrize("machine", [*HOSTS, None])
def test_cell_about_the_running_machine_says_the_same_everywhere(
    machine: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its code prints what is stored, whichever machine runs it, and where there is no sysfs."""
    known = names_of("nearest")
    host = None if machine is None else Topology.preset(machine) if "." not in machine else Topology.load(machine)
    exec(cell("host-check").source, known | {"host": host, "Topology": Topology})
    (output,) = cell("host-check").outputs
    assert capsys.readouterr().out == output.text


def test_cell_about_the_running_machine_survives_a_system_without_sysfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not every reader has Linux."""

    def no_sysfs() -> Topology:
        raise TopologyError("no sysfs here")

    monkeypatch.setattr(Topology, "host", no_sysfs)
    names, failed = run([cell("imports"), cell("host")])
    assert not failed
    assert names["host"] is None


def far_first(topology: Topology, i: int) -> tuple[int, ...]:
    """A zonelist that is sorted the wrong way."""
    return tuple(sorted(topology.nodes, key=lambda j: -topology.distance(i, j)))


def with_or_without_memory(topology: Topology, i: int) -> tuple[int, ...]:
    """A zonelist with nodes from which nothing can be had."""
    return tuple(sorted(topology.nodes, key=lambda j: (j != i, topology.distance(i, j), j)))


def local_only(topology: Topology, i: int, j: int) -> int:
    """A model that knows "here" and "elsewhere" only."""
    return 10 if i == j else 20


@pytest.mark.parametrize(
    ("name", "wrong", "cells"),
    [
        ("nearest", far_first, {"nearest", "buggy-nearest"}),
        ("nearest", with_or_without_memory, {"nearest"}),
        ("distance", local_only, {"ratio", "interleaved", "hops-code", "altix-ring", "cut-out-code", "slit-valid"}),
        ("distance", lambda topology, i, j: 10, {"wires", "twenty", "no-table"}),
        ("cpus", lambda topology, i: tuple(range(8)), {"two-sockets", "odd-even", "cpu-less", "cgroup"}),
        ("memory", lambda topology, i: 1 << 33, {"relabelled", "memory-less", "range"}),
        ("nodes", property(lambda topology: topology.possible), {"possible-code"}),
        ("__eq__", lambda self, other: True, {"equal"}),
    ],
    ids=["far-first", "memory-less", "10-and-20", "all-10", "same-cpus", "same-memory", "all-online", "all-equal"],
)
def test_a_wrong_topology_is_noticed(
    monkeypatch: pytest.MonkeyPatch, name: str, wrong: Callable[..., Any], cells: set[str]
) -> None:
    """One method is exchanged for a wrong one: the assertion or the stored output whose argument rests on it fails."""
    monkeypatch.setattr(Topology, name, wrong)
    assert cells <= noticed(cells)


def test_a_warning_that_is_not_given_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reader sees what numakit found odd."""

    def silent(description: Description) -> tuple[str, ...]:
        return ()

    monkeypatch.setattr("numakit.topology.topology.warnings_of", silent)
    wanted = {"no-table", "one-way", "buggy"}
    assert wanted <= noticed(wanted)


def test_memory_from_the_wrong_node_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that takes memory where most is free, not where it is near."""
    real = numakit.machine.state.MachineState.__init__

    def farthest(m: Any, *arguments: Any, **keywords: Any) -> None:
        real(m, *arguments, **keywords)
        m.zonelists = {node: tuple(reversed(order)) for node, order in m.zonelists.items()}

    monkeypatch.setattr(numakit.machine.state.MachineState, "__init__", farthest)
    assert "memory-less" in noticed({"memory-less"})


def noticed(wanted: Iterable[str] = ()) -> set[str]:
    """The ids of the cells that fail, or tell another text than the one that is stored.

    The notebook is run up to the last cell of `wanted`, to its end if none is wanted.
    """
    names: dict[str, Any] = {}
    found = set()
    cells = code_cells(TOPOLOGY)
    ends = [number for number, cell in enumerate(cells, start=1) if cell.id in wanted]
    for cell in cells[: max(ends, default=len(cells))]:
        try:
            printed, value = told(cell.source, names)
        except Exception:
            found.add(cell.id)
            continue
        for output in cell.outputs:
            data = output.get("data", {})
            shown = value if {"text/html", "image/png"} & set(data) else data.get("text/plain", value)
            if (output.get("text", printed), shown) != (printed, value):
                found.add(cell.id)
    return found


def told(source: str, names: dict[str, Any]) -> tuple[str, str]:
    """Run the code of a cell: what it prints, and the repr of the value that it ends with, "" for none."""
    *body, last = ast.parse(source).body
    value: object = None
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(ast.Module([*body, *([] if isinstance(last, ast.Expr) else [last])], []), "cell", "exec"), names)
        if isinstance(last, ast.Expr):
            value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
    return printed.getvalue(), "" if value is None else repr(value)
