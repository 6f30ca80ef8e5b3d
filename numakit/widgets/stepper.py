"""The Stepper: a run, walked through forward and back.

It decides nothing: it goes to a step and shows the scene there. The machine stands at that step, too. The front
(``stepper.js``) is sent the panels that are different and the positions that one can jump to; it answers with a
position, or with a wish: ``{"do": "moment", "name": "COPY"}``.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from numakit.facade.run import Run
from numakit.moments import MOMENTS
from numakit.timeline.run import BrokenUserCode, Stuck
from numakit.widgets import panels, picture, whatif
from numakit.widgets.export import FRAME, to_html
from numakit.widgets.jumps import decision, jumps, next_at, next_break
from numakit.widgets.reading import Reading
from numakit.widgets.scene import Scene, scene
from numakit.widgets.why import why, whys_html

HERE = Path(__file__).parent
MOMENT_NAMES = frozenset(moment.name for moment in MOMENTS)


def _html() -> Any:
    return traitlets.Unicode("").tag(sync=True)


class Stepper(anywidget.AnyWidget):
    """A widget for a recorded run, or for one under way: ``Stepper(machine.record(shell.move_pages, ...))``.

    It begins at the step at which the run stands. Forward at the end of a run that has not ended lets the next task
    act. Whoever looks at the machine while the Stepper shows a step sees that step; ``machine.present()`` returns to
    now. Raises RuntimeError for a run that was not recorded. Where there is no kernel, its output is a picture.
    """

    _esm = panels.script("stepper.js")
    _css = HERE / "style.css"

    position = traitlets.Int(0).tag(sync=True)  #: how many steps of the run have been made in what is shown
    breaks = traitlets.List(traitlets.Unicode()).tag(sync=True)  #: "COPY", "page 7": playing stops there
    at = traitlets.Dict().tag(sync=True)  #: what the front needs to know of the step; set last
    frame = traitlets.Unicode(FRAME).tag(sync=True)  #: the panels' places
    note = traitlets.Unicode("").tag(sync=True)
    code = traitlets.Unicode("").tag(sync=True)  #: the Python that lets the same others act
    offers = traitlets.Dict().tag(sync=True)  #: who could do what here
    why = traitlets.Dict().tag(sync=True)  #: what was last asked for
    html_head, html_lanes, html_track, html_now = _html(), _html(), _html(), _html()
    html_entries, html_old, html_ptes, html_new = _html(), _html(), _html(), _html()
    html_changes, html_tasks, html_locks, html_log = _html(), _html(), _html(), _html()
    html_lists, html_nodes = _html(), _html()

    def __init__(self, run: Run[Any]) -> None:
        self.run = run
        self.scene: Scene = scene(run, run.position)
        self.reading = Reading(run)
        self._added: list[whatif.Added] = []
        self._drawn = 0
        super().__init__(position=self.scene.position)
        self.on_msg(self._wish)
        self._draw()

    # -- moving

    def show(self, step: int) -> None:
        """Show the run when so many of its steps have been made. Raises what ``run.goto(step)`` raises."""
        self.reading.follow()
        self.scene = scene(self.run, step, self.reading)
        self._draw()

    def first(self) -> None:
        """Show the run before its first step."""
        self._try(0)

    def last(self) -> None:
        """Show the run after its last step."""
        self._try(len(self.run))

    def back(self) -> None:
        """One step back; where somebody was let act here, they are taken out again, if that forgets no later call."""
        if self._added and self._added[-1].position == self.position and self.run.is_newest:
            self.take_back()
        else:
            self._try(max(0, self.position - 1))

    def forward(self) -> None:
        """One step forward; at the end of a run that has not ended, the next task acts."""
        if self.position == len(self.run) and any(task.released and not task.done for task in self.run.tasks):
            self.run.goto(self.position).forward()
        self._try(min(self.position + 1, len(self.run)))

    def jump(self, where: str) -> None:
        """To the next "page", "pass", "failure" or turn of another "actor", or "over" a walk or to "before" it."""
        step = jumps(self.reading, self.position)[where]
        if step is not None:
            self._try(step)

    def to_moment(self, name: str) -> None:
        """To the next time of a moment; from the last one on, to the first."""
        step = next_at(self.reading, self.position, name)
        if step is not None:
            self._try(step)

    def to_decision(self, entry: int) -> None:
        """To the step at which an entry of the call was decided."""
        step = decision(self.reading, entry, self.run.result if self.run.finished else None)
        if step is None:
            self._say(f"Entry {entry} has no step at which it was decided.")
        else:
            self._try(step)

    def run_on(self) -> None:
        """On to the next break, or to the end."""
        self._try(next_break(self.reading, self.position, self.breaks) or len(self.run))

    # -- others

    def what_if(self, pid: int, deed: str, address: int = 0) -> None:
        """Let a process do one of :data:`whatif.DEEDS` at the step that is shown; the run goes on with that in it.

        Raises RuntimeError where that would forget what was done on the machine after the run; see
        ``run.forget_later_calls()``.
        """
        run, position, turns = self.run, self.position, self.run.turns
        run.goto(position)
        task = whatif.let_happen(run, pid, deed, address)
        self._added.append(whatif.Added(task, position, turns))
        told = f"{run.interferences[-1][1].call} joins here. One step back takes it out again."
        try:
            run.finish()
        except (Stuck, BrokenUserCode) as error:
            told = f"{told} The run does not end: {error}"
        self._went_on(position, told)

    def take_back(self) -> None:
        """Take out who was let act last; the run is what it was before. Raises RuntimeError as :meth:`what_if`."""
        if not self._added:
            return
        task, position, turns = self._added[-1]
        whatif.take_back(self.run, task, turns)
        self._added.pop()
        self._went_on(position, "Taken back: the run is what it was before.")

    def _went_on(self, position: int, told: str) -> None:
        self.reading.begin_anew()
        self.scene = scene(self.run, position, self.reading)
        self.note = told
        self._draw(told)

    @property
    def python(self) -> str:
        """The line that lets the same others act in ``run = machine.begin(the same call)`` on an equal machine."""
        schedule = str(self.run.schedule)
        return f"run.play({schedule!r})" if schedule else ""

    # -- the front

    @traitlets.validate("position")
    def _within(self, proposal: Any) -> int:
        return max(0, min(int(proposal["value"]), len(self.run)))

    @traitlets.validate("breaks")
    def _known(self, proposal: Any) -> list[str]:
        return [name for name in proposal["value"] if name in MOMENT_NAMES or name.removeprefix("page ").isdigit()]

    @traitlets.observe("position")
    def _moved(self, change: Any) -> None:
        if change["new"] != self.scene.position:
            self._try(change["new"])

    def _wish(self, _: Any, wish: Any, __: Any) -> None:
        """What the front asks for. Nothing that it sends can raise: it is told what was wrong instead."""
        known: dict[str, Callable[[], None]] = {
            "forward": self.forward,
            "take back": lambda: self._if_sure(wish, self.take_back),
            "continue": self.run_on,
            "moment": lambda: self.to_moment(str(wish["name"])),
            "decided": lambda: self.to_decision(int(wish["entry"])),
            "why": lambda: self._tell_why(wish["entry"]),
            "act": lambda: self._if_sure(
                wish, lambda: self.what_if(int(wish["who"]), str(wish["what"]), int(str(wish.get("where") or "0"), 16))
            ),
        }
        try:
            known[wish["do"]]()
        except (KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            self._say(f"This cannot be done: {error}")

    def _if_sure(self, wish: Any, do: Callable[[], None]) -> None:
        """Do what changes the run. Later calls are forgotten only where the wish names them, as they were told."""
        if not self.run.is_newest and wish.get("forget") == self.run.tell_later():
            self.run.forget_later_calls()
        do()

    def _tell_why(self, entry: Any) -> None:
        html = why(self.run, self.reading, entry).html(self.position)
        self.why = {"html": html, "asked": self.why.get("asked", 0) + 1}

    def _say(self, text: str) -> None:
        self.note = text
        self._announce(told=True)

    def _try(self, step: int) -> None:
        """Show a step; a run whose journal was given up meanwhile says so in place of the picture."""
        try:
            self.show(step)
        except RuntimeError as error:
            self.html_now = f"<p>{error}</p>"
            self._announce()

    def _draw(self, told: str = "") -> None:
        shown = panels.panels(self.scene, self.reading)
        with self.hold_sync():
            for name, html in shown.items():
                setattr(self, f"html_{name}", html)
            self.offers, self.code = whatif.offers(self.run.machine, self.scene), self.python
            past = "The machine stands at this step; machine.present() returns to now."
            self.note = told or (past if self.run.machine.in_the_past else "")
            self.position = self.scene.position
            self._announce(told=bool(told))

    def _announce(self, told: bool = False) -> None:
        """Tell the front that all is there: it draws. ``told``: the note answers a wish, and stands alone."""
        turn = self.reading.turns[self.scene.position - 1] if self.scene.position else None
        self._drawn += 1
        self.at = {
            "drawn": self._drawn,
            "told": told,
            "position": self.scene.position,
            "length": len(self.run),
            "finished": not any(task.released and not task.done for task in self.run.tasks),
            "later": "" if self.run.is_newest else self.run.tell_later(),
            "joined": self._added[-1].position if self._added else -1,
            "jumps": jumps(self.reading, self.scene.position),
            "moment": turn.moment.name if turn else None,
            "page": turn.about if turn and turn.moment.subject == "page" else None,
        }

    # -- where there is no kernel

    def text(self) -> str:
        """What the widget shows, in words."""
        return picture.text(self.scene)

    def static_html(self) -> str:
        """What the widget shows, as a picture for where there is no kernel."""
        return picture.static_html(self.scene, self.reading, whys_html(self.run, self.reading))

    def to_html(self, path: str | PathLike[str]) -> None:
        """Write one page in which the run can be stepped without a kernel; it begins at the step that is shown."""
        to_html(self.run, path)

    def __repr__(self) -> str:
        return f"<Stepper of {panels.headline(self.scene)}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": self.text(), "text/html": self.static_html()}, metadata
