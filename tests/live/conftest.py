"""A live world, and what becomes of tests where one cannot be had: they are skipped with the sentence that says why."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from numakit.live import CannotTry, Ended, LiveProcess, World


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call() -> Generator[None, object, object]:
    """A sandbox, a missing privilege or a missing node is no failure of the kit."""
    try:
        return (yield)
    except CannotTry as why:
        if isinstance(why, Ended):
            raise  # a process that died may have been killed by a mistake of ours
        pytest.skip(str(why))


@pytest.fixture
def world() -> Iterator[World]:
    """A live world, where there is a Linux to make it on."""
    try:
        live = World()
    except CannotTry as why:
        pytest.skip(str(why))
    with live:
        yield live


@pytest.fixture
def shell(world: World) -> LiveProcess:
    """An ordinary process."""
    return world.spawn("shell")
