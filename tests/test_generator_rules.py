"""The rules of pipeline generators, read from their syntax trees. They make going back and replaying sound.

A generator that is dropped in the middle must leave nothing to do (no ``finally``, no ``with`` around a yield); every
generator is driven by the one that called it; nothing is kept beside the machine; nothing depends on the order of a
set of strings.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "numakit"
PARTS = (
    "faults.py", "mmap.py", "fork.py", "pins.py", "rmap.py", "disc.py", "reclaim.py", "truncate.py", "migration",
    "syscalls", "machine/locks.py",
)  # fmt: skip
FILES = sorted(f for part in PARTS for f in ([PACKAGE / part] if "." in part else (PACKAGE / part).rglob("*.py")))

Function = ast.FunctionDef | ast.AsyncFunctionDef
BROAD = {"Exception", "BaseException", "StopIteration", "GeneratorExit"}
MUTATORS = {
    "add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem", "popleft", "remove",
    "reverse", "setdefault", "sort", "update", "write",
}  # fmt: skip


def own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function without those of functions inside it."""
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            todo += ast.iter_child_nodes(node)


def functions(tree: ast.Module) -> list[Function]:
    """All functions of a module."""
    return [node for node in ast.walk(tree) if isinstance(node, Function)]


def yields(nodes: Iterator[ast.AST]) -> bool:
    """Whether a yield is among the nodes."""
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes)


def returns(function: Function) -> str:
    """The return annotation as text."""
    return ast.unparse(function.returns) if function.returns else ""


def pipeline_generators(tree: ast.Module) -> set[str]:
    """The functions whose result is a generator of steps: they say so by their annotation."""
    return {function.name for function in functions(tree) if returns(function).startswith("Steps[")}


# -- the rules; each yields (line, what is wrong)

Wrong = Iterator[tuple[int, str]]


def undeclared_generators(tree: ast.Module, known: set[str]) -> Wrong:
    """A function that yields says what: ``Steps`` to be driven, ``Iterator`` to be looped over."""
    for function in functions(tree):
        if yields(own_nodes(function)) and not returns(function).startswith(("Steps[", "Iterator[")):
            yield function.lineno, f"{function.name} yields and is annotated {returns(function) or 'not at all'}"


def guarded_yields(tree: ast.Module, known: set[str]) -> Wrong:
    """try/finally, with and broad except around a yield."""
    for function in functions(tree):
        for node in own_nodes(function):
            match node:
                case ast.Try() | ast.TryStar() if yields(inner for part in node.body for inner in ast.walk(part)):
                    if node.finalbody:
                        yield node.lineno, f"{function.name}: try/finally around a yield"
                    for handler in node.handlers:
                        if handler.type is None or BROAD & set(ast.unparse(handler.type).strip("()").split(", ")):
                            yield handler.lineno, f"{function.name}: a broad except around a yield"
                case ast.With() | ast.AsyncWith() if yields(inner for inner in ast.walk(node)):
                    yield node.lineno, f"{function.name}: with around a yield"


def undriven_generators(tree: ast.Module, known: set[str]) -> Wrong:
    """A generator that is called is driven by ``yield from``, or returned, or handed on by a lambda."""
    driven = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.YieldFrom | ast.Return) and node.value is not None:
            driven.add(id(node.value))
        elif isinstance(node, ast.Lambda):
            driven.add(id(node.body))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and id(node) not in driven:
            name = {ast.Name: "id", ast.Attribute: "attr"}.get(type(node.func))
            if name and getattr(node.func, name) in known:
                yield node.lineno, f"{ast.unparse(node.func)}() is called without yield from"


def global_names(tree: ast.Module) -> set[str]:
    """The variables of a module."""
    names = set()
    for node in tree.body:
        for target in node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]:
            if isinstance(target, ast.Name):
                names.add(target.id)
    return names


