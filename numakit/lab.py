"""What stands behind `numakit lab`: a reader's own copy of the course, and JupyterLab on it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import count
from pathlib import Path, PurePosixPath
from typing import NamedTuple, NoReturn

from numakit.handout import student_version

FIRST_PAGE = "notebooks/index.ipynb"
A_STUDENTS_EXERCISE = "exercises/tour/bring-them-home.ipynb"  #: in a copy, and not in a clone
NEW_FOLDER = "numakit-course"
PACKAGE = Path(__file__).resolve().parent
GRADING = "grading"  #: the folder of whoever grades


class LabError(Exception):
    """The course cannot be opened, or not as asked; the message says what to do."""


class Copied(NamedTuple):
    """What `copy_course` did, as paths below the reader's folder."""

    new: list[Path]
    kept: list[Path]  # the reader's own versions, which differ from the course's


class BroughtBack(NamedTuple):
    """What `bring_back` did with one notebook, as paths below the reader's folder."""

    place: Path
    aside: Path | None  # where the reader's version is now; None if there was none that differs


def require_jupyterlab() -> None:
    """Raise LabError where the extra `lab` is not installed."""
    if find_spec("jupyterlab") is None:
        raise LabError('JupyterLab is not installed here: pip install "numakit[lab]"')


def on_a_hub() -> bool:
    """Whether JupyterHub started the server in which this runs: another one could not be reached by its user."""
    return "JUPYTERHUB_SERVICE_PREFIX" in os.environ


def course_root() -> Path:
    """The folder that holds notebooks/ and exercises/: inside the package, or the clone that it runs from.

    Raises LabError where there is neither.
    """
    for root in (PACKAGE / "course", PACKAGE.parent):
        if (root / FIRST_PAGE).is_file():
            return root
    raise LabError(f"the course is missing: there is no {FIRST_PAGE} with the package in {PACKAGE}")


def usual_folder(here: Path) -> Path:
    """Where a reader's copy is, if no folder is named: the one that he is in, or numakit-course below.

    A terminal of JupyterLab begins inside the copy, where a second one would be a surprise.
    """
    for folder in (here, *here.parents):
        if (folder / FIRST_PAGE).is_file() and (folder / A_STUDENTS_EXERCISE).is_file():
            return folder
    return Path(NEW_FOLDER)


def copy_course(folder: Path, *, solutions: bool = False) -> Copied:
    """Give `folder` each file of the course that it lacks; a file that is there is never written to.

    Exercises come as students get them; with `solutions` the lecturer's sources come too, into grading/.
    """
    root = course_root()
    copied = Copied([], [])
    if _is_the_course(folder, root):
        return copied
    if solutions and not (folder / GRADING).exists():
        (folder / GRADING).mkdir(mode=0o700, parents=True)  # no submission, and no neighbour, reads hidden tests there
    for place, content in _course_files(root, solutions):
        target = folder / place
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            _create(target, content)
            copied.new.append(place)
        elif target.read_bytes() != content:
            copied.kept.append(place)
    return copied


def bring_back(folder: Path, names: Sequence[str], *, solutions: bool = False) -> list[BroughtBack]:
    """Give each named notebook of `folder` the course's content again; the reader's version is renamed, never lost.

    A name is the notebook's, with or without its folders and .ipynb, or its path: "03-move-pages",
    "tour/bring-them-home". Raises LabError, before anything is changed, for a name that no notebook has or several
    have, and where `folder` is the course itself.
    """
    root = course_root()
    if _is_the_course(folder, root):
        raise LabError(f"{folder} is the course itself, and git keeps its versions: git restore brings one back")
    course = {place: content for place, content in _course_files(root, solutions) if place.suffix == ".ipynb"}
    places = dict.fromkeys(_place_of(name, folder, list(course)) for name in names)
    return [BroughtBack(place, _renew(folder, place, course[place])) for place in places]


