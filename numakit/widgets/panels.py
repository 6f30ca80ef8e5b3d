"""A scene as panels of HTML, each redrawn only where it differs: the widget, the page and the static picture are these.

Buttons carry what they ask for in ``data-`` attributes: ``data-goto`` a step, ``data-moment`` the next time of a
moment, ``data-break`` a break, ``data-why`` an entry. Where there is no script, :func:`without_buttons` takes them off.
Headings are no ``h2``: a notebook would take them for chapters of its own, number them and list them in its contents.
"""

from __future__ import annotations

import re
from functools import cache
from html import escape
from importlib import resources
from weakref import WeakKeyDictionary

from numakit.widgets.changes import Told
from numakit.widgets.lanes import FOLD_FROM, Lane, lanes, passes
from numakit.widgets.reading import Reading, Walk
from numakit.widgets.scene import (
    EntryScene,
    Field,
    FrameScene,
    HolderScene,
    MomentRow,
    PteScene,
    Scene,
    TaskScene,
)
from numakit.widgets.surroundings import ListScene, LockScene, NodeScene, SlotScene

SIGNS = "●▲◆■"  #: a task's sign, beside its colour
SHOWN_WALKS = 2  #: walks before and after the present one in the log
LOGGED_STEPS = 4  #: steps at either end of an opened walk, and around the present one
PASSES = 10
FORCED = 3  #: passes from this one on wait for what is busy


def panels(scene: Scene, reading: Reading) -> dict[str, str]:
    """All panels of a step, by name."""
    return {
        "head": _head(scene),
        "lanes": lanes_html(reading),
        "track": _track(scene),
        "now": _now(scene),
        "entries": _entries(scene),
        "old": _frame(scene.old, "Old frame"),
        "ptes": _ptes(scene),
        "new": _frame(scene.new, "New frame"),
        "changes": _changes(scene),
        "tasks": _tasks(scene),
        "locks": _locks(scene),
        "lists": "".join(map(_list, scene.lists)),
        "nodes": "".join(map(_node, scene.nodes)),
        "log": _log(reading, scene.position),
    }


def headline(scene: Scene) -> str:
    """Which run, which step, which pass."""
    where = f"step {scene.position} of {scene.length}"
    return f"{scene.title}: {where}" + (f", pass {scene.pass_number}" if scene.pass_number is not None else "")


def picture(shown: dict[str, str], marked: str = "") -> str:
    """The panels in their places. ``marked``: what else lies over the lanes."""

    def panel(name: str, kind: str = "div", more: str = "") -> str:
        return f'<{kind} class="nk-{name}" data-panel="{name}"{more}>{shown[name]}</{kind}>'

    def boxed(name: str, title: str, scrolls: bool = False) -> str:
        more = _scrolls(title) if scrolls else ""
        return f'<section class="nk-box"><div role="heading" aria-level="3">{title}</div>{panel(name, more=more)}</section>'

    stage = f'<div class="nk-stage">{panel("old")}{panel("ptes", more=_scrolls("PTEs"))}{panel("new")}</div>'
    below = (
        boxed("changes", "What this step changed", True)
        + boxed("tasks", "Who stands where", True)
        + boxed("locks", "Locks", True)
        + boxed("log", "Steps around this one", True)
    )
    low = f'<div class="nk-low">{panel("lists")}{panel("nodes")}</div>'
    boxes = f'<div class="nk-below">{below}</div>'
    right = (
        f'<div class="nk-right">{panel("now")}<div class="nk-answers">{panel("entries")}</div>{stage}{boxes}{low}</div>'
    )
    return (
        f'{panel("head")}<div class="nk-controls"></div><div class="nk-time">{panel("lanes")}{marked}</div>'
        f'<div class="nk-main">{panel("track")}{right}</div>'
    )


@cache
def style() -> str:
    """The style sheet of all views."""
    return resources.files("numakit.widgets").joinpath("style.css").read_text(encoding="utf-8")


@cache
def script(front: str) -> str:
    """The module of a front: how all of them draw, then its own file."""
    files = resources.files("numakit.widgets")
    return "\n".join(files.joinpath(name).read_text(encoding="utf-8") for name in ("drawing.js", front))


def _scrolls(name: str) -> str:
    """What a box needs that scrolls, so that keys reach it. It is no landmark: a page of several views has many of them."""
    return f' tabindex="0" role="group" aria-label="{name}"'


