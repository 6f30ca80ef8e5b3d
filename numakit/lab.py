"""What stands behind `numakit lab`: a reader's own copy of the course, and JupyterLab on it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple, NoReturn

from numakit.handout import student_version

FIRST_PAGE = "notebooks/00-tour.ipynb"
PACKAGE = Path(__file__).resolve().parent


class LabError(Exception):
    """The course cannot be opened; the message says what to do."""


class Copied(NamedTuple):
    """What `copy_course` did, as paths below the reader's folder."""

    new: list[Path]
    kept: list[Path]  # the reader's own versions, which differ from the course's


def require_jupyterlab() -> None:
    """Raise LabError where the extra `lab` is not installed."""
    if find_spec("jupyterlab") is None:
        raise LabError("JupyterLab is not installed here: pip install 'numakit[lab]'")


def course_root() -> Path:
    """The folder that holds notebooks/ and exercises/: inside the package, or the clone that it runs from.

    Raises LabError where there is neither.
    """
    for root in (PACKAGE / "course", PACKAGE.parent):
        if (root / FIRST_PAGE).is_file():
            return root
    raise LabError(f"the course is missing: there is no {FIRST_PAGE} with the package in {PACKAGE}")


def copy_course(folder: Path, *, solutions: bool = False) -> Copied:
    """Give `folder` each file of the course that it lacks; a file that is there is never written to.

    Exercises come as students get them; with `solutions` the lecturer's sources come too, into grading/.
    """
    root = course_root()
    copied = Copied([], [])
    if folder.exists() and folder.samefile(root):
        return copied
    for place, content in _course_files(root, solutions):
        target = folder / place
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            copied.new.append(place)
        elif target.read_bytes() != content:
            copied.kept.append(place)
    return copied


def serve(folder: Path, *, port: int | None, browser: bool) -> NoReturn:
    """Become JupyterLab on `folder`, showing the tour; this process is the server from then on."""
    sys.stdout.flush()
    os.execv(sys.executable, jupyterlab_command(folder, port=port, browser=browser))


def jupyterlab_command(folder: Path, *, port: int | None, browser: bool) -> list[str]:
    """The words of the command that serves `folder`; JupyterLab asks nothing from the network."""
    command = [sys.executable, "-m", "jupyterlab"]
    command += [f"--ServerApp.root_dir={folder.resolve()}", f"--LabApp.default_url=/lab/tree/{FIRST_PAGE}"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"]
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        command.append("--no-browser")
    if os.geteuid() == 0:
        command.append("--allow-root")  # a container's only user; the server listens to this machine alone
    return command


def _course_files(root: Path, solutions: bool) -> Iterator[tuple[Path, bytes]]:
    """Each file of the course: its place in a reader's folder, and what stands in it."""
    for path, inside in _files_in(root / "notebooks"):
        yield "notebooks" / inside, path.read_bytes()
    for path, inside in _files_in(root / "exercises" / "source"):
        content = path.read_bytes()
        yield "exercises" / inside, student_version(content) if path.suffix == ".ipynb" else content
    for path, inside in _files_in(root / "exercises") if solutions else ():
        yield "grading" / inside, path.read_bytes()


def _files_in(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Each file below a folder, and its place there; nothing hidden, and nothing that a tool left."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside.parts):
            yield path, inside
