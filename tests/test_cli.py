"""The command `numakit`: what it prints, its exit statuses, its errors of one line, its completion."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from numakit import __version__
from numakit.cli import main
from numakit.topology import Topology


def run(*arguments: str | Path) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], prog_name="numakit")


def test_version() -> None:
    assert run("--version").output == f"numakit, version {__version__}\n"


def test_a_preset_is_printed_as_numactl_would_and_more() -> None:
    done = run("topology", "cxl")
    assert done.exit_code == 0
    assert done.output.startswith(Topology.preset("cxl").to_numactl())
    assert "The memory of nodes 2-3 is cxl." in done.output


def test_what_is_printed_can_be_loaded_again(tmp_path: Path) -> None:
    (tmp_path / "ring.txt").write_text(run("topology", "ring4").output)
    assert Topology.load(tmp_path / "ring.txt") == Topology.preset("ring4")


def test_warnings_are_printed() -> None:
    assert "All distances between nodes 0-7 are 10: a firmware bug." in run(
        "topology", "8em64t-2s2ca2c-buggynuma.tar.bz2"
    ).output.replace("\n", " ")


def test_the_host_is_printed() -> None:
    assert run("topology", "host").output.startswith("available: ")


def test_json_is_a_machine_again(tmp_path: Path) -> None:
    done = run("topology", "altix", "--json")
    assert len(json.loads(done.output)["nodes"]) == 64
    (tmp_path / "altix.json").write_text(done.output)
    assert Topology.load(tmp_path / "altix.json") == Topology.preset("altix")


def test_qemu_arguments_are_lines_that_a_shell_takes() -> None:
    done = run("topology", "two-sockets", "--qemu", "--memory", "1G")
    assert done.output.replace(" \\\n", " ").split() == Topology.preset("two-sockets").to_qemu(1 << 30)


def test_pictures_are_drawn_in_both_themes(tmp_path: Path) -> None:
    graph, table = tmp_path / "machine.svg", tmp_path / "table.png"
    done = run("topology", "ring4", "--draw", graph, "--distances", table, "--theme", "dark")
    assert done.exit_code == 0
    assert "<svg" in graph.read_text()
    assert table.read_bytes().startswith(b"\x89PNG")
    assert sorted(os.listdir(tmp_path)) == ["machine.svg", "table.png"]


def test_the_list_has_presets_and_dumps() -> None:
    output = run("topology", "--list").output
    assert all(name in output for name in (*Topology.presets(), *Topology.dumps()))


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("topology", "15-truncated-matrix.txt"), 1, "row 2 is missing"),
        (("topology", "48amd64-4pa2n6c-sparse.tar.bz2", "--qemu"), 1, "have holes"),
        (("topology", "ring4", "--qemu", "--memory", "1K"), 1, "at least 1 MiB for each node"),
        (("topology",), 2, "Missing argument"),
        (("topology", "ring4", "--memory", "1G"), 2, "--memory goes with --qemu"),
        (("topology", "ring4", "--qemu", "--memory", "much"), 2, "allowed is a number, with K, M, G or T behind it"),
        (("topology", "ring4", "--theme", "sepia"), 2, "'light', 'dark'"),
        (("topology", "ring4", "--nonsense"), 2, "No such option"),
        (("completion", "tcsh"), 2, "'bash', 'zsh', 'fish'"),
        (("topology", "nowhere"), 3, "nowhere: no such file, preset or shipped dump"),
        (("topology", "ring4", "--draw", "/nowhere/ring.png"), 4, "/nowhere/ring.png: not written"),
        (("topology", "ring4", "--draw", "/nowhere.doc"), 4, "/nowhere.doc: not written"),
    ],
)
def test_errors_have_one_line_and_a_status_that_tells_their_kind(
    arguments: tuple[str, ...], status: int, message: str
) -> None:
    done = run(*arguments)
    assert done.exit_code == status
    *usage, last = done.stderr.splitlines()
    assert last.startswith("Error: ")
    assert message in last
    # click tells how to call the command before it says what is wrong with a call.
    assert status == 2 or usage == []


def test_the_help_documents_each_exit_status() -> None:
    for arguments in (("--help",), ("topology", "-h"), ("completion", "--help")):
        output = run(*arguments).output
        assert "Exit status:" in output
        assert all(f"\n    {status}  " in output for status in range(5)), output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str) -> None:
    if shell == "bash" and shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    done = run("completion", shell)
    assert done.exit_code == 0
    assert "_NUMAKIT_COMPLETE" in done.output


def completed(words: str, place: int) -> list[str]:
    """What bash is told of the word at that place."""
    environment = {**os.environ, "_NUMAKIT_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(place)}
    code = "from numakit.cli import main; main(prog_name='numakit')"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_the_shell_completes_commands_presets_dumps_and_files() -> None:
    assert completed("numakit to", 1) == ["plain,topology"]
    assert completed("numakit topology tw", 2) == ["file,tw", "plain,two-sockets"]
    assert "plain,nvidiaDGX2.xml" in completed("numakit topology ", 2)
    assert completed("numakit topology ring4 --the", 3) == ["plain,--theme"]
    assert completed("numakit completion f", 2) == ["plain,fish"]


def test_the_script_makes_bash_complete(tmp_path: Path) -> None:
    """As a user of bash would see it."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    start = "from numakit.cli import main; main(prog_name='numakit')"
    (tmp_path / "numakit").write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n')
    (tmp_path / "numakit").chmod(0o755)
    (tmp_path / "script").write_text(run("completion", "bash").output)
    code = "source ./script; COMP_WORDS=(numakit topology gl); COMP_CWORD=2; _numakit_completion numakit gl topology"
    environment = {
        **os.environ,
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    done = subprocess.run(
        [bash, "-c", f'{code}; echo "${{COMPREPLY[@]}}"'],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split()[:1] == ["glueless8"]
