"""A wheel built from a copy of the clone, and a virtual environment that knows only this wheel."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clone import ROOT, copy_clone

PIP = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
CONSTRAINTS = ["--constraint", str(ROOT / "constraints.txt")]


def environment_outside(folder: Path) -> dict[str, str]:
    """The environment of somebody without the clone, whose Jupyter files all lie in `folder`.

    HOME stays: pip's settings and its cache are there.
    """
    ours = {"PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS", "MAKELEVEL", "MFLAGS", "JUPYTERHUB_SERVICE_PREFIX"}
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    folders = ["JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "MPLCONFIGDIR"]
    folders += ["JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR"]
    return environment | {name: str(folder / name.lower()) for name in folders}


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as pip builds it, from a copy of the clone."""
    clone = copy_clone(tmp_path_factory.mktemp("wheel") / "clone")
    folder = clone.parent / "dist"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--wheel-dir",
            str(folder),
            str(clone),
        ],
        check=True,
    )
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="session")
def wheel_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment with the wheel, its extra `lab`, pytest and nbval."""
    venv = tmp_path_factory.mktemp("outside") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(venv)], check=True)
    python = venv / "bin" / "python"
    subprocess.run([python, *PIP, *CONSTRAINTS, f"{wheel}[lab]", "pytest", "nbval"], check=True)
    return python
