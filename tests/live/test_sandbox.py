"""A sandbox that refuses calls is told apart from the kernel's own refusals, for every call and every way to refuse."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from errno import ENOSYS, EPERM

import pytest

from numakit.live import CannotTry, World
from numakit.live.probes import PROBES, Refused, seccomp_filters
from numakit.live.refusal import reason, refusal_of
from tests.clone import ROOT
from tests.live.filters import CALLS, SIGNAL

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="seccomp is a part of Linux")


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """What is said under each filter."""
    command = [sys.executable, "-m", "tests.live.filters"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    if done.returncode:
        pytest.skip(f"no filter can be put in force here: {done.stderr.strip().splitlines()[-1:]}")
    said: dict[str, str] = json.loads(done.stdout)
    return said


@pytest.mark.parametrize("call", CALLS)
def test_filter_that_says_eperm_is_called_a_sandbox(answers: dict[str, str], call: str) -> None:
    """The kernel has this errno of its own, and cannot have meant it."""
    assert answers[f"{call} {EPERM}"] == (
        f"{call}() cannot be tried here: the sandbox refuses the call (EPERM). The kernel itself lets every process "
        f"make it for its own memory, and a filter (seccomp) is in force; containers often forbid {call}() altogether."
    )


@pytest.mark.parametrize("call", CALLS)
def test_filter_that_says_enosys_is_called_a_sandbox(answers: dict[str, str], call: str) -> None:
    """The kernel has the call; it is hidden."""
    assert answers[f"{call} {ENOSYS}"].startswith(
        f"{call}() cannot be tried here: the call seems not to exist (ENOSYS)"
    )
    assert "most likely a sandbox hides it" in answers[f"{call} {ENOSYS}"]


@pytest.mark.parametrize("call", CALLS)
def test_filter_that_kills_is_noticed_and_nothing_hangs(answers: dict[str, str], call: str) -> None:
    """Who asked is told that the process is gone."""
    assert "ended during" in answers[f"{call} {SIGNAL}"]
    assert "perhaps a sandbox that answers a forbidden call with a signal" in answers[f"{call} {SIGNAL}"]


@pytest.mark.parametrize("error", [EPERM, ENOSYS])
def test_query_of_own_pages_says_it_without_raising(answers: dict[str, str], error: int) -> None:
    """As a sentence that begins with a capital letter."""
    assert answers[f"query {error}"] == (lambda text: text[0].upper() + text[1:])(
        reason(Refused("move_pages", error, filtered=True))
    )


def test_eperm_of_the_kernel_is_an_answer(world: World) -> None:
    """Its own checks are asked for: the call was made, and the errno is a value."""
    if os.getuid() == 0:
        shell, root = world.spawn("shell"), world.spawn("root", uid=0)
        assert shell.move_pages(root.pid, [4096]).ret == -EPERM
    else:
        assert world.spawn("shell").move_pages(1, [4096]).ret == -EPERM


def test_filter_of_arguments_is_taken_for_the_kernel(answers: dict[str, str]) -> None:
    """The limit of telling them apart: the harmless form of the call passes."""
    assert answers["of the kernel"] == f"answered: {-EPERM}"


def test_every_call_that_can_be_refused_is_filtered_in_a_test() -> None:
    """A new probe needs a new test."""
    assert set(CALLS) == set(PROBES)


def test_probes_are_answered_by_a_kernel_without_a_filter() -> None:
    """None of them can get -EPERM or -ENOSYS from a kernel that has the calls."""
    if seccomp_filters():
        pytest.skip("a filter is in force here")
    answers = {call: probe() for call, probe in PROBES.items()}
    if answers["get_mempolicy"] == -ENOSYS:
        pytest.skip(str(refusal_of(Refused("get_mempolicy", ENOSYS, filtered=False))))
    assert not {call: ret for call, ret in answers.items() if ret in (-EPERM, -ENOSYS)}


def test_kernel_without_the_call_is_no_sandbox() -> None:
    """Nothing stands between."""
    assert "built without page migration" in str(refusal_of(Refused("move_pages", ENOSYS, filtered=False)))
    assert isinstance(refusal_of(Refused("move_pages", ENOSYS, filtered=False)), CannotTry)
