"""What other test suites assert of real kernels, in our words; each scenario names the case.

LTP: testcases/kernel/syscalls/{move_pages,migrate_pages,mbind} and controllers/cpuset/cpuset_memory_test of the Linux
Test Project. numactl: its folder test.
"""

from __future__ import annotations

from numakit import MPOL_MF_MOVE, MPOL_MF_MOVE_ALL
from numakit.abi import (
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_MF_STRICT,
    MPOL_PREFERRED,
)
from tests.live.scenarios.play import (
    NOBODY,
    OTHER_UID,
    Answers,
    World,
    a_node,
    in_turn,
    nodes_with_cpus,
    nodes_with_memory,
    of_today,
    places,
    policy,
    refusal,
    spawn,
    spread,
    told,
    written,
)

# -- LTP, move_pages


@of_today
def ltp_move_pages_01(world: World) -> Answers:
    """A query of a page on each of two nodes; get_mempolicy() says the same."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = spread(shell, [here, there])
    nodes = [shell.get_mempolicy(address, MPOL_F_NODE | MPOL_F_ADDR).node for address in area]
    return [told(shell.move_pages(0, area, None, 0)), nodes]


@of_today
def ltp_move_pages_02(world: World) -> Answers:
    """Two private pages move, and can be written to afterwards."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2)
    return [told(shell.move_pages(0, area, [there] * 2)), shell.write(area), places(shell, area)]


@of_today
def ltp_move_pages_03(world: World) -> Answers:
    """Shared memory that a child has touched, too: root moves it with MOVE_ALL."""
    _, there = nodes_with_cpus(world, 2)
    root = spawn(world, "root", uid=0)
    area = written(root, 2, shared=True)
    child = root.fork("child")
    child.write(area)
    return [told(root.move_pages(0, area, [there] * 2, MPOL_MF_MOVE_ALL)), places(child, area)]


@of_today
def ltp_move_pages_04(world: World) -> Answers:
    """A touched page, one never touched, one only read, and one that was unmapped."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    touched, untouched, read, gone = written(shell, 1), shell.mmap(1), shell.mmap(1), shell.mmap(1)
    shell.read(read)
    shell.munmap(gone)
    return [told(shell.move_pages(0, [touched[0], untouched[0], read[0], gone[0]], [there] * 4))]


@of_today
def ltp_move_pages_05(world: World) -> Answers:
    """A shared page and a private one, both written to by the child."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    common, private = written(shell, 1, shared=True), written(shell, 1)
    child = shell.fork("child")
    child.write([common[0], private[0]])
    return [told(shell.move_pages(0, [common[0], private[0]], [there] * 2))]


@of_today
def ltp_move_pages_06(world: World) -> Answers:
    """The node behind the last one."""
    shell = spawn(world)
    area = written(shell, 2)
    behind = nodes_with_memory(world, 5)[-1] + 1
    return [told(shell.move_pages(0, area, [behind] * 2))]


@of_today
def ltp_move_pages_07(world: World) -> Answers:
    """A pid that nobody has."""
    shell = spawn(world)
    area = written(shell, 2)
    return [told(shell.move_pages(NOBODY, area, [a_node(world)] * 2))]


@of_today
def ltp_move_pages_08(world: World) -> Answers:
    """As many pages as can be said; since 2.6.29 the arrays end before that is noticed."""
    shell = spawn(world)
    area, room = written(shell, 1), shell.mmap(2)
    nodes, pages = shell.array(room[0], [a_node(world)] * 2, 4), shell.array(room.end - 8, [area[0]], 8)
    return [shell.move_pages(0, pages, nodes, MPOL_MF_MOVE, nr_pages=2**64 - 1).ret]


@of_today
def ltp_move_pages_09(world: World) -> Answers:
    """To the node where they are."""
    shell = spawn(world)
    area = written(shell, 2)
    return [told(shell.move_pages(0, area, [a_node(world)] * 2))]


@of_today
def ltp_move_pages_10(world: World) -> Answers:
    """STRICT is no flag of this call."""
    shell = spawn(world)
    area = written(shell, 2)
    return [told(shell.move_pages(0, area, [a_node(world)] * 2, MPOL_MF_STRICT))]


