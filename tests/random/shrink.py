"""A failing scenario made small: fewer actors, fewer pages, fewer turns."""

from __future__ import annotations

from collections.abc import Iterator

from numakit.facade.interference import as_turns
from numakit.kernels import SEED, Kernel
from tests.random.interleavings import Scenario, begin, play_run
from tests.random.worlds import world

MOST_TRIES = 600


class Failure:
    """A scenario that breaks a promise: the error, and the schedule up to there."""

    def __init__(self, plan: Scenario, error: Exception, turns: list[int], schedule: str) -> None:
        self.plan, self.error, self.turns, self.schedule = plan, error, turns, schedule

    def __str__(self) -> str:
        told = f"{type(self.error).__name__}: {self.error}"
        return f"{self.plan}\n{told}\nafter {len(self.turns)} turns of the schedule\n{self.schedule}"


def failure_of(plan: Scenario, kernel: Kernel = SEED) -> Failure | None:
    """How a scenario fails, None if it keeps all promises."""
    run = None
    try:
        run = begin(world(plan.random_seed, kernel), plan)
        play_run(run, plan, lambda: begin(world(plan.random_seed, kernel), plan))
    except Exception as error:  # whatever a bug makes the model do
        turns, schedule = ([], "") if run is None else (run.turns, str(run.schedule))
        return Failure(plan, error, turns, schedule)
    return None


def shrink(failure: Failure, kernel: Kernel = SEED) -> Failure:
    """The smallest failure that is found by taking something away again and again; its error is of the same kind."""
    kind, tries = type(failure.error), 0
    found: Failure | None = failure
    while found:
        failure, found = found, None
        for plan in smaller(failure):
            tries += 1
            if tries > MOST_TRIES:
                return failure
            found = failure_of(plan, kernel)
            if found and type(found.error) is kind:
                break
            found = None
    return failure


def smaller(failure: Failure) -> Iterator[Scenario]:
    """Scenarios with one thing less: an actor, a page, the turns that are not the default's, a group of turns."""
    plan = failure.plan
    for i in range(len(plan.actors)):
        for turns in (None, plan.turns) if plan.turns == () else (plan.turns,):
            yield plan._replace(actors=plan.actors[:i] + plan.actors[i + 1 :], turns=turns)
    for i in range(len(plan.pages) if len(plan.pages) > 1 else 0):
        pages, nodes = plan.pages[:i] + plan.pages[i + 1 :], plan.nodes[:i] + plan.nodes[i + 1 :]
        yield plan._replace(pages=pages, nodes=nodes)
    if plan.turns is None:
        return
    yield plan._replace(turns=None)
    if plan.turns == ():
        yield plan._replace(turns=tuple(failure.turns))
        return
    groups = as_turns(plan.turns)
    for i in range(len(groups)):
        fewer = [group for j, group in enumerate(groups) if j != i]
        yield plan._replace(turns=tuple(task for task, times in fewer for _ in range(times)))
