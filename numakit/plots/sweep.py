"""The frame of a sweep (numakit.experiments) in one call: lines over an axis, or a table of gains in colours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from numakit.plots.colours import BLUE, VERMILLION
from numakit.plots.locality import DARK_ON_WHITE, STYLES, apart
from numakit.plots.matrix import readable_on
from numakit.plots.pages import FILLS
from numakit.plots.theme import dress, new_axes, theme_named

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

KEYS = ("machine", "workload", "policy", "kernel", "random_seed")
MARKERS = "osD^vX"
NS = {"total_ns": "time", "access_ns": "time of accesses", "policy_ns": "time of calls"}  #: drawn in ms
BEYOND_IS_DARKEST = 2.0  #: a table's colours end at this factor, in both directions
A_WIDE_RANGE = 12  #: an axis of numbers is logarithmic if its ends are so many times apart


class Spread(NamedTuple):
    """What the trials of one point came to over their random seeds: the mean, the least, the greatest."""

    mean: float
    least: float
    greatest: float


def draw_sweep(
    frame: pd.DataFrame,
    x: str = "workload",
    y: str = "total_ns",
    lines: str = "policy",
    *,
    baseline: object = None,
    ax: Axes | None = None,
    theme: str = "light",
) -> Axes:
    """Draw a column of a sweep over one of its axes, a line for each value of another, and return the axes.

    A point is the mean over the random seeds, its bar goes from the least to the greatest. ``baseline``: a value of
    ``lines`` by whose ``y``, in the trial that is otherwise the same, all are divided; below 1 is less than it takes,
    and where there is no such trial there is no point.
    ("policy", "stay") names a value of another axis, whose trials are then only divided by. Names that are numbers
    stand in proportion, others side by side. `describe_sweep` says it in words.

    Raises ValueError for a frame without trials, a column that is not there, more than six lines, and for trials that
    differ in something else than ``x``, ``lines`` and random_seed: choose some of them first.
    """
    look = theme_named(theme)
    points = spreads(frame, x, y, lines, baseline)
    if len(points) > len(STYLES):
        raise ValueError(f"lines={lines!r}: {len(points)} values; {len(STYLES)} can be told apart")
    places = {line: place for place, line in enumerate(points)}  # with the baseline: a policy keeps its colour
    name_of_baseline = _value(baseline)
    points = {line: its for line, its in points.items() if line != name_of_baseline}
    ax = ax or new_axes(7.2, 3.8, look)
    names = list(dict.fromkeys(frame[x]))
    numeric = all(isinstance(name, (int, float)) for name in names)
    ends: dict[str, float] = {}
    colours = {}
    for line, its in points.items():
        place = places[line]
        colour = FILLS[place] if theme == "dark" else DARK_ON_WHITE.get(FILLS[place], FILLS[place])
        aside = 0.0 if numeric else 0.09 * (place - (len(places) - 1) / 2)
        at = [name if numeric else names.index(name) + aside for name in sorted(its, key=names.index)]
        values = [its[name] for name in sorted(its, key=names.index)]
        if numeric:
            at, values = map(list, zip(*sorted(zip(at, values, strict=True)), strict=True))
        middle = [value.mean for value in values]
        bars = [[v.mean - v.least for v in values], [v.greatest - v.mean for v in values]]
        style = STYLES[place] if numeric else "none"
        ax.errorbar(
            at, middle, bars, linestyle=style, marker=MARKERS[place], color=colour, linewidth=2, capsize=3, label=line
        )
        colours[str(line)], ends[str(line)] = colour, middle[-1]
    _dress_axes(ax, names if not numeric else [], x, y, baseline)
    if numeric and min(names) > 0 and max(names) >= A_WIDE_RANGE * min(names):
        _logarithmic(ax, sorted(names))
    if numeric:
        _name_ends(ax, ends, colours, max(names))
    else:
        legend = ax.legend(frameon=False, ncols=len(points), loc="lower center", bbox_to_anchor=(0.5, 1.0))
        for text in legend.get_texts():
            text.set_color(look.ink)
    if baseline is not None:
        ax.axhline(1, color=look.ink, linewidth=0.8, zorder=0)
        across = ax.get_yaxis_transform()
        ax.annotate(
            str(name_of_baseline),
            (0, 1),
            (4, -3),
            xycoords=across,
            textcoords="offset points",
            color=look.ink,
            va="top",
        )
    ax.spines[["top", "right"]].set_visible(False)
    dress(ax, look)
    return ax


def describe_sweep(
    frame: pd.DataFrame, x: str = "workload", y: str = "total_ns", lines: str = "policy", *, baseline: object = None
) -> str:
    """What `draw_sweep` draws as a table: a row for each line, the means of its points."""
    points = spreads(frame, x, y, lines, baseline)
    names = list(dict.fromkeys(frame[x]))
    whole = baseline is None and frame[y].dtype.kind == "i"
    head = [f"{_label(y, baseline)}; {x}:", *map(str, names)]
    rows = [[str(line), *(_number(its[name].mean, whole) if name in its else "" for name in names)]
            for line, its in points.items()]  # fmt: skip
    return _aligned([head, *rows])


def draw_gains(
    frame: pd.DataFrame,
    rows: str = "policy",
    columns: str = "workload",
    y: str = "total_ns",
    *,
    baseline: object = "stay",
    ax: Axes | None = None,
    theme: str = "light",
) -> Axes:
    """Draw a table: by how much each row takes more or less than the row ``baseline``; blue saves, red costs.

    Arguments and errors are those of `draw_sweep`, `describe_gains` says it in words.
    """
    from matplotlib.colors import LinearSegmentedColormap, LogNorm

    look = theme_named(theme)
    points = dict(spreads(frame, columns, y, rows, baseline))
    points.pop(_value(baseline), None)
    names = list(dict.fromkeys(frame[columns]))
    ax = ax or new_axes(max(4.5, 1.05 * len(names) + 1.8), 0.5 * len(points) + 1.3, look)
    table = [[its[name].mean if name in its else float("nan") for name in names] for its in points.values()]
    colours = LinearSegmentedColormap.from_list("gains", [BLUE, look.paper, VERMILLION])
    scale = LogNorm(1 / BEYOND_IS_DARKEST, BEYOND_IS_DARKEST, clip=True)
    ax.imshow(table, cmap=colours, norm=scale, aspect="auto")
    for down, values in enumerate(table):
        for across, value in enumerate(values):
            if value == value:
                ink = readable_on(list(colours(scale(value))))
                ax.text(across, down, change(value), ha="center", va="center", color=ink, fontsize=10)
    ax.set_xticks(range(len(names)), [str(name) for name in names])
    ax.set_yticks(range(len(points)), [str(line) for line in points])
    ax.tick_params(length=0)
    ax.set_xlabel(columns)
    ax.set_title(f"{_label(y, baseline)}", fontsize=10.5)
    ax.spines[:].set_visible(False)
    dress(ax, look)
    return ax


def describe_gains(
    frame: pd.DataFrame,
    rows: str = "policy",
    columns: str = "workload",
    y: str = "total_ns",
    *,
    baseline: object = "stay",
) -> str:
    """What `draw_gains` draws, as a table of text."""
    points = spreads(frame, columns, y, rows, baseline)
    names = list(dict.fromkeys(frame[columns]))
    lines = [[str(line), *(change(its[name].mean) if name in its else "" for name in names)]
             for line, its in points.items() if line != _value(baseline)]  # fmt: skip
    return _aligned([[f"beside {_value(baseline)}; {columns}:", *map(str, names)], *lines])


def change(ratio: float) -> str:
    """A ratio as people say it: -34%, +8%, and 3.6 times."""
    percent = round(100 * (ratio - 1))
    return f"×{ratio:.1f}" if ratio >= BEYOND_IS_DARKEST else f"{percent:+}%" if percent else "0%"


def spreads(frame: pd.DataFrame, x: str, y: str, lines: str, baseline: object) -> Mapping[Any, Mapping[Any, Spread]]:
    """For each value of ``lines`` and of ``x`` what ``y`` came to. Raises ValueError as `draw_sweep` says."""
    for argument, column in (("x", x), ("y", y), ("lines", lines)):
        if column not in frame.columns:
            raise ValueError(f"{argument}={column!r}: columns are {', '.join(map(str, frame.columns))}")
    if frame.empty:
        raise ValueError("frame: it has not one trial")
    values = frame[y] * _what(y)[1]
    if baseline is not None:
        axis, value = baseline if isinstance(baseline, tuple) else (lines, baseline)
        if axis not in frame.columns or value not in set(frame[axis]):
            there = list(dict.fromkeys(frame[axis])) if axis in frame.columns else "no column of the frame"
            raise ValueError(f"baseline={baseline!r}: values of {axis} are {there}")
        keys = frame[[key for key in KEYS if key != axis and key in frame.columns]].apply(tuple, axis=1)
        is_baseline = frame[axis] == value
        values = values / keys.map(dict(zip(keys[is_baseline], values[is_baseline], strict=True)))
        if axis != lines:
            frame, values = frame[~is_baseline], values[~is_baseline]
    there_are = values.notna()  # a trial whose baseline has failed has nothing beside it
    frame, values = frame[there_are], values[there_are]
    for other in KEYS:
        if other in frame.columns and other not in (x, lines, "random_seed") and frame[other].nunique() > 1:
            told = f"frame[frame[{other!r}] == {frame[other].iloc[0]!r}]"
            raise ValueError(f"frame: trials of several values of {other}; choose some, such as {told}")
    found: dict[Any, dict[Any, Spread]] = {}
    for (line, name), group in values.groupby([frame[lines], frame[x]], sort=False):
        mean = float(group.mean())  # rounding may carry it a little beyond equal values
        found.setdefault(line, {})[name] = Spread(mean, min(group.min(), mean), max(group.max(), mean))
    return found


def _what(y: str) -> tuple[str, float]:
    """What a column is called on an axis, and the factor to the unit there."""
    return (f"{NS[y]} (ms)", 1e-6) if y in NS else (y, 1.0)


def _label(y: str, baseline: object) -> str:
    words = _what(y)[0]
    return words if baseline is None else f"{words.removesuffix(' (ms)')}, beside {_value(baseline)}"


def _value(baseline: object) -> object:
    """The value that a baseline names, without its axis."""
    return baseline[1] if isinstance(baseline, tuple) else baseline


def _number(value: float, whole: bool) -> str:
    return f"{value:,.0f}" if whole or abs(value) >= 10 else f"{value:.2f}"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """A table of text: the first column to the left, numbers to the right."""
    first = max(len(row[0]) for row in rows)
    width = [max(map(len, column)) for column in zip(*(row[1:] for row in rows), strict=True)]
    return "\n".join(
        "  ".join([row[0].ljust(first), *(cell.rjust(w) for cell, w in zip(row[1:], width, strict=True))]).rstrip()
        for row in rows
    )


def _dress_axes(ax: Axes, names: Sequence[object], x: str, y: str, baseline: object) -> None:
    ax.set(xlabel=x, ylabel=_label(y, baseline))
    if names:
        ax.set_xticks(range(len(names)), [str(name) for name in names])
        ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylim(bottom=0)


def _logarithmic(ax: Axes, names: Sequence[float]) -> None:
    """Powers of ten say nothing to the reader of a sweep: its own values are the ticks."""
    ax.set_xscale("log")
    ax.set_xticks(names, [f"{name:g}" for name in names])
    ax.set_xticks([], minor=True)


def _name_ends(ax: Axes, ends: Mapping[str, float], colours: Mapping[str, str], last: float) -> None:
    """Each line's name at its right end, a line of text apart from the next."""
    low, high = ax.get_ylim()
    heights = apart({name: (value - low) / (high - low) for name, value in ends.items()})
    for name, height in heights.items():
        end = (last, low + height * (high - low))
        ax.annotate(name, end, (9, 0), textcoords="offset points", color=colours[name], va="center")
