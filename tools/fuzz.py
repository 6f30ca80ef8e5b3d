"""Plays random interleavings until one breaks a promise of the model, then shrinks and prints it.

    python -m tools.fuzz 10000              worlds 0 to 9999
    python -m tools.fuzz 10000 --start 2000 worlds 2000 to 11999

What is printed can be played again: the world's random seed, the call, and the schedule, which `run.play` reads.
The exit status is 1 if a world broke a promise.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # the tests' random worlds are no part of the package
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.random.interleavings import play, scenario
from tests.random.shrink import failure_of, shrink

REPORT_EVERY = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the worlds that the command line names; 0 if all keep their promises, 1 if not."""
    parser = argparse.ArgumentParser(description="Plays random interleavings; shrinks and prints one that fails.")
    parser.add_argument("worlds", type=int, help="how many worlds to play")
    parser.add_argument("--start", type=int, default=0, help="the random seed of the first (default 0)")
    options = parser.parse_args(arguments)
    began, steps, failed = time.perf_counter(), 0, 0
    seen: Counter[str] = Counter()
    for number, random_seed in enumerate(range(options.start, options.start + options.worlds), 1):
        try:
            steps += len(play(scenario(random_seed), seen=seen))
        except Exception:
            failed += 1
            print_smallest(random_seed)
        if number % REPORT_EVERY == 0 or number == options.worlds:
            seconds = time.perf_counter() - began
            print(f"{number} worlds, {steps} steps, {failed} failed, {seconds:.0f} s", flush=True)
    print("reached: " + ", ".join(f"{what} {times}" for what, times in seen.most_common()))
    return 1 if failed else 0


def print_smallest(random_seed: int) -> None:
    """Shrink the failure of a world and print it."""
    failure = failure_of(scenario(random_seed))
    if failure is None:
        print(f"random_seed {random_seed} failed, and does not fail again: the model is not deterministic")
        return
    print(shrink(failure), "\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
