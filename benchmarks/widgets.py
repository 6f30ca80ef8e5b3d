"""Figures of the widgets: `python -m benchmarks.widgets` prints two tables, `--write` puts the second into docs/.

The Stepper, kernel side: a machine of 100,000 frames and a call of 1,000 pages, some 17,000 steps. The PlacementView
of 1,000,000 pages, kernel side and, where there is a Chromium, in the browser; beside it, as a yardstick, one pass of
numpy over as many integers. Each figure is a median; nothing is a test.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.page import markdown_table, write_section
from numakit import Machine, Process, Run, Topology
from numakit.tables import text_table
from numakit.widgets import Placement, PlacementView, Stepper, placement
from numakit.widgets.panels import script
from numakit.widgets.reading import Reading

FRAMES = 100_000
PAGES = 1_000
TIMES = 60
MILLION = 1_000_000
#: Draws a view as the widget does, from its state, until the browser has painted it; answers with the milliseconds.
IN_THE_BROWSER = """async state => {
    const model = { get: name => state[name], set() {}, save_changes() {}, on() {}, off() {} };
    const root = document.createElement("div"), begin = performance.now();
    document.body.replaceChildren(root);
    mountView(root, model);
    root.getBoundingClientRect();
    await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    return performance.now() - begin;
}"""


def machine_of(frames: int) -> Machine:
    """A machine of two nodes and about so many frames."""
    topology = Topology.preset("two-sockets")
    memory = sum(topology.memory(node) for node in topology.nodes)
    return Machine(topology, scale=max(1, memory // 4096 // frames))


def recorded() -> Run[Any]:
    """A call that moves 1,000 pages while some of them are written to."""
    machine = machine_of(FRAMES)
    shell: Process = machine.spawn("shell", uid=0, node=0)
    area = shell.mmap(pages=PAGES)
    shell.write(area)
    run = machine.begin(shell.move_pages, 0, area, [1] * PAGES)
    for nth in (10, 500, 900):
        run.when("COPY", nth=nth).do(shell.write, area[nth - 1])
    run.finish()
    return run


def a_million_pages() -> tuple[Process, Placement]:
    """A process of 1,000,000 pages of which half are present, and where they were before every third of these moved.

    In each cell two states are mixed, and they differ from cell to cell: nothing can be drawn in one piece.
    """
    machine = Machine(Topology.preset("two-sockets"), scale=4)
    shell = machine.spawn("shell", uid=0, node=0)
    area = shell.mmap(pages=MILLION)
    shell.write([area[i] for i in range(0, MILLION, 2)])
    before = placement(shell)
    moved = [area[i] for i in range(0, MILLION, 2) if i // 3000 % 3 == 0]
    shell.move_pages(0, moved, [1] * len(moved))
    return shell, before


def placement_rows() -> list[tuple[str, str, str, str]]:
    """The figures of the PlacementView."""
    shell, before = a_million_pages()
    numbers = np.arange(MILLION) % 7
    yardstick = statistics.median([milliseconds(lambda: np.bincount(numbers)) for _ in range(20)])
    views: list[PlacementView] = []
    taken = statistics.median([milliseconds(lambda: placement(shell)) for _ in range(10)])
    opened = statistics.median(
        [milliseconds(lambda: views.append(PlacementView(shell, before=before))) for _ in range(10)]
    )
    view = views[-1]
    view.chosen = [0, 0, 0]
    moving = statistics.median([milliseconds(partial(setattr, view, "chosen", [0, 0, i])) for i in range(1, 20)])
    closer = statistics.median(
        [milliseconds(partial(setattr, view, "zoom", [[0, 1000 * i, MILLION // 2]])) for i in range(10)]
    )
    rows = [
        ("yardstick: numpy counts 1,000,000 integers", f"{yardstick:.1f} ms", "", "1"),
        ("placement(process)", f"{taken:.0f} ms", "", f"{taken / yardstick:.0f}"),
        ("PlacementView, before and after", f"{opened:.0f} ms", "", f"{opened / yardstick:.0f}"),
        ("another cell is chosen", f"{moving:.1f} ms", "10 ms", f"{moving / yardstick:.1f}"),
        ("half of the pages looked at closely", f"{closer:.0f} ms", "100 ms", f"{closer / yardstick:.0f}"),
    ]
    drawn = milliseconds_in_the_browser(view)
    if drawn is not None:
        rows.append(("drawn by the browser", f"{drawn:.0f} ms", "", f"{drawn / yardstick:.0f}"))
        rows.append(
            (
                "kernel side and browser together",
                f"{opened + drawn:.0f} ms",
                "1 s",
                f"{(opened + drawn) / yardstick:.0f}",
            )
        )
    return rows


def milliseconds_in_the_browser(view: PlacementView) -> float | None:
    """How long a headless Chromium takes to draw a view; None where there is none."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not chromium:
        return None
    from playwright.sync_api import sync_playwright

    state = {name: value for name, value in view.get_state().items() if not name.startswith("_") and name != "layout"}
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder) / "view.html"
        page_file.write_text(f"<!doctype html><style>{view._css}</style><body></body>", encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(page_file.as_uri())
        page.add_script_tag(content=f"{script('explorer.js')}\nwindow.mountView = mount;", type="module")
        page.wait_for_function("() => window.mountView")
        taken = [float(page.evaluate(IN_THE_BROWSER, state)) for _ in range(10)]
        browser.close()
    return statistics.median(taken)


def milliseconds(work: Callable[[], object]) -> float:
    """How long a piece of work takes."""
    begin = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - begin)


def median(works: Iterable[Callable[[], object]]) -> str:
    """The median and the longest of some pieces of work."""
    taken = [milliseconds(work) for work in works]
    return f"{statistics.median(taken):.1f} ms, at most {max(taken):.1f}"


def figures(run: Run[Any]) -> list[tuple[str, str, str]]:
    """What a step costs in the kernel: (what, median, aim)."""
    length = len(run)
    built = milliseconds(lambda: Reading(run))
    opened: list[Stepper] = []
    first = milliseconds(lambda: opened.append(Stepper(run)))
    stepper = opened[0]
    middle = length // 2
    stepper.show(middle)
    sent = sum(len(value) for name, value in stepper.get_state().items() if name.startswith("html_"))
    far = [i * 7919 % (length + 1) for i in range(TIMES)]
    return [
        ("one step forward", median([stepper.forward] * TIMES), "10 ms"),
        ("one step back", median([stepper.back] * TIMES), "10 ms"),
        ("scrub to any step", median([partial(stepper.show, step) for step in far]), "50 ms"),
        ("reading the run, once", f"{built:.0f} ms", ""),
        ("opening the Stepper, once", f"{first:.0f} ms", ""),
        ("all panels of a step", f"{sent / 1000:.1f} kB", ""),
    ]


def main() -> None:
    """Measure, and print or write."""
    run = recorded()
    print(f"{run.machine.nr_frames:,} frames, {PAGES:,} pages, {len(run):,} steps")
    print(text_table(("kernel side", "median", "aim"), figures(run)))
    print(f"\n{MILLION:,} pages")
    head, rows = ("PlacementView", "median", "aim", "of the yardstick"), placement_rows()
    print(text_table(head, rows))
    if "--write" in sys.argv[1:]:
        told = f"{MILLION:,} pages before and after a call, two states mixed in every cell, Python and browser."
        write_section("The PlacementView", f"{told}\n\n{markdown_table(head, rows)}")


if __name__ == "__main__":
    main()
