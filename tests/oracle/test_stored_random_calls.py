"""The model answers random programs of calls as real kernels of five nodes did (`python -m tools.random_oracle --write`
stored what they answered).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from numakit import Machine
from numakit.abi import EACCES, EBUSY, EFAULT, EINVAL, EIO, ENODEV, ENOENT, EPERM, ESRCH
from numakit.guest import guest_topology
from numakit.kernels import KERNELS
from tests.oracle.programs import as_python, play
from tests.oracle.shrinking import first_difference

STORED = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parent / "random_answers").iterdir())
}
CASES = [(kernel, number) for kernel, told in STORED.items() for number in range(len(told["programs"]))]
SCALE = 64


@pytest.mark.parametrize(("kernel", "number"), CASES)
def test_the_model_answers_a_random_program_as_the_kernel_did(kernel: str, number: int) -> None:
    """Each step; none is listed as a difference."""
    program, answers = STORED[kernel]["programs"][number]
    machine = Machine(guest_topology(), kernel, scale=SCALE)
    found = first_difference(program, json.loads(json.dumps(play(machine, program))), answers)
    assert found is None, f"{as_python(found.program)}\n# the model answers {found.one}\n# the kernel {found.other}"
    assert machine.inconsistencies() == []


def test_both_kernels_of_today_answered_hundreds_of_calls() -> None:
    """With the release that answered, and the day; in a file that a person can still send."""
    assert set(STORED) == {"6.1", "6.12"} <= set(KERNELS)
    for kernel, told in STORED.items():
        assert told["release"].startswith(f"{kernel}.")
        assert told["date"] >= "2026-11-25"
        assert sum(len(program) for program, _ in told["programs"]) >= 400


def numbers(answer: Any) -> Iterator[int]:
    """All numbers of an answer."""
    if isinstance(answer, list):
        for part in answer:
            yield from numbers(part)
    elif isinstance(answer, int):
        yield answer


def test_stored_programs_make_all_kinds_of_calls() -> None:
    """So that a rule of any of them is looked at; and the kernels answered with each errno that there is."""
    stored = [pair for told in STORED.values() for pair in told["programs"]]
    calls = {step[0] for program, _ in stored for step in program}
    assert calls >= {"fork", "vmsplice", "mlock", "mprotect", "munmap", "set_mems", "attach", "mbind", "migrate_pages"}
    told = {number for _, answers in stored for answer in answers for number in numbers(answer)}
    assert told >= {-EPERM, -ENOENT, -ESRCH, -EIO, -EACCES, -EFAULT, -EBUSY, -ENODEV, -EINVAL}
