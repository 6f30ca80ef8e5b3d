"""A scene: all that a view shows of a run when so many of its steps have been made, as plain data.

``scene(run, step)`` goes to the step and reads the machine there. It keeps nothing, so that the same step gives the
same scene, however one came to it. Views draw scenes and know nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from numakit.abi import PAGE_SHIFT, errno_name
from numakit.explain.result import MigrationResult, Result
from numakit.facade.frame import view_frame
from numakit.facade.vma import view_pte
from numakit.machine.references import holder_name
from numakit.machine.state import PAGEVEC_ROW, MachineState
from numakit.machine.vma import PTE_PFN, PTE_TYPE, pte_address, rmap_walk
from numakit.moments import (
    DRAIN,
    HOLD,
    LOCK_BUFFERS,
    MOMENTS,
    PUT_USER,
    RMAP_LOCK,
    SLEEP_ON_PAGE,
    SLEEP_ON_WRITEBACK,
    START,
    TRY_TO_UNMAP,
    Moment,
)
from numakit.syscalls.move_pages import UNSET, CallRecord
from numakit.timeline.run import Run
from numakit.timeline.state import Change
from numakit.timeline.task import Task
from numakit.widgets.act import Act
from numakit.widgets.changes import (
    Told,
    answer_text,
    contents_text,
    fresh_frames,
    mm_name,
    net,
    pte_changes,
    pte_text,
    tell_changes,
)
from numakit.widgets.lanes import task_title
from numakit.widgets.reading import CALL, Reading
from numakit.widgets.sentences import sentence
from numakit.widgets.surroundings import (
    ListScene,
    LockScene,
    NodeScene,
    SlotScene,
    list_scenes,
    lock_scenes,
    node_scenes,
    slot_scene,
)

SHOWN_PTES = 6  #: PTEs of one page that a scene holds; those that the step changed come first
SHOWN_ENTRIES = 24  #: entries of a call that a scene holds one by one
PLAIN_ACCESSES = ("read", "write")  #: tasks that are no calls

KERNEL_THREADS = ("kswapd",)  #: tasks that have a name of their own

#: The moments of migration, which a table shows whole if a run meets one that is met by nobody else.
PIPELINE = range(DRAIN.number, PUT_USER.number + 1)
OTHERS_TOO = (SLEEP_ON_PAGE, SLEEP_ON_WRITEBACK, TRY_TO_UNMAP, RMAP_LOCK, LOCK_BUFFERS)


class MomentRow(NamedTuple):
    """A moment, and where the run stands to it: "current", "passed", "ahead", or "never" in this run."""

    moment: Moment
    state: str


class Field(NamedTuple):
    """A fact about a frame. ``before``: what it was before the step, "" where nothing is known of that."""

    name: str
    value: str
    changed: bool = False
    before: str = ""


class HolderScene(NamedTuple):
    """Somebody who holds ``times`` references to a frame, ``before`` as many before the step. ``task``: its number if
    it is one of the run.
    """

    name: str
    times: int
    before: int
    task: int = 0


class FrameScene(NamedTuple):
    """A frame concerned: ``role`` is "old frame", "new frame" or "frame"."""

    role: str
    page: int
    node: int
    fields: tuple[Field, ...]
    holders: tuple[HolderScene, ...] = ()
    contents: int = 0
    free: bool = False
    locked: bool = False


class PteScene(NamedTuple):
    """A PTE that leads to a frame concerned, or would. ``leads_to``: "old", "new", "another" or "nothing"."""

    process: str
    address: int
    kind: str
    text: str
    leads_to: str
    changed: bool
    before: str


class TaskScene(NamedTuple):
    """Somebody who acts in the run: ``state`` is "acts", "ready", "sleeps", "holds", "waits", "done" or
    "never came".
    """

    name: str
    state: str
    text: str
    number: int = 0


class EntryScene(NamedTuple):
    """What is known so far of an entry of the call, or of a page of its list: ``state`` is "open", "decided" in the
    kernel, or "copied" to the caller. ``on_stage``: its page is one of those that are looked at.
    """

    name: str
    text: str
    changed: bool = False
    state: str = "open"
    number: int = 0
    on_stage: bool = False


@dataclass(frozen=True)
class Scene:
    """A run when ``position`` of its steps have been made; the sentence and the changes are the last one's."""

    title: str
    position: int
    length: int
    sentence: str
    who: str
    acting: int
    moment: Moment | None
    next: str
    pass_number: int | None
    rows: tuple[MomentRow, ...]
    old: FrameScene | None
    new: FrameScene | None
    ptes: tuple[PteScene, ...]
    more_ptes: int
    changes: tuple[Told, ...]
    tasks: tuple[TaskScene, ...]
    entries: tuple[EntryScene, ...]
    more_entries: int
    summary: str
    returned: str
    slot: SlotScene | None
    lists: tuple[ListScene, ...]
    nodes: tuple[NodeScene, ...]
    locks: tuple[LockScene, ...]


