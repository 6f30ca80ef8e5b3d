"""The same calls on the running Linux: `World` and its processes answer as the model does, with the same `Result`.

What the kernel answers with an errno is a value here, too. What could not be asked at all, because of a sandbox, a
missing privilege, or a machine with one node, raises `CannotTry` with a sentence. `query` asks about pages of this very
process and raises nothing.
"""

from numakit.live.own_pages import Answer, OwnPages, own_pages, query
from numakit.live.process import LiveArea, LivePin, LiveProcess
from numakit.live.refusal import CannotTry, Ended, two_nodes
from numakit.live.result import LivePolicy, LiveResult
from numakit.live.world import World

__all__ = [
    "Answer",
    "CannotTry",
    "Ended",
    "LiveArea",
    "LivePin",
    "LivePolicy",
    "LiveProcess",
    "LiveResult",
    "OwnPages",
    "World",
    "own_pages",
    "query",
    "two_nodes",
]
