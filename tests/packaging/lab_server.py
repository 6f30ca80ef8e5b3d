"""A JupyterLab that a test starts, asks for pages and stops."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import ParseResult, urlparse
from urllib.request import urlopen

TOKEN = "numakit-test"
LISTEN_SECONDS = 30
ADDRESS = re.compile(r"http://localhost:\d+/\S+")


class LabServer(NamedTuple):
    """A server that said that it is ready, and the address that it told its user to open."""

    address: ParseResult

    def get(self, path: str) -> str:
        """The body of the page; raises HTTPError for an answer other than success."""
        with urlopen(f"http://{self.address.netloc}{path}?token={TOKEN}", timeout=30) as answer:
            body: bytes = answer.read()
        return body.decode()

    def get_notebook(self, path: str) -> Any:
        """The notebook at `path` as the server hands it to the browser."""
        return json.loads(self.get(f"/api/contents/{path}"))["content"]


def free_port() -> int:
    """A port that nobody listens to."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> Iterator[LabServer]:
    """Run `command` in `folder`, from the server's word that it is ready to the end of the block.

    A server that ends before it is ready is an AssertionError with all that it printed; one that never
    tells its address meets the test's time limit.
    """
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**environment, "JUPYTER_TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        address = _address_told(process)
        _await_listening(process, address)
        yield LabServer(address)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        process.communicate(timeout=30)


def _address_told(process: subprocess.Popen[str]) -> ParseResult:
    """The address in the server's own output."""
    assert process.stdout is not None
    printed = ""
    for line in process.stdout:
        printed += line
        if address := ADDRESS.search(line):
            return urlparse(address[0])
    raise AssertionError(f"the server ended with status {process.wait()}:\n{printed}")


def _await_listening(process: subprocess.Popen[str], address: ParseResult) -> None:
    """Return when the port accepts a connection: Jupyter tells its address just before it listens."""
    assert address.hostname is not None
    deadline = time.monotonic() + LISTEN_SECONDS
    while True:
        try:
            socket.create_connection((address.hostname, address.port or 80), timeout=LISTEN_SECONDS).close()
            return
        except ConnectionRefusedError:
            assert time.monotonic() < deadline, f"{address.netloc} does not listen"
        with suppress(subprocess.TimeoutExpired):
            raise AssertionError(f"the server ended with status {process.wait(timeout=0.05)}")
