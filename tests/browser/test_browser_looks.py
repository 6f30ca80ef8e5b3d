"""Every view, saved and live, in both themes, wide and narrow: nothing for axe-core to find, and nothing cut off."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.browser.look import LOOK, violations
from tools.browser import run_all_cells

pytestmark = pytest.mark.timeout(400)

#: Views, each with something chosen, opened or made; a run with a fork, a fault that waits, and an error.
VIEWS = """\
from numakit import MPOL_MF_MOVE_ALL, Machine, Topology
from numakit.widgets import CallBuilder, PlacementView, StatusGallery, Stepper, TopologyView
machine = Machine(Topology.preset("glueless8"), scale=1 << 15)
shell = machine.spawn("shell", uid=0, node=0)
area = shell.mmap(pages=60)
shell.write(area[0:4] + area[5:20])
child = shell.fork("child")
shell.write(area[0])
run = machine.begin(shell.move_pages, 0, area[0:5], [1] * 5, MPOL_MF_MOVE_ALL)
run.when("TRY_TO_UNMAP", nth=3).do(child.write, area[1])
run.when("COPY").do(shell.fork, "another")
run.finish()
placement = PlacementView(run)
placement.chosen = [0, 1, 4]
placement.look_closer()
topology = TopologyView(machine)
topology.select(3)
gallery = StatusGallery()
gallery.show_card("migrating")
gallery.predict(-14)
builder = CallBuilder(machine)
builder.make_call()
run.goto(40)
stepper = Stepper(run)
"""
NAMES = ("stepper", "placement", "topology", "gallery", "builder")
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Two pictures</title>'
    '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
    "<style>:root {{ color-scheme: light dark; }} body {{ background: light-dark(#fff, #12161b); color: "
    "light-dark(#000, #fff); }}</style></head><body><main><h1>Two pictures</h1>{}{}</main></body></html>"
)
#: No rule of axe-core asks for both, so each width has one theme. 700 pixels are a window of 1400 at 200 percent.
LOOKS = ((1400, "light"), (700, ""), (420, "dark"))
FINE = {"clipped": [], "over": [], "wide": False}
WIDER = (
    """() => [...document.querySelectorAll(".nk")].filter(e => e.scrollWidth > e.clientWidth).map(e => e.outerHTML)"""
)
OPEN_ALL = "() => document.querySelectorAll('.nk details').forEach(e => { e.open = true; })"
SCROLLS = """() => [...document.querySelectorAll(".nk *")].filter(e => {
    const { overflowX, overflowY } = getComputedStyle(e);
    return /auto|scroll/.test(overflowX + overflowY) && e.scrollHeight > e.clientHeight + 1;
}).map(e => e.className)"""


@pytest.fixture(scope="module")
def views() -> dict[str, Any]:
    """The views of this process."""
    made: dict[str, Any] = {}
    exec(VIEWS, made)
    return made


@pytest.mark.parametrize("name", NAMES)
def test_two_pictures_on_one_page_are_told_apart_and_whole(
    name: str, views: dict[str, Any], open_page: Any, tmp_path: Path
) -> None:
    """As a notebook read on a site has them, with everything open that opens."""
    path = tmp_path / "pictures.html"
    picture = views[name].static_html()
    path.write_text(PAGE.format(picture, picture), encoding="utf-8")
    page = open_page(path.as_uri())
    page.goto(path.as_uri())
    page.evaluate(OPEN_ALL)
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 1500})
        assert page.evaluate(LOOK) == FINE, width
        assert name != "stepper" or page.evaluate(SCROLLS) == [], width
        if scheme:
            page.emulate_media(color_scheme=scheme)
            assert violations(page) == [], (width, scheme)


@pytest.fixture(params=["lab", "notebook"])
def page(request: pytest.FixtureRequest, server: Any, open_page: Any) -> Any:
    """All views in one notebook, two Steppers among them, in JupyterLab and in Notebook 7; the theme is put back."""
    shown = f"display({', '.join(NAMES)}, Stepper(run))"
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (VIEWS + shown, "'last'")])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, server.folder / "looks.ipynb")
    opened = open_page(server.url, width=1400)
    run_all_cells(opened, server.address(request.param, "looks.ipynb"))
    opened.wait_for_function("() => document.querySelectorAll('.nk[data-drawn], .nk[data-position]').length === 8")
    opened.evaluate(
        "() => jupyterapp.shell.leftCollapsed || jupyterapp.commands.execute('application:toggle-left-area')"
    )
    yield opened
    wear(opened, "light")


def wear(page: Any, scheme: str) -> None:
    """Let the app put its own theme on, light or dark, and wait for it."""
    theme = f"JupyterLab {scheme.capitalize()}"
    page.evaluate("theme => jupyterapp.commands.execute('apputils:change-theme', { theme })", theme)
    page.wait_for_function(
        "light => document.body.dataset.jpThemeLight === light", arg="true" if scheme == "light" else "false"
    )


def test_all_views_on_one_page_of_either_app(page: Any) -> None:
    """With the theme of the app, which is another than the system's."""
    for width, scheme in LOOKS:
        page.set_viewport_size({"width": width, "height": 1500})
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        looks = page.evaluate(LOOK)
        assert (looks["clipped"], looks["over"], page.evaluate(WIDER)) == ([], [], []), width
        if scheme:
            wear(page, scheme)
            assert violations(page, ".jp-OutputArea-output") == [], (width, scheme)
