"""Cells that draw, where nobody looks."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def pictures_without_a_window() -> None:
    """Figures are drawn into memory."""
    pytest.importorskip("ipywidgets")
    pytest.importorskip("matplotlib").use("Agg")


@pytest.fixture(autouse=True)
def closed_figures(pictures_without_a_window: None) -> Iterator[None]:
    """pyplot keeps each figure until it is closed, which in a notebook its cell's end does."""
    yield
    pytest.importorskip("matplotlib.pyplot").close("all")
