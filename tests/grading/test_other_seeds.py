"""A lecturer may put other seeds into the hidden tests: the reference solutions pass with them as well."""

from __future__ import annotations

import ast
import contextlib
import io
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.clone import ROOT

SHIFT = 100  #: from each seed of ours to another one
SOURCES = sorted((ROOT / "exercises" / "source").glob("*/*.ipynb"))
WITHOUT_SEEDS = {"mend-the-kernel", "when-the-node-is-full"}  #: cases that are written down one by one


class OtherSeeds(ast.NodeTransformer):
    """Adds to each number over which a loop within some lines lets ``seed`` run."""

    def __init__(self, lines: range) -> None:
        self.lines, self.changed = lines, 0

    def visit_For(self, loop: ast.For) -> ast.For:
        """Over pairs, `("ring4", 2)`; over a `range(20, 28)`; over `enumerate(machines, 2)`."""
        self.generic_visit(loop)
        named = loop.target.elts if isinstance(loop.target, ast.Tuple) else [loop.target]
        names = [getattr(name, "id", "") for name in named]
        if loop.lineno in self.lines and "seed" in names:
            if isinstance(loop.iter, ast.Call):
                self.shift([argument for argument in loop.iter.args if isinstance(argument, ast.Constant)])
            elif isinstance(loop.iter, ast.Tuple | ast.List):
                place = names.index("seed")
                self.shift([each.elts[place] if isinstance(each, ast.Tuple) else each for each in loop.iter.elts])
        return loop

    def shift(self, numbers: list[ast.expr]) -> None:
        """Change the constants in place."""
        for number in numbers:
            assert isinstance(number, ast.Constant)
            assert isinstance(number.value, int)
            number.value += SHIFT
            self.changed += 1


def with_other_seeds(source: str) -> tuple[ast.Module, int]:
    """A cell whose hidden tests have other seeds, and how many were changed."""
    lines = source.splitlines()
    marks = [n for n, line in enumerate(lines, 1) if "BEGIN HIDDEN TESTS" in line or "END HIDDEN TESTS" in line]
    tree, changed = ast.parse(source), 0
    for begin, end in zip(marks[::2], marks[1::2], strict=True):
        seeds = OtherSeeds(range(begin, end))
        tree = seeds.visit(tree)
        changed += seeds.changed
    return tree, changed


@pytest.mark.slow
@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_reference_solution_passes_with_other_seeds(path: Path) -> None:
    """As the page for lecturers promises; no seed is one that was looked for until it fitted."""
    names: dict[str, Any] = {"__name__": "__main__"}
    changed = 0
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            tree, its = with_other_seeds(cell.source)
            changed += its
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(tree, f"{path.stem}: {cell.id}", "exec"), names)
    assert (changed == 0) == (path.stem in WITHOUT_SEEDS)