def without_buttons(html: str) -> str:
    """The same with the buttons as plain text and without what they promise, for where nothing listens or scrolls."""
    promises = r'<span class="nk-sr">break at \w+</span>|<small>a click tells why</small>|' + _scrolls('[^"]*')
    plain = re.sub(promises, "", html)
    return re.sub(r'<(/?)button( type="button")?', r"<\1span", plain)


def prose(text: str) -> str:
    """A text as html; the name of an error is not broken after its minus."""
    return re.sub(r"-E[A-Z0-9]+", r"<span class='nk-whole'>\g<0></span>", escape(text))


def _capital(clause: str) -> str:
    return clause[:1].upper() + clause[1:]


# -- head, lanes


def _head(scene: Scene) -> str:
    return f"<div role='heading' aria-level='2'>{escape(headline(scene))}</div>"


#: The lanes as they were drawn last, and what they were drawn from: a step leaves them as they are.
_DRAWN: WeakKeyDictionary[Reading, tuple[tuple[int, ...], str]] = WeakKeyDictionary()


def lanes_html(reading: Reading) -> str:
    """One lane a task, with the passes of the call as lines; the same at every step of a run."""
    state = reading.ways, len(reading), len(reading.tasks), len(reading.names)
    if reading not in _DRAWN or _DRAWN[reading][0] != state:
        _DRAWN[reading] = state, _lanes(reading)
    return _DRAWN[reading][1]


def _lanes(reading: Reading) -> str:
    length = max(1, len(reading))
    lines = "".join(
        f'<span style="left:{_percent(begin, length)};width:{_percent(end - begin, length)}">'
        f'<i><span class="nk-long">pass </span>{number}</i></span>'
        for number, begin, end in passes(reading)
    )
    heading = 'who<span class="nk-long"> acts</span><span class="nk-narrow">, passes</span>' if lines else "who acts"
    axis = f'<div class="nk-axis" aria-hidden="true">{lines}</div>'
    return f'<div class="nk-who">{heading}</div>{axis}' + "".join(_lane(lane, length) for lane in lanes(reading))


def _lane(lane: Lane, length: int) -> str:
    spans = "".join(
        f'<i class="nk-{span.kind}" style="left:{_percent(span.begin, length)};'
        f'width:{_percent(span.end - span.begin, length)}">{escape(span.label)}</i>'
        for span in lane.spans
    )
    who = f'<div class="nk-who {_colour(lane.number)}">{_sign(lane.number)} {_short(lane.name)}</div>'
    return f'{who}<div class="nk-lane {_colour(lane.number)}" aria-hidden="true">{spans}</div>'


def _short(name: str) -> str:
    """A task's name, of which "of shell" goes where there is little room."""
    task, of, whose = name.partition(" of ")
    return f'{escape(task)}<span class="nk-long">{escape(of + whose)}</span>'


def playhead(scene: Scene) -> str:
    """The line at the present step, for the picture without a script."""
    at = _percent(max(0, scene.position - 0.5), max(1, scene.length))
    return f'<div class="nk-hit"><div class="nk-playhead" style="left:{at}"></div></div>'


def _percent(part: float, whole: int) -> str:
    return f"{100 * part / whole:.3f}".rstrip("0").rstrip(".") + "%"


def _colour(task: int) -> str:
    return f"nk-t{min(task, len(SIGNS))}"


def _sign(task: int) -> str:
    return f'<span aria-hidden="true">{SIGNS[min(task, len(SIGNS)) - 1]}</span>'


# -- the moments


def _track(scene: Scene) -> str:
    rows, counted = [], False
    for row in scene.rows:
        if row.moment.document.startswith("A.2") and not counted:
            rows.append(_pass_row(scene))
            counted = True
        rows.append(_moment_row(row))
    return f"<div role='heading' aria-level='3'>Moments <small>with the document’s numbers; dotted: not in this run</small></div><ol>{''.join(rows)}</ol>"


def _pass_row(scene: Scene) -> str:
    number = scene.pass_number
    pips = "".join(f'<i class="{"nk-forced " * (i >= FORCED)}{_pip(i, number)}"></i>' for i in range(PASSES))
    said = "no pass yet" if number is None else f"pass {number}"
    return f'<li class="nk-passes"><span>{said}</span><span class="nk-pips" aria-hidden="true">{pips}</span></li>'


def _pip(i: int, number: int | None) -> str:
    return "" if number is None or i > number else "nk-here" if i == number else "nk-been"


STATES = {"passed": "passed", "current": "now", "ahead": "to come", "never": "not in this run"}


