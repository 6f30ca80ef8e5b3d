"""A picture for a slide: one call, one file, as large as fits."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import pytest

from numakit import Machine, Topology
from numakit.plots import draw_distances, draw_pages, draw_topology, save_slide


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    """Drawn into memory, and closed."""
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def strip() -> Any:
    """Axes that are much wider than a slide."""
    area = Machine(Topology.preset("ring4")).spawn("shell", node=0).mmap(pages=24)
    return draw_pages(area)


def size_of(png: Path) -> tuple[int, int]:
    """Its pixels, across and down, from its header."""
    across, down = struct.unpack(">II", png.read_bytes()[16:24])
    return across, down


def test_picture_fills_the_slide_in_one_direction_and_fits_in_the_other(tmp_path: Path) -> None:
    """A wide one and a square one."""
    wide = size_of(save_slide(strip(), tmp_path / "pages.png"))
    square = size_of(save_slide(draw_distances(Topology.preset("ring4")), tmp_path / "distances.png"))
    assert abs(wide[0] - 1920) <= 1
    assert wide[1] < 1080
    assert abs(square[1] - 1080) <= 1
    assert square[0] < 1920


def test_ground_of_the_theme_is_kept(tmp_path: Path) -> None:
    """A dark picture is dark to its edge, not on white paper."""
    import matplotlib.pyplot as plt

    path = save_slide(draw_topology(Topology.preset("ring4"), theme="dark"), tmp_path / "dark.png")
    corner = plt.imread(path)[0, 0, :3] * 255
    assert [round(float(channel)) for channel in corner] == [0x16, 0x19, 0x1D]


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_same_picture_gives_the_same_file(tmp_path: Path, ending: str) -> None:
    """No hour in it, so that a repository of slides does not change by itself. A figure will do, too."""
    first = save_slide(strip(), tmp_path / f"pages.{ending}").read_bytes()
    assert save_slide(strip().figure, str(tmp_path / f"pages.{ending}")).read_bytes() == first
    if ending == "svg":
        assert ElementTree.fromstring(first).tag.endswith("svg")


def test_wrong_arguments_are_named_and_no_file_is_left(tmp_path: Path) -> None:
    """Another ending, no picture, no folder."""
    with pytest.raises(ValueError, match=r"a name that ends in \.png, \.svg, \.pdf is wanted"):
        save_slide(strip(), tmp_path / "pages.docx")
    with pytest.raises(ValueError, match="axes are wanted"):
        save_slide("ring4", tmp_path / "ring.png")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError):
        save_slide(strip(), tmp_path / "nowhere" / "pages.png")
    assert list(tmp_path.iterdir()) == []
