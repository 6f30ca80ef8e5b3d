"""Asks real kernels: plays the scenarios in guests of five nodes, and compares the answers with those that are stored.

`make oracle` makes the images that are missing, boots each, and fails where an answer differs from the stored one;
`--write` stores what the guests answered. `make test` compares the model with the stored answers, and needs no guest.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

from numakit.guest import CouldNotRun, GuestImage, boot
from numakit.scenario import guest
from tests.live.scenarios import SCENARIOS
from tools.guest_images import KERNEL_PACKAGES, CouldNotMake, make_image

ROOT = Path(__file__).resolve().parent.parent
IMAGES, STORED = ROOT / ".oracle", ROOT / "tests" / "oracle" / "answers"
TRIAL = {"main.py": b"import numakit.live\nprint('here')\n"}
TRIAL_SECONDS = 120  #: more than a machine needs that is fast enough to be worth asking
OF_A_BOOT = 0.25  #: so many times as long as the trial may a scenario take

#: Runs in the guest: one line of JSON for each scenario.
MAIN = b"""
import json
from numakit.live import CannotTry, World
from tests.live.scenarios import SCENARIOS

with World() as world:
    for name in json.load(open("/program/names.json")):
        try:
            answers = SCENARIOS[name](world)
        except CannotTry as why:
            answers = {"cannot": str(why)}
        print(json.dumps([name, answers]), flush=True)
        for process in world.processes:
            process.end()
"""


def packed() -> dict[str, bytes]:
    """What the guest's Python needs: the kit, networkx, and the scenarios."""
    scenarios = sorted((ROOT / "tests" / "live" / "scenarios").glob("*.py"))
    return guest.packed() | {str(path.relative_to(ROOT)): path.read_bytes() for path in scenarios}


def ask(image: GuestImage, files: dict[str, bytes], names: Iterable[str]) -> dict[str, Any]:
    """The answers of a guest to scenarios, by name. Raises CouldNotRun."""
    wanted = list(names)
    began = time.monotonic()
    boot(image, files | TRIAL, TRIAL_SECONDS)
    limit = (1 + OF_A_BOOT * len(wanted)) * (time.monotonic() - began) + 10
    lines = boot(image, files | {"main.py": MAIN, "names.json": json.dumps(wanted).encode()}, limit)
    return dict(json.loads(line) for line in lines if line.startswith("["))


def differences(stored: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """A line for each scenario that was answered otherwise."""
    names = list(dict.fromkeys([*stored, *now]))
    return [
        f"{name}: stored {stored.get(name)}, now {now.get(name)}" for name in names if stored.get(name) != now.get(name)
    ]


def page_of(told: dict[str, Any]) -> str:
    """What is stored, a scenario a line, so that a change shows as such."""
    lines = ",\n".join(f"  {json.dumps(name)}: {json.dumps(answers)}" for name, answers in told["answers"].items())
    head = "".join(f" {json.dumps(key)}: {json.dumps(told[key])},\n" for key in ("release", "date"))
    return f'{{\n{head} "answers": {{\n{lines}\n }}\n}}\n'


def main() -> int:
    """Ask the kernels that the command line names. 0: as stored; 1: they differ; 2: one could not be asked."""
    parser = argparse.ArgumentParser(description="Plays the scenarios in real kernels of five nodes.")
    parser.add_argument("kernels", nargs="*", metavar="KERNEL", help=f"only these: {', '.join(KERNEL_PACKAGES)}")
    parser.add_argument("--write", action="store_true", help="store what they answer")
    parser.add_argument("--scenario", action="append", metavar="NAME", help="only this one, and others named so")
    options = parser.parse_args()
    if unknown := sorted(set(options.kernels) - set(KERNEL_PACKAGES)):
        parser.error(f"no such kernel: {', '.join(unknown)}")
    if unknown := sorted(set(options.scenario or ()) - set(SCENARIOS)):
        parser.error(f"no such scenario: {', '.join(unknown)}")
    status, files = 0, packed()
    for rules in options.kernels or KERNEL_PACKAGES:
        began = time.monotonic()
        try:
            image = make_image(rules, IMAGES / rules)
            answers = ask(image, files, options.scenario or SCENARIOS)
        except (CouldNotMake, CouldNotRun) as problem:
            print(f"{rules}: could not be asked: {problem}", file=sys.stderr)
            status = 2
            continue
        print(f"{rules}: {image.release} answered {len(answers)} scenarios in {time.monotonic() - began:.0f} s")
        path = STORED / f"{rules}.json"
        stored = json.loads(path.read_text(encoding="utf-8"))["answers"] if path.exists() else {}
        if options.write:
            all_of_them = {name: (stored | answers)[name] for name in SCENARIOS if name in stored | answers}
            told = {"release": image.release, "date": date.today().isoformat(), "answers": all_of_them}
            path.write_text(page_of(told), encoding="utf-8")
            continue
        asked = {name: stored[name] for name in stored if name in answers or not options.scenario}
        for line in differences(asked, answers):
            print(f"  {line}")
            status = max(status, 1)
    return status


if __name__ == "__main__":
    sys.exit(main())