def _moment_row(row: MomentRow) -> str:
    moment = row.moment
    current = ' aria-current="step"' if row.state == "current" else ""
    stop = f'<button type="button" class="nk-break" data-break="{moment.name}"><span class="nk-sr">break at {moment.name}</span></button>'
    title = escape(f"{moment.function}(): {moment.what}")
    return (
        f'<li class="nk-{row.state}">{stop}<button type="button" class="nk-moment" data-moment="{moment.name}" title="{title}"{current}>'
        f'<span class="nk-doc">{escape(_numbers(moment.document))}</span> <span class="nk-name">{moment.name}</span>'
        f'<span class="nk-sr">, {STATES[row.state]}</span></button></li>'
    )


def _numbers(document: str) -> str:
    """The numbers of a moment, short: "13, 14, 15" is "13–15"."""
    numbers = document.split(", ")
    return f"{numbers[0]}–{numbers[-1]}" if len(numbers) > 2 else ",".join(numbers)


# -- what happens


SAID = _scrolls("What happens in this step")


def _now(scene: Scene) -> str:
    moment = scene.moment
    said = f'<p class="nk-say">{prose(scene.sentence)}</p>'
    if not moment:
        return f'<div class="nk-t1"{SAID}><p class="nk-by">before the first step</p>{said}<p class="nk-why">{_then(scene)}</p></div>'
    document = f"<span>document {escape(moment.document)}</span>" if moment.document else ""
    by = f"<b>{_sign(scene.acting)} {escape(scene.who)}</b> <code>{escape(moment.function)}()</code> {document}"
    why = f"{prose(_capital(moment.what))}. <b>Why:</b> {prose(moment.why)}."
    return (
        f'<div class="{_colour(scene.acting)}"{SAID}><p class="nk-by">{by}</p>{said}'
        f'<p class="nk-why">{why} {_then(scene)}</p></div>'
    )


def _then(scene: Scene) -> str:
    return f"<b>Next:</b> {escape(scene.next)}." if scene.next else "<b>This is the last step.</b>"


def _changes(scene: Scene) -> str:
    return "<ul>" + ("".join(f"<li>{_change(change)}</li>" for change in scene.changes) or "<li>nothing</li>") + "</ul>"


def _change(change: Told) -> str:
    return f"{escape(change.where)} <mark>{_was(change.before)} → {escape(change.after)}</mark>"


def _was(before: str) -> str:
    return f'<del><span class="nk-sr">was </span>{escape(before)}</del>'


# -- the answers


def _entries(scene: Scene) -> str:
    items = [_entry(entry) for entry in scene.entries]
    returned = scene.returned or "–"
    items.append(
        f'<button type="button" data-why="return"><span class="nk-name">returned</span>'
        f'<span class="nk-answer{_fails(scene.returned)}">{escape(returned)}</span></button>'
    )
    more = f"{scene.more_entries} more entries; " if scene.more_entries else ""
    summary = f"<p>{more}{escape(scene.summary) or 'no answers yet'}</p>"
    return f'<div role="heading" aria-level="3">status[]: the answers so far <small>a click tells why</small></div><div class="nk-tabs">{"".join(items)}</div>{summary}'


def _entry(entry: EntryScene) -> str:
    said = {"open": "not decided", "decided": "decided, not yet copied out", "copied": "copied out"}[entry.state]
    looks = f"nk-answer nk-{entry.state}{_fails(entry.text)}"
    answer = escape(entry.text)
    return (
        f'<button type="button" data-why="{entry.number}" class="{"nk-staged" * entry.on_stage}{" nk-changed" * entry.changed}">'
        f'<span class="nk-name">{escape(entry.name)}</span><span class="{looks}">{answer}'
        f'<span class="nk-sr">, {said}</span></span></button>'
    )


def _fails(answer: str) -> str:
    return " nk-fail" if answer.startswith("-E") else ""


# -- the stage


ROWS = ("mapcount", "mapping", "index", "flags", "list")


def _frame(frame: FrameScene | None, nothing: str) -> str:
    if frame is None:
        rows = "".join(f"<tr><th scope='row'>{name}</th> <td>–</td></tr>" for name in ROWS)
        return (
            f'<div class="nk-frame nk-none"{_scrolls(nothing)}><div role="heading" aria-level="3">{nothing}: none <small></small></div><div class="nk-contents">{_pattern(0)}'
            f'<span>no contents</span></div><p class="nk-count">references <b>–</b></p><ul class="nk-holders"></ul>'
            f"<table><tbody>{rows}</tbody></table></div>"
        )
    fields = {field.name: field for field in frame.fields}
    lock, contents, count = fields["page lock"], fields["contents"], fields["references"]
    rows = "".join(f"<tr><th scope='row'>{name}</th> <td>{_field(fields[name])}</td></tr>" for name in ROWS)
    looks = "nk-frame" + " nk-free" * frame.free + " nk-locked" * frame.locked
    holders = "".join(map(_holder, frame.holders))
    return (
        f'<div class="{looks}"{_scrolls(_capital(frame.role))}><div role="heading" aria-level="3">{_capital(frame.role)} {frame.page}, node {frame.node} <small>{_field(lock)}</small></div>'
        f'<div class="nk-contents">{_pattern(frame.contents)}<span>contents {_field(contents)}</span></div>'
        f'<p class="nk-count">references <b>{_field(count)}</b></p>'
        f'<ul class="nk-holders" aria-label="Who holds a reference">{holders}</ul><table><tbody>{rows}</tbody></table></div>'
    )


