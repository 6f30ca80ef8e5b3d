"""What processes do with memory: first touches, fork and copy on write, files, memory that is locked or held."""

from __future__ import annotations

from numakit import PROT_NONE, PROT_READ
from numakit.abi import PROT_WRITE
from tests.live.scenarios.play import (
    Answers,
    World,
    nodes_with_cpus,
    of_today,
    places,
    scenario,
    spawn,
    told,
    written,
)


@scenario
def copy_on_write(world: World) -> Answers:
    """A child reads what its parent wrote, until it writes itself."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    written = shell.read(area[0])
    child = shell.fork("child")
    answers = [child.read(area[0]) == written, child.write(area), child.read(area[0]) == written]
    return [*answers, shell.read(area[0]) == written, told(child.move_pages(0, area))]


@scenario
def shared_memory(world: World) -> Answers:
    """A child's writes are its parent's."""
    shell = spawn(world)
    area = shell.mmap(1, shared=True)
    child = shell.fork("child")
    answers = [child.write(area), child.read(area[0]) == shell.read(area[0]) > 0]
    return [*answers, told(shell.move_pages(0, area))]


@scenario
def a_child_outlives_its_parent(world: World) -> Answers:
    """And keeps the memory."""
    shell = spawn(world)
    area = shell.mmap(1)
    shell.write(area)
    child = shell.fork("child")
    return [shell.exit(), child.read(area[0]) > 0, told(child.move_pages(0, area))]


@scenario
def mlock_makes_pages_present(world: World) -> Answers:
    """And a hole is told."""
    shell = spawn(world)
    area = shell.mmap(3)
    answers = [shell.mlock(area[0:2]), told(shell.move_pages(0, area[0:2])), shell.munlock(area[0:2])]
    shell.munmap(area[2])
    return [*answers, shell.mlock(area), shell.munlock(area), shell.mprotect(area, PROT_READ)]


@scenario
def memory_of_a_file(world: World) -> Answers:
    """No page is there before somebody reads it."""
    shell, file = spawn(world), world.file("data", 3)
    area = shell.mmap(3, shared=True, file=file)
    answers = [told(shell.move_pages(0, area))]
    shell.read(area)
    return [*answers, told(shell.move_pages(0, area))]


@scenario
def a_private_copy_of_a_file(world: World) -> Answers:
    """Others who map the file do not see what is written to it."""
    shell, other, file = spawn(world), spawn(world, "other"), world.file("data", 1)
    mine, theirs = shell.mmap(1, file=file), other.mmap(1, shared=True, file=file)
    before = other.read(theirs[0])
    answers = [shell.write(mine), other.read(theirs[0]) == before, shell.read(mine[0]) == before]
    return [*answers, told(shell.move_pages(0, mine))]


@scenario
def pages_in_a_pipe(world: World) -> Answers:
    """They are where they were."""
    shell = spawn(world)
    area = shell.mmap(2)
    shell.write(area)
    pipe = shell.vmsplice(area)
    return [told(shell.move_pages(0, area)), pipe.release(), shell.read(area[0]) > 0]


@of_today
def first_touches_go_to_the_node_of_the_cpu(world: World) -> Answers:
    """Each process has its pages where it runs."""
    processes = [world.spawn("there", node=node) for node in nodes_with_cpus(world, 4)]
    return [places(process, written(process, 2)) for process in processes]


@of_today
def shared_memory_lies_where_it_was_touched_first(world: World) -> Answers:
    """Whoever comes later maps the page that is there."""
    here, there = nodes_with_cpus(world, 2)
    file = world.file("common", 3)
    one, other = world.spawn("one", node=here), world.spawn("other", node=there)
    mine, theirs = one.mmap(3, shared=True, file=file), other.mmap(3, shared=True, file=file)
    one.write(mine[0])
    other.write(theirs[1])
    one.read(mine)
    other.read(theirs)
    return [places(one, mine), places(other, theirs)]


@of_today
def the_copy_lies_where_the_writer_runs(world: World) -> Answers:
    """The page that it copies stays on the other node."""
    here, there = nodes_with_cpus(world, 2)
    shell = world.spawn("shell", node=here)
    area = written(shell, 2)
    shell.move_pages(0, area, [there] * 2)
    child = shell.fork("child")
    child.write(area[0])
    return [places(child, area), places(shell, area)]


@of_today
def who_writes_last_need_not_copy(world: World) -> Answers:
    """When the child has its own copy, the parent is alone with the page, which stays where it is."""
    here, there = nodes_with_cpus(world, 2)
    shell = world.spawn("shell", node=here)
    area = written(shell, 1)
    shell.move_pages(0, area, [there])
    child = shell.fork("child")
    child.write(area)
    shell.write(area)
    return [places(child, area), places(shell, area)]


@of_today
def a_page_is_its_owners_alone_when_the_child_has_exited(world: World) -> Answers:
    """It moves then."""
    here, there = nodes_with_cpus(world, 2)
    shell = world.spawn("shell", node=here)
    area = written(shell, 1)
    child = shell.fork("child")
    answers = [told(shell.move_pages(0, area, [there]))]
    child.exit()
    return [*answers, told(shell.move_pages(0, area, [there]))]


@of_today
def a_page_of_three_processes(world: World) -> Answers:
    """It is shared until the last but one has copied it."""
    here, there = nodes_with_cpus(world, 2)
    shell = world.spawn("shell", node=here)
    area = written(shell, 1)
    child = shell.fork("child")
    grandchild = child.fork("grandchild")
    answers = [told(shell.move_pages(0, area, [there]))]
    for process in (child, grandchild):
        process.write(area)
        answers.append(told(shell.move_pages(0, area, [there])))
    return [*answers, places(child, area), places(grandchild, area)]


@of_today
def contents_come_along(world: World) -> Answers:
    """Pages of two processes, moved by one of them, are still copied when somebody writes."""
    here, there = nodes_with_cpus(world, 2)
    root = world.spawn("root", node=here, uid=0)
    area = written(root, 2)
    child = root.fork("child")
    contents = root.read(area)
    answers = [told(root.move_pages(0, area, [there] * 2, 4)), child.read(area) == contents]
    child.write(area[0])
    return [*answers, root.read(area) == contents, child.read(area[0]) == contents[0], places(child, area)]


@of_today
def what_may_be_done_with_a_page_does_not_change(world: World) -> Answers:
    """A read-only page moves, and stays read-only."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    shell.mprotect(area[0], PROT_READ)
    answers = [told(shell.move_pages(0, area, [there] * 2)), shell.write(area[0]), shell.write(area[1])]
    return [*answers, shell.mprotect(area[0], PROT_READ | PROT_WRITE), shell.write(area[0]), places(shell, area)]