@of_today
def ltp_move_pages_11(world: World) -> Answers:
    """MOVE_ALL by an ordinary user."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 2, shared=True)
    shell.fork("child").write(area)
    return [told(shell.move_pages(0, area, [there] * 2, MPOL_MF_MOVE_ALL)), places(shell, area)]


# -- LTP, migrate_pages


@of_today
def ltp_migrate_pages_01(world: World) -> Answers:
    """A node to itself; pids that nobody has; a node that is not allowed; root's process, asked by another user."""
    node = a_node(world)
    root, nobody = spawn(world, "root", uid=0), spawn(world, "nobody", uid=OTHER_UID)
    behind = nodes_with_memory(world, 5)[-1] + 1
    answers = [refusal(root.migrate_pages(pid, {node}, {node})) for pid in (0, -1, NOBODY)]
    answers.append(refusal(root.migrate_pages(0, {node}, {behind})))
    return [*answers, refusal(nobody.migrate_pages(root.pid, {node}, {node}))]


@of_today
def ltp_migrate_pages_02_self(world: World) -> Answers:
    """A private page follows there and back; a page that the parent shares follows only for who has the capability."""
    here, there = nodes_with_cpus(world, 2)
    answers: Answers = []
    for uid in (0, OTHER_UID):
        shell = spawn(world, uid=uid)
        common = written(shell, 1)
        child = shell.fork("child")
        private = written(child, 1)
        for old, new in ((here, there), (there, here)):
            answers.append(refusal(child.migrate_pages(0, {old}, {new})))
            answers += [places(child, private), places(child, common)]
    return answers


@of_today
def ltp_migrate_pages_02_other(world: World) -> Answers:
    """A process of the same user moves the page, and so does root."""
    here, there = nodes_with_cpus(world, 2)
    answers: Answers = []
    for uid in (0, OTHER_UID):
        target, mover = spawn(world, "target", uid=OTHER_UID), spawn(world, "mover", uid=uid)
        area = written(target, 1)
        answers += [refusal(mover.migrate_pages(target.pid, {here}, {there})), places(target, area)]
    return answers


# -- LTP, mbind


@of_today
def ltp_mbind_01(world: World) -> Answers:
    """Modes with nodes and without, and the policy that is told afterwards."""
    shell, node = spawn(world), a_node(world)
    answers: Answers = []
    modes = ((MPOL_DEFAULT, 0), (MPOL_DEFAULT, 1), (MPOL_BIND, 0), (MPOL_BIND, 1), (MPOL_INTERLEAVE, 0))
    more = ((MPOL_INTERLEAVE, 1), (MPOL_PREFERRED, 1), (99, 1))
    for mode, number in (*modes, *more):
        area = shell.mmap(1)
        answers.append(shell.mbind(area, mode, [node] * number).ret)
        answers.append(policy(shell.get_mempolicy(area[0], MPOL_F_ADDR)))
    return [*answers, shell.mbind(area, MPOL_BIND, [node], 1 << 31).ret]


@of_today
def ltp_mbind_02(world: World) -> Answers:
    """A page on one node, a policy for another, STRICT: refused."""
    _, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = written(shell, 1)
    modes = (MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE)
    return [shell.mbind(area, mode, {there}, MPOL_MF_STRICT).ret for mode in modes]


@of_today
def ltp_mbind_03(world: World) -> Answers:
    """The same with MOVE and with MOVE_ALL: the page is on the other node."""
    _, there = nodes_with_cpus(world, 2)
    root = spawn(world, "root", uid=0)
    answers: Answers = []
    for mode in (MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE):
        for flags in (MPOL_MF_MOVE, MPOL_MF_MOVE_ALL):
            area = written(root, 1)
            answers += [root.mbind(area, mode, {there}, flags).ret, places(root, area)]
    return answers


@of_today
def ltp_mbind_04(world: World) -> Answers:
    """Sixteen pages for each node, touched by the process or by its child, come from where they are bound to."""
    shell = spawn(world)
    answers: Answers = []
    for node in nodes_with_memory(world, 5):
        for flags in (0, MPOL_MF_STRICT):
            mine, theirs = shell.mmap(16), shell.mmap(16)
            answers += [shell.mbind(area, MPOL_BIND, {node}, flags).ret for area in (mine, theirs)]
            shell.write(mine)
            child = shell.fork("child")
            child.write(theirs)
            answers += [sorted(set(places(shell, mine))), sorted(set(places(child, theirs)))]
            child.exit()
    return answers