class Stage(NamedTuple):
    """What a scene is about: the old and the new page, and (mm, address) of a PTE that is looked at."""

    old: int | None = None
    new: int | None = None
    place: tuple[int, int] | None = None


def scene(run: Run[Any], step: int, reading: Reading | None = None) -> Scene:
    """The scene when ``step`` steps of the run have been made: 0 is before the first, ``len(run)`` the end.

    The machine stands there afterwards, as after ``run.goto(step)``; raises what that raises. ``reading``: what was
    read of the run before, if it has not gone on since.
    """
    run.goto(step)
    m: MachineState = run.machine
    m.run = run  # names of tasks are those of the run that is shown
    reading = reading.follow() if reading else Reading(run)
    changes = run.steps[step - 1].changes if step else []
    stage = stage_of(m, reading, step, changes)
    held_before = _held_before(run, step, stage)
    ptes = _ptes(m, stage, changes)
    entries, more, summary, returned = _entries(m, run, reading, step, stage, changes)
    tasks = tuple(_task(m, reading, task, step) for task in reading.tasks)
    turn = reading.turns[step - 1] if step else None
    return Scene(
        title=task_title(reading, run.call),
        position=step,
        length=len(reading),
        sentence=_sentence(m, reading, step, stage, changes),
        who=_who(reading, reading.tasks[turn.task - 1]) if turn else "",
        acting=turn.task if turn else CALL,
        moment=turn.moment if turn else None,
        next=_next(reading, step),
        pass_number=reading.pass_at(step),
        rows=tuple(moment_rows(reading, step)),
        old=_frame(m, stage, stage.old, changes, held_before),
        new=_frame(m, stage, stage.new, changes, held_before),
        ptes=tuple(ptes[:SHOWN_PTES]),
        more_ptes=max(0, len(ptes) - SHOWN_PTES),
        changes=tuple(tell_changes(m, changes)),
        tasks=tasks,
        entries=tuple(entries),
        more_entries=more,
        summary=summary,
        returned=returned,
        slot=slot_scene(m, stage.old, stage.new, changes),
        lists=tuple(list_scenes(m, reading, stage.old, stage.new, step, changes)),
        nodes=tuple(node_scenes(m, stage.old, stage.new, changes)),
        locks=tuple(lock_scenes(m, reading, stage.old, step, changes)),
    )


# -- what it is about


def stage_of(m: MachineState, reading: Reading, step: int, changes: list[Change]) -> Stage:
    """The pages that the step is about or, if it is about none, the nearest one that is: the pair of an attempt to move
    a page, or of a copy that was made.
    """
    at = reading.subject(step)
    if at is None:
        return Stage()
    turn, place, page = reading.turns[at], None, None
    if turn.moment.subject == "address":
        place = _place(m, reading, at, changes)
        page = _page_at(m, place, changes) if place else None
    else:
        page = turn.about
    if page is None or not 0 <= page < m.nr_frames:
        return Stage(place=place)
    attempt = reading.attempt_at(step, page)
    if attempt:
        return Stage(attempt.old, attempt.new, place)
    fresh = [frame for frame in fresh_frames(changes) if frame != page] if at == step - 1 else []
    return Stage(page, fresh[0] if fresh else None, place)


