"""The Stepper without a browser: every control against the model; the same bytes however one comes to a step."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from numakit import MPOL_MF_MOVE_ALL, Machine, Process, Run, Topology, Vma
from numakit.moments import COPY, COUNT, COUNT_AND_SLOT, MOMENTS, PASS, TREE_LOCK, UNLOCK_NEW_PAGE
from numakit.widgets import Stepper, picture
from numakit.widgets.changes import fresh_frames, net, tell_changes
from numakit.widgets.reading import Reading
from numakit.widgets.scene import PIPELINE, scene


def _machine() -> Machine:
    return Machine(Topology.preset("two-sockets"), scale=1 << 15)


def _shell(machine: Machine) -> tuple[Process, Vma]:
    shell = machine.spawn("shell", uid=0, node=0)
    area = shell.mmap(pages=6)
    shell.write(area[0:4])
    return shell, area


def _moving() -> Run[Any]:
    """One page moves, one is shared, one is pinned in all passes, one address was never touched."""
    machine = _machine()
    shell, area = _shell(machine)
    shell.fork("child")
    shell.write(area[0])
    shell.vmsplice(area[2])
    return machine.record(shell.move_pages, 0, area[0:3] + area[4:5], [1] * 4, MPOL_MF_MOVE_ALL)


def _in_kernel() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine)
    machine.migrate_prep()
    pages = [page for address in area[0:2] if (page := shell.page(address)) is not None]
    for page in pages:
        machine.isolate_lru_page(page)
    return machine.record(machine.migrate_pages, pages, lambda page, private, result: machine.alloc_page(1))


def _fault() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine)
    return machine.record(shell.write, area[5])


def _copy_on_write() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine)
    return machine.record(shell.fork("child").write, area[1])


def _with_actors() -> Run[Any]:
    """A write that meets the migration entry, and a munmap that has to wait for mmap_sem until the call ends."""
    machine = _machine()
    shell, area = _shell(machine)
    run = machine.begin(shell.move_pages, 0, area[0:2], [1, 1])
    run.when("COPY").do(shell.write, area[0])
    run.when("COUNT", nth=2).do(shell.munmap, area[3])
    run.finish()
    return run


def _file() -> Run[Any]:
    """Pages of a file with buffers, which a disc writes meanwhile."""
    machine = _machine()
    shell = machine.spawn("shell", uid=0, node=0)
    file = machine.file("data", 4, "ext2")
    area = shell.mmap(pages=4, shared=True, file=file)
    shell.write(area[0:2])
    run = machine.begin(shell.move_pages, 0, area[0:2], [1, 1])
    run.when("PASS").do(file.write_back, 0)
    run.finish()
    return run


def _unmapping() -> Run[Any]:
    machine = _machine()
    shell, area = _shell(machine)
    return machine.record(shell.munmap, area)


RUNS: list[Callable[[], Run[Any]]] = [_moving, _in_kernel, _fault, _copy_on_write, _with_actors, _file, _unmapping]
every_run = pytest.mark.parametrize("make", RUNS, ids=lambda make: make.__name__.strip("_"))


class _WellFormed(HTMLParser):
    """Sees that tags close in order; browsers forgive, readers of the source do not."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed at once."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _press(stepper: Stepper, name: str) -> None:
    """What the front does when a button is pressed: it sets the position, or asks for what only the run knows."""
    if name == "forward" and stepper.position == len(stepper.run):
        _ask(stepper, do="forward")
    else:
        asked = {"first": 0, "back": stepper.position - 1, "forward": stepper.position + 1, "last": len(stepper.run)}
        stepper.set_state({"position": asked[name]})


def _ask(stepper: Stepper, **wish: Any) -> None:
    """What the front sends."""
    stepper._handle_custom_msg(wish, [])


def _shown(stepper: Stepper) -> dict[str, str]:
    """What the front draws, in its own words."""
    return {name: value for name, value in stepper.get_state().items() if name.startswith("html_")}


