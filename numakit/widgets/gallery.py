"""The gallery of answers: a card for each row of the two tables of move_pages(), to be predicted before it is seen.

It decides nothing: :mod:`numakit.situations` makes the runs, ``explain`` gives the reasons, a Stepper shows the play.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from errno import E2BIG, EACCES, EBUSY, EFAULT, EINVAL, EIO, ENODEV, ENOENT, ENOMEM, EPERM, ESRCH
from html import escape
from typing import NamedTuple

from numakit.abi import ERRNO, MPOL_MF_MOVE, errno_name
from numakit.explain.entries import listed
from numakit.facade.call import argument_text
from numakit.situations import (
    CALLS,
    LOOKED_UP,
    QUEUED,
    SITUATIONS,
    Asked,
    Situation,
    Staged,
    row_of,
    title_of,
    words_of,
)
from numakit.syscalls.user_memory import UserArray
from numakit.widgets import panels
from numakit.widgets.calltext import flags_text
from numakit.widgets.form import FormWithStepper, Wish, button
from numakit.widgets.panels import prose
from numakit.widgets.reading import Reading
from numakit.widgets.why import RETURN, why

GROUPS: tuple[tuple[str, Sequence[Situation]], ...] = (
    ("Status, while entries are looked up", LOOKED_UP),
    ("Status, once the page is queued", QUEUED),
    ("Return code of the call", CALLS),
)
STATUSES = (0, 1, *(-e for e in (EACCES, EBUSY, EFAULT, EINVAL, EIO, ENOENT, ENOMEM, EPERM)))
RETURNS = (0, *(-e for e in (E2BIG, EACCES, EFAULT, EINVAL, ENODEV, ENOENT, ENOMEM, EPERM, ESRCH)))


ABOUT_CALLS = frozenset(map(row_of, CALLS))  #: the rows whose answer is a return code


class Guess(NamedTuple):
    """What was predicted for the card of a row, and what the answer was."""

    row: str
    predicted: int
    answer: int

    @property
    def right(self) -> bool:
        """Whether they are the same."""
        return self.predicted == self.answer


class StatusGallery(FormWithStepper):
    """Every status and every return code of move_pages(): open a card, predict, then see the answer and its cause play.

    ``gallery.show_card("hole")`` and ``gallery.predict(-EFAULT)`` do what clicks do; rows are named as in ``result.rows``.
    A card's run is made when it is opened, on a small machine of its own. Where there is no kernel, its output is a
    picture.
    """

    title = "Every answer of move_pages()"

    def __init__(self) -> None:
        self.guesses: dict[str, Guess] = {}  #: by row
        self.row: str | None = None  #: the card that is open
        self.staged: Staged | None = None  #: its situation, played
        self._opened = 0
        super().__init__()
        self.draw()

    # -- what one does

    def show_card(self, row: str) -> None:
        """Open a card. Raises ValueError for a row that does not exist."""
        if row not in SITUATIONS:
            raise ValueError(f"row={row!r}: there are {', '.join(SITUATIONS)}")
        self.row, self.staged = row, SITUATIONS[row]()
        self._opened += 1
        self._play()
        self.draw()

    def predict(self, value: int) -> None:
        """Say what the answer of the open card is: a node, 0 or a negative errno. The first prediction counts.

        Raises ValueError for what is not among the choices, RuntimeError if no card is open.
        """
        if self.staged is None or self.row is None:
            raise RuntimeError("no card is open: gallery.show_card(row) opens one")
        if value not in self.choices:
            raise ValueError(f"value={value!r}: to choose from are {', '.join(map(errno_name, self.choices))}")
        self.guesses.setdefault(self.row, Guess(self.row, value, self.staged.answer))
        self._play()
        self.draw()

    def next(self) -> None:
        """Open the next card that has not been predicted, in the order of the tables; none are left: the first."""
        rows = list(SITUATIONS)
        begin = rows.index(self.row) + 1 if self.row else 0
        around = rows[begin:] + rows[:begin]
        self.show_card(next((row for row in around if row not in self.guesses), rows[0]))

    def begin_anew(self) -> None:
        """Forget all predictions and close the card."""
        self.guesses.clear()
        self.row = self.staged = None
        self.show_run(None)
        self.draw()

    @property
    def choices(self) -> tuple[int, ...]:
        """What can be predicted for the open card."""
        return RETURNS if self.row in ABOUT_CALLS else STATUSES

    @property
    def score(self) -> tuple[int, int]:
        """(right predictions, predictions)."""
        return sum(guess.right for guess in self.guesses.values()), len(self.guesses)

    @property
    def guess(self) -> Guess | None:
        """The prediction for the open card, None if it was not made yet."""
        return self.guesses.get(self.row) if self.row else None

    @property
    def decided_at(self) -> int | None:
        """The step of the open card's run at which its answer was decided."""
        if self.staged is None:
            return None
        asked_for = RETURN if self.staged.entry is None else self.staged.entry
        return why(self.staged.run, Reading(self.staged.run), asked_for).position

    def _play(self) -> None:
        """Show the run where the answer was decided, but not before it was predicted: it would give it away."""
        if self.staged is None or self.guess is None:
            self.show_run(None)
        else:
            self.show_run(self.staged.run, self.decided_at)

    def deeds(self, wish: Wish) -> dict[str, Callable[[], object]]:
        """The clicks of the front."""
        return {
            "open": lambda: self.show_card(str(wish["row"])),
            "predict": lambda: self.predict(int(wish["value"])),
            "next": self.next,
            "anew": self.begin_anew,
        }

    # -- how it looks

    def form_html(self) -> str:
        """Score, cards, and the open card's question."""
        groups = "".join(self._group(name, situations) for name, situations in GROUPS)
        anew = button("Begin anew", "anew") if self.guesses else ""
        return (
            f"<div role='heading' aria-level='2'>{self.title}</div>"
            f"<div class='nk-row'><p role='status'>{escape(self._score_text())}</p>{anew}</div>"
            f"<div class='nk-gallery'><div class='nk-cards' role='group' aria-label='Situations'>{groups}</div>"
            f"<div class='nk-question'>{self._question()}</div></div>"
            f"<p class='nk-note' role='status'>{escape(self.note)}</p>"
        )

    def plain_html(self) -> str:
        """The same as a picture, without the buttons that lead on."""
        plain = re.sub(r'<button type="button" data-do="(next|anew)">.*?</button>', "", self.form_html())
        return panels.without_buttons(plain) + "<p><small>Run the cell to open a card.</small></p>"

    def _score_text(self) -> str:
        right, made = self.score
        return f"{right} right of {made} predicted; there are {len(SITUATIONS)} situations."

    def _group(self, name: str, situations: Sequence[Situation]) -> str:
        cards = "".join(f"<li>{self._card(situation)}</li>" for situation in situations)
        return f"<div role='heading' aria-level='3'>{name}</div><ul>{cards}</ul>"

    def _card(self, situation: Situation) -> str:
        row = row_of(situation)
        guess = self.guesses.get(row)
        mark = f"<span class='{_kind(guess)}'>{_mark(guess)}</span>" if guess else ""
        shown = button(f"<span>{escape(title_of(situation))}</span>{mark}", "open", row=row)
        return shown.replace("<button", "<button aria-current='true'", 1) if row == self.row else shown

    def _question(self) -> str:
        if self.staged is None or self.row is None:
            return f"<p>{escape(_INTRODUCTION)}</p>{button('First situation', 'next')}"
        situation, caller = SITUATIONS[self.row], self.staged.asked.caller
        choices = "".join(self._choice(value) for value in self.choices)
        return (
            f"<div role='heading' aria-level='3' class='nk-title' tabindex='-1' data-focus='{self._opened}'>"
            f"{escape(title_of(situation))}</div><p>{escape(words_of(situation))}</p>"
            f"<p><code class='nk-call'>{escape(asked_text(self.staged.asked))}</code></p>"
            f"<p><small>{escape(_who(caller.struct.uid, caller.name, sorted(caller.mems)))}</small></p>"
            f"<p><b>{escape(self._asks())}</b></p>"
            f"<div class='nk-choices' role='group' aria-label='Your prediction'>{choices}</div>{self._answer()}"
        )

    def _asks(self) -> str:
        entry = self.staged.entry if self.staged else None
        return "What does the call return?" if entry is None else f"What is decided for entry {entry}?"

    def _choice(self, value: int) -> str:
        guess = self.guess
        mark = ""
        if guess and value == guess.answer:
            mark = " <span class='nk-right-mark'>✓<span class='nk-sr'> the answer</span></span>"
        elif guess and value == guess.predicted:
            mark = " <span class='nk-fail'>✗<span class='nk-sr'> predicted</span></span>"
        text = f"<b>{value_text(self.row, value)}{mark}</b><small>{escape(_meaning(self.row, value))}</small>"
        return button(text, "predict", able=guess is None, value=value)

    def _answer(self) -> str:
        guess = self.guess
        if guess is None or self.staged is None:
            return ""
        return (
            f"<div class='nk-answer-box'><p role='status' class='{_kind(guess)}'>{escape(self._verdict(guess))}</p>"
            f"<p>{prose(self.staged.why)}</p><p><small>{prose(self._more())}</small></p>"
            f"{button('Next situation', 'next')}</div>"
        )

    def _verdict(self, guess: Guess) -> str:
        answer = value_text(guess.row, guess.answer)
        if guess.right:
            return f"✓ Right: {answer}."
        return f"✗ You said {value_text(guess.row, guess.predicted)}; it is {answer}."

    def _more(self) -> str:
        assert self.staged is not None
        row = f"The row of the table is “{self.staged.row}”."
        whole = f" The whole call: {self.staged.run.result.summary()}." if self.row not in ABOUT_CALLS else ""
        if len(self.staged.run) == 1:
            return (
                f"{row} All checks of a call are made in one step, before anybody else can act: the run has no other."
            )
        where = f"The run stands at step {self.decided_at}, where that was decided; step back to see how it came."
        return f"{row}{whole} {where}"

    def form_text(self) -> str:
        """The same in words."""
        lines = [self.title, self._score_text()]
        for name, situations in GROUPS:
            lines.append(f"{name}:")
            lines += [f"  {_mark(self.guesses.get(row_of(s)))} {title_of(s)}" for s in situations]
        if self.staged is not None and self.row is not None:
            situation = SITUATIONS[self.row]
            lines += ["", f"{title_of(situation)}. {words_of(situation)}", asked_text(self.staged.asked), self._asks()]
            if self.guess:
                lines += [self._verdict(self.guess), self.staged.why, self._more()]
        return "\n".join(lines)


