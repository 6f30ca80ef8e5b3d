"""The model answers as real kernels of five nodes did: what they answered was stored by `make oracle`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from numakit import Machine
from numakit.guest import guest_topology
from numakit.kernels import KERNELS
from tests.live.scenarios import SCENARIOS

STORED = {path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "answers").iterdir())}

#: Where a kernel answers something else than its model, and why that is not modelled (docs/fidelity.md).
LISTED: dict[tuple[str, str], str] = {}


def modelled(kernel: str, name: str) -> Any:
    """What the model answers, as JSON has it."""
    machine = Machine(guest_topology(), kernel, scale=64)
    answers = json.loads(json.dumps(SCENARIOS[name](machine)))
    assert machine.inconsistencies() == []
    return answers


@pytest.mark.parametrize("kernel", STORED)
@pytest.mark.parametrize("name", SCENARIOS)
def test_the_model_answers_as_the_kernel_did(kernel: str, name: str) -> None:
    """Return codes, statuses, policies and places; what is listed has to differ, or comes off the list."""
    stored = STORED[kernel]["answers"][name]
    assert (modelled(kernel, name) != stored) == ((kernel, name) in LISTED)


@pytest.mark.parametrize("kernel", STORED)
def test_every_scenario_was_asked_and_could_be_tried(kernel: str) -> None:
    """A scenario that is added is asked: make oracle."""
    answers = STORED[kernel]["answers"]
    assert list(answers) == list(SCENARIOS)
    assert [name for name, answer in answers.items() if isinstance(answer, dict)] == []


def test_stored_answers_are_those_of_kernels_that_are_modelled() -> None:
    """With the release that answered, and the day."""
    assert set(STORED) <= set(KERNELS)
    for kernel, told in STORED.items():
        assert told["release"].startswith(f"{kernel}.")
        assert told["date"] >= "2026-11-25"


def test_what_is_listed_is_declared_as_not_modelled() -> None:
    """The page on fidelity names every scenario that is listed."""
    page = (Path(__file__).parents[2] / "docs" / "fidelity.md").read_text(encoding="utf-8")
    assert [name for _, name in LISTED if name not in page] == []
