"""Random worlds of policies and cpusets, and the calls of which each moves many pages: migrate_pages(2), mbind(), a
change of a cpuset, a process that comes into one. Others act meanwhile, as in tests.random.interleavings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Any, NamedTuple

from numakit import MPOL_BIND, MPOL_INTERLEAVE, MPOL_PREFERRED, PAGE_SIZE, Machine, Process, Run
from numakit.facade.call import call_text
from numakit.facade.interference import Interference
from numakit.kernels import SEED, Kernel
from numakit.moments import moment_named
from numakit.timeline.task import When
from tests.random.interleavings import MOMENTS, draw_actor, play_run
from tests.random.machines import small_machine
from tests.random.promises import Snapshot, see_that_it_kept_its_word
from tests.random.worlds import EVERYWHERE, FILE_SYSTEMS, PLACES, map_files, swap_out

NODES = (0, 1, 3)  #: with a hole, as a mask may have one
OFFLINE = 2
MODES = (0, MPOL_PREFERRED, *2 * [MPOL_BIND], MPOL_INTERLEAVE)
MOST_ACTORS = 5
SWAP_PAGES = 10
#: A failed write is a BUG in some kernels, and leaves locks behind; as many as others, so that all draws are the same.
WITHOUT_BUG = ("tmpfs", "ext2", "reiserfs", "nfs", "nfs", "ramfs")
FIRST_CPUSET = 1  #: the number of the first below the top cpuset

#: The calls that worlds are about, as a lottery.
CALLS = (*3 * ["migrate_pages"], *3 * ["mbind"], *2 * ["set_mems"], *2 * ["attach"])
#: What these do beside the call, with what else there is to do.
MEDDLING = (*CALLS, "set_mempolicy", "get_mempolicy")


class Scenario(NamedTuple):
    """What happens in the world of a random seed: a call, in the notation of schedules, and who acts meanwhile.
    ``turns`` as in tests.random.interleavings.
    """

    random_seed: int
    call: str
    actors: tuple[Interference, ...]
    turns: tuple[int, ...] | None = ()

    def __str__(self) -> str:
        return f"random_seed {self.random_seed}: {self.call}"


def some_nodes(draw: Random, among: Iterable[int] = NODES) -> list[int]:
    """Some of the nodes, one at least."""
    nodes = sorted(among)
    return [node for node in nodes if draw.random() < 0.5] or [draw.choice(nodes)]


def world(random_seed: int, kernel: Kernel = SEED) -> Machine:
    """Three nodes, a cpuset and one below it; a parent, its child and root, with policies, in any of the cpusets."""
    draw = Random(f"world of callers {random_seed}")
    machine = small_machine({0: 40, 1: 40, 3: draw.choice((6, 40))}, kernel, SWAP_PAGES)
    jobs = machine.cpuset("jobs", some_nodes(draw), memory_migrate=draw.random() < 0.6)
    batch = machine.cpuset("batch", some_nodes(draw, jobs.mems), jobs, memory_migrate=draw.random() < 0.6)
    cpuset, uid = draw.choice((None, jobs, jobs, batch)), draw.choice((0, 1000))
    parent = machine.spawn("parent", uid=uid, node=draw.choice(NODES), cpuset=cpuset)
    for pages, shared in ((6, False), (3, True)):
        area = parent.mmap(pages, shared=shared)
        set_some_policy(draw, parent)
        parent.write([page for page in area if draw.random() < 0.85])
    map_files(draw, parent, FILE_SYSTEMS if kernel.failed_write_locks_again else WITHOUT_BUG)
    child = parent.fork("child")
    if draw.random() < 0.4:
        draw.choice((jobs, batch)).attach(child.pid)
    set_some_policy(draw, child)
    child.read([page for page in EVERYWHERE if draw.random() < 0.7])
    child.write([page for page in EVERYWHERE if draw.random() < 0.4])
    if draw.random() < 0.3:
        swap_out(parent, [page for page in PLACES if draw.random() < 0.4])
        parent.read([page for page in PLACES if draw.random() < 0.6])
    if draw.random() < 0.2:
        child.mlock([draw.choice(EVERYWHERE)])
    if draw.random() < 0.3:
        parent.vmsplice(draw.sample(EVERYWHERE, 2))
    machine.spawn("root", uid=0, node=draw.choice(NODES))
    return machine


def set_some_policy(draw: Random, process: Process) -> None:
    """Perhaps a process gets a policy, perhaps some of its areas."""
    for call in ("set_mempolicy", "mbind"):
        if draw.random() < 0.4:
            _, arguments, options = draw_arguments(draw, call, process.machine, process)
            getattr(process, call)(*arguments, **options)


def scenario(random_seed: int) -> Scenario:
    """What happens in the world of that seed; in a third of them nobody acts beside the call, which then has to keep
    its word.
    """
    draw, machine = Random(f"scenario of callers {random_seed}"), world(random_seed)
    call = draw_call(draw, draw.choice(CALLS), machine)
    many = 0 if draw.random() < 0.33 else draw.randint(1, MOST_ACTORS)
    return Scenario(random_seed, call, tuple(draw_somebody(draw, machine) for _ in range(many)))


def draw_somebody(draw: Random, machine: Machine) -> Interference:
    """Somebody who acts meanwhile: a caller of these calls too, or one of tests.random.interleavings."""
    if draw.random() < 0.5:
        return draw_actor(draw, machine, EVERYWHERE)
    call = draw_call(draw, draw.choice(MEDDLING), machine)
    begins = draw.choice([*MOMENTS, *4 * ["NEXT_PAIR"]])
    return Interference(call, When(moment_named(begins), draw.randint(1, 4)) if draw.random() < 0.8 else None)


def draw_call(draw: Random, kind: str, machine: Machine) -> str:
    """A call of somebody, in the notation."""
    likely = [*machine.processes, *2 * [machine.processes[-1]]] if kind == "migrate_pages" else machine.processes[:2]
    owner, arguments, options = draw_arguments(draw, kind, machine, draw.choice(likely))
    return call_text(owner, kind, arguments, options)


def draw_arguments(
    draw: Random, kind: str, machine: Machine, process: Process
) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
    """Who makes a call, and its arguments: mostly such as make sense."""
    pids = [process.pid for process in machine.processes]
    mode = draw.choice(MODES)
    nodes = some_nodes(draw) if mode and draw.random() < 0.95 else []
    if draw.random() < 0.03:
        nodes.append(OFFLINE)
    area = process.vmas[draw.randrange(len(process.vmas))] if process.vmas else [EVERYWHERE[0]]
    begins = draw.randrange(len(area))
    start, pages = area[begins], draw.randint(1, len(area) - begins) + 5 * (draw.random() < 0.15)
    if kind == "migrate_pages":
        return process.notation, (draw.choice([0, *2 * pids[:2]]), some_nodes(draw), some_nodes(draw)), {}
    if kind == "mbind":
        flags = draw.choice((0, 1, *2 * (2, 3, 4, 5)))  # STRICT, MOVE, MOVE_ALL
        return process.notation, (start, mode, nodes, flags), {"length": pages * PAGE_SIZE}
    if kind == "set_mempolicy":
        return process.notation, (mode, nodes), {}
    if kind == "get_mempolicy":
        return process.notation, draw.choice(((start, 3), (start, 2), (None, 0), (None, 1))), {}
    cpuset = draw.choice([*machine.cpusets, *2 * machine.cpusets[FIRST_CPUSET:]])
    if kind == "set_mems":
        return cpuset.notation, (some_nodes(draw) if draw.random() < 0.8 else [],), {}
    return cpuset.notation, (draw.choice(pids),), {}


def begin(machine: Machine, plan: Scenario) -> Run[Any]:
    """The call of a scenario, not begun yet."""
    call, arguments, options = Interference(plan.call).find_call(machine)
    return machine.begin(call, *arguments, **options)


def play(plan: Scenario, kernel: Kernel = SEED, seen: Counter[str] | None = None) -> Run[Any]:
    """Play a scenario as tests.random.interleavings does; a call beside which nobody acted has to have kept its word.

    Raises AssertionError, or whatever the model raises, for a broken promise.
    """
    machine = world(plan.random_seed, kernel)
    before = Snapshot(machine)
    run = begin(machine, plan)
    play_run(run, plan, lambda: begin(world(plan.random_seed, kernel), plan), seen)
    run.last()
    if not plan.actors:
        see_that_it_kept_its_word(plan.call, run.result, before, machine)
    if seen is not None:
        note(seen, run)
    return run


def note(seen: Counter[str], run: Run[Any]) -> None:
    """Count the calls that came to their end, each by its name, what they returned, and what became of pages."""
    results = [(run.call.name, run.result), *((task.name, task.result) for task in run.tasks[1:] if task.done)]
    seen.update(name for name, _ in results)
    seen.update(f"{name}: {row}" for name, result in results for row in {*getattr(result, "rows", [])})
    result = run.result
    seen[f"{run.call.name} -> {getattr(result, 'row', result)}"] += 1


def find_bug(kernel: Kernel, worlds: Iterable[int]) -> int | None:
    """The first of these random seeds whose world breaks a promise under a kernel; None if all keep them."""
    for random_seed in worlds:
        try:
            play(scenario(random_seed), kernel)
        except Exception:  # whatever a planted bug makes the model do
            return random_seed
    return None
