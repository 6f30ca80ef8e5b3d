"""The runner behind `make test`: it hides no failure, and says what took how long."""

from __future__ import annotations

import os
import sys

import pytest

from tools.run_parts import OWN_PARTS, ROOT, Outcome, Part, all_parts, choose, run_part, table

PASS = [sys.executable, "-c", ""]
FAIL = [sys.executable, "-c", "raise SystemExit(3)"]


@pytest.mark.parametrize("commands", [[FAIL, PASS], [PASS, FAIL]])
def test_part_fails_if_any_of_its_commands_fails(commands: list[list[str]]) -> None:
    """Neither the first nor the last command decides alone."""
    assert not run_part(Part("made up", commands, 1), os.environ).passed


def test_part_passes_if_all_of_its_commands_pass() -> None:
    assert run_part(Part("made up", [PASS, PASS], 1), os.environ).passed


def test_table_tells_result_time_and_budget_of_each_part() -> None:
    """The last line sums up; a part over its budget is marked."""
    outcomes = [Outcome(Part("lint", [], 5), True, 1.25), Outcome(Part("model", [], 60), False, 61.0)]
    _, lint, model, everything = (line.split() for line in table(outcomes).splitlines())
    assert lint == ["lint", "passed", "1.2", "5"]
    assert model == ["model", "FAILED", "61.0", "60", "over", "its", "budget"]
    assert everything == ["all", "FAILED", "62.2", "65"]


def test_part_without_its_folder_is_left_out() -> None:
    absent = Part("browser", [PASS], 1, needs="tests/no_such_folder")
    present = Part("model", [PASS], 1)
    assert choose([absent, present], [], daily=False, long=False) == [present]


def test_every_test_file_belongs_to_exactly_one_part() -> None:
    """The folders that the part `model` leaves out are each a part of their own."""
    own = {part.needs for part in all_parts() if part.needs.startswith("tests/")}
    assert own == {f"tests/{name}" for name in OWN_PARTS}


def test_daily_and_long_choose_their_parts() -> None:
    """`make check` has no part that starts kernels or servers; `make test-long` has the random ones only."""
    daily = {part.name for part in choose(all_parts(), [], daily=True, long=False)}
    assert daily - {"readers"} == {"lint", "types", "model", "experiments", "planted_bugs"}
    assert {p.name for p in choose(all_parts(), [], daily=False, long=True)} <= {"random", "planted_bugs"}


def test_ruff_and_nbval_see_the_whole_tree() -> None:
    """The commands run at the top of the tree; nbval is strict."""
    commands = {part.name: part.commands for part in all_parts()}
    assert [command[-1] for command in commands["lint"]] == [".", "."]
    assert "--nbval" in commands["notebooks"][0]
    assert not any("lax" in word for word in commands["notebooks"][0])
    assert (ROOT / "sanitize.cfg").is_file()
    assert {"tools.notebook_seconds", "--notebook-seconds=30"} <= set(commands["notebooks"][0])
