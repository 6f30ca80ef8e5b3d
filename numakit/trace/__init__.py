"""Access traces: made up, read from files, replayed over a machine, with policies that move pages from user space.

>>> from numakit import Machine, Topology
>>> from numakit.trace import Profiler, moving_phases, replay
>>> trace = moving_phases(pages=64, accesses=8000, cpus=(0, 2))
>>> machine = Machine(Topology.preset("two-sockets"))
>>> stayed = replay(machine, trace)
"""

from numakit.trace.policies import (
    POLICIES,
    Hysteresis,
    Interleave,
    NextTouch,
    Profiler,
    Stay,
    Tiering,
    counts_by_node,
    homes_seen,
)
from numakit.trace.readers import TraceError, read_csv, read_perf_script
from numakit.trace.replay import Calls, Epoch, OutOfMemory, Policy, replay
from numakit.trace.replayed import EpochCount, Prices, Replayed
from numakit.trace.trace import Trace, TracedArea, interwoven, joined
from numakit.trace.workloads import WORKLOADS, moving_phases, pointer_chase, stencil, streaming, zipf

__all__ = [
    "POLICIES",
    "WORKLOADS",
    "Calls",
    "Epoch",
    "EpochCount",
    "Hysteresis",
    "Interleave",
    "NextTouch",
    "OutOfMemory",
    "Policy",
    "Prices",
    "Profiler",
    "Replayed",
    "Stay",
    "Tiering",
    "Trace",
    "TraceError",
    "TracedArea",
    "counts_by_node",
    "homes_seen",
    "interwoven",
    "joined",
    "moving_phases",
    "pointer_chase",
    "read_csv",
    "read_perf_script",
    "replay",
    "stencil",
    "streaming",
    "zipf",
]
