"""Random interleavings: a world, a call that migrates pages, others who act meanwhile, and turns by random priorities.

Everything comes from one number, the random seed. A world that breaks a promise can be shrunk and printed; see
tools/fuzz.py. Priorities with a few random changes (PCT), and actors that begin at the n-th time of a moment, find
races that a coin before every turn misses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Any, NamedTuple, Protocol

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PROT_READ, PROT_WRITE, Machine, Process, Run
from numakit.facade.call import call_text
from numakit.facade.interference import Interference
from numakit.facade.run import Meanwhile
from numakit.kernels import SEED, Kernel
from numakit.moments import moment_named
from numakit.timeline.run import Run as Timeline
from numakit.timeline.schedule import choose, waits_for_time
from numakit.timeline.task import Task, When
from tests.random.machines import see_that_it_is_sound
from tests.random.oracle import Schedule, Witness
from tests.random.worlds import EVERYWHERE, HOLE, file_behind, pages_behind, world

MOST_ACTORS = 8
CHANGES = 0.08  #: how often a turn begins with somebody's new priority

#: Moments at which actors begin, those within the attempt to move a page more often.
MOMENTS = [
    *("DRAIN", "FOLLOW_PAGE", "ISOLATE", "PASS", "GET_NEW_PAGE", "FREED", "LOCK_PAGE", *2 * ["TRY_TO_UNMAP"]),
    *("WRITEBACK", "WRITEOUT", "WRITEPAGE", "RELEASE_BUFFERS", "MOVE_BUFFERS"),
    *("LOCK_NEW_PAGE", "SET_MAPPING", *2 * ["COUNT"], *2 * ["TREE_LOCK"], *2 * ["COPY"], *2 * ["REMOVE_ENTRY"]),
    *("UNLOCK_NEW_PAGE", "UNLOCK_PAGE", "PUT_BACK", "PUT_BACK_NEW"),
]
#: What actors do, as a lottery: writes and pins race with a migration, an exit ends many races before they begin.
ACTORS = [
    *(*4 * ["write"], *2 * ["read"], *2 * ["fork"], *2 * ["munmap"], "exit", *2 * ["mprotect"], "mlock", "munlock"),
    *(*2 * ["pin_for_a_while"], "register_memory", *2 * ["hold_page_lock"], *2 * ["move_pages"], *3 * ["reclaim"]),
]
#: What happens to a file, if the place that an actor is about has one.
FILE_ACTORS = ["truncate", "write_back", "hold_buffers", "lock_buffers"]
HOLDERS = ("pin_for_a_while", "hold_page_lock", "write_back", "hold_buffers", "lock_buffers")


class Plan(Protocol):
    """What happens beside a call: who acts, and whose turn it is."""

    @property
    def random_seed(self) -> int:
        """Where priorities are drawn from."""

    @property
    def actors(self) -> tuple[Interference, ...]:
        """Who acts meanwhile."""

    @property
    def turns(self) -> tuple[int, ...] | None:
        """Who has the turn, by task number; () for priorities drawn from the seed, None for the default order."""


class Scenario(NamedTuple):
    """A world's random seed, and what happens in it: the call with its pages and nodes, and who acts meanwhile.

    ``caller`` 0: the kernel itself calls migrate_pages(). ``turns``: who has the turn, by task number; () for
    priorities drawn from the seed, None for the default order.
    """

    random_seed: int
    caller: int
    target: int
    pages: tuple[int, ...]
    nodes: tuple[int, ...]
    flags: int
    actors: tuple[Interference, ...]
    turns: tuple[int, ...] | None = ()

    def __str__(self) -> str:
        if self.caller:
            arguments = (self.target, self.pages, self.nodes, self.flags)
            call = call_text(f"process({self.caller})", "move_pages", arguments, {})
        else:
            call = f"machine.migrate_pages(isolated pages of process({self.target}): {[hex(p) for p in self.pages]})"
        return f"random_seed {self.random_seed}: {call}"


def scenario(random_seed: int) -> Scenario:
    """What happens in the world of that seed. (Drawn on the world as a kernel without bugs makes it.)"""
    draw, machine = Random(f"scenario {random_seed}"), world(random_seed)
    pids = [process.pid for process in machine.processes]
    target = machine.process(draw.choice(pids))
    pages = tuple(draw.sample(EVERYWHERE, draw.randint(2, 7)))
    if draw.random() < 0.15:
        pages += (draw.choice([*EVERYWHERE, HOLE]),)
    nodes = tuple(draw_node(draw, machine, target.pte(page).node) for page in pages)
    caller = draw.choice([0, *pids, *pids])
    flags = MPOL_MF_MOVE_ALL if draw.random() < 0.85 else MPOL_MF_MOVE
    actors = tuple(draw_actor(draw, machine, pages) for _ in range(draw.randint(2, MOST_ACTORS)))
    return Scenario(random_seed, caller, target.pid, pages, nodes, flags, actors)


def draw_node(draw: Random, machine: Machine, here: int | None) -> int:
    """Where a page is to go; mostly away from where it is."""
    others = [node for node in machine.node_ids if node != here]
    return draw.choice(others if draw.random() < 0.9 else list(machine.node_ids))


def draw_actor(draw: Random, machine: Machine, pages: Sequence[int]) -> Interference:
    """Somebody who acts meanwhile; four in five begin at the n-th time of a moment, the others when they like."""
    process = draw.choice(machine.processes)
    page = draw.choice(pages) if draw.random() < 0.9 else draw.choice(EVERYWHERE)
    file = file_behind(process, page)
    if file and draw.random() < 0.4:
        kind = draw.choice(FILE_ACTORS)
        call = call_text(file[0].notation, kind, (file[1],), {})
    else:
        kind = draw.choice(ACTORS)
        call = draw_call(draw, kind, process, page)
    when = until = None
    if draw.random() < 0.8:
        when = When(moment_named(draw.choice(MOMENTS)), draw.randint(1, 4))
    if kind in HOLDERS and draw.random() < 0.5:
        until = When(moment_named("PASS"), 1, None, draw.randint(1, 9))
    return Interference(call, when, until=until)


def draw_call(draw: Random, kind: str, process: Process, page: int) -> str:
    """A call of a process that is about a page, or reclaim, of that page and others."""
    machine = process.machine
    arguments: tuple[Any, ...] = ([page],)
    if kind in ("fork", "exit"):
        arguments = ()
    elif kind == "hold_page_lock":
        arguments = (page,)
    elif kind == "mprotect":
        arguments = ([page], draw.choice((PROT_READ, PROT_READ | PROT_WRITE)))
    elif kind == "move_pages":
        wanted = [page, *draw.sample(EVERYWHERE, 2)]
        pid = draw.choice(machine.processes).pid
        arguments = (pid, wanted, [draw.choice(machine.node_ids)] * 3, MPOL_MF_MOVE_ALL)
    elif kind == "reclaim":
        return call_text("machine", kind, (pages_behind(process, [page, *draw.sample(EVERYWHERE, 2)]),), {})
    return call_text(process.notation, kind, arguments, {})


def begin(machine: Machine, plan: Scenario) -> Run[Any]:
    """The call of a scenario, not begun yet."""
    if plan.caller:
        process = machine.process(plan.caller)
        return machine.begin(process.move_pages, plan.target, plan.pages, plan.nodes, plan.flags)
    machine.migrate_prep()
    target = machine.process(plan.target)
    mapped = dict.fromkeys(page for address in plan.pages if (page := target.page(address)) is not None)
    pages = [page for page in mapped if machine.isolate_lru_page(page) == 0]
    cells, nodes = machine.cells(len(pages)), dict(zip(pages, plan.nodes, strict=False))

    def get_new_page(page: int, private: Any, result: Any) -> int | None:
        result.point_to(cells, pages.index(page))
        return machine.alloc_page(nodes[page]) if page % 7 else None

    return machine.begin(machine.migrate_pages, pages, get_new_page)


def let_join(run: Run[Any], actors: Iterable[Interference]) -> None:
    """Let the actors wait for their times."""
    for actor in actors:
        call, arguments, options = actor.find_call(run.machine)
        Meanwhile(run, actor.when, actor.until, actor.for_ever).do(call, *arguments, **options)


def priorities(draw: Random) -> Schedule:
    """Who can act and has the highest priority acts; now and then somebody gets a new one."""
    rank: dict[int, float] = {}

    def highest(run: Timeline[Any]) -> Task | None:
        able = [task for task in run.tasks if task.released and not task.done and not run.waits_for(task)]
        inside = [task for task in able if not task.at[0].others]
        ready = inside or [task for task in able if task.until is None or not waits_for_time(task)] or able
        if not ready:
            return None
        for task in ready:
            rank.setdefault(task.number, draw.random())
        if draw.random() < CHANGES:
            rank[draw.choice(ready).number] = draw.random()
        return max(ready, key=lambda task: rank[task.number])

    return highest


def in_turns(turns: Iterable[int]) -> Schedule:
    """The turns named, by task number, as far as these can act; then the default order."""
    left = iter(turns)

    def next_in_turn(run: Timeline[Any]) -> Task | None:
        for number in left:
            task = run.tasks[number - 1] if number <= len(run.tasks) else None
            if task and task.released and not task.done and not run.waits_for(task):
                return task
        return choose(run)

    return next_in_turn


def schedule_of(plan: Plan) -> Schedule:
    """Whose turn it is in a scenario."""
    if plan.turns is None:
        return choose
    return in_turns(plan.turns) if plan.turns else priorities(Random(f"turns {plan.random_seed}"))


def play(plan: Scenario, kernel: Kernel = SEED, seen: Counter[str] | None = None) -> Run[Any]:
    """Play a scenario, every turn watched; then the same once more from a random step, and from its schedule.

    Raises AssertionError, or whatever the model raises, for a broken promise; the traceback's machine is as it was.
    """
    run = begin(world(plan.random_seed, kernel), plan)
    return play_run(run, plan, lambda: begin(world(plan.random_seed, kernel), plan), seen)


def play_run(
    run: Run[Any], plan: Plan, begin_again: Callable[[], Run[Any]], seen: Counter[str] | None = None
) -> Run[Any]:
    """Play what happens beside a call that was begun; ``begin_again`` begins it in an equal world."""
    machine, start = run.machine, run.machine.fingerprint()
    let_join(run, plan.actors)
    witness = Witness(run, seen)
    run.finish(witness.watching(schedule_of(plan)))
    see_that_it_is_sound(machine)
    end, schedule = machine.fingerprint(), str(run.schedule)
    assert run.first().machine.fingerprint() == start, "undone to the start, it is another machine"
    assert run.last().machine.fingerprint() == end, "done again to the end, it is another machine"
    step = Random(f"step {plan.random_seed}").randrange(len(run))
    turns = run.turns[step:]
    run.goto(step).finish(in_turns(turns))
    assert machine.fingerprint() == end, f"played on from step {step}, it comes to another end"
    assert run.first().machine.fingerprint() == start, "undone after a replay, it is another machine"
    again = begin_again()
    again.play(schedule)
    assert again.machine.fingerprint() == end, "an equal world, played from the schedule, comes to another end"
    return run


def find_bug(kernel: Kernel, worlds: Iterable[int]) -> int | None:
    """The first of these random seeds whose world breaks a promise under a kernel; None if all keep them."""
    for random_seed in worlds:
        try:
            play(scenario(random_seed), kernel)
        except Exception:  # whatever a planted bug makes the model do
            return random_seed
    return None
