"""The builder of calls: each control against the model, and its Python against its button."""

from __future__ import annotations

import re
from collections.abc import Callable
from errno import EFAULT, EINVAL, ENODEV, ENOENT, EPERM, ESRCH
from html import escape
from typing import Any

import pytest
import traitlets

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PAGE_SIZE, Machine, Topology
from numakit.widgets import CallBuilder
from numakit.widgets.builder import MOST_PAGES, NO_AREA, parse_pattern
from numakit.widgets.calltext import call_python, flags_text
from numakit.widgets.panels import prose


def make() -> Machine:
    """A shell with two areas, its child, root, and a kernel thread."""
    machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(pages=6)
    shell.write(area[0:4])
    shell.read(area[4])
    shell.fork("child")
    shell.write(area[0:2])
    shell.mmap(pages=100)
    machine.spawn("root", uid=0, node=1)
    machine.kernel_thread("kswapd0")
    return machine


SHELL, CHILD, ROOT, KSWAPD = 1, 2, 3, 4
AREA = 0x10000000


@pytest.fixture
def builder() -> CallBuilder:
    return CallBuilder(make())


def ask(builder: CallBuilder, **wish: Any) -> None:
    """What the front sends."""
    builder.form._handle_custom_msg(wish, [])


def choose(builder: CallBuilder, name: str, value: object, *, checked: bool = True) -> None:
    """What the front sends when a control was changed: values are texts."""
    ask(builder, do="set", name=name, value=str(value), checked=checked)


Choice = dict[str, Any]

CALLS: list[Choice] = [
    {},
    {"count": 6},
    {"first": 2, "count": 2, "node": 0},
    {"how": "pattern", "pattern": "0, 1,1", "count": 6},
    {"how": "query", "count": 6},
    {"how": "query", "area": NO_AREA},
    {"area": NO_AREA},
    {"node": 2},
    {"flags": 0},
    {"flags": MPOL_MF_MOVE_ALL},
    {"flags": 7},
    {"caller": ROOT, "target": SHELL, "flags": MPOL_MF_MOVE | MPOL_MF_MOVE_ALL, "count": 6},
    {"caller": ROOT, "target": KSWAPD},
    {"caller": ROOT, "target": 1004},
    {"caller": ROOT},
    {"target": CHILD, "count": 1},
    {"target": ROOT},
]


def chosen(choice: Choice) -> CallBuilder:
    """A builder on a machine of its own, its attributes set one after the other."""
    builder = CallBuilder(make())
    for name, value in choice.items():
        setattr(builder, name, value)
    return builder


@pytest.mark.parametrize("choice", CALLS, ids=str)
def test_the_python_makes_the_same_call(choice: Choice) -> None:
    """Copied into a cell and run on an equal machine it gives the same result, run and machine."""
    builder, equal = chosen(choice), make()
    names: dict[str, Any] = {"machine": equal}
    exec(builder.python, names)
    result = builder.make_call()
    assert builder.result == result == names["run"].result
    assert eval(builder.python.splitlines()[-1], names) == result
    assert builder.run is not None
    assert builder.run.turns == names["run"].turns
    assert builder.machine.fingerprint() == equal.fingerprint()


@pytest.mark.parametrize("choice", CALLS, ids=str)
def test_controls_do_what_attributes_do(choice: Choice) -> None:
    """Each is sent as the front sends it, flags as boxes that are ticked or not."""
    builder, same = CallBuilder(make()), chosen(choice)
    for name, value in choice.items():
        if name == "flags":
            for bit in (1, 2, 4):
                choose(builder, "flag", bit, checked=bool(value & bit))
        else:
            choose(builder, name, value)
        assert builder.note == ""
    assert builder.python == same.python
    assert builder.form.html == same.form.html
    ask(builder, do="make")
    assert builder.result == same.make_call()
    assert builder.form.html == same.form.html