def root(node: ast.AST) -> str:
    """The name at the beginning of ``name.attribute[index]``."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def kept_outside_the_machine(tree: ast.Module, known: set[str]) -> Wrong:
    """No global is changed, and the machine is changed through its door only."""
    variables = global_names(tree)
    for function in functions(tree):
        arguments = function.args
        parameters = {a.arg for a in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]} - {"self"}
        for node in own_nodes(function):
            match node:
                case ast.Global() | ast.Nonlocal():
                    yield node.lineno, f"{function.name}: global or nonlocal"
                case ast.Call(func=ast.Attribute(value=value, attr=attr)) if (
                    attr in MUTATORS and root(value) in variables
                ):
                    yield node.lineno, f"{function.name}: {root(value)}.{attr}() changes a variable of the module"
                case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                    name = root(node)
                    if name in variables:
                        yield node.lineno, f"{function.name}: changes {name}, a variable of the module"
                    elif ast.unparse(node).startswith("m.costs."):
                        pass  # counted for each task beside the state; a replay begins to count anew
                    elif name == "m" or (name in parameters and isinstance(node, ast.Subscript)):
                        yield node.lineno, f"{function.name}: writes to {ast.unparse(node)}, not through the door"
        defaults = [*arguments.defaults, *(d for d in arguments.kw_defaults if d)]
        if any(isinstance(d, ast.List | ast.Dict | ast.Set | ast.Call) for d in defaults):
            yield function.lineno, f"{function.name}: a mutable default"


def is_a_set(node: ast.AST, names: set[str]) -> bool:
    """Whether an expression is seen to be a set whose elements may be strings."""
    match node:
        case ast.Set() | ast.SetComp() | ast.Call(func=ast.Name(id="set" | "frozenset")):
            return True
        case ast.Name(id=name):
            return name in names
        case ast.BinOp(left=left, op=ast.BitAnd() | ast.BitOr() | ast.Sub() | ast.BitXor(), right=right):
            return is_a_set(left, names) or is_a_set(right, names)
    return False


def iterated_sets(tree: ast.Module, known: set[str]) -> Wrong:
    """The order of a set of strings differs from run to run; that of ints, annotated as such, does not."""
    for function in functions(tree):
        nodes = list(own_nodes(function))
        names = {
            target.id
            for node in nodes
            if isinstance(node, ast.Assign) and is_a_set(node.value, set())
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        names |= {
            node.target.id
            for node in nodes
            if isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and ast.unparse(node.annotation).startswith(("set[str", "frozenset[str"))
        }
        for node in nodes:
            match node:
                case ast.For(iter=iterable) | ast.comprehension(iter=iterable) | ast.Starred(value=iterable):
                    pass
                case ast.Call(func=ast.Name(id="list" | "tuple" | "enumerate" | "iter" | "next"), args=[iterable, *_]):
                    pass
                case ast.Call(func=ast.Attribute(attr="pop"), args=[]):
                    iterable = node.func.value if isinstance(node.func, ast.Attribute) else node
                case _:
                    continue
            if is_a_set(iterable, names):
                yield iterable.lineno, f"{function.name}: goes over a set, whose order may differ"


RULES = [undeclared_generators, guarded_yields, undriven_generators, kept_outside_the_machine, iterated_sets]
TREES = {file: ast.parse(file.read_text(encoding="utf-8")) for file in FILES}
KNOWN = set().union(*(pipeline_generators(tree) for tree in TREES.values()))


def test_the_pipeline_is_found() -> None:
    """The functions that the rules are for are there."""
    assert {"migrate_pages", "unmap_and_move", "try_to_unmap", "do_page_fault", "lock_page", "do_fork"} <= KNOWN


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_pipeline_module_keeps_the_rules(file: Path, rule: object) -> None:
    """Every rule, in every module of the pipeline."""
    assert callable(rule)
    assert list(rule(TREES[file], KNOWN)) == []


def broken_rules(source: str) -> set[str]:
    """The names of the rules that a source breaks."""
    tree = ast.parse(source)
    known = pipeline_generators(tree)
    return {rule.__name__ for rule in RULES if list(rule(tree, known))}


STEPS = "def other(m) -> Steps[int]:\n    yield PASS, 0\n    return 0\n"


@pytest.mark.parametrize(
    ("rule", "body"),
    [
        ("guarded_yields", "try:\n        yield PASS, 0\n    finally:\n        m.close()"),
        ("guarded_yields", "try:\n        x = yield from other(m)\n    except Exception:\n        pass"),
        ("guarded_yields", "try:\n        yield PASS, 0\n    except:\n        pass"),
        ("guarded_yields", "try:\n        yield PASS, 0\n    except (KeyError, BaseException):\n        pass"),
        ("guarded_yields", "with m.lock:\n        yield PASS, 0"),
        ("guarded_yields", "for page in pages:\n        with m.lock:\n            yield PASS, 0"),
        ("undriven_generators", "other(m)\n    yield PASS, 0"),
        ("undriven_generators", "x = other(m)\n    yield PASS, 0"),
        ("undriven_generators", "for step in other(m):\n        yield step"),
        ("undriven_generators", "yield from wrap(other(m))"),
        ("kept_outside_the_machine", "global SEEN\n    yield PASS, 0"),
        ("kept_outside_the_machine", "SEEN[0] = 1\n    yield PASS, 0"),
        ("kept_outside_the_machine", "SEEN.append(1)\n    yield PASS, 0"),
        ("kept_outside_the_machine", "del SEEN[0]\n    yield PASS, 0"),
        ("kept_outside_the_machine", "SEEN[0] += 1\n    yield PASS, 0"),
        ("kept_outside_the_machine", "m.count[page] = 1\n    yield PASS, 0"),
        ("kept_outside_the_machine", "m.current = 1\n    yield PASS, 0"),
        ("kept_outside_the_machine", "pages[0] = 1\n    yield PASS, 0"),
        ("iterated_sets", "for name in {'a', 'b'}:\n        yield PASS, 0"),
        ("iterated_sets", "names = set(pages)\n    for name in names:\n        yield PASS, 0"),
        ("iterated_sets", "x = [name for name in frozenset(pages)]\n    yield PASS, 0"),
        ("iterated_sets", "x = tuple({p for p in pages})\n    yield PASS, 0"),
        ("iterated_sets", "names: set[str] = g(pages)\n    x = [*names]\n    yield PASS, 0"),
        ("iterated_sets", "x = {'a', 'b'} & {'a'}\n    y = x.pop()\n    yield PASS, 0"),
    ],
)
def test_a_planted_violation_is_found(rule: str, body: str) -> None:
    """By its own rule and no other."""
    source = f"SEEN: list[int] = [0]\n{STEPS}\ndef f(m, page, pages) -> Steps[int]:\n    {body}\n    return 0\n"
    assert broken_rules(source) == {rule}


def test_a_function_that_yields_without_saying_what_is_found() -> None:
    """So that the other rules see every generator."""
    assert broken_rules("def f(m):\n    yield PASS, 0\n") == {"undeclared_generators"}
    assert broken_rules("def f(m) -> int:\n    yield PASS, 0\n") == {"undeclared_generators"}


def test_a_mutable_default_is_found() -> None:
    """It would be kept from call to call."""
    assert broken_rules("def f(m, seen=[]) -> Steps[int]:\n    yield PASS, 0\n") == {"kept_outside_the_machine"}


@pytest.mark.parametrize(
    "body",
    [
        "return (yield from other(m))",
        "try:\n        x = int(page)\n    finally:\n        y = 1\n    yield PASS, 0",
        "m.set(m.count, page, 1)\n    yield PASS, 0",
        "found = {}\n    found[page] = 1\n    yield PASS, 0",
        "for name in sorted({'a', 'b'}):\n        yield PASS, 0",
        "start = lambda m: other(m)\n    yield PASS, 0",
        "x = SEEN[0]\n    yield PASS, 0",
    ],
)
def test_what_is_allowed_passes(body: str) -> None:
    """The rules do not forbid what is sound."""
    source = f"SEEN: list[int] = [0]\n{STEPS}\ndef f(m, page, pages) -> Steps[int]:\n    {body}\n"
    assert broken_rules(source) == set()
