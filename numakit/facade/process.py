"""A process as people see it: what it is, and the system calls it makes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from numakit.abi import ESRCH, MPOL_MF_MOVE, PAGE_SIZE, PROT_READ, PROT_WRITE
from numakit.explain.result import Result
from numakit.facade.call import Call, Prepared
from numakit.facade.cpuset import CpusetView
from numakit.facade.engine import bulk_calls, many
from numakit.facade.file import File
from numakit.facade.pinned import PinnedPages
from numakit.facade.policies import PolicyCalls
from numakit.facade.unmodelled import check_advice, refuse_hugetlb
from numakit.facade.vma import Pages, PteView, Vma, addresses_of, range_of, view_pte, whole
from numakit.faults import access
from numakit.fork import do_exit, do_fork, mmput
from numakit.machine.cpuset import TOP_CPUSET, cpuset_mems_allowed
from numakit.machine.mempolicy import Mempolicy, policy_text
from numakit.machine.process import TaskStruct, get_task_mm
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict
from numakit.machine.vma import VM_LOCKED, VM_READ, VM_SHARED, VM_WRITE, VmAreaStruct, vmas_of
from numakit.mmap import do_mlock, do_mmap, do_mprotect, do_munmap
from numakit.pins import DIRECT_IO, PIPE, hold_page_lock, pin_for_a_while, pin_pages
from numakit.syscalls.page_range import END_OF_MEMORY
from numakit.syscalls.report import Report, report_move_pages
from numakit.syscalls.user_memory import Argument, UserArray, store_bytes
from numakit.tables import html_table
from numakit.timeline.task import Steps

if TYPE_CHECKING:
    from numakit.facade.machine import Machine


class Process(PolicyCalls):
    """A process of a machine. It is its pid; what it is made of stands in the machine, and goes back with it."""

    def __init__(self, machine: Machine, pid: int, name: str) -> None:
        self._machine, self.pid, self.name = machine, pid, name

    @property
    def machine(self) -> Machine:
        """The machine that it runs on."""
        return self._machine

    @property
    def notation(self) -> str:
        """What it is called in the notation of schedules."""
        return f"process({self.pid})"

    # -- what it is

    @property
    def struct(self) -> TaskStruct:
        """Its credentials, CPU and cpuset now. Raises ValueError if there is no such process (any more, or yet)."""
        struct: TaskStruct | None = self._machine.table.get(("process", self.pid))
        if struct is None:
            raise ValueError(
                f"{self.name} (pid {self.pid}) does not exist now: it has exited, or the machine stands before its "
                "birth"
            )
        return struct

    @property
    def alive(self) -> bool:
        """Whether it exists now."""
        return ("process", self.pid) in self._machine.table

    @property
    def mm(self) -> int:
        """The number of its mm, 0 for a kernel thread."""
        return self.struct.mm

    @property
    def cpu(self) -> int:
        """The CPU that it runs on."""
        return self.struct.cpu

    @property
    def node(self) -> int:
        """The node of the CPU that it runs on: where its first touches go."""
        return self._machine.cpu_nodes[self.struct.cpu]

    @property
    def mems(self) -> frozenset[int]:
        """The nodes that its cpuset allows now. It notices a change when it allocates the next time."""
        return frozenset(cpuset_mems_allowed(self._machine, self.struct.pid))

    @property
    def cpuset(self) -> CpusetView:
        """The cpuset that it is in."""
        return CpusetView(self._machine, self.struct.cpuset)

    @property
    def mempolicy(self) -> Mempolicy | None:
        """Its own memory policy, None for the default one: the local node first."""
        return self.struct.mempolicy

    @property
    def vmas(self) -> list[Vma]:
        """Its areas, by address, as they are cut now."""
        return [Vma(self, vma.start, vma.pages) for vma in self.vm_area_structs]

    @property
    def vm_area_structs(self) -> list[VmAreaStruct]:
        """Its areas with all that the kernel knows of them."""
        return vmas_of(self._machine, self.mm)

    def page(self, address: int) -> int | None:
        """The page (pfn) that is mapped at an address now; None where none is present."""
        pte = self.pte(address)
        return pte.page if pte.kind == "present" else None

    def pte(self, address: int) -> PteView:
        """The PTE of an address now, in words."""
        one_address(address)
        return view_pte(self._machine, self.mm, address)

    def run_on(self, node: int) -> None:
        """The scheduler moves the process to the first CPU of a node; its pages stay where they are."""
        self._machine.refuse_the_past()
        self._machine.put(("process", self.pid), self.struct._replace(cpu=self._machine.first_cpu_of(node)))

    def __repr__(self) -> str:
        if not self.alive:
            return f"<Process {self.name}: pid {self.pid}, does not exist now>"
        struct = self.struct
        if not struct.mm:
            return f"<Process {self.name}: pid {self.pid}, a kernel thread>"
        where = f"on CPU {struct.cpu} of node {self.node}"
        if struct.cpuset != TOP_CPUSET:
            where += f", cpuset {self.cpuset.name!r}"
        if struct.mempolicy:
            where += f", policy {policy_text(struct.mempolicy)}"
        return f"<Process {self.name}: pid {self.pid}, uid {struct.uid}, {where}>"

    def _repr_html_(self) -> str:
        rows = []
        for vma in self.vmas if self.alive else []:
            nodes = [node for node in vma.nodes if node is not None]
            where = ", ".join(f"{nodes.count(node)} on node {node}" for node in sorted(set(nodes)))
            rows.append((f"{vma.start:#x}-{vma.end:#x}", vma.pages, where or "none present"))
        return html_table(repr(self)[1:-1], ("area", "pages", "present"), rows)

    # -- its calls

    def _prepare(
        self,
        name: str,
        start: Any,
        present: Any = lambda result: result,
        *,
        needs_memory: bool = True,
        in_bulk: Any = None,
        pages: int = 0,
    ) -> Prepared[Any]:
        """A call that this process makes; one that has ceased to exist when its turn comes gets -ESRCH. ``in_bulk``:
        what to start instead where many ``pages`` go at once.

        Raises ValueError for a call about memory of its own by a kernel thread, which has none.
        """
        pid = self.pid
        if needs_memory and self.alive and not self.mm:
            raise ValueError(f"{self.name} (pid {pid}) is a kernel thread, which has no memory: it cannot {name}")

        def begin(m: MachineState, start: Any = start) -> Steps[Any]:
            struct = m.table.get(("process", pid))
            if struct is None:
                return -ESRCH
            mm = get_task_mm(m, pid)  # the thread that makes the call: if the process exits meanwhile, the mm lives on
            result = yield from start(m, struct)
            if mm:
                yield from mmput(m, mm)
            return result

        other_way = in_bulk and partial(begin, start=in_bulk)
        return Prepared(name, begin, present, self._machine.cpu_of(pid), pid, in_bulk=other_way, pages=pages)

    @Call
    def fork(self, name: str | None = None) -> Prepared[Process]:
        """Make a child that shares all pages until one of the two writes; runs on the same CPU, in the same cpuset."""
        child = name or f"child of {self.name}"
        return self._prepare(
            "fork",
            lambda m, me: do_fork(m, me, child),
            lambda pid: self._machine.process_or_error(pid, child),
        )

    @Call
    def exit(self) -> Prepared[int]:
        """End: areas are unmapped (unless a call still looks at them), pipes closed. 0."""
        return self._prepare("exit", lambda m, me: do_exit(m, me.pid), needs_memory=False)

    @Call
    def mmap(
        self,
        pages: int,
        *,
        shared: bool = False,
        prot: int = PROT_READ | PROT_WRITE,
        address: int | None = None,
        file: File | None = None,
        offset: int = 0,
        hugetlb: bool = False,
    ) -> Prepared[Vma]:
        """Map so many pages of memory, or of a file from its page ``offset`` on; nothing is touched yet.

        ``shared``: writes are seen by children and by others who map the file, as with MAP_SHARED. ``address`` is a
        wish, as without MAP_FIXED: if an area is there already, another place is taken. ``hugetlb`` is refused.
        """
        refuse_hugetlb(hugetlb)
        check_area(pages, prot, address)
        if file is not None and not isinstance(file, File):
            raise ValueError(f"file={file!r}: a file of the machine is wanted: machine.file(name, pages)")
        if file is not None and file.machine is not self._machine:
            raise ValueError(f"file={file!r}: it is on another machine, {file.machine!r}")
        if not isinstance(offset, int) or offset < 0 or (file is None and offset):
            raise ValueError(f"offset={offset!r}: a page of a file, from 0 on")
        flags = protection(prot) | (VM_SHARED if shared else 0)
        number = file.number if file else 0
        return self._prepare(
            "mmap",
            lambda m, me: do_mmap(m, me.mm, pages, flags, address, number, offset),
            lambda start: self._area(start, pages),
        )

    def _area(self, start: int, pages: int) -> Vma:
        return Vma(self, self._unless_exited(start, "map memory"), pages)

    def _unless_exited(self, result: int, what: str) -> int:
        """What a call returned. Raises ValueError for -ESRCH: the process had exited when its turn came."""
        if result == -ESRCH:
            raise ValueError(f"{self.name} (pid {self.pid}) has exited: it cannot {what}")
        return result

    @Call
    def mmap_driver(self, pages: int, driver: str = "a driver") -> Prepared[Vma]:
        """Map memory through a driver whose mmap locks the area (VM_LOCKED) over ordinary LRU pages; nothing is
        touched yet.
        """
        check_area(pages, PROT_READ | PROT_WRITE, None)
        flags = VM_READ | VM_WRITE | VM_LOCKED
        return self._prepare(
            "mmap",
            lambda m, me: do_mmap(m, me.mm, pages, flags, None, driver=driver),
            lambda start: self._area(start, pages),
        )

    @Call
    def munmap(self, pages: Pages) -> Prepared[int]:
        """Unmap neighbouring pages; areas are cut where they end. 0."""
        start, end = range_of(pages, "pages")
        return self._prepare("munmap", lambda m, me: do_munmap(m, me.mm, start, end))

    @Call
    def mprotect(self, pages: Pages, prot: int) -> Prepared[int]:
        """Say what may be done with neighbouring pages: a sum of PROT_READ and PROT_WRITE. 0, or -ENOMEM at a hole."""
        start, end = range_of(pages, "pages")
        if prot not in range(4):
            raise ValueError(f"prot={prot!r}: a sum of PROT_READ (1) and PROT_WRITE (2)")
        return self._prepare("mprotect", lambda m, me: do_mprotect(m, me.mm, start, end, protection(prot)))

    @Call
    def madvise(self, pages: Pages, advice: int) -> Prepared[int]:
        """Advice on neighbouring pages: MADV_NOHUGEPAGE and MADV_UNMERGEABLE are so anyhow, 0. Raises NotModelled for
        MADV_HUGEPAGE and MADV_MERGEABLE.
        """
        range_of(pages, "pages")
        check_advice(advice)
        return self._prepare("madvise", nothing_to_do)

    @Call
    def mlock(self, pages: Pages) -> Prepared[int]:
        """Lock neighbouring pages in memory; all of them are faulted in. 0, or -ENOMEM at a hole or when memory is
        full, or -EFAULT behind a file's end or where no access is allowed.
        """
        start, end = range_of(pages, "pages")
        return self._prepare("mlock", lambda m, me: do_mlock(m, me.mm, start, end, True))

    @Call
    def munlock(self, pages: Pages) -> Prepared[int]:
        """Take the lock of mlock, or of a driver's mmap, from neighbouring pages. 0, or -ENOMEM at a hole."""
        start, end = range_of(pages, "pages")
        return self._prepare("munlock", lambda m, me: do_mlock(m, me.mm, start, end, False))

    @Call
    def write(self, pages: Pages) -> Prepared[int]:
        """Write to each page named. 0; or, from the first that cannot be written, -EFAULT (a real process would get
        SIGSEGV) or -ENOMEM (it would be killed).
        """
        addresses = many(self._machine, pages, 0, (1 << 47) - 1) or addresses_of(pages, "pages")

        def start(m: MachineState, me: TaskStruct) -> Steps[int]:
            for address in addresses:
                page = yield from access(m, me.mm, address, write=True)
                if page < 0:
                    return page
            return 0

        in_bulk = partial(self._write_in_bulk, addresses)
        return self._prepare("write", start, in_bulk=in_bulk, pages=len(addresses))

    def _write_in_bulk(self, addresses: Sequence[int], m: MachineState, me: TaskStruct) -> Steps[int]:
        return bulk_calls().write(m, me.mm, addresses)  # type: ignore[no-any-return]

    @Call
    def read(self, pages: Pages) -> Prepared[Any]:
        """Read each page named: its contents as a token that every write renews (0: zeroes), or -EFAULT, -ENOMEM.

        One number for one address, a list for several.
        """
        addresses = many(self._machine, pages, 0, (1 << 47) - 1) or addresses_of(pages, "pages")

        def start(m: MachineState, me: TaskStruct) -> Steps[list[int]]:
            tokens = []
            for address in addresses:
                page = yield from access(m, me.mm, address, write=False)
                tokens.append(m.contents[page] if page >= 0 else page)
            return tokens

        several = isinstance(pages, Iterable)
        return self._prepare(
            "read",
            start,
            lambda read: read if several or read == -ESRCH else read[0],
            in_bulk=lambda m, me: bulk_calls().read(m, me.mm, addresses),
            pages=len(addresses),
        )

    @Call
    def vmsplice(self, pages: Pages, name: str = "a pipe") -> Prepared[PinnedPages]:
        """Put pages into a pipe without copying them: it holds a reference to each until it is read (``release``) or
        closed when the process ends. Pages stop at the first that cannot be read.
        """
        addresses = tuple(addresses_of(pages, "pages"))
        return self._pin(addresses, PIPE, f"{name} of {self.name}")

    @Call
    def direct_io(self, pages: Pages, device: str = "a disc") -> Prepared[PinnedPages]:
        """Let a device write into pages (a read with O_DIRECT): it holds a reference to each until it is done
        (``release``).
        """
        addresses = tuple(addresses_of(pages, "pages"))
        return self._pin(addresses, DIRECT_IO, f"{device}, by direct I/O for {self.name}")

    @Call
    def register_memory(self, pages: Pages, driver: str = "a network driver") -> Prepared[PinnedPages]:
        """Let a driver use pages for as long as it likes (RDMA): it holds a reference to each until ``release``."""
        addresses = tuple(addresses_of(pages, "pages"))
        return self._pin(addresses, DIRECT_IO, f"{driver}, for {self.name}")

    def _pin(self, addresses: tuple[int, ...], kind: str, name: str) -> Prepared[PinnedPages]:
        return self._prepare(
            kind,
            lambda m, me: pin_pages(m, me.pid, me.mm, addresses, kind, name),
            lambda number: PinnedPages(self._machine, self._unless_exited(number, "pin memory"), name),
        )

    @Call
    def pin_for_a_while(self, pages: Pages, device: str = "a device") -> Prepared[int]:
        """A device takes a reference to each page, as :meth:`direct_io`, and drops it at a later turn: an actor
        beside a call.

        Without ``until`` it lets go when nobody else can act. The number of the pin, 0 if no page could be had.
        """
        addresses = tuple(addresses_of(pages, "pages"))
        name = f"{device} for {self.name}"
        return self._prepare(device, lambda m, me: pin_for_a_while(m, me.pid, me.mm, addresses, DIRECT_IO, name))

    @Call
    def hold_page_lock(self, address: int) -> Prepared[int]:
        """Somebody, I/O perhaps, locks the page behind an address and unlocks it at a later turn: an actor beside a
        call. 0, -EFAULT or -ENOMEM.
        """
        one_address(address)
        return self._prepare("I/O", lambda m, me: hold_page_lock(m, me.mm, address))

    @Call
    def array(self, address: int, values: Sequence[int], size: int) -> Prepared[UserArray]:
        """Store integers of ``size`` bytes in memory at ``address``: 8 for pages[], 4 for nodes[] and status[]. The
        result can be handed to move_pages(). What cannot be written is left out: the kernel will notice when it reads
        it.
        """
        if size not in (4, 8):
            raise ValueError(f"size={size!r}: 8 (pages) or 4 (nodes, status) bytes are allowed")
        one_address(address)
        addresses_of([address, address + size * max(0, len(values) - 1)], "address")
        lowest, highest = (0, 2**64 - 1) if size == 8 else (-(2**31), 2**31 - 1)
        stored = argument(values, "values", lowest, highest)
        data = b"".join(value.to_bytes(size, "little", signed=value < 0) for value in stored)
        placed = UserArray(address, len(values), size)

        def present(bytes_stored: int) -> UserArray:
            self._unless_exited(bytes_stored, "store an array")
            return placed

        return self._prepare("store", lambda m, me: store_bytes(m, me.mm, address, data), present)

    @Call
    def move_pages(
        self,
        pid: int,
        pages: Sequence[int] | UserArray,
        nodes: Sequence[int] | UserArray | None = None,
        flags: int = MPOL_MF_MOVE,
        status: UserArray | None = None,
        nr_pages: int | None = None,
    ) -> Prepared[Result]:
        """move_pages(2): move pages of process ``pid`` (0: its own) to ``nodes``, one for each; without nodes tell
        where they are.

        ``pages`` are addresses. Sequences are copied in; a user array (``process.array``) is read from memory,
        element by element, and ``nr_pages`` may then be larger than what was stored. ``status``: a user array to
        write to; without it the result keeps the answers. Source: move_pages(2) and the text of commit 742755a1d8ce.
        """
        if isinstance(pid, Sequence) and not isinstance(pid, str):
            raise ValueError("pid: a number comes first, 0 for the caller itself: move_pages(0, area, nodes)")
        if isinstance(pid, Process):
            raise ValueError(f"pid={pid!r}: a number is wanted, process.pid; 0 is the caller itself")
        for name, value in (("pid", pid), ("flags", flags)):
            if not isinstance(value, int) or isinstance(value, bool):
                raise ValueError(f"{name}={value!r}: a whole number is wanted")
        for name, given, size in (("pages", pages, 8), ("nodes", nodes, 4), ("status", status, 4)):
            if isinstance(given, UserArray):
                check_user_array(given, name, size)
        m = self._machine
        copied = many(m, pages, 0, 2**64 - 1) or argument(pages, "pages", 0, 2**64 - 1)
        wanted = None
        if nodes is not None:
            wanted = many(m, nodes, -(2**31), 2**31 - 1) or argument(nodes, "nodes", -(2**31), 2**31 - 1)
        if status is not None and not isinstance(status, UserArray):
            raise ValueError(
                f"status={status!r}: a user array (process.array), or None to leave the answers in the result"
            )
        number = entries_of(copied, wanted, nr_pages)
        call = f"move_pages(pid={pid}, {number} page{'s' * (number != 1)})"

        def present(answer: Report | int) -> Result:
            report = answer if isinstance(answer, Report) else never_made(self.pid, answer)
            addresses = copied if not isinstance(copied, UserArray) else ()
            return Result(
                call, report.ret, report.told, report.outcome, addresses, report.why, report.verdicts, report.costs,
                engine=report.engine,
            )  # fmt: skip

        arguments = (pid, number, copied, wanted, status, flags)
        return self._prepare(
            "move_pages",
            lambda m, me: report_move_pages(m, me, *arguments),
            present,
            needs_memory=False,
            in_bulk=lambda m, me: bulk_calls().move_pages(m, me, *arguments),
            pages=number,
        )


