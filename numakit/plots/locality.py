"""How local accesses are, epoch by epoch, for several policies over the same trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

from numakit.plots.pages import FILLS
from numakit.plots.theme import dress, new_axes, theme_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from numakit.trace import Replayed

STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))
DARK_ON_WHITE = {"#56B4E9": "#0072B2", "#E69F00": "#8A5A00", "#F0E442": "#6E6600", "#CC79A7": "#A0467C"}
LINE = 0.055  #: the least distance of two names at the right, in parts of the height


def draw_locality(replays: Mapping[str, Replayed], ax: Axes | None = None, theme: str = "light") -> Axes:
    """Draw the share of local accesses in each epoch, a line for each replay, and return the axes;
    `describe_locality` says it in words.

    Lines are named at their right ends. `theme` is "light" or "dark". Raises ValueError for no replay, for more than
    six, and for another theme.
    """
    look = theme_named(theme)
    if not 1 <= len(replays) <= len(STYLES):
        raise ValueError(f"replays: {len(replays)}; one to {len(STYLES)} can be told apart")
    ax = ax or new_axes(7.2, 3.6, look)
    last: dict[str, float] = {}
    colours = {}
    for (name, replayed), style, fill in zip(replays.items(), STYLES, FILLS, strict=False):
        shares = [epoch.local / epoch.accesses for epoch in replayed.epochs]
        colours[name] = fill if theme == "dark" else DARK_ON_WHITE.get(fill, fill)
        ax.plot(range(len(shares)), shares, linestyle=style, color=colours[name], linewidth=2)
        last[name] = shares[-1]
    epochs = max(len(replayed.epochs) for replayed in replays.values())
    for name, height in apart(last).items():
        end = max(epochs - 1, 1)
        ax.annotate(name, (end, height), (6, 0), textcoords="offset points", color=colours[name], va="center")
    ax.set(xlabel="epoch", ylabel="local accesses", xlim=(0, max(epochs - 1, 1)), ylim=(-0.03, 1.03))
    ax.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    ax.locator_params(axis="x", integer=True)
    ax.spines[["top", "right"]].set_visible(False)
    dress(ax, look)
    return ax


def apart(heights: Mapping[str, float]) -> dict[str, float]:
    """The same names at heights that are a line apart at least, in the same order, none above 1."""
    placed: dict[str, float] = {}
    for number, (name, height) in enumerate(sorted(heights.items(), key=lambda item: item[1])):
        below = max(placed.values(), default=-LINE)
        room_above = (len(heights) - 1 - number) * LINE
        placed[name] = max(below + LINE, min(height, 1 - room_above))
    return placed


def describe_locality(replays: Mapping[str, Replayed]) -> str:
    """What `draw_locality` draws, a line for each replay: the share over all, and in eight stretches of the trace."""
    width = max(map(len, replays))
    lines = []
    for name, replayed in replays.items():
        shares = " ".join(f"{share:4.0%}" for share in in_stretches([(e.local, e.accesses) for e in replayed.epochs]))
        lines.append(f"{name:{width}}  {replayed.locality:4.0%} local; in turn {shares}")
    return "\n".join(lines)


def in_stretches(epochs: Sequence[tuple[int, int]], stretches: int = 8) -> list[float]:
    """The share of local accesses in so many stretches of neighbouring epochs, (local, accesses) each."""
    number = min(stretches, len(epochs))
    cuts = [len(epochs) * place // number for place in range(number + 1)]
    parts = [epochs[low:high] for low, high in pairwise(cuts)]
    return [sum(local for local, _ in part) / sum(accesses for _, accesses in part) for part in parts]