@of_today
def a_page_that_may_not_be_accessed(world: World) -> Answers:
    """Whether it moves."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    shell.mprotect(area[0], PROT_NONE)
    answers = [told(shell.move_pages(0, area, [there] * 2))]
    return [*answers, shell.mprotect(area[0], PROT_READ), shell.read(area[0]) > 0, places(shell, area)]


@of_today
def pages_of_a_file_move(world: World) -> Answers:
    """Those that were only read, and those that were written to."""
    _, there = nodes_with_cpus(world, 2)
    shell, file = spawn(world), world.file("data", 3)
    area = shell.mmap(3, shared=True, file=file)
    shell.write(area[0])
    shell.read(area[1])
    return [told(shell.move_pages(0, area, [there] * 3)), shell.read(area[0]) > 0, places(shell, area)]


@of_today
def pages_of_a_file_that_two_processes_map(world: World) -> Answers:
    """They stay, where both have mapped the page; one that only one of them has mapped moves."""
    _, there = nodes_with_cpus(world, 2)
    shell, other, file = spawn(world), spawn(world, "other"), world.file("data", 2)
    mine, theirs = shell.mmap(2, shared=True, file=file), other.mmap(2, shared=True, file=file)
    shell.write(mine)
    other.read(theirs[0])
    return [told(shell.move_pages(0, mine, [there] * 2)), told(other.move_pages(0, theirs))]


@of_today
def a_page_that_one_process_maps_twice(world: World) -> Answers:
    """It counts as shared."""
    _, there = nodes_with_cpus(world, 2)
    shell, file = spawn(world), world.file("data", 1)
    one, again = shell.mmap(1, shared=True, file=file), shell.mmap(1, shared=True, file=file)
    shell.write(one)
    before = told(shell.move_pages(0, one, [there]))
    shell.read(again)
    return [before, told(shell.move_pages(0, one, [there])), told(shell.move_pages(0, again, [there]))]


@of_today
def a_private_copy_of_a_file_moves_alone(world: World) -> Answers:
    """The file's own page stays where it is."""
    _, there = nodes_with_cpus(world, 2)
    shell, other, file = spawn(world), spawn(world, "other"), world.file("data", 2)
    mine, theirs = shell.mmap(2, file=file), other.mmap(2, shared=True, file=file)
    other.write(theirs)
    shell.read(mine[1])
    shell.write(mine[0])
    answers = [told(shell.move_pages(0, mine, [there] * 2))]
    return [*answers, told(other.move_pages(0, theirs)), told(other.move_pages(0, theirs, [there] * 2))]


@of_today
def shared_memory_that_only_one_process_touched(world: World) -> Answers:
    """It moves; once the child has mapped it, it does not."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(2, shared=True)
    child = shell.fork("child")
    shell.write(area)
    answers = [told(shell.move_pages(0, area, [there] * 2))]
    child.read(area[1])
    return [*answers, told(shell.move_pages(0, area, [here] * 2)), places(child, area)]


@of_today
def locked_memory_moves_and_stays_locked(world: World) -> Answers:
    """Back and forth, and when the lock is taken off."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(2)
    answers = [shell.mlock(area), told(shell.move_pages(0, area, [there, there]))]
    answers += [told(shell.move_pages(0, area, [here, there])), shell.munlock(area)]
    return [*answers, told(shell.move_pages(0, area, [there, here]))]


@of_today
def a_pipe_holds_pages_of_a_process_that_exited(world: World) -> Answers:
    """A child has mapped them, too: they stay as long as somebody holds them."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    child = shell.fork("child")
    shell.vmsplice(area)
    answers = [told(child.move_pages(0, area, [there]))]
    shell.exit()
    return [*answers, told(child.move_pages(0, area, [there]))]


@of_today
def a_page_that_was_written_to_after_it_was_put_into_a_pipe(world: World) -> Answers:
    """It is the same page: whoever is alone with it does not copy it, or does, and then can move the copy."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    shell.vmsplice(area)
    shell.write(area)
    return [shell.move_pages(0, area, [there]).ret, places(shell, area)]


@of_today
def a_page_in_two_pipes(world: World) -> Answers:
    """Both have to let go."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    pipes = [shell.vmsplice(area), shell.vmsplice(area)]
    answers = [told(shell.move_pages(0, area, [there]))]
    for pipe in pipes:
        pipe.release()
        answers.append(told(shell.move_pages(0, area, [there])))
    return answers
