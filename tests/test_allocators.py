"""The allocators that are shipped, and what happens to one of the reader's that breaks its contract."""

from __future__ import annotations

import re
from collections.abc import Callable
from errno import EBUSY, ENOMEM
from functools import partial
from typing import Any

import pytest

from numakit import (
    BrokenUserCode,
    Cells,
    InThePast,
    Machine,
    MigrationResult,
    Process,
    by_preference,
    failing,
    interleaved,
    nearest_with_room,
    to_node,
)
from numakit.allocators import GetNewPage
from numakit.machine.consistency import left_in_flight


@pytest.fixture
def ring(make_machine: Callable[..., Machine]) -> Machine:
    """Four nodes, 64, 8, 8 and 8 frames; from node 0 the nearest is 2, then 1 and 3; node 3 has no CPUs."""
    distances = [(0, 1, 20), (0, 2, 15), (0, 3, 20), (1, 2, 20), (1, 3, 15), (2, 3, 20)]
    return make_machine({0: 64, 1: 8, 2: 8, 3: 8}, distances, {0: (0, 1), 1: (2,), 2: (4,)})


def isolated(machine: Machine, pages: int) -> list[int]:
    """So many pages of a new process on node 0, off their LRU list and the caller's to migrate."""
    process = machine.spawn("owner", node=0)
    area = process.mmap(pages)
    process.write(area)
    machine.migrate_prep()
    found = [page for address in area if (page := process.page(address)) is not None]
    assert [machine.isolate_lru_page(page) for page in found] == [0] * pages
    return found


def nodes_after(machine: Machine) -> list[int | None]:
    """Where the pages of the process made last are."""
    return machine.processes[-1].vmas[0].nodes


# -- those that are shipped


def test_to_node(ring: Machine) -> None:
    """Everything to one node, until it is full."""
    pages = isolated(ring, 10)
    result = ring.migrate_pages(pages, to_node(ring, 1))
    assert (result.stayed, result.rows) == (2, ["moved"] * 8 + ["full"] * 2)
    assert nodes_after(ring) == [1] * 8 + [0, 0]


def test_interleaved(ring: Machine) -> None:
    """In turn, and in the order given; whose turn it is stands in the cell."""
    turn = ring.cells(1)
    assert ring.migrate_pages(isolated(ring, 5), interleaved(ring, [3, 1, 2]), turn) == 0
    assert (nodes_after(ring), list(turn)) == ([3, 1, 2, 3, 1], [5])


