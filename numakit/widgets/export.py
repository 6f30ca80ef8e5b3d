"""One page that needs nothing else, in which a recorded run can be stepped both ways.

The page carries the panels of every step. They are cut into pieces where rows and items end, and each piece stands in
the page once: a step is a list of numbers, and most pieces are shared by its neighbours.
"""

from __future__ import annotations

import json
import re
from html import escape
from os import PathLike
from pathlib import Path
from string import Template
from typing import Any

from numakit.facade.run import Run
from numakit.widgets.jumps import jumps
from numakit.widgets.panels import panels, picture, script, style
from numakit.widgets.reading import Reading
from numakit.widgets.scene import scene
from numakit.widgets.why import whys

HERE = Path(__file__).parent
NAMES = (
    "head", "lanes", "track", "now", "entries", "old", "ptes",
    "new", "changes", "tasks", "locks", "lists", "nodes", "log",
)  # fmt: skip
FRAME = picture(dict.fromkeys(NAMES, ""))  #: the places of the panels, empty
LONGEST = 5_000  #: steps that a page may have
CUT = re.compile(r"(?<=</li>)|(?<=</tr>)|(?<=</p>)|(?<=</div>)|(?<=</button>)")


def to_html(run: Run[Any], path: str | PathLike[str]) -> None:
    """Write the page. The run stands afterwards where it stood, and that is the step with which the page begins.

    Raises RuntimeError for a run that was not recorded, and ValueError for one of more than :data:`LONGEST` steps.
    """
    if len(run) > LONGEST:
        raise ValueError(f"run: {len(run)} steps; a page holds at most {LONGEST}")
    stood = run.position
    page = _page(run, stood)
    run.goto(stood)
    Path(path).write_text(page, encoding="utf-8")


def _page(run: Run[Any], stood: int) -> str:
    reading = Reading(run)
    pieces: dict[str, int] = {}
    steps = [_step(run, reading, step, pieces) for step in range(len(run) + 1)]
    told = {
        str(entry): {"step": why.position, "before": why.html(-1), "after": why.html(len(run) + 1)}
        for entry, why in whys(run, reading).items()
    }
    data = {"frame": FRAME, "position": stood, "steps": steps, "why": told, "pieces": list(pieces)}
    title = scene(run, stood, reading).title
    page = Template(HERE.joinpath("page.html").read_text(encoding="utf-8"))
    return page.substitute(title=escape(title), style=style(), data=_embedded(data), script=script("stepper.js"))


def _step(run: Run[Any], reading: Reading, step: int, pieces: dict[str, int]) -> dict[str, Any]:
    shown = panels(scene(run, step, reading), reading)
    turn = reading.turns[step - 1] if step else None
    return {
        "panels": {
            name: [pieces.setdefault(piece, len(pieces)) for piece in CUT.split(html)] for name, html in shown.items()
        },
        "jumps": jumps(reading, step),
        "moment": turn.moment.name if turn else None,
        "page": turn.about if turn and turn.moment.subject == "page" else None,
    }


def _embedded(data: Any) -> str:
    """JSON that cannot end the element that it stands in."""
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
