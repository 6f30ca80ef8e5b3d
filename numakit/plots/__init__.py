"""Pictures, drawn with matplotlib, each with a text that says the same to those who cannot see it."""

from numakit.plots.machine import draw_topology
from numakit.plots.matrix import draw_distances
from numakit.plots.pages import describe_pages, draw_pages
from numakit.plots.words import describe_topology

__all__ = ["describe_pages", "describe_topology", "draw_distances", "draw_pages", "draw_topology"]
