"""The gallery of answers and the builder of calls in JupyterLab and Notebook 7: the page shows what the model says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
import pytest

from numakit.widgets import CallBuilder, StatusGallery
from tests.browser.look import violations

pytestmark = pytest.mark.timeout(200)

GALLERY = "from numakit.widgets import StatusGallery\nStatusGallery()"
BUILDER = """\
from numakit import Machine, Topology
from numakit.widgets import CallBuilder
machine = Machine(Topology.preset("two-sockets"), scale=1 << 15)
shell = machine.spawn("shell", node=0)
area = shell.mmap(pages=6)
shell.write(area[0:4])
thread = machine.kernel_thread("kswapd0")
CallBuilder(machine)
"""

#: Whether the page's form is, node by node, this html; which control has the focus is no part of it.
SAME = """([label, html]) => {
    const there = document.querySelector(`.nk[aria-label="${label}"] .nk-in`);
    const page = document.createElement("template");
    page.innerHTML = html;
    const wanted = there.cloneNode();
    wanted.append(page.content);
    return there.isEqualNode(wanted);
}"""


def notebook(folder: Path, name: str = "explorers.ipynb") -> str:
    """Both widgets, a cell each, and a second builder."""
    cells = [nbformat.v4.new_code_cell(source) for source in (GALLERY, BUILDER, "CallBuilder(machine)")]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / name)
    return name


@pytest.fixture(params=["lab", "notebook"])
def page(request: pytest.FixtureRequest, server: Any, open_page: Any) -> Any:
    """Both widgets in JupyterLab and in Notebook 7, when their cells have run."""
    opened = open_page(server.url, width=1400)
    opened.goto(server.address(request.param, notebook(server.folder)))
    opened.wait_for_function("() => window.jupyterapp?.commands.hasCommand('notebook:run-all-cells')")
    opened.wait_for_function(
        "() => { const s = jupyterapp.shell.currentWidget?.context?.sessionContext;"
        " return s?.isReady && s.session?.kernel?.status === 'idle'; }"
    )
    opened.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")
    opened.wait_for_function("() => document.querySelectorAll('.nk[data-drawn]').length === 3")
    return opened


def same(page: Any, widget: StatusGallery | CallBuilder) -> None:
    """Wait until the page shows what the model's form shows, node by node."""
    page.wait_for_function(SAME, arg=[widget.title, widget.form.html])


def test_both_are_used_as_the_model_says(page: Any) -> None:
    """A card by keyboard, its play; a call by its controls, its result and run; and nobody is kept out."""
    _gallery(page)
    _builder(page)
    assert page.locator(".jp-CodeCell").count() == 3  # no key reached the notebook's own shortcuts


def _gallery(page: Any) -> None:
    gallery = StatusGallery()
    same(page, gallery)
    card = page.get_by_role("button", name="A page that another call is copying")
    card.focus()
    page.keyboard.press("Enter")
    gallery.show_card("migrating")
    same(page, gallery)
    page.wait_for_function("() => document.activeElement.textContent === 'A page that another call is copying'")
    page.keyboard.press("b")  # in a notebook: insert a cell below
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.dataset.do") == "predict"
    page.get_by_role("group", name="Your prediction").get_by_role("button", name="-EBUSY").click()
    gallery.predict(-16)
    same(page, gallery)
    assert gallery.decided_at is not None
    stepper = page.locator(".jp-Cell").nth(0).locator(".nk[aria-label=Stepper]")
    stepper.wait_for()
    assert int(stepper.get_attribute("data-position")) == gallery.decided_at
    stepper.locator(".nk-back").click()
    page.wait_for_function(
        "n => +document.querySelector('.nk[aria-label=Stepper]').dataset.position === n", arg=gallery.decided_at - 1
    )
    assert gallery.stepper is not None
    gallery.stepper.back()
    assert stepper.locator(".nk-say").inner_text() == gallery.stepper.scene.sentence
    assert violations(page, ".jp-Cell:nth-child(1) .jp-OutputArea-output") == []


def _builder(page: Any) -> None:
    names: dict[str, Any] = {}
    exec(BUILDER, names)
    builder = CallBuilder(names["machine"])
    same(page, builder)
    cell = page.locator(".jp-Cell").nth(1)
    cell.get_by_label("a pattern, repeated").check()
    builder.how = "pattern"
    same(page, builder)
    assert page.locator(".jp-Cell").nth(2).get_by_label("one for all pages").is_checked()
    cell.get_by_label("Nodes, with commas between them").fill("1;0")
    builder.pattern = "1;0"
    same(page, builder)
    assert cell.get_by_role("button", name="Make the call").get_attribute("aria-disabled") == "true"
    cell.get_by_label("Nodes, with commas between them").fill("1,0")
    builder.pattern = "1,0"
    same(page, builder)
    cell.get_by_label("Number of pages").fill("50")
    cell.get_by_label("Number of pages").blur()
    builder.count = 50
    same(page, builder)
    assert cell.get_by_label("Number of pages").input_value() == "6"
    assert cell.get_by_label("Python that makes this call").input_value() == builder.python
    cell.get_by_role("button", name="Make the call").click()
    builder.make_call()
    same(page, builder)
    assert builder.run is not None
    stepper = cell.locator(".nk[aria-label=Stepper]")
    stepper.wait_for()
    assert int(stepper.get_attribute("data-length")) == len(builder.run)
    assert int(stepper.get_attribute("data-position")) == len(builder.run)
    cell.get_by_label("Whose pages (pid)").select_option(label="2: kswapd0, a kernel thread")
    builder.target = names["thread"].pid
    same(page, builder)
    assert cell.get_by_label("Area").is_disabled()
    assert violations(page, ".jp-Cell:nth-child(2) .jp-OutputArea-output") == []