def test_interleaved_goes_back_with_the_machine(ring: Machine) -> None:
    """The cell is part of the machine: a replay from the past deals out the same nodes."""
    turn, pages = ring.cells(1), isolated(ring, 3)
    run = ring.record(ring.migrate_pages, pages, interleaved(ring, [1, 2]), turn)
    after = ring.fingerprint()
    run.first()
    assert list(turn) == [0]
    run.goto(len(run) // 2)
    run.finish()
    assert (nodes_after(ring), list(turn), ring.fingerprint()) == ([1, 2, 1], [3], after)


def test_nearest_with_room(ring: Machine) -> None:
    """By distance from where the page is, without that node; of nodes equally near the lowest comes first."""
    assert ring.migrate_pages(isolated(ring, 20), nearest_with_room(ring)) == 0
    assert nodes_after(ring) == [2] * 8 + [1] * 8 + [3] * 4


def test_nearest_with_room_gives_up_when_all_others_are_full(ring: Machine) -> None:
    """A page never moves to another frame of its own node."""
    result = ring.migrate_pages(isolated(ring, 30), nearest_with_room(ring))
    assert (result.stayed, result.rows[-6:]) == (6, ["full"] * 6)
    assert nodes_after(ring)[-6:] == [0] * 6


def test_by_preference(ring: Machine) -> None:
    """The first of the list that has room."""
    result = ring.migrate_pages(isolated(ring, 18), by_preference(ring, [3, 1]))
    assert (result.stayed, nodes_after(ring)) == (2, [3] * 8 + [1] * 8 + [0, 0])


@pytest.mark.parametrize(("every", "stay"), [(1, 4), (2, 2), (3, 1), (5, 0)])
def test_failing(ring: Machine, every: int, stay: int) -> None:
    """Every so many requests one gets none; the others are served."""
    result = ring.migrate_pages(isolated(ring, 4), failing(ring, every))
    assert (result.stayed, result.rows.count("full")) == (stay, stay)
    assert result.rows == ["full" if (i + 1) % every == 0 else "moved" for i in range(4)]


def test_failing_around_another_allocator(ring: Machine) -> None:
    """What serves the other requests can be chosen, and has its own memory in `private`."""
    turn = ring.cells(1)
    assert ring.migrate_pages(isolated(ring, 4), failing(ring, 4, interleaved(ring, [1, 2])), turn) == 1
    assert nodes_after(ring) == [1, 2, 1, 0]


@pytest.mark.parametrize(
    ("make", "names"),
    [
        (lambda m: to_node(m, 9), "node=9"),
        (lambda m: interleaved(m, [0, 7]), "node=7"),
        (lambda m: interleaved(m, []), "nodes=[]"),
        (lambda m: by_preference(m, ()), "nodes=[]"),
        (lambda m: failing(m, 0), "every=0"),
    ],
)
def test_wrong_arguments_are_refused_early(ring: Machine, make: Callable[[Machine], Any], names: str) -> None:
    """Before any page is touched, with the argument and its value."""
    with pytest.raises(ValueError, match=re.escape(names)):
        make(ring)


def with_status(get_new_page: GetNewPage, status: Cells, pages: list[int]) -> GetNewPage:
    """An allocator that also has the status of each page written, as move_pages() does."""

    def get_new_page_with_status(page: int, private: Any, result: Any) -> int | None:
        result.point_to(status, pages.index(page))
        return get_new_page(page, private, result)

    return get_new_page_with_status


def test_statuses_are_written_where_result_points(ring: Machine) -> None:
    """The node where the page is, or an errno; nothing beside."""
    pages, status = isolated(ring, 3), ring.cells(4, fill=99)
    result = ring.migrate_pages(pages, with_status(failing(ring, 2, to_node(ring, 2)), status, pages))
    assert (result.stayed, list(status)) == (1, [2, -ENOMEM, 2, 99])


def test_statuses_of_failures(machine: Machine) -> None:
    """-ENOMEM where the allocator has none, -EBUSY where the page is held in all passes, the node where it moved."""
    pages, status = isolated(machine, 3), machine.cells(3, fill=99)
    owner = machine.processes[-1]
    owner.vmsplice(owner.vmas[0][1])

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        result.point_to(status, pages.index(page))
        return None if page == pages[2] else machine.alloc_page(1)

    result = machine.migrate_pages(pages, get_new_page)
    assert (result.stayed, result.rows, list(status)) == (2, ["moved", "pinned", "full"], [1, -EBUSY, -ENOMEM])
    assert (result.costs.attempts, result.costs.retries, result.costs.thrown_away) == (12, 10, 10)


def test_a_pointer_holds_for_one_attempt(machine: Machine) -> None:
    """Who points in the first pass only gets the answer of the first pass, and no later one."""
    pages, status, asked = isolated(machine, 1), machine.cells(1), machine.cells(1)
    owner = machine.processes[-1]
    pin = owner.vmsplice(owner.vmas[0])

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        if not asked[0]:
            result.point_to(status, 0)
        asked[0] += 1
        return machine.alloc_page(1)

    run = machine.begin(machine.migrate_pages, pages, get_new_page)
    run.when("PASS", in_pass=2).do(pin.release)
    assert (run.finish().stayed, list(status), list(asked)) == (0, [-EBUSY], [3])


def test_an_allocator_may_change_its_mind(ring: Machine) -> None:
    """A frame that it took and gave back in the same request is nobody's business."""

    def even_frames_only(page: int, private: Any, result: Any) -> int | None:
        first, second = ring.alloc_page(1), ring.alloc_page(1)
        assert first is not None
        assert second is not None
        unwanted, wanted = sorted((first, second), key=lambda frame: frame % 2 == 0)
        ring.free_page(unwanted)
        return wanted

    assert ring.migrate_pages(isolated(ring, 2), even_frames_only) == 0
    assert nodes_after(ring) == [1, 1]


def test_an_allocator_may_make_cells(ring: Machine) -> None:
    """They belong to the machine and go back with it."""

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        result.point_to(ring.cells(1), 0)
        return ring.alloc_page(1)

    assert ring.migrate_pages(isolated(ring, 2), get_new_page) == 0


# -- those that break their contract: each is compiled as a cell of a notebook

CELL = """\
# a cell
def get_new_page(page, private, result):
    fresh = machine.alloc_page(1)
    {line}
"""

BROKEN = {  #: what the reader did -> (line 4 of the cell, what the error says)
    "raises": ("raise KeyError('node')", "KeyError: 'node'"),
    "asserts": ("assert fresh is None", "AssertionError"),
    "divides by zero": ("return page // 0", "ZeroDivisionError"),
    "fails inside a library": ("import random; return random.choice([])", "IndexError"),
    "returns a busy frame": ("machine.free_page(fresh); return busy", "in use"),
    "returns a free frame": ("machine.free_page(fresh); return fresh", "did not allocate it from this machine"),
    "returns the zero page": ("machine.free_page(fresh); return machine.table['zero page']", "did not allocate"),
    "takes a frame of another machine": ("machine.free_page(fresh); return other.alloc_page(1)", "another machine"),
    "returns a frame taken from another machine before": (
        "machine.free_page(fresh); return elsewhere",
        "did not allocate it from this machine",
    ),
    "returns one that was taken before": ("machine.free_page(fresh); return hoarded", "did not allocate"),
    "takes two": ("machine.alloc_page(1); return fresh", "took 2 frames and returned one"),
    "leaks one": ("return None", "took 1 frame and returned none"),
    "takes one and returns another": ("machine.alloc_page(0); return machine.alloc_page(0)", "took 3 frames"),
    "re-enters migrate_pages": ("machine.migrate_pages([], None)", "get_new_page=None"),
    "re-enters migrate_pages with itself": ("machine.migrate_pages([], get_new_page)", "calls back into the machine"),
    "calls for a process": ("owner.write(owner.vmas[0]); return fresh", "calls back into the machine"),
    "returns a number that is no frame": ("machine.free_page(fresh); return 10**9", "a frame's number or None"),
    "returns a negative number": ("machine.free_page(fresh); return -12", "a frame's number or None"),
    "returns the node": ("return 1.0", "returned 1.0"),
    "returns the old page": ("machine.free_page(fresh); return page", "in use"),
    "returns a bool": ("return True", "returned True"),
    "returns a text": ("return str(fresh)", "a frame's number or None"),
    "returns the view of a frame": ("return machine.frame(fresh)", "a frame's number or None"),
    "frees somebody's frame": ("machine.free_page(busy); return fresh", "not a frame that alloc_page() gave to you"),
    "frees the old page": ("machine.free_page(page); return fresh", "not a frame that alloc_page() gave to you"),
    "frees what was taken before": ("machine.free_page(hoarded); return fresh", "not a frame that alloc_page()"),
    "frees it twice": ("machine.free_page(fresh); machine.free_page(fresh)", "not a frame that alloc_page()"),
    "changes the old page": ("machine.set(machine.contents, page, 7); return fresh", "changed frame"),
    "unmaps the old page": ("machine.set(machine.mapcount, page, 0); return fresh", "mapcount"),
    "isolates another page": ("machine.isolate_lru_page(busy); return fresh", "changed frame"),
    "starts a process": ("machine.spawn('mine'); return fresh", "changed"),
    "points at a list": ("result.point_to([0], 0); return fresh", "TypeError"),
    "points at the machine's arrays": ("result.point_to(machine.count, 0); return fresh", "TypeError"),
    "points at cells of another machine": ("result.point_to(other.cells(1), 0); return fresh", "cells of this machine"),
    "points behind the cells": ("result.point_to(machine.cells(1), 1); return fresh", "IndexError"),
    "asks for a node that is not online": ("machine.alloc_page(77); return fresh", "node=77"),
}  # fmt: skip


@pytest.fixture
def owner(machine: Machine) -> Process:
    """Two pages on node 0."""
    process = machine.spawn("owner", node=0)
    process.write(process.mmap(2))
    machine.migrate_prep()
    return process


def user_function(machine: Machine, owner: Process, other: Machine, line: str, filename: str) -> GetNewPage:
    """What the reader wrote in a cell."""
    names: dict[str, Any] = {
        "machine": machine,
        "owner": owner,
        "other": other,
        "busy": owner.page(owner.vmas[0][1]),
        "hoarded": machine.alloc_page(1),
        "elsewhere": other.alloc_page(1),
    }
    exec(compile(CELL.format(line=line), filename, "exec"), names)
    return names["get_new_page"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("filename", ["<ipython-input-7-0123456789ab>", "/tmp/ipykernel_4711/2718281828.py"])
@pytest.mark.parametrize("what", sorted(BROKEN))
def test_a_broken_allocator_gets_one_error_that_names_its_line(
    make_machine: Callable[..., Machine], machine: Machine, owner: Process, what: str, filename: str
) -> None:
    """Line 4 where it raised, line 2 where what it did as a whole was wrong; and nothing has happened."""
    line, says = BROKEN[what]
    other = make_machine({0: 8, 1: 8})
    function = user_function(machine, owner, other, line, filename)
    page = owner.page(owner.vmas[0][0])
    assert page is not None
    assert machine.isolate_lru_page(page) == 0
    before, elsewhere = machine.fingerprint(), other.free_frames(1)
    with pytest.raises(BrokenUserCode) as error:
        machine.migrate_pages([page], function)
    assert says in str(error.value)
    assert str(error.value).startswith(("line 4", "line 2"))
    assert (machine.fingerprint(), other.free_frames(1)) == (before, elsewhere)
    assert machine.inconsistencies() == []
    assert left_in_flight(machine) == []
    assert machine.migrate_pages([page], to_node(machine, 1)) == 0


def break_it(machine: Machine, owner: Process, function: Any) -> str:
    """The error for a function, handed to a migration of the owner's first page."""
    page = owner.page(owner.vmas[0][0])
    assert page is not None
    assert machine.isolate_lru_page(page) == 0
    before = machine.fingerprint()
    with pytest.raises(BrokenUserCode) as error:
        machine.migrate_pages([page], function)
    assert machine.fingerprint() == before
    machine.putback_lru_pages([page])
    machine.migrate_prep()
    return str(error.value)


def test_the_wrong_number_of_arguments(machine: Machine, owner: Process) -> None:
    """No line of the function was reached: the error names the one where it begins."""

    def forgets_result(page: int, private: Any) -> int:
        return page

    text = break_it(machine, owner, forgets_result)
    assert text.startswith(f"line {forgets_result.__code__.co_firstlineno} (def forgets_result")
    assert "TypeError" in text


def test_other_callables_are_named_too(machine: Machine, owner: Process) -> None:
    """A lambda, a partial, a method, an object that can be called."""

    class Greedy:
        """Always returns the page that it is asked for."""

        def __call__(self, page: int, private: Any, result: Any) -> int:
            return page

        def method(self, page: int, private: Any, result: Any) -> int:
            return page

    def with_node(node: int, page: int, private: Any, result: Any) -> int:
        return page

    line = Greedy.__call__.__code__.co_firstlineno
    assert break_it(machine, owner, Greedy()).startswith(f"line {line} (def __call__")
    assert break_it(machine, owner, Greedy().method).startswith(f"line {line + 3} (def method")
    assert break_it(machine, owner, partial(with_node, 1)).startswith(f"line {line + 6} (def with_node")
    assert break_it(machine, owner, lambda page, private, result: page).startswith("line ")
    assert break_it(machine, owner, max).startswith("in <built-in function max>")


def test_the_innermost_line_of_the_reader_is_named(machine: Machine, owner: Process) -> None:
    """A mistake in a function that the allocator calls is found there, not in the library that noticed it."""

    def choose_node(nodes: list[int]) -> int:
        return min(nodes)

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        return machine.alloc_page(choose_node([]))

    text = break_it(machine, owner, get_new_page)
    assert text.startswith(f"line {choose_node.__code__.co_firstlineno + 1} (return min(nodes)): ValueError")


def test_what_is_no_function_is_refused(machine: Machine, owner: Process) -> None:
    """Before anything happens."""
    with pytest.raises(TypeError, match="get_new_page=7"):
        machine.migrate_pages([], 7)  # type: ignore[arg-type]


def test_a_mistake_in_the_middle_undoes_the_whole_call(machine: Machine, owner: Process) -> None:
    """The first page had been moved already; it is back."""
    area = owner.vmas[0]
    pages = [page for address in area if (page := owner.page(address)) is not None]
    assert [machine.isolate_lru_page(page) for page in pages] == [0, 0]
    function = raises_the_second_time(machine)
    before = machine.fingerprint()
    run = machine.begin(machine.migrate_pages, pages, function)
    run.when("COPY").do(owner.write, area[0])
    with pytest.raises(BrokenUserCode, match="no more"):
        run.finish()
    assert (machine.fingerprint(), area.nodes) == (before, [0, 0])


def raises_the_second_time(machine: Machine) -> GetNewPage:
    """It remembers in a cell that it was asked before."""
    asked = machine.cells(1)

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        asked[0] += 1
        if asked[0] > 1:
            raise ValueError("no more")
        return machine.alloc_page(1)

    return get_new_page


def test_a_mistake_found_while_stepping_undoes_the_whole_call(machine: Machine, owner: Process) -> None:
    """run.forward() step by step: the machine is as it was, and the run says that it was called off."""
    pages = [page for address in owner.vmas[0] if (page := owner.page(address)) is not None]
    for page in pages:
        machine.isolate_lru_page(page)
    function = raises_the_second_time(machine)
    before = machine.fingerprint()
    run = machine.begin(machine.migrate_pages, pages, function)
    with pytest.raises(BrokenUserCode, match="no more"):
        run.forward(1000)
    assert machine.fingerprint() == before
    with pytest.raises(RuntimeError, match="called off"):
        run.first()
    assert machine.migrate_pages(pages, to_node(machine, 1)) == 0


def test_an_interrupted_allocator_undoes_the_whole_call(machine: Machine, owner: Process) -> None:
    """Who loops for ever is interrupted from the keyboard; the machine is not left in the middle."""

    def loops(page: int, private: Any, result: Any) -> int | None:
        machine.alloc_page(1)
        raise KeyboardInterrupt

    page = owner.page(owner.vmas[0][0])
    assert page is not None
    machine.isolate_lru_page(page)
    before = machine.fingerprint()
    with pytest.raises(KeyboardInterrupt):
        machine.migrate_pages([page], loops)
    assert machine.fingerprint() == before
    assert machine.migrate_pages([page], to_node(machine, 1)) == 0


def test_an_allocator_is_not_asked_again_in_a_replay(machine: Machine, owner: Process) -> None:
    """Going on from a past step hands back what it answered then."""
    asked: list[int] = []

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        asked.append(page)
        return machine.alloc_page(1)

    page = owner.page(owner.vmas[0][0])
    assert page is not None
    machine.isolate_lru_page(page)
    run = machine.record(machine.migrate_pages, [page], get_new_page)
    run.goto(len(run) - 3)
    run.finish()
    assert asked == [page]


def test_the_machine_asks_only_in_its_present(machine: Machine, owner: Process) -> None:
    """alloc_page() from outside is refused while the machine shows its past."""
    run = machine.record(owner.read, owner.vmas[0])
    owner.write(owner.vmas[0])
    run.first()
    with pytest.raises(InThePast):
        machine.alloc_page(1)


def test_the_result_compares_as_a_number(machine: Machine, owner: Process) -> None:
    """As the kernel's return value: how many pages stayed."""
    result = machine.migrate_pages([], to_node(machine, 1))
    assert isinstance(result, MigrationResult)
    assert (result == 0, result.ret, result.rows) == (True, 0, [])
