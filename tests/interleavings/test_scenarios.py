"""Scenarios of two CPUs: each holds on a sound kernel, and fails when its yield, lock or check is taken away."""

from __future__ import annotations

from itertools import chain

import pytest

from numakit.kernels import SEED, Kernel
from tests.interleavings import locks, migration_entries, references, rivals
from tests.interleavings.world import Scenario

SCENARIOS = tuple(chain.from_iterable(module.SCENARIOS for module in (migration_entries, references, locks, rivals)))


def rule(scenario: Scenario) -> str:
    """The rule that a scenario holds, as the name of its check says it."""
    return scenario.check.__name__.removeprefix("check_")


@pytest.mark.parametrize("scenario", SCENARIOS, ids=rule)
def test_the_rule_holds(scenario: Scenario) -> None:
    """The scenario goes well on kernel seed."""
    scenario.check(SEED)


@pytest.mark.parametrize(
    ("scenario", "kernel"),
    [
        pytest.param(scenario, kernel, id=f"{rule(scenario)}-{kernel.name.removeprefix('seed+')}")
        for scenario in SCENARIOS
        for kernel in scenario.broken
    ],
)
def test_the_rule_is_broken_without_what_keeps_it(scenario: Scenario, kernel: Kernel) -> None:
    """The scenario itself, or an assertion of the model, finds the kernel with the broken function."""
    with pytest.raises(AssertionError):
        scenario.check(kernel)
