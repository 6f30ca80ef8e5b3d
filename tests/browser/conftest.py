"""One Jupyter server and one headless Chromium for all tests here, and what both are asked.

The server serves JupyterLab and Notebook 7 alike. All that it writes lies in a folder of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from playwright import sync_api

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOW_TO_GET_IT = "no Chromium on this machine; on Debian: apt install chromium fonts-dejavu-core"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
]  # fmt: skip
#: What Notebook 7.6 itself says while it starts: a plugin's settings and a command that are JupyterLab's alone.
NOTEBOOK_ERRORS = ("reading 'schema'", "'filebrowser:open-path' not registered")
TOKEN = "browser-tests"
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
    if not CHROMIUM:
        pytest.skip(HOW_TO_GET_IT)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


class Server:
    """A running Jupyter server: where it is, and where its notebooks lie."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def address(self, app: str, notebook: str) -> str:
        """Where an app opens a notebook."""
        place = {"lab": f"lab/tree/{notebook}", "notebook": f"notebooks/{notebook}"}[app]
        return f"{self.url}{place}?token={TOKEN}" + ("&reset" if app == "lab" else "")


@pytest.fixture(scope="session")
def server(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A Jupyter server that serves both apps, without anything of the machine's own settings."""
    home = tmp_path_factory.mktemp("jupyter")
    folder = home / "notebooks"
    folder.mkdir()
    news = home / "settings" / "@jupyterlab" / "apputils-extension"
    news.mkdir(parents=True)
    settings = {"fetchNews": "false", "checkForUpdates": False}
    (news / "notification.jupyterlab-settings").write_text(json.dumps(settings))
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(home)}
    environment["JUPYTERLAB_SETTINGS_DIR"] = str(home / "settings")
    for name in ("JUPYTER_CONFIG", "JUPYTER_DATA", "JUPYTER_RUNTIME", "IPYTHON", "MPLCONFIG", "JUPYTERLAB_WORKSPACES"):
        variable = f"{name}DIR" if name in ("IPYTHON", "MPLCONFIG") else f"{name}_DIR"
        environment[variable] = str(home / name.lower())
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root",
        "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}",
        "--LabApp.expose_app_in_browser=True", "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]  # fmt: skip
    with (home / "log").open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as jupyter:
        try:
            _wait_until_it_answers(f"http://127.0.0.1:{port}/api?token={TOKEN}", jupyter, home / "log")
            yield Server(f"http://127.0.0.1:{port}/", folder)
        finally:
            jupyter.terminate()


def _wait_until_it_answers(url: str, jupyter: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until there is an answer; each refused connection costs a fraction of a second."""
    for _ in range(600):
        if jupyter.poll() is not None:
            break
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            _pause(jupyter)
    raise RuntimeError(f"the Jupyter server did not come up:\n{log.read_text()[-2000:]}")


def _pause(jupyter: subprocess.Popen[bytes]) -> None:
    """Wait a moment, or less if the server ends."""
    try:
        jupyter.wait(timeout=0.1)
    except subprocess.TimeoutExpired:
        return


@pytest.fixture
def open_page(chromium: Any) -> Iterator[Any]:
    """``open_page(home, width=..., scheme=...)``: a fresh page. Nothing may have been complained about at the end."""
    opened: list[tuple[Any, Watched]] = []

    def open_one(home: str, width: int = 1200, height: int = 1500, scheme: str = "light") -> Any:
        context = chromium.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        watched = Watched(context.new_page(), home)
        opened.append((context, watched))
        return watched.page

    yield open_one
    complaints = [complaint for _, watched in opened for complaint in watched.complaints]
    for context, _ in opened:
        context.close()
    assert complaints == []