def _place(m: MachineState, reading: Reading, at: int, changes: list[Change]) -> tuple[int, int] | None:
    """(mm, address) that the moment of a step is about."""
    turn = reading.turns[at]
    address = turn.about << PAGE_SHIFT
    process = m.table.get(("process", reading.tasks[turn.task - 1].pid))
    changed = next((pte.mm for pte in pte_changes(changes) if pte.address == address), None)
    mm = reading.mm_of(at) or (process.mm if process else changed)
    return (mm, address) if mm else None


def _page_at(m: MachineState, place: tuple[int, int], changes: list[Change]) -> int | None:
    """The page behind a PTE, or the one that was there before the step."""
    pte = view_pte(m, *place)
    if pte.page is not None:
        return pte.page if pte.node is not None else None
    gone = [pte.before for pte in pte_changes(changes) if (pte.mm, pte.address) == place and pte.before & PTE_TYPE]
    return gone[0] >> PTE_PFN if gone else None


# -- the moments


def moment_rows(reading: Reading, step: int) -> Iterable[MomentRow]:
    """The rows of the table of moments that belong to this run, each with its state."""
    current = reading.turns[step - 1].moment if step else None
    passed = reading.taken_in_attempt(step)
    pipeline = any(moment.number in PIPELINE for moment in reading.moments.difference(OTHERS_TOO))
    for moment in MOMENTS:
        met = moment in reading.at_moment
        if met or (pipeline and moment.number in PIPELINE and not moment.served_by):
            state = "passed" if moment in passed else "ahead" if met or not reading.finished else "never"
            yield MomentRow(moment, "current" if moment is current else state)


# -- who


def _who(reading: Reading, task: Task) -> str:
    """Who acts, for a sentence: "the call", "the write of child", "the disc", "kswapd"."""
    if task.name in KERNEL_THREADS:
        return task.name
    if task.number == 1 and task.name not in PLAIN_ACCESSES:
        return "the call"
    name = task_title(reading, task)
    return name if name.startswith(("a ", "the ")) else f"the {name}"


def _task(m: MachineState, reading: Reading, task: Task, step: int) -> TaskScene:
    name, at = task_title(reading, task), reading.standing(task, step)
    if at is None:
        return TaskScene(name, "done", "has ended", task.number)
    moment, what = at
    if moment is START and task.number > 1:
        if task.when is None or task.released:
            return TaskScene(name, "waits", "has not begun", task.number)
        return TaskScene(name, "never came", "never began: its moment did not come", task.number)
    blockers = m.blockers(moment.lock, what, task.number) if moment.lock else ()
    if blockers:
        holders = " and ".join(holder_name(m, blocker) for blocker in blockers)
        return TaskScene(name, "sleeps", f"sleeps: {m.lock_name(moment.lock, what)} is held by {holders}", task.number)
    acted = step and reading.turns[step - 1].task == task.number
    if moment is HOLD:
        return TaskScene(name, "holds", "holds what it has", task.number)
    return TaskScene(name, "acts" if acted else "ready", f"stands before {moment} ({moment.function})", task.number)


def _next(reading: Reading, step: int) -> str:
    if step == len(reading):
        return ""
    turn = reading.turns[step]
    return f"{_who(reading, reading.tasks[turn.task - 1])}: {turn.moment.what}"


def _sentence(m: MachineState, reading: Reading, step: int, stage: Stage, changes: list[Change]) -> str:
    if not step:
        return "Nothing has happened yet."
    turn = reading.turns[step - 1]
    who = _who(reading, reading.tasks[turn.task - 1])
    task = reading.tasks[turn.task - 1]
    ended = task.done and reading.next_of(task, step) is None
    access = task.name in PLAIN_ACCESSES
    last_pass = reading.last_pass_at(step)
    return sentence(
        Act(m, who, turn.moment, turn.about, stage.old, stage.new, changes, stage.place, ended, access, last_pass)
    )


# -- frames and PTEs


def _held_before(run: Run[Any], step: int, stage: Stage) -> dict[int, dict[str, int]]:
    """Who held the pages looked at before the step: the machine is asked one step earlier."""
    pages = [page for page in (stage.old, stage.new) if page is not None]
    if not step:
        return {page: _holders(run.machine, page) for page in pages}
    run.goto(step - 1)
    held = {page: _holders(run.machine, page) for page in pages}
    run.goto(step)
    return held


