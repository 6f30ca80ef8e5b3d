"""A sandbox for tests: a filter of system calls (seccomp) around this process, made without any library.

Run as a program it asks, for each call that can be filtered and each way of refusing it, what a live world says about
the call, each in a process of its own, and prints the answers as JSON.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import struct
import sys
from collections.abc import Callable
from errno import ENOSYS, EPERM
from typing import Any, NoReturn

from numakit.abi import MPOL_BIND, MPOL_DEFAULT
from numakit.live import CannotTry, LiveProcess, World, own_pages, query
from numakit.live.calls import NUMBERS, libc

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
ALLOW, ERROR, KILL = 0x7FFF0000, 0x00050000, 0x80000000  # SECCOMP_RET_*: ERROR holds the errno in its low bits
SIGNAL = -1  #: instead of an errno: the call ends the process
ARGUMENT = 16  #: where the first argument stands in struct seccomp_data; the number of the call stands at 0


class Program(ctypes.Structure):
    """struct sock_fprog: a program of the Berkeley packet filter."""

    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def refuse(call: str, error: int, first_argument: int | None = None) -> None:
    """From now on, a call is answered with an errno, or ends who makes it; for this process and all its children.

    ``first_argument``: only with that argument.
    """
    answer = KILL if error == SIGNAL else ERROR | error
    number = NUMBERS[platform.machine()][call]
    steps = [(LOAD, 0, 0, 0), (JUMP_IF_EQUAL, 0, 1 if first_argument is None else 3, number)]
    if first_argument is not None:
        steps += [(LOAD, 0, 0, ARGUMENT), (JUMP_IF_EQUAL, 0, 1, first_argument)]
    steps += [(RETURN, 0, 0, answer), (RETURN, 0, 0, ALLOW)]
    code = b"".join(struct.pack("=HBBI", *step) for step in steps)
    zero = ctypes.c_ulong(0)
    assert libc().prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) == 0
    program = Program(len(steps), code)
    assert libc().prctl(PR_SET_SECCOMP, ctypes.c_ulong(FILTER), ctypes.byref(program), zero, zero) == 0


#: call -> how it is made for a process and a page that it has written to
CALLS: dict[str, Callable[[LiveProcess, int], Any]] = {
    "move_pages": lambda shell, page: shell.move_pages(0, [page]).status,
    "migrate_pages": lambda shell, page: shell.migrate_pages(0, {0}, {0}).ret,
    "mbind": lambda shell, page: shell.mbind(page, MPOL_DEFAULT).ret,
    "set_mempolicy": lambda shell, page: shell.set_mempolicy(MPOL_BIND, ()).ret,
    "get_mempolicy": lambda shell, page: shell.get_mempolicy().ret,
    "vmsplice": lambda shell, page: shell.vmsplice(page).held,
}


def answer_under(call: str, error: int) -> str:
    """What is said about a call that a filter refuses."""
    refuse(call, error)
    with World() as world:
        shell = world.spawn("shell", uid=os.getuid())
        area = shell.mmap(1)
        shell.write(area)
        try:
            return f"answered: {CALLS[call](shell, area[0])}"
        except CannotTry as why:
            return str(why)


def answer_of_a_query_under(error: int) -> str:
    """What the query of own pages says if move_pages() is refused."""
    refuse("move_pages", error)
    with own_pages(1) as area:
        return str(query(area.addresses))


def answer_of_the_kernel() -> str:
    """What is said about a call that only a filter of arguments refuses: it cannot be told from the kernel's own."""
    refuse("move_pages", EPERM, first_argument=os.getpid())
    with World() as world:
        return f"answered: {world.spawn('shell', uid=os.getuid()).move_pages(os.getpid(), [0]).ret}"


def in_a_child(question: Callable[[], str]) -> str:
    """The answer to a question that is asked in a process of its own: a filter cannot be taken off again."""
    out, into = os.pipe()
    if not os.fork():
        answer_and_exit(into, question)
    os.close(into)
    with open(out, encoding="utf-8") as file:
        said = file.read()
    os.wait()
    return said


def answer_and_exit(into: int, question: Callable[[], str]) -> NoReturn:
    """The child's part."""
    try:
        said = question()
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
    os.write(into, said.encode())
    os._exit(0)


def main() -> None:
    """Ask all the questions."""
    answers = {
        f"{call} {error}": in_a_child(lambda call=call, error=error: answer_under(call, error))  # type: ignore[misc]
        for call in CALLS
        for error in (EPERM, ENOSYS, SIGNAL)
    }
    for error in (EPERM, ENOSYS):
        answers[f"query {error}"] = in_a_child(lambda error=error: answer_of_a_query_under(error))  # type: ignore[misc]
    answers["of the kernel"] = in_a_child(answer_of_the_kernel)
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