# -- the controls


@every_run
def test_every_step_is_shown_as_the_model_has_it(make: Callable[[], Run[Any]]) -> None:
    run = make()
    stepper = Stepper(run)
    _press(stepper, "first")
    for step in range(len(run) + 1):
        assert (stepper.position, stepper.at["position"], run.position) == (step, step, step)
        shown = stepper.scene
        for frame in (shown.old, shown.new):
            if frame is not None:
                _see_that_frame_is_true(run.machine, frame.page, dict(f[:2] for f in frame.fields))
                assert f"{frame.role} {frame.page}, node {frame.node}" in (stepper.html_old + stepper.html_new).lower()
        present = {(p.address, p.leads_to) for p in shown.ptes if p.kind == "present" and p.leads_to != "another"}
        for role, other in (("old", shown.old), ("new", shown.new)):
            mapped = run.machine.mapped_at(other.page) if other else []
            assert {(at.address, role) for at in mapped if not at.migration_entry} <= present
        _press(stepper, "forward")
    assert stepper.position == len(run)


def _see_that_frame_is_true(machine: Machine, page: int, fields: dict[str, str]) -> None:
    view = machine.frame(page)
    assert fields["references"] == str(view.count)
    assert fields["mapcount"] == str(view.mapcount)
    assert fields["mapping"] == view.mapping
    assert fields["index"] == str(view.index)
    assert fields["contents"] == (f"#{view.contents}" if view.contents else "zeroes")
    assert fields["flags"] == (", ".join(view.flags) or "none")
    assert (fields["page lock"] == "unlocked") == (not view.locked_by)
    assert ("LRU" in fields["list"]) == view.on_lru
    times = sum(int(part.split(" × ")[1]) if " × " in part else 1 for part in fields["held by"].split(", "))
    assert (times if fields["held by"] != "nobody" else 0) == view.count


@every_run
def test_forward_back_and_jumps_give_the_same_bytes(make: Callable[[], Run[Any]]) -> None:
    run = make()
    stepper = Stepper(run)

    def shown() -> tuple[str, str, dict[str, str]]:
        return stepper.static_html(), stepper.text(), _shown(stepper)

    _press(stepper, "first")
    forward = [shown()]
    for _ in range(len(run)):
        _press(stepper, "forward")
        forward.append(shown())
    for step in range(len(run), 0, -1):
        assert shown() == forward[step]
        _press(stepper, "back")
    assert shown() == forward[0]
    for step in sorted(range(len(run) + 1), key=lambda i: i * 7 % (len(run) + 1)):
        stepper.set_state({"position": step})
        assert shown() == forward[step]


def test_a_second_run_of_the_same_call_is_shown_in_the_same_bytes() -> None:
    """No address of an object, no random id: what nbval compares must not change."""
    bundles = [Stepper(_moving())._repr_mimebundle_()[0] for _ in range(2)]
    for kind in ("text/plain", "text/html"):
        assert bundles[0][kind] == bundles[1][kind]
        assert not re.search(r"0x[0-9a-f]{9,}|object at|<function", bundles[0][kind])


@every_run
def test_stepping_leaves_the_run_as_it_was(make: Callable[[], Run[Any]]) -> None:
    run, untouched = make(), make()
    stepper = Stepper(run)
    for name in ("first", "forward", "forward", "back", "last"):
        _press(stepper, name)
    assert run.machine.fingerprint() == untouched.machine.fingerprint()
    assert not run.machine.in_the_past
    assert stepper.note == ""


def test_the_ends_hold() -> None:
    stepper = Stepper(_fault())
    _press(stepper, "first")
    _press(stepper, "back")
    assert stepper.position == 0
    assert "present()" in stepper.note
    _press(stepper, "last")
    _press(stepper, "forward")
    assert stepper.position == len(stepper.run) == stepper.at["length"]


