"""Going back, forth, and on from the past: undo, redo and replay are exact, and the past cannot be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from numakit import (
    MPOL_MF_MOVE_ALL,
    BrokenUserCode,
    InThePast,
    Machine,
    Process,
    Result,
    Run,
    Stuck,
    TopologyError,
    Vma,
)
from numakit.machine.frames import get_page, put_page
from numakit.machine.locks import trylock_page, unlock_page
from numakit.machine.state import MachineState
from numakit.moments import GET_NEW_PAGE, HOLD
from numakit.timeline.run import Run as Timeline
from numakit.timeline.task import Steps, Task, When


class Scene:
    """Two processes that share memory, one page pinned, one untouched; a call over all of it is about to be made."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.shell = machine.spawn("shell", node=0)
        self.area = self.shell.mmap(pages=5)
        self.shell.write(self.area[0:4])
        self.child = self.shell.fork("child")
        self.root = machine.spawn("root", uid=0, node=1)
        self.shell.write(self.area[1])
        self.shell.vmsplice(self.area[2])

    def begin(self) -> Run[Result]:
        """The call, with three others who act meanwhile."""
        call = self.root.move_pages
        run = self.machine.begin(call, self.shell.pid, self.area, [1, 1, 1, 0, 1], MPOL_MF_MOVE_ALL)
        run.when("COPY").do(self.child.write, self.area[0])
        run.when("PASS", nth=3).do(self.shell.mmap, 2)
        run.when("TRY_TO_UNMAP", nth=2).do(self.shell.read, self.area[1])
        return run

    def record(self) -> Run[Result]:
        """The same, made to its end."""
        run = self.begin()
        run.finish()
        return run


@pytest.fixture
def scene(machine: Machine) -> Scene:
    """On two nodes of 64 frames."""
    return Scene(machine)


# -- back and forth


def test_each_step_shows_the_same_state_forward_backward_and_by_a_jump(scene: Scene) -> None:
    """Fingerprints at every position, however it is reached."""
    run, machine = scene.begin(), scene.machine
    while_made = [machine.fingerprint()]
    while not run.finished:
        run.forward()
        while_made.append(machine.fingerprint())
    run.finish()
    steps = range(len(while_made))
    backward = {step: run.goto(step).machine.fingerprint() for step in reversed(steps)}
    forward = {step: run.goto(step).machine.fingerprint() for step in steps}
    jumps = {step: run.goto(step).machine.fingerprint() for step in sorted(steps, key=lambda step: step * 37 % 101)}
    assert backward == forward == jumps == dict(enumerate(while_made))


def test_back_and_forward_go_step_by_step(scene: Scene) -> None:
    """back() and forward() stop at the ends."""
    run = scene.record()
    assert run.position == len(run)
    assert run.back().position == len(run) - 1
    assert run.back(5).position == len(run) - 6
    assert run.forward(2).position == len(run) - 4
    assert run.back(10**6).position == 0
    assert run.back().position == 0
    assert run.forward().position == 1
    assert run.last().position == len(run)
    assert run.first().position == 0


def test_undo_to_the_start_is_the_machine_before_the_call(scene: Scene) -> None:
    """And the end is the end."""
    before = scene.machine.fingerprint()
    run = scene.record()
    after = scene.machine.fingerprint()
    assert run.first().machine.fingerprint() == before != after
    assert run.last().machine.fingerprint() == after


def test_every_step_of_a_run_leaves_a_sound_machine(scene: Scene) -> None:
    """Counts, lists and PTEs fit at every position."""
    run = scene.record()
    for step in range(len(run) + 1):
        run.goto(step)
        assert scene.machine.inconsistencies() == []


@pytest.mark.parametrize("place", [0.0, 0.1, 0.35, 0.5, 0.8, 1.0])
def test_going_on_from_a_past_step_comes_to_the_same_end(scene: Scene, place: float) -> None:
    """Undo, create the generators anew, replay with every write asserted, and go on: same steps, result and state."""
    run = scene.record()
    end, result, names = scene.machine.fingerprint(), run.result.outcome, [str(step) for step in run.steps]
    run.goto(round(place * len(run)))
    run.resume()
    run.finish()
    assert scene.machine.fingerprint() == end
    assert (run.result.outcome, [str(step) for step in run.steps]) == (result, names)


