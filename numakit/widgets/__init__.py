"""Views of runs and machines. They hold no rule about pages: they go to a step and show what stands there.

``reading``    what the recorded steps of a run tell: attempts, passes, who stands where
``changes``    what a step changed, in words
``sentences``  what a step does, in one sentence
``scene``      all of that for one step, as data
``picture``    a scene as text and as HTML with SVG
``stepper``    the widget; the only module here that needs ipywidgets
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numakit.widgets.stepper import Stepper

__all__ = ["Stepper"]


def __getattr__(name: str) -> Any:
    """``Stepper``, imported when it is asked for: scenes are wanted where there is no ipywidgets, too."""
    if name == "Stepper":
        from numakit.widgets.stepper import Stepper

        return Stepper
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
