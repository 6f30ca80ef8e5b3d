"""Scenarios in a guest: it gets the file and the kit, and tells what was played, a line for each scenario."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import networkx as nx

from numakit.guest import CouldNotRun, GuestImage, boot
from numakit.live import World
from numakit.scenario.file import ScenarioFile, open_scenarios
from numakit.scenario.play import Play, play
from numakit.scenario.record import PlayedCall

SECONDS = 600  #: more than a machine needs that is fast enough to be worth waiting for
MARK = "numakit-play "  #: before a line that tells of a play: the file may print others
FOLDER = "played"  #: where the file lies in the guest


def play_in_guest(file: ScenarioFile, names: Sequence[str], image: GuestImage, seconds: float = SECONDS) -> list[Play]:
    """Play scenarios on the kernel of an image. A play that the guest did not tell of says why it could not run."""
    where = f"Linux {image.release}"
    try:
        lines = boot(image, program(file, names), seconds)
    except CouldNotRun as reason:
        return [Play(name, where, image.release, (), "cannot", str(reason)) for name in names]
    told = {one.scenario: one for one in map(from_line, lines) if one is not None}
    lost = "the guest did not tell of it"
    return [told.get(name, Play(name, where, image.release, (), "cannot", lost)) for name in names]


def program(file: ScenarioFile, names: Sequence[str]) -> dict[str, bytes]:
    """What runs in the guest. What lies beside the file is not taken along."""
    path = f"{FOLDER}/{file.path.name}"
    main = f"from numakit.scenario.guest import tell\ntell({f'/program/{path}'!r}, {file.label!r}, {list(names)!r})\n"
    return packed() | {path: file.source.encode(), "main.py": main.encode()}


def packed() -> dict[str, bytes]:
    """The Python files of the kit and of networkx, by path."""
    packages = {"numakit": Path(__file__).parents[1], "networkx": Path(nx.__file__).parent}
    return {
        f"{name}/{path.relative_to(folder)}": path.read_bytes()
        for name, folder in packages.items()
        for path in folder.rglob("*.py")
        if "tests" not in path.parts[len(folder.parts) :]
    }


def tell(path: str, label: str, names: Sequence[str]) -> None:
    """Play the scenarios of a file, and print what was played. Runs in the guest."""
    file = open_scenarios(Path(path), label)
    with World() as world:
        for name in names:
            print(to_line(play(file, name, world, f"Linux {world.kernel}", world.kernel)), flush=True)


def to_line(one: Play) -> str:
    """A play as a line of text."""
    calls = [as_told(call, skipped="result") for call in one.calls]
    return MARK + json.dumps(as_told(one, skipped="calls") | {"calls": calls})


def from_line(line: str) -> Play | None:
    """The play of a line; None for a line of another kind."""
    if not line.startswith(MARK):
        return None
    told: dict[str, Any] = json.loads(line.removeprefix(MARK))
    calls = tuple(PlayedCall(**call | {"status": as_status(call["status"])}) for call in told["calls"])
    return Play(**told | {"calls": calls})


def as_told(one: PlayedCall | Play, skipped: str) -> dict[str, Any]:
    """The fields of a call or a play but one."""
    return {item.name: getattr(one, item.name) for item in fields(one) if item.name != skipped}


def as_status(told: list[int | None] | None) -> tuple[int | None, ...] | None:
    """status[] as a call has it."""
    return None if told is None else tuple(told)