def test_forward_goes_on_with_a_run_that_is_under_way() -> None:
    """Stepped to its end, the call comes out as it does when nobody looks."""
    machine, other = _machine(), _machine()
    shell, area = _shell(machine)
    stepper = Stepper(machine.begin(shell.move_pages, 0, area[0:2], [1, 1]))
    assert (stepper.position, stepper.at["length"], stepper.at["finished"]) == (0, 0, False)
    while not stepper.run.finished:
        _press(stepper, "forward")
        assert stepper.at["length"] == len(stepper.run)
    his_shell, his_area = _shell(other)
    expected = other.record(his_shell.move_pages, 0, his_area[0:2], [1, 1])
    assert stepper.run.result == expected.result
    assert machine.fingerprint() == other.fingerprint()
    assert stepper.text() == Stepper(expected).text()


def test_forward_at_the_end_forgets_no_later_call() -> None:
    machine = _machine()
    shell, area = _shell(machine)
    first = machine.record(shell.write, area[4])
    later = machine.record(shell.write, area[5])
    stepper = Stepper(first)
    _press(stepper, "forward")
    assert later.goto(len(later)).result == 0


def test_a_run_without_a_journal_is_refused() -> None:
    run = _fault()
    run.machine.stop_recording()
    with pytest.raises(RuntimeError, match="was not kept"):
        Stepper(run)


def test_a_journal_given_up_meanwhile_is_told_in_place_of_the_picture() -> None:
    stepper = Stepper(_fault())
    stepper.run.machine.stop_recording()
    _press(stepper, "first")
    assert "was not kept" in stepper.html_now


# -- what a scene says


def test_old_and_new_frame_go_together_through_an_attempt() -> None:
    run = _moving()
    for attempt in Reading(run).attempts:
        fresh = fresh_frames(run.goto(attempt.first + 1).steps[attempt.first].changes)
        assert fresh == [attempt.new]
        shown = [scene(run, step) for step in range(attempt.first + 1, attempt.end + 1)]
        assert {(s.old and s.old.page, s.new and s.new.page) for s in shown} == {(attempt.old, attempt.new)}


def test_the_new_frame_is_not_shown_before_it_is_had() -> None:
    machine = _machine()
    shell, area = _shell(machine)
    run = machine.record(shell.move_pages, 0, area[0:1], [1])
    (attempt,) = Reading(run).attempts
    assert [scene(run, step).new for step in range(attempt.first + 1)] == [None] * (attempt.first + 1)


def test_attempts_end_where_the_next_begins() -> None:
    attempts = Reading(_moving()).attempts
    assert len(attempts) == 12
    assert all(a.end <= b.first for a, b in pairwise(attempts))


def test_a_new_page_that_was_not_to_be_had_is_not_shown() -> None:
    machine = _machine()
    shell, area = _shell(machine)
    machine.migrate_prep()
    page = shell.page(area[0])
    assert page is not None
    machine.isolate_lru_page(page)
    run = machine.record(machine.migrate_pages, [page], lambda page, private, result: None)
    end = scene(run, len(run))
    assert (end.old and end.old.page, end.new, end.returned) == (page, None, "1")
    assert "gets none" in end.sentence


def test_moments_are_passed_current_ahead_or_never() -> None:
    run = _moving()
    count = next(step.number for step in run.steps if step.moment is COUNT)
    states = {row.moment.name: row.state for row in scene(run, count + 1).rows}
    assert (states["COUNT"], states["LOCK_PAGE"], states["COPY"], states["TREE_LOCK"]) == (
        "current", "passed", "ahead", "never",
    )  # fmt: skip
    second = [step.number for step in run.steps if step.moment.name == "GET_NEW_PAGE"][1]
    again = {row.moment.name: row.state for row in scene(run, second + 1).rows}
    assert (again["GET_NEW_PAGE"], again["LOCK_PAGE"], again["DRAIN"]) == ("current", "ahead", "passed")
    assert [row.moment for row in scene(run, 0).rows if row.moment.number in PIPELINE] == [
        moment for moment in MOMENTS if moment.number in PIPELINE and not moment.served_by
    ]