def test_what_is_done_at_a_past_step_changes_the_future(scene: Scene) -> None:
    """run.now: the steps after it are forgotten, those before stay."""
    run = scene.record()
    at = next(step.number for step in run.steps if step.moment.name == "GET_NEW_PAGE")
    before = [str(step) for step in run.steps[:at]]
    run.goto(at)
    other = run.now.do(scene.child.exit)
    run.finish()
    assert (other.result, scene.child.alive) == (0, False)
    assert [str(step) for step in run.steps[:at]] == before
    assert run.steps[at].task.name == "exit"


def test_with_and_without_a_journal_the_machine_is_the_same(make_machine: Callable[..., Machine]) -> None:
    """Recording changes nothing but what can be done afterwards."""
    plain, recorded = Scene(make_machine({0: 64, 1: 64})), Scene(make_machine({0: 64, 1: 64}))
    arguments = ([1, 1, 1, 0, 1], MPOL_MF_MOVE_ALL)
    result = plain.root.move_pages(plain.shell.pid, plain.area, *arguments)
    run = recorded.machine.record(recorded.root.move_pages, recorded.shell.pid, recorded.area, *arguments)
    assert not plain.machine.has_journal
    assert recorded.machine.has_journal
    assert (run.result.outcome, run.result.rows) == (result.outcome, result.rows)
    assert recorded.machine.fingerprint() == plain.machine.fingerprint()


def test_an_actor_that_never_began_is_told(scene: Scene) -> None:
    """A moment that did not come is no silent success."""
    run = scene.begin()
    actor = run.when("SLEEP_ON_WRITEBACK").do(scene.child.write, scene.area[0])
    run.finish()
    assert [task.name for task in run.never_began] == ["write"]
    assert not actor.began
    with pytest.raises(RuntimeError, match="its moment never came"):
        _ = actor.result


# -- the past


