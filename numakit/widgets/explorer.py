"""What the views have in common that one looks around in: panels, keys that are said with them, a picture for later.

A view of this kind decides what each key and each click would mean now and says so beside the panels; the front
(``explorer.js``) hands on which one it was. So all that a reader can do is setting a trait, and can be done in Python.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any

import anywidget
import traitlets

from numakit.widgets.panels import script, style


@cache
def explorer_style() -> str:
    """The style sheet of these views: that of all views, and their own."""
    own = resources.files("numakit.widgets").joinpath("explorer.css").read_text(encoding="utf-8")
    return style() + own


class Explorer(anywidget.AnyWidget):
    """A view with panels ``html_<name>``; whoever inherits says what stands in them, and what keys and clicks set."""

    _esm = script("explorer.js")
    _css = explorer_style()

    label = traitlets.Unicode("").tag(sync=True)  #: what the view is called, for screen readers
    frame = traitlets.Unicode("").tag(sync=True)  #: the panels' places
    wishes = traitlets.Dict().tag(sync=True)  #: of each control: what a key sets just now
    known = traitlets.List(traitlets.Unicode()).tag(sync=True)  #: the keys that ever mean something
    sliders = traitlets.Dict().tag(sync=True)  #: of each strip: the cells that are chosen
    unhover = traitlets.Unicode("{}").tag(sync=True)  #: what is set when the pointer leaves, as JSON
    drawn = traitlets.Int(0).tag(sync=True)  #: set last: all is there

    def show_panels(self, panels: dict[str, str], **others: Any) -> None:
        """Send the panels that are different, and other traits; then tell the front that all is there."""
        with self.hold_sync():
            for name, html in panels.items():
                setattr(self, f"html_{name}", html)
            for name, value in others.items():
                setattr(self, name, value)
            self.drawn += 1

    def text(self) -> str:
        """What the view shows, in words."""
        raise NotImplementedError

    def static_html(self) -> str:
        """What the view shows, as a picture for where there is no kernel."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        return {**data, "text/plain": self.text(), "text/html": self.static_html()}, metadata


def places(*names: str) -> str:
    """The places of panels, empty, one below the other."""
    return "".join(f'<div class="nk-{name}" data-panel="{name}"></div>' for name in names)


def in_places(frame: str, panels: dict[str, str]) -> str:
    """A picture: the style, and panels in their places."""
    for name, html in panels.items():
        frame = frame.replace(f'data-panel="{name}">', f'data-panel="{name}">{html}', 1)
    return f'<style>{explorer_style()}</style><div class="nk"><div class="nk-in">{frame}</div></div>'
