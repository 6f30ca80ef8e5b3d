"""A scene as text, and as HTML with inline SVG that needs no kernel, no script and nothing from elsewhere.

The same scene gives the same bytes: nothing is drawn but what stands in it.
"""

from __future__ import annotations

from functools import cache
from html import escape
from importlib import resources

from numakit.tables import text_table
from numakit.widgets.changes import Told
from numakit.widgets.scene import EntryScene, Field, FrameScene, MomentRow, PteScene, Scene

MARKS = {"passed": "●", "current": "▶", "ahead": "○", "never": "–"}
STATES = {"passed": "passed", "current": "now", "ahead": "to come", "never": "not in this run"}


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
        _list_text("Returned", [scene.returned] if scene.returned else []),
        _list_text("Moments", [f"{MARKS[row.state]} {_row_text(row)}" for row in scene.rows]),
    ]
    return "\n".join(part for part in parts if part)


def headline(scene: Scene) -> str:
    """Which run, which step, which pass."""
    where = f"step {scene.position} of {scene.length}"
    return f"{scene.title}: {where}" + (f", pass {scene.pass_number}" if scene.pass_number is not None else "")


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


def _row_text(row: MomentRow) -> str:
    document = f"{row.moment.document} " if row.moment.document else ""
    return f"{document}{row.moment} ({row.moment.function})"


