"""A submission as the judge gets it: which cells are the lecturer's, which are the student's.

The lecturer's come from the lecturer alone. Of a submitted notebook only the answers and the student's own cells are
taken, so that it makes no difference what became of the others.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal, NamedTuple, TypeAlias

from numakit.handout import BEGIN_HIDDEN, END_HIDDEN, without_regions

Kind: TypeAlias = Literal["given", "answer", "test"]


class Original(NamedTuple):
    """A cell of the lecturer's notebook with code that nbgrader knows by a name; `points` of a test."""

    name: str
    kind: Kind
    source: str
    points: float = 0


class Case(NamedTuple):
    """What is tried: the lecturer's cells in their order; the submission's, given ones among them, in theirs; the names
    under which tests find answers; and those of them that serve in the kernel, each with its role.
    """

    ours: list[tuple[str, str, str, float]]
    theirs: list[tuple[str, str]]
    answers: list[str]
    roles: dict[str, str]

    @property
    def digest(self) -> str:
        """Equal for equal cases."""
        return sha256(json.dumps(self).encode()).hexdigest()


def originals_of(cells: Iterable[Mapping[str, Any]]) -> list[Original]:
    """The lecturer's cells, from a notebook as it stands in source/. A cell that is graded by hand is an answer."""
    found = []
    for cell in cells:
        told = cell["metadata"].get("nbgrader", {})
        if cell["cell_type"] == "code" and "grade_id" in told:
            kind: Kind = "answer" if told.get("solution") else "test" if told.get("grade") else "given"
            found.append(Original(told["grade_id"], kind, text_of(cell), float(told.get("points", 0))))
    return found


def case_of(originals: Sequence[Original], submitted: Iterable[Mapping[str, Any]]) -> Case:
    """The case of a submitted notebook's cells. Given cells that it lacks come first."""
    cells = [cell for cell in submitted if cell["cell_type"] == "code"]
    last = {name_of(cell): i for i, cell in enumerate(cells)}  # of two cells with one name nbgrader takes the last
    known: dict[str | None, Original] = {original.name: original for original in originals}
    theirs = [(o.name, shown(o)) for o in originals if o.kind == "given" and o.name not in last]
    own = 0
    for i, cell in enumerate(cells):
        original = known.get(name_of(cell)) if last[name_of(cell)] == i else None
        if original is None or original.kind == "answer":
            own += original is None
            theirs.append((original.name if original else f"of your own, number {own}", text_of(cell)))
        elif original.kind == "given":
            theirs.append((original.name, shown(original)))
    ours: list[tuple[str, str, str, float]] = [
        (o.kind, o.name, o.source, o.points) for o in originals if o.kind != "answer"
    ]
    solutions = [original.source for original in originals if original.kind == "answer"]
    return Case(ours, theirs, names_in(solutions), roles_in(solutions))


def shown(original: Original) -> str:
    """A given cell as students have it."""
    return "\n".join(without_regions(original.source.split("\n"), BEGIN_HIDDEN, END_HIDDEN, ()))


def names_in(sources: Iterable[str]) -> list[str]:
    """The names that the lecturer's solutions define: functions, classes, variables, each once."""
    found: dict[str, None] = {}
    for source in sources:
        for statement in ast.parse(source).body:
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                found[statement.name] = None
            elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
                names = [inner for inner in ast.walk(statement) if isinstance(inner, ast.Name)]
                found |= {inner.id: None for inner in names if isinstance(inner.ctx, ast.Store)}
    return list(found)


def roles_in(sources: Iterable[str]) -> dict[str, str]:
    """The functions that the lecturer's solutions register for the kernel, by `@serves("role")`: name -> role."""
    found: dict[str, str] = {}
    for statement in [inner for source in sources for inner in ast.parse(source).body]:
        if isinstance(statement, ast.FunctionDef):
            for decorator in statement.decorator_list:
                match decorator:
                    case ast.Call(func=ast.Name(id="serves"), args=[ast.Constant(value=str() as role)]):
                        found[statement.name] = role
    return found


def name_of(cell: Mapping[str, Any]) -> str | None:
    """The name by which nbgrader knows a cell, if it has one."""
    told = cell["metadata"].get("nbgrader", {})
    name = told.get("grade_id") if isinstance(told, Mapping) else None
    return name if isinstance(name, str) else None


def text_of(cell: Mapping[str, Any]) -> str:
    """A cell's source, which a file may hold as a list of lines."""
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)
