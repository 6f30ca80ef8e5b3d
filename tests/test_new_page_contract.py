"""new_page_t: what a function of the reader may do, what is undone if it does something else, and what a replay keeps.

State in a closure of the function belongs to the future that was dropped; only cells of the machine go back with it.
"""

from __future__ import annotations

from collections.abc import Callable
from errno import EBUSY
from typing import Any

import pytest

from numakit import BrokenUserCode, Machine
from tests.scene import Scene


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
    "returns a frame that it took before": lambda s, page, result: s.spare,
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
    with pytest.raises(BrokenUserCode, match=r"line \d|calls back"):
        machine.migrate_pages([page], lambda page, private, result: BROKEN[name](scene, page, result))
    assert machine.fingerprint() == before
    assert machine.inconsistencies() == []
    assert machine.has_journal == journal
    assert machine.migrate_pages([page], lambda page, private, result: machine.alloc_page(1)) == 0


def test_the_line_named_is_the_one_that_raised(scene: Scene) -> None:
    """The innermost line outside the kit, with its text."""
    pages = [isolated_page(scene)]

    def ask(page: int, private: Any, result: Any) -> int | None:
        return scene.machine.alloc_page(node=77)

    says = r"line \d+ \(return scene\.machine\.alloc_page\(node=77\)\): ValueError: node=77"
    with pytest.raises(BrokenUserCode, match=says):
        scene.machine.migrate_pages(pages, ask)


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


def test_a_run_with_user_code_goes_on_from_every_step(scene: Scene) -> None:
    """Also from just after the function was asked."""
    machine, page = scene.machine, isolated_page(scene)
    run = machine.record(machine.migrate_pages, [page], lambda page, private, result: machine.alloc_page(1))
    end = machine.fingerprint()
    for step in range(len(run) + 1):
        run.goto(step)
        run.resume()
        assert run.finish() == 0
        assert machine.fingerprint() == end


def test_a_status_is_written_where_the_function_pointed(scene: Scene) -> None:
    """int **result: the node, or the error, of each page."""
    machine, page = scene.machine, isolated_page(scene)
    cells = machine.cells(2, fill=77)

    def ask(page: int, private: Any, result: Any) -> int | None:
        result.point_to(private, 1)
        return machine.alloc_page(1)

    assert machine.migrate_pages([page], ask, cells) == 0
    assert list(cells) == [77, 1]


def test_an_explanation_tells_the_number_that_stands_in_the_cell(scene: Scene) -> None:
    """A page that was busy in all passes is -EBUSY for both; one that moved has no number, its node is in the cell."""
    machine, page = scene.machine, isolated_page(scene)
    pipe, status = scene.shell.vmsplice(scene.area[1]), machine.cells(1)

    def ask(page: int, private: Any, result: Any) -> int | None:
        result.point_to(private, 0)
        return machine.alloc_page(1)

    busy = machine.migrate_pages([page], ask, status)
    assert (busy.stayed, list(status), busy.verdicts[0].value) == (1, [-EBUSY], -EBUSY)
    assert busy.explain(0).startswith(f"Page {page}: -EBUSY. At the last of ten attempts a pipe of ")
    pipe.release()
    moved = machine.migrate_pages([isolated_page(scene)], ask, status)
    assert (moved.stayed, list(status)) == (0, [1])
    assert ": 0" not in moved.explain(0)


def test_a_notebook_shows_the_sentence_alone(scene: Scene) -> None:
    """The way through the kit would bury the line that the error names."""
    error = BrokenUserCode("line 2 (return page): get_new_page returned frame 1")
    assert error._render_traceback_() == [f"BrokenUserCode: {error}"]