# -- LTP, cpuset_memory_test


@of_today
def ltp_cpuset_memory_01_to_08(world: World) -> Answers:
    """In a cpuset of one node all memory comes from there: anonymous, locked, of a file, shared."""
    answers: Answers = []
    for node in nodes_with_cpus(world, 2):
        shell, file = spawn(world, mems=[node]), world.file("data", 1)
        locked = shell.mmap(1)
        shell.mlock(locked)
        areas = [written(shell, 1), locked, written(shell, 1, shared=True), written(shell, 1, shared=True, file=file)]
        answers.append(places(shell, [area[0] for area in areas]))
    return answers


@of_today
def ltp_cpuset_memory_10(world: World) -> Answers:
    """A process goes into another cpuset: its page moves along."""
    here, there = nodes_with_cpus(world, 2)
    first, second = (world.cpuset(name, [node], memory_migrate=True) for name, node in (("a", here), ("b", there)))
    shell = spawn(world, cpuset=first)
    area = written(shell, 1)
    before = places(shell, area)
    return [before, second.attach(shell.pid), places(shell, area), places(shell, written(shell, 1))]


@of_today
def ltp_cpuset_memory_12(world: World) -> Answers:
    """The cpuset gets another node: the page moves along."""
    here, there = nodes_with_cpus(world, 2)
    cpuset = world.cpuset("a", [there], memory_migrate=True)
    shell = spawn(world, cpuset=cpuset)
    area = written(shell, 1)
    before = places(shell, area)
    return [before, cpuset.set_mems([here]), places(shell, area), places(shell, written(shell, 1))]


# -- numactl


@of_today
def numactl_move_pages(world: World) -> Answers:
    """32 pages of which one was never touched go round the nodes, without a flag; contents stay."""
    nodes = nodes_with_memory(world, 5)
    shell = spawn(world)
    area = shell.mmap(32)
    shell.write([address for i, address in enumerate(area) if i != 2])
    contents = shell.read(area[3:32])
    answers = [told(shell.move_pages(0, area, None, 0))]
    answers.append(told(shell.move_pages(0, area, [nodes[i % 5] for i in range(32)], 0)))
    return [*answers, shell.read(area[3:32]) == contents]


@of_today
def numactl_migrate_pages(world: World) -> Answers:
    """All pages to the second node, and all pages of the process back to the first."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(8)
    shell.write([address for i, address in enumerate(area) if i != 2])
    answers = [told(shell.move_pages(0, area, [there] * 8)), places(shell, area)]
    return [*answers, refusal(shell.migrate_pages(0, {there}, {here})), places(shell, area)]


@of_today
def numactl_mbind_mig_pages(world: World) -> Answers:
    """Bound to the first node and then to the second, with MOVE and STRICT."""
    here, there = nodes_with_cpus(world, 2)
    shell = spawn(world)
    area = shell.mmap(8)
    shell.write([address for i, address in enumerate(area) if i != 2])
    contents = shell.read(area[3:8])
    flags = MPOL_MF_MOVE | MPOL_MF_STRICT
    answers = [shell.mbind(area, MPOL_BIND, {node}, flags).ret for node in (here, there)]
    return [*answers, places(shell, area), shell.read(area[3:8]) == contents]


@of_today
def numactl_prefered(world: World) -> Answers:
    """A page comes from the node that is preferred, on each node."""
    shell = spawn(world)
    answers: Answers = []
    for node in nodes_with_memory(world, 5):
        area = shell.mmap(1)
        answers.append(shell.mbind(area, MPOL_PREFERRED, {node}).ret)
        shell.write(area)
        answers.append(places(shell, area))
    return answers


@of_today
def numactl_tshared(world: World) -> Answers:
    """Shared memory is interleaved in turn, seen by another process that maps it."""
    nodes = nodes_with_memory(world, 4)
    shell = spawn(world)
    area = shell.mmap(8, shared=True)
    child = shell.fork("child")
    shell.mbind(area, MPOL_INTERLEAVE, nodes)
    child.write(area)
    shell.read(area)
    return [in_turn(places(shell, area), nodes), places(child, area) == places(shell, area)]