@pytest.mark.parametrize(
    ("choice", "ret", "outcome"),
    [
        ({"count": 6}, 0, [1, 1, -13, -13, -EFAULT, -ENOENT]),
        ({"area": NO_AREA}, -ENOENT, [-EFAULT]),
        ({"node": 2}, -ENODEV, [None] * 4),
        ({"flags": 1}, -EINVAL, [None] * 4),
        ({"flags": MPOL_MF_MOVE_ALL}, -EPERM, [None] * 4),
        ({"target": 1004}, -ESRCH, [None]),
        ({"target": KSWAPD}, -EINVAL, [None]),
        ({"how": "query", "count": 6}, 0, [0, 0, 0, 0, -EFAULT, -ENOENT]),
    ],
    ids=str,
)
def test_a_wrong_choice_gets_the_kernels_answer(choice: Choice, ret: int, outcome: list[int | None]) -> None:
    """No exception: result and explanation, in the view and in words."""
    builder = chosen(choice)
    result = builder.make_call()
    assert (result.ret, result.outcome) == (ret, outcome)
    assert prose(result.explain()) in builder.form.html
    assert result.explain() in builder.text()
    for i in range(len(outcome)):
        assert prose(result.explain(i).partition(". ")[2]) in builder.form.html


def test_the_run_of_the_call_stands_in_a_stepper_at_its_end(builder: CallBuilder) -> None:
    """The machine is left at now, so that the next cell can go on with it."""
    assert builder.stepper is None
    ask(builder, do="make")
    assert builder.stepper is not None
    assert list(builder.children) == [builder.form, builder.stepper]
    assert builder.stepper.run is builder.run
    assert builder.stepper.position == len(builder.stepper.run)
    assert not builder.machine.in_the_past


def test_a_call_brings_a_machine_from_its_past_to_now(builder: CallBuilder) -> None:
    builder.make_call()
    assert builder.stepper is not None
    builder.stepper.first()
    builder.look_again()
    assert "stands in its past" in builder.form.html
    builder.node = 0
    assert builder.make_call().outcome == [0, 0, 0, 0]
    assert not builder.machine.in_the_past


# -- what cannot be put together


@pytest.mark.parametrize(
    ("choice", "control", "why"),
    [
        ({"target": KSWAPD}, 'select name="area"', "kswapd0 is a kernel thread and has no memory"),
        ({"target": 1004}, 'select name="area"', "Nobody has this pid"),
        ({"target": ROOT}, 'select name="area"', "root has mapped nothing"),
        ({"area": NO_AREA}, 'name="first" value="0"', "so there is no range to choose"),
        ({"area": NO_AREA}, 'name="count" value="1"', "so there is no range to choose"),
        ({"how": "pattern", "pattern": "0;1"}, 'data-do="make"', "whole numbers of 32 bits with commas"),
        ({"how": "pattern", "pattern": ""}, 'data-do="copy"', "whole numbers of 32 bits with commas"),
    ],
    ids=str,
)
def test_what_cannot_be_composed_is_disabled_and_says_why(choice: Choice, control: str, why: str) -> None:
    """And can be used in a builder where it can be composed."""
    disabled = rf"<[^<>]*{re.escape(control)}[^<>]*disabled"
    builder = chosen(choice)
    assert re.search(disabled, builder.form.html)
    assert why in builder.form.html
    assert not re.search(rf"<[^<>]*{control.partition(' value')[0]}[^<>]*disabled", CallBuilder(make()).form.html)


def test_a_pattern_that_cannot_be_read_makes_no_call(builder: CallBuilder) -> None:
    choose(builder, "how", "pattern")
    choose(builder, "pattern", "0,x")
    before = builder.machine.fingerprint()
    ask(builder, do="make")
    assert "whole numbers of 32 bits" in builder.note
    assert (builder.result, builder.machine.fingerprint()) == (None, before)
    assert "whole numbers of 32 bits" in builder.text()


def test_nodes_are_those_that_were_chosen(builder: CallBuilder) -> None:
    """One for all, a pattern again and again, or none; as many as pages."""
    builder.count = 5
    assert builder.nodes == [1] * 5
    choose(builder, "how", "pattern")
    choose(builder, "pattern", "0, 1,7")
    assert builder.nodes == [0, 1, 7, 0, 1]
    choose(builder, "how", "query")
    assert builder.nodes is None
    assert builder.pages == [AREA + i * PAGE_SIZE for i in range(5)]


@pytest.mark.parametrize("text", ["", ",", "0,", "x", "1.5", "2147483648", "0 1"])
def test_a_pattern_is_a_list_of_nodes(text: str) -> None:
    assert parse_pattern(" 0, -1,77") == [0, -1, 77]
    with pytest.raises(ValueError, match="pattern="):
        parse_pattern(text)


