"""Rules that a review found broken, each with the shortest case."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from numakit import Machine
from numakit.kernels import SEED
from tests.scene import Scene


def test_a_child_is_seen_only_when_its_areas_were_copied(scene: Scene) -> None:
    """Before that nobody can send it a signal, or move its pages."""
    run = scene.machine.begin(scene.shell.fork, "late")
    run.forward(3)
    assert "late" not in [process.name for process in scene.machine.processes]
    run.finish()
    assert run.result.alive


def test_direct_io_does_not_write_while_it_takes_its_references(scene: Scene) -> None:
    """get_user_pages() only faults pages in; a touched page and an untouched one are treated alike."""
    area = scene.shell.mmap(pages=2)
    scene.shell.write(area[0])
    written = scene.shell.read(area[0])
    scene.shell.direct_io(area)
    assert scene.shell.read(list(area)) == [written, 0]


def test_two_holders_of_the_same_buffers_let_go_one_by_one(scene: Scene) -> None:
    """The page waits for the second one, too."""
    log = scene.machine.file("log", 1, "reiserfs")
    area = scene.shell.mmap(1, file=log, shared=True)
    scene.shell.read(area[0])
    node = scene.machine.frame(scene.shell.page(area[0]) or 0).node
    run = scene.machine.begin(scene.shell.move_pages, 0, area, [1 - node])
    run.when("GET_NEW_PAGE").until("PASS", in_pass=2).do(log.hold_buffers, 0, "one journal")
    run.when("GET_NEW_PAGE").until("PASS", in_pass=4).do(log.hold_buffers, 0, "another journal")
    result = run.finish()
    assert (result.rows, result.costs.passes) == (["moved"], 5)


def test_children_of_the_same_name_have_edges_of_their_own(scene: Scene) -> None:
    """A process is found by its pid."""
    twins = [scene.shell.fork("twin") for _ in range(2)]
    graph = scene.machine.to_networkx()
    maps = {a[1] for a, _, told in graph.edges(data=True) if told["relation"] == "maps"}
    assert {twin.pid for twin in twins} <= maps


def test_a_swap_slot_is_not_taken_for_a_migration_entry(scene: Scene) -> None:
    """The number in a swapped PTE is a slot, whatever page has the same number."""
    area = scene.shell.mmap(pages=6)
    scene.shell.write(area)
    scene.machine.migrate_prep()
    pages = [page for page in (scene.shell.page(address) for address in area) if page is not None]
    assert scene.machine.reclaim(pages) == len(pages)
    entries = [place for page in range(128) for place in scene.machine.mapped_at(page) if place.migration_entry]
    assert entries == []


def test_a_role_or_function_that_does_not_exist_is_refused(scene: Scene) -> None:
    """It would be ignored in silence, or fail in the middle of a call."""
    for role, name in (("try_to_unmmap", "x"), ("count_test", "nope")):
        with pytest.raises(ValueError, match=r"no such role|no function 'nope'"):
            Machine(scene.machine.topology, SEED.with_function(role, name))


def test_a_file_of_another_machine_is_refused(scene: Scene, make_machine: Callable[..., Machine]) -> None:
    """Its number means another file here, or none."""
    other = make_machine({0: 64}).file("theirs", 2)
    with pytest.raises(ValueError, match="file="):
        scene.shell.mmap(2, file=other)


def test_a_call_whose_pages_were_all_busy_says_so(scene: Scene) -> None:
    """0 is returned, and nothing was queued."""
    area = scene.shell.mmap(pages=1)
    scene.shell.write(area)
    scene.machine.migrate_prep()
    page = scene.shell.page(area[0])
    assert page is not None
    scene.machine.isolate_lru_page(page)
    node = scene.machine.frame(page).node
    result = scene.shell.move_pages(0, area, [1 - node])
    assert (result.ret, result.rows) == (0, ["off-lru"])
    assert "no page was queued" in result.explain()
    scene.machine.putback_lru_pages([page])
