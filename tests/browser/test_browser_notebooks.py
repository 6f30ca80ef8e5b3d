"""A Stepper in a real JupyterLab and a real Notebook 7: what the page shows is what the model says, step by step."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest

from numakit.widgets import Stepper
from tests.browser.runs import SHORT, made
from tools.browser import run_all_cells

pytestmark = pytest.mark.timeout(400)

ROOT = Path(__file__).resolve().parents[2]
CHAPTER = ROOT / "notebooks" / "04-inside-migrate-pages.ipynb"

SAME = """([name, html]) => {
    const there = document.querySelector(`.nk [data-panel="${name}"]`).cloneNode(true);
    there.querySelectorAll("[aria-pressed]").forEach(e => e.removeAttribute("aria-pressed"));
    there.querySelectorAll("details").forEach(e => e.removeAttribute("open"));
    const page = document.createElement("template");
    page.innerHTML = html;
    const wanted = there.cloneNode();
    wanted.append(page.content);
    return there.isEqualNode(wanted) ? "" : there.innerHTML;
}"""


def _notebook(folder: Path, name: str = "stepper.ipynb") -> str:
    last = "print('all cells', 'ran')"
    cells = [
        nbformat.v4.new_code_cell(source)
        for source in (SHORT, "from numakit.widgets import Stepper\nStepper(run)", last)
    ]
    book = nbformat.v4.new_notebook(cells=cells)
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(book, folder / name)
    return name


def _run_all(page: Any, url: str) -> None:
    """Open a notebook, run its cells, and wait for its Stepper."""
    run_all_cells(page, url)
    page.wait_for_selector(".nk .nk-controls button")


def _at(page: Any, position: int, length: int | None = None) -> None:
    """Wait until the page shows a step."""
    page.wait_for_function(
        "([position, length]) => { const d = document.querySelector('.nk').dataset;"
        " return +d.position === position && (length === null || +d.length === length); }",
        arg=[position, length],
    )


def _same(page: Any, stepper: Stepper) -> None:
    """Every panel of the page is, node by node, what the model says."""
    for name, html in stepper.get_state().items():
        if name.startswith("html_"):
            assert page.evaluate(SAME, [name.removeprefix("html_"), html]) == "", name


@pytest.fixture(params=["lab", "notebook"])
def page(request: pytest.FixtureRequest, server: Any, open_page: Any) -> Any:
    """A notebook with a Stepper, run in JupyterLab and in Notebook 7."""
    opened = open_page(server.url)
    _run_all(opened, server.address(request.param, _notebook(server.folder)))
    _at(opened, 0)
    return opened


def test_a_run_is_walked_and_changed_as_the_model_says(page: Any) -> None:
    """To the end by key and back by mouse, by scrubber, jump and break; a what-if and its end; and why."""
    stepper = Stepper(made(SHORT))
    length = len(stepper.run)
    note = page.locator(".nk-note").inner_text()
    assert note.startswith("Read the sentence first")
    assert note.endswith("machine.present() returns to now.")
    page.locator(".nk").focus()
    for step in range(1, length + 1):
        _same(page, stepper)
        page.keyboard.press("ArrowRight")
        _at(page, step)
        stepper.forward()
    _same(page, stepper)
    assert page.evaluate("() => document.activeElement.classList.contains('nk')")
    for step in range(length - 1, length - 9, -1):
        page.locator(".nk-back").click()
        _at(page, step)
        stepper.back()
        _same(page, stepper)
    assert page.evaluate("() => document.activeElement.classList.contains('nk-back')")

    page.keyboard.press("b")  # on a focused button, too: in a notebook this is "insert a cell below"
    page.keyboard.press("b")
    page.keyboard.press("Home")
    _at(page, 0)
    page.keyboard.press("End")
    _at(page, length)
    _scrub(page, stepper)
    _jump(page, stepper)
    _why(page)
    _what_if(page, stepper)
    assert page.locator(".jp-CodeCell").count() == 3  # no key reached the notebook's own shortcuts


def _scrub(page: Any, stepper: Stepper) -> None:
    box = page.locator(".nk-hit").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] / 2)
    page.wait_for_function("n => +document.querySelector('.nk').dataset.position !== n", arg=len(stepper.run))
    middle = int(page.locator(".nk").get_attribute("data-position"))
    assert abs(middle - len(stepper.run) / 2) <= 2
    stepper.show(middle)
    _same(page, stepper)


def _jump(page: Any, stepper: Stepper) -> None:
    page.keyboard.press("Home")
    _at(page, 0)
    stepper.first()
    for key, where in (("n", "pass"), ("p", "page"), ("p", "page"), ("a", "actor"), ("f", "failure")):
        stepper.jump(where)
        page.keyboard.press(key)
        _at(page, stepper.position)
        _same(page, stepper)
    page.locator(".nk-track [data-break=COPY]").click()
    page.keyboard.press("Home")
    _at(page, 0)
    page.keyboard.press("c")
    stepper.first()
    stepper.breaks = ["COPY"]
    stepper.run_on()
    _at(page, stepper.position)
    assert page.locator(".nk-track [data-break=COPY]").get_attribute("aria-pressed") == "true"
    page.locator(".nk-track [data-moment=UNLOCK_PAGE]").click()
    stepper.to_moment("UNLOCK_PAGE")
    _at(page, stepper.position)
    _same(page, stepper)


def _why(page: Any) -> None:
    page.keyboard.press("End")
    page.locator(".nk-entries [data-why='2']").click()
    page.locator(".nk-why-box").wait_for()
    assert "ENOENT" in page.locator(".nk-why-box").inner_text()
    page.locator(".nk-why-box [data-goto]").click()
    page.locator(".nk-entries [data-why='2'].nk-changed").wait_for()
    assert "ENOENT" in page.locator("[data-panel=changes]").inner_text()


def _what_if(page: Any, stepper: Stepper) -> None:
    length = len(stepper.run)
    stepper.show(20)
    page.locator(".nk-scrubber").evaluate("e => { e.value = 20; e.dispatchEvent(new Event('input')); }")
    _at(page, 20)
    page.locator(".nk").focus()
    page.keyboard.press("i")
    page.get_by_label("What they do").select_option("write")
    page.get_by_label("Where", exact=True).select_option(index=0)
    address = int(page.get_by_label("Where", exact=True).input_value(), 16)
    page.locator(".nk-act").click()
    page.wait_for_function("n => +document.querySelector('.nk').dataset.length !== n", arg=length)
    stepper.what_if(stepper.run.machine.processes[0].pid, "write", address)
    _at(page, 20, len(stepper.run))
    _same(page, stepper)
    assert page.get_by_label("Python that does the same").input_value() == stepper.python
    page.locator(".nk-back").click()
    _at(page, 20, length)
    stepper.back()
    _same(page, stepper)


@pytest.mark.skipif(not CHAPTER.exists(), reason="chapter 04 has not been written yet")
@pytest.mark.parametrize("app", ["lab", "notebook"])
def test_the_chapter_on_the_pipeline_runs_and_steps(app: str, server: Any, open_page: Any) -> None:
    """Its first Stepper goes to the end and back, by key, by mouse and by scrubber, and says why."""
    shutil.copy(CHAPTER, server.folder / CHAPTER.name)
    page = open_page(server.url, height=1600)
    _run_all(page, server.address(app, CHAPTER.name))
    page.locator(".nk[data-length]").first.focus()
    length = int(page.locator(".nk").first.get_attribute("data-length"))
    page.keyboard.press("End")
    _at(page, length)
    page.keyboard.press("ArrowLeft")
    _at(page, length - 1)
    page.keyboard.press("Home")
    _at(page, 0)
    stepper = page.locator(".nk").first
    stepper.locator(".nk-scrubber").evaluate("e => { e.value = 5; e.dispatchEvent(new Event('input')); }")
    _at(page, 5)
    for step in (4, 3, 2, 1, 0):
        stepper.locator(".nk-back").click()
        _at(page, step)
    page.keyboard.press("End")
    _at(page, length)
    stepper.locator(".nk-entries [data-why]").first.click()
    stepper.locator(".nk-why-box").wait_for()
    assert stepper.locator(".nk-why-box").inner_text()
