"""What if somebody else acted here: who could, what they could do, and how it is let happen and taken back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from numakit.facade.call import BoundCall
from numakit.facade.machine import Machine
from numakit.facade.run import Run
from numakit.timeline.task import Task
from numakit.widgets.scene import Scene

MOST_PLACES = 40  #: addresses that are offered


class Added(NamedTuple):
    """Somebody who was let act at a position, and the turns that the run had before."""

    task: Task
    position: int
    turns: list[int]


class Deed(NamedTuple):
    """Something that a process can do: its name for people, the call behind it, and whether it needs an address."""

    name: str
    call: str
    needs_address: bool = True


DEEDS = {
    "read": Deed("touch (read)", "read"),
    "write": Deed("write", "write"),
    "pin": Deed("pin for a while", "pin_for_a_while"),
    "vmsplice": Deed("pin in a pipe", "vmsplice"),
    "munmap": Deed("unmap", "munmap"),
    "fork": Deed("fork", "fork", needs_address=False),
    "exit": Deed("exit", "exit", needs_address=False),
    "write_back": Deed("start writeback", "write_back"),
}


def places(scene: Scene) -> list[int]:
    """The addresses that are offered: those of the PTEs that are shown, then those of the call's entries."""
    entries = [int(text, 16) for text in (entry.name.partition(": ")[2] for entry in scene.entries) if text]
    return list(dict.fromkeys([*(pte.address for pte in scene.ptes), *entries]))[:MOST_PLACES]


def offers(machine: Machine, scene: Scene) -> dict[str, Any]:
    """What can be chosen from at the step where the machine stands, as plain data."""
    return {
        "who": [[process.pid, process.name] for process in machine.processes if _has_memory(machine, process.pid)],
        "what": [[key, deed.name, deed.needs_address] for key, deed in DEEDS.items()],
        "where": [f"{address:#x}" for address in places(scene)],
    }


def _has_memory(machine: Machine, pid: int) -> bool:
    return bool(machine.table[("process", pid)].mm)


def let_happen(run: Run[Any], pid: int, deed: str, address: int) -> Task:
    """Let a process do something at the step where the run stands; what came later is forgotten. The new task.

    Raises ValueError, with the run as it was, for a process, deed or address that does not exist.
    """
    if deed not in DEEDS:
        raise ValueError(f"deed={deed!r}: there are {', '.join(DEEDS)}")
    call, arguments = _call(run.machine, pid, deed, address)
    call.prepare(*arguments)
    run.now.do(call, *arguments)
    return run.interferences[-1][0]


def _call(machine: Machine, pid: int, deed: str, address: int) -> tuple[BoundCall[..., Any], Sequence[Any]]:
    process = machine.process(pid)
    if deed == "write_back":
        page = process.page(address)
        mapping = machine.mapping[page] if page is not None else 0
        if page is None or mapping <= 0:
            raise ValueError(
                f"address={address:#x}: no page of a file is mapped there, so there is nothing to write back"
            )
        return machine.file_numbered(mapping).write_back, [machine.index[page]]
    call: BoundCall[..., Any] = getattr(process, DEEDS[deed].call)
    return call, [address] if DEEDS[deed].needs_address else []


def take_back(run: Run[Any], task: Task, turns: Sequence[int]) -> None:
    """Take somebody out again who was let happen, and let the others have the turns that they had before."""
    run.forget(task)
    for number in turns[run.position :]:
        run.turn(run.tasks[number - 1])