def _frame(
    m: MachineState, stage: Stage, page: int | None, changes: list[Change], held_before: dict[int, dict[str, int]]
) -> FrameScene | None:
    if page is None:
        return None
    role = "frame" if stage.new is None else "old frame" if page == stage.old else "new frame"
    view = view_frame(m, page)
    before = {told.field: told.before for told in tell_changes(m, changes) if told.page == page}
    held = _holders(m, page)
    holders = ", ".join(f"{name} × {times}" if times > 1 else name for name, times in held.items())
    moved = _in_pagevec_writes(m, page, changes) or "stamp" in before or (not view.count and "count" in before)

    def field(name: str, label: str, value: str) -> Field:
        return Field(name, value, label in before, before.get(label, ""))

    return FrameScene(
        role,
        page,
        view.node,
        (
            field("references", "count", str(view.count)),
            Field("held by", holders or "nobody", bool(before.keys() & {"count", "holder", "mapcount"})),
            field("mapcount", "mapcount", str(view.mapcount)),
            field("mapping", "mapping", view.mapping),
            field("index", "index", str(view.index)),
            field("contents", "contents", contents_text(view.contents)),
            field("flags", "flags", ", ".join(view.flags) or "none"),
            Field("list", _list_of(m, page), moved),
            field(
                "page lock", "owner", f"locked by {holder_name(m, view.locked_by)}" if view.locked_by else "unlocked"
            ),
        ),
        tuple(_holder_scenes(m, held, held_before.get(page, {}))),
        view.contents,
        not view.count,
        bool(view.locked_by),
    )


def _holder_scenes(m: MachineState, held: dict[str, int], before: dict[str, int]) -> Iterable[HolderScene]:
    """Who holds the frame now, then who let go of it in this step."""
    numbers = {task.name: task.number for task in (m.run.tasks if m.run else [])}
    for name in [*held, *(name for name in before if name not in held)]:
        yield HolderScene(name, held.get(name, 0), before.get(name, 0), numbers.get(name, 0))


def _holders(m: MachineState, page: int) -> dict[str, int]:
    """Who holds each reference, with the PTEs by their processes."""
    held = dict(view_frame(m, page).holders)
    owners = [pte.vma.mm for pte in rmap_walk(m, page) if pte.value >> PTE_PFN == page and pte.value & PTE_TYPE == 1]
    if len(owners) != held.get("PTE", 0):
        return held
    held.pop("PTE", None)
    named: dict[str, int] = {}
    for mm in owners:
        name = f"PTE of {mm_name(m, mm)}"
        named[name] = named.get(name, 0) + 1
    return named | held


def _list_of(m: MachineState, page: int) -> str:
    view = view_frame(m, page)
    if view.on_lru:
        kind = "active" if "active" in view.flags else "inactive"
        return f"{kind} LRU list of node {view.node}"
    waits = [name for name in view.holders if name.startswith("pagevec")]
    return waits[0] if waits else "none" if view.count else "free frames"


def _in_pagevec_writes(m: MachineState, page: int, changes: list[Change]) -> bool:
    return any(c.label == "pagevec" and c.index % PAGEVEC_ROW and page == c.after for c in net(changes))


def _ptes(m: MachineState, stage: Stage, changes: list[Change]) -> list[PteScene]:
    """The PTEs where the reverse map of the two pages leads, and those that the step changed; these first."""
    changed = {(pte.mm, pte.address): pte.before for pte in pte_changes(changes)}
    pages = [page for page in (stage.old, stage.new) if page is not None]
    places = {(pte.vma.mm, pte_address(pte)) for page in pages for pte in rmap_walk(m, page)}
    places |= {stage.place} if stage.place else set()
    shown = [*sorted(changed), *sorted(places - changed.keys())][:SHOWN_PTES]
    return [_pte(m, stage, *place, changed.get(place)) for place in sorted(shown)]


def _pte(m: MachineState, stage: Stage, mm: int, address: int, before: int | None) -> PteScene:
    view = view_pte(m, mm, address)
    target = {stage.old: "old", stage.new: "new"}
    leads_to = (
        "nothing" if view.page is None else target.get(view.page, "another") if view.node is not None else "another"
    )
    was = "" if before is None else pte_text(before)
    return PteScene(mm_name(m, mm), address, view.kind, str(view), leads_to, before is not None, was)


