"""The state of a machine: one array per frame field, LRU stamps and pagevecs, and the table of structures."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from numakit.abi import PAGE_SIZE
from numakit.kernels import Kernel, kernel_named
from numakit.machine.costs import Costs
from numakit.machine.zonelists import zonelists
from numakit.timeline.state import Change, InThePast, Memory, State
from numakit.topology import Topology

if TYPE_CHECKING:
    from numakit.timeline.run import Run

FRAMES_BY_AUTO_SCALE = 1 << 20
PAGEVEC_SIZE = 14  #: pages in a pagevec (include/linux/pagevec.h, 2.6.18)
PAGEVEC_ROW = PAGEVEC_SIZE + 1  #: integers a CPU: how many are used, then the pages

# Page flags (include/linux/page-flags.h)
PG_RESERVED, PG_UPTODATE, PG_DIRTY, PG_ACTIVE, PG_REFERENCED, PG_SWAPCACHE = 1, 2, 4, 8, 16, 32
PG_ANON_EXCLUSIVE = 64  #: no fork has shared the page since it was mapped (since 5.19)
FLAG_NAMES = {
    PG_RESERVED: "reserved",
    PG_UPTODATE: "uptodate",
    PG_DIRTY: "dirty",
    PG_ACTIVE: "active",
    PG_REFERENCED: "referenced",
    PG_SWAPCACHE: "swapcache",
    PG_ANON_EXCLUSIVE: "exclusive",
}

VMSTAT = ("pgmigrate_success", "pgmigrate_fail")  #: counters of the whole machine, as /proc/vmstat names them

NUMASTAT_COUNTERS = 6  #: counters a node, see machine.numastat

#: name -> type code. 52 bytes a frame; the kernel's struct page takes 64.
FRAME_FIELDS = {
    "count": "i",  # references
    "mapcount": "i",  # PTEs that map the page
    "mapping": "i",  # +n: address_space n (a file), -n: anon_vma n (the kernel marks it PAGE_MAPPING_ANON), 0: none
    "index": "i",  # the page's place in its mapping
    "free": "i",  # the node's stack of free frames lies in its own frames' fields
    "holder": "i",  # a task or pin that holds references, and how many (machine.references)
    "flags": "H",
    "owner": "H",  # the task that has the page locked, 0: unlocked
    "private": "q",
    "stamp": "q",  # place on the LRU lists, from a rising clock; 0: on none
    "contents": "q",  # what is written in the page, as a token that every write renews; 0: zeroes
}


class Stopped(RuntimeError):
    """The modelled kernel has hit a BUG(): it makes no further calls."""


class MachineState(State):
    """A machine as the pipeline's functions see it; they call it ``m``.

    A frame's number (pfn) is its identity; its node follows from the pfn. The memory of each node is divided by
    ``scale`` ("auto": as little as keeps the whole machine at 2**20 frames), so that a machine of any size fits a
    laptop.
    """

    count: Memory
    mapcount: Memory
    mapping: Memory
    index: Memory
    free: Memory
    holder: Memory
    flags: Memory
    owner: Memory
    private: Memory
    stamp: Memory
    contents: Memory

    def __init__(self, topology: Topology, kernel: str | Kernel = "seed", scale: int | str = "auto") -> None:
        super().__init__()
        self.topology, self.kernel = topology, kernel_named(kernel)
        self.replaced = dict(self.kernel.functions) or None  # looked at with every call of the pipeline
        self.node_ids: tuple[int, ...] = topology.nodes
        self.scale = _scale(topology, scale)
        frames = [max(topology.memory(n) > 0, topology.memory(n) // PAGE_SIZE // self.scale) for n in self.node_ids]
        self.first_frame: list[int] = [sum(frames[:i]) for i in range(len(frames) + 1)]
        self.nr_frames = self.first_frame[-1]
        self.row: dict[int, int] = {node: row for row, node in enumerate(self.node_ids)}
        self.cpu_nodes: dict[int, int] = _cpus(topology)
        self.cpu_row: dict[int, int] = {cpu: row for row, cpu in enumerate(self.cpu_nodes)}
        for name, typecode in FRAME_FIELDS.items():
            setattr(self, name, self.arrays[self.new_array(self.nr_frames, typecode, label=name)])
        self.free_top = self._array(len(frames), "frames on the free stack")
        self.never_used = self._array(len(frames), "frames never used yet")
        self.pagevec = self._array(len(self.cpu_nodes) * PAGEVEC_ROW, "pagevec")
        self.clock = self._array(2, "clock")  # LRU stamp, contents token
        self.vmstat = self._array(len(VMSTAT), "vmstat")
        self.zone_stat = self._array(NUMASTAT_COUNTERS * len(frames), "numastat")
        for row, size in enumerate(frames):
            self.set(self.never_used, row, size)
        self.zonelists = zonelists(topology, spread=self.kernel.zonelists_are_spread)
        # Who acts just now; set before every turn, and no part of the state.
        self.run: Run[Any] | None = None
        self.current = self.cpu = self.pid = 0
        self.costs = Costs()

    def new_costs(self) -> Costs:
        """A task begins: nothing is counted yet."""
        return Costs()

    def _array(self, size: int, label: str) -> Memory:
        return self.arrays[self.new_array(size, label=label)]

    def node(self, page: int) -> int:
        """The id of the node on which a frame lies."""
        return self.node_ids[bisect_right(self.first_frame, page) - 1]

    def frames_of(self, node: int) -> range:
        """The frames (pfns) of a node."""
        row = self.row[node]
        return range(self.first_frame[row], self.first_frame[row + 1])

    def nr_free(self, node: int) -> int:
        """How many frames of a node are free."""
        return self.free_top[self.row[node]] + self.never_used[self.row[node]]

    def blockers(self, lock: str, what: int, me: int) -> tuple[int, ...]:
        """The tasks that have to act before task ``me`` may pass a lock; empty if it may. 0 is somebody outside the
        run. Who waits for a page or a reverse map that it has locked itself is in its own way, for ever.
        """
        if lock == "page":
            return (self.owner[what],) if self.owner[what] else ()
        if lock == "mmap_sem":
            semaphore = self.table.get(("mmap_sem", what))
            ahead: tuple[int, ...] = semaphore.ahead_of(me) if semaphore else ()
            return ahead
        if lock == "rmap":
            # Keys hold the mapping as it stands in the frame field; moments carry it shifted to be positive.
            owner = self.table.get(("rmap lock", what - RMAP_SHIFT))
            return (owner,) if owner else ()
        if lock == "buffer lock":  # of the page's place in its file; the subject of a moment has room for the page only
            what = self.mapping[what] << 32 | self.index[what]
        owner = self.table.get((lock, what))
        return (owner,) if owner and owner != me else ()

    def lock_name(self, lock: str, what: int) -> str:
        """A lock for a sentence: "the lock of page 7"."""
        if lock == "mmap_sem":
            return f"mmap_sem of mm {what}"
        names = {
            "page": f"the lock of page {what}",
            "writeback": f"writeback of page {what}",
            "buffer lock": f"the lock of the buffers of page {what}",
        }
        return names.get(lock, f"the {lock} lock")

    def refuse_the_past(self) -> None:
        """Raise :class:`InThePast` unless the machine shows its newest state, :class:`Stopped` if that is a BUG."""
        if self.in_the_past:
            self._closed()
        if "bug" in self.table:
            raise Stopped(
                f"the kernel has hit a BUG ({self.table['bug']}) and makes no further calls; a recorded run can be "
                "stepped back (run.first()), otherwise make a new machine"
            )
        if self._standing == "checking":
            raise InThePast("the machine is being replayed")

    def place_name(self, change: Change) -> str:
        """Where a change was made, in words."""
        if change.label == "table":
            key = change.index
            return " ".join(str(part) for part in key) if isinstance(key, tuple) else str(key)
        if change.label == "numastat":
            return f"numastat of node {self.node_ids[change.index // NUMASTAT_COUNTERS]}"
        if change.label in FRAME_FIELDS:
            return f"frame {change.index}: {change.label}"
        return f"{change.label}[{change.index}]"


RMAP_SHIFT = 1 << 31  #: a mapping's number is signed, a moment's subject is not


def _scale(topology: Topology, scale: int | str) -> int:
    if scale == "auto":
        total = sum(topology.memory(node) for node in topology.nodes) // PAGE_SIZE
        return max(1, -(-total // FRAMES_BY_AUTO_SCALE))
    if isinstance(scale, int) and scale >= 1:
        return scale
    raise ValueError(f"scale={scale!r}: a whole number from 1 on, or 'auto'")


def _cpus(topology: Topology) -> dict[int, int]:
    """CPU -> node. A source that tells nothing of CPUs gets one a node, or no process could run."""
    cpus = {cpu: node for node in topology.nodes for cpu in topology.cpus(node)}
    return dict(sorted(cpus.items())) or dict(enumerate(topology.nodes))
