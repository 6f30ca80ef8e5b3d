"""A scene as text, and as HTML with inline SVG that needs no kernel, no script and nothing from elsewhere.

The same scene gives the same bytes: nothing is drawn but what stands in it.
"""

from __future__ import annotations

from html import escape

from numakit.tables import text_table
from numakit.widgets import panels
from numakit.widgets.panels import headline
from numakit.widgets.reading import Reading
from numakit.widgets.scene import Field, MomentRow, PteScene, Scene
from numakit.widgets.surroundings import ListScene, LockScene

MARKS = {"passed": "●", "current": "▶", "ahead": "○", "never": "–"}


# -- text


def text(scene: Scene) -> str:
    """The scene for a terminal, a screen reader, and wherever HTML is not shown."""
    parts = [
        headline(scene),
        scene.sentence,
        *([_moment_text(scene)] if scene.moment else []),
        *([f"Next: {scene.next}."] if scene.next else []),
        _frames_text(scene),
        _list_text("PTEs", [_pte_text(pte) for pte in scene.ptes] + _more(scene.more_ptes)),
        _list_text("Changed", [str(change) for change in scene.changes] or ["nothing"]),
        _list_text("Who", [f"{task.name}: {task.text}" for task in scene.tasks]),
        _list_text("Entries", [f"{entry.name}: {entry.text}" for entry in scene.entries] + _more(scene.more_entries)),
        _list_text("Answers", [scene.summary] if scene.more_entries else []),
        _list_text("Locks", [_lock_text(lock) for lock in scene.locks if lock.owners or lock.waiters]),
        _list_text("Lists", [_pages_text(pages) for pages in scene.lists]),
        _list_text("Nodes", [f"node {n.node}: {n.used} of {n.frames} frames in use" for n in scene.nodes]),
        _list_text("Returned", [scene.returned] if scene.returned else []),
        _list_text("Moments", [f"{MARKS[row.state]} {_row_text(row)}" for row in scene.rows]),
    ]
    return "\n".join(part for part in parts if part)


def _moment_text(scene: Scene) -> str:
    moment = scene.moment
    assert moment is not None
    document = f", document {moment.document}" if moment.document else ""
    return f"{scene.who}, {moment.function}{document}: {moment.what}. Why: {moment.why}."


def _frames_text(scene: Scene) -> str:
    frames = [frame for frame in (scene.old, scene.new) if frame]
    if not frames:
        return ""
    head = ("", *(f"{frame.role} {frame.page}, node {frame.node}" for frame in frames))
    rows = [
        (fields[0].name, *(_field_text(field) for field in fields))
        for fields in zip(*(frame.fields for frame in frames), strict=True)
    ]
    return text_table(head, rows)


def _field_text(field: Field) -> str:
    return f"{field.before} → {field.value}" if field.before else field.value


def _pte_text(pte: PteScene) -> str:
    was = f" (before: {pte.before})" if pte.changed else ""
    return f"{pte.process} {pte.address:#x}: {pte.text}{was}"


def _lock_text(lock: LockScene) -> str:
    waiting = f"; waiting: {', '.join(lock.waiters)}" if lock.waiters else ""
    return f"{lock.name}: {' and '.join(lock.owners) or 'free'}{waiting}"


def _pages_text(pages: ListScene) -> str:
    more = f", and {pages.size - len(pages.pages)} more" if pages.size > len(pages.pages) else ""
    return f"{pages.name}: {', '.join(map(str, pages.pages)) or 'empty'}{more}"


def _row_text(row: MomentRow) -> str:
    document = f"{row.moment.document} " if row.moment.document else ""
    return f"{document}{row.moment} ({row.moment.function})"


def _list_text(title: str, lines: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""


def _more(number: int) -> list[str]:
    return [f"... and {number} more"] if number else []


# -- HTML


def static_html(scene: Scene, reading: Reading, why: str = "") -> str:
    """The whole picture: style, scene, and what the moments are for. ``why``: what is told of the answers."""
    shown = panels.panels(scene, reading)
    inside = panels.without_buttons(panels.picture(shown, panels.playhead(scene)))
    view = f'<div class="nk"><div class="nk-in nk-plain">{inside}{why}{moments_html(scene)}</div></div>'
    return f"<style>{panels.style()}</style>{view}"


def moments_html(scene: Scene) -> str:
    """What each moment of this run is for, folded; the same at every step."""
    rows = "".join(
        f"<tr><td>{escape(row.moment.document)}</td><th scope='row'><code>{escape(row.moment.name)}</code></th>"
        f"<td><code>{escape(row.moment.function)}</code></td><td>{escape(row.moment.what)}</td>"
        f"<td>{escape(row.moment.why)}</td></tr>"
        for row in scene.rows
    )
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("document", "moment", "function", "what", "why"))
    return (
        "<details class='nk-more'><summary>The moments of this run: what the kernel does there, and why</summary>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details>"
    )
