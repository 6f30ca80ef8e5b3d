"""What is refused, with nothing changed: writes to a machine that stands in its past, and wrong arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from numakit import InThePast, Machine, Run, TopologyError
from tests.scene import Scene, recorded

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
    "move_pages nodes": ("length of nodes is 1", lambda s: s.shell.move_pages(0, s.area, [1])),
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
    "write nothing": ("pages=None", lambda s: s.shell.write(None)),  # type: ignore[arg-type]
    "mmap file": ("file='x'", lambda s: s.shell.mmap(1, file="x")),  # type: ignore[arg-type]
    "run_on": ("node=9", lambda s: s.shell.run_on(9)),
    "topology": ("topology='ring4'", lambda s: Machine("ring4")),  # type: ignore[arg-type]
    "record of a result": ("made already", lambda s: s.machine.record(s.shell.read(s.area[0]))),
    "pid forgotten": ("a number comes first", lambda s: s.shell.move_pages(s.area, [1] * 5)),  # type: ignore[arg-type]
    "process as pid": ("process.pid", lambda s: s.shell.move_pages(s.shell, s.area)),  # type: ignore[arg-type]
    "pages no sequence": (r"pages=4096: a sequence", lambda s: s.shell.move_pages(0, 4096)),  # type: ignore[arg-type]
    "isolated no list": ("pages=3", lambda s: s.machine.putback_lru_pages(3)),  # type: ignore[arg-type]
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
        ("index out of range", lambda run: run.steps[9999]),
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


def test_an_actor_for_a_run_that_has_ended_is_refused(scene: Scene) -> None:
    """Its time cannot come any more; going back first makes room for it."""
    area = scene.shell.mmap(pages=1)
    scene.shell.write(area)
    run = scene.machine.record(scene.shell.move_pages, 0, area, [1])
    with pytest.raises(ValueError, match=r"when=COPY: this run has ended.*machine\.begin"):
        run.when("COPY").do(scene.shell.write, scene.area[0])
    run.first()
    actor = run.when("COPY").do(scene.shell.write, scene.area[0])
    run.finish()
    assert actor.done


def test_a_moment_that_does_not_exist_is_refused_with_those_that_sound_alike(scene: Scene) -> None:
    """Small letters are the likeliest mistake."""
    run = scene.machine.record(scene.shell.move_pages, 0, scene.area[0:1], [1])
    with pytest.raises(ValueError, match="did you mean COPY"):
        run.find("copy")
    with pytest.raises(ValueError, match=r"run\.find"):
        run.goto("COPY")  # type: ignore[arg-type]


def test_a_process_that_has_exited_maps_nothing(scene: Scene) -> None:
    """An errno is not taken for an address."""
    child = scene.shell.fork("child")
    child.exit()
    with pytest.raises(ValueError, match="has exited"):
        child.mmap(pages=1)


def test_a_process_moves_to_another_cpu_and_its_pages_stay(scene: Scene) -> None:
    """New pages are near the new CPU, as after sched_setaffinity()."""
    before = scene.area.nodes
    scene.shell.run_on(1)
    fresh = scene.shell.mmap(pages=1)
    scene.shell.write(fresh)
    assert (scene.shell.node, scene.area.nodes, fresh.nodes) == (1, before, [1])


def test_an_area_says_that_it_was_unmapped(scene: Scene) -> None:
    """It is a list of addresses and stays one."""
    area = scene.shell.mmap(pages=3)
    scene.shell.munmap(area[0:1])
    assert "1 of them unmapped" in repr(area)
    scene.shell.munmap(area[1:3])
    assert repr(area).endswith("unmapped>")
