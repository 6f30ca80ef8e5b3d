"""Pictures of machines: what is drawn, that it is the same each time, and that words say it too."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from itertools import combinations

import matplotlib as mpl
import numpy as np
import pytest

from numakit.plots import describe_distances, describe_topology, draw_distances, draw_topology
from numakit.plots.layout import grouped, leaves, placed
from numakit.plots.theme import THEMES
from numakit.topology import Topology, TopologyError

TEXTS = ("03-holes-large-ids.txt", "05-memoryless-with-cpus.txt", "09-single-node.txt", "17-no-cpu-lines-old.txt")
MACHINES = [*Topology.dumps(), *TEXTS, *(name for name in Topology.presets() if name != "altix")]


@pytest.fixture(autouse=True)
def _no_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


def _machine(name: str) -> Topology:
    return Topology.preset(name) if name in Topology.presets() else Topology.load(name)


@pytest.mark.parametrize("name", MACHINES)
def test_every_node_has_its_place_and_no_two_overlap(name: str) -> None:
    topology = _machine(name)
    found = leaves(placed(grouped(topology), space=1.22))
    assert sorted(leaf.group.nodes[0] for leaf in found) == list(topology.nodes)
    assert all(math.dist(a.center, b.center) > 2.0 for a, b in combinations(found, 2))
    assert found == leaves(placed(grouped(topology), space=1.22))


@pytest.mark.parametrize("name", MACHINES)
def test_every_node_is_labelled_with_its_number(name: str) -> None:
    topology = _machine(name)
    texts = {text.get_text() for text in draw_topology(topology).texts}
    assert {str(i) for i in topology.nodes} <= texts


def test_a_ring_is_drawn_in_ring_order() -> None:
    assert grouped(Topology.preset("ring4")).children[2].nodes == (2,)


def test_altix_is_four_by_four_by_four() -> None:
    groups = grouped(Topology.preset("altix"))
    assert [child.nodes for child in groups.children[0].children[:1]] == [(0, 1, 2, 3)]
    assert (groups.distance, groups.children[0].distance, groups.children[0].children[0].distance) == (
        30,
        26,
        22,
    )


def test_the_picture_fits_its_figure() -> None:
    """Nothing that is written may be cut off at the edge."""
    drawn = [(name, draw) for name in MACHINES for draw in (draw_topology, draw_distances)]
    for name, draw in drawn:
        ax = draw(_machine(name))
        figure = ax.get_figure(root=True)
        assert figure is not None
        figure.canvas.draw()
        needed, given = ax.get_tightbbox(), figure.bbox
        assert needed is not None
        assert given.x0 - 1 <= needed.x0, name
        assert needed.x1 <= given.x1 + 1, name
        assert given.y0 - 1 <= needed.y0, name
        assert needed.y1 <= given.y1 + 1, name
        mpl.pyplot.close(figure)


def test_use_must_fit_the_machine() -> None:
    ring = Topology.preset("ring4")
    with pytest.raises(TopologyError, match="use names node 9; allowed are 0-3"):
        draw_topology(ring, use={9: 1})
    with pytest.raises(TopologyError, match=r"use\[0\]=-1; allowed are 0 to"):
        draw_topology(ring, use={0: -1})
    texts = [text.get_text() for text in draw_topology(ring, use={1: 1 << 30}).texts]
    assert "1 GiB of\n8 GiB\nCPUs 4-7" in texts


@pytest.mark.parametrize("name", ["cxl", "multi-die", "glueless8", "03-holes-large-ids.txt"])
def test_labels_overlap_neither_each_other_nor_other_nodes_numbers(name: str) -> None:
    topology = _machine(name)
    ax = draw_topology(topology, use=dict.fromkeys(topology.nodes, 0))
    figure = ax.get_figure(root=True)
    assert figure is not None
    figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 2 * len(topology.nodes)
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


@pytest.mark.parametrize("theme", THEMES)
def test_what_is_written_can_be_read_on_its_ground(theme: str) -> None:
    look = THEMES[theme]
    for ground in (look.ground, look.paper, look.bare):
        assert _contrast(look.ink, ground) >= 7
    for line in (*look.links, look.bar, look.used):
        assert _contrast(line, look.ground) >= 1.8, line


def test_the_dark_theme_is_dark_everywhere() -> None:
    for draw in (draw_topology, draw_distances):
        figure = draw(Topology.preset("ring4"), theme="dark").get_figure(root=True)
        assert figure is not None
        assert mpl.colors.to_hex(figure.get_facecolor()) == THEMES["dark"].ground.lower()
        with pytest.raises(ValueError, match="theme='sepia'; allowed are light, dark"):
            draw(Topology.preset("ring4"), theme="sepia")


def _contrast(a: str, b: str) -> float:
    """The ratio of WCAG 2."""
    light, dark = sorted((_luminance(a), _luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mpl.colors.to_rgb(colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def test_words_say_the_distances_of_each_node() -> None:
    assert describe_distances(Topology.preset("ring4")).splitlines() == [
        "Distances of ring4 (10 is local).",
        "From node 0: 10 to 0; 16 to 1,3; 22 to 2.",
        "From node 1: 10 to 1; 16 to 0,2; 22 to 3.",
        "From node 2: 10 to 2; 16 to 1,3; 22 to 0.",
        "From node 3: 10 to 3; 16 to 0,2; 22 to 1.",
    ]


def test_words_say_kinds_and_use() -> None:
    words = describe_topology(Topology.preset("cxl"), use={0: 1 << 30})
    assert "The memory of nodes 2-3 is cxl." in words
    assert "Node 0 uses 1 GiB of 64 GiB." in words


def test_the_heat_map_has_rows_from_and_columns_to() -> None:
    topology = Topology.preset("ring4")
    ax = draw_distances(topology)
    table = ax.images[0].get_array()
    assert table is not None
    assert table.tolist()[0] == [10, 16, 22, 16]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("to node", "from node")
    assert sum(np.shape(marks.get_offsets())[0] for marks in ax.collections) == 16


def test_words_say_what_the_picture_shows() -> None:
    assert describe_topology(Topology.load("fakeheteromemtiers.tar.bz2")).splitlines() == [
        "Topology 'fakeheteromemtiers': 7 nodes, 6 CPUs, 5.9 GiB.",
        "Node 0 has 2.9 GiB.",
        "Node 1 has 979 MiB.",
        "Nodes 2,4 have 512 MiB each.",
        "Nodes 6,8-9 have 384 MiB each.",
        "Nodes 4,6,8-9 have no CPUs.",
        "Nodes 3,5,7 are possible but offline.",
        "Distance 20: 42 of 42 ordered pairs.",
    ]


def test_importing_the_plots_imports_no_matplotlib() -> None:
    code = "import sys, numakit.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
