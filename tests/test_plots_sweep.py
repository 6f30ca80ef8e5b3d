"""Pictures of a sweep: a point is a mean over random seeds, a ratio is made trial by trial, words say the same."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from numakit.plots import describe_gains, describe_sweep, draw_gains, draw_sweep
from numakit.plots.sweep import change, spreads


@pytest.fixture(autouse=True)
def pictures_without_a_window() -> Iterator[None]:
    mpl.use("Agg")
    yield
    plt.close("all")


#: Milliseconds: (policy, workload) -> those of random_seed 0 and 1.
TIMES = {("stay", 1): (10, 30), ("stay", 20): (10, 10), ("mine", 1): (20, 30), ("mine", 20): (5, 7)}


def frame_of(workloads: dict[int, Any] | None = None, **more: list[str]) -> pd.DataFrame:
    """The frame of TIMES; workloads by other names, and further axes, if asked for."""
    names = workloads or {1: 1, 20: 20}
    rows = [
        {"machine": machine, "workload": names[load], "policy": policy, "random_seed": number, "total_ns": ms * 1e6}
        for ((policy, load), both), machine in product(TIMES.items(), more.get("machines", ["ring"]))
        for number, ms in enumerate(both)
    ]
    return pd.DataFrame(rows)


def test_points_are_means_with_the_least_and_the_greatest_over_random_seeds() -> None:
    points = spreads(frame_of(), "workload", "total_ns", "policy", None)
    assert points["stay"][1] == (20, 10, 30)
    assert points["mine"] == {1: (25, 20, 30), 20: (6, 5, 7)}


def test_what_is_beside_a_baseline_is_divided_trial_by_trial() -> None:
    """20 / 10 and 30 / 30 are 1.5 on average; 25 / 20 would be another thing."""
    points = spreads(frame_of(), "workload", "total_ns", "policy", "stay")
    assert points["mine"][1] == (1.5, 1, 2)
    assert points["mine"][20].mean == pytest.approx(0.6)
    assert points["stay"][20] == (1, 1, 1)


def test_a_trial_whose_baseline_has_failed_is_left_out() -> None:
    """As in the frame of SweepFailed; pictures and words have the rest of it."""
    frame = frame_of()
    partly = frame[(frame["policy"] != "stay") | (frame["workload"] != 20)]
    points = spreads(partly, "workload", "total_ns", "policy", "stay")
    assert points == {"stay": {1: (1, 1, 1)}, "mine": {1: (1.5, 1, 2)}}
    assert describe_gains(partly).split() == ["beside", "stay;", "workload:", "1", "20", "mine", "+50%"]
    assert "nan" not in describe_sweep(partly, baseline="stay")
    draw_sweep(partly, baseline="stay")
    draw_gains(partly)


def test_baseline_of_another_axis_divides_and_is_not_drawn() -> None:
    """How much "mine" takes of what "stay" takes on each of two machines."""
    points = spreads(frame_of(machines=["ring", "altix"]), "workload", "total_ns", "machine", ("policy", "stay"))
    assert {machine: its[1] for machine, its in points.items()} == {"ring": (1.5, 1, 2), "altix": (1.5, 1, 2)}
    ax = draw_sweep(frame_of(machines=["ring", "altix"]), lines="machine", baseline=("policy", "stay"))
    assert ax.get_ylabel() == "time, beside stay"


def test_lines_stand_over_numbers_in_proportion_and_the_baseline_is_a_line_at_one() -> None:
    ax = draw_sweep(frame_of(), baseline="stay")
    (mine,) = ax.containers
    assert np.asarray(mine[0].get_xdata()).tolist() == [1, 20]
    assert np.asarray(mine[0].get_ydata()).tolist() == pytest.approx([1.5, 0.6])
    assert (ax.get_xscale(), [tick.get_text() for tick in ax.get_xticklabels()]) == ("log", ["1", "20"])
    assert {text.get_text() for text in ax.texts} == {"mine", "stay"}
    assert ax.get_ylabel() == "time, beside stay"


def test_names_that_are_texts_stand_side_by_side_with_a_legend() -> None:
    ax = draw_sweep(frame_of({1: "zipf", 20: "stream"}))
    legend = ax.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == ["stay", "mine"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["zipf", "stream"]
    assert ax.get_ylabel() == "time (ms)"


def test_gains_are_written_into_their_cells_in_colours_that_say_the_same() -> None:
    ax = draw_gains(frame_of())
    assert [text.get_text() for text in ax.texts] == ["+50%", "-40%"]
    image = ax.get_images()[0]
    values = image.get_array()
    assert values is not None
    (red, _, blue, _), (red_too, _, blue_too, _) = image.to_rgba(values)[0]
    assert red > blue
    assert blue_too > red_too


@pytest.mark.parametrize(
    ("ratio", "said"), [(0.66, "-34%"), (1.0004, "0%"), (0.9996, "0%"), (1.08, "+8%"), (3.6, "×3.6")]
)
def test_ratio_is_said_as_people_say_it(ratio: float, said: str) -> None:
    assert change(ratio) == said


def test_words_have_the_numbers_of_the_pictures() -> None:
    assert [line.split() for line in describe_sweep(frame_of()).splitlines()] == [
        ["time", "(ms);", "workload:", "1", "20"],
        ["stay", "20", "10"],
        ["mine", "25", "6.00"],
    ]
    assert describe_gains(frame_of()) == "beside stay; workload:     1    20\nmine                    +50%  -40%"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_can_be_read_on_its_ground_and_none_is_cut_off(theme: str) -> None:
    """Drawn without a warning; texts lie within the figure."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for ax in (draw_sweep(frame_of(), baseline="stay", theme=theme), draw_gains(frame_of(), theme=theme)):
            figure = ax.figure
            figure.canvas.draw()
            for text in (*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels(), ax.title, ax.xaxis.label):
                box = text.get_window_extent()
                assert figure.bbox.x0 <= box.x0, text
                assert box.x1 <= figure.bbox.x1 + 1, text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"x": "load"}, "x='load': columns are machine, workload"),
        ({"y": "moves"}, "y='moves': columns are"),
        ({"baseline": "home"}, r"baseline='home': values of policy are \['stay', 'mine'\]"),
        ({"baseline": ("colour", "red")}, "values of colour are no column of the frame"),
        ({"theme": "grey"}, "theme='grey'"),
    ],
)
def test_a_wrong_argument_is_refused_with_what_is_allowed(arguments: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        draw_sweep(frame_of(), **arguments)


def test_a_frame_without_trials_is_refused() -> None:
    """Of a sweep that has only begun, for example."""
    told: tuple[Callable[[pd.DataFrame], object], ...] = (draw_sweep, draw_gains, describe_sweep, describe_gains)
    for picture in told:
        with pytest.raises(ValueError, match="frame: it has not one trial"):
            picture(frame_of().iloc[:0])


def test_trials_that_differ_in_something_that_is_not_drawn_are_refused() -> None:
    """A mean over two machines would be the time of none."""
    frame = frame_of(machines=["ring", "altix"])
    with pytest.raises(ValueError, match=r"several values of machine; choose some, such as frame\[frame\['mach"):
        draw_sweep(frame)
    assert draw_sweep(frame[frame["machine"] == "ring"])
    assert draw_sweep(frame[frame["policy"] == "stay"], x="machine", lines="workload")