_INTRODUCTION = (
    "Each card is a situation in which a call is made. Choose one, read it, and predict the answer. Then you see what "
    "the kernel answers and why, and how it came: the run, step by step, at the step where it was decided."
)


def asked_text(asked: Asked) -> str:
    """The call in question as one line, for people."""
    parts = [str(asked.pid), _array_text(asked.pages)]
    if asked.nodes is not None:
        parts.append(f"nodes={_array_text(asked.nodes)}")
    if asked.flags != MPOL_MF_MOVE:
        parts.append(f"flags={flags_text(asked.flags)}")
    if asked.status is not None:
        parts.append(f"status={_array_text(asked.status)}")
    if asked.nr_pages is not None:
        parts.append(f"nr_pages={asked.nr_pages:,}".replace(",", "_"))
    return f"{asked.caller.name}.move_pages({', '.join(parts)})"


def _array_text(array: Sequence[int] | UserArray) -> str:
    if isinstance(array, UserArray):
        return f"the {array.length}-element array at {array.address:#x}"
    return argument_text(array)


def _who(uid: int, name: str, mems: Sequence[int]) -> str:
    return f"{name} runs as uid {uid}; its own cpuset allows nodes {listed(mems)}."


def value_text(row: str | None, value: int) -> str:
    """An answer of a row in a word."""
    return errno_name(value) if value < 0 or row in ABOUT_CALLS else f"node {value}"


def _meaning(row: str | None, value: int) -> str:
    """The kernel's short text for an errno."""
    if value < 0:
        return ERRNO[-value][1]
    return "the call went through" if row in ABOUT_CALLS else "it is there"


def _mark(guess: Guess | None) -> str:
    return "○" if guess is None else f"{'✓' if guess.right else '✗'} {value_text(guess.row, guess.answer)}"


def _kind(guess: Guess) -> str:
    return "nk-right-mark" if guess.right else "nk-fail"
