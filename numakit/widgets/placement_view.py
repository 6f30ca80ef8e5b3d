"""The PlacementView: where the pages of a process are, and were before a call, as strips of cells.

However many pages there are, a strip has at most 600 cells; what a few cells hold is looked at more closely by choosing
them and pressing Enter, down to single pages. It decides nothing about pages: :mod:`snapshot` reads them.
"""

from __future__ import annotations

import json
from html import escape
from typing import Any

import traitlets

from numakit.facade.machine import Machine
from numakit.facade.process import Process
from numakit.facade.run import Run
from numakit.facade.vma import Vma
from numakit.widgets import strips as drawing
from numakit.widgets.explorer import Explorer, in_places, places
from numakit.widgets.snapshot import Placement, Strip, pages_text, placement, side_by_side
from numakit.widgets.strips import MOST_CELLS, Window, windows

CLOSER = -1  #: the number of the strip in which some pages are looked at more closely
FRAME = places("head", "legend", "areas", "chosen", "closer", "sums")
MOVES = ("ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown", "PageUp", "PageDown", "Home", "End")
KEYS = [*MOVES, *(f"Shift+{key}" for key in MOVES), "Enter", " ", "Escape", "Backspace"]
HOW = (
    "Choose cells: click and drag, or Tab to a strip and use ← →, with Shift for more of them. "
    "Enter looks closer, Esc goes back out."
)


def _html() -> Any:
    return traitlets.Unicode("").tag(sync=True)


