"""Which engine makes a call, and that it says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numakit import MPOL_BIND, MPOL_MF_MOVE, Machine, Process, Topology
from numakit.bulk import calls, moves
from numakit.facade.engine import MANY_PAGES
from numakit.kernels import SEED, Kernel


def process_on(machine: Machine) -> tuple[Process, Any]:
    """A process with many pages on node 0, and their addresses as numpy has them."""
    process = machine.spawn("worker", node=0)
    area = process.mmap(MANY_PAGES)
    process.write(area)
    return process, np.array(area)


def machine(engine: str = "auto", kernel: Kernel = SEED) -> Machine:
    """Two sockets with room for many pages."""
    return Machine(Topology.preset("two-sockets"), kernel=kernel, engine=engine)


def test_large_calls_go_in_bulk_and_small_ones_in_steps() -> None:
    """The machine chooses by itself, and the result tells."""
    process, pages = process_on(machine())
    nodes: Any = np.ones(len(pages), int)
    assert process.move_pages(0, pages, nodes).engine == "bulk"
    assert process.move_pages(0, pages[:9], [0] * 9).engine == "steps"


@pytest.mark.parametrize("engine", ["steps", "bulk"])
def test_an_engine_can_be_forced(engine: str) -> None:
    """Whatever the size of the call; the answers are the same."""
    process, pages = process_on(machine(engine))
    small, large = process.move_pages(0, pages[:3], [1] * 3), process.move_pages(0, pages)
    assert (small.engine, large.engine) == (engine, engine)
    assert small.status == [1, 1, 1]
    assert large.status.count(1) == 3


def test_a_recorded_call_is_played_step_by_step() -> None:
    """Also later ones, as long as there is a journal: they can be undone."""
    process, pages = process_on(machine("bulk"))
    assert process.machine.record(process.move_pages, 0, pages[:3], [1] * 3).result.engine == "steps"
    assert process.move_pages(0, pages).engine == "steps"


def test_a_kernel_with_a_function_of_the_readers_is_played() -> None:
    """The bulk engine knows nothing of it."""
    odd = SEED.with_function("migrate_pages", "migrate_pages_6_1")
    process, pages = process_on(machine("bulk", odd))
    assert process.move_pages(0, pages[:3], [1] * 3).engine == "steps"


@pytest.mark.parametrize("engine", ["steps", "bulk", "auto"])
def test_calls_about_many_pages_go_in_bulk_too(engine: str) -> None:
    """migrate_pages(2) by the size of the target's areas, mbind() by the range; what became of each page is the same,
    whoever made the call.
    """
    process, pages = process_on(machine(engine))
    area = process.vmas[0]
    moved = process.migrate_pages(0, [0], [1])
    bound, small = (process.mbind(range_, MPOL_BIND, [0], MPOL_MF_MOVE) for range_ in (area, [area[0], area[1]]))
    made = "steps" if engine == "steps" else "bulk"
    assert [moved.engine, bound.engine, small.engine] == [made, made, "bulk" if engine == "bulk" else "steps"]
    assert [moved, bound] == [0, 0]
    assert [len(moved.fates), len(bound.fates), len(small.fates)] == [len(pages), len(pages), 0]
    assert moved.rows == ["moved"] * len(pages)
    assert [moved.fates[-1].address, moved.fates[-1].node, len(moved.fates[5:9])] == [pages[-1], 0, 4]


def test_a_cpuset_that_changes_moves_many_pages_in_bulk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of all its processes, and of one that comes into it; a change that is recorded is played."""
    made: list[str] = []
    with_many_at_once = moves.with_many_at_once

    def note(m: Any, *arguments: Any) -> Any:
        made.append("bulk")
        return with_many_at_once(m, *arguments)

    monkeypatch.setattr(calls, "with_many_at_once", note)
    process, _ = process_on(machine())
    jobs = process.machine.cpuset("jobs", [1], memory_migrate=True)
    assert jobs.attach(process.pid) == 0
    assert set(process.vmas[0].nodes) == {1}
    assert jobs.set_mems([0]) == 0
    assert set(process.vmas[0].nodes) == {0}
    assert made == ["bulk", "bulk"]
    process.machine.record(jobs.set_mems, [1])
    assert made == ["bulk", "bulk"]


def test_an_unknown_engine_is_refused() -> None:
    """With the names of those that there are."""
    with pytest.raises(ValueError, match="engine='fast'"):
        machine("fast")


def test_a_wrong_element_of_a_large_argument_is_named() -> None:
    """As in a small one."""
    process, pages = process_on(machine())
    with pytest.raises(ValueError, match=r"nodes\[7\]"):
        process.move_pages(0, pages, [2**40 if i == 7 else 0 for i in range(len(pages))])
