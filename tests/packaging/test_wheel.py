"""The wheel carries all that the course needs, and works where there is no clone."""

from __future__ import annotations

import subprocess
from pathlib import Path
from zipfile import ZipFile

import nbformat
import pytest

from numakit.lab import FIRST_PAGE
from numakit.version import __version__
from tests.clone import ROOT
from tests.packaging.conftest import environment_outside
from tests.packaging.lab_server import free_port, serving
from tools.run_parts import CELL_SECONDS

TOUR = "notebooks/00-tour.ipynb"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def files_of_clone(folder: str) -> set[str]:
    """The files that git knows or would add below `folder`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", folder]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return {name for name in listing.splitlines() if (ROOT / name).is_file()}


def test_wheel_holds_package_and_course_and_nothing_else(wheel: Path) -> None:
    """Code, dumps, notebooks and exercises go in; tests, tools and leftovers do not."""
    names = {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}
    course = {f"numakit/course/{name}" for name in files_of_clone("notebooks") | files_of_clone("exercises")}
    assert names == files_of_clone("numakit") | course


def test_wheel_carries_tour_exercise_dumps_and_licences(wheel: Path) -> None:
    """What the reader must find is named here once, so that an empty folder does not pass."""
    names = ZipFile(wheel).namelist()
    assert {f"numakit/course/{FIRST_PAGE}", f"numakit/course/{TOUR}"} <= set(names)
    assert any(name.startswith("numakit/course/exercises/") and name.endswith(".ipynb") for name in names)
    assert sum(name.startswith("numakit/topology/dumps/") and name.endswith(".tar.bz2") for name in names) >= 6
    assert "numakit/topology/dumps/COPYING.hwloc" in names
    assert "numakit/py.typed" in names
    assert f"numakit-{__version__}.dist-info/licenses/LICENSE" in names


def test_installed_wheel_serves_the_tour_and_the_tour_runs(wheel_python: Path, tmp_path: Path) -> None:
    """`numakit lab` in an empty folder: the index' page and file are served, the tour's stored outputs are right."""
    reader = tmp_path / "a reader"
    reader.mkdir()
    environment = environment_outside(tmp_path / "jupyter")
    numakit = str(wheel_python.with_name("numakit"))
    command = [numakit, "lab", "--no-browser", "--port", str(free_port())]
    with serving(command, reader, environment) as lab:
        assert lab.address.path == f"/lab/tree/{FIRST_PAGE}"
        assert "jupyter-config-data" in lab.get(lab.address.path)
        assert lab.get_notebook(FIRST_PAGE)["cells"]

    tour = reader / "numakit-course" / TOUR
    assert tour.read_bytes() == (ROOT / TOUR).read_bytes()
    strict = ["--nbval", f"--nbval-sanitize-with={ROOT / 'sanitize.cfg'}", "--nbval-current-env"]
    strict += [f"--nbval-cell-timeout={CELL_SECONDS}", "--rootdir", str(reader), "-c", "/dev/null"]
    run = subprocess.run(
        [wheel_python, "-m", "pytest", *strict, str(tour)],
        cwd=reader,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    cells = [cell for cell in nbformat.read(tour, 4).cells if cell.cell_type == "code"]
    assert run.returncode == 0, run.stdout + run.stderr
    assert f"{len(cells)} passed" in run.stdout


def test_wheel_is_what_the_outside_environment_imports(wheel_python: Path, tmp_path: Path) -> None:
    """No path leads from the wheel's environment back into the clone."""
    run = subprocess.run(
        [wheel_python, "-c", "import numakit; print(numakit.__file__)"],
        cwd=tmp_path,
        env=environment_outside(tmp_path / "jupyter"),
        check=True,
        capture_output=True,
        text=True,
    )
    assert Path(run.stdout.strip()).is_relative_to(wheel_python.parent.parent)