# -- the answers


class Answers(NamedTuple):
    """The entries of a scene, how many there are besides, all of them in one line, and what the call returned."""

    entries: list[EntryScene]
    more: int
    summary: str
    returned: str


def _entries(
    m: MachineState, run: Run[Any], reading: Reading, step: int, stage: Stage, changes: list[Change]
) -> Answers:
    """The answers so far; of many, those that failed, those that are looked at, and the first others."""
    if reading.call_ended(step):
        return _final(run.result, stage)
    record: CallRecord | None = m.table.get(("call", CALL))
    if record is None:
        return _not_begun(run)
    new = {change.index for change in net(changes) if change.label == "outcome"}
    outcome, queued = m.arrays[record.outcome], m.arrays[record.queued]

    def entry(i: int) -> EntryScene:
        page, decided = queued[i] - 1, outcome[i] != UNSET
        text = answer_text(outcome[i]) if decided else f"page {page} queued" if queued[i] else "–"
        copied = reading.copied.get(i, step) < step
        state = "open" if not decided else "copied" if copied else "decided"
        on_stage = page >= 0 and page in (stage.old, stage.new)
        return EntryScene(f"{i}: {record.addresses[i]:#x}", text, i in new, state, i, on_stage)

    number = len(record.addresses)
    shown = list(range(number)) if number <= SHOWN_ENTRIES else _chosen(outcome, queued, stage)
    counted = Counter("undecided" if value == UNSET else answer_text(value) for value in outcome)
    return Answers([entry(i) for i in shown], number - len(shown), _counted(counted), "")


def _chosen(outcome: Sequence[int], queued: Sequence[int], stage: Stage) -> list[int]:
    """The entries of a long call that are shown one by one."""
    wanted = {page + 1 for page in (stage.old, stage.new) if page is not None}
    first = [i for i, page in enumerate(queued) if page in wanted]
    failed = [i for i, value in enumerate(outcome) if value < 0 and value != UNSET]
    chosen = dict.fromkeys([*first[:SHOWN_ENTRIES], *failed[:SHOWN_ENTRIES], *range(SHOWN_ENTRIES)])
    return sorted(list(chosen)[:SHOWN_ENTRIES])


def _counted(answers: Counter[str]) -> str:
    return ", ".join(f"{times} {answer}" for answer, times in sorted(answers.items()))


def _not_begun(run: Run[Any]) -> Answers:
    """The entries of a call that has not opened its answers yet, as far as they are known; so no place moves later."""
    result = run.result if run.finished else None
    entries, more, _, _ = _final(result, Stage())
    waiting = [entry._replace(text="–", state="open") for entry in entries]
    return Answers(waiting, more, "", "")


def _final(result: Any, stage: Stage) -> Answers:
    """The answers of a call that has ended, and what it returned."""
    if isinstance(result, Result):
        addresses = [f": {address:#x}" for address in result.addresses] or [""] * len(result.outcome)
        answers = ["–" if value is None else answer_text(value) for value in result.outcome]
        pages = [result.fact(i).get("page") for i in range(len(answers))]
        named = [f"{i}{address}" for i, address in enumerate(addresses)]
        states = ["copied" if value is not None else "open" for value in result.status]
        returned = errno_name(result.ret)
    elif isinstance(result, MigrationResult):
        answers = [verdict.row for verdict in result.verdicts]
        pages, named, states = list(result.pages), [f"page {page}" for page in result.pages], ["copied"] * len(answers)
        returned = str(result.ret)
    else:
        return Answers([], 0, "", errno_name(result) if isinstance(result, int) else "")
    chosen = [i for i, answer in enumerate(answers) if answer.startswith("-E")]
    shown = sorted(list(dict.fromkeys([*chosen[:SHOWN_ENTRIES], *range(len(answers))]))[:SHOWN_ENTRIES])
    on_stage = (stage.old, stage.new)
    entries = [
        EntryScene(named[i], answers[i], False, states[i], i, pages[i] is not None and pages[i] in on_stage)
        for i in shown
    ]
    return Answers(entries, len(answers) - len(shown), _counted(Counter(answers)), returned)
