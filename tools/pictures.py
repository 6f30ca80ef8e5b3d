"""Draws the pictures of the documentation from runs of the model: `make pictures`.

The text that goes with a picture, for those who cannot see it, is asserted here: it is told of the same run.
"""

from __future__ import annotations

import sys
import tempfile
from errno import EACCES, ENOENT
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numakit import MPOL_MF_MOVE_ALL, Machine, Run, Topology, Vma
from numakit.plots import draw_distances, draw_topology
from numakit.plots.pages import draw_pages, fill
from tools.browser import chromium

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PICTURES = Path(__file__).resolve().parent.parent / "docs" / "pictures"
DOTS_PER_INCH = 150
MARGIN = 0.15  #: inches around a machine, as much below its legend as above its title
STEPPER_WIDTH, PIXELS = 1000, 1.4  #: of the Stepper's window, and of the picture for each of these
#: What stands below the frames is left out, and the table of moments ends there, too.
ONLY_ABOVE = """
    body { margin: 0; } h1, .nk .nk-below, .nk .nk-low, .nk .nk-note { display: none !important; }
    .nk .nk-main { align-items: stretch !important; }
    .nk .nk-track { contain: size; display: grid; grid-template-rows: auto minmax(0, 1fr); }
    .nk .nk-track ol { overflow: hidden; align-content: start; }
"""
SCROLL = "row => row.closest('ol').scrollTop = row.offsetTop - row.closest('ol').clientHeight"
#: Rows that the edge of the list would cut in two are left out.
WHOLE_ROWS = """
    list => {
      const box = list.getBoundingClientRect();
      for (const row of list.children) {
        const { top, bottom } = row.getBoundingClientRect();
        if (top < box.top - 0.5 || bottom > box.bottom + 0.5) row.style.visibility = 'hidden';
      }
    }
"""
PAGES, SHARED, ON_ITS_WAY = 10, 7, 4


def a_migration() -> tuple[Machine, Vma, Run[Any]]:
    """Ten pages are brought to node 0 from node 2, the far side of the ring; a child still maps one of them."""
    machine = Machine(Topology.preset("ring4"))
    process = machine.spawn("process", node=2)
    area = process.mmap(pages=PAGES)
    process.write(area)
    child = process.fork("child")
    process.write([address for i, address in enumerate(area) if i != SHARED])
    assert child.alive
    return machine, area, machine.record(process.move_pages, 0, area, [0] * PAGES)


def step_on_the_way(area: Vma, run: Run[Any], page: int) -> int:
    """The first step before which the page's PTE is a migration entry."""
    for step in range(len(run)):
        run.goto(step)
        if area.ptes[page].kind == "migration entry":
            return step
    raise AssertionError(f"page {page} never was on its way")


def draw_migration(path: Path) -> None:
    """The machine, and beside it the pages of the process before, during and after the call."""
    import matplotlib.pyplot as plt

    machine, area, run = a_migration()
    figure = plt.figure(figsize=(10.6, 4.3))
    draw_machine(machine, figure.add_axes((0.0, 0.12, 0.37, 0.8)))
    figure.text(
        0.415, 0.925, "process.move_pages(0, area, nodes=[0] * 10)", family="monospace", fontsize=12, weight="bold"
    )
    middle = step_on_the_way(area, run, ON_ITS_WAY)
    rows = (
        (0, "Before: all ten pages are on node 2, the far side of the ring."),
        (middle, f"Step {middle} of {len(run)}: page {ON_ITS_WAY} is on its way; whoever touches it now waits."),
        (len(run), f"After: page {SHARED} stayed, status {-EACCES} (-EACCES): a child maps it as well."),
    )
    for row, (step, words) in enumerate(rows):
        run.goto(step)
        draw_strip(area, figure.add_axes((0.415, 0.655 - 0.275 * row, 0.57, 0.16)), words)
    assert area.nodes == [2 if page == SHARED else 0 for page in range(PAGES)]
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
    plt.close(figure)


