"""Whose pages may be moved by whom (sys_move_pages, sys_migrate_pages of 2.6.18; ptrace_may_access() since 4.13)."""

from __future__ import annotations

from numakit.abi import CAP_SYS_NICE, CAP_SYS_PTRACE, EPERM
from numakit.machine.process import TaskStruct, process_name
from numakit.machine.state import MachineState
from numakit.machine.verdicts import because


def check_same_user(m: MachineState, caller: TaskStruct, target: TaskStruct) -> int:
    """In 2006: one of the caller's uids is the target's real or saved one, or the caller has CAP_SYS_NICE. 0 or
    -EPERM.
    """
    if CAP_SYS_NICE in caller.capabilities or {caller.euid, caller.uid} & {target.suid, target.uid}:
        return 0
    return _other_user(m, caller, target, CAP_SYS_NICE)


def ptrace_may_access(m: MachineState, caller: TaskStruct, target: TaskStruct) -> int:
    """Today: whether a process may look into another (PTRACE_MODE_READ_REALCREDS, kernel/ptrace.c). 0 or -EPERM.

    All uids of the target are compared with the caller's real one, and the target may have no capability that the
    caller lacks: CVE-2017-14140 was that the effective uid was forgotten. (No process is undumpable here, and groups
    are not modelled.)
    """
    if caller.pid == target.pid or CAP_SYS_PTRACE in caller.capabilities:
        return 0
    same_user = {target.uid, target.euid, target.suid} == {caller.uid}
    if same_user and set(target.capabilities) <= set(caller.capabilities):
        return 0
    return _other_user(m, caller, target, CAP_SYS_PTRACE)


def _other_user(m: MachineState, caller: TaskStruct, target: TaskStruct, capability: str) -> int:
    names = {"caller": process_name(m, caller.pid), "target": process_name(m, target.pid)}
    uids = {"caller_uid": caller.uid, "target_uid": target.uid}
    return because(m, -EPERM, "other-user", **names, **uids, capability=capability)
