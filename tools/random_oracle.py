"""Plays random programs of calls on real kernels of five nodes and on their models; shrinks what they answer otherwise.

    python -m tools.random_oracle                        1,000 calls on each kernel
    python -m tools.random_oracle 6.1 --calls 3000 --random-seed 100
    python -m tools.random_oracle --write                stores programs with what the kernels answered

Programs are sent to a guest some hundreds of calls at a time. A mismatch is printed as a few lines of Python, with what
the kernel answers to the last of them and what the model does. The exit status is 1 for a mismatch, 2 if a kernel could
not be asked.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any

from numakit import Machine
from numakit.guest import CouldNotRun, GuestImage, boot, guest_topology
from numakit.kernels import Kernel
from tests.oracle.programs import Program, as_python, play
from tests.oracle.random_calls import CALLS, random_program
from tests.oracle.shrinking import Mismatch, first_difference, shrink
from tools.guest_images import KERNEL_PACKAGES, CouldNotMake, make_image
from tools.oracle import IMAGES, ROOT, packed

SCALE = 64  #: the memory of the guest by this is enough for a program, and a machine is made in no time
CALLS_OF_A_BOOT = 2000
SECONDS_OF_A_BOOT, SECONDS_OF_A_CALL = 120, 1  #: far more than a slow machine needs
MOST_SHRUNK = 6  #: mismatches of a kernel that are shrunk
STORED = ROOT / "tests" / "oracle" / "random_answers"
MOST_STORED = 140_000  #: bytes for each kernel

#: Runs in the guest: one line of JSON for each program.
MAIN = b"""
import json
from numakit.live import World
from tests.oracle.programs import play

with World() as world, open("/program/programs.json") as file:
    for number, program in enumerate(json.load(file)):
        try:
            answers = play(world, program)
        except Exception as error:
            answers = [f"{type(error).__name__}: {error}"]
        print(json.dumps([number, answers]), flush=True)
"""


def modelled(kernel: str | Kernel, program: Program) -> list[Any]:
    """What a model of the guest answers, as JSON has it."""
    return list(json.loads(json.dumps(play(Machine(guest_topology(), kernel, scale=SCALE), program))))


class Guest:
    """A kernel that is asked, and the files that it needs for that."""

    def __init__(self, image: GuestImage) -> None:
        names = ("programs.py",)
        own = {f"tests/oracle/{name}": (ROOT / "tests" / "oracle" / name).read_bytes() for name in names}
        self.image, self._files = image, packed() | own | {"main.py": MAIN}

    def answers(self, programs: Sequence[Program]) -> list[list[Any]]:
        """What it answers to programs, in as many boots as that takes. Raises CouldNotRun."""
        answers: list[list[Any]] = []
        while len(answers) < len(programs):
            batch: list[Program] = []
            calls = 0
            for program in programs[len(answers) :]:
                calls += len(program)
                if batch and calls > CALLS_OF_A_BOOT:
                    break
                batch.append(program)
            answers += self._of_one_boot(batch)
        return answers

    def _of_one_boot(self, programs: Sequence[Program]) -> list[list[Any]]:
        limit = SECONDS_OF_A_BOOT + SECONDS_OF_A_CALL * sum(map(len, programs))
        lines = boot(self.image, self._files | {"programs.json": json.dumps(programs).encode()}, limit)
        told = dict(json.loads(line) for line in lines if line.startswith("["))
        return [told[number] for number in range(len(programs))]


def compared(guest: Guest, kernel: str, programs: Sequence[Program]) -> list[Mismatch | None]:
    """For each program its mismatch between model and kernel, or None."""
    return [
        first_difference(program, modelled(kernel, program), answers)
        for program, answers in zip(programs, guest.answers(programs), strict=True)
    ]


def told(mismatch: Mismatch) -> str:
    """A mismatch for people."""
    program, model, kernel = mismatch
    return f"{as_python(program)}\n# the kernel answers {kernel}\n# its model says    {model}\n"


def programs_of(calls: int, random_seed: int) -> list[Program]:
    """Programs of so many calls in all."""
    return [random_program(seed) for seed in range(random_seed, random_seed + -(-calls // CALLS))]


def page_of(release: str, programs: Sequence[Program], answers: Sequence[list[Any]]) -> str:
    """What is stored of a kernel: as many programs with their answers as there is room for, each in a line."""
    lines: list[str] = []
    for pair in zip(programs, answers, strict=True):
        line = json.dumps(pair, separators=(",", ":"))
        if sum(map(len, lines)) + len(line) <= MOST_STORED:
            lines.append(line)
    head = f'{{"release": "{release}",\n"date": "{date.today().isoformat()}",\n"programs": [\n'
    return head + ",\n".join(lines) + "\n]}\n"


def store(kernel: str, programs: list[Program]) -> None:
    """Store what a kernel answers to programs, for tests that need no guest. Raises CouldNotRun."""
    guest = Guest(make_image(kernel, IMAGES / kernel))
    STORED.mkdir(exist_ok=True)
    path = STORED / f"{kernel}.json"
    path.write_text(page_of(guest.image.release, programs, guest.answers(programs)), encoding="utf-8")
    print(f"{kernel}: {guest.image.release}, stored in {path.relative_to(ROOT)}")


def ask(kernel: str, programs: list[Program]) -> bool:
    """Whether a kernel answers as its model; what it answers otherwise is shrunk and printed. Raises CouldNotRun."""
    began = time.monotonic()
    guest = Guest(make_image(kernel, IMAGES / kernel))
    found = [mismatch for mismatch in compared(guest, kernel, programs) if mismatch]
    calls, seconds = sum(map(len, programs)), time.monotonic() - began
    print(
        f"{kernel}: {guest.image.release}, {calls} random calls in {seconds:.0f} s, {len(found)} mismatches", flush=True
    )
    for mismatch in shrink(found[:MOST_SHRUNK], partial(compared, guest, kernel), partial(modelled, kernel)):
        print(told(mismatch), flush=True)
    return not found


def main(arguments: Sequence[str] | None = None) -> int:
    """Ask the kernels that the command line names."""
    parser = argparse.ArgumentParser(description="Compares real kernels with their models on random calls.")
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help=f"only these: {', '.join(KERNEL_PACKAGES)}")
    parser.add_argument("--calls", type=int, default=1000, help="how many calls on each kernel (default 1000)")
    parser.add_argument("--random-seed", type=int, default=0, help="the seed of the first program (default 0)")
    parser.add_argument("--write", action="store_true", help="store what they answer, instead of comparing it")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.kernels) - set(KERNEL_PACKAGES)):
        parser.error(f"no such kernel: {', '.join(unknown)}")
    status, programs = 0, programs_of(options.calls, options.random_seed)
    for kernel in options.kernels or KERNEL_PACKAGES:
        try:
            if options.write:
                store(kernel, programs)
            else:
                status = max(status, not ask(kernel, programs))
        except (CouldNotMake, CouldNotRun) as problem:
            print(f"{kernel}: could not be asked: {problem}", file=sys.stderr)
            status = 2
    return status


if __name__ == "__main__":
    sys.exit(main())
