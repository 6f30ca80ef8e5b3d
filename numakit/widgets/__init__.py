"""Views of runs and machines. They hold no rule about pages: they go to a step and show what stands there.

``reading``       what the recorded steps of a run tell: attempts, walks, passes, who stands where
``changes``       what a step changed, in words
``sentences``     what a step does, in one sentence
``surroundings``  what stands around the pages of a step: lists, nodes, locks, the page cache
``scene``         all of that for one step, as data
``lanes``         who acts when, as runs of equal steps
``jumps``         where one can jump to from a step
``why``           why an entry or the call was answered as it was
``whatif``        who else could act at a step, and how they are let and taken back
``panels``        a scene as panels of HTML
``picture``       a scene as text, and as HTML that needs no script
``export``        a run as one page that can be stepped without a kernel
``stepper``       the widget; the only module here that needs anywidget
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
