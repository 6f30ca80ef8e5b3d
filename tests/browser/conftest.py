"""One Jupyter server and one headless Chromium for all tests here, and what both are asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tools import browser

#: What Notebook 7.6 itself says while it starts: a plugin's settings and a command that are JupyterLab's alone.
NOTEBOOK_ERRORS = ("reading 'schema'", "'filebrowser:open-path' not registered")
PATIENCE = 20_000  #: milliseconds; the machine may be busy with something else


class Watched:
    """A page with what it complained about and what it asked for outside of its server."""

    def __init__(self, page: Any, home: str) -> None:
        self.page, self.complaints = page, list[str]()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", self._failed)
        page.on("console", self._logged)
        page.on("request", lambda request: self._see(request.url, home))
        page.on("websocket", lambda socket: self._see(socket.url.replace("ws://", "http://"), home))

    def _logged(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def _failed(self, error: Any) -> None:
        """Notebook 7 stumbles over what only JupyterLab has: where all lines are its own, no view is at fault."""
        stack = error.stack or ""
        its_own = any(text in str(error) for text in NOTEBOOK_ERRORS) and "blob:" not in stack
        if not (its_own and "/static/notebook/notebook_core" in stack):
            self.complaints.append(f"error: {error} {error.stack}")

    def _see(self, url: str, home: str) -> None:
        if not url.startswith((home, "data:", "blob:")):
            self.complaints.append(f"asked for {url}")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    if not browser.CHROMIUM:
        pytest.skip(browser.HOW_TO_GET_IT)
    with browser.chromium() as opened:
        yield opened


@pytest.fixture(scope="session")
def server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[browser.Server]:
    """A Jupyter server that serves both apps, without anything of the machine's own settings."""
    with browser.jupyter(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Any]:
    """``open_page(home, width=..., scheme=...)``: a fresh page. Nothing may have been complained about at the end."""
    opened: list[tuple[Any, Watched]] = []

    def open_one(home: str, width: int = 1200, height: int = 1500, scheme: str = "light", **look: Any) -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **look)
        watched = Watched(context.new_page(), home)
        opened.append((context, watched))
        return watched.page

    yield open_one
    complaints = [complaint for _, watched in opened for complaint in watched.complaints]
    for context, _ in opened:
        context.close()
    assert complaints == []
