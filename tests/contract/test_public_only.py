"""The contract is tested through the public calls alone: nothing here reaches behind them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from numakit.machine.state import FRAME_FIELDS

HERE = Path(__file__).parent
FILES = sorted(path for path in HERE.glob("*.py") if path != Path(__file__))
THE_DOOR = {"set", "put", "table", "arrays", "new_array", "drop_array", "next"}
ARRAYS = {*FRAME_FIELDS, "free_top", "never_used", "pagevec", "clock"}
BACK_DOORS = {"getattr", "setattr", "vars", "eval", "exec", "__import__"}


def behind_the_public_calls(source: str) -> list[str]:
    """What in a source reaches behind the public calls, a sentence each."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [f"imports {n.name}" for n in names if n.name.startswith("numakit.")]
            case ast.ImportFrom(module=str(module)) if module.startswith("numakit."):
                found.append(f"imports from {module}")
            case ast.ImportFrom(level=level) if level:
                found.append("imports from beside it")
            case ast.ImportFrom(names=names):
                found += [f"imports {n.name}" for n in names if n.name.startswith("_")]
            case ast.Attribute(attr=name) if (name.startswith("_") and name != "__name__") or name in THE_DOOR:
                found.append(f"uses .{name}")
            case ast.Subscript(value=ast.Attribute(attr=name)) if name in ARRAYS:
                found.append(f"reads the array {name}")
            case ast.Call(func=ast.Name(id=name)) if name in BACK_DOORS:
                found.append(f"calls {name}()")
    return [line for line in found if line != "imports annotations"]


def test_there_is_something_to_check() -> None:
    """The files of the contract lie here."""
    assert {"test_status_rows.py", "test_return_rows.py", "test_combinations.py"} <= {path.name for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_contract_uses_public_calls_only(path: Path) -> None:
    """No import from inside, no private name, no array."""
    assert behind_the_public_calls(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import numakit.machine",
        "from numakit.machine.frames import get_page",
        "from .conftest import machine",
        "from numakit import _secret",
        "machine._log",
        "machine.count[3]",
        "machine.set(memory, 0, 1)",
        "machine.table",
        "machine.arrays[1]",
        "getattr(machine, name)",
    ],
)
def test_what_reaches_behind_is_found(source: str) -> None:
    """Each way behind the public calls is seen."""
    assert behind_the_public_calls(source)
