"""Light and dark: the colours of each part of a picture. Hues are Okabe and Ito's, lightened on dark ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from numakit.plots import colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True)
class Theme:
    """`ground` is behind everything, `ink` writes and outlines; `paper` fills nodes with memory, `bare` those without.

    `links` are the colours of lines, the nearest first; `area` shades groups; `bar` fills memory, `used` what is in
    use, `unused` what is not; `heat` is matplotlib's name for the colours of a table.
    """

    ground: str
    ink: str
    paper: str
    bare: str
    links: tuple[str, str, str, str]
    area: str
    bar: str
    used: str
    unused: str
    heat: str


THEMES = {
    "light": Theme(
        ground="#FFFFFF",
        ink=colours.BLACK,
        paper="#FFFFFF",
        bare="#E4E4E4",
        links=("#2F3E4E", "#8FA0B0", colours.ORANGE, "#8A8A8A"),  # no colour of a node
        area=colours.GREY,
        bar=colours.GREEN,
        used=colours.VERMILLION,
        unused="#DDDDDD",
        heat="YlGnBu_r",
    ),
    "dark": Theme(
        ground="#16191D",
        ink="#ECECEC",
        paper="#2A3038",
        bare="#16191D",
        links=("#E6ECF2", "#8496A8", colours.ORANGE, "#8C939B"),
        area="#8C939B",
        bar="#2BBF95",
        used="#FF8A4C",
        unused="#4A525C",
        heat="YlGnBu",
    ),
}


def theme_named(name: str) -> Theme:
    """The theme; raises ValueError with the names there are."""
    if name not in THEMES:
        raise ValueError(f"theme={name!r}; allowed are {', '.join(THEMES)}")
    return THEMES[name]


def new_axes(width: float, height: float, theme: Theme) -> Axes:
    """The axes of a new figure of so many inches, on the theme's ground."""
    import matplotlib.pyplot as plt

    _, ax = plt.subplots(figsize=(width, height), layout="constrained", facecolor=theme.ground)
    return ax


def dress(ax: Axes, theme: Theme) -> None:
    """Ground, ticks and labels in the theme's colours."""
    ax.set_facecolor(theme.ground)
    ax.tick_params(colors=theme.ink, labelcolor=theme.ink)
    for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
        text.set_color(theme.ink)
    for spine in ax.spines.values():
        spine.set_color(theme.ink)
    # matplotlib keeps the titles at the left and right apart from the middle one.
    for title in (ax._left_title, ax._right_title):  # type: ignore[attr-defined]
        title.set_color(theme.ink)
