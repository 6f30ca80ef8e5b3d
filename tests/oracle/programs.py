"""Programs of calls as plain data: one player plays them on a model and on the running Linux alike.

A program is a list of steps that JSON can hold: ``[call, who, name, *arguments]``. What a step makes (a process, an
area, a pipe, a cpuset) gets the name, and later steps speak of it by that. A page is ``[area, i]``, also before and
behind the area, and ``[area, i, 8]`` an address within it; ``[area, i, number]`` are pages that follow each other. A
step that speaks of what is not there is left out, so that a program from which steps were taken away is a program
again. What is answered does not tell pids, addresses or what was written, which differ between worlds.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

from numakit import PAGE_SIZE

Step: TypeAlias = list[Any]
Program: TypeAlias = list[Step]
World: TypeAlias = Any  #: a Machine or a live World

LEFT_OUT = "left out"  #: the answer to a step that speaks of what is not there
NOBODY = 1 << 30  #: no process has this pid


class Missing(LookupError):
    """A step speaks of what is not there."""


class Player:
    """Plays one program in a world. What it has made ends with :meth:`end`, so that a world can see many programs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._made: dict[str, Any] = {"world": world}
        self._pids: dict[str, int] = {"": 0, "nobody": NOBODY}
        self._tokens: dict[int, int] = {0: 0}

    def play(self, step: Step) -> Any:
        """What a step is answered, as JSON would have it."""
        call, who, name, *arguments = step
        try:
            return getattr(self, f"_{call}")(self._thing(who), name, *arguments)
        except Missing:
            return LEFT_OUT

    def end(self) -> None:
        """Let all processes of the program end."""
        for name in [name for name in self._made if name in self._pids]:
            self._made.pop(name).exit()

    # -- what arguments stand for

    def _thing(self, name: str) -> Any:
        if name not in self._made:
            raise Missing(name)
        return self._made[name]

    def _pid(self, name: str) -> int:
        if name not in self._pids:
            raise Missing(name)
        return self._pids[name]

    def _page(self, page: list[Any]) -> int:
        area, i, *within = page
        return int(self._thing(area).start + i * PAGE_SIZE + sum(within))

    def _pages(self, pages: list[Any]) -> list[int]:
        area, first, number = pages
        return [self._page([area, first + i]) for i in range(number)]

    # -- who makes calls

    def _keep(self, name: str, process: Any) -> None:
        self._made[name], self._pids[name] = process, process.pid

    def _spawn(self, world: World, name: str, node: int, uid: int, capabilities: list[str] | None, cpuset: str) -> None:
        more = {"cpuset": self._thing(cpuset)} if cpuset else {}
        self._keep(name, world.spawn(name, node=node, uid=uid, capabilities=capabilities, **more))

    def _fork(self, process: Any, name: str) -> None:
        self._keep(name, process.fork(name))

    def _exit(self, process: Any, name: str) -> int:
        del self._made[process.name]
        return int(process.exit())

    def _cpuset(self, world: World, name: str, mems: list[int]) -> None:
        self._made[name] = world.cpuset(f"{name} of {id(self)}", mems, memory_migrate=True)

    def _set_mems(self, cpuset: Any, name: str, mems: list[int]) -> int:
        return int(cpuset.set_mems(mems))

    def _attach(self, cpuset: Any, name: str, process: str) -> int:
        return int(cpuset.attach(self._thing(process).pid))

    # -- memory

    def _mmap(self, process: Any, name: str, pages: int, shared: bool, prot: int) -> None:
        self._made[name] = process.mmap(pages, shared=shared, prot=prot)

    def _munmap(self, process: Any, name: str, pages: list[Any]) -> int:
        return int(process.munmap(self._pages(pages)))

    def _mprotect(self, process: Any, name: str, pages: list[Any], prot: int) -> int:
        return int(process.mprotect(self._pages(pages), prot))

    def _mlock(self, process: Any, name: str, pages: list[Any]) -> int:
        return int(process.mlock(self._pages(pages)))

    def _munlock(self, process: Any, name: str, pages: list[Any]) -> int:
        return int(process.munlock(self._pages(pages)))

    def _write(self, process: Any, name: str, pages: list[Any]) -> int:
        return int(process.write(self._pages(pages)))

    def _read(self, process: Any, name: str, pages: list[Any]) -> list[int]:
        return [self._token(token) for token in process.read(self._pages(pages))]

    def _token(self, token: int) -> int:
        """Contents, numbered as they are seen; 0 and errnos as they are."""
        return token if token < 0 else self._tokens.setdefault(token, len(self._tokens))

    def _vmsplice(self, process: Any, name: str, pages: list[Any]) -> None:
        self._made[name] = process.vmsplice(self._pages(pages))

    def _release(self, pipe: Any, name: str) -> int:
        return int(pipe.release())

    # -- where pages are, and where they are to be

    def _set_mempolicy(self, process: Any, name: str, mode: int, nodes: list[int]) -> Any:
        return process.set_mempolicy(mode, nodes).ret

    def _get_mempolicy(self, process: Any, name: str, page: list[Any] | None, flags: int) -> Any:
        answer = process.get_mempolicy(None if page is None else self._page(page), flags)
        return [answer.ret, answer.mode, answer.node, list(answer.nodes)]

    def _mbind(self, process: Any, name: str, pages: list[Any], mode: int, nodes: list[int], flags: int) -> Any:
        return process.mbind(self._pages(pages), mode, nodes, flags).ret

    def _migrate_pages(self, process: Any, name: str, target: str, old: list[int], new: list[int]) -> int:
        ret: int = process.migrate_pages(self._pid(target), old, new).ret
        return min(ret, 0)  # a real process has other pages, of which some stay

    def _move_pages(
        self, process: Any, name: str, target: str, pages: list[list[Any]], nodes: list[int] | None, flags: int
    ) -> Any:
        result = process.move_pages(self._pid(target), [self._page(page) for page in pages], nodes, flags)
        return [result.ret, result.status]