def _list_text(title: str, lines: list[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""


def _more(number: int) -> list[str]:
    return [f"... and {number} more"] if number else []


# -- HTML


def static_html(scene: Scene) -> str:
    """The whole picture: style, scene, and what the moments are for."""
    return f"<style>{style()}</style>{html(scene)}{moments_html(scene)}"


@cache
def style() -> str:
    """The style sheet of all scenes."""
    return resources.files("numakit.widgets").joinpath("style.css").read_text(encoding="utf-8")


def html(scene: Scene) -> str:
    """The scene without its style sheet."""
    below = f'<div class="nk-below">{_changes_html(scene)}{_tasks_html(scene)}</div>'
    main = _step_html(scene) + _entries_html(scene) + _stage_html(scene) + below
    return (
        f'<div class="numakit-scene"><div class="nk-columns"><h3 class="nk-head">{escape(headline(scene))}</h3>'
        f'<div class="nk-main">{main}</div>{_track_html(scene)}</div></div>'
    )


def moments_html(scene: Scene) -> str:
    """What each moment of this run is for, folded; the same at every step."""
    rows = "".join(
        f"<tr><th scope='row'>{escape(row.moment.document)}</th><td><code>{escape(row.moment.name)}</code></td>"
        f"<td><code>{escape(row.moment.function)}</code></td><td>{escape(row.moment.what)}</td>"
        f"<td>{escape(row.moment.why)}</td></tr>"
        for row in scene.rows
    )
    head = "".join(f"<th scope='col'>{name}</th>" for name in ("document", "moment", "function", "what", "why"))
    return (
        "<div class='numakit-scene'><details><summary>The moments of this run: what the kernel does there, and why"
        f"</summary><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></details></div>"
    )


def _track_html(scene: Scene) -> str:
    """The table of moments in the order of the code, the current one marked."""
    rows = "".join(_row_html(row) for row in scene.rows)
    return (
        '<div class="nk-panel nk-moments"><h4>Moments, with the document\'s numbers</h4>'
        f"<table><tbody>{rows}</tbody></table></div>"
    )


def _row_html(row: MomentRow) -> str:
    current = ' aria-current="step"' if row.state == "current" else ""
    return (
        f'<tr class="nk-{row.state}"{current}><th scope="row">{escape(row.moment.document.replace(", ", ","))}</th>'
        f'<td title="{STATES[row.state]}">{MARKS[row.state]} {escape(row.moment.name)}</td></tr>'
    )


def _step_html(scene: Scene) -> str:
    moment, about = scene.moment, ""
    if moment:
        document = f", document {moment.document}" if moment.document else ""
        about = f"<p>{escape(scene.who)} <code>{escape(moment.function)}{escape(document)}</code></p>"
    why = f"<p>{escape(_capital(moment.what))}. <b>Why:</b> {escape(moment.why)}.</p>" if moment else ""
    then = f"<p><b>Next:</b> {escape(scene.next)}.</p>" if scene.next else ""
    said = f'<p class="nk-say">{escape(scene.sentence)}</p>'
    return f'<div class="nk-panel nk-step" role="status">{about}{said}{why}{then}</div>'


def _capital(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


def _entries_html(scene: Scene) -> str:
    if not scene.entries and not scene.returned:
        return ""
    items = [_entry_html(entry) for entry in scene.entries]
    items += [f"<li>{escape(more)}</li>" for more in _more(scene.more_entries)]
    returned = f"<p>returned <b{_fail(scene.returned)}>{escape(scene.returned)}</b></p>" if scene.returned else ""
    return f'<div><h4>Answers so far</h4><ul class="nk-entries">{"".join(items)}</ul>{returned}</div>'


def _entry_html(entry: EntryScene) -> str:
    said = f"<b{_fail(entry.text)}>{escape(entry.text)}</b>"
    return f"<li>{escape(entry.name)} {f'<mark>{said}</mark>' if entry.changed else said}</li>"


def _fail(answer: str) -> str:
    return ' class="nk-fail"' if answer.startswith("-E") else ""


def _stage_html(scene: Scene) -> str:
    if not scene.old and not scene.ptes:
        return ""
    ptes = "".join(_pte_html(pte) for pte in scene.ptes) or "<p>none leads to it</p>"
    more = "".join(f"<p>{escape(more)}</p>" for more in _more(scene.more_ptes))
    return (
        f'<div class="nk-stage"><div>{_frame_html(scene.old, "no frame")}</div>'
        f'<div class="nk-ptes"><h4>PTEs</h4>{ptes}{more}</div><div>{_frame_html(scene.new, "no new frame")}</div></div>'
    )


def _frame_html(frame: FrameScene | None, nothing: str) -> str:
    if frame is None:
        return f'<div class="nk-frame nk-none">{nothing}</div>'
    rows = "".join(f'<tr><th scope="row">{field.name}</th><td>{_field_html(field)}</td></tr>' for field in frame.fields)
    name = f"{_capital(frame.role)} {frame.page}, node {frame.node}"
    return f'<div class="nk-frame"><h4>{name}</h4><table><tbody>{rows}</tbody></table></div>'


def _field_html(field: Field) -> str:
    if not field.changed:
        return escape(field.value)
    was = f"<del>{escape(field.before)}</del> → " if field.before else ""
    return f"<mark>{was}{escape(field.value)}</mark>"


def _pte_html(pte: PteScene) -> str:
    look = {"none": " nk-nothing", "migration entry": " nk-migration"}.get(pte.kind, "")
    said = escape(pte.text)
    if pte.changed:
        said = f"<mark><del>{escape(pte.before)}</del> → {said}</mark>"
    return (
        f'<div class="nk-pte{look}"><b>PTE of {escape(pte.process)}</b> <code>{pte.address:#x}</code><br>{said}'
        f"{_arrow(pte)}</div>"
    )


def _arrow(pte: PteScene) -> str:
    """Where a PTE leads: an arrow to the left (old frame) or right (new frame); a migration entry's ends at a bar."""
    if pte.leads_to not in ("old", "new"):
        return ""
    blocked = pte.kind == "migration entry"
    dash = ' stroke-dasharray="5 4"' if blocked else ""
    end = '<path d="M6 2v12" stroke-width="3"/>' if blocked else '<path d="M12 3 5 8l7 5"/>'
    to_new = pte.leads_to == "new"
    turn, side = (' transform="matrix(-1 0 0 1 200 0)"', "xMaxYMid") if to_new else ("", "xMinYMid")
    way = f"leads to the {pte.leads_to} frame" + (", but whoever comes has to wait" if blocked else "")
    return (
        f'<svg viewBox="0 0 200 16" width="200" height="16" preserveAspectRatio="{side}" role="img" '
        f'aria-label="{way}" fill="none" stroke="currentColor" stroke-width="2">'
        f'<g{turn}><path d="M6 8h188"{dash}/>{end}</g></svg>'
    )


def _changes_html(scene: Scene) -> str:
    items = "".join(f"<li>{_change_html(change)}</li>" for change in scene.changes) or "<li>nothing</li>"
    return f'<div class="nk-panel nk-changes"><h4>What this step changed</h4><ul>{items}</ul></div>'


def _change_html(change: Told) -> str:
    return f"{escape(change.where)} <mark><del>{escape(change.before)}</del> → {escape(change.after)}</mark>"


def _tasks_html(scene: Scene) -> str:
    items = "".join(f"<li><b>{escape(task.name)}</b>: {escape(task.text)}</li>" for task in scene.tasks)
    return f'<div class="nk-panel"><h4>Who stands where</h4><ul>{items}</ul></div>'
