"""The TopologyView: the picture of a machine in which one node at a time tells how far it is to all others."""

from __future__ import annotations

from html import escape
from typing import Any

import traitlets

from numakit.facade.machine import Machine
from numakit.topology import Topology, TopologyError
from numakit.topology.idlists import format_list
from numakit.topology.show import summary
from numakit.widgets import machine_map
from numakit.widgets.explorer import Explorer, in_places, places
from numakit.widgets.machine_map import DIRECTIONS, Map, map_of, neighbours

NONE = -1  #: in place of a node
FRAME = f'{places("head")}<div class="nk-around">{places("map", "about")}</div>{places("legend", "notes", "all")}'
KEYS = [*DIRECTIONS, "PageDown", "PageUp", "Home", "End", "Enter", " ", "Escape"]
HOW = (
    "Point at a node, or Tab to the picture and use the arrow keys: its distances are told here. "
    "Enter or a click keeps a node, Esc lets go."
)


def _html() -> Any:
    return traitlets.Unicode("").tag(sync=True)


class TopologyView(Explorer):
    """A machine as a picture: ``TopologyView(Topology.preset("ring4"))``; with a ``Machine``, how full each node is.

    ``selected`` is the node whose distances are shown, -1 for none; ``view.select(2)`` does what a click does. Raises
    TypeError for something else than a topology or a machine.
    """

    selected = traitlets.Int(NONE).tag(sync=True)  #: the node that is kept
    hovered = traitlets.Int(NONE).tag(sync=True)  #: the node that is pointed at
    html_head, html_map, html_about = _html(), _html(), _html()
    html_legend, html_notes, html_all = _html(), _html(), _html()

    def __init__(self, what: Topology | Machine) -> None:
        if not isinstance(what, Topology | Machine):
            raise TypeError(f"what={what!r}: a Topology or a Machine is wanted")
        self._machine = what if isinstance(what, Machine) else None
        self.topology: Topology = what.topology if isinstance(what, Machine) else what
        self._look()
        super().__init__(label="Topology", frame=FRAME, known=KEYS, unhover=f'{{"hovered": {NONE}}}')
        self._draw()

    @property
    def shown(self) -> int | None:
        """The node whose distances are shown: the one that is pointed at, else the one that is kept."""
        return next((node for node in (self.hovered, self.selected) if node != NONE), None)

    def select(self, node: int | None) -> None:
        """Keep a node, or none. Raises TopologyError for one that is not online."""
        if node is not None and node not in self.topology.online:
            raise TopologyError(f"node={node!r}: online nodes are {format_list(self.topology.nodes)}")
        self.selected = NONE if node is None else node

    def update(self) -> None:
        """Look again how full the nodes are."""
        self._look()
        self._draw()

    def _look(self) -> None:
        """What no key changes."""
        self._map: Map = map_of(self.topology, self._machine)
        self._still = self._still_panels()

    # -- the front

    @traitlets.validate("selected", "hovered")
    def _online(self, proposal: Any) -> int:
        node = int(proposal["value"])
        return node if node in self.topology.online else NONE

    @traitlets.observe("selected", "hovered")
    def _moved(self, _: Any) -> None:
        if self.drawn:
            self._draw()

    def _draw(self) -> None:
        at = self.topology.nodes[0] if self.selected == NONE else self.selected
        turns = neighbours(self._map, at)
        here = {"selected": at}
        keys: dict[str, Any] = {key: {"selected": node} for key, node in turns.items()}
        if self.selected == NONE:
            keys = dict.fromkeys(turns, here)
        keys |= {"Enter": here, " ": here, "Escape": {"selected": NONE, "hovered": NONE}}
        self.show_panels(self._still | self._moving_panels(interactive=True), wishes={"map": keys})

    def _still_panels(self) -> dict[str, str]:
        notes = "".join(f"<p>{escape(note)}</p>" for note in machine_map.notes(self.topology))
        return {
            "head": f'<div role="heading" aria-level="2">{escape(self.title)}</div>',
            "legend": machine_map.key_html(self._map),
            "notes": notes,
            "all": machine_map.table_html(self._map),
        }

    def _moving_panels(self, interactive: bool) -> dict[str, str]:
        kept = None if self.selected == NONE else self.selected
        return {
            "map": machine_map.picture(self._map, self.shown, kept, interactive),
            "about": self._about(interactive),
        }

    def _about(self, interactive: bool) -> str:
        if self.shown is None:
            return f'<div role="status"><p>{HOW}</p></div>' if interactive else ""
        first, *others = [line for line in machine_map.about(self._map, self.shown) if line]
        told = "".join(f"<li>{escape(line)}</li>" for line in others)
        return f'<div role="status"><p><b>{escape(first)}</b></p><ul>{told}</ul></div>'

    @property
    def title(self) -> str:
        """The machine's name and size."""
        return f"{self.topology.name}: {summary(self.topology)}"

    # -- where there is no kernel

    def text(self) -> str:
        """What the view shows, in words."""
        return machine_map.text(self.title, self._map, self.shown)

    def static_html(self) -> str:
        """What the view shows, as a picture for where there is no kernel."""
        return in_places(FRAME, self._still | self._moving_panels(interactive=False))

    def __repr__(self) -> str:
        return f"<TopologyView: {self.title}>"
