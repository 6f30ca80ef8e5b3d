"""PlacementView and TopologyView in a browser: what the page shows is what the widget of this process says."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import nbformat
import pytest

from numakit import Machine, Process, Topology
from numakit.widgets import PlacementView, TopologyView, placement
from tests.browser.in_page import open_in_page
from tests.browser.look import violations
from tools.browser import run_all_cells

pytestmark = pytest.mark.timeout(300)

MILLION = 1_000_000
#: Whether a panel of the page is the widget's, apart from what the front adds: the chosen cells of each strip.
SAME = """([name, html]) => {
    const plain = root => {
        for (const e of root.querySelectorAll(".nk-cursor")) { e.hidden = true; e.removeAttribute("style"); }
        for (const e of root.querySelectorAll("[role=slider]"))
            for (const a of ["aria-valuenow", "aria-valuetext"]) e.removeAttribute(a);
        for (const e of root.querySelectorAll("details")) e.removeAttribute("open");
        return root;
    };
    const there = plain(document.querySelector(`.nk [data-panel="${name}"]`).cloneNode(true));
    const wanted = there.cloneNode();
    wanted.innerHTML = html;
    return plain(wanted).isEqualNode(there) ? "" : there.innerHTML;
}"""
PLACES = """() => [...document.querySelectorAll(".nk-area[data-key='0'], .nk-shape, .nk-around")].map(e => {
    const { left, top, width, height } = e.getBoundingClientRect();
    return [left, top, width, height].map(Math.round).join();
})"""


def _shell(pages: int, scale: int = 1 << 3) -> tuple[Process, list[int]]:
    machine = Machine(Topology.preset("two-sockets"), scale=scale)
    shell = machine.spawn("shell", uid=0, node=0)
    return shell, list(shell.mmap(pages=pages))


def _moved() -> PlacementView:
    """Every look: both nodes, a file, the zero page, swap, nothing; before and after."""
    shell, area = _shell(40)
    shell.write(area[0:20])
    shell.read(area[20:24])
    shell.machine.migrate_prep()
    shell.machine.reclaim([shell.page(address) or 0 for address in area[15:20]])
    window = shell.mmap(pages=2000, shared=True, file=shell.machine.file("accounts", pages=2000))
    shell.read(window[0:1000])
    before = placement(shell)
    shell.move_pages(0, area[0:10] + window[0:800:2], nodes=[1] * 410)
    return PlacementView(shell, before=before)


def _drawn(page: Any, view: Any) -> None:
    """Wait until the page shows what the widget has drawn last, and compare all of it."""
    page.wait_for_function("n => +document.querySelector('.nk').dataset.drawn === n", arg=view.drawn)
    for name in (name for name in view.get_state() if name.startswith("html_")):
        assert page.evaluate(SAME, [name.removeprefix("html_"), getattr(view, name)]) == "", name


def _press(page: Any, view: Any, *keys: str) -> None:
    for key in keys:
        before = view.drawn
        page.keyboard.press(key)
        page.wait_for_function("n => +document.querySelector('.nk').dataset.drawn > n", arg=before)
    _drawn(page, view)


def test_cells_are_chosen_and_looked_at_closely_by_keys(open_page: Any, tmp_path: Path) -> None:
    """The focus stays where the reader is, and no strip moves."""
    view = _moved()
    page = open_in_page(open_page, view, tmp_path)
    _drawn(page, view)
    places = page.evaluate(PLACES)
    page.locator("[data-keys='1']").focus()
    _press(page, view, "ArrowRight", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight")
    assert view.chosen == [1, 1, 3]
    slider = page.locator("[data-keys='1']")
    assert slider.get_attribute("aria-valuetext") == view.sliders["1"]["text"]
    cursor, over = (page.locator(f"[data-keys='1'] .nk-{name}").bounding_box() for name in ("cursor", "over"))
    cells = len(view.strips[1].after[:600])
    assert abs(cursor["x"] - over["x"] - over["width"] / cells) < 1
    assert abs(cursor["width"] - max(3, 3 * over["width"] / cells)) < 1
    _press(page, view, "Enter")
    assert [step[0] for step in view.zoom] == [1]
    assert page.evaluate("() => document.activeElement.dataset.keys") == "1"
    page.locator("[data-keys='-1']").focus()
    _press(page, view, "ArrowRight", "Enter", "Escape")
    assert len(view.zoom) == 1
    _press(page, view, "Escape")
    assert page.evaluate("() => document.activeElement.dataset.keys") == "0"  # its own strip has gone
    assert page.evaluate(PLACES) == places


def test_cells_are_chosen_by_dragging_and_by_buttons(open_page: Any, tmp_path: Path) -> None:
    view = _moved()
    page = open_in_page(open_page, view, tmp_path)
    box = page.locator("[data-keys='0'] .nk-over").bounding_box()
    cell = box["width"] / 40
    page.mouse.move(box["x"] + 4.5 * cell, box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 8.5 * cell, box["y"] + 5, steps=4)
    page.mouse.up()
    _drawn(page, view)
    assert view.chosen == [0, 4, 8]
    page.get_by_role("button", name="Look closer").click()
    page.wait_for_selector("[data-keys='-1']")
    _drawn(page, view)
    assert view.zoom == [[0, 4, 5]]
    page.get_by_role("button", name="Back out").click()
    page.wait_for_function("() => !document.querySelector('[data-keys=\"-1\"]')")
    assert (view.zoom, view.chosen) == ([], [])
    page.mouse.dblclick(box["x"] + 30.5 * cell, box["y"] + 5)
    page.wait_for_selector("[data-keys='-1']")
    _drawn(page, view)
    assert view.zoom == [[0, 30, 1]]


def test_a_million_pages_are_a_page_of_few_elements(open_page: Any, tmp_path: Path) -> None:
    """However mixed they are; how long it takes is measured in benchmarks/widgets.py."""
    shell, area = _shell(MILLION)
    shell.write(area[0 : MILLION // 2 : 50])
    before = placement(shell)
    shell.move_pages(0, area[0 : MILLION // 2 : 100], nodes=[1] * (MILLION // 200))
    view = PlacementView(shell, before=before)
    page = open_in_page(open_page, view, tmp_path)
    _drawn(page, view)
    assert page.locator(".nk-counts").inner_text().endswith("5,000 changed")
    assert page.evaluate("() => document.querySelectorAll('.nk *').length") < 2 * 2 * 600 + 200
    page.locator("[data-keys='0']").focus()
    _press(page, view, "End", "Enter")
    assert view.zoom == [[0, MILLION - MILLION // 600 - 1, MILLION // 600 + 1]]


def test_nodes_are_chosen_by_keys_and_by_pointing(open_page: Any, tmp_path: Path) -> None:
    view = TopologyView(Topology.preset("glueless8"))
    page = open_in_page(open_page, view, tmp_path)
    _drawn(page, view)
    places = page.evaluate(PLACES)
    page.keyboard.press("Tab")
    focused = "() => document.activeElement.dataset.node"
    assert page.evaluate(focused) == "0"
    for key in ("Enter", "PageDown", "ArrowDown", "End", "ArrowRight"):
        _press(page, view, key)
        assert page.evaluate(focused) == str(view.selected)
    kept = view.selected
    page.locator("[data-node='6']").hover()
    page.wait_for_function("() => document.querySelector('.nk-about').innerText.startsWith('Node 6')")
    _drawn(page, view)
    assert (view.hovered, view.selected) == (6, kept)
    page.mouse.move(2, 2)
    page.wait_for_function("n => document.querySelector('.nk-about').innerText.startsWith(`Node ${n}`)", arg=kept)
    page.locator("[data-node='3']").click()
    page.wait_for_function("() => document.querySelector('[data-node=\"3\"]').getAttribute('aria-pressed') === 'true'")
    assert view.selected == 3
    assert page.evaluate(PLACES) == places


@pytest.mark.parametrize("make", [_moved, lambda: TopologyView(Topology.preset("cxl"))], ids=["placement", "topology"])
def test_axe_finds_nothing_and_nothing_is_cut(make: Any, open_page: Any, tmp_path: Path) -> None:
    """Light and dark, wide and narrow, at the beginning and with something chosen; twice as large too."""
    for scheme, width in product(("light", "dark"), (1200, 420)):
        view = make()
        page = open_in_page(open_page, view, tmp_path, width=width, scheme=scheme)
        for keys in ([], ["ArrowRight", "ArrowRight"], ["Enter"]):
            page.locator("[data-keys]").first.locator("[tabindex='0']").or_(page.locator("[data-keys]")).first.focus()
            for key in keys:
                page.keyboard.press(key)
            page.wait_for_function("n => +document.querySelector('.nk').dataset.drawn === n", arg=view.drawn)
            assert violations(page) == [], (scheme, width, keys)
            assert not page.evaluate("() => document.documentElement.scrollWidth > innerWidth")


NOTEBOOK = """\
from numakit import Machine, Topology
from numakit.widgets import PlacementView, TopologyView, placement
machine = Machine(Topology.preset("ring4"), scale=1 << 14)
shell = machine.spawn("shell", uid=0, node=0)
area = shell.mmap(pages=8)
shell.write(area[0:6])
before = placement(shell)
shell.move_pages(0, area[0:4], [1, 2, 3, 1])
"""


@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_both_live_in_a_notebook(app: str, server: Any, open_page: Any) -> None:
    """The kernel answers keys, and the notebook's own shortcuts leave them alone."""
    sources = (NOTEBOOK, "PlacementView(shell, before=before)", "TopologyView(machine)")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in sources])
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, server.folder / "strips.ipynb")
    page = open_page(server.url)
    run_all_cells(page, server.address(app, "strips.ipynb"))
    page.wait_for_selector(".nk-map [role=button]")
    cells = page.locator(".jp-CodeCell").count()
    page.locator("[data-keys='0']").focus()
    for key in ("ArrowRight", "ArrowRight", "Shift+ArrowRight"):
        told = page.locator(".nk-chosen [role=status]").inner_text()
        page.keyboard.press(key)
        page.wait_for_function("t => document.querySelector('.nk-chosen [role=status]').innerText !== t", arg=told)
    assert "pages 1-2" in page.locator(".nk-chosen [role=status]").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_selector("[data-keys='-1']")
    page.locator(".nk-map [tabindex='0']").focus()
    for key in ("Enter", "b", "ArrowRight"):
        page.keyboard.press(key)
    page.wait_for_function("() => document.activeElement.dataset.node === '1'")
    assert "2 of 128 frames in use" in page.locator(".nk-about").inner_text()
    assert page.locator(".jp-CodeCell").count() == cells
