"""`numakit explain NUMBER`: as it is typed, and what comes back."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from numakit.cli import CALLS, main
from numakit.explain import causes, explain_number


def run(*arguments: str, columns: int = 100) -> Result:
    """Run the command in this process, in a terminal of so many columns."""
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, ["explain", *arguments], prog_name="numakit")


@pytest.mark.parametrize("number", ["-13", "-EACCES", "EACCES"])
def test_a_negative_number_is_no_option(number: str) -> None:
    """Wherever it stands among the options."""
    expected = f"{explain_number(-13, '6.1')}\n"
    for arguments in ((number, "--kernel", "6.1"), ("--kernel", "6.1", number), ("--kernel", "6.1", "--", number)):
        done = run(*arguments)
        assert (done.exit_code, done.output) == (0, expected)


def test_a_count_is_explained() -> None:
    done = run("+3", "--kernel", "6.1", "--call", "move_pages")
    assert done.exit_code == 0
    assert done.output == f"{explain_number('+3', '6.1', 'move_pages')}\n"


def test_options_choose_where_the_number_stands() -> None:
    assert run("-2", "--kernel", "seed", "--status").output == f"{explain_number(-2, 'seed', where='status')}\n"
    assert run("-2", "--kernel", "seed", "--return").output == f"{explain_number(-2, 'seed', where='return')}\n"


def test_without_a_kernel_the_running_one_is_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numakit.explain.number.running_kernel", lambda: "6.1.0-27")
    assert run("-13").output.startswith(
        "-EACCES (-13), permission denied: for kernel 6.1, nearest to the running 6.1.0-27\n"
    )
    monkeypatch.setattr("numakit.explain.number.running_kernel", lambda: None)
    assert run("-13").output.startswith("-EACCES (-13), permission denied: for every kernel\n")


@pytest.mark.parametrize(("columns", "longest"), [(200, 100), (100, 100), (72, 72)])
def test_lines_are_as_long_as_the_terminal_and_at_most_100(columns: int, longest: int) -> None:
    lines = run("-22", "--kernel", "all", columns=columns).output.splitlines()
    assert longest - 12 < max(map(len, lines)) <= longest


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("-18",), "value='-18': no call answers that; there are -EPERM (-1)"),
        (("EXDEV",), "value='EXDEV': no call answers that"),
        (("-13", "--kernel", "banana"), "kernel='banana': no kernel of that name; there are seed, 742755a, 2.6.18"),
        (("-13", "--call", "mremap"), "'move_pages', 'migrate_pages'"),
        (("-13", "--nonsense"), "No such option"),
        (("-13", "-2"), "Got unexpected extra argument (-2)"),
        ((), "Missing argument 'NUMBER'"),
    ],
)
def test_errors_have_one_line_that_says_what_is_allowed(arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""
    last = done.stderr.splitlines()[-1]
    assert last.startswith("Error: ")
    assert message in last


def test_the_help_has_examples_that_work() -> None:
    output = run("--help").output
    examples = [
        line.split("  ")[0].split()
        for line in map(str.strip, output.splitlines())
        if line.startswith("numakit explain")
    ]
    assert len(examples) == 5
    for _, _, *arguments in examples:
        assert run(*arguments).exit_code == 0
    assert "\n    0  all went well" in output
    assert "\n    2  wrong arguments" in output


def test_the_readme_shows_commands_that_work() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"^\$ numakit explain ([^#\n]+)", readme, re.MULTILINE)
    assert len(shown) >= 2
    for arguments in shown:
        assert run(*arguments.split()).exit_code == 0


def test_the_calls_of_the_command_are_those_of_the_table() -> None:
    assert CALLS == causes.CALLS


def completed(words: str, place: int) -> list[str]:
    """What bash is told of the word at that place."""
    environment = {**os.environ, "_NUMAKIT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(place)}
    code = "from numakit.cli import main; main(prog_name='numakit')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_the_shell_completes_names_kernels_and_calls() -> None:
    assert completed("numakit exp", 1) == ["plain,explain"]
    assert completed("numakit explain EAC", 2) == ["plain,EACCES"]
    assert completed("numakit explain -13 --kernel 6", 4) == ["plain,6.1", "plain,6.12"]
    assert completed("numakit explain -13 --ke", 3) == ["plain,--kernel"]
    assert completed("numakit explain EACCES --call mb", 4) == ["plain,mbind"]