WRITES: dict[str, Callable[[Scene], object]] = {
    "write": lambda s: s.shell.write(s.area[0]),
    "read": lambda s: s.shell.read(s.area[0]),
    "mmap": lambda s: s.shell.mmap(pages=1),
    "munmap": lambda s: s.shell.munmap(s.area),
    "mprotect": lambda s: s.shell.mprotect(s.area, 1),
    "mlock": lambda s: s.shell.mlock(s.area),
    "munlock": lambda s: s.shell.munlock(s.area),
    "fork": lambda s: s.shell.fork(),
    "exit": lambda s: s.child.exit(),
    "vmsplice": lambda s: s.shell.vmsplice(s.area[0]),
    "direct_io": lambda s: s.shell.direct_io(s.area[0]),
    "array": lambda s: s.shell.array(s.area[0], [1], 4),
    "move_pages": lambda s: s.shell.move_pages(0, s.area[0:1], [1]),
    "query": lambda s: s.shell.move_pages(0, s.area),
    "spawn": lambda s: s.machine.spawn("late"),
    "kernel_thread": lambda s: s.machine.kernel_thread("late"),
    "alloc_page": lambda s: s.machine.alloc_page(0),
    "cells": lambda s: s.machine.cells(1),
    "isolate_lru_page": lambda s: s.machine.isolate_lru_page(s.shell.page(s.area[0]) or 0),
    "migrate_prep": lambda s: s.machine.migrate_prep(),
    "migrate_pages": lambda s: s.machine.migrate_pages([], lambda page, private, result: None),
    "record": lambda s: s.machine.record(s.shell.read, s.area[0]),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_machine_in_its_past_refuses_writes(scene: Scene, name: str) -> None:
    """InThePast says how to come back; nothing is changed by the attempt."""
    run = scene.record()
    run.goto(len(run) // 2)
    before = scene.machine.fingerprint()
    with pytest.raises(InThePast, match=r"run\.last\(\).*run\.resume\(\)"):
        WRITES[name](scene)
    assert scene.machine.fingerprint() == before
    scene.machine.present()
    WRITES[name](scene)


def test_cells_refuse_the_past_too(scene: Scene) -> None:
    """They are part of the machine."""
    cells = scene.machine.cells(2)
    run = scene.record()
    run.first()
    with pytest.raises(InThePast):
        cells[0] = 1
    run.last()
    cells[0] = 1
    assert list(cells) == [1, 0]


def test_a_process_before_its_birth_does_not_exist(scene: Scene) -> None:
    """A process is a view of the machine, and goes back with it."""
    run = scene.machine.record(scene.shell.fork, "late")
    late = run.result
    assert late.alive
    run.first()
    assert not late.alive
    with pytest.raises(ValueError, match="does not exist now"):
        _ = late.mm


# -- wrong arguments


def recorded(scene: Scene) -> Run[Result]:
    """A short recorded run."""
    return scene.machine.record(scene.shell.move_pages, 0, scene.area)


WRONG: dict[str, tuple[str, Callable[[Scene], object]]] = {
    "kernel": ("kernel='nope'", lambda s: Machine(s.machine.topology, kernel="nope")),
    "scale": ("scale=0", lambda s: Machine(s.machine.topology, scale=0)),
    "spawn node": ("node=9", lambda s: s.machine.spawn("x", node=9)),
    "spawn mems empty": (r"mems=\[\]", lambda s: s.machine.spawn("x", mems=[])),
    "spawn mems": (r"mems=\[9\]", lambda s: s.machine.spawn("x", mems=[9])),
    "spawn uid": ("uid=-1", lambda s: s.machine.spawn("x", uid=-1)),
    "spawn capabilities": ("CAP_NOPE", lambda s: s.machine.spawn("x", capabilities=["CAP_NOPE"])),
    "spawn capabilities text": ("CAP_SYS_NICE", lambda s: s.machine.spawn("x", capabilities="CAP_SYS_NICE")),
    "mmap pages": ("pages=0", lambda s: s.shell.mmap(pages=0)),
    "mmap prot": ("prot=8", lambda s: s.shell.mmap(pages=1, prot=8)),
    "mmap address": ("address=7", lambda s: s.shell.mmap(pages=1, address=7)),
    "mmap address text": ("address='x'", lambda s: s.shell.mmap(pages=1, address="x")),  # type: ignore[arg-type]
    "munmap gap": ("neighbouring", lambda s: s.shell.munmap([s.area[0], s.area[2]])),
    "munmap none": ("neighbouring", lambda s: s.shell.munmap([])),
    "mprotect": ("prot=9", lambda s: s.shell.mprotect(s.area, 9)),
    "mlock": ("neighbouring", lambda s: s.shell.mlock([s.area[1], s.area[0]])),
    "munlock": ("neighbouring", lambda s: s.shell.munlock([s.area[1], s.area[0]])),
    "write": ("pages=-1", lambda s: s.shell.write(-1)),
    "read": ("pages=140737488355328", lambda s: s.shell.read(1 << 47)),
    "vmsplice": ("pages=-3", lambda s: s.shell.vmsplice(-3)),
    "direct_io": ("pages=-3", lambda s: s.shell.direct_io(-3)),
    "array size": ("size=2", lambda s: s.shell.array(s.area[0], [1], 2)),
    "array values": (r"values\[0\]=1099511627776", lambda s: s.shell.array(s.area[0], [1 << 40], 4)),
    "array address": ("address", lambda s: s.shell.array(list(s.area), [1], 8)),  # type: ignore[arg-type]
    "move_pages pid": ("pid='x'", lambda s: s.shell.move_pages("x", s.area, [1] * 5)),  # type: ignore[arg-type]
    "move_pages pages": (r"pages\[0\]=-1", lambda s: s.shell.move_pages(0, [-1], [1])),
    "move_pages nodes": ("nodes has 1 elements", lambda s: s.shell.move_pages(0, s.area, [1])),
    "move_pages node": (r"nodes\[0\]=2147483648", lambda s: s.shell.move_pages(0, s.area[0:1], [1 << 31])),
    "move_pages flags": ("flags='M'", lambda s: s.shell.move_pages(0, s.area, None, "M")),  # type: ignore[arg-type]
    "move_pages status": ("status", lambda s: s.shell.move_pages(0, s.area, None, 2, [0])),  # type: ignore[arg-type]
    "move_pages nr_pages": ("nr_pages=3", lambda s: s.shell.move_pages(0, s.area, nr_pages=3)),
    "alloc_page": ("node=9", lambda s: s.machine.alloc_page(9)),
    "free_page": ("page=3", lambda s: s.machine.free_page(3)),
    "cells": ("-1", lambda s: s.machine.cells(-1)),
    "cells fill": ("fill='x'", lambda s: s.machine.cells(1, fill="x")),  # type: ignore[arg-type]
    "isolate_lru_page": ("page=128", lambda s: s.machine.isolate_lru_page(128)),
    "putback_lru_pages": ("page 3 was not isolated", lambda s: s.machine.putback_lru_pages([3])),
    "migrate_pages": ("page 3 was not isolated", lambda s: s.machine.migrate_pages([3], lambda p, v, r: None)),
    "get_new_page": ("get_new_page=5", lambda s: s.machine.migrate_pages([], 5)),  # type: ignore[arg-type]
    "frame": ("page=-1", lambda s: s.machine.frame(-1)),
    "mapped_at": ("page=-1", lambda s: s.machine.mapped_at(-1)),
    "lru": ("node=9", lambda s: s.machine.lru(9)),
    "free_frames": ("node=9", lambda s: s.machine.free_frames(9)),
    "pages_in_pagevec": ("cpu=99", lambda s: s.machine.pages_in_pagevec(99)),
    "area": (r"area\[9\]", lambda s: s.area[9]),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_argument_raises_one_exception_and_changes_nothing(scene: Scene, name: str) -> None:
    """It names the argument, and the value or what is allowed; the machine is as before, and goes on."""
    text, call = WRONG[name]
    before = scene.machine.fingerprint()
    with pytest.raises((ValueError, TypeError, IndexError, TopologyError), match=text):
        call(scene)
    assert scene.machine.fingerprint() == before
    assert scene.shell.write(scene.area[0]) == 0


@pytest.mark.parametrize(
    ("text", "call"),
    [
        ("step=-1", lambda run: run.goto(-1)),
        ("step=9999", lambda run: run.goto(9999)),
        ("step='x'", lambda run: run.goto("x")),
        ("moment='NOPE'", lambda run: run.when("NOPE")),
        ("nth=0", lambda run: run.when("COPY", nth=0)),
        ("i=9", lambda run: run.result.explain(9)),
        ("i=-1", lambda run: run.result.explain(-1)),
        ("", lambda run: run.steps[9999]),
    ],
)
def test_a_wrong_argument_of_a_run_leaves_it_where_it_stands(
    scene: Scene, text: str, call: Callable[[Run[Any]], object]
) -> None:
    """Runs, steps and results."""
    run = recorded(scene)
    run.goto(3)
    before = scene.machine.fingerprint()
    with pytest.raises((ValueError, IndexError), match=text):
        call(run)
    assert (run.position, scene.machine.fingerprint()) == (3, before)


# -- code of the reader


def isolated_page(scene: Scene) -> int:
    """A page that only the shell maps, off the LRU."""
    scene.machine.migrate_prep()
    page = scene.shell.page(scene.area[1])
    assert page is not None
    assert scene.machine.isolate_lru_page(page) == 0
    return page


def takes_two(machine: Machine, page: int) -> int | None:
    machine.alloc_page(1)
    return machine.alloc_page(1)


def leaks(machine: Machine, page: int) -> int | None:
    machine.alloc_page(1)
    return None


def gives_the_old_page_away(machine: Machine, page: int) -> int | None:
    new = machine.alloc_page(1)
    machine.putback_lru_pages([page])
    return new


def points_nowhere(machine: Machine, page: int, result: Any) -> int | None:
    result.point_to([0], 0)
    return machine.alloc_page(1)


def points_behind_the_end(machine: Machine, page: int, result: Any) -> int | None:
    result.point_to(machine.cells(1), 1)
    return machine.alloc_page(1)


BROKEN: dict[str, Callable[[Scene, int, Any], Any]] = {
    "raises": lambda s, page, result: 1 // 0,
    "returns the old page": lambda s, page, result: page,
    "returns another page": lambda s, page, result: s.shell.page(s.area[0]),
    "returns a free frame": lambda s, page, result: s.machine.nr_frames - 1,
    "returns no frame": lambda s, page, result: s.machine.nr_frames,
    "returns a negative number": lambda s, page, result: -1,
    "returns a text": lambda s, page, result: "page",
    "returns a truth value": lambda s, page, result: True,
    "takes two": lambda s, page, result: takes_two(s.machine, page),
    "leaks": lambda s, page, result: leaks(s.machine, page),
    "gives the old page away": lambda s, page, result: gives_the_old_page_away(s.machine, page),
    "calls back into migration": lambda s, page, result: s.machine.migrate_pages([], lambda p, v, r: None),
    "makes a system call": lambda s, page, result: s.shell.move_pages(0, s.area, [1] * 5),
    "asks for a wrong node": lambda s, page, result: s.machine.alloc_page(7),
    "points at a list": lambda s, page, result: points_nowhere(s.machine, page, result),
    "points behind the end": lambda s, page, result: points_behind_the_end(s.machine, page, result),
    "page of another machine": lambda s, page, result: Machine(s.machine.topology, scale=1).alloc_page(1),
}


@pytest.mark.parametrize("name", BROKEN)
@pytest.mark.parametrize("journal", [False, True], ids=["plain", "recorded"])
def test_a_get_new_page_that_breaks_its_contract(scene: Scene, name: str, journal: bool) -> None:
    """BrokenUserCode names a line, and the machine is as it was before the call, ready to go on."""
    machine, page = scene.machine, isolated_page(scene)
    if journal:
        machine.record(scene.shell.read, scene.area[0])
    before = machine.fingerprint()
    with pytest.raises(BrokenUserCode, match="line [1-9]|calls back"):
        machine.migrate_pages([page], lambda page, private, result: BROKEN[name](scene, page, result))
    assert machine.fingerprint() == before
    assert machine.inconsistencies() == []
    assert machine.has_journal == journal
    assert machine.migrate_pages([page], lambda page, private, result: machine.alloc_page(1)) == 0


def test_the_line_named_is_the_one_that_raised(scene: Scene) -> None:
    """The innermost line outside the kit, with its text."""
    with pytest.raises(BrokenUserCode, match=r"line \d+ \(return machine\.alloc_page\(node=77\)\): ValueError: node=77"):

        def ask(page: int, private: Any, result: Any) -> int | None:
            machine = private
            return machine.alloc_page(node=77)  # type: ignore[no-any-return]

        scene.machine.migrate_pages([isolated_page(scene)], ask, scene.machine)


def test_an_interrupted_get_new_page_does_not_block_the_machine(scene: Scene) -> None:
    """Who interrupts a cell in the middle of his function can go on calling."""
    page = isolated_page(scene)

    def interrupted(page: int, private: Any, result: Any) -> int | None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.machine.migrate_pages([page], interrupted)
    assert scene.shell.write(scene.area[1]) == 0


def test_a_second_page_that_breaks_the_contract_undoes_the_first(scene: Scene) -> None:
    """The whole call is undone, with the pages that had moved."""
    machine, first = scene.machine, isolated_page(scene)
    second = scene.shell.page(scene.area[3])
    assert second is not None
    assert machine.isolate_lru_page(second) == 0
    before, asked = machine.fingerprint(), list[int]()

    def ask(page: int, private: Any, result: Any) -> int | None:
        asked.append(page)
        return machine.alloc_page(1) if page == first else page

    with pytest.raises(BrokenUserCode):
        machine.migrate_pages([first, second], ask)
    assert (asked, machine.fingerprint()) == ([first, second], before)


def test_answers_of_user_code_are_kept_and_what_it_wrote_is_redone(scene: Scene) -> None:
    """A replay does not call the function for steps that it plays again; cells have what the function wrote."""
    machine, page = scene.machine, isolated_page(scene)
    cells, asked = machine.cells(1), list[int]()

    def ask(page: int, private: Any, result: Any) -> int | None:
        asked.append(page)
        private[0] += 1
        result.point_to(private, 0) if len(private) > 1 else None
        return machine.alloc_page(1)

    run = machine.record(machine.migrate_pages, [page], ask, cells)
    end = machine.fingerprint()
    at = next(step.number for step in run.steps if step.moment.name == "COPY")
    run.goto(at)
    run.resume()
    run.finish()
    assert (asked, list(cells), machine.fingerprint()) == ([page], [1], end)
    run.first()
    assert list(cells) == [0]
    run.resume()
    run.finish()
    assert (asked, list(cells), machine.fingerprint()) == ([page, page], [1], end)


def test_a_status_is_written_where_the_function_pointed(scene: Scene) -> None:
    """int **result: the node, or the error, of each page."""
    machine, page = scene.machine, isolated_page(scene)
    cells = machine.cells(2, fill=77)

    def ask(page: int, private: Any, result: Any) -> int | None:
        result.point_to(private, 1)
        return machine.alloc_page(1)

    assert machine.migrate_pages([page], ask, cells) == 0
    assert list(cells) == [77, 1]


# -- the journal


def timeline(scene: Scene, limit: int) -> Timeline[Any]:
    """A recorded run of a whole call with a small journal."""
    prepared = scene.shell.move_pages.prepare(0, scene.area, [1] * 5)
    return Timeline(scene.machine, prepared.task(), prepared.present, journal_limit=limit)


def test_a_run_that_outgrows_its_journal_goes_on_unrecorded(make_machine: Callable[..., Machine]) -> None:
    """It never drops the oldest: it says that there is no way back. The result and the machine are the same."""
    small, large = Scene(make_machine({0: 64, 1: 64})), Scene(make_machine({0: 64, 1: 64}))
    run, kept = timeline(small, 800), timeline(large, 1 << 20)
    assert run.finish().outcome == kept.finish().outcome
    assert small.machine.fingerprint() == large.machine.fingerprint()
    assert (run.recorded, kept.recorded, small.machine.has_journal) == (False, True, False)
    assert "outgrew 800 bytes" in run.no_way_back
    assert len(run.steps) == 0
    with pytest.raises(RuntimeError, match="outgrew 800 bytes"):
        run.first()
    assert small.shell.write(small.area[0]) == 0


def test_an_older_run_cannot_be_shown_when_the_journal_was_forgotten(scene: Scene) -> None:
    """It says so instead of showing something else."""
    old = recorded(scene)
    timeline(scene, 400).finish()
    with pytest.raises(RuntimeError):
        old.first()


def test_an_older_run_can_be_shown_after_later_calls(scene: Scene) -> None:
    """Calls made after a recorded one are journalled too; going on from the old run forgets them."""
    run = recorded(scene)
    at_its_end = scene.machine.fingerprint()
    scene.shell.write(scene.area[4])
    now = scene.machine.fingerprint()
    assert run.last().machine.fingerprint() == at_its_end
    assert scene.machine.in_the_past
    scene.machine.present()
    assert scene.machine.fingerprint() == now


def test_changes_have_the_values_before_and_after_a_step(scene: Scene) -> None:
    """At whatever step the machine stands, and equal to what the machine shows before and after."""
    run, machine = scene.record(), scene.machine
    at_the_end = [step.changes for step in run.steps]
    for standing in range(0, len(run) + 1, 7):
        run.goto(standing)
        assert [step.changes for step in run.steps] == at_the_end

    def value(label: str, index: Any) -> Any:
        return machine.table.get(index) if label == "table" else getattr(machine, label)[index]

    for step, changes in zip(run.steps, at_the_end, strict=True):
        shown = [c for c in changes if c.label == "table" or c.label in ("count", "mapcount", "stamp", "contents")]
        first = {(c.label, c.index): c.before for c in reversed(shown)}
        last = {(c.label, c.index): c.after for c in shown}
        run.goto(step.number)
        assert {place: value(*place) for place in first} == first
        run.goto(step.number + 1)
        assert {place: value(*place) for place in last} == last


def test_the_steps_changes_are_all_that_differs(scene: Scene) -> None:
    """What is not among the changes of a step is the same before and after it."""
    run, machine = scene.record(), scene.machine

    def everything() -> dict[Any, Any]:
        arrays = {n: bytes(machine.arrays[n]) for n in range(1, len(machine.arrays)) if ("array", n) in machine.table}
        return {**machine.table, **arrays}

    run.first()
    before = everything()
    for step in run.steps:
        run.goto(step.number + 1)
        after = everything()
        keys = {c.index for c in step.changes if c.label == "table"}
        differs = {key for key in {*before, *after} if before.get(key) != after.get(key) and not isinstance(key, int)}
        assert differs <= keys
        if not step.changes:
            assert after == before
        before = after


def test_the_fingerprint_covers_every_array(scene: Scene) -> None:
    """One integer anywhere makes another fingerprint, and back again."""
    machine = scene.machine
    before = machine.fingerprint()
    for number in range(1, len(machine.arrays)):
        memory = machine.arrays[number]
        if ("array", number) in machine.table and len(memory):
            value = memory[-1]
            machine.set(memory, len(memory) - 1, value ^ 1)
            assert machine.fingerprint() != before
            machine.set(memory, len(memory) - 1, value)
    assert machine.fingerprint() == before


def test_the_fingerprint_covers_every_structure(scene: Scene) -> None:
    """A structure that is gone, or new, makes another fingerprint."""
    machine = scene.machine
    before = machine.fingerprint()
    for key, value in list(machine.table.items()):
        machine.put(key, None)
        assert machine.fingerprint() != before
        machine.put(key, value)
    machine.put(("new", 1), 1)
    assert machine.fingerprint() != before
    machine.put(("new", 1), None)
    assert machine.fingerprint() == before


def test_the_fingerprint_does_not_depend_on_the_order_of_structures(scene: Scene) -> None:
    """Undo may put a structure back in another place of the table."""
    machine = scene.machine
    before, pid = machine.fingerprint(), scene.shell.pid
    struct = machine.table[("process", pid)]
    machine.put(("process", pid), None)
    machine.put(("process", pid), struct)
    assert machine.fingerprint() == before


# -- locked pages


def driver(address: int, process: Process, *, lets_go: bool) -> Callable[[MachineState], Steps[int]]:
    """A driver that takes a page through its PTE and keeps it locked for a while, or for ever."""

    def start(m: MachineState) -> Steps[int]:
        page = process.page(address)
        assert page is not None
        get_page(m, page, m.current)
        locked = trylock_page(m, page)
        assert locked
        yield HOLD, 0
        put_page(m, page, m.current)
        if lets_go:
            unlock_page(m, page)
        return 0

    return start


def lock_meanwhile(scene: Scene, *, lets_go: bool) -> tuple[Run[Result], Vma]:
    """A call that finds its page locked."""
    area = scene.shell.mmap(pages=1)
    scene.shell.write(area)
    run = scene.machine.begin(scene.shell.move_pages, 0, area, [1])
    run.add(Task("a driver", driver(area[0], scene.shell, lets_go=lets_go), when=When(GET_NEW_PAGE)))
    return run, area


def test_polite_passes_skip_a_locked_page_and_the_first_forced_one_sleeps(scene: Scene) -> None:
    """Passes 0 to 2 go by, pass 3 sleeps until the page is unlocked; then it moves."""
    run, area = lock_meanwhile(scene, lets_go=True)
    assert (run.finish().status, area.nodes) == ([1], [1])
    mine = [step.moment.name for step in run.steps if step.task is run.call]
    assert (mine.count("PASS"), mine.count("LOCK_PAGE"), mine.count("SLEEP_ON_PAGE")) == (4, 4, 1)


def test_a_run_in_which_nobody_will_unlock_a_page_is_stuck(scene: Scene) -> None:
    """It says who waits for whom."""
    run, area = lock_meanwhile(scene, lets_go=False)
    page = scene.shell.page(area[0])
    with pytest.raises(Stuck, match=f"move_pages waits in lock_page for the lock of page {page}, held by a driver"):
        run.finish()
    assert not run.finished
    run.first()
    assert scene.shell.page(area[0]) == page
