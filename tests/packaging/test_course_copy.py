"""`numakit lab` before the server starts: what it copies, what it leaves alone, what it says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import TracebackType

import pytest
from click.testing import CliRunner

from numakit import lab
from numakit.cli import main
from numakit.handout import student_version
from numakit.version import __version__
from tests.clone import ROOT

TOUR = "notebooks/00-tour.ipynb"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that would have been served, in place of a server."""
    folders: list[Path] = []

    def note_folder(folder: Path, *, port: int | None, browser: bool) -> None:
        folders.append(folder)

    monkeypatch.setattr(lab, "serve", note_folder)
    monkeypatch.delenv("JUPYTERHUB_SERVICE_PREFIX", raising=False)
    return folders


def run(*arguments: str) -> tuple[int, str]:
    """Exit status and everything printed of `numakit ARGUMENTS`."""
    result = CliRunner().invoke(main, arguments)
    return result.exit_code, result.output


def where(folder: Path) -> str:
    """The last line of every `numakit lab`."""
    return f"The course is in {folder.resolve()}; it begins with {lab.FIRST_PAGE}.\n"


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
    folder = tmp_path / "mine, with spaces"
    run("lab", str(folder))
    tour = folder / TOUR
    tour.write_text("mine")
    status, printed = run("lab", str(folder))
    assert (status, tour.read_text()) == (0, "mine")
    assert printed == f"Kept {TOUR}: it differs from the course's and stays as it is.\n" + where(folder)
    tour.unlink()
    assert run("lab", str(folder)) == (0, f"Copied 1 file of the course to {folder}.\n" + where(folder))
    assert served == [folder] * 3


def test_lab_opens_the_index_first_and_says_where_the_course_is(served: list[Path], tmp_path: Path) -> None:
    """Whoever closes the browser finds it again."""
    assert run("lab", str(tmp_path))[1].endswith(where(tmp_path))
    assert (tmp_path / "notebooks" / "index.ipynb").is_file()
    command = lab.jupyterlab_command(tmp_path, port=None, browser=True)
    assert "--LabApp.default_url=/lab/tree/notebooks/index.ipynb" in command


def test_copy_only_starts_nothing_and_needs_no_jupyterlab(
    served: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a hub the server runs already, in an environment that may be another one."""
    monkeypatch.setattr(lab, "find_spec", lambda name: None)
    status, printed = run("lab", "--copy-only", str(tmp_path / "course"))
    assert (status, served) == (0, [])
    assert printed.endswith(where(tmp_path / "course"))
    assert (tmp_path / "course" / TOUR).is_file()


def test_on_a_hub_no_second_server_is_started(
    served: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address would be that of a machine which the student's browser does not reach."""
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/student/")
    status, printed = run("lab", str(tmp_path))
    assert (status, served) == (0, [])
    assert printed.endswith(where(tmp_path) + "This server is a JupyterHub's: open the notebook in its JupyterLab.\n")
    assert (tmp_path / TOUR).is_file()


@pytest.mark.parametrize("below", ["", "notebooks", "exercises/tour"])
def test_terminal_inside_the_copy_means_that_copy(
    served: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, below: str
) -> None:
    """JupyterLab's terminals begin there, and no course is copied into the course."""
    lab.copy_course(tmp_path / "course")
    (tmp_path / "course" / TOUR).write_text("mine")
    monkeypatch.chdir(tmp_path / "course" / below)
    assert run("lab", "--reset", "00-tour")[1].endswith(where(tmp_path / "course"))
    assert (tmp_path / "course" / TOUR).read_bytes() == (ROOT / TOUR).read_bytes()
    assert not list(tmp_path.rglob("numakit-course"))


def test_clone_is_no_copy_to_which_exercises_could_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    """`numakit lab` in a clone makes a copy below it, as `make lab` does."""
    monkeypatch.chdir(ROOT)
    assert lab.usual_folder(Path.cwd()) == Path("numakit-course")


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("00-tour", "notebooks/00-tour"),
        ("00-tour.ipynb", "notebooks/00-tour"),
        ("notebooks/00-tour.ipynb", "notebooks/00-tour"),
        ("{folder}/notebooks/00-tour.ipynb", "notebooks/00-tour"),
        ("bring-them-home", "exercises/tour/bring-them-home"),
        ("tour/bring-them-home", "exercises/tour/bring-them-home"),
    ],
)
def test_reset_brings_a_notebook_back_and_keeps_the_readers_version(
    served: list[Path], tmp_path: Path, name: str, place: str
) -> None:
    """However it is called; the reader's version gets a name that says so, each time another one."""
    lab.copy_course(tmp_path)
    notebook = tmp_path / f"{place}.ipynb"
    original = notebook.read_bytes()
    for number in (1, 2):
        notebook.write_text(f"mine {number}")
        status, printed = run("lab", str(tmp_path), "--reset", name.format(folder=tmp_path))
        assert status == 0
        assert f"{place}.ipynb is as the course has it; your version is {place}-my-version-{number}.ipynb." in printed
        assert notebook.read_bytes() == original
    assert [(tmp_path / f"{place}-my-version-{number}.ipynb").read_text() for number in (1, 2)] == ["mine 1", "mine 2"]
    assert served == []