def _holder(holder: HolderScene) -> str:
    times = f" × {holder.times}" if holder.times > 1 else ""
    looks = _colour(holder.task) if holder.task else ""
    changed = holder.times != holder.before
    name = escape(holder.name) + times
    said = f"<del>{name}</del>" if not holder.times else name
    sign = _sign(holder.task) + " " if holder.task else ""
    return f'<li class="{looks}{" nk-changed" * changed}{" nk-gone" * (not holder.times)}">{sign}{said}</li>'


def _field(field: Field) -> str:
    if not field.changed:
        return escape(field.value)
    was = f"{_was(field.before)} → " if field.before else ""
    return f"<mark>{was}{escape(field.value)}</mark>"


def _pattern(token: int) -> str:
    """Contents as a small symmetric pattern: what was copied looks alike, what was written looks different."""
    squares = []
    mixed = token * 2654435761 & 0xFFFFFFFF
    for y in range(5):
        for x in range(3):
            mixed = (mixed * 1664525 + 1013904223) & 0xFFFFFFFF
            if token and (mixed >> 30 & 1 or not x + y):
                squares += [f"M{place} {y}h1v1h-1z" for place in sorted({x, 4 - x})]
    return (
        f'<svg class="nk-pattern" viewBox="0 0 5 5" aria-hidden="true"><path d="{"".join(squares) or "M0 0"}"/></svg>'
    )


def _ptes(scene: Scene) -> str:
    ptes = "".join(map(_pte, scene.ptes)) or '<p class="nk-pte nk-nothing">no PTE leads to it</p>'
    more = f"<p>and {scene.more_ptes} more</p>" if scene.more_ptes else ""
    return f"<div role='heading' aria-level='3'>PTEs{_and_cache(scene.slot)}</div>{ptes}{more}{_slot(scene.slot)}"


def _pte(pte: PteScene) -> str:
    look = {"none": "nk-nothing", "migration entry": "nk-migration"}.get(pte.kind, "nk-present")
    said = f"<mark>{_was(pte.before)} → {escape(pte.text)}</mark>" if pte.changed else escape(pte.text)
    arrow = _arrow(pte.leads_to, pte.kind == "migration entry")
    return (
        f'<div class="nk-pte {look}{" nk-changed" * pte.changed}"><b>PTE of {escape(pte.process)}</b> '
        f"<code>{pte.address:#x}</code><br>{said}{arrow}</div>"
    )


def _and_cache(slot: SlotScene | None) -> str:
    return f" and {slot.cache.partition(' of ')[0]}" if slot else ""


def _slot(slot: SlotScene | None) -> str:
    if slot is None:
        return ""
    now = "empty" if slot.page is None else f"page {slot.page}"
    said = f"<mark>{_was(slot.before)} → {now}</mark>" if slot.changed else now
    return (
        f'<div class="nk-pte nk-slot{" nk-changed" * slot.changed}"><b>{escape(slot.cache)}</b> '
        f"<code>slot {slot.place}</code><br>{said}{_arrow(slot.leads_to, False)}</div>"
    )


def _arrow(leads_to: str, blocked: bool) -> str:
    """An arrow to the left (old frame) or right (new frame); a migration entry's is dashed and ends at a bar."""
    if leads_to not in ("old", "new"):
        return '<svg class="nk-arrow" viewBox="0 0 160 14" aria-hidden="true"><path d="M0 0"/></svg>'
    to_new = leads_to == "new"
    dash = ' stroke-dasharray="5 4"' if blocked else ""
    tip = ("M154 1v12" if blocked else "M148 2l7 5-7 5") if to_new else ("M6 1v12" if blocked else "M12 2L5 7l7 5")
    way = f"leads to the {leads_to} frame" + (", but whoever comes has to wait" if blocked else "")
    return (
        f'<svg class="nk-arrow" viewBox="0 0 160 14" role="img" aria-label="{way}">'
        f'<path d="M6 7h148"{dash}/><path d="{tip}"/></svg>'
    )


