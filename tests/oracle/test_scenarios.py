"""The scenarios make enough calls, and reach every cause of an answer that can be had from a guest."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from numakit import Machine
from numakit.facade.call import Prepared
from numakit.guest import guest_topology
from tests.live.scenarios import SCENARIOS

KERNELS = ("6.1", "6.12")

#: What is asked of a kernel; all else that scenarios do prepares that.
ASKED = ("move_pages", "migrate_pages", "mbind", "set_mempolicy", "get_mempolicy", "numa_maps", "attach", "set_mems")

#: Statuses of entries, by the names of their causes, and (HIDDEN) one that 6.1 alone has.
STATUSES = {"hole", "untouched", "not-read", "zero", "there", "shared", "duplicate", "full", "pinned", "moved"}
HIDDEN = {"6.1": {"hinting"}, "6.12": set[str]()}
#: Causes of return codes of move_pages(), without and with an errno.
RETURNS = {"ok", "query", "stayed"}
REFUSALS = {"bad-flags", "kthread", "all-unprivileged", "other-user", "no-process", "cpuset", "offline", "full"}
UNREADABLE = {"pages-unreadable", "nodes-unreadable", "status-unwritable"}
#: Causes of return codes of migrate_pages(2), mbind() and set_mempolicy().
OF_PROCESSES = {"ok", "stayed", "no-process", "kthread", "other-user", "target-cpuset", "no-node-left"}
OF_AREAS = {"policy-set", "bad-flags", "bad-mode", "all-unprivileged", "misplaced", "range-hole", "stayed", "no-nodes"}

#: Causes that no scenario can have, and why.
NOT_IN_A_GUEST = {
    "swapped": "the guest has no disc to swap to",
    "migrating": "another call would have to be under way",
    "off-lru": "another call would have to be under way",
    "gone": "whoever maps the page would have to let go during the call",
    "mlocked": "since 2.6.18 such pages move",
    "driver": "since 2.6.18 such pages move, and the guest has no such driver",
    "no-write": "since 4.17 it is no status, and the guest has no such file system",
    "write-fails": "since 4.17 it is no status, and the guest has no disc that could fail",
    "buffers": "since 4.17 it is no status, and the guest has no disc",
    "nothing": "since 2.6.29 a call that finds nothing to move returns 0",
    "too-many": "since 2.6.29 the kernel has no array for all entries",
    "no-array": "since 2.6.29 the kernel has no array for all entries",
}


class Listening(Machine):
    """A machine that keeps which calls were made of it, and the rows in which they ended."""

    def __init__(self, kernel: str) -> None:
        super().__init__(guest_topology(), kernel, scale=64)
        self.calls: Counter[str] = Counter()
        self.heard: set[tuple[str, str]] = set()

    def perform(self, prepared: Prepared[Any]) -> Any:
        """Make a call, and keep what became of it."""
        result = super().perform(prepared)
        self.calls[prepared.name] += 1
        for row in (getattr(result, "row", ""), *getattr(result, "rows", ())):
            self.heard.add((prepared.name, row))
        return result

    def rows_of(self, call: str) -> set[str]:
        """The rows that calls of a name have ended in."""
        return {row for name, row in self.heard if name == call}


def played(kernel: str) -> Listening:
    """All scenarios, each on a machine of its own; what was heard of all of them."""
    all_of_them = Listening(kernel)
    for play in SCENARIOS.values():
        machine = Listening(kernel)
        play(machine)
        all_of_them.calls += machine.calls
        all_of_them.heard |= machine.heard
    return all_of_them


@pytest.mark.parametrize("kernel", KERNELS)
def test_scenarios_make_hundreds_of_calls(kernel: str) -> None:
    """Those that are asked about, of each kind some."""
    calls = played(kernel).calls
    assert sum(calls[name] for name in ASKED) >= 500
    assert {name: calls[name] for name in ASKED if calls[name] < 5} == {}


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_cause_that_can_be_had_is_had(kernel: str) -> None:
    """Of the statuses and return codes of move_pages(), and of the return codes of the others."""
    heard = played(kernel)
    wanted = {
        "move_pages": STATUSES | HIDDEN[kernel] | RETURNS | REFUSALS | UNREADABLE,
        "migrate_pages": OF_PROCESSES,
        "mbind": OF_AREAS,
    }
    assert {call: rows - heard.rows_of(call) for call, rows in wanted.items() if rows - heard.rows_of(call)} == {}


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_is_said_not_to_be_had_is_not(kernel: str) -> None:
    """A cause that a scenario reaches does not belong on that list."""
    assert played(kernel).rows_of("move_pages") & set(NOT_IN_A_GUEST) == set()


def test_each_scenario_says_what_it_is_about() -> None:
    """In a sentence; and its name is its function's."""
    assert [name for name, play in SCENARIOS.items() if not (play.__doc__ or "").strip()] == []
    assert [name for name, play in SCENARIOS.items() if play.__name__ != name] == []