def test_a_fault_has_no_rows_of_migration() -> None:
    names = [row.moment.name for row in scene(_fault(), 0).rows]
    assert names == ["START", "MMAP_READ", "FAULT"]


def test_reclaim_has_no_rows_of_migration_and_kswapd_has_its_name() -> None:
    """It unmaps pages, too, and waits for discs: those moments alone are no migration."""
    machine = _machine()
    shell, area = _shell(machine)
    machine.migrate_prep()
    run = machine.record(machine.reclaim, [page for a in area[0:2] if (page := shell.page(a)) is not None])
    shown = scene(run, run.find("TRY_TO_UNMAP") + 1)
    assert {row.moment for row in shown.rows} == {step.moment for step in run.steps}
    assert shown.who == "kswapd"
    assert shown.slot is not None
    assert shown.slot.cache == "swap cache"
    assert "PTEs that lead to swap slot 0: 0 → 1" in [str(change) for change in shown.changes]


def test_changes_are_told_in_words() -> None:
    run = _moving()
    unmap = next(step.number for step in run.steps if step.moment.name == "TRY_TO_UNMAP")
    told = [str(change) for change in scene(run, unmap + 1).changes]
    page = run.steps[unmap].about
    assert f"PTE of shell at 0x10000000: page {page} → migration entry for page {page}" in told
    assert f"frame {page}: mapcount 1 → 0" in told
    lock = next(step.number for step in run.steps if step.moment.name == "LOCK_PAGE")
    assert [str(c) for c in scene(run, lock + 1).changes] == [f"frame {page}: unlocked → locked by move_pages"]


@every_run
def test_every_change_of_a_frame_or_pte_is_told(make: Callable[[], Run[Any]]) -> None:
    run = make()
    for step in range(1, len(run) + 1):
        run.goto(step)
        changes = run.steps[step - 1].changes
        told = {(told.page, told.field) for told in tell_changes(run.machine, changes)}
        for change in net(changes):
            if change.label in ("count", "mapcount", "mapping", "index", "flags", "owner", "contents"):
                assert (change.index, change.label) in told
        lines = [str(line) for line in tell_changes(run.machine, changes)]
        tables = [change for change in net(changes) if change.label.startswith("PTEs")]
        assert len([line for line in lines if line.startswith("PTE of")]) == len(tables)


@every_run
def test_each_step_has_its_own_sentence_in_the_present_tense(make: Callable[[], Run[Any]]) -> None:
    run = make()
    for step in range(1, len(run) + 1):
        said = scene(run, step).sentence
        assert said[0].isupper()
        assert said.endswith(".")
        assert "None" not in said
        assert len(said) <= 200


def test_a_count_that_is_too_high_is_said_with_its_holder() -> None:
    run = _moving()
    counts = [step.number for step in run.steps if step.moment is COUNT]
    refused = next(number for number in counts if run.steps[number + 1].moment is not COPY)
    shown = scene(run, refused + 1)
    assert "2 references where 1 may be" in shown.sentence
    assert shown.old is not None
    assert dict(f[:2] for f in shown.old.fields)["held by"] == "move_pages, a pipe of shell"


@every_run
def test_a_count_is_said_to_be_refused_exactly_where_the_call_rolls_back(make: Callable[[], Run[Any]]) -> None:
    run = make()
    counts = [step for step in run.steps if step.moment in (COUNT, COUNT_AND_SLOT)]
    for step in counts:
        then = next(later.moment for later in run.steps[step.number + 1 :] if later.task is step.task)
        assert ("Roll back" in scene(run, step.number + 1).sentence) == (then is UNLOCK_NEW_PAGE)
    assert counts or make in (_fault, _copy_on_write, _unmapping)


