"""Whose turn it is: the default schedule, the same every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numakit.moments import HOLD, PASS, START

if TYPE_CHECKING:
    from numakit.timeline.run import Run
    from numakit.timeline.task import Task


def choose(run: Run[Any]) -> Task | None:
    """The task that acts next, None if nobody can.

    An actor begins as soon as its moment has come. Whoever acts goes on until it sleeps, ends, or begins a pass: then
    the turn goes on, or a rival would burn its ten passes while the call stands still. Of two who were told the same
    moment the second begins when the first can do no more, and still before the call goes on. Who only waits for time
    (a disc, somebody who holds a page for a while) acts when nobody else can, the one that a sleeper waits for first.
    """
    can_act = able(run)
    ready = [task for task in can_act if not waits_for_time(task)]
    last = run.last_task or run.call
    goes_on = last in ready and last.at[0] is not PASS
    new = [task for task in ready if task.at[0] is START and task is not run.call]
    if new and (last is run.call or not goes_on or new[0].when is None):
        return new[0]
    if goes_on:
        return last
    later = [task for task in ready if task.number > last.number]
    return next(iter([*later, *ready, *waited_for(run, can_act), *can_act]), None)


def waited_for(run: Run[Any], tasks: list[Task]) -> list[Task]:
    """Those of the tasks for which somebody sleeps."""
    blockers = {number for task in run.tasks if task.released and not task.done for number in run.waits_for(task)}
    return [task for task in tasks if task.number in blockers]


def able(run: Run[Any]) -> list[Task]:
    """The tasks that can act next, by number: one alone where a task stands at a moment that lets nobody in between."""
    for task in run.tasks:
        if not task.at[0].others and not task.done:
            return [task]
    return [task for task in run.tasks if task.released and not task.done and not run.waits_for(task)]


def waits_for_time(task: Task) -> bool:
    """Whether the task waits for nothing but that time goes by."""
    return task.idle or (task.at[0] is HOLD and not task.may_let_go)
