"""All readers against mutants and made-up input, in a process of 512 MiB: `python hostile_run.py FOLDER` prints JSON.

It is a process of its own, so that the limit holds for nothing else. Anything but a topology or one `TopologyError`
in one line is a failure: other exceptions, no memory left, more than `SECONDS` for one input.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from numakit.topology import Description, Topology, TopologyError
from numakit.topology.readers.hwloc import parse_hwloc
from numakit.topology.readers.node_link import parse_node_link
from numakit.topology.readers.numactl import parse_numactl
from numakit.topology.readers.snapshot import NODES, Snapshot
from numakit.topology.readers.sysfs import describe
from tests.readers.mutants import write_corpus

LIMIT = 512 << 20
SECONDS = 10
EXAMPLES = 20_000 if os.environ.get("NUMAKIT_LONG") else 2_500

numbers = st.one_of(st.integers(-1, 12), st.sampled_from([255, 256, 1023, 1024, 8191, 8192, 10**25])).map(str)
lists = st.lists(st.one_of(numbers, st.sampled_from(["0-3", "3-1", "0-99999", "-", ""])), max_size=5)
noise = st.text(max_size=20)


def join(*parts: SearchStrategy[str], by: str = " ") -> SearchStrategy[str]:
    """The parts one after the other."""
    return st.tuples(*parts).map(by.join)


numactl_lines = st.one_of(
    join(st.just("available:"), numbers, st.just("nodes"), lists.map(lambda each: f"({','.join(each)})")),
    join(st.just("node"), numbers, st.sampled_from(["cpus:", "size:", "free:"]), lists.map(" ".join), noise),
    join(st.just("node"), numbers, st.sampled_from(["size:", "free:"]), numbers, st.just("MB")),
    st.sampled_from(["node distances:", "No distance information available.", "", "$ exit"]),
    join(st.just("node"), lists.map(" ".join)),
    join(numbers.map("{}:".format), lists.map(" ".join)),
    noise,
)
numactl_texts = st.lists(numactl_lines, max_size=14).map("\n".join)


@st.composite
def whole_numactl(draw: st.DrawFn) -> str:
    """A text that could be true, so that what comes after the words is reached too."""
    ids = draw(st.lists(st.integers(0, 300), min_size=1, max_size=5, unique=True))
    lines = [f"available: {len(ids)} nodes ({','.join(map(str, ids))})"]
    for i in ids:
        lines += [f"node {i} cpus: {' '.join(draw(lists))}", f"node {i} size: {draw(numbers)} MB"]
    lines += ["node distances:", f"node {' '.join(map(str, ids))}"]
    lines += [f"{i}: {' '.join(draw(numbers) for _ in ids)}" for i in ids]
    return "\n".join(lines)


attributes = st.dictionaries(
    st.sampled_from(["type", "os_index", "cpuset", "local_memory", "subtype", "nbobjs", "kind", "indexing", "value"]),
    st.one_of(numbers, st.sampled_from(["NUMANode", "Machine", "0x3", "0xf...f", "0x1,,0x2", "os", "gp", "5", "HBM"])),
    max_size=6,
).map(lambda found: "".join(f' {key}="{value}"' for key, value in found.items()))
tags = st.sampled_from(["object", "distances2", "distances", "indexes", "u64values", "latency", "info"])
elements = st.recursive(
    st.one_of(lists.map(" ".join), st.tuples(tags, attributes).map(lambda each: f"<{each[0]}{each[1]}/>")),
    lambda inner: st.tuples(tags, attributes, st.lists(inner, max_size=4)).map(
        lambda each: f"<{each[0]}{each[1]}>{''.join(each[2])}</{each[0]}>"
    ),
    max_leaves=12,
)


@st.composite
def whole_hwloc(draw: st.DrawFn) -> str:
    """Nodes and a matrix that could be true, with something else between them."""
    ids = draw(st.lists(st.integers(0, 40), min_size=1, max_size=4, unique=True))
    nodes = "".join(
        f'<object type="NUMANode" os_index="{i}" gp_index="{i + 5}" cpuset="{draw(cpusets)}" local_memory="4096"/>'
        for i in ids
    )
    count, values = len(ids), [draw(numbers) for _ in range(len(ids) ** 2)]
    if draw(st.booleans()):
        latencies = "".join(f'<latency value="{value}.0"/>' for value in values)
        table = f'<distances nbobjs="{count}" relative_depth="1" latency_base="1">{latencies}</distances>'
        return f"<object>{table}{nodes}</object>"
    by = f'kind="{draw(numbers)}" indexing="{draw(st.sampled_from(["os", "gp"]))}"'
    indexes = f"<indexes>{' '.join(map(str, ids))}</indexes><u64values>{' '.join(values)}</u64values>"
    table = f'<distances2 type="NUMANode" nbobjs="{count}" {by}>{indexes}</distances2>'
    return f"<object>{nodes}{draw(elements)}</object>{table}"


cpusets = st.sampled_from(["0x0", "0x3", "0x1,,0x2", "0xf...f", "0x"])
topologies = st.one_of(elements, whole_hwloc()).map(lambda inner: f"<topology>{inner}</topology>".encode())
xml = st.one_of(topologies, topologies, st.binary(max_size=60))

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-2, 12), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)),
    max_leaves=6,
)
json_nodes = st.fixed_dictionaries(
    {"id": st.one_of(st.integers(0, 4), values)},
    optional=dict.fromkeys(("memory", "cpus", "online", "kind", "free", "self"), values),
)
json_edges = st.fixed_dictionaries(
    {"source": st.one_of(st.integers(0, 4), values), "target": st.integers(0, 4), "distance": values},
    optional={"key": values},
)
json_graphs = st.fixed_dictionaries(
    {"nodes": st.one_of(st.lists(json_nodes, max_size=4), values)},
    optional={"edges": st.lists(json_edges, max_size=5), "graph": values, "directed": values, "links": values},
)
json_texts = st.one_of(json_graphs.map(json.dumps), values.map(json.dumps), noise)

sysfs_names = st.one_of(
    st.sampled_from([f"{NODES}/online", f"{NODES}/possible", "proc/meminfo", "sys/devices/system/cpu/online"]),
    st.tuples(st.integers(0, 3), st.sampled_from(["meminfo", "distance", "cpulist", "cpumap"])).map(
        lambda each: f"{NODES}/node{each[0]}/{each[1]}"
    ),
)
sysfs_texts = st.one_of(
    lists.map(lambda each: ",".join(each).encode()),
    lists.map(lambda each: " ".join(each).encode()),
    numbers.map(lambda each: f"Node 0 MemTotal: {each} kB\nNode 0 MemFree: {each} kB".encode()),
    st.binary(max_size=20),
)
snapshots = st.tuples(
    st.dictionaries(sysfs_names, sysfs_texts, max_size=12),
    st.sets(st.sampled_from([f"{NODES}/node{i}" for i in (0, 1, 2, 1023, 1024)] + [f"{NODES}/node0/cpu9999"])),
)


class Hang(Exception):
    """One input took too long."""


def _alarm(signum: int, frame: FrameType | None) -> None:
    raise Hang


class Judge:
    """Counts what becomes of inputs; keeps the failures."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []

    def judge(self, reader: str, origin: str, work: Callable[[], object]) -> None:
        """Run one input."""
        signal.alarm(SECONDS)
        try:
            work()
            self.counts[f"{reader} loaded"] += 1
        except TopologyError as error:
            self.counts[f"{reader} refused"] += 1
            if origin not in str(error) or "\n" in str(error):
                self.failures.append(f"{reader}: not one line that names {origin}: {error}")
        except BaseException:
            self.failures.append(f"{reader} {origin}: {traceback.format_exc()[-1500:]}")
        finally:
            signal.alarm(0)


