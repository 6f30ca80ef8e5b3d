"""A form above a Stepper: what the gallery of answers and the builder of calls have in common.

The form's html is written in Python, whole, after each wish; its front (``form.js``) redraws what is different and
tells what is done with the controls: ``{"do": "open", "row": "hole"}``, ``{"do": "set", "name": "node", "value": "1"}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from html import escape
from importlib import resources
from typing import Any

import anywidget
import ipywidgets
import traitlets

from numakit.facade.run import Run
from numakit.widgets import panels
from numakit.widgets.stepper import Stepper

Wish = dict[str, Any]


def front() -> str:
    """The form's front behind the Stepper's: what a front exports by default comes last, and there can be only one."""
    drawing, _, _ = panels.script("stepper.js").rpartition("export default")
    return drawing + resources.files("numakit.widgets").joinpath("form.js").read_text(encoding="utf-8")


class Form(anywidget.AnyWidget):
    """The form alone: html, and somebody who hears what is done with it."""

    _esm = front()
    _css = panels.style()

    html = traitlets.Unicode("").tag(sync=True)
    label = traitlets.Unicode("").tag(sync=True)  #: its name for those who do not see it
    drawn = traitlets.Int(0).tag(sync=True)  #: how often it was drawn; set last

    def __init__(self, label: str, heard: Callable[[Wish], None]) -> None:
        super().__init__(label=label)
        self.on_msg(lambda _, wish, __: heard(wish))

    def draw(self, html: str) -> None:
        """Show this, and let the controls show what it says even if it is the same as before."""
        with self.hold_sync():
            self.html = html
            self.drawn += 1


class FormWithStepper(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets carries no types
    """A form, and below it a Stepper for the run that the form has led to, if there is one.

    Who derives from it says what the form shows (``form_html``), what can be done with it (``deeds``), and what both
    are where there is no kernel (``form_text``, ``plain_html``).
    """

    title = ""

    def __init__(self) -> None:
        self.note = ""  #: what the last wish was answered with
        self.stepper: Stepper | None = None
        self.form = Form(self.title, self._wish)
        super().__init__(children=[self.form])

    def form_html(self) -> str:
        """The form as it is now."""
        raise NotImplementedError

    def form_text(self) -> str:
        """The same in words."""
        raise NotImplementedError

    def plain_html(self) -> str:
        """The same as a picture, without controls."""
        return panels.without_buttons(self.form_html())

    def deeds(self, wish: Wish) -> dict[str, Callable[[], object]]:
        """What can be done, by the name that the front has for it."""
        raise NotImplementedError

    def draw(self) -> None:
        """Let the front show what is so now."""
        self.form.draw(self.form_html())

    def show_run(self, run: Run[Any] | None, position: int | None = None) -> None:
        """Put a Stepper for the run below the form, at a position; None takes it away."""
        if self.stepper is not None:
            self.stepper.close()
        self.stepper = None
        if run is not None:
            self.stepper = Stepper(run)
            self.stepper.layout.margin = "10px 0 0"
            if position is not None:
                self.stepper.show(position)
        self.children = [self.form] if self.stepper is None else [self.form, self.stepper]

    def _wish(self, wish: Wish) -> None:
        """What the front asks for. Nothing that it sends can raise: it is told what was wrong instead."""
        self.note = ""
        try:
            self.deeds(wish)[wish["do"]]()
        except (KeyError, TypeError, ValueError, RuntimeError, traitlets.TraitError) as error:
            self.note = f"This cannot be done: {error}"
        self.draw()

    # -- where there is no kernel

    def text(self) -> str:
        """What the widget shows, in words."""
        return "\n\n".join([self.form_text(), *([self.stepper.text()] if self.stepper else [])])

    def static_html(self) -> str:
        """What the widget shows, as a picture for where there is no kernel."""
        run = self.stepper.static_html() if self.stepper else ""
        style = "" if run else f"<style>{panels.style()}</style>"
        return f'{style}<div class="nk"><div class="nk-in nk-plain">{self.plain_html()}</div></div>{run}'

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.title}>"

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": self.text(), "text/html": self.static_html()}, metadata


# -- controls


def button(text: str, do: str, *, able: bool = True, **more: object) -> str:
    """A button that asks for something; ``more`` goes with the wish."""
    data = "".join(f' data-{name}="{escape(str(value))}"' for name, value in more.items())
    state = "" if able else ' aria-disabled="true"'
    return f'<button type="button" data-do="{do}"{data}{state}>{text}</button>'


def hint(text: str) -> str:
    """A sentence below a control, for what cannot be chosen and why."""
    return f"<small>{escape(text)}</small>" if text else ""


def select(name: str, label: str, options: Iterable[tuple[object, str]], chosen: object, why_not: str = "") -> str:
    """A choice of one among several, (value, text) each; ``why_not`` disables it and says why."""
    shown = "".join(
        f'<option value="{escape(str(value))}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in options
    )
    state = " disabled" if why_not else ""
    return f'<div class="nk-field"><label><span>{label}</span><select name="{name}"{state}>{shown}</select></label>{hint(why_not)}</div>'


def field(
    name: str, label: str, value: object, kind: str = "text", more: str = "", *, able: bool = True, told: str = ""
) -> str:
    """A text or a number to be typed; ``told`` stands below it."""
    state = "" if able else " disabled"
    shown = f'<input type="{kind}" name="{name}" value="{escape(str(value))}"{more}{state}>'
    return f'<div class="nk-field"><label><span>{label}</span>{shown}</label>{hint(told)}</div>'


def tick(name: str, label: str, value: object, *, on: bool, kind: str = "checkbox") -> str:
    """A box to be ticked, or one of several of which one is (``kind="radio"``)."""
    state = " checked" if on else ""
    return (
        f'<label class="nk-tick"><input type="{kind}" name="{name}" value="{value}"{state}><span>{label}</span></label>'
    )