def nothing_to_do(m: MachineState, me: TaskStruct) -> Steps[int]:
    """A call that finds everything as it is wanted. 0."""
    yield from ()  # a generator, as all calls are
    return 0


def never_made(pid: int, ret: int) -> Report:
    """The report on a call whose process had exited before its turn came."""
    return Report(ret, Verdict(ret, "no-process", (("pid", pid),)), (), ())


def one_address(address: int) -> None:
    """Raise ValueError for what is not one address."""
    if not isinstance(address, int):
        raise ValueError(f"address={address!r}: one address is wanted: area[0]")
    addresses_of(address, "address")


def check_user_array(array: UserArray, name: str, size: int) -> None:
    """Raise ValueError for what is no array of elements of ``size`` bytes."""
    if array.size != size:
        raise ValueError(f"{name}: an array of {array.size}-byte elements; elements of {size} bytes are wanted")
    for what, number in (("address", array.address), ("length", array.length)):
        if not isinstance(number, int) or not 0 <= number < 2**47:
            raise ValueError(f"{name}: its {what} is {number!r}; a whole number from 0 to 2**47 - 1 is allowed")


def check_area(pages: int, prot: int, address: int | None) -> None:
    """Raise ValueError for what cannot be an area."""
    if not isinstance(pages, int) or not 1 <= pages <= 1 << 26:
        raise ValueError(f"pages={pages!r}: 1 to 2**26 pages are allowed")
    if prot not in range(4):
        raise ValueError(f"prot={prot!r}: a sum of PROT_READ (1) and PROT_WRITE (2)")
    highest = END_OF_MEMORY - pages * PAGE_SIZE
    if address is not None and not (isinstance(address, int) and address in range(PAGE_SIZE, highest + 1, PAGE_SIZE)):
        raise ValueError(f"address={address!r}: multiples of {PAGE_SIZE} up to {highest:#x} are allowed")


