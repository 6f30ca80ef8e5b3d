"""Who may call move_pages(), on whose memory, with which flags."""

from __future__ import annotations

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, PAGE_SIZE
from numakit.abi import CAP_SYS_NICE, CAP_SYS_PTRACE
from tests.live.scenarios.play import (
    NOBODY,
    OTHER_UID,
    Answers,
    World,
    a_node,
    nodes_with_cpus,
    of_today,
    places,
    scenario,
    spawn,
    told,
    written,
)


@scenario
def flags_that_do_not_exist(world: World) -> Answers:
    """They come first: the pid is not looked at."""
    shell = spawn(world)
    return [told(shell.move_pages(NOBODY, shell.mmap(1), None, flags)) for flags in (1, 8, 7)]


@scenario
def move_all_without_the_capability(world: World) -> Answers:
    """Refused even for a process that does not exist."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    return [told(shell.move_pages(pid, area, [a_node(world)], MPOL_MF_MOVE_ALL)) for pid in (0, NOBODY)]


@scenario
def move_all_with_the_capability(world: World) -> Answers:
    """It is the capability that counts, not the user: one may have it without being root, and root may lack it."""
    nice, root = spawn(world, "nice", capabilities=(CAP_SYS_NICE,)), spawn(world, "root", uid=0, capabilities=())
    area, theirs = nice.mmap(1), root.mmap(1)
    for process, pages in ((nice, area), (root, theirs)):
        process.write(pages)
    return [
        told(nice.move_pages(0, area, None, MPOL_MF_MOVE_ALL)),
        told(root.move_pages(0, theirs, None, MPOL_MF_MOVE_ALL)),
    ]


@scenario
def a_process_that_does_not_exist(world: World) -> Answers:
    """Neither does one that has exited."""
    shell, gone = spawn(world), spawn(world, "gone")
    answers = [gone.exit()]
    return [*answers, told(shell.move_pages(gone.pid, [PAGE_SIZE])), told(shell.move_pages(NOBODY, [PAGE_SIZE]))]


@scenario
def a_process_of_another_user(world: World) -> Answers:
    """Only root may ask, or move."""
    shell, stranger, root = spawn(world), spawn(world, "stranger", uid=OTHER_UID), spawn(world, "root", uid=0)
    area = shell.mmap(1)
    shell.write(area)
    return [told(process.move_pages(shell.pid, area)) for process in (stranger, root)]


@of_today
def flags_come_before_the_capability(world: World) -> Answers:
    """A flag that does not exist beside MOVE_ALL, which the caller may not use."""
    shell = spawn(world)
    area = written(shell, 1)
    return [told(shell.move_pages(0, area, None, MPOL_MF_MOVE_ALL | flag)) for flag in (1, 8, 1 << 30)]


@of_today
def no_flag_is_needed_to_move(world: World) -> Answers:
    """MPOL_MF_MOVE is what 0 means, too."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    shell.fork("child").write(area[1])
    answers = [told(shell.move_pages(0, area, [there] * 2, 0)), told(shell.move_pages(0, area, [here] * 2, 0))]
    both = MPOL_MF_MOVE | MPOL_MF_MOVE_ALL
    return [*answers, told(spawn(world, "root", uid=0).move_pages(shell.pid, area, [there] * 2, both))]


@of_today
def a_pid_below_zero(world: World) -> Answers:
    """There is no such process."""
    shell = spawn(world)
    return [told(shell.move_pages(pid, [PAGE_SIZE])) for pid in (-1, -shell.pid)]


@of_today
def a_thread_of_the_kernel(world: World) -> Answers:
    """An ordinary user may not look at it; who may finds that it has no memory."""
    thread, shell, root = world.kernel_thread("kthreadd"), spawn(world), spawn(world, "root", uid=0)
    return [told(process.move_pages(thread.pid, [PAGE_SIZE])) for process in (shell, root)]


@of_today
def a_process_with_another_saved_uid(world: World) -> Answers:
    """All three uids have to be the caller's: else an ordinary user could look into programs that run as root."""
    shell, other = spawn(world, uid=1000), spawn(world, "other", uid=OTHER_UID)
    mixed = spawn(world, "mixed", uid=1000, suid=OTHER_UID)
    area = written(mixed, 1)
    return [told(process.move_pages(mixed.pid, area)) for process in (shell, other, mixed)]


@of_today
def a_process_with_another_effective_uid(world: World) -> Answers:
    """The caller's real uid counts, not the one that it acts with."""
    shell, mixed = spawn(world, uid=1000), spawn(world, "mixed", uid=1000, euid=OTHER_UID)
    theirs, mine = written(shell, 1), written(mixed, 1)
    return [told(shell.move_pages(mixed.pid, mine)), told(mixed.move_pages(shell.pid, theirs))]


@of_today
def the_capability_to_trace_opens_all_processes(world: World) -> Answers:
    """CAP_SYS_PTRACE does; CAP_SYS_NICE, which once did, does not."""
    stranger = spawn(world, "stranger", uid=OTHER_UID)
    area = written(stranger, 1)
    tracer = spawn(world, "tracer", capabilities=(CAP_SYS_PTRACE,))
    nice = spawn(world, "nice", capabilities=(CAP_SYS_NICE,))
    return [told(process.move_pages(stranger.pid, area)) for process in (tracer, nice)]


@of_today
def a_process_with_a_capability_more(world: World) -> Answers:
    """Of the same user, and still closed: whoever looks into it must have all its capabilities."""
    shell, nice = spawn(world), spawn(world, "nice", capabilities=(CAP_SYS_NICE,))
    mine, theirs = written(shell, 1), written(nice, 1)
    return [told(shell.move_pages(nice.pid, theirs)), told(nice.move_pages(shell.pid, mine))]


@of_today
def root_without_capabilities_is_nobody(world: World) -> Answers:
    """It may not look into another user's process, nor move shared pages."""
    stranger, root = spawn(world, "stranger", uid=OTHER_UID), spawn(world, "root", uid=0, capabilities=())
    theirs, mine = written(stranger, 1), written(root, 1)
    answers = [told(root.move_pages(stranger.pid, theirs))]
    return [*answers, told(root.move_pages(0, mine, [a_node(world)], MPOL_MF_MOVE_ALL))]


@of_today
def a_process_moves_pages_of_another_one(world: World) -> Answers:
    """Of the same user: they go where it says."""
    here, there = nodes_with_cpus(world, 2)
    shell, other = spawn(world), spawn(world, "other")
    area = written(shell, 2)
    answers = [told(other.move_pages(shell.pid, area, [there, here]))]
    return [*answers, places(shell, area)]


@of_today
def the_capability_alone_moves_shared_pages(world: World) -> Answers:
    """CAP_SYS_NICE, whoever has it."""
    _, there = nodes_with_cpus(world, 2)
    nice = spawn(world, "nice", capabilities=(CAP_SYS_NICE,))
    area = written(nice, 2)
    child = nice.fork("child")
    answers = [told(nice.move_pages(0, area, [there] * 2, flags)) for flags in (MPOL_MF_MOVE, MPOL_MF_MOVE_ALL)]
    return [*answers, places(child, area)]


@of_today
def who_asks_for_nothing_is_still_checked(world: World) -> Answers:
    """An empty list of another user's process."""
    shell, stranger = spawn(world), spawn(world, "stranger", uid=OTHER_UID)
    return [told(stranger.move_pages(pid, [], [])) for pid in (shell.pid, NOBODY, 0)]
