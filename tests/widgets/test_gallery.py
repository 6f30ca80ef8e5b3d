"""The gallery of answers, its cards opened and predicted as its front does it, against the model."""

from __future__ import annotations

import json
import re
from errno import EACCES, EBUSY, EFAULT, ENOENT
from html import escape
from typing import Any

import pytest

from numakit.situations import SITUATIONS, Staged, row_of, title_of, words_of
from numakit.widgets import StatusGallery
from numakit.widgets.form import Form
from numakit.widgets.panels import prose
from tests.test_situations import RETURN_CODES, STATUSES


def ask(gallery: StatusGallery, **wish: Any) -> None:
    """What the front sends."""
    gallery.form._handle_custom_msg(wish, [])


def cards(gallery: StatusGallery) -> list[str]:
    """The rows of the cards that are shown."""
    return re.findall(r'data-do="open" data-row="([\w-]+)"', gallery.form.html)


def test_every_row_of_both_tables_has_a_card() -> None:
    """In the order of the tables, named by what the situation is and not by what the answer will be."""
    gallery = StatusGallery()
    assert cards(gallery) == [*STATUSES, *RETURN_CODES]
    for situation in SITUATIONS.values():
        assert escape(title_of(situation)) in gallery.form.html
    assert "-E" not in gallery.form.html


@pytest.mark.parametrize("row", SITUATIONS)
def test_a_card_is_opened_predicted_and_played(row: str) -> None:
    """First words and call, and nothing of the answer; then the answer, the model's reason, and the run where it was
    decided.
    """
    gallery, answer = StatusGallery(), (STATUSES | RETURN_CODES)[row]
    ask(gallery, do="open", row=row)
    assert gallery.staged is not None
    assert escape(words_of(SITUATIONS[row])) in gallery.form.html
    assert "move_pages(" in gallery.form.html
    assert prose(gallery.staged.why) not in gallery.form.html
    assert gallery.stepper is None
    assert answer in gallery.choices

    ask(gallery, do="predict", value=str(answer))
    assert gallery.score == (1, 1)
    assert prose(gallery.staged.why) in gallery.form.html
    assert "✓ Right" in gallery.form.html
    stepper = gallery.stepper
    assert stepper is not None
    assert list(gallery.children) == [gallery.form, stepper]
    assert stepper.run is gallery.staged.run
    assert stepper.position == gallery.decided_at


@pytest.mark.parametrize("row", STATUSES)
def test_the_play_begins_at_the_step_that_decided_the_entry(row: str) -> None:
    """It is the last step that changed the entry's outcome."""
    gallery = StatusGallery()
    gallery.show_card(row)
    gallery.predict(STATUSES[row])
    assert gallery.staged is not None
    assert gallery.stepper is not None
    entry, run = gallery.staged.entry, gallery.staged.run
    run.last()
    deciding = [
        step.number + 1
        for step in run.steps
        for change in step.changes
        if change.label == "outcome" and change.index == entry and step.task is run.call
    ]
    assert gallery.stepper.position == deciding[-1]


