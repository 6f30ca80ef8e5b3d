"""Traces of workloads that are known well: streaming, a stencil with halo, pointer chase, Zipf, phases that move.

All of them are one process with a thread on each CPU named; the threads take turns, an access each. ``pages`` lie from
``START`` on, and are cut into one *part* a thread where a workload has parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from numakit.abi import PAGE_SIZE
from numakit.trace.trace import Integers, Trace, interwoven, joined

START = 0x10000000  #: the address of page 0
PID = 1  #: the process of all these traces


def streaming(pages: int, accesses: int, cpus: Sequence[int], *, writes: float = 0.3, random_seed: int = 0) -> Trace:
    """Each thread goes through its own part from the first page to the last, again and again."""
    draw, each = _begin(pages, accesses, cpus, writes, random_seed)
    return _woven(draw, cpus, [part[np.arange(each) % len(part)] for part in _parts(pages, cpus)], writes)


def stencil(
    pages: int, accesses: int, cpus: Sequence[int], *, halo: int = 1, writes: float = 0.5, random_seed: int = 0
) -> Trace:
    """As streaming, but each thread also reads ``halo`` pages of its neighbours at both ends of its part, which it
    never writes to.
    """
    draw, each = _begin(pages, accesses, cpus, writes, random_seed)
    if not 0 <= halo <= pages:
        raise ValueError(f"halo={halo!r}: 0 to {pages} pages are allowed")
    streams = []
    for part in _parts(pages, cpus):
        around = np.arange(max(0, part[0] - halo), min(pages, part[-1] + 1 + halo))
        streams.append(around[np.arange(each) % len(around)])
    trace = _woven(draw, cpus, streams, writes)
    page = (trace.address - START) // PAGE_SIZE
    own = np.zeros(len(trace), dtype=bool)
    for cpu, part in zip(cpus, _parts(pages, cpus), strict=True):
        own |= (trace.cpu == cpu) & (page >= part[0]) & (page <= part[-1])
    return Trace(trace.pid, trace.cpu, trace.address, trace.write & own)


def pointer_chase(
    pages: int, accesses: int, cpus: Sequence[int], *, writes: float = 0.05, random_seed: int = 0
) -> Trace:
    """All threads follow one random ring of pointers through all pages, each from another place on it."""
    draw, each = _begin(pages, accesses, cpus, writes, random_seed)
    ring = draw.permutation(pages)
    begins = [pages * place // len(cpus) for place in range(len(cpus))]
    return _woven(draw, cpus, [ring[(begin + np.arange(each)) % pages] for begin in begins], writes)


def zipf(
    pages: int,
    accesses: int,
    cpus: Sequence[int],
    *,
    exponent: float = 1.1,
    writes: float = 0.3,
    random_seed: int = 0,
) -> Trace:
    """Few pages get most accesses: the k-th in a random order gets 1 / k ** exponent of those of the first."""
    draw, each = _begin(pages, accesses, cpus, writes, random_seed)
    weights = 1 / np.arange(1, pages + 1) ** exponent
    order, popularity = draw.permutation(pages), weights / weights.sum()
    return _woven(draw, cpus, [order[draw.choice(pages, each, p=popularity)] for _ in cpus], writes)


def moving_phases(
    pages: int, accesses: int, cpus: Sequence[int], *, phases: int = 4, writes: float = 0.3, random_seed: int = 0
) -> Trace:
    """Streaming in phases: in each phase every part is worked on by the thread after the one before."""
    _begin(pages, accesses, cpus, writes, random_seed)
    if not 1 <= phases <= accesses // len(cpus):
        raise ValueError(f"phases={phases!r}: 1 to {accesses // len(cpus)} are allowed")
    turned = [[cpus[(place + phase) % len(cpus)] for place in range(len(cpus))] for phase in range(phases)]
    return joined(
        streaming(pages, accesses // phases, turn, writes=writes, random_seed=random_seed + phase)
        for phase, turn in enumerate(turned)
    )


#: The workloads by name, as sweeps and notebooks name them.
WORKLOADS = {
    "streaming": streaming,
    "stencil": stencil,
    "pointer-chase": pointer_chase,
    "zipf": zipf,
    "moving-phases": moving_phases,
}


def _begin(
    pages: int, accesses: int, cpus: Sequence[int], writes: float, random_seed: int
) -> tuple[np.random.Generator, int]:
    """Check what all workloads are told; a generator of random numbers, and how many accesses each thread makes."""
    if not cpus or len(set(cpus)) != len(cpus):
        raise ValueError(f"cpus={cpus!r}: one or more CPUs are wanted, each named once")
    if not isinstance(pages, int) or pages < len(cpus):
        raise ValueError(f"pages={pages!r}: at least one for each of the {len(cpus)} CPUs is wanted")
    if not isinstance(accesses, int) or accesses < len(cpus):
        raise ValueError(f"accesses={accesses!r}: at least one for each of the {len(cpus)} CPUs is wanted")
    if not 0 <= writes <= 1:
        raise ValueError(f"writes={writes!r}: a share from 0 to 1")
    return np.random.default_rng(random_seed), accesses // len(cpus)


def _parts(pages: int, cpus: Sequence[int]) -> list[Integers]:
    """The pages cut into as many parts as there are threads."""
    return [np.asarray(part, dtype=np.int64) for part in np.array_split(np.arange(pages), len(cpus))]


def _woven(draw: np.random.Generator, cpus: Sequence[int], streams: Sequence[Integers], writes: float) -> Trace:
    """A trace of the pages that each thread accesses, by turns."""
    threads = []
    for cpu, stream in zip(cpus, streams, strict=True):
        n = len(stream)
        threads.append(
            Trace(np.full(n, PID), np.full(n, cpu), START + stream * PAGE_SIZE, draw.random(n) < writes),
        )
    return interwoven(threads)
