"""Sysfs snapshots made by hand, as folders and as tars."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.readers.samples import TWO_NODES, MakeFolder, MakeTar


@pytest.fixture
def two_nodes() -> dict[str, str]:
    """The files of the small machine, free to change."""
    return dict(TWO_NODES)


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """Write files below a folder and return it."""

    def make(files: Mapping[str, str]) -> Path:
        root = tmp_path / "machine"
        for name, text in files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(text.encode("latin-1"))
        return root

    return make


@pytest.fixture
def make_tar(tmp_path: Path) -> MakeTar:
    """Write a tar of files and of further members (links, devices, ...) and return its path."""

    def make(files: Mapping[str, str], *members: tarfile.TarInfo, name: str = "machine.tar.gz") -> Path:
        path = tmp_path / name
        with tarfile.open(path, "w:gz") as archive:
            for member in members:
                archive.addfile(member)
            for inner, text in files.items():
                header = tarfile.TarInfo(f"machine/{inner}")
                header.size = len(text)
                archive.addfile(header, io.BytesIO(text.encode("latin-1")))
                # Real snapshots list their folders.
                folder = tarfile.TarInfo(f"machine/{Path(inner).parent}")
                folder.type = tarfile.DIRTYPE
                archive.addfile(folder)
        return path

    return make
