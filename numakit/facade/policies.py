"""The calls of a process about memory policies and about all its pages: where memory is to come from, and to be."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from numakit.abi import PAGE_SIZE
from numakit.explain.moves import MovesResult
from numakit.explain.policies import MODES, PolicyResult
from numakit.facade.call import Call, OnMachine, Prepared
from numakit.facade.engine import bulk_calls, mapped_pages
from numakit.facade.vma import Pages, range_of, whole
from numakit.machine.process import TaskStruct
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict
from numakit.syscalls.mempolicy import PolicyReport, sys_get_mempolicy, sys_set_mempolicy
from numakit.syscalls.moves_report import MovesReport, report_sys_mbind, report_sys_migrate_pages
from numakit.syscalls.numa_maps import numa_maps
from numakit.timeline.task import Steps


class PolicyCalls(OnMachine, Protocol):
    """What a process can do about its memory policy."""

    pid: int

    def _prepare(
        self,
        name: str,
        start: Any,
        present: Any = ...,
        *,
        needs_memory: bool = True,
        in_bulk: Any = ...,
        pages: int = ...,
    ) -> Prepared[Any]:
        """A call that this process makes."""

    @Call
    def set_mempolicy(self, mode: int, nodes: Iterable[int] = ()) -> Prepared[PolicyResult]:
        """set_mempolicy(2): where new pages of the process are to come from, where an area has no policy of its own.

        MPOL_DEFAULT: the local node first (no nodes). MPOL_PREFERRED: the first of ``nodes`` first, or the local one
        if there are none. MPOL_BIND: these nodes only, by their numbers. MPOL_INTERLEAVE: these nodes in turn. 0 or
        -EINVAL: a mode that does not exist, nodes that do not fit it, or that the cpuset does not allow. A child
        inherits it.
        """
        wanted = policy_arguments(mode, nodes)
        call = f"set_mempolicy({MODES.get(mode, mode)}, {list(wanted)})"
        return self._prepare(
            "set_mempolicy",
            lambda m, me: sys_set_mempolicy(m, mode, wanted),
            lambda answer: policy_result(call, answer),
        )

    @Call
    def get_mempolicy(self, address: int | None = None, flags: int = 0) -> Prepared[PolicyResult]:
        """get_mempolicy(2): the policy of the process or, with MPOL_F_ADDR, of the area at ``address``.

        MPOL_F_NODE with MPOL_F_ADDR tells the node of the page there, and reads it in for that if it is not present.
        MPOL_F_NODE alone tells the node where the process interleaves next. 0, -EINVAL for flags that do not fit,
        -EFAULT for an address in no area or that cannot be read, -ENOMEM.
        """
        if address is not None and not (isinstance(address, int) and 0 <= address < 2**64):
            raise ValueError(f"address={address!r}: an address (area[0]), or None for the policy of the process")
        if not isinstance(flags, int) or isinstance(flags, bool):
            raise ValueError(f"flags={flags!r}: a sum of MPOL_F_NODE (1) and MPOL_F_ADDR (2)")
        call = f"get_mempolicy({'' if address is None else f'{address:#x}, '}flags={flags})"

        def start(m: MachineState, me: TaskStruct) -> Steps[PolicyReport]:
            return (yield from sys_get_mempolicy(m, me.mm, address or 0, flags))

        return self._prepare("get_mempolicy", start, lambda answer: policy_result(call, answer))

    @Call
    def migrate_pages(self, pid: int, old_nodes: Iterable[int], new_nodes: Iterable[int]) -> Prepared[MovesResult]:
        """migrate_pages(2): move all pages of process ``pid`` (0: its own) that lie on ``old_nodes`` to ``new_nodes``,
        the n-th of these to the n-th of those.

        How many pages were tried and stayed, or a negative errno. Pages that others map move only for a caller with
        CAP_SYS_NICE; what is left out is not counted, but stands in ``result.fates``.
        """
        if not isinstance(pid, int) or isinstance(pid, bool):
            raise ValueError(f"pid={pid!r}: a whole number is wanted; 0 is the caller itself")
        old, new = node_set(old_nodes, "old_nodes"), node_set(new_nodes, "new_nodes")
        call = f"migrate_pages(pid={pid}, {list(old)}, {list(new)})"
        return self._prepare(
            "migrate_pages",
            lambda m, me: report_sys_migrate_pages(m, me, pid, old, new),
            lambda answer: moves_result(call, answer),
            needs_memory=False,
            in_bulk=lambda m, me: bulk_calls().moves(m, report_sys_migrate_pages, me, pid, old, new),
            pages=mapped_pages(self.machine, [pid or self.pid]),
        )

    @Call
    def mbind(
        self, pages: Pages, mode: int, nodes: Iterable[int] = (), flags: int = 0, *, length: int | None = None
    ) -> Prepared[MovesResult]:
        """mbind(2): where new pages of neighbouring pages are to come from and, with MPOL_MF_MOVE, where those that are
        there are to go. Modes and nodes are those of set_mempolicy().

        0 or a negative errno: -EIO with MPOL_MF_STRICT for pages that are not where the policy wants them. ``length``:
        so many bytes from the address ``pages`` on, whatever is there, as a program would say it.
        """
        wanted = policy_arguments(mode, nodes)
        if not isinstance(flags, int) or isinstance(flags, bool) or flags < 0:
            raise ValueError(f"flags={flags!r}: a sum of MPOL_MF_STRICT (1), MPOL_MF_MOVE (2) and MPOL_MF_MOVE_ALL (4)")
        if length is None:
            start, end = range_of(pages, "pages")
        elif isinstance(pages, int) and isinstance(length, int) and 0 <= pages < 2**64 and 0 <= length < 2**64:
            start, end = pages, pages + length
        else:
            raise ValueError(f"length={length!r}: a number of bytes, and for pages one address, are wanted")
        call = f"mbind({start:#x}-{end:#x}, {MODES.get(mode, mode)}, {list(wanted)}, flags={flags})"
        return self._prepare(
            "mbind",
            lambda m, me: report_sys_mbind(m, me, start, end - start, mode, wanted, flags),
            lambda answer: moves_result(call, answer),
            in_bulk=lambda m, me: bulk_calls().moves(m, report_sys_mbind, me, start, end - start, mode, wanted, flags),
            pages=(end - start) // PAGE_SIZE,
        )

    @Call
    def numa_maps(self) -> Prepared[str]:
        """The text of /proc/<pid>/numa_maps: for each area its policy, and where its pages are.
        :func:`numakit.numa_maps.parse_numa_maps` reads it.

        Empty for a process without memory: a kernel thread, or one that has exited when its turn comes.
        """
        return self._prepare(
            "numa_maps",
            lambda m, me: numa_maps(m, me.pid, me.mm),
            lambda text: text if isinstance(text, str) else "",
            needs_memory=False,
        )


def node_set(nodes: Iterable[int], argument: str) -> tuple[int, ...]:
    """Node ids, sorted, each once. Raises ValueError for what no program could hand to the kernel."""
    asked = [whole(node) for node in nodes] if isinstance(nodes, Iterable) else nodes
    if not isinstance(asked, list) or not all(isinstance(node, int) and node >= 0 for node in asked):
        raise ValueError(f"{argument}={nodes!r}: a set of node ids is wanted, whole numbers from 0 on")
    return tuple(sorted(set(asked)))


def moves_result(call: str, answer: MovesReport | int) -> MovesResult:
    """What people see of a report; an errno alone is that of a process which had exited before its turn came."""
    report = answer if isinstance(answer, MovesReport) else MovesReport(answer, Verdict(answer, "no-process"))
    return MovesResult(call, *report)


def policy_arguments(mode: int, nodes: Iterable[int]) -> tuple[int, ...]:
    """The nodes of a policy, sorted. Raises ValueError for what no program could hand to the kernel."""
    if not isinstance(mode, int) or isinstance(mode, bool):
        known = ", ".join(f"{name} ({number})" for number, name in MODES.items())
        raise ValueError(f"mode={mode!r}: one of {known} is wanted")
    return node_set(nodes, "nodes")


def policy_result(call: str, answer: PolicyReport | int) -> PolicyResult:
    """What people see of a report; an errno alone is that of a process which had exited before its turn came."""
    report = answer if isinstance(answer, PolicyReport) else PolicyReport(answer, Verdict(answer, "no-process"))
    return PolicyResult(call, report.ret, report.mode, report.node, report.nodes, report.why)
