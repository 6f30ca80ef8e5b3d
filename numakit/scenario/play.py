"""One scenario in one world: which calls it made, what they were answered, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from numakit.explain.causes import KERNEL_NAMES
from numakit.explain.causes.span import nearest
from numakit.explain.number import SPANS, running_kernel
from numakit.facade.machine import Machine
from numakit.facade.unmodelled import NotModelled
from numakit.kernels import KERNELS, Kernel, kernel_named
from numakit.live import CannotTry, World
from numakit.scenario.file import ScenarioFile, folder_of, in_file
from numakit.scenario.record import KernelStopped, PlayedCall, Recorder
from numakit.topology import Topology

#: through; or stopped by: what cannot be tried there, a mistake in the file, a BUG of the kernel
End = Literal["through", "cannot", "wrong", "bug"]


@dataclass(frozen=True)
class Play:
    """What became of a scenario. ``where``: the kernel as people call it; ``kernel``: as the table of causes does.

    ``end``: how it ended, ``why``: a sentence unless it went through, ``line``: where it ended then.
    """

    scenario: str
    where: str
    kernel: str
    calls: tuple[PlayedCall, ...]
    end: End = "through"
    why: str = ""
    line: int = 0


def play(file: ScenarioFile, name: str, world: Machine | World, where: str, kernel: str) -> Play:
    """Play a scenario in a world that was made for it. Never raises what the scenario raises."""
    recorder = Recorder(world, str(file.path))
    end: End = "through"
    why = ""
    try:
        with folder_of(file.path):
            file.scenarios[name](recorder.world)
    except (CannotTry, NotModelled) as reason:
        end, why = "cannot", str(reason)
    except KernelStopped as reason:
        end, why = "bug", str(reason)
    except (Exception, SystemExit) as error:
        end, why = "wrong", in_file(error, file.path, file.label)
    return Play(name, where, kernel, tuple(recorder.calls), end, why, recorder.line if end != "through" else 0)


def play_on_model(
    file: ScenarioFile,
    names: Sequence[str],
    kernel: str | Kernel,
    topology: Topology,
    scale: int | str = "auto",
) -> list[Play]:
    """Play scenarios on a model, each on a machine of its own."""
    rules = kernel_named(kernel)
    where = f"model of {rules.title}"
    return [play(file, name, Machine(topology, rules, scale), where, rules.name) for name in names]


def play_live(file: ScenarioFile, names: Sequence[str]) -> list[Play]:
    """Play scenarios on the running kernel, each in a world of its own."""
    plays = []
    for name in names:
        try:
            with World() as world:
                plays.append(play(file, name, world, f"Linux {world.kernel}", world.kernel))
        except CannotTry as reason:
            plays.append(Play(name, "the running kernel", "", (), "cannot", str(reason)))
    return plays


def model_of_the_running_kernel() -> str:
    """The kernel of the model whose rules are nearest to those of the Linux that runs; elsewhere the newest one."""
    modelled = [name for name in KERNEL_NAMES if name in KERNELS]
    release = running_kernel()
    return modelled[-1] if release is None else nearest(release, SPANS, modelled)
