"""From a click to the new view, in a real JupyterLab: `python -m benchmarks.browser` prints a table.

Two widgets stand in one notebook: the Stepper over a call of 1,000 pages on a machine of 100,000 frames, and an empty
anywidget, whose button sets a number in the kernel that the kernel sends back. Both are clicked by turns, so that they
share whatever else the machine does. A click's time is taken in the page: from the click to the frame after the view
has changed. Each figure is a median; nothing is a test.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat

from benchmarks import widgets
from benchmarks.page import markdown_table, write_section
from numakit.tables import text_table
from tools.browser import chromium, jupyter, run_all_cells

CLICKS = 150  #: of each kind
KERNEL_HEAD = ("kernel side", "median", "aim")
HEAD = (
    "a click on",
    "changed",
    "drawn",
    "a tenth takes longer than",
    "changed, beside the empty",
    "drawn, beside",
)
PATIENCE = 120_000  #: milliseconds until the notebook has run

EMPTY = '''\
import anywidget, traitlets

class Empty(anywidget.AnyWidget):
    """A button that asks the kernel for the next number, and the number that comes back."""

    _esm = """export default { render({ model, el }) {
        el.innerHTML = '<div class="empty" data-position="0"><button>next</button></div>';
        const ask = () => { model.set("asked", model.get("asked") + 1); model.save_changes(); };
        el.querySelector("button").onclick = ask;
        model.on("change:position", () => { el.firstChild.dataset.position = model.get("position"); });
    } }"""
    asked = traitlets.Int(0).tag(sync=True)
    position = traitlets.Int(0).tag(sync=True)

    @traitlets.observe("asked")
    def _answer(self, change):
        self.position = change["new"]

Empty()
'''
STEPPER = """\
from benchmarks.widgets import recorded
from numakit.widgets import Stepper

run = recorded()
run.goto(len(run) // 2)
Stepper(run)
"""

#: Click, and wait until the position that the root of the view tells is another one, and drawn.
CLICK = """([root, button]) => new Promise(done => {
    const view = document.querySelector(root), before = view.dataset.position, begin = performance.now();
    const seen = new MutationObserver(() => {
        if (view.dataset.position === before) return;
        seen.disconnect();
        const changed = performance.now() - begin;
        requestAnimationFrame(() => setTimeout(() => done([changed, performance.now() - begin])));
    });
    seen.observe(view, { attributes: true });
    document.querySelector(`${root} ${button}`).click();
})"""
BUTTONS = {
    "an empty anywidget": (".empty", "button"),
    "the Stepper, forward": (".nk", ".nk-forward"),
    "the Stepper, back": (".nk", ".nk-back"),
}


def notebook(path: Path) -> None:
    """Both widgets, each in its cell."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (EMPTY, STEPPER)])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, path)


def clicked(page: Any) -> dict[str, list[list[float]]]:
    """What each click took, by button: until the view was changed, and until it was drawn."""
    taken: dict[str, list[list[float]]] = {name: [] for name in BUTTONS}
    for turn in range(CLICKS + 5):
        for name, where in BUTTONS.items():
            times = page.evaluate(CLICK, where)
            if turn >= 5:  # the first ones warm up
                taken[name].append(times)
    return taken


def measure() -> dict[str, list[list[float]]]:
    """Run the notebook in JupyterLab, and click."""
    with tempfile.TemporaryDirectory() as home, jupyter(Path(home)) as server, chromium() as browser:
        notebook(server.folder / "clicks.ipynb")
        page = browser.new_context(viewport={"width": 1300, "height": 1800}).new_page()
        page.set_default_timeout(PATIENCE)
        run_all_cells(page, server.address("lab", "clicks.ipynb"))
        page.wait_for_selector(".nk .nk-controls button")
        page.wait_for_selector(".empty button")
        return clicked(page)


def figures(taken: dict[str, list[list[float]]]) -> list[tuple[str, ...]]:
    """A row a button: medians, what a tenth of the clicks takes longer than, and the ratios to the empty widget."""
    empty = [statistics.median(times) for times in zip(*taken["an empty anywidget"], strict=True)]
    found = []
    for name, clicks in taken.items():
        changed, drawn = (sorted(times) for times in zip(*clicks, strict=True))
        medians = statistics.median(changed), statistics.median(drawn)
        tenth = drawn[len(drawn) * 9 // 10]
        ratios = [median / beside for median, beside in zip(medians, empty, strict=True)]
        found.append((name, *(f"{value:.0f} ms" for value in (*medians, tenth)), *(f"{ratio:.2f}" for ratio in ratios)))
    return found


def main() -> int:
    """Measure, and print or write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/benchmarks.md")
    write = parser.parse_args().write
    run = widgets.recorded()
    size = f"{run.machine.nr_frames:,} frames, a call of {widgets.PAGES:,} pages, {len(run):,} steps"
    kernel, clicks = widgets.figures(run), figures(measure())
    print(size, text_table(KERNEL_HEAD, kernel), text_table(HEAD, clicks), sep="\n\n")
    if write:
        said = (
            f"A machine of {size}. In the kernel:",
            markdown_table(KERNEL_HEAD, kernel),
            f"From the click on a button in JupyterLab to the new view, {CLICKS} clicks each, made by turns. Beside it "
            "an empty anywidget, whose button sets a number in the kernel that the kernel sends back; the aim is at "
            "most 1.3 times as long.",
            markdown_table(HEAD, clicks),
        )
        write_section("The Stepper", "\n\n".join(said))
    return 0


if __name__ == "__main__":
    sys.exit(main())