def serve(folder: Path, *, port: int | None, browser: bool) -> NoReturn:
    """Become JupyterLab on `folder`, showing the index; this process is the server from then on."""
    sys.stdout.flush()
    command = jupyterlab_command(folder, port=port, browser=browser)
    if sys.platform == "win32":
        raise SystemExit(_wait_for(command))
    os.execv(sys.executable, command)


def jupyterlab_command(folder: Path, *, port: int | None, browser: bool) -> list[str]:
    """The words of the command that serves `folder`; JupyterLab asks nothing from the network."""
    command = [sys.executable, "-m", "jupyterlab"]
    command += [f"--ServerApp.root_dir={folder.resolve()}", f"--LabApp.default_url=/lab/tree/{FIRST_PAGE}"]
    command += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate", "--LabApp.news_url=None"]
    if port is not None:
        command += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        command.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # a container's only user; the server listens to this machine alone
    return command


def _wait_for(command: Sequence[str]) -> int:
    """Run a server to its end, and return its exit status.

    For Windows, whose exec returns to the shell at once and splits a path with a space in two. Ctrl-C reaches the
    server as well, which asks whether it is meant: it decides when this ends.
    """
    with subprocess.Popen(command) as server:
        while True:
            try:
                return server.wait()
            except KeyboardInterrupt:
                continue


def _is_the_course(folder: Path, root: Path) -> bool:
    """Whether a reader's folder is that from which the course is copied: a clone, opened in place."""
    return folder.exists() and folder.samefile(root)


def _create(target: Path, content: bytes) -> None:
    """Write a file that is not there yet; no half of one stays behind on a disc that is full."""
    file = target.open("xb")
    try:
        with file:
            file.write(content)
    except OSError:
        target.unlink()
        raise


def _place_of(name: str, folder: Path, places: Sequence[Path]) -> Path:
    """The one of the course's notebooks that a reader means. Raises LabError if it is none or several."""
    meant = Path(name)
    if meant.exists() and meant.resolve().is_relative_to(folder.resolve()):  # a path, as a shell completes it
        meant = meant.resolve().relative_to(folder.resolve())
    asked = PurePosixPath(meant.as_posix().removesuffix(".ipynb")).parts
    found = [place for place in places if asked and place.with_suffix("").parts[-len(asked) :] == asked]
    if len(found) == 1:
        return found[0]
    allowed = ", ".join(place.with_suffix("").as_posix() for place in found or places)
    raise LabError(f"{name!r} is {'several notebooks' if found else 'no notebook'} of the course; allowed: {allowed}")


def _renew(folder: Path, place: Path, content: bytes) -> Path | None:
    """Put the course's content in a notebook's place; where the reader's version went, if there was another one."""
    target = folder / place
    if target.exists() and target.read_bytes() == content:
        return None
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    fresh.unlink(missing_ok=True)
    _create(fresh, content)  # first, so that where this fails the reader's version is in its place
    aside = None
    if target.exists():
        names = (place.with_name(f"{place.stem}-my-version-{number}.ipynb") for number in count(1))
        aside = next(name for name in names if not (folder / name).exists())
        target.rename(folder / aside)
    fresh.rename(target)
    return aside


def _course_files(root: Path, solutions: bool) -> Iterator[tuple[Path, bytes]]:
    """Each file of the course: its place in a reader's folder, and what stands in it."""
    for path, inside in _files_in(root / "notebooks"):
        yield "notebooks" / inside, path.read_bytes()
    for path, inside in _files_in(root / "exercises" / "source"):
        content = path.read_bytes()
        yield "exercises" / inside, student_version(content) if path.suffix == ".ipynb" else content
    for path, inside in _files_in(root / "exercises") if solutions else ():
        yield GRADING / inside, path.read_bytes()


def _files_in(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Each file below a folder, and its place there; nothing hidden, and nothing that a tool left."""
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_file() and not any(part.startswith((".", "__pycache__")) for part in inside.parts):
            yield path, inside
