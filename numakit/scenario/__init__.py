"""Files of scenarios: what processes do, written once, played on models and real kernels, and compared call by call.

A scenario is a function of the file with one parameter, ``world``: a :class:`numakit.Machine`, a
:class:`numakit.live.World`, or such a world in a guest. ``file`` reads the file, ``record`` notes every call,
``names`` writes it without addresses and pids, ``play`` plays, ``guest`` plays in a guest, ``compare`` finds the first
difference.
"""

from numakit.scenario.compare import Comparison, compare
from numakit.scenario.file import ScenarioFile, WrongFile, open_scenarios
from numakit.scenario.guest import play_in_guest
from numakit.scenario.play import Play, model_of_the_running_kernel, play_live, play_on_model

__all__ = [
    "Comparison",
    "Play",
    "ScenarioFile",
    "WrongFile",
    "compare",
    "model_of_the_running_kernel",
    "open_scenarios",
    "play_in_guest",
    "play_live",
    "play_on_model",
]