@pytest.mark.parametrize(
    ("name", "value"), [("caller", KSWAPD), ("caller", 99), ("target", 99), ("area", 1), ("node", 9), ("flags", 8)]
)
def test_a_choice_that_there_is_not_is_refused_and_names_what_there_is(
    builder: CallBuilder, name: str, value: int
) -> None:
    """As an attribute it raises; from the front it is told."""
    before = builder.python
    with pytest.raises(traitlets.TraitError, match=f"{name}={value}: to choose from are "):
        setattr(builder, name, value)
    if name != "flags":
        choose(builder, name, value)
        assert "to choose from are" in builder.note
    assert builder.python == before


@pytest.mark.parametrize("wish", [{"do": "x"}, {}, {"do": "set"}, {"do": "set", "name": "machine", "value": "1"},
                                  {"do": "set", "name": "first", "value": "x"}])  # fmt: skip
def test_a_wish_that_cannot_be_fulfilled_is_told(builder: CallBuilder, wish: Choice) -> None:
    before = builder.python
    ask(builder, **wish)
    assert "This cannot be done" in builder.note
    assert builder.python == before


def test_a_range_is_brought_into_its_area(builder: CallBuilder) -> None:
    """And is never longer than what is read at a glance."""
    for name, value in (("first", 9), ("count", 99)):
        choose(builder, name, value)
    assert builder.pages == [AREA + 5 * PAGE_SIZE]
    choose(builder, "area", builder.areas[1].start)
    for name, value in (("first", -1), ("count", 1000)):
        choose(builder, name, value)
    assert len(builder.pages) == MOST_PAGES
    assert f"at most {MOST_PAGES} pages" in builder.form.html


# -- a machine that changes


def test_processes_and_areas_of_now_are_offered(builder: CallBuilder) -> None:
    """Those that came and went between two looks."""
    machine = builder.machine
    builder.caller = CHILD
    machine.process(CHILD).exit()
    machine.spawn("late")
    ask(builder, do="look")
    assert builder.caller == SHELL
    assert "late (pid 5)" in builder.form.html
    assert "child (pid 2)" not in builder.form.html
    machine.process(SHELL).munmap(machine.process(SHELL).vmas[0])
    ask(builder, do="look")
    assert builder.area == machine.process(SHELL).vmas[0].start


def test_a_caller_that_has_exited_is_told(builder: CallBuilder) -> None:
    builder.caller = CHILD
    builder.machine.process(CHILD).exit()
    ask(builder, do="make")
    assert "pid=2" in builder.note


def test_a_call_that_never_ends_is_told(builder: CallBuilder) -> None:
    """Somebody locks the page and never unlocks it, in a run that is left unfinished."""
    machine = builder.machine
    run = machine.begin(machine.process(SHELL).hold_page_lock, AREA)
    while "HOLD" not in str(run.call.at[0]):
        run.forward()
    ask(builder, do="make")
    assert "The call does not end" in builder.note
    assert builder.result is None
    assert builder.stepper is not None


def test_a_builder_needs_a_machine_on_which_somebody_can_call() -> None:
    with pytest.raises(TypeError, match="a Machine is wanted"):
        CallBuilder("ring4")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no process that could make a call"):
        CallBuilder(Machine(Topology.preset("two-sockets"), scale=1 << 15))


# -- pictures and texts


@pytest.mark.parametrize("call", [False, True])
def test_the_picture_is_that_of_the_view_without_controls(builder: CallBuilder, call: bool) -> None:
    """Choices, Python and answers; no script and nothing to choose."""
    if call:
        builder.make_call()
    data, _ = builder._repr_mimebundle_()
    html, text = data["text/html"], data["text/plain"]
    assert escape(builder.python) in html
    for line in builder.python.splitlines():
        assert line in text
    assert (escape("The call that was made last") in html) == call
    assert not re.search(r"<(button|script|select|input|textarea)\b|https?://(?!www\.w3\.org)", html)
    assert "application/vnd.jupyter.widget-view+json" in data


@pytest.mark.parametrize(
    ("make_text", "wanted"),
    [
        (lambda: flags_text(0), "0"),
        (lambda: flags_text(6), "MPOL_MF_MOVE | MPOL_MF_MOVE_ALL"),
        (lambda: flags_text(5), "MPOL_MF_MOVE_ALL | 1"),
        (lambda: call_python(1, 0, [4096], None, 0).splitlines()[0], "pages = [0x1000]"),
    ],
)
def test_texts_of_calls(make_text: Callable[[], str], wanted: str) -> None:
    assert make_text() == wanted
