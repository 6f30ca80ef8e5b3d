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
def test_make_lab_serves_the_tour_of_the_clone_in_place(tmp_path: Path) -> None:
    """It installs all it needs, opens the clone's own notebooks and copies nothing."""
    clone = copy_clone(tmp_path / "clone")
    before = set(clone.rglob("*.ipynb"))
    environment = environment_outside(tmp_path / "jupyter")
    command = ["make", "lab", f"PYTHON={sys.executable}", f"LAB=--no-browser --port {free_port()}"]
    with serving(command, clone, environment) as lab:
        assert lab.address.path == f"/lab/tree/{FIRST_PAGE}"
        assert "jupyter-config-data" in lab.get(lab.address.path)
        served = [cell["source"] for cell in lab.get_notebook(FIRST_PAGE)["cells"]]
    assert served == [cell.source for cell in nbformat.read(clone / FIRST_PAGE, 4).cells]
    assert {path for path in clone.rglob("*.ipynb") if ".venv" not in path.parts} == before
