"""The controls of the Stepper, moved as its front moves them, against the model; and what a long run costs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from numakit import Machine, Run, Topology
from numakit.moments import COPY, PASS
from numakit.widgets import Stepper
from numakit.widgets.export import LONGEST
from numakit.widgets.jumps import jumps
from numakit.widgets.lanes import FOLD_FROM, MOST_RUNS, lanes
from numakit.widgets.reading import Reading
from numakit.widgets.whatif import DEEDS
from tests.browser.runs import BUSY, FILE, SHORT, made


def _ask(stepper: Stepper, **wish: Any) -> None:
    """What the front sends."""
    stepper._handle_custom_msg(wish, [])


def _panels(stepper: Stepper) -> dict[str, str]:
    return {name: value for name, value in stepper.get_state().items() if name.startswith("html_")}


def _steps(run: Run[Any], **wanted: Any) -> list[int]:
    """The positions after the steps that fit."""
    return [s.number + 1 for s in run.steps if all(getattr(s, name) == value for name, value in wanted.items())]


# -- jumps, breaks, why


@pytest.mark.parametrize("source", [SHORT, BUSY, FILE], ids=["short", "busy", "file"])
def test_jumps_lead_to_the_next_of_their_kind_from_every_step(source: str) -> None:
    run = made(source)
    reading = Reading(run)
    call_passes = [s.number + 1 for s in run.steps if s.moment is PASS and s.task is run.call]
    attempts = [s.number + 1 for s in run.steps if s.moment.name == "GET_NEW_PAGE"]
    tasks = [s.task.number for s in run.steps]
    for position in range(len(run) + 1):
        found = jumps(reading, position)
        assert found["pass"] == next((p for p in call_passes if p > position), None)
        assert found["page"] == next((p for p in attempts if p > position), None)
        acting = tasks[position - 1] if position else 1
        assert found["actor"] == next((p + 1 for p in range(position, len(run)) if tasks[p] != acting), None)
        assert position < len(run) or found["over"] == position
        assert position == 0 or (found["before"] or 0) < position


def test_failures_are_the_steps_that_gave_an_entry_its_error() -> None:
    run = made(SHORT)
    (failure,) = Reading(run).failures
    assert [c.after for c in run.steps[failure].changes if c.label == "outcome"] == [-2]


def test_each_entry_is_found_where_it_was_decided() -> None:
    run = made(BUSY)
    stepper = Stepper(run)
    for entry, value in enumerate(run.result.outcome):
        _ask(stepper, do="decided", entry=entry)
        last = [c.after for c in run.steps[stepper.position - 1].changes if c.label == "outcome" and c.index == entry]
        assert last[-1] == value


def test_the_run_goes_on_to_a_break_at_a_moment_or_a_page() -> None:
    stepper = Stepper(made(BUSY))
    run = stepper.run
    stepper.first()
    stepper.set_state({"breaks": ["COPY", "no moment", "page 3"]})
    assert stepper.breaks == ["COPY", "page 3"]
    about_page_3 = [s.number + 1 for s in run.steps if s.moment.subject == "page" and s.about == 3]
    wanted = sorted({*_steps(run, moment=COPY), *about_page_3})
    met = []
    while stepper.position < len(run):
        _ask(stepper, do="continue")
        met.append(stepper.position)
    assert met == [*wanted, len(run)][: len(met)]
    assert met[-1] == len(run)


def test_a_click_on_a_moment_goes_to_its_next_time_and_then_to_its_first() -> None:
    stepper = Stepper(made(BUSY))
    stepper.first()
    times = _steps(stepper.run, moment=COPY)
    for wanted in [*times, times[0]]:
        _ask(stepper, do="moment", name="COPY")
        assert stepper.position == wanted


def test_why_tells_what_explain_tells_but_not_before_it_was_decided() -> None:
    stepper = Stepper(made(SHORT))
    for entry, text in [("return", stepper.run.result.explain()), (2, stepper.run.result.explain(2))]:
        stepper.first()
        _ask(stepper, do="why", entry=entry)
        assert "Nothing has been decided yet" in stepper.why["html"]
        stepper.position = int(re.findall(r'data-goto="(\d+)"', stepper.why["html"])[0])
        _ask(stepper, do="why", entry=entry)
        assert text.split(":")[0] in stepper.why["html"]


@pytest.mark.parametrize(
    "wish",
    [
        {"do": "nothing known"},
        {},
        {"do": "why", "entry": 99},
        {"do": "moment", "name": "x"},
        {"do": "decided", "entry": 99},
        {"do": "act", "who": 9, "what": "write"},
        {"do": "act", "who": 1, "what": "burn"},
        {"do": "act", "who": 1, "what": "write", "where": "zz"},
    ],
)
def test_a_wish_that_cannot_be_fulfilled_is_told_and_changes_nothing(wish: dict[str, Any]) -> None:
    stepper = Stepper(made(SHORT))
    before, length = _panels(stepper), len(stepper.run)
    _ask(stepper, **wish)
    assert stepper.note
    assert (_panels(stepper), len(stepper.run)) == (before, length)


def test_a_position_out_of_range_is_brought_into_it() -> None:
    stepper = Stepper(made(SHORT))
    stepper.set_state({"position": 10_000})
    assert stepper.position == stepper.at["position"] == len(stepper.run)
    stepper.set_state({"position": -3})
    assert stepper.position == stepper.at["position"] == 0


# -- what if


@pytest.mark.parametrize("deed", sorted(DEEDS))
def test_somebody_else_may_act_at_any_step_and_back_takes_them_out_again(deed: str) -> None:
    """The run goes on with them in it; afterwards it is, byte for byte, what it was."""
    source = FILE if deed == "write_back" else SHORT
    stepper, untouched = Stepper(made(source)), made(source)
    pid = stepper.run.machine.processes[0].pid
    for position in range(0, len(untouched), 7):
        stepper.show(position)
        before = _panels(stepper)
        _ask(stepper, do="act", who=pid, what=deed, where="0x10000000")
        if len(stepper.run.interferences) == len(untouched.interferences):
            assert "cannot" in stepper.note  # a page that is not mapped now has no file
            continue
        assert (stepper.position, stepper.at["joined"]) == (position, position)
        assert stepper.run.turns != untouched.turns
        stepper.back()
        assert (stepper.position, stepper.at["joined"]) == (position, -1)
        assert _panels(stepper) == before
        assert stepper.run.turns == untouched.turns
        stepper.last()
        assert stepper.run.machine.fingerprint() == untouched.last().machine.fingerprint()


def test_the_line_of_python_makes_the_same_run_on_an_equal_machine() -> None:
    stepper = Stepper(made(SHORT))
    pid = stepper.run.machine.processes[0].pid
    for position, deed in ((12, "write"), (20, "munmap"), (30, "fork")):
        stepper.show(position)
        _ask(stepper, do="act", who=pid, what=deed, where="0x10000000")
    stepper.last()
    names: dict[str, Any] = {}
    exec(SHORT.split("run.when")[0], names)
    exec(stepper.code, names)
    assert names["run"].turns == stepper.run.turns
    assert names["run"].last().machine.fingerprint() == stepper.run.machine.fingerprint()


def test_who_has_to_wait_for_mmap_sem_is_shown_waiting() -> None:
    stepper = Stepper(made(SHORT))
    stepper.show(20)
    _ask(stepper, do="act", who=stepper.run.machine.processes[0].pid, what="munmap", where="0x10000000")
    asleep = []
    for position in range(20, len(stepper.run) + 1):
        stepper.show(position)
        asleep += [
            position for task in stepper.scene.tasks if task.name.startswith("munmap") and task.state == "sleeps"
        ]
    assert len(asleep) > 5
    stepper.show(asleep[0])
    assert "waiting: <b>munmap</b>" in stepper.html_locks


def test_later_calls_are_forgotten_only_by_who_was_told_which() -> None:
    """They are named before, and when more have come since they are named again."""
    stepper = Stepper(made(SHORT))
    machine = stepper.run.machine
    machine.present()
    machine.processes[0].write(0x10003000)
    stepper.show(12)
    length = len(stepper.run)
    wish = {"do": "act", "who": machine.processes[0].pid, "what": "write", "where": "0x10000000"}
    _ask(stepper, **wish)
    assert "would forget what was done on this machine after this run: write;" in stepper.note
    assert (len(stepper.run), stepper.at["later"]) == (length, "write")
    machine.present()
    machine.processes[0].read(0x10003000)
    _ask(stepper, **wish, forget="write")
    assert (len(stepper.run), stepper.at["later"]) == (length, "write, read")
    _ask(stepper, **wish, forget="write, read")
    assert len(stepper.run) > length
    assert (stepper.at["later"], stepper.position) == ("", 12)


def test_back_takes_nobody_out_where_that_would_forget_later_calls() -> None:
    """It goes one step back, as everywhere; taking out is refused until the calls are named."""
    stepper = Stepper(made(SHORT))
    machine = stepper.run.machine
    stepper.show(12)
    _ask(stepper, do="act", who=machine.processes[0].pid, what="write", where="0x10000000")
    length = len(stepper.run)
    machine.present()
    machine.processes[0].write(0x10003000)
    stepper.show(12)
    stepper.back()
    assert (stepper.position, len(stepper.run)) == (11, length)
    stepper.show(12)
    for named in ("", "read"):
        _ask(stepper, do="take back", forget=named)
        assert "would forget" in stepper.note
        assert (len(stepper.run), stepper.at["joined"]) == (length, 12)
    _ask(stepper, do="take back", forget="write")
    assert len(stepper.run) < length


def test_an_actor_that_never_joined_cannot_be_forgotten() -> None:
    run, other = made(SHORT), made(SHORT)
    for stranger in (run.call, other.tasks[1]):
        with pytest.raises(ValueError, match="not one that joined this run"):
            run.forget(stranger)
    assert run.finished


# -- long runs


def _long_run(pages: int = 300) -> Run[Any]:
    machine = Machine(Topology.preset("two-sockets"), scale=1 << 12)
    shell = machine.spawn("shell", uid=0, node=0)
    area = shell.mmap(pages=pages)
    shell.write(area)
    return machine.record(shell.move_pages, 0, area, [1] * pages)


def test_a_reading_that_followed_is_one_that_was_made_at_once() -> None:
    run = made(SHORT.replace("run.finish()\nrun.first()", "run.forward()"))
    reading = Reading(run)
    while not run.finished:
        run.forward()
        reading.follow()
    fresh = Reading(run)
    for name in ("turns", "attempts", "walks", "passes", "decided", "copied", "failures", "at_moment", "about_page"):
        assert getattr(reading, name) == getattr(fresh, name)


def test_lanes_of_a_long_run_hold_few_spans_that_tell_no_step_twice() -> None:
    run = _long_run()
    (lane,) = lanes(Reading(run))
    assert 1 < len(lane.spans) <= MOST_RUNS
    assert all(a.end <= b.begin for a, b in zip(lane.spans, lane.spans[1:], strict=False))
    assert "300 pages" in lane.spans[-1].label or any("pages" in span.label for span in lane.spans)


def test_a_long_walk_is_one_line_of_the_log() -> None:
    machine = Machine(Topology.preset("two-sockets"), scale=1 << 12)
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(pages=1000)
    shell.write(area)
    run = machine.record(shell.munmap, area)
    stepper = Stepper(run)
    stepper.show(500)
    (line,) = re.findall(r"<summary>.*?</summary>", stepper.html_log)
    assert "× 1,000" in line
    assert len(stepper.html_log) < 6_000
    stepper.jump("over")
    assert stepper.position >= 1000
    stepper.jump("before")
    assert stepper.position <= 10
    assert FOLD_FROM < 1000


def test_what_is_sent_for_a_step_does_not_grow_with_the_run() -> None:
    """Lanes go once; a step sends what is different."""
    sizes = []
    for run in (made(SHORT), _long_run()):
        stepper = Stepper(run)
        stepper.show(len(run) // 2)
        before = stepper.get_state()
        stepper.forward()
        after = stepper.get_state()
        assert after["html_lanes"] == before["html_lanes"]
        sizes.append(sum(len(json.dumps(after[name])) for name in after if after[name] != before[name]))
    assert sizes[1] < 1.5 * sizes[0]
    assert max(sizes) < 40_000


# -- the page


def test_the_page_has_every_panel_of_every_step(tmp_path: Path) -> None:
    run = made(SHORT)
    run.goto(7)
    run.to_html(tmp_path / "run.html")
    assert run.position == 7
    page = (tmp_path / "run.html").read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="run">(.*?)</script>', page)
    assert found
    data = json.loads(found[1])
    assert (data["position"], len(data["steps"])) == (7, len(run) + 1)
    stepper = Stepper(run)
    for step, stored in enumerate(data["steps"]):
        stepper.show(step)
        for name, pieces in stored["panels"].items():
            assert "".join(data["pieces"][i] for i in pieces) == getattr(stepper, f"html_{name}")
        assert stored["jumps"] == stepper.at["jumps"]
    assert not re.search(r"https?://(?!www\.w3\.org)", page)


def test_the_page_of_an_equal_run_is_the_same_page(tmp_path: Path) -> None:
    for name in "ab":
        made(BUSY).to_html(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_run_that_is_too_long_for_a_page_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numakit.widgets.export.LONGEST", 10)
    with pytest.raises(ValueError, match="a page holds at most 10"):
        made(SHORT).to_html(tmp_path / "run.html")
    assert LONGEST >= 1000
    assert not list(tmp_path.iterdir())


def test_a_name_cannot_end_the_script_of_the_page(tmp_path: Path) -> None:
    machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
    shell = machine.spawn("</script><script>alert(1)</script>", node=0)
    machine.record(shell.write, shell.mmap(pages=1)).to_html(tmp_path / "run.html")
    assert "alert(1)</script>" not in (tmp_path / "run.html").read_text(encoding="utf-8")
