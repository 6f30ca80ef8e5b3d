"""The picture of a process' pages: what is drawn is where the pages are, in text as well as in colour."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import matplotlib as mpl
import pytest
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from numakit import Machine, Process, Topology, Vma
from numakit.plots.pages import FILLS, describe_pages, draw_pages, fill, pattern


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def _shell(preset: str = "two-sockets", pages: int = 12) -> tuple[Process, Vma]:
    shell = Machine(Topology.preset(preset)).spawn("shell", node=0)
    return shell, shell.mmap(pages=pages)


def _labels(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def _cells(ax: Axes) -> list[Rectangle]:
    return [patch for patch in ax.patches if isinstance(patch, Rectangle)]


def test_each_page_is_a_cell_labelled_with_its_node() -> None:
    shell, area = _shell()
    shell.write(area[0:9])
    shell.move_pages(0, area[0:5], [1] * 5)
    ax = draw_pages(area)
    assert len(_cells(ax)) == 12
    assert _labels(ax) == ["1"] * 5 + ["0"] * 4


def test_pages_not_present_are_hollow() -> None:
    shell, area = _shell(pages=3)
    shell.write(area[0])
    cells = _cells(draw_pages(area))
    assert [cell.get_facecolor() == (1, 1, 1, 1) for cell in cells] == [False, True, True]
    assert [cell.get_linestyle() for cell in cells] == ["-", ":", ":"]


def test_before_is_drawn_above_and_changed_pages_have_a_thick_frame() -> None:
    shell, area = _shell(pages=4)
    shell.write(area[0:3])
    before = area.nodes
    shell.move_pages(0, area[0:2], [1, 1])
    ax = draw_pages(area, before=before)
    assert _labels(ax) == ["0", "0", "0", "1", "1", "0"]
    assert [cell.get_linewidth() > 1 for cell in _cells(ax)] == [False] * 4 + [True, True, False, False]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0x10000000 before", "after"]


def test_a_process_is_drawn_with_all_its_areas() -> None:
    shell, area = _shell(pages=40)
    other = shell.mmap(pages=2)
    shell.write(other)
    ax = draw_pages(shell)
    rows = [label.get_text() for label in ax.get_yticklabels()]
    assert rows == [f"{address:#x}" for address in (area[0], area[32], other[0])]
    assert len(_cells(ax)) == 42


def test_sixty_four_nodes_differ_in_colour_or_pattern_and_number() -> None:
    nodes = Topology.preset("altix").nodes
    assert len({(fill(nodes, node), pattern(nodes, node)) for node in nodes}) == 64
    assert {fill(nodes, node) for node in nodes} == set(FILLS)
    shell, area = _shell("altix", pages=64)
    shell.write(area)
    shell.move_pages(0, area, list(nodes))
    assert _labels(draw_pages(area)) == [str(node) for node in nodes]


def test_before_must_be_as_long_as_there_are_pages() -> None:
    _, area = _shell(pages=4)
    for show in (draw_pages, describe_pages):
        with pytest.raises(ValueError, match="before has 3 nodes, but there are 4 pages"):
            show(area, before=[0, 0, 0])


@pytest.mark.parametrize("preset", ["two-sockets", "altix"])
@pytest.mark.filterwarnings("error")
def test_nothing_is_cut_off(preset: str) -> None:
    shell, area = _shell(preset, pages=64)
    shell.write(area[0:60])
    before = area.nodes
    nodes = shell.machine.node_ids
    shell.move_pages(0, area, [nodes[i % len(nodes)] for i in range(64)])
    ax = draw_pages(area, before=before)
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.canvas.draw()
    needed = ax.get_tightbbox()
    assert needed is not None
    assert figure.bbox.x0 - 1 <= needed.x0
    assert needed.x1 <= figure.bbox.x1 + 1
    assert figure.bbox.y0 - 1 <= needed.y0
    assert needed.y1 <= figure.bbox.y1 + 1


def test_words_say_what_the_picture_shows() -> None:
    shell, area = _shell()
    shell.write(area[0:9])
    before = area.nodes
    assert describe_pages(area, before=before).splitlines()[-1] == "No page changed its node."
    shell.move_pages(0, area[0:5], [1] * 5)
    assert describe_pages(area, before=before).splitlines() == [
        "shell: 12 pages from 0x10000000.",
        "Before: pages 0-8 on node 0; pages 9-11 not present.",
        "After: pages 5-8 on node 0; pages 0-4 on node 1; pages 9-11 not present.",
        "Changed: pages 0-4.",
    ]
    assert describe_pages(shell).splitlines() == [
        "shell: 12 pages.",
        "pages 5-8 on node 0; pages 0-4 on node 1; pages 9-11 not present.",
    ]


def test_importing_the_module_imports_no_matplotlib() -> None:
    code = "import sys, numakit.plots.pages; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