def protection(prot: int) -> int:
    """PROT_ bits as VM_ bits."""
    return (prot & PROT_READ and VM_READ) | (prot & PROT_WRITE and VM_WRITE)


def argument(values: Sequence[int] | UserArray, name: str, lowest: int, highest: int) -> Argument:
    """A sequence copied, its elements checked to fit their type; a user array as it is. Raises ValueError."""
    if isinstance(values, UserArray):
        return values
    if not isinstance(values, Iterable):
        raise ValueError(f"{name}={values!r}: a sequence is wanted, one element for each page: [{values!r}]")
    copied = tuple(map(whole, values))
    for i, value in enumerate(copied):
        if not isinstance(value, int) or not lowest <= value <= highest:
            raise ValueError(f"{name}[{i}]={value!r}: a whole number from {lowest} to {highest} is allowed")
    return copied


def entries_of(pages: Argument, nodes: Argument | None, nr_pages: int | None) -> int:
    """How many entries the call has. Raises ValueError where sequences are not as long as that says."""
    number = array_length(pages) if nr_pages is None else nr_pages
    if not isinstance(number, int) or not 0 <= number < 2**64:
        raise ValueError(f"nr_pages={number!r}: a whole number from 0 to 2**64 - 1 is allowed")
    for name, array in (("pages", pages), ("nodes", nodes)):
        if array is not None and not isinstance(array, UserArray) and len(array) != number:
            raise ValueError(
                f"nr_pages={number}: the length of {name} is {len(array)}; only a user array may be shorter"
            )
    return number


def array_length(array: Argument) -> int:
    """The number of elements of an argument."""
    return array.length if isinstance(array, UserArray) else len(array)