def test_reset_touches_no_other_notebook_and_none_that_is_as_the_course_has_it(tmp_path: Path) -> None:
    """Twice is as good as once, and one that was deleted comes back as well."""
    lab.copy_course(tmp_path)
    other = tmp_path / "notebooks" / "03-move-pages.ipynb"
    other.write_text("mine")
    (tmp_path / TOUR).unlink()
    before = {path.name for path in other.parent.iterdir()}
    for _ in range(2):
        assert f"{TOUR} is as the course has it.\n" in run("lab", str(tmp_path), "--reset", "00-tour")[1]
    assert {path.name for path in other.parent.iterdir()} == before | {"00-tour.ipynb"}
    assert other.read_text() == "mine"


@pytest.mark.parametrize("name", ["00-turo", "tour", "", "../notebooks/00-tour", "notebooks/../00-tour"])
def test_reset_of_an_unknown_notebook_names_those_that_there_are_and_changes_nothing(tmp_path: Path, name: str) -> None:
    """Also beside a name that is right."""
    lab.copy_course(tmp_path)
    (tmp_path / TOUR).write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    status, printed = run("lab", str(tmp_path), "--reset", "00-tour", "--reset", name)
    assert status == 1
    assert printed.startswith(f"Error: {name!r} is no notebook of the course; allowed: notebooks/00-tour, ")
    assert "exercises/tour/bring-them-home" in printed
    assert (tmp_path / TOUR).read_text() == "mine"
    assert sorted(tmp_path.rglob("*")) == before


def test_reset_of_two_notebooks_of_one_name_asks_which(tmp_path: Path) -> None:
    """A lecturer's folder has each exercise twice."""
    lab.copy_course(tmp_path, solutions=True)
    with pytest.raises(
        lab.LabError, match=r"several notebooks .*: exercises/tour/bring-them-home, grading/source/tour"
    ):
        lab.bring_back(tmp_path, ["bring-them-home"], solutions=True)


def test_reset_in_the_clone_is_refused() -> None:
    """There is no second copy there."""
    with pytest.raises(lab.LabError, match="git restore"):
        lab.bring_back(ROOT, ["00-tour"])


FULL_DISC = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))  # no file can be longer: as if the disc were full
from numakit.cli import main
main(["lab", *sys.argv[1:]])
"""


@pytest.mark.parametrize("options", [("--copy-only",), ("--reset", "00-tour")])
def test_full_disc_leaves_neither_half_a_file_nor_a_lost_version(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Half a notebook would be taken for the reader's own the next time."""
    tour = tmp_path / TOUR
    tour.parent.mkdir()
    tour.write_text("mine")
    command = [sys.executable, "-c", FULL_DISC, str(tmp_path), *options]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert done.stderr.startswith("Error: [Errno ")
    assert tour.read_text() == "mine"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tour]


def test_where_exec_does_not_wait_the_server_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is the server's to answer; its exit status is the command's."""

    class Server:
        def __init__(self, command: list[str]) -> None:
            self.interrupts = iter([KeyboardInterrupt, KeyboardInterrupt])

        def __enter__(self) -> Server:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
        ) -> None:
            pass

        def wait(self) -> int:
            for interrupt in self.interrupts:
                raise interrupt
            return 3

    monkeypatch.setattr(subprocess, "Popen", Server)
    assert lab._wait_for(["jupyter-lab"]) == 3


def test_lab_in_the_clone_copies_nothing(served: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The clone's own notebooks are opened in place."""
    monkeypatch.chdir(ROOT)
    assert run("lab", ".") == (0, where(ROOT))
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


@pytest.mark.skipif(os.name != "posix", reason="folders have no such modes here")
def test_the_folder_in_which_one_grades_is_closed_to_others(tmp_path: Path) -> None:
    """A submission that runs as another user finds no hidden tests there."""
    lab.copy_course(tmp_path, solutions=True)
    assert (tmp_path / "grading").stat().st_mode & 0o777 == 0o700


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
    assert (status, printed) == (1, 'Error: JupyterLab is not installed here: pip install "numakit[lab]"\n')
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
