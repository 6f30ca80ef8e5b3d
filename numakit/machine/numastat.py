"""Whether memory came from the node that was wanted: the counters of /sys/devices/system/node/node*/numastat
(zone_statistics() in mm/page_alloc.c of 2.6.18).

Each allocation counts as hit or miss, and as local or other. The four combinations are what is counted here, so that an
allocation is one write; the kernel's six counters are sums of them.
"""

from __future__ import annotations

from typing import NamedTuple

from numakit.machine.state import NUMASTAT_COUNTERS, MachineState

# A node's counters in ``m.zone_stat``: wanted and got here, got here and wanted elsewhere, by a CPU of this node or
# another; wanted here and got elsewhere; wanted by interleaving and got here.
HIT_LOCAL, HIT_OTHER, MISS_LOCAL, MISS_OTHER, FOREIGN, INTERLEAVE_HIT = range(6)


class Numastat(NamedTuple):
    """The counters of a node, in pages, as numastat(8) names and orders them."""

    numa_hit: int  #: wanted on this node, and got here
    numa_miss: int  #: wanted on another node, and got here
    numa_foreign: int  #: wanted on this node, and got on another
    interleave_hit: int  #: wanted here because it was this node's turn, and got here
    local_node: int  #: got here by a process that ran on a CPU of this node
    other_node: int  #: got here by a process that ran elsewhere


def zone_statistics(m: MachineState, wanted: int, node: int) -> None:
    """A page was allocated on ``node``; the first node of the zonelist, which was ``wanted``, may be another."""
    # Not by count(), and without branches: this is passed with every page.
    at = NUMASTAT_COUNTERS * m.row[node] + MISS_LOCAL * (node != wanted) + HIT_OTHER * (node != m.cpu_nodes[m.cpu])
    m.set(m.zone_stat, at, m.zone_stat[at] + 1)
    if node != wanted:
        count(m, wanted, FOREIGN)


def count(m: MachineState, node: int, counter: int) -> None:
    """One more in a counter of a node."""
    at = m.row[node] * NUMASTAT_COUNTERS + counter
    m.set(m.zone_stat, at, m.zone_stat[at] + 1)


def numastat_of(m: MachineState, node: int) -> Numastat:
    """The kernel's counters of a node."""
    begin = m.row[node] * NUMASTAT_COUNTERS
    hit_local, hit_other, miss_local, miss_other, foreign, interleaved = m.zone_stat[begin : begin + NUMASTAT_COUNTERS]
    return Numastat(
        hit_local + hit_other, miss_local + miss_other, foreign, interleaved,
        hit_local + miss_local, hit_other + miss_other,
    )  # fmt: skip
