import pytest
from tests.browser.conftest import *
from tests.browser.test_browser_notebooks import _run_all, _notebook, _at
from tests.browser.runs import SHORT, made
from numakit.widgets import Stepper
def test_x(server, open_page):
    page = open_page(server.url)
    page.on("pageerror", lambda e: print("PAGEERR", e.stack))
    _run_all(page, server.address("notebook", _notebook(server.folder)))
    page.screenshot(path="/tmp/work/nb7.png")
    st = Stepper(made(SHORT)); page.locator(".nk-scrubber").focus()
    page.keyboard.press("Home")
    for key, where in (("n", "pass"), ("p", "page"), ("p", "page"), ("a", "actor"), ("f", "failure")):
        st.jump(where); page.keyboard.press(key); 
        page.wait_for_timeout(1500)
        print(key, st.position, page.locator(".nk").get_attribute("data-position"), page.evaluate("document.activeElement.className"), st.at["jumps"])
