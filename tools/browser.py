"""A headless Chromium and a Jupyter server of one's own: for tests, pictures and measurements.

The server serves JupyterLab and Notebook 7 alike. All that it writes lies in a folder of its own, and nothing of the
machine's own settings is read.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOW_TO_GET_IT = "no Chromium on this machine; on Debian: apt install chromium fonts-dejavu-core"
QUIET = [
    "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
]  # fmt: skip
TOKEN = "numakit"


class Server:
    """A running Jupyter server: where it is, and where its notebooks lie."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def address(self, app: str, notebook: str) -> str:
        """Where an app opens a notebook."""
        place = {"lab": f"lab/tree/{notebook}", "notebook": f"notebooks/{notebook}"}[app]
        return f"{self.url}{place}?token={TOKEN}" + ("&reset" if app == "lab" else "")


@contextmanager
def chromium() -> Iterator[Any]:
    """The browser. Raises RuntimeError, with what to install, where there is none."""
    from playwright import sync_api

    if not CHROMIUM:
        raise RuntimeError(HOW_TO_GET_IT)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def jupyter(home: Path) -> Iterator[Server]:
    """A Jupyter server that writes to ``home`` alone. Raises RuntimeError, with its log, if it does not come up."""
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
    with (home / "log").open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
        try:
            _wait_until_it_answers(f"http://127.0.0.1:{port}/api?token={TOKEN}", server, home / "log")
            yield Server(f"http://127.0.0.1:{port}/", folder)
        finally:
            server.terminate()


def _wait_until_it_answers(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until there is an answer; each refused connection costs a fraction of a second."""
    for _ in range(600):
        if server.poll() is not None:
            break
        try:
            with urlopen(url, timeout=5):
                return
        except OSError:
            _pause(server)
    raise RuntimeError(f"the Jupyter server did not come up:\n{log.read_text()[-2000:]}")


def _pause(server: subprocess.Popen[bytes]) -> None:
    """Wait a moment, or less if the server ends."""
    try:
        server.wait(timeout=0.1)
    except subprocess.TimeoutExpired:
        return


def run_all_cells(page: Any, url: str) -> None:
    """Open a notebook in either app and run its cells, as soon as its kernel can."""
    page.goto(url)
    page.wait_for_function("() => window.jupyterapp?.commands.hasCommand('notebook:run-all-cells')")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell")
    page.wait_for_function(
        "() => { const s = jupyterapp.shell.currentWidget?.context?.sessionContext;"
        " return s?.isReady && s.session?.kernel?.status === 'idle'; }"
    )
    page.evaluate("() => { jupyterapp.commands.execute('notebook:run-all-cells'); }")
