"""A plugin of pytest for the part `notebooks`: tells how long each notebook took, and fails the run for one too slow.

A reader who runs a notebook from its first cell should not wait longer than half a minute. Two clocks are read, since
a test must not fail for what others do on the same machine: too slow is what took longer by the wall *and* needed more
of the CPU. (One that only sleeps is not found; the part's own budget would show it.)
"""

from __future__ import annotations

import resource
import time
from collections import defaultdict
from collections.abc import Generator

import pytest

SHOWN = 5  #: so many of the slowest are told


def pytest_addoption(parser: pytest.Parser) -> None:
    """--notebook-seconds: what one file may take."""
    parser.addoption("--notebook-seconds", type=float, required=True, help="seconds that one notebook may take")


def pytest_configure(config: pytest.Config) -> None:
    """Begin to read the clocks."""
    config.pluginmanager.register(Clocks(config.getoption("--notebook-seconds")), "notebook-clocks")


class Clocks:
    """The seconds of each file; a notebook's kernel begins with its first cell and ends with its last."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.wall: defaultdict[str, float] = defaultdict(float)
        self.cpu: defaultdict[str, float] = defaultdict(float)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Add the time of one cell to that of its file."""
        wall, cpu = time.perf_counter(), cpu_of_children()
        done = yield
        name = item.path.stem
        self.wall[name] += time.perf_counter() - wall
        self.cpu[name] += cpu_of_children() - cpu
        return done

    def too_slow(self) -> list[str]:
        """The files beyond the limit by both clocks."""
        return [name for name, seconds in self.wall.items() if min(seconds, self.cpu[name]) > self.most]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """One too slow is a failure, however right its outputs are."""
        if self.too_slow():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The slowest, and a line in red for each beyond the limit."""
        terminalreporter.section(f"notebooks, of which none may take more than {self.most:g} s")
        for name, seconds in sorted(self.wall.items(), key=lambda told: -told[1])[:SHOWN]:
            terminalreporter.line(f"{name:45} {seconds:6.1f} s, {self.cpu[name]:6.1f} s of CPU")
        for name in self.too_slow():
            terminalreporter.line(f"TOO SLOW: {name}", red=True)


def cpu_of_children() -> float:
    """The seconds of CPU of all processes that this one started and that have ended, and of theirs."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
