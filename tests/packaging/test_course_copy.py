"""`numakit lab` before the server starts: what it copies, what it leaves alone, what it says."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest
from click.testing import CliRunner

from numakit import lab
from numakit.cli import main
from numakit.handout import student_version
from numakit.version import __version__
from tests.clone import ROOT


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that would have been served, in place of a server."""
    folders: list[Path] = []

    def note_folder(folder: Path, *, port: int | None, browser: bool) -> None:
        folders.append(folder)

    monkeypatch.setattr(lab, "serve", note_folder)
    return folders


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and everything printed of `numakit ARGUMENTS`."""
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def test_lab_copies_the_course_into_numakit_course(
    served: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a folder's name the course goes to one of its own, below the current folder."""
    monkeypatch.chdir(tmp_path)
    status, printed = run("lab")
    assert (status, served) == (0, [Path("numakit-course")])
    assert "files of the course to numakit-course." in printed
    copy = tmp_path / "numakit-course" / lab.FIRST_PAGE
    assert copy.read_bytes() == (ROOT / lab.FIRST_PAGE).read_bytes()


def test_lab_never_overwrites_and_says_what_it_kept(served: list[Path], tmp_path: Path) -> None:
    """A reader's changed notebook survives, an unchanged one is not mentioned, a lost one comes back."""
    folder = tmp_path / "mine"
    run("lab", str(folder))
    tour = folder / lab.FIRST_PAGE
    tour.write_text("mine")
    status, printed = run("lab", str(folder))
    assert (status, tour.read_text()) == (0, "mine")
    assert printed == f"Kept {lab.FIRST_PAGE}: it differs from the course's and stays as it is.\n"
    tour.unlink()
    assert run("lab", str(folder)) == (0, f"Copied 1 file of the course to {folder}.\n")
    assert served == [folder] * 3


def test_lab_in_the_clone_copies_nothing(served: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The clone's own notebooks are opened in place."""
    monkeypatch.chdir(ROOT)
    assert run("lab", ".") == (0, "")
    assert served == [Path()]


def test_lab_hands_out_exercises_without_their_solutions(tmp_path: Path) -> None:
    """No reader finds a solution, a hidden test or an output in the exercises; a lecturer who asks for them does."""
    lab.copy_course(tmp_path / "student")
    handed_out = list((tmp_path / "student" / "exercises").rglob("*.ipynb"))
    assert handed_out
    for path in handed_out:
        text = path.read_text()
        assert "NotImplementedError" in text
        assert not [mark for mark in ("BEGIN SOLUTION", "BEGIN HIDDEN", '"output_type"') if mark in text], path
    assert not (tmp_path / "student" / "grading").exists()
    lab.copy_course(tmp_path / "lecturer", solutions=True)
    for path in (tmp_path / "lecturer" / "grading" / "source").rglob("*.ipynb"):
        assert "BEGIN SOLUTION" in path.read_text()


def test_a_solution_that_does_not_end_is_refused() -> None:
    """Half of it would be handed out, or half of the exercise would be lost."""
    cell = {"cell_type": "code", "source": ["### BEGIN SOLUTION\n", "x = 1"], "outputs": [], "execution_count": 1}
    with pytest.raises(ValueError, match="BEGIN SOLUTION without"):
        student_version(json.dumps({"cells": [cell]}).encode())


def test_lab_without_jupyterlab_names_the_extra_and_copies_nothing(
    served: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line and exit status 1, no traceback."""

    def find_no_spec(name: str) -> ModuleSpec | None:
        return None

    monkeypatch.setattr(lab, "find_spec", find_no_spec)
    status, printed = run("lab", str(tmp_path / "course"))
    assert (status, printed) == (1, "Error: JupyterLab is not installed here: pip install 'numakit[lab]'\n")
    assert served == []
    assert list(tmp_path.iterdir()) == []


def test_lab_refuses_a_file_as_its_folder(served: list[Path], tmp_path: Path) -> None:
    """A wrong argument is a usage error, and the file stays."""
    taken = tmp_path / "taken"
    taken.write_text("mine")
    status, printed = run("lab", str(taken))
    assert (status, taken.read_text(), served) == (2, "mine", [])
    assert "is a file" in printed


def test_jupyterlab_takes_the_named_port_or_fails(tmp_path: Path) -> None:
    """A named port is a promise: no other is tried."""
    command = lab.jupyterlab_command(tmp_path, port=8899, browser=False)
    assert {"--ServerApp.port=8899", "--ServerApp.port_retries=0", "--no-browser"} <= set(command)
    assert "--no-browser" not in lab.jupyterlab_command(tmp_path, port=None, browser=True)


def test_module_and_command_tell_the_version() -> None:
    """`python -m numakit --version` is `numakit --version`."""
    command = [sys.executable, "-m", "numakit", "--version"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert (0, printed) == run("--version") == (0, f"numakit, version {__version__}\n")
