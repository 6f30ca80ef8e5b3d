"""Reading and writing many pages leaves the same machine on both engines, whatever was read or written before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from numakit import MPOL_BIND, Process
from numakit.abi import PROT_READ, PROT_WRITE
from numakit.bulk import first_touch
from numakit.kernels import KERNELS
from tests.random.machines import small_machine

PAGES = 60


@settings(max_examples=60)
@given(st.integers(0, 1 << 20), st.sampled_from(list(KERNELS)), st.sampled_from([40, 100, 400]))
def test_accesses_to_many_pages_leave_the_same_machine(random_seed: int, kernel: str, frames: int) -> None:
    """In any order, some pages twice, over areas that are read-only or full, by processes on both nodes, with forks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(first_touch, "SHORTEST_TOUCH", 2)
        steps, bulk = (played(engine, random_seed, kernel, frames) for engine in ("steps", "bulk"))
    assert bulk == steps


def played(engine: str, random_seed: int, kernel: str, frames: int) -> tuple[list[object], str]:
    """The answers, and the machine's fingerprint."""
    draw = np.random.default_rng(random_seed)
    machine = small_machine({0: frames, 1: frames}, KERNELS[kernel], 0)
    machine.engine = engine
    workers: list[Process] = [machine.spawn(name, node=node) for name, node in (("one", 0), ("other", 1))]
    for worker in workers:
        worker.mmap(PAGES, address=1 << 28)
        worker.mmap(PAGES, address=1 << 30)
    answers: list[object] = []
    for _ in range(8):
        worker = workers[draw.integers(len(workers))]
        order = draw.permutation(2 * PAGES)[: draw.integers(2 * PAGES)]
        order = np.sort(order) if draw.random() < 0.5 else order
        if len(order) and draw.random() < 0.2:
            order[-1] = order[0]
        addresses = [(1 << 28 if page < PAGES else 1 << 30) + page % PAGES * 4096 for page in order.tolist()]
        kind = draw.choice(["read", "read", "write", "write", "fork", "protect", "policy"])
        if kind in ("read", "write"):
            answers.append(worker.read(addresses) if kind == "read" else worker.write(addresses))
        elif kind == "fork" and len(workers) < 4:
            workers.append(worker.fork())
        elif kind == "protect":
            worker.mprotect(1 << 28, PROT_READ if draw.random() < 0.5 else PROT_READ | PROT_WRITE)
        elif kind == "policy":
            worker.set_mempolicy(MPOL_BIND, {int(draw.integers(2))})
    assert machine.inconsistencies() == []
    return answers, machine.fingerprint()


def test_an_access_to_no_page_is_none() -> None:
    """An empty list, with memory mapped and without, where bulk is forced."""
    machine = small_machine({0: 40}, KERNELS["seed"], 0)
    machine.engine = "bulk"
    worker = machine.spawn("worker")
    for _ in range(2):
        assert (worker.read([]), worker.write([])) == ([], 0)
        worker.mmap(4)
