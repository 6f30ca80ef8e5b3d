"""Random programs of calls that a model and a real kernel of the guest's five nodes are to answer alike.

A program is drawn call by call, with little regard for what has become of processes and pages: calls that fail are
calls, too. After calls that move pages it is often asked where they are.
"""

from __future__ import annotations

from random import Random
from typing import Any

from numakit.abi import (
    CAP_SYS_NICE,
    MPOL_BIND,
    MPOL_DEFAULT,
    MPOL_F_ADDR,
    MPOL_F_NODE,
    MPOL_INTERLEAVE,
    MPOL_MF_MOVE,
    MPOL_MF_MOVE_ALL,
    MPOL_MF_STRICT,
    MPOL_PREFERRED,
    PROT_NONE,
    PROT_READ,
    PROT_WRITE,
)
from tests.oracle.programs import Program

CALLS = 40  #: steps of a program
NODES = (0, 1, 2, 3, 4)  #: of the guest
WITH_CPUS = (0, 1, 2, 3)
BAD_NODES = (5, 63, 1023, 1024, -1, 2**31 - 1)
READ_WRITE = PROT_READ | PROT_WRITE
MOST_PROCESSES = 5


class Author:
    """Writes one program."""

    def __init__(self, random_seed: int) -> None:
        self.random = Random(random_seed)
        self.program: Program = []
        self.processes: list[str] = []
        self.gone: list[str] = []
        self.areas: dict[str, int] = {}
        self.pipes: list[str] = []
        self.cpusets: list[str] = []
        self._names = 0
        #: Shared memory interleaves from the number of its inode on, which is not modelled: a program of this kind
        #: interleaves over one node only.
        self.shares = self.random.random() < 0.5

    def write(self, calls: int) -> Program:
        """So many steps."""
        self.spawn()
        self.mmap()
        while len(self.program) < calls:
            getattr(self, self.random.choices(tuple(WEIGHTS), tuple(WEIGHTS.values()))[0])()
        return self.program[:calls]

    # -- what is drawn for arguments

    def name(self, kind: str) -> str:
        """A new name."""
        self._names += 1
        return f"{kind}{self._names}"

    def who(self) -> str:
        """A process, mostly one that is there."""
        return self.random.choice(self.processes) if self.processes else self.spawn()

    def target(self) -> str:
        """Whose pages a call is about: mostly the caller's own."""
        others = [*self.processes * 3, *self.gone[-1:], "nobody"]
        return "" if self.random.random() < 0.6 else self.random.choice(others)

    def area(self) -> str:
        """One of the latest areas, mostly."""
        return self.random.choice(list(self.areas)[-4:] if self.random.random() < 0.8 else list(self.areas))

    def page(self) -> list[Any]:
        """A page of an area, now and then one beside it, or an address within a page."""
        area = self.area()
        if self.random.random() < 0.08:
            return [area, self.random.choice((-1, self.areas[area]))]
        within = [self.random.randrange(1, 4096)] if self.random.random() < 0.03 else []
        return [area, self.random.randrange(self.areas[area]), *within]

    def pages(self) -> list[Any]:
        """Pages of an area that follow each other, now and then beyond its end."""
        area = self.area()
        size = self.areas[area]
        if self.random.random() < 0.4:
            return [area, 0, size]
        first = self.random.randrange(size)
        return [area, first, self.random.randint(1, size - first + (self.random.random() < 0.1))]

    def node(self) -> int:
        """A node, seldom one that is not there."""
        return self.random.choice(BAD_NODES if self.random.random() < 0.02 else NODES)

    def nodes(self) -> list[int]:
        """A set of nodes, seldom with one that is not there."""
        chosen = self.random.sample(NODES, self.random.choice((1, 1, 2, 2, 3, 4, 5)))
        if self.random.random() < 0.05:
            chosen.append(self.random.choice([node for node in BAD_NODES if 0 <= node < 1 << 20]))
        return sorted(chosen)

    def policy(self) -> tuple[int, list[int]]:
        """A mode and nodes that mostly fit it."""
        mode = self.random.choices((MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE), (2, 3, 4, 5))[0]
        fits = self.random.random() < (0.8 if mode == MPOL_PREFERRED else 0.95)
        if mode == MPOL_DEFAULT:
            return mode, [] if fits else self.nodes()
        nodes = self.nodes() if fits else []
        if mode == MPOL_INTERLEAVE and self.shares:
            nodes = nodes[:1]
        return (mode if self.random.random() < 0.98 else 77), nodes

    # -- calls

    def spawn(self) -> str:
        """A process; mostly of the ordinary user."""
        name, random = self.name("p"), self.random
        if len(self.processes) >= MOST_PROCESSES:
            self.exit()
        uid = random.choices((1000, 1001, 0), (6, 1, 3))[0]
        capabilities = random.choices((None, [CAP_SYS_NICE], []), (8, 1, 1))[0]
        cpuset = random.choice(self.cpusets) if self.cpusets and random.random() < 0.5 else ""
        self.program.append(["spawn", "world", name, random.choice(WITH_CPUS), uid, capabilities, cpuset])
        self.processes.append(name)
        return name

    def fork(self) -> None:
        """A child."""
        if len(self.processes) >= MOST_PROCESSES:
            return self.exit()
        parent, name = self.who(), self.name("p")
        self.program.append(["fork", parent, name])
        self.processes.append(name)

    def exit(self) -> None:
        """A process ends; not the last one."""
        if len(self.processes) > 1:
            self.gone.append(self.who())
            self.processes.remove(self.gone[-1])
            self.program.append(["exit", self.gone[-1], ""])

    def cpuset(self) -> None:
        """A cpuset, or another process in one."""
        if len(self.cpusets) < 2:
            name = self.name("c")
            self.cpusets.append(name)
            self.program.append(["cpuset", "world", name, self.mems()])
        self.program.append(["attach", self.random.choice(self.cpusets), "", self.who()])
        self.look()

    def mems(self) -> list[int]:
        """Nodes of a cpuset."""
        return sorted(self.random.sample(NODES, self.random.randint(1, 4)))

    def set_mems(self) -> None:
        """A cpuset gets other nodes."""
        if self.cpusets:
            self.program.append(["set_mems", self.random.choice(self.cpusets), "", self.mems()])
            self.look()

    def mmap(self) -> None:
        """An area, mostly touched at once."""
        name, process = self.name("a"), self.who()
        self.areas[name] = self.random.choice((1, 2, 3, 4, 6, 8))
        shared = self.shares and self.random.random() < 0.4
        prot = self.random.choices((READ_WRITE, PROT_READ, PROT_NONE), (18, 1, 1))[0]
        self.program.append(["mmap", process, name, self.areas[name], shared, prot])
        if self.random.random() < 0.8:
            self.program.append(["write", process, "", [name, 0, self.random.randint(1, self.areas[name])]])

    def munmap(self) -> None:
        """Pages go."""
        self.program.append(["munmap", self.who(), "", self.pages()])

    def mprotect(self) -> None:
        """Pages may be used otherwise."""
        prot = self.random.choice((READ_WRITE, READ_WRITE, PROT_READ, PROT_NONE))
        self.program.append(["mprotect", self.who(), "", self.pages(), prot])

    def mlock(self) -> None:
        """Pages are locked in memory, or no longer."""
        self.program.append([self.random.choice(("mlock", "mlock", "munlock")), self.who(), "", self.pages()])

    def touch(self) -> None:
        """Pages are written to, or read."""
        self.program.append([self.random.choice(("write", "write", "read")), self.who(), "", self.pages()])

    def pipe(self) -> None:
        """A pipe holds pages, or lets go."""
        if self.pipes and self.random.random() < 0.4:
            self.program.append(["release", self.pipes.pop(self.random.randrange(len(self.pipes))), ""])
            return
        name, (area, first, number) = self.name("pipe"), self.pages()
        self.pipes.append(name)
        self.program.append(["vmsplice", self.who(), name, [area, first, min(number, 3)]])

    def set_mempolicy(self) -> None:
        """A policy of the process, which is mostly put to use at once, and asked for now and then."""
        process = self.who()
        self.program.append(["set_mempolicy", process, "", *self.policy()])
        if self.random.random() < 0.3:
            self.program.append(["get_mempolicy", process, "", None, 0])
        if self.random.random() < 0.6:
            self.fresh(process)
            self.look()

    def fresh(self, process: str) -> list[Any]:
        """A new area, all of whose pages are touched. These pages."""
        name = self.name("a")
        self.areas[name] = self.random.choice((2, 3, 4, 6))
        shared = self.shares and self.random.random() < 0.4
        self.program.append(["mmap", process, name, self.areas[name], shared, READ_WRITE])
        self.program.append(["write", process, "", [name, 0, self.areas[name]]])
        return [name, 0, self.areas[name]]

    def get_mempolicy(self) -> None:
        """Where interleaving goes on is not asked: a real process allocates for itself, too, and that counts."""
        if self.random.random() < 0.4:
            page, flags = None, 0
        else:
            page, flags = self.page(), MPOL_F_ADDR | self.random.choice((0, MPOL_F_NODE))
        self.program.append(["get_mempolicy", self.who(), "", page, flags])

    def mbind(self) -> None:
        """A policy of pages."""
        kinds = (0, MPOL_MF_STRICT, MPOL_MF_MOVE, MPOL_MF_MOVE | MPOL_MF_STRICT, MPOL_MF_MOVE_ALL, 64)
        flags = self.random.choices(kinds, (6, 2, 6, 3, 2, 0.3))[0]
        process, pages = self.who(), self.pages()
        touch = None
        if self.random.random() < 0.3:
            pages = self.fresh(process)
            touch = self.program.pop()
        self.program.append(["mbind", process, "", pages, *self.policy(), flags])
        self.program += [touch] if touch else []
        self.look()

    def migrate_pages(self) -> None:
        """All pages of a process."""
        self.program.append(["migrate_pages", self.who(), "", self.target(), self.nodes(), self.nodes()])
        self.look()

    def move_pages(self) -> None:
        """A list, mostly short, now and then long, with runs of one node and pages that are named twice."""
        random = self.random
        number = random.choices((random.randint(1, 8), random.randint(20, 80), 600), (30, 4, 0.2))[0]
        pages: list[list[Any]] = []
        nodes: list[int] = []
        while len(pages) < number:
            node = self.node()
            for _ in range(random.choice((1, 1, 2, 3, 5))):
                pages.append(random.choice(pages) if pages and random.random() < 0.1 else self.page())
                nodes.append(node)
        flags = random.choices((MPOL_MF_MOVE, MPOL_MF_MOVE_ALL, 0, 8), (12, 5, 1, 0.2))[0]
        self.program.append(["move_pages", self.who(), "", self.target(), pages, nodes, flags])
        self.look()

    def query(self) -> None:
        """Where are these pages?"""
        pages = [self.page() for _ in range(self.random.randint(1, 20))]
        self.program.append(["move_pages", self.who(), "", self.target(), pages, None, MPOL_MF_MOVE])

    def look(self) -> None:
        """Where are all pages of the latest areas? Asked by a process about itself."""
        if self.random.random() < 0.7:
            pages = [[area, i] for area in list(self.areas)[-4:] for i in range(self.areas[area])]
            self.program.append(["move_pages", self.who(), "", "", pages, None, MPOL_MF_MOVE])


WEIGHTS = {
    "spawn": 2,
    "fork": 4,
    "exit": 1.5,
    "cpuset": 1.5,
    "set_mems": 1,
    "mmap": 5,
    "munmap": 1.5,
    "mprotect": 1.5,
    "mlock": 2,
    "touch": 8,
    "pipe": 3,
    "set_mempolicy": 3,
    "get_mempolicy": 2,
    "mbind": 6,
    "migrate_pages": 4,
    "move_pages": 12,
    "query": 2,
}  #: how often each call is drawn


def random_program(random_seed: int, calls: int = CALLS) -> Program:
    """The program of a seed."""
    return Author(random_seed).write(calls)
