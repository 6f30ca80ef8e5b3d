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
``stepper``       the widget of a run
``snapshot``      where pages are at one time, read with numpy
``strips``        placements as strips of cells
``placement_view``  the widget of placements
``machine_map``   a machine as a picture of nodes and distances
``topology_view``  the widget of a machine
``explorer``      what these two have in common
``form``          a form above a Stepper: html written in Python, controls that tell what is done with them
``calltext``      a call of move_pages() as the Python that makes it
``gallery``       the widget in which every answer of move_pages() is predicted, seen and explained
``builder``       the widget in which a call is put together and made

Only ``stepper``, ``explorer``, ``form``, ``gallery`` and ``builder`` need ipywidgets and anywidget; ``drawing.js`` is
how all fronts draw.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numakit.widgets.builder import CallBuilder
    from numakit.widgets.gallery import StatusGallery
    from numakit.widgets.placement_view import PlacementView
    from numakit.widgets.snapshot import Placement, placement
    from numakit.widgets.stepper import Stepper
    from numakit.widgets.topology_view import TopologyView

__all__ = ["CallBuilder", "Placement", "PlacementView", "StatusGallery", "Stepper", "TopologyView", "placement"]

#: Where the public names are defined.
HOMES = {
    "CallBuilder": "builder",
    "Placement": "snapshot",
    "PlacementView": "placement_view",
    "StatusGallery": "gallery",
    "Stepper": "stepper",
    "TopologyView": "topology_view",
    "placement": "snapshot",
}


def __getattr__(name: str) -> Any:
    """The public names, imported when they are asked for: scenes are wanted where there is no ipywidgets, too."""
    if name in HOMES:
        return getattr(import_module(f"numakit.widgets.{HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