class PlacementView(Explorer):
    """Where pages are: ``PlacementView(shell)`` shows a process now; so it does with an area, or with a machine for all
    processes.

    ``before = placement(shell)``, a call, ``PlacementView(shell, before=before)`` shows both. ``PlacementView(run)``
    shows the beginning and the end of a recorded run, and leaves the machine where it stands. ``after`` is a placement
    that was taken earlier, in place of what is now. Raises TypeError for something else, ValueError for a placement of
    another machine, RuntimeError for a run that was not recorded.
    """

    chosen = traitlets.List(traitlets.Int()).tag(sync=True)  #: [strip, a cell, another cell]: all between them
    zoom = traitlets.List(traitlets.List(traitlets.Int())).tag(sync=True)  #: [strip, first page, pages] each
    html_head, html_legend, html_areas = _html(), _html(), _html()
    html_chosen, html_closer, html_sums = _html(), _html(), _html()

    def __init__(
        self,
        what: Process | Vma | Machine | Run[Any] | Placement | None = None,
        *,
        before: Placement | None = None,
        after: Placement | None = None,
    ) -> None:
        if isinstance(what, Run):
            if before is not None or after is not None:
                raise ValueError("before, after: a run has both; none is wanted beside it")
            before, after = _ends_of(what)
        elif isinstance(what, Placement):
            after = what
        elif what is None and after is None:
            raise TypeError("what=None: a process, an area, a machine, a run, or after=placement(...) is wanted")
        for argument, value in (("before", before), ("after", after)):
            if not isinstance(value, Placement | None):
                raise TypeError(f"{argument}={value!r}: a placement is wanted: placement(process), taken at that time")
        self._live = what if isinstance(what, Process | Vma | Machine) and after is None else None
        self.before = before
        self.after = placement(what) if after is None else after  # type: ignore[arg-type]
        super().__init__(label="Placement of pages", frame=FRAME, known=KEYS)
        self._lay_out()
        self._draw()

    def update(self) -> None:
        """Look again where the pages are now. Raises RuntimeError for a view of what is not now."""
        if self._live is None:
            raise RuntimeError("this view shows placements that were taken; it has no now")
        self.after = placement(self._live)
        self._lay_out()
        self._set(chosen=[], zoom=[])
        self._draw()

    def _lay_out(self) -> None:
        """What no key changes, and what costs most where there are a million pages."""
        self._strips = side_by_side(self.before, self.after)
        self._still = self._still_panels(interactive=True)

    # -- what was chosen

    @property
    def strips(self) -> list[Strip]:
        """The areas that there are, before and now."""
        return self._strips

    @property
    def closer(self) -> Window | None:
        """The pages that are looked at more closely."""
        path = self._path(self.zoom)
        return Window(path[-1][0], path[-1][1], sum(path[-1][1:]), MOST_CELLS) if path else None

    @property
    def chosen_pages(self) -> tuple[int, int, int] | None:
        """What is chosen, as (strip, first page, number of pages); None where nothing is."""
        window = self._window(self.chosen[0]) if self.chosen else None
        if window is None:
            return None
        first, end = window.pages_of((self.chosen[1], self.chosen[2]))
        return window.number, first, end - first

    def look_closer(self) -> None:
        """Show the chosen pages in a strip of their own."""
        if deeper := self._deeper():
            self._set(**deeper)

    def back_out(self) -> None:
        """The opposite."""
        self._set(**self._wider())

    def _set(self, **values: Any) -> None:
        with self.hold_trait_notifications():
            for name, value in values.items():
                setattr(self, name, value)

    def _window(self, number: int) -> Window | None:
        """A strip that is shown, by its number."""
        if number == CLOSER:
            return self.closer
        shown = windows(self._strips)
        return shown[number] if 0 <= number < len(shown) else None

    def _deeper(self) -> dict[str, Any]:
        """What makes the chosen pages the ones that are looked at closely; nothing where they are already."""
        pages = self.chosen_pages
        if pages is None or (self.zoom and list(pages) == self.zoom[-1]):
            return {}
        inside = self.chosen[0] == CLOSER
        return {"zoom": [*(self.zoom if inside else []), list(pages)], "chosen": [CLOSER, 0, 0]}

    def _wider(self) -> dict[str, Any]:
        """What goes one level back; with nothing looked at closely it lets go of what is chosen."""
        return {"zoom": self.zoom[:-1], "chosen": [CLOSER, 0, 0] if len(self.zoom) > 1 else []}

    # -- the front

    @traitlets.validate("zoom")
    def _zoom_within(self, proposal: Any) -> list[list[int]]:
        return self._path(proposal["value"])

    def _path(self, zoom: list[list[int]]) -> list[list[int]]:
        """Whatever cannot be shown is left out: a front may ask for what is no more there."""
        path: list[list[int]] = []
        for step in zoom:
            if len(step) != 3 or not 0 <= step[0] < len(windows(self._strips)):
                break
            number, pages = step[0], self._strips[step[0]].area.pages
            first = max(0, min(step[1], pages - 1))
            path.append([number, first, max(1, min(step[2], pages - first))])
        return path

    @traitlets.validate("chosen")
    def _chosen_within(self, proposal: Any) -> list[int]:
        value = list(proposal["value"])
        window = self._window(value[0]) if len(value) == 3 else None
        if window is None:
            return []
        return [value[0], *(max(0, min(cell, len(window) - 1)) for cell in value[1:])]

    @traitlets.observe("chosen", "zoom")
    def _moved(self, _: Any) -> None:
        if self.drawn:
            self._draw()

    def _draw(self) -> None:
        shown = [(str(window.number), window) for window in windows(self._strips)]
        shown += [(str(CLOSER), self.closer)] if self.closer else []
        self.show_panels(
            self._still | self._moving_panels(interactive=True),
            sliders={name: self._slider(int(name), window) for name, window in shown},
            wishes={name: self._keys_of(int(name), window) for name, window in shown},
        )

    def _slider(self, number: int, window: Window) -> dict[str, Any]:
        mine = len(self.chosen) == 3 and self.chosen[0] == number
        cells = sorted(self.chosen[1:]) if mine else [-1, -1]
        at = self.chosen[2] if mine else 0
        first, end = window.pages_of((cells[0], cells[1]) if mine else (0, 0))
        told = drawing.sentence(self.after, self._strips[window.number], first, end)
        return {"first": cells[0], "last": cells[1], "at": at, "text": f"{drawing.page_range(first, end)}: {told}"}

    def _keys_of(self, number: int, window: Window) -> dict[str, dict[str, Any]]:
        """What each key sets when this strip has the focus."""
        mine = len(self.chosen) == 3 and self.chosen[0] == number
        anchor, at, last = (self.chosen[1], self.chosen[2], len(window) - 1) if mine else (0, -1, len(window) - 1)
        page = max(1, len(window) // 10)
        to = {
            "ArrowRight": at + 1, "ArrowUp": at + 1, "ArrowLeft": at - 1, "ArrowDown": at - 1,
            "PageUp": at + page, "PageDown": at - page, "Home": 0, "End": last,
        }  # fmt: skip
        within = {key: max(0, min(cell, last)) for key, cell in to.items()}
        keys: dict[str, dict[str, Any]] = {key: {"chosen": [number, cell, cell]} for key, cell in within.items()}
        keys |= {f"Shift+{key}": {"chosen": [number, anchor, cell]} for key, cell in within.items()}
        keys |= {key: wish for key in ("Enter", " ") if mine and (wish := self._deeper())}
        return keys | {key: self._wider() for key in ("Escape", "Backspace") if self.zoom or self.chosen}

    # -- panels

    @property
    def title(self) -> str:
        """Whose pages, and how many."""
        number = pages_text(sum(strip.area.pages for strip in self._strips))
        title = f"Pages of {self.after.title}"
        return title if number in title else f"{title}: {number}"

    def _still_panels(self, interactive: bool) -> dict[str, str]:
        areas = "".join(
            drawing.strip_html(self.after, strip, window, str(window.number), interactive)
            for strip, window in zip(self._strips, windows(self._strips), strict=False)
        )
        more = drawing.more_text(self._strips)
        return {
            "head": f'<div role="heading" aria-level="2">{escape(self.title)}</div>',
            "legend": drawing.legend_html(self.after, self._strips),
            "areas": areas + (f"<p>{escape(more)}</p>" if more else ""),
            "sums": drawing.table_html(self.after, self._strips),
        }

    def _moving_panels(self, interactive: bool) -> dict[str, str]:
        closer, html = self.closer, ""
        if closer:
            html = drawing.strip_html(self.after, self._strips[closer.number], closer, str(CLOSER), interactive)
        return {"chosen": self._chosen_html() if interactive else "", "closer": html}

    def _chosen_html(self) -> str:
        """What is chosen, in words, and what can be done with it."""
        pages = self.chosen_pages
        told = f"<p>{HOW}</p>"
        if pages is not None:
            number, first, count = pages
            strip = self._strips[number]
            where = f"{drawing.page_range(first, first + count)} ({drawing.address_range(strip, first, first + count)})"
            told = f"<p><b>{escape(where)}</b> {escape(drawing.sentence(self.after, strip, first, first + count))}</p>"
        return f'<div role="status">{told}</div><div class="nk-row">' + (
            _button("Look closer", self._deeper(), "There is nothing chosen that is not shown closely already.")
            + _button("Back out", self._wider() if self.zoom or self.chosen else {}, "Nothing is looked at closely.")
            + "</div>"
        )

    # -- where there is no kernel

    def text(self) -> str:
        """What the view shows, in words."""
        return drawing.text(self.title, self.after, self._strips, self.closer)

    def static_html(self) -> str:
        """What the view shows, as a picture for where there is no kernel."""
        return in_places(FRAME, self._still_panels(interactive=False) | self._moving_panels(interactive=False))

    def __repr__(self) -> str:
        return f"<PlacementView: {self.title}>"


def _button(name: str, wish: dict[str, Any], why_not: str) -> str:
    if not wish:
        return f'<button type="button" aria-disabled="true" title="{why_not}">{name}</button>'
    return f"""<button type="button" data-set='{json.dumps(wish)}'>{name}</button>"""


def _ends_of(run: Run[Any]) -> tuple[Placement, Placement]:
    """Where all pages were at the beginning and at the end of a run; the machine stands afterwards where it stood."""
    machine, at, shown = run.machine, run.machine.cursor, run.machine.run
    stood = run.position
    before = placement(run.goto(0).machine)
    after = placement(run.goto(len(run)).machine)
    run.goto(stood)
    machine.goto(at)
    machine.run = shown
    return before, after
