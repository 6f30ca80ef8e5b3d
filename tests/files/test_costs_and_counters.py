"""What a call took, and the counters of the machine: the same whether it was recorded or not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import pytest

from numakit import Machine, Process, Result, Topology, failing, to_node
from numakit.machine.costs import Costs


@pytest.mark.parametrize("pages", [1, 2, 7, 20])
def test_the_look_up_of_new_page_node_is_quadratic(shell: Process, pages: int) -> None:
    """Entry i is found after i + 1 looks: n (n + 1) / 2 for a call of n pages."""
    area = shell.mmap(pages)
    shell.write(area)
    costs = shell.move_pages(0, area, [1] * pages).costs
    assert asdict(costs) == {
        "passes": 1, "attempts": pages, "retries": 0, "waits": 0, "thrown_away": 0, "scanned": pages * (pages + 1) // 2,
    }  # fmt: skip


@pytest.mark.parametrize("kernel", ["6.1", "6.12"])
def test_kernels_of_today_look_for_no_entry(kernel: str) -> None:
    """A batch has one node, so that the new_page_t knows it at once: nothing is scanned, however long the call."""
    shell = Machine(Topology.preset("two-sockets"), kernel).spawn("shell", node=0)
    area = shell.mmap(20)
    shell.write(area)
    result = shell.move_pages(0, area, [1] * 20)
    assert (result.status, result.costs.attempts, result.costs.scanned) == ([1] * 20, 20, 0)


def test_entries_that_were_not_queued_are_scanned_too(shell: Process) -> None:
    """The array has all entries: nine that are there already make the tenth expensive."""
    area = shell.mmap(10)
    shell.write(area)
    costs = shell.move_pages(0, area, [0] * 9 + [1]).costs
    assert (costs.attempts, costs.scanned) == (1, 10)


def test_each_attempt_scans_again(shell: Process) -> None:
    """A page that is busy in ten passes costs ten new pages, and ten looks through the array."""
    area = shell.mmap(3)
    shell.write(area)
    shell.vmsplice(area[2])
    costs = shell.move_pages(0, area, [1, 1, 1]).costs
    assert asdict(costs) == {
        "passes": 10, "attempts": 12, "retries": 10, "waits": 0, "thrown_away": 10, "scanned": 1 + 2 + 10 * 3,
    }  # fmt: skip


def test_passes_until_a_pin_ends(machine: Machine, shell: Process) -> None:
    """Three passes: two attempts in vain, one that moved the page."""
    area = shell.mmap(1)
    shell.write(area)
    pin = shell.vmsplice(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("PASS", in_pass=2).do(pin.release)
    costs = run.finish().costs
    assert (costs.passes, costs.attempts, costs.retries, costs.thrown_away) == (3, 3, 2, 2)


def test_sleeps_are_counted_in_forced_passes_only(machine: Machine, shell: Process) -> None:
    """Three polite passes skip the page; the fourth sleeps once for its lock."""
    area = shell.mmap(1)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1])
    run.when("DRAIN").until("PASS", in_pass=9).do(shell.hold_page_lock, area[0])
    costs = run.finish().costs
    assert (costs.passes, costs.retries, costs.waits, costs.thrown_away) == (4, 3, 1, 3)


def test_a_query_and_a_call_that_is_refused_cost_nothing(shell: Process) -> None:
    """No pass, no attempt."""
    area = shell.mmap(1)
    shell.write(area)
    assert shell.move_pages(0, area).costs == Costs()
    assert shell.move_pages(0, area, [9]).costs == Costs()
    assert shell.move_pages(0, area, [0]).costs == Costs()


def test_the_counters_of_the_machine_add_up(machine: Machine, shell: Process) -> None:
    """Moved and gone count as success, all that stayed as failure, whoever called; queries and refusals do not."""
    area = shell.mmap(4)
    shell.write(area)
    shell.vmsplice(area[1])
    shell.mlock(area[2])
    assert machine.counters == {"pgmigrate_success": 0, "pgmigrate_fail": 0}
    assert shell.move_pages(0, area, [1, 1, 1, 1]).rows == ["moved", "pinned", "mlocked", "moved"]
    assert machine.counters == {"pgmigrate_success": 2, "pgmigrate_fail": 2}
    shell.move_pages(0, area)
    shell.move_pages(0, area, [9] * 4)
    assert machine.counters == {"pgmigrate_success": 2, "pgmigrate_fail": 2}
    machine.migrate_prep()
    pages = [page for address in (area[0], area[3]) if (page := shell.page(address)) is not None]
    for page in pages:
        machine.isolate_lru_page(page)
    assert machine.migrate_pages(pages, failing(machine, 2, to_node(machine, 0))).stayed == 1
    assert machine.counters == {"pgmigrate_success": 3, "pgmigrate_fail": 3}


def test_the_counters_go_back_with_the_machine(machine: Machine, shell: Process) -> None:
    """They are part of its state."""
    area = shell.mmap(1)
    shell.write(area)
    run = machine.record(shell.move_pages, 0, area, [1])
    run.first()
    assert machine.counters["pgmigrate_success"] == 0
    run.last()
    assert machine.counters["pgmigrate_success"] == 1


def mixture(machine: Machine) -> Callable[[], Result]:
    """A call with a bit of everything: clean, dirty, to be written, never to be written, pinned, mlocked, twice."""
    shell = machine.spawn("shell", node=0)
    area = shell.mmap(3)
    shell.write(area)
    shell.vmsplice(area[1])
    shell.mlock(area[2])
    addresses = [*area, area[0]]
    for file_system in ("tmpfs", "ext2", "reiserfs", "nfs", "faulty", "ramfs"):
        place = shell.mmap(1, shared=True, file=machine.file(file_system, 1, file_system))
        shell.write(place)
        addresses += place
    return lambda: shell.move_pages(0, addresses, [1] * len(addresses))


def test_journal_or_not_costs_and_counters_are_the_same(make_machine: Callable[..., Machine]) -> None:
    """Recorded, unrecorded, or gone on with from the middle: the same result, costs, counters and state."""
    seen = []
    for way in ("plain", "journal", "from the middle"):
        machine = make_machine({0: 64, 1: 64})
        call = mixture(machine)
        if way == "plain":
            result = call()
        else:
            machine.start_recording()
            result = call()
        if way == "from the middle":
            machine = make_machine({0: 64, 1: 64})
            mixture(machine)
            shell, addresses = machine.process(1), list(result.addresses)
            run = machine.record(shell.move_pages, 0, addresses, [1] * len(addresses))
            run.goto(len(run) // 2)
            result = run.finish()
        seen.append((result.status, result.rows, result.costs, machine.counters, machine.fingerprint()))
    assert seen[0] == seen[1] == seen[2]
    assert seen[0][1] == [
        "moved", "pinned", "mlocked", "duplicate", "moved", "moved", "moved", "moved", "write-fails", "no-write",
    ]  # fmt: skip
    assert seen[0][3] == {"pgmigrate_success": 5, "pgmigrate_fail": 4}


def test_costs_can_be_read(shell: Process) -> None:
    """As a line of text."""
    area = shell.mmap(2)
    shell.write(area)
    text = str(shell.move_pages(0, area, [1, 1]).costs)
    assert text == "passes 1, attempts 2, retries 0, waits 0, thrown away 0, scanned 3"