def test_a_run_is_made_when_its_card_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not before: thirty-four machines would be made for one who looks at three."""
    made = []

    def noting(situation: Any) -> Any:
        def make() -> Staged:
            made.append(row_of(situation))
            staged: Staged = situation()
            return staged

        return make

    for row, situation in SITUATIONS.items():
        monkeypatch.setitem(SITUATIONS, row, noting(situation))
    gallery = StatusGallery()
    assert made == []
    gallery.show_card("there")
    assert made == ["there"]


def test_the_first_prediction_counts() -> None:
    gallery = StatusGallery()
    ask(gallery, do="open", row="hole")
    ask(gallery, do="predict", value=str(-ENOENT))
    assert "You said -ENOENT; it is -EFAULT" in gallery.form.html
    ask(gallery, do="predict", value=str(-EFAULT))
    assert gallery.score == (0, 1)
    assert gallery.text().splitlines()[1].startswith("0 right of 1")


def test_next_opens_the_cards_that_are_left_and_anew_forgets_all() -> None:
    gallery = StatusGallery()
    gallery.show_card("untouched")
    gallery.predict(-ENOENT)
    opened = []
    for _ in range(len(SITUATIONS) - 1):
        ask(gallery, do="next")
        opened.append(gallery.row)
        gallery.predict(0)
    assert opened == [*list(SITUATIONS)[2:], "hole"]
    ask(gallery, do="next")
    assert gallery.row == "hole"
    ask(gallery, do="anew")
    assert list(gallery.children) == [gallery.form]
    assert gallery.form.html == StatusGallery().form.html


def test_a_card_that_is_opened_again_keeps_its_prediction() -> None:
    gallery = StatusGallery()
    gallery.show_card("hole")
    gallery.predict(-EBUSY)
    gallery.show_card("shared")
    assert gallery.stepper is None
    gallery.show_card("hole")
    assert gallery.guess is not None
    assert not gallery.guess.right
    assert gallery.stepper is not None


def test_a_stepper_that_is_taken_away_is_closed() -> None:
    gallery = StatusGallery()
    gallery.show_card("hole")
    gallery.predict(-EFAULT)
    before = gallery.stepper
    assert before is not None
    ask(gallery, do="next")
    assert before.comm is None


@pytest.mark.parametrize(
    "wish",
    [
        {"do": "nothing known"},
        {},
        {"do": "open", "row": "no row"},
        {"do": "open"},
        {"do": "predict", "value": "x"},
        {"do": "predict", "value": "77"},
    ],
)
def test_a_wish_that_cannot_be_fulfilled_is_told_and_changes_nothing(wish: dict[str, Any]) -> None:
    gallery = StatusGallery()
    gallery.show_card("hole")
    ask(gallery, **wish)
    assert "This cannot be done" in gallery.note
    assert escape(gallery.note) in gallery.form.html
    assert (gallery.row, gallery.score) == ("hole", (0, 0))
    ask(gallery, do="predict", value=str(-EFAULT))
    assert gallery.note == ""


def test_a_prediction_needs_an_open_card() -> None:
    with pytest.raises(RuntimeError, match="no card is open"):
        StatusGallery().predict(-EFAULT)


def test_the_picture_is_that_of_the_view_without_controls() -> None:
    """Title, score, cards, question, reason, and the Stepper's picture; no script and nothing to click."""
    gallery = StatusGallery()
    gallery.show_card("shared")
    gallery.predict(-EACCES)
    data, _ = gallery._repr_mimebundle_()
    html, text = data["text/html"], data["text/plain"]
    assert gallery.staged is not None
    assert gallery.stepper is not None
    assert prose(gallery.staged.why) in html
    assert gallery.staged.why in text
    for shown in (words_of(SITUATIONS["shared"]), gallery.stepper.scene.sentence):
        assert prose(shown) in html
        assert shown in text
    assert not re.search(r"<(button|script|select|input)\b|https?://(?!www\.w3\.org)", html)
    assert "application/vnd.jupyter.widget-view+json" in data
    fresh = StatusGallery()._repr_mimebundle_()[0]
    assert "0 right of 0" in fresh["text/html"]
    assert "0 right of 0" in fresh["text/plain"]


def test_the_same_clicks_give_the_same_picture() -> None:
    pictures = []
    for _ in range(2):
        gallery = StatusGallery()
        gallery.show_card("migrating")
        gallery.predict(-ENOENT)
        pictures.append((gallery.static_html(), gallery.text()))
    assert pictures[0] == pictures[1]


def test_a_click_sends_little() -> None:
    gallery = StatusGallery()
    gallery.show_card("pinned")
    gallery.predict(-EBUSY)
    assert len(json.dumps(gallery.form.html)) < 20_000


def test_the_front_of_a_form_is_one_module() -> None:
    """It stands behind the Stepper's, of which it takes what draws: one default export is left."""
    script = str(Form._esm)
    assert script.count("export default") == 1
    assert script.rstrip().endswith("return form(root, model); } };")
