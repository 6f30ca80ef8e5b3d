"""A picture for a slide: as large as fits on one, in a file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SLIDE = (1920, 1080)  #: pixels of a slide, across and down
NO_DATE: dict[str, dict[str, Any]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""The formats, and what keeps the hour out of them: the same picture gives the same file."""


def save_slide(picture: Axes | Figure, path: str | os.PathLike[str]) -> Path:
    """Save a picture, the axes that a `draw_` function returned or a figure of yours, as large as fits on a slide; its
    path.

    ``save_slide(draw_topology(topology), "ring.png")``. The end of the name says what it is: .png (1920 pixels across
    or 1080 down), .svg or .pdf (drawn at any size). The ground is that of the picture's theme. Raises ValueError for
    another ending and for what is no picture; a failure leaves no half of a file behind.
    """
    from matplotlib import rc_context

    target = Path(path)
    kind = target.suffix.lower()
    if kind not in NO_DATE:
        raise ValueError(f"path={str(path)!r}: a name that ends in {', '.join(NO_DATE)} is wanted")
    figure = figure_of(picture)
    across, down = figure.get_size_inches()
    part = target.with_name(f".{os.getpid()}.{target.name}")
    try:
        with rc_context({"svg.hashsalt": target.name}):
            figure.savefig(
                part,
                format=kind[1:],
                dpi=min(SLIDE[0] / across, SLIDE[1] / down),
                facecolor=figure.get_facecolor(),
                metadata=NO_DATE[kind],
            )
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def figure_of(picture: Axes | Figure) -> Figure:
    """The whole figure. Raises ValueError for what is no picture."""
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    figure = picture.get_figure(root=True) if isinstance(picture, Axes) else picture
    if not isinstance(figure, Figure):
        raise ValueError(f"picture={picture!r}: axes are wanted, such as draw_pages(area) returns, or a figure")
    return figure