def _machine(reader: str, read: Callable[[], Description]) -> Callable[[], object]:
    def work() -> object:
        description = read()
        try:
            return str(Topology(description))
        except TopologyError as error:
            # `Topology.load` names the file; here there is none.
            raise TopologyError(f"{reader}: {error}") from None

    return work


def fuzz(judge: Judge) -> None:
    """Made-up input for each reader, the same at each run."""
    common = settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )

    @common
    @given(st.one_of(numactl_texts, whole_numactl()))
    def numactl(text: str) -> None:
        judge.judge("numactl", "numactl", _machine("numactl", lambda: parse_numactl(text, "numactl", "x")))

    @common
    @given(xml)
    def hwloc(content: bytes) -> None:
        judge.judge("hwloc", "hwloc", _machine("hwloc", lambda: parse_hwloc(content, "hwloc", "x")))

    @common
    @given(json_texts)
    def node_link(text: str) -> None:
        judge.judge("json", "json", _machine("json", lambda: parse_node_link(text, "json", "x")))

    @common
    @given(snapshots)
    def sysfs(snapshot: tuple[dict[str, bytes], set[str]]) -> None:
        files, names = snapshot
        judge.judge("sysfs", "sysfs", _machine("sysfs", lambda: describe(Snapshot("sysfs", files, names), "x")))

    for run in (numactl, hwloc, node_link, sysfs):
        run()


def main(folder: Path) -> None:
    """Everything; the result goes to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    signal.signal(signal.SIGALRM, _alarm)
    judge = Judge()
    for path in write_corpus(folder):
        judge.judge("mutant", path.name, lambda path=path: Topology.load(path))  # type: ignore[misc]
    fuzz(judge)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    print(json.dumps({"counts": judge.counts, "failures": judge.failures[:20], "peak_mib": peak}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
