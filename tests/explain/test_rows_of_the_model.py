"""The model and the table of causes speak of the same rows, with the same numbers."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import numakit.abi
import numakit.explain
from numakit.explain.causes import CAUSES, COUNT, KERNEL_NAMES, NODE, Number
from numakit.kernels import KERNELS

PACKAGE = Path(numakit.abi.__file__).parent
#: The functions that note a verdict: where in their arguments the value and the row stand.
NOTING = {"because": (1, 2), "decide_entry": (2, 3), "decide_page": (2, 3), "Verdict": (0, 1)}

NO_NUMBER_OF_A_CALL = {
    **dict.fromkeys(
        ("left-shared", "left-busy", "left-gone", "left-locked", "left-untried"),
        "migrate_pages(2) and mbind() do not tell what became of a page",
    ),
    "bug": "a call that hits a BUG never returns",
    "all-moved": "the in-kernel migrate_pages() alone says so, to whom no process listens",
    "locked": "a page that is locked is waited for in the last pass, so this is never the last word",
}
NOT_NOTED = {
    "failed-batch": "what was decided for an entry is noted, also where its status stays unwritten",
    "same-folio": "the model has no large folios",
    "hugetlb-tail": "the model has no huge pages",
    "hugetlb": "the model has no huge pages",
    "maybe-shared": "the model has no large folios",
    "device": "the model has no memory of devices",
    "failed-call": "an entry that the call did not come to has no verdict",
    "not-built": "every machine of the model has the calls",
    "filtered": "the model has no filters of system calls",
    "lsm": "the model has no security modules",
    "special": "the model has no memory of devices",
    "reserved": "the model has no pages of the kernel's own in processes",
    "refuses": "the model has no mappings that always refuse",
}


class Noted(NamedTuple):
    """A verdict that some line of the model can note; ``value`` is None where the line computes it."""

    file: str
    function: str
    value: int | None
    row: str


def noted() -> Iterator[Noted]:
    """Every verdict of the model, as its source has them."""
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
        for function in functions.values():
            for node in ast.walk(function):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NOTING:
                    value, row = (node.args[place] for place in NOTING[node.func.id] if place < len(node.args))
                    for word in words(row, function, functions):
                        yield Noted(path.name, node.func.id, constant(value), word)


def constant(value: ast.expr) -> int | None:
    """``0`` or ``-EBUSY`` as a number."""
    if isinstance(value, ast.Constant) and isinstance(value.value, int):
        return value.value
    if isinstance(value, ast.UnaryOp) and isinstance(value.operand, ast.Name):
        number: int = -getattr(numakit.abi, value.operand.id)
        return number
    return None


def words(row: ast.expr, function: ast.FunctionDef, functions: dict[str, ast.FunctionDef]) -> set[str]:
    """The rows that an argument can be: written there, assigned before, or returned by a function of the module."""
    if isinstance(row, ast.Constant) and isinstance(row.value, str):
        return {row.value}
    if isinstance(row, ast.IfExp):
        return words(row.body, function, functions) | words(row.orelse, function, functions)
    if isinstance(row, ast.Call) and isinstance(row.func, ast.Name) and row.func.id in functions:
        called = functions[row.func.id]
        returned = [node.value for node in ast.walk(called) if isinstance(node, ast.Return) and node.value]
        return {word for value in returned for word in words(value, called, functions)}
    if isinstance(row, ast.Name):
        assigned = [
            node.value
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and row.id in {ast.unparse(target) for target in node.targets}
        ]
        return {word for value in assigned for word in words(value, function, functions)}
    return set()


def numbers(verdict: Noted) -> set[Number]:
    """What a caller sees of a verdict on the kernels of the model: nodes are no constants, and a page that was
    busy has the number that its kernel gives to that.
    """
    if verdict.function == "decide_page" and verdict.value == -numakit.abi.EAGAIN:
        return {kernel.busy_status for kernel in KERNELS.values()}
    if verdict.row == "own-node":
        return {0}  # the one 0 that is no node
    if verdict.value == 0 and verdict.function != "because":
        return {NODE}
    return set() if verdict.value is None else {verdict.value}


def test_the_source_is_read_as_it_is_written() -> None:
    """A scan that finds nothing would agree with anything."""
    found = {(verdict.row, verdict.value) for verdict in noted()}
    assert {("shared", -13), ("bad-flags", -22), ("pinned", -11), ("duplicate", -16), ("there", None)} <= found


@pytest.mark.parametrize("verdict", sorted(set(noted()), key=str), ids=lambda verdict: f"{verdict.file}:{verdict.row}")
def test_a_verdict_of_the_model_is_a_row_of_the_table(verdict: Noted) -> None:
    """With the number that it has on one of the kernels which the model has."""
    if verdict.row in NO_NUMBER_OF_A_CALL:
        return
    of_row = [cause for cause in CAUSES if cause.row == verdict.row and any(map(cause.on, KERNELS))]
    assert of_row, f"{verdict.row} ({verdict.file}) is in no row of numakit/explain/causes"
    for number in numbers(verdict):
        assert number in {cause.number for cause in of_row}


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_row_of_the_table_can_be_noted_by_the_model(kernel: str) -> None:
    """For move_pages() on each kernel that the model has; what it cannot have is listed with its reason."""
    assert kernel in KERNEL_NAMES
    verdicts = list(noted())
    for cause in CAUSES:
        if "move_pages" not in cause.calls or not cause.on(kernel):
            continue
        of_row = [verdict for verdict in verdicts if verdict.row == cause.row]
        if cause.row in NOT_NOTED:
            assert not of_row, f"{cause.row} is noted: take it off the list"
        else:
            said = {number for verdict in of_row for number in numbers(verdict)}
            computed = any(verdict.value is None for verdict in of_row)
            assert cause.number in said or computed or (cause.number == COUNT and of_row), f"{cause.row} on {kernel}"


def test_every_row_that_has_sentences_is_in_the_table() -> None:
    """Whatever module of explain has them: a dict of a row's sentences is all it takes."""
    tables = {}
    for found in pkgutil.iter_modules(numakit.explain.__path__):
        module = importlib.import_module(f"numakit.explain.{found.name}")
        for name, value in vars(module).items():
            if name.isupper() and isinstance(value, dict) and value and all(map(callable, value.values())):
                tables[name] = value
    assert {"ENTRIES", "RETURNS"} <= set(tables)
    known = {cause.row for cause in CAUSES} | set(NO_NUMBER_OF_A_CALL)
    assert {name: set(table) - known for name, table in tables.items()} == {name: set() for name in tables}
