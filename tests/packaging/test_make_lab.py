"""`make lab` on a fresh clone, with nothing but git, Python and make."""

from __future__ import annotations

import sys
from pathlib import Path

import nbformat
import pytest

from numakit.lab import FIRST_PAGE
from tests.clone import copy_clone
from tests.packaging.conftest import environment_outside
from tests.packaging.lab_server import free_port, serving


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_make_lab_serves_a_copy_of_the_course_of_the_clone(tmp_path: Path) -> None:
    """It installs all it needs; what a reader runs and writes is in numakit-course, which git does not look at."""
    clone = copy_clone(tmp_path / "clone")
    before = notebooks_outside_the_copy(clone)
    environment = environment_outside(tmp_path / "jupyter")
    command = ["make", "lab", f"PYTHON={sys.executable}", f"LAB=--no-browser --port {free_port()}"]
    with serving(command, clone, environment) as lab:
        assert lab.address.path == f"/lab/tree/{FIRST_PAGE}"
        assert "jupyter-config-data" in lab.get(lab.address.path)
        served = [cell["source"] for cell in lab.get_notebook(FIRST_PAGE)["cells"]]
    assert served == [cell.source for cell in nbformat.read(clone / FIRST_PAGE, 4).cells]
    assert (clone / "numakit-course" / FIRST_PAGE).is_file()
    assert notebooks_outside_the_copy(clone) == before


def notebooks_outside_the_copy(clone: Path) -> dict[Path, bytes]:
    """The notebooks of the clone itself, and what stands in them."""
    places = [path.relative_to(clone) for path in clone.rglob("*.ipynb")]
    return {
        place: (clone / place).read_bytes() for place in places if place.parts[0] not in (".venv", "numakit-course")
    }