def test_who_sleeps_is_shown_with_who_is_in_the_way() -> None:
    run = _with_actors()
    states = {task.text for step in range(len(run) + 1) for task in scene(run, step).tasks if task.state == "sleeps"}
    assert any(re.fullmatch(r"sleeps: the lock of page \d+ is held by move_pages", text) for text in states)
    assert any(re.match(r"sleeps: mmap_sem of mm \d+ is held by move_pages", text) for text in states)
    assert {task.state for task in scene(run, 0).tasks[1:]} == {"waits"}
    assert {task.state for task in scene(run, len(run)).tasks} == {"done"}


def test_an_actor_whose_moment_never_came_is_told() -> None:
    machine = _machine()
    shell, area = _shell(machine)
    run = machine.begin(shell.move_pages, 0, area[0:1], [1])
    run.when(TREE_LOCK).do(shell.write, area[0])
    run.finish()
    assert scene(run, len(run)).tasks[1].state == "never came"


def test_answers_fill_as_the_call_decides_them() -> None:
    run = _moving()
    shown = [tuple(entry.text for entry in scene(run, step).entries) for step in range(len(run) + 1)]
    assert shown[0] == ("–",) * 4
    looked_up = next(step.number for step in run.steps if step.moment is PASS)
    assert shown[looked_up][3] == "-ENOENT"
    assert shown[looked_up][0].endswith("queued")
    assert shown[-1] == ("on node 1", "on node 1", "-EBUSY", "-ENOENT")
    assert [scene(run, step).returned for step in (0, len(run))] == ["", "0"]


def test_names_are_those_of_the_run_that_is_shown() -> None:
    """Another run that came later must not lend its tasks' names to the holders of this one."""
    run = _moving()
    machine = run.machine
    before = picture.text(scene(run, 20))
    machine.present()
    machine.record(machine.processes[0].write, 0x10005000)
    assert picture.text(scene(run, 20)) == before


# -- the picture without a kernel


@every_run
def test_the_picture_is_well_formed_and_asks_for_nothing(make: Callable[[], Run[Any]]) -> None:
    run = make()
    for step in range(len(run) + 1):
        page = picture.static_html(scene(run, step), Reading(run))
        parser = _WellFormed()
        parser.feed(page)
        parser.close()
        assert not parser.open
        assert not re.search(r"<script|https?:|url\(|@import", page)


def test_the_output_carries_view_picture_and_text() -> None:
    stepper = Stepper(_moving())
    data, _ = stepper._repr_mimebundle_()
    assert data["text/plain"] == stepper.text()
    assert data["text/html"] == stepper.static_html()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert repr(stepper) == f"<Stepper of move_pages of shell: step {len(stepper.run)} of {len(stepper.run)}, pass 9>"


def test_text_and_picture_say_the_same() -> None:
    run = _moving()
    for step in range(0, len(run) + 1, 5):
        shown = scene(run, step)
        plain = re.sub(r"<[^>]*>", "", picture.static_html(shown, Reading(run)).replace("&#x27;", "'"))
        for change in shown.changes:
            assert str(change) in picture.text(shown)
            assert change.where in plain
        assert shown.sentence in plain
        assert shown.sentence in picture.text(shown)


def test_names_of_processes_are_escaped() -> None:
    machine = _machine()
    shell = machine.spawn("<img src=x>", node=0)
    page = Stepper(machine.record(shell.write, shell.mmap(pages=1))).static_html()
    assert "<img" not in page
    assert "&lt;img src=x&gt;" in page


def test_the_current_moment_is_marked_once() -> None:
    stepper = Stepper(_moving())
    stepper.position = 10
    assert stepper.html_track.count('aria-current="step"') == 1
    assert stepper.html_log.count('aria-current="step"') == 1


def test_scenes_need_no_widgets_and_the_kit_needs_no_scenes() -> None:
    code = (
        "import sys, numakit; assert 'numakit.widgets' not in sys.modules\n"
        "import numakit.widgets.picture; assert not {'ipywidgets', 'anywidget'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
