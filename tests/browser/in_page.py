"""A widget of this process in a page without a notebook: its module, and a model that asks the widget itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

#: What anywidget hands to a module: traits that are read from the last state, and sent back when they are saved.
MODEL = """
export function modelOf(state) {
    const ears = [], dirty = {};
    const model = {
        get: name => state[name],
        set: (name, value) => { state[name] = value; dirty[name] = value; },
        async save_changes() {
            const sent = { ...dirty };
            for (const name of Object.keys(dirty)) delete dirty[name];
            const fresh = await window.ask(sent);
            const text = value => JSON.stringify(value);
            const changed = Object.keys(fresh).filter(name => text(fresh[name]) !== text(state[name]));
            Object.assign(state, fresh);
            for (const [event, ear] of [...ears]) if (changed.some(name => event === `change:${name}`)) ear();
        },
        on: (event, ear) => ears.push([event, ear]),
        off: (event, ear) => { ears.splice(ears.findIndex(([e, f]) => e === event && f === ear) >>> 0, 1); },
    };
    return model;
}
"""
PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>View</title><style>%s</style>'
    '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
    "<style>:root { color-scheme: light dark; } body { margin: 8px; background: light-dark(#fff, #12161b); }"
    "</style></head>"
    '<body><main><h1 style="font-size:1em">View</h1><div id="view"></div></main></body></html>'
)


def _sent(widget: Any) -> dict[str, Any]:
    """The state that a front gets, without what anywidget itself needs."""
    return {name: value for name, value in widget.get_state().items() if not name.startswith("_") and name != "layout"}


def open_in_page(open_page: Any, widget: Any, folder: Path, **look: Any) -> Any:
    """A page that shows the widget; what the page sets, the widget gets, and answers."""
    path = folder / f"view-{id(widget)}.html"
    path.write_text(PAGE % widget._css, encoding="utf-8")
    page = open_page(path.as_uri(), **look)

    def ask(traits: dict[str, Any]) -> dict[str, Any]:
        widget.set_state(traits)
        return _sent(widget)

    page.expose_function("ask", ask)
    page.goto(path.as_uri())
    page.add_script_tag(
        content=f"{widget._esm}\n{MODEL}\nwindow.modelOf = modelOf; window.mountView = mount;", type="module"
    )
    page.wait_for_function("() => window.mountView && window.modelOf")
    page.evaluate(
        "state => { window.model = modelOf(state); mountView(document.getElementById('view'), model); }", _sent(widget)
    )
    return page
