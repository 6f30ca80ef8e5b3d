"""The machine as people see it: it makes processes and offers what the kernel has inside."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from numakit.abi import CAP_SYS_NICE, CAP_SYS_PTRACE
from numakit.explain.result import MigrationResult
from numakit.facade.call import BoundCall, Call, Prepared, see_that_it_is_a_call
from numakit.facade.cpuset import CpusetView
from numakit.facade.engine import engine_named, in_bulk_if_possible
from numakit.facade.file import File
from numakit.facade.frame import FrameView, MappedAt, mapped_at, view_frame
from numakit.facade.graph import machine_graph
from numakit.facade.numastat import NumastatTable
from numakit.facade.pinned import PinnedPages
from numakit.facade.process import Process
from numakit.facade.run import Run
from numakit.facade.unmodelled import HUGETLB, NotModelled
from numakit.facade.vma import whole
from numakit.kernels import Kernel
from numakit.kernels.functions import see_that_they_serve
from numakit.machine.consistency import inconsistencies
from numakit.machine.cpuset import (
    TOP_CPUSET,
    Cpuset,
    cpuset_numbered,
    cpusets,
    make_top_cpuset,
    new_cpuset,
    validate_change,
)
from numakit.machine.frames import alloc_page_on, make_zero_page, put_page
from numakit.machine.lru import isolate_lru_page, lru_add_drain_all, lru_list
from numakit.machine.numastat import numastat_of, zone_statistics
from numakit.machine.pagecache import FILE_SYSTEMS, new_address_space
from numakit.machine.process import TaskStruct, new_mm, processes
from numakit.machine.references import KERNEL_CODE, Pin, forget_holder, note_holder, noted_holders
from numakit.machine.state import PAGEVEC_ROW, VMSTAT, MachineState
from numakit.machine.swap import swap_on
from numakit.migration.new_page import Cells, UserNewPage
from numakit.migration.putback import putback_lru_pages
from numakit.moments import DRAIN, PUT_BACK
from numakit.reclaim import reclaim_pages
from numakit.syscalls.report import Report, report_migrate_pages
from numakit.tables import html_table
from numakit.timeline.run import ASKING, JOURNAL_LIMIT
from numakit.timeline.task import Steps
from numakit.topology import Topology

if TYPE_CHECKING:
    import networkx as nx

LARGEST_SWAP = 1 << 16
CAPABILITIES = (CAP_SYS_NICE, CAP_SYS_PTRACE)  #: those that any kernel asks for

P = ParamSpec("P")
R = TypeVar("R")


class Machine(MachineState):
    """A NUMA machine with a kernel: page frames on nodes, processes, and the migration of pages.

    ``kernel``: whose rules it goes by; "seed" is the contract of the text of June 2006. ``scale``: the memory of each
    node is divided by it; "auto" keeps the machine at 2**20 frames at most. ``swap_pages``: the size of the swap
    disc, as many pages as there are frames by default, at most 65,536. ``engine``: "steps" plays every call page after
    page, "bulk" makes those calls at once that can be, "auto" does so with large ones; a call that is recorded is
    always played. Same calls, same steps, same frame numbers, whatever the engine.
    """

    def __init__(
        self,
        topology: Topology,
        kernel: str | Kernel = "seed",
        scale: int | str = "auto",
        swap_pages: int | None = None,
        engine: str = "auto",
    ) -> None:
        if not isinstance(topology, Topology):
            raise TypeError(f"topology={topology!r}: a Topology is wanted, such as Topology.preset('ring4')")
        if swap_pages is not None and not (isinstance(swap_pages, int) and 0 <= swap_pages <= LARGEST_SWAP):
            raise ValueError(f"swap_pages={swap_pages!r}: a whole number from 0 to {LARGEST_SWAP} is allowed, or None")
        super().__init__(topology, kernel, scale)
        see_that_they_serve(self.kernel.functions)
        if not any(self.nr_free(node) for node in self.node_ids):
            raise ValueError(f"topology={topology.name!r}: no node has memory")
        self.engine = engine_named(engine)
        self.cpu = self.first_cpu
        make_top_cpuset(self)
        make_zero_page(self)
        swap_on(self, min(self.nr_frames, LARGEST_SWAP) if swap_pages is None else swap_pages)

    @property
    def machine(self) -> Machine:
        """The machine itself: its calls are made on it."""
        return self

    @property
    def notation(self) -> str:
        """What it is called in the notation of schedules."""
        return "machine"

    @property
    def first_cpu(self) -> int:
        """The CPU on which kernel code runs that belongs to no process."""
        return next(iter(self.cpu_nodes))

    def first_cpu_of(self, node: int) -> int:
        """The first CPU of a node. Raises ValueError for a node without CPUs."""
        cpus = [cpu for cpu, its_node in self.cpu_nodes.items() if its_node == node]
        if not cpus:
            with_cpus = sorted(set(self.cpu_nodes.values()))
            raise ValueError(f"node={node!r}: a process needs a CPU; nodes with CPUs are {with_cpus}")
        return cpus[0]

    # -- processes

    def spawn(
        self,
        name: str,
        *,
        uid: int = 1000,
        node: int | None = None,
        mems: Iterable[int] | None = None,
        cpuset: CpusetView | None = None,
        euid: int | None = None,
        suid: int | None = None,
        capabilities: Sequence[str] | None = None,
    ) -> Process:
        """A new process with an empty address space, on the first CPU of ``node`` (None: of the first node with CPUs).

        ``cpuset``: one of :meth:`cpuset`, by default the top cpuset, which allows all nodes; or ``mems``: the nodes
        that a cpuset of its own is to allow. ``capabilities``: some of :data:`CAPABILITIES`; by default all for euid
        0 and none for others. Raises ValueError for a node without CPUs, or mems without memory.
        """
        self.refuse_the_past()
        cpu = self.first_cpu if node is None else self.first_cpu_of(node)
        allowed = None if mems is None else self._nodes(mems)
        inside = self._cpuset(cpuset, "cpuset")
        if allowed is not None and cpuset is not None:
            raise ValueError(f"mems={mems!r}: a process with cpuset={cpuset!r} gets its nodes from that; leave out one")
        ids = (uid, uid if euid is None else euid, uid if suid is None else suid)
        for argument, value in zip(("uid", "euid", "suid"), ids, strict=True):
            if not isinstance(value, int) or not 0 <= value < 2**32:
                raise ValueError(f"{argument}={value!r}: a whole number from 0 to 2**32 - 1 is allowed")
        held = tuple(capabilities) if capabilities is not None else CAPABILITIES * (ids[1] == 0)
        if not set(held) <= set(CAPABILITIES):
            raise ValueError(f"capabilities={capabilities!r}: a sequence of names is wanted; known are {CAPABILITIES}")
        pid = self.next("pids")
        if allowed is not None:
            inside = cpuset_numbered(self, new_cpuset(self, f"of {name} (pid {pid})", allowed))
        task = TaskStruct(pid, name, new_mm(self), *ids, held, cpu, 0, inside.mems)
        self.put(("process", pid), task._replace(cpuset=inside.number, mems_generation=inside.generation))
        return Process(self, pid, name)

    def kernel_thread(self, name: str) -> Process:
        """A kernel thread: a process without memory of its own."""
        self.refuse_the_past()
        pid = self.next("pids")
        self.put(("process", pid), TaskStruct(pid, name, 0, 0, 0, 0, (), self.first_cpu, 0, self.node_ids))
        return Process(self, pid, name)

    def _nodes(self, mems: Iterable[int]) -> tuple[int, ...]:
        asked = [whole(node) for node in mems] if isinstance(mems, Iterable) else mems
        online = isinstance(asked, list) and all(isinstance(node, int) and node in self.row for node in asked)
        if not online or not any(self.frames_of(node) for node in asked):
            raise ValueError(
                f"mems={asked!r}: online nodes of which one has memory are wanted; online are {self.node_ids}"
            )
        return tuple(sorted(set(asked)))

    def cpuset(
        self, name: str, mems: Iterable[int], parent: CpusetView | None = None, memory_migrate: bool = False
    ) -> CpusetView:
        """A new cpuset that allows the nodes ``mems``, below ``parent`` (None: the top cpuset). Processes get into it
        by ``machine.spawn(cpuset=...)``.

        ``memory_migrate``: pages move along when its nodes change, or when a process comes into it. Raises ValueError
        for a name that is taken there, for mems without memory, and for nodes that the parent does not allow (the
        kernel answers -EACCES). Source: cpuset(7) and kernel/cpuset.c of 2.6.18.
        """
        self.refuse_the_past()
        if not isinstance(name, str) or not name:
            raise ValueError(f"name={name!r}: a cpuset needs a name")
        above, allowed = self._cpuset(parent, "parent"), self._nodes(mems)
        if any(other.name == name and other.parent == above.number for other in cpusets(self)):
            raise ValueError(f"name={name!r}: there is such a cpuset below {above.name!r}")
        if not isinstance(memory_migrate, bool):
            raise ValueError(f"memory_migrate={memory_migrate!r}: True or False")
        if validate_change(self, Cpuset(-1, name, above.number, allowed)):
            raise ValueError(f"mems={allowed}: its parent {above.name!r} allows {above.mems} and no others (-EACCES)")
        return CpusetView(self, new_cpuset(self, name, allowed, above.number, memory_migrate))

    def _cpuset(self, cpuset: CpusetView | None, argument: str) -> Cpuset:
        if cpuset is None:
            return cpuset_numbered(self, TOP_CPUSET)
        if not isinstance(cpuset, CpusetView) or cpuset.machine is not self:
            raise ValueError(f"{argument}={cpuset!r}: a cpuset of this machine is wanted: machine.cpuset(name, mems)")
        return cpuset.struct

    @property
    def cpusets(self) -> list[CpusetView]:
        """All cpusets, by number; the first is the top cpuset."""
        return [CpusetView(self, cpuset.number) for cpuset in cpusets(self)]

    def cpuset_numbered(self, number: int) -> CpusetView:
        """The cpuset of that number. Raises ValueError if there is none now."""
        if ("cpuset", number) not in self.table:
            raise ValueError(f"number={number!r}: no such cpuset now")
        return CpusetView(self, number)

    def _online(self, node: int) -> int:
        if node not in self.node_ids:
            raise ValueError(f"node={node!r}: online nodes are {self.node_ids}")
        return node

    @property
    def processes(self) -> list[Process]:
        """All processes, by pid."""
        return [Process(self, struct.pid, struct.name) for struct in processes(self)]

    def process(self, pid: int) -> Process:
        """The process with that pid. Raises ValueError if there is none now."""
        struct: TaskStruct | None = self.table.get(("process", pid))
        if struct is None:
            raise ValueError(f"pid={pid!r}: no such process now; there are {[p.pid for p in self.processes]}")
        return Process(self, pid, struct.name)

    def pin(self, number: int) -> PinnedPages:
        """The pipe or device of that number that holds pages. Raises ValueError if it holds none now."""
        pin: Pin | None = self.table.get(("pin", number))
        if pin is None:
            raise ValueError(f"number={number!r}: nothing of that number holds pages now")
        return PinnedPages(self, number, pin.name)

    # -- files

    def file(self, name: str, pages: int, file_system: str = "ext2") -> File:
        """A file of so many pages, none of them in memory. The file systems are those of
        :data:`numakit.machine.pagecache.FILE_SYSTEMS`; they differ in what they can do for migration.
        """
        self.refuse_the_past()
        if not isinstance(pages, int) or not 1 <= pages <= 1 << 26:
            raise ValueError(f"pages={pages!r}: 1 to 2**26 pages are allowed")
        if file_system == "hugetlbfs":
            raise NotModelled(f"file_system={file_system!r}: {HUGETLB}")
        if not isinstance(file_system, str) or file_system not in FILE_SYSTEMS or file_system == "swap":
            raise ValueError(
                f"file_system={file_system!r}: there are {', '.join(sorted(set(FILE_SYSTEMS) - {'swap'}))}"
            )
        if not name:
            raise ValueError("name='': a file needs a name")
        return File(self, new_address_space(self, file_system, pages, name))

    def file_numbered(self, number: int) -> File:
        """The file of that number. Raises ValueError if there is none now."""
        if ("mapping", number) not in self.table:
            raise ValueError(f"number={number!r}: no such file now")
        return File(self, number)

    @Call
    def reclaim(self, pages: Iterable[int]) -> Prepared[int]:
        """Try to free pages (pfns), as kswapd does: to swap, or back to their files. How many were freed."""
        wanted = tuple(view_frame(self, page).page for page in pages)
        return Prepared("kswapd", lambda m: reclaim_pages(m, wanted), lambda freed: freed, self.first_cpu)

    @property
    def counters(self) -> dict[str, int]:
        """Counters of the whole machine, by the names of /proc/vmstat."""
        return dict(zip(VMSTAT, self.vmstat, strict=True))

    def process_or_error(self, pid: int, name: str) -> Process:
        """The process that a fork returned. Raises ValueError for a fork that could not be made."""
        if pid < 0:
            raise ValueError(f"{name}: there is no such process, its parent had exited")
        return Process(self, pid, name)

    def cpu_of(self, pid: int) -> int:
        """The CPU of a process, for a call that it makes."""
        struct: TaskStruct | None = self.table.get(("process", pid))
        return struct.cpu if struct else self.first_cpu

    def numastat(self) -> NumastatTable:
        """The counters of each node, as numastat(8) shows them: did allocations get the node that was wanted?"""
        return NumastatTable({node: numastat_of(self, node) for node in self.node_ids})

    # -- calls, made and recorded

    def perform(self, prepared: Prepared[R]) -> R:
        """Make a prepared call. One that runs the reader's code is recorded, so that it can be undone if that code is
        broken.
        """
        keeps = self.has_journal
        run = self._run(in_bulk_if_possible(self, prepared), recorded=prepared.user_code)
        try:
            return run.finish()
        finally:
            if prepared.user_code and not keeps:
                self.stop_recording()

    def begin(self, call: BoundCall[P, R], *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """A run of a call that has not begun: say who acts meanwhile (``run.when``), then ``run.finish()`` or
        ``run.forward()``.
        """
        see_that_it_is_a_call(call, self)
        return self._run(call.prepare(*args, **kwargs), recorded=True)

    def record(self, call: BoundCall[P, R], *args: P.args, **kwargs: P.kwargs) -> Run[R]:
        """Make a call as a recorded run: ``machine.record(shell.move_pages, 0, area[0:8], [1] * 8)``."""
        run = self.begin(call, *args, **kwargs)
        run.finish()
        return run

    def _run(self, prepared: Prepared[R], recorded: bool) -> Run[R]:
        if not self._asks():
            self.refuse_the_past()
            if prepared.pid and ("process", prepared.pid) not in self.table:
                raise ValueError(f"{prepared.name}: the process with pid {prepared.pid} has exited and makes no call")
        return Run(self, prepared.task(), prepared.present, recorded=recorded, journal_limit=JOURNAL_LIMIT)

    # -- what the kernel has inside

    def alloc_page(self, node: int) -> int | None:
        """A fresh frame of exactly this node for a new_page_t: count 1, unmapped, on no list. None if the node is
        full.
        """
        self._online(node)
        if not self._asks():
            self.refuse_the_past()
            self.current, self.cpu = KERNEL_CODE, self.first_cpu
        page = alloc_page_on(self, node)
        if page is not None:
            zone_statistics(self, node, node)
        return page

    def free_page(self, page: int) -> None:
        """Give back a frame that :meth:`alloc_page` gave, and that was not used."""
        holder = self.current if self._asks() else KERNEL_CODE
        used = view_frame(self, page).count != 1 or self.mapping[page] or self.flags[page]
        if used or not noted_holders(self, page)[holder]:
            raise ValueError(f"page={page}: not a frame that alloc_page() gave to you, or it was used")
        put_page(self, page, holder)

    def _asks(self) -> bool:
        """Whether this machine waits for a new_page_t of the reader's. Raises ValueError if another one does."""
        asking = ASKING.get()
        if asking not in (None, self):
            raise ValueError("this is another machine than the one that asks for a new page")
        return asking is self

    def cells(self, number: int, fill: int = 0) -> Cells:
        """Integers that belong to the machine: for statuses that a new_page_t points at, and for what it has to
        remember.
        """
        if not isinstance(number, int) or not 0 <= number <= 1 << 26:
            raise ValueError(f"number={number!r}: 0 to 2**26 cells are allowed")
        if not isinstance(fill, int) or not -(2**63) <= fill < 2**63:
            raise ValueError(f"fill={fill!r}: a whole number of 64 bits is wanted")
        return Cells(self, self.new_array(number, "q", fill, label="cells"))

    @Call
    def migrate_prep(self) -> Prepared[int]:
        """Drain the pagevecs of all CPUs, so that pages can be isolated (document A.1). 0."""

        def start(m: MachineState) -> Steps[int]:
            yield DRAIN, 0
            lru_add_drain_all(m)
            return 0

        return Prepared("migrate_prep", start, lambda rc: rc, self.first_cpu)

    def isolate_lru_page(self, page: int) -> int:
        """Take a page off its LRU list, with a reference that is yours, for :meth:`migrate_pages`. 0, or -EBUSY if it
        is on none.
        """
        view_frame(self, page)
        self.refuse_the_past()
        return isolate_lru_page(self, page, KERNEL_CODE)

    @Call
    def putback_lru_pages(self, pages: Iterable[int]) -> Prepared[int]:
        """Give isolated pages back to the LRU without moving them. How many there were."""
        isolated = self._isolated(pages)

        def start(m: MachineState) -> Steps[int]:
            take_over(m, isolated)
            yield PUT_BACK, isolated[0] if isolated else 0
            return putback_lru_pages(m, isolated)

        return Prepared("putback_lru_pages", start, lambda rc: rc, self.first_cpu)

    @Call
    def migrate_pages(
        self, pages: Iterable[int], get_new_page: Callable[[int, Any, Any], int | None], private: Any = None
    ) -> Prepared[MigrationResult]:
        """migrate_pages() inside the kernel, with a new_page_t of yours (document A.2 and A.3).

        ``pages`` were isolated with :meth:`isolate_lru_page`. ``get_new_page(page, private, result)`` returns a frame
        that it allocated (:meth:`alloc_page`) or None, and may point ``result`` at a cell for the page's status. The
        result compares equal to the number of pages that were not moved. Raises BrokenUserCode, with the machine as
        before, if it breaks its contract.
        """
        isolated, ask = self._isolated(pages), UserNewPage(get_new_page)

        def start(m: MachineState) -> Steps[Report]:
            take_over(m, isolated)
            return (yield from report_migrate_pages(m, isolated, ask, private))

        def present(report: Report) -> MigrationResult:
            verdicts = tuple(verdict for verdict in report.verdicts if verdict)
            return MigrationResult(report.ret, isolated, report.why, verdicts, report.costs)

        return Prepared("migrate_pages", start, present, self.first_cpu, user_code=True)

    def _isolated(self, pages: Iterable[int]) -> tuple[int, ...]:
        if not isinstance(pages, Iterable):
            raise ValueError(f"pages={pages!r}: a list of pages (pfns) is wanted")
        isolated = tuple(pages)
        for page in isolated:
            if not noted_holders(self, view_frame(self, page).page)[KERNEL_CODE] or self.stamp[page]:
                raise ValueError(f"pages: page {page} was not isolated; machine.isolate_lru_page(page) does it")
        if len(set(isolated)) < len(isolated):
            raise ValueError(f"pages={isolated}: a page is named twice")
        return isolated

    # -- to look at

    def frame(self, page: int) -> FrameView:
        """All that is known of a frame now, and who holds each reference to it."""
        return view_frame(self, page)

    def mapped_at(self, page: int) -> list[MappedAt]:
        """The PTEs and migration entries that lead to a page now."""
        return mapped_at(self, self.frame(page).page)

    def lru(self, node: int, active: bool = True) -> list[int]:
        """The pages on the active or inactive LRU list of a node, the newest first."""
        return lru_list(self, self._online(node), active=active)

    def pages_in_pagevec(self, cpu: int) -> list[int]:
        """The pages that wait in the pagevec of a CPU, in order."""
        if cpu not in self.cpu_row:
            raise ValueError(f"cpu={cpu!r}: CPUs are {list(self.cpu_row)}")
        begin = self.cpu_row[cpu] * PAGEVEC_ROW
        return list(self.pagevec[begin + 1 : begin + 1 + self.pagevec[begin]])

    def free_frames(self, node: int) -> int:
        """How many frames of a node are free."""
        return self.nr_free(self._online(node))

    def inconsistencies(self) -> list[str]:
        """What does not hold of the machine, a sentence each; empty for a sound one. See machine.consistency."""
        return inconsistencies(self)

    def to_networkx(self) -> nx.DiGraph[Any]:
        """Nodes, frames in use and processes as one graph: ("node", id), ("page", pfn), ("process", pid). For
        machines small enough to look at.
        """
        return machine_graph(self)

    def __repr__(self) -> str:
        return (
            f"<Machine {self.topology.name}: rules of {self.kernel.title}, {len(self.node_ids)} nodes, "
            f"{self.nr_frames} frames, "
            f"{len(processes(self))} processes>"
        )

    def _repr_html_(self) -> str:
        rows = []
        for node in self.node_ids:
            frames, free = len(self.frames_of(node)), self.nr_free(node)
            names = ", ".join(p.name for p in self.processes if p.struct.mm and p.node == node)
            rows.append((node, frames, frames - free, free, names))
        return html_table(repr(self)[1:-1], ("node", "frames", "in use", "free", "processes on its CPUs"), rows)


def take_over(m: MachineState, pages: Iterable[int]) -> None:
    """The references of kernel code that was written outside a run become those of the task that acts on the pages."""
    for page in pages:
        forget_holder(m, page, KERNEL_CODE)
        note_holder(m, page, m.current)
