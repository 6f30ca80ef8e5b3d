"""Modules import downward only, `import numakit` stays light, and no module is too long to read."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import networkx as nx
import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "numakit"
LONGEST = 600  #: lines of a module

#: from the lowest layer to the highest: a module imports from its own and lower ones
LAYERS = [
    ("abi", "version", "tables"),
    ("topology", "numa_maps"),
    ("kernels", "moments", "timeline"),
    ("machine",),
    ("rmap", "faults", "mmap", "fork", "pins", "disc", "reclaim", "truncate"),
    ("migration",),
    ("syscalls",),
    ("bulk",),
    ("explain", "facade", "live", "allocators", "guest", "situations", "scenario", "trace", "experiments"),
    ("widgets", "plots"),
    ("__init__",),
    ("lab", "handout", "judge", "cli", "__main__"),
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}


class Import(NamedTuple):
    """What a module imports from the kit: a part such as ``migration``, and whether only for type checkers."""

    line: int
    part: str
    names: tuple[str, ...]
    for_types: bool


def modules() -> dict[str, Path]:
    """Every module of the kit by its dotted name below ``numakit``."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if len(parts) > 1 and parts[-1] == "__init__" else parts)] = path
    return found


def part_of(module: str) -> str:
    """The part, a module or package directly in the kit, to which a module belongs."""
    return module.split(".")[0]


def imports(tree: ast.Module, module: str = "") -> Iterator[Import]:
    """The imports from the kit, those in functions too."""
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "numakit":
                    part = [*alias.name.split("."), "__init__"][1]
                    yield Import(node.lineno, part, (alias.asname or "numakit",), id(node) in for_types)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield Import(node.lineno, "relative", (), False)
            elif node.module and node.module.split(".")[0] == "numakit":
                names = tuple(alias.asname or alias.name for alias in node.names)
                for part in [node.module.split(".")[1]] if "." in node.module else [a.name for a in node.names]:
                    yield Import(node.lineno, part if part in LEVEL else "__init__", names, id(node) in for_types)


def used_beyond_annotations(tree: ast.Module, names: set[str]) -> set[str]:
    """The names that are used elsewhere than in annotations (which are never evaluated here)."""
    annotations: set[int] = set()
    for node in ast.walk(tree):
        slots = [getattr(node, name, None) for name in ("annotation", "returns")]
        for slot in slots:
            if isinstance(slot, ast.expr):
                annotations |= {id(inner) for inner in ast.walk(slot)}
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in annotations}
    return used & names


def upward_imports(source: str, module: str) -> list[str]:
    """Which imports of a module break the order of layers, a sentence each."""
    tree, wrong = ast.parse(source), []
    level = LEVEL[part_of(module)]
    for found in imports(tree):
        if found.part not in LEVEL:
            wrong.append(f"{module}:{found.line} has a relative import; imports are written out")
        elif LEVEL[found.part] > level and not found.for_types:
            wrong.append(f"{module}:{found.line} imports from {found.part}, a higher layer")
        elif LEVEL[found.part] > level and (used := used_beyond_annotations(tree, set(found.names))):
            wrong.append(f"{module}:{found.line} imports {used} for annotations only, and uses it elsewhere")
    return wrong


MODULES = modules()


def test_every_part_has_a_layer() -> None:
    """A new module says where it belongs, by a line in LAYERS."""
    assert {part_of(module) for module in MODULES} <= set(LEVEL)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_downward(module: str) -> None:
    """Only from the same layer or a lower one, also inside functions."""
    assert upward_imports(MODULES[module].read_text(encoding="utf-8"), module) == []


def test_parts_of_one_layer_do_not_import_each_other_in_a_circle() -> None:
    """fork may use mmap, then mmap may not use fork."""
    graph: nx.DiGraph[str] = nx.DiGraph()
    for module, path in MODULES.items():
        for found in imports(ast.parse(path.read_text(encoding="utf-8"))):
            if not found.for_types and found.part != part_of(module):
                graph.add_edge(part_of(module), found.part)
    assert list(nx.simple_cycles(graph)) == []


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from numakit.migration import migrate_pages", "machine.lru"),
        ("def f() -> None:\n    from numakit.facade.machine import Machine", "rmap"),
        ("import numakit.syscalls.report", "migration.putback"),
        ("from numakit import Machine", "faults"),
        ("from numakit import migration", "machine.lru"),
        ("from .frames import get_page", "machine.lru"),
        ("if TYPE_CHECKING:\n    from numakit.facade.run import Run\nx = Run()", "timeline.step"),
    ],
)
def test_an_upward_import_is_found(source: str, module: str) -> None:
    """Each kind of import that breaks the rule is seen."""
    assert upward_imports(source, module)


@pytest.mark.parametrize(
    ("source", "module"),
    [
        ("from numakit.machine.lru import lru_list", "rmap"),
        (
            "if TYPE_CHECKING:\n    from numakit.facade.run import Run\ndef f(run: Run) -> list[Run]: ...",
            "timeline.step",
        ),
        ("import networkx", "topology.graph"),
    ],
)
def test_a_downward_import_is_allowed(source: str, module: str) -> None:
    """As is one that only annotations use."""
    assert upward_imports(source, module) == []


HEAVY = ("numpy", "ipywidgets", "matplotlib", "anywidget", "click", "IPython", "pandas", "scipy", "tqdm", "cloudpickle")


def test_import_numakit_is_light() -> None:
    """It loads networkx and the standard library; nothing that fills, scans or draws."""
    code = f"import sys, numakit; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_making_machines_and_calls_is_light_too() -> None:
    """The pipeline runs where numpy is not."""
    code = (
        "import sys; from numakit import *; m = Machine(Topology.preset('two-sockets')); p = m.spawn('p');"
        "a = p.mmap(pages=2); p.write(a); r = m.record(p.move_pages, 0, a, [1, 1]); r.first(); m.fingerprint();"
        f"r.result.explain(); r._repr_html_(); print(*[name for name in {HEAVY!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("module", MODULES)
def test_no_module_is_longer_than_600_lines(module: str) -> None:
    """What is longer cannot be read in one go."""
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= LONGEST
