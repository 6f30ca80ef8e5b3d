"""Pictures, drawn with matplotlib, each with a text that says the same to those who cannot see it.

draw_topology   describe_topology    the machine as a graph: machine.py, layout.py, node.py, legend.py; words.py
draw_distances  describe_distances   the distances as a heat map: matrix.py
draw_pages      describe_pages       the pages of a process as strips, now and before: pages.py
draw_locality    describe_locality    how local accesses are, for several policies: locality.py

draw_sweep       describe_sweep       a sweep of experiments as lines over one of its axes: sweep.py
draw_gains       describe_gains       how much each policy saves or costs, as a table in colours: sweep.py

save_slide(axes, path) saves any of them as large as fits on a slide: slide.py

theme.py has the colours of the light and of the dark theme.
"""

from numakit.plots.locality import describe_locality, draw_locality
from numakit.plots.machine import draw_topology
from numakit.plots.matrix import draw_distances
from numakit.plots.pages import describe_pages, draw_pages
from numakit.plots.slide import save_slide
from numakit.plots.sweep import describe_gains, describe_sweep, draw_gains, draw_sweep
from numakit.plots.words import describe_distances, describe_topology

__all__ = [
    "describe_distances",
    "describe_gains",
    "describe_locality",
    "describe_pages",
    "describe_sweep",
    "describe_topology",
    "draw_distances",
    "draw_gains",
    "draw_locality",
    "draw_pages",
    "draw_sweep",
    "draw_topology",
    "save_slide",
]
