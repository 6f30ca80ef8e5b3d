"""The calls of a process about memory policies: where its memory is to come from."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from numakit.explain.policies import MODES, PolicyResult
from numakit.facade.call import Call, OnMachine, Prepared
from numakit.facade.vma import whole
from numakit.machine.process import TaskStruct
from numakit.machine.state import MachineState
from numakit.machine.verdicts import Verdict
from numakit.syscalls.mempolicy import PolicyReport, sys_get_mempolicy, sys_set_mempolicy
from numakit.timeline.task import Steps


class PolicyCalls(OnMachine, Protocol):
    """What a process can do about its memory policy."""

    def _prepare(self, name: str, start: Any, present: Any = ..., *, needs_memory: bool = True) -> Prepared[Any]:
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


def policy_arguments(mode: int, nodes: Iterable[int]) -> tuple[int, ...]:
    """The nodes of a policy, sorted. Raises ValueError for what no program could hand to the kernel."""
    if not isinstance(mode, int) or isinstance(mode, bool):
        known = ", ".join(f"{name} ({number})" for number, name in MODES.items())
        raise ValueError(f"mode={mode!r}: one of {known} is wanted")
    asked = [whole(node) for node in nodes] if isinstance(nodes, Iterable) else nodes
    if not isinstance(asked, list) or not all(isinstance(node, int) and node >= 0 for node in asked):
        raise ValueError(f"nodes={nodes!r}: a set of node ids is wanted, whole numbers from 0 on")
    return tuple(sorted(set(asked)))


def policy_result(call: str, answer: PolicyReport | int) -> PolicyResult:
    """What people see of a report; an errno alone is that of a process which had exited before its turn came."""
    report = answer if isinstance(answer, PolicyReport) else PolicyReport(answer, Verdict(answer, "no-process"))
    return PolicyResult(call, report.ret, report.mode, report.node, report.nodes, report.why)