def play(world: World, program: Program) -> list[Any]:
    """What each step of a program is answered in a world. Raises what a call raises that is no answer."""
    player = Player(world)
    try:
        return [player.play(step) for step in program]
    finally:
        player.end()


# -- for people to read


def as_python(program: Program) -> str:
    """A program as lines of Python for a ``world``."""
    sizes = {step[2]: step[3] for step in program if step[0] == "mmap"}
    return "\n".join(_line(step, sizes) for step in program)


def _line(step: Step, sizes: dict[str, int]) -> str:
    call, who, name, *arguments = step
    told = ", ".join(_arguments(call, name, arguments, sizes))
    made = f"{name} = " if name else ""
    return f"{made}{who}.{call}({told})"


def _arguments(call: str, name: str, arguments: list[Any], sizes: dict[str, int]) -> Iterable[str]:
    def page(area: str, i: int, within: int = 0) -> str:
        begin = f"{area}[{i}]" if 0 <= i < sizes.get(area, 0) else f"{area}.start + {i} * PAGE_SIZE"
        return f"{begin} + {within}" if within else begin

    def pages(area: str, first: int, number: int) -> str:
        if (first, number) == (0, sizes.get(area)):
            return area
        if first >= 0 and first + number <= sizes.get(area, 0):
            return f"{area}[{first}:{first + number}]" if number > 1 else page(area, first)
        return f"range({page(area, first)}, {page(area, first + number)}, PAGE_SIZE)"

    if call == "spawn":
        node, uid, capabilities, cpuset = arguments
        more = f", capabilities={capabilities}" if capabilities is not None else ""
        return [f'"{name}", node={node}, uid={uid}{more}' + (f", cpuset={cpuset}" if cpuset else "")]
    if call == "fork":
        return [f'"{name}"']
    if call == "cpuset":
        return [f'"{name}", {arguments[0]}, memory_migrate=True']
    if call == "attach":
        return [f"{arguments[0]}.pid"]
    if call == "mmap":
        number, shared, prot = arguments
        return [str(number), *["shared=True"] * shared, *([f"prot={prot}"] if prot != 3 else [])]
    if call == "get_mempolicy":
        where, flags = arguments
        return ["None" if where is None else page(*where), str(flags)]
    if call in ("migrate_pages", "move_pages"):
        target, *rest = arguments
        pid = {"": "0", "nobody": str(NOBODY)}.get(target, f"{target}.pid")
        if call == "migrate_pages":
            return [pid, *map(str, rest)]
        named, nodes, flags = rest
        return [pid, f"[{', '.join(page(*one) for one in named)}]", str(nodes), str(flags)]
    if arguments and isinstance(arguments[0], list) and arguments[0] and isinstance(arguments[0][0], str):
        return [pages(*arguments[0]), *map(str, arguments[1:])]
    return map(str, arguments)