def draw_machine(machine: Machine, ax: Axes) -> None:
    """The topology; a node has the colour of its pages, and the legend only tells the distances."""
    from matplotlib.patches import Circle

    draw_topology(machine.topology, ax)
    circles = [patch for patch in ax.patches if isinstance(patch, Circle)]
    for node, circle in zip(machine.node_ids, circles, strict=True):
        number = next(text for text in ax.texts if text.get_text() == str(node))
        number.set_position(circle.center)
        circle.set_facecolor(fill(machine.node_ids, node) if node in (0, 2) else "white")
    for patch in ax.patches:
        patch.set_visible(isinstance(patch, Circle))
    lines = {line.get_color(): line for line in ax.lines}
    near, far = lines.values()
    ax.legend(
        [near, far],
        ["distance 16", "distance 22"],
        loc="upper center",
        bbox_to_anchor=(0.5, 0.03),
        ncols=2,
        frameon=False,
    )


def draw_strip(area: Vma, ax: Axes, words: str) -> None:
    """One row of pages with a sentence above it."""
    draw_pages(area, ax)
    ax.set_title(words, fontsize=11, loc="left", pad=5)
    ax.set_xlabel("")
    ax.set_xticks([])
    ax.set_yticks([])
    for page, pte in enumerate(area.ptes):
        if pte.kind == "migration entry":
            ax.text(page + 0.5, 0.5, "2 → 0", ha="center", va="center_baseline", fontsize=9)
    legend = ax.get_legend()
    if legend is not None:
        legend.remove()


def a_meeting() -> Run[Any]:
    """A page is copied to another node while its process writes to it; another page is pinned for two passes.

    The run stands where the picture shows it.
    """
    machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
    shell = machine.spawn("shell", uid=0, node=0)
    area = shell.mmap(pages=4)
    shell.write(area[0:3])
    shell.fork("child")
    shell.write(area[2])
    run = machine.begin(shell.move_pages, 0, area, [1] * 4, MPOL_MF_MOVE_ALL)
    run.when("PASS").until("PASS", in_pass=2).do(shell.pin_for_a_while, area[2])
    run.when("COPY", nth=2).do(shell.write, area[1])
    run.finish()
    assert run.result.status == [1, 1, 1, -ENOENT]
    run.goto(run.find("COPY", nth=2) + 1)
    return run


def draw_stepper(path: Path) -> None:
    """The upper part of the Stepper at the step that copies the page: all that a README has room for."""
    run = a_meeting()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        page_file = Path(folder) / "run.html"
        run.to_html(page_file)
        size = {"width": STEPPER_WIDTH, "height": 1200}
        context = browser.new_context(viewport=size, device_scale_factor=PIXELS, reduced_motion="reduce")
        page = context.new_page()
        page.goto(page_file.as_uri())
        page.add_style_tag(content=ONLY_ABOVE)
        page.locator(".nk-track [data-moment=COPY_FLAGS]").evaluate(SCROLL)
        page.locator(".nk-track ol").evaluate(WHOLE_ROWS)
        page.locator(".nk-in").screenshot(path=path)


def draw_machines(folder: Path) -> None:
    """The pictures of docs/topologies.md: 64 nodes, and a machine with CXL memory in both themes."""
    import matplotlib.pyplot as plt

    cxl = Topology.preset("cxl")
    pictures = {
        "altix.png": draw_topology(Topology.preset("altix")),
        "cxl-dark.png": draw_topology(cxl, theme="dark", use={0: cxl.memory(0) // 4, 2: cxl.memory(2) // 2}),
        "cxl-distances.png": draw_distances(cxl),
    }
    for name, ax in pictures.items():
        figure = ax.get_figure(root=True)
        assert figure is not None
        software = {"Software": None}
        figure.savefig(folder / name, dpi=DOTS_PER_INCH, bbox_inches="tight", pad_inches=MARGIN, metadata=software)
        plt.close(figure)


def main() -> int:
    """Draw all pictures."""
    import matplotlib as mpl

    mpl.use("Agg")
    PICTURES.mkdir(parents=True, exist_ok=True)
    draw_migration(PICTURES / "migration.png")
    draw_machines(PICTURES)
    draw_stepper(PICTURES / "stepper.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