# -- below


def _tasks(scene: Scene) -> str:
    return "<ul>" + "".join(map(_task, scene.tasks)) + "</ul>"


def _task(task: TaskScene) -> str:
    return (
        f'<li class="nk-{task.state.replace(" ", "-")} {_colour(task.number)}"><b>{_sign(task.number)} {escape(task.name)}</b> '
        f"{escape(task.text)}</li>"
    )


def _locks(scene: Scene) -> str:
    return "<ul>" + ("".join(map(_lock, scene.locks)) or "<li>none</li>") + "</ul>"


def _lock(lock: LockScene) -> str:
    owners = " and ".join(map(escape, lock.owners)) or "free"
    said = f"<mark>{owners}</mark>" if lock.changed else owners
    waiters = f"; waiting: <b>{', '.join(map(escape, lock.waiters))}</b>" if lock.waiters else ""
    return f"<li>{escape(lock.name)}: {said}{waiters}</li>"


def _list(pages: ListScene) -> str:
    shown = "".join(
        f'<li class="nk-page{f" nk-{role}-page" * bool(role)}">{page}</li>'
        for page, role in zip(pages.pages, pages.roles, strict=True)
    )
    more = f"<li>+ {pages.size - len(pages.pages):,}</li>" if pages.size > len(pages.pages) else ""
    size = f"<mark>{pages.size:,}</mark>" if pages.changed else f"{pages.size:,}"
    return f"<div><div role='heading' aria-level='3'>{escape(pages.name)} <small>{size}</small></div><ul>{shown}{more}</ul></div>"


def _node(node: NodeScene) -> str:
    share = node.used / node.frames if node.frames else 0
    used = f"{node.used:,}"
    said = f"<mark>{used}</mark>" if node.changed else used
    role = f" <small>{escape(node.role)}</small>" if node.role else ""
    return (
        f'<div><div role="heading" aria-level="3">Node {node.node}{role}</div><svg class="nk-bar" viewBox="0 0 100 8" preserveAspectRatio="none" '
        f'aria-hidden="true"><rect width="{100 * share:.2f}" height="8"/></svg><p>{said} of {node.frames:,} frames</p></div>'
    )


# -- the log


def _log(reading: Reading, position: int) -> str:
    """The walks around the present step; a long one is folded into one line that opens."""
    if not len(reading):
        return "<ul><li>nothing has happened yet</li></ul>"
    here = reading.walk_at(max(0, position - 1))
    first = max(0, min(here - SHOWN_WALKS, len(reading.walks) - 2 * SHOWN_WALKS - 1))
    return (
        "<ul>"
        + "".join(_walk(reading, walk, position) for walk in reading.walks[first : first + 2 * SHOWN_WALKS + 1])
        + "</ul>"
    )


def _walk(reading: Reading, walk: Walk, position: int) -> str:
    task = escape(reading.tasks[walk.task - 1].name)
    name = f'{_sign(walk.task)} <span class="nk-sr">{task}: </span>{walk.moment}'
    here = walk.begin < position <= walk.end
    looks = f'class="{"nk-current " * here}{_colour(walk.task)}"' + (' aria-current="step"' if here else "")
    if len(walk) < FOLD_FROM:
        times = f" × {len(walk)}" if len(walk) > 1 else ""
        return (
            f'<li {looks} title="{task}"><button type="button" data-goto="{walk.begin + 1}">{name}{times}</button></li>'
        )
    middle = position - 1 if here else walk.begin
    steps = [
        step
        for step in range(walk.begin, walk.end)
        if step < walk.begin + LOGGED_STEPS or step >= walk.end - 1 or abs(step - middle) < LOGGED_STEPS
    ]
    lines = "".join(_step_line(reading, step, position) for step in steps)
    at = f", at {position - walk.begin:,}" if here else ""
    return (
        f'<li {looks}><details data-key="walk {walk.begin}"><summary>{name} × {len(walk):,}{at}</summary>'
        f"<ol>{lines}</ol></details></li>"
    )


def _step_line(reading: Reading, step: int, position: int) -> str:
    turn = reading.turns[step]
    about = hex(turn.about << 12) if turn.moment.subject == "address" else f"{turn.moment.subject} {turn.about}"
    here = ' aria-current="step"' if step + 1 == position else ""
    return f'<li{here}><button type="button" data-goto="{step + 1}">step {step + 1}: {about}</button></li>'
