"""Arrays of the caller: ordinary sequences, or addresses in its memory (get_user, put_user)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

from numakit.abi import EFAULT, PAGE_SIZE
from numakit.faults import access
from numakit.machine.contents import page_bytes, replace_bytes
from numakit.machine.state import MachineState
from numakit.machine.vma import present_page
from numakit.moments import PUT_USER
from numakit.timeline.task import Steps

INT_SIZE = 4  #: bytes of an int; elements of this size are signed, pointers (8 bytes) are not


class UserArray(NamedTuple):
    """``length`` integers of ``size`` bytes each at an address of a process. They may reach into memory that it
    cannot access.
    """

    address: int
    length: int
    size: int


#: An argument of a system call: values that were copied in already, or a place in the caller's memory.
Argument: TypeAlias = Sequence[int] | UserArray


def get_user(m: MachineState, mm: int, array: Argument, i: int) -> Steps[int | None]:
    """Element i of an array of the caller; None where it cannot be read. Takes the fault that its address takes."""
    if not isinstance(array, UserArray):
        return array[i]
    data = b""
    for at, size in pieces(array.address + i * array.size, array.size):
        page = yield from access(m, mm, at, write=False)
        if page < 0:
            return None
        data += page_bytes(m, page)[at % PAGE_SIZE : at % PAGE_SIZE + size]
    return int.from_bytes(data, "little", signed=array.size == INT_SIZE)


def put_user(m: MachineState, mm: int, array: UserArray, i: int, value: int) -> Steps[int]:
    """Write element i of an array of the caller. 0, or -EFAULT where its memory cannot be written."""
    yield PUT_USER, i
    word = value.to_bytes(array.size, "little", signed=array.size == INT_SIZE)
    stored = yield from store_bytes(m, mm, array.address + i * array.size, word)
    return 0 if stored == len(word) else -EFAULT


def store_bytes(m: MachineState, mm: int, address: int, data: bytes) -> Steps[int]:
    """Write bytes to memory of a process, as it would itself. How many could be written before the first fault that
    failed.
    """
    stored = 0
    for at, size in pieces(address, len(data)):
        change = partial(replace_bytes, at=at % PAGE_SIZE, word=data[stored : stored + size])
        page = yield from access(m, mm, at, write=True, change=change)
        if page < 0:
            return stored
        stored += size
    return stored


def pieces(address: int, size: int) -> Iterator[tuple[int, int]]:
    """(address, bytes) of the parts of a range that lie in one page each."""
    while size > 0:
        part = min(size, PAGE_SIZE - address % PAGE_SIZE)
        yield address, part
        address, size = address + part, size - part


def peek(m: MachineState, mm: int, array: UserArray, i: int) -> int | None:
    """What element i holds now, without a fault; None where nothing is present. For reports, not for the kernel."""
    data = b""
    for at, size in pieces(array.address + i * array.size, array.size):
        page = present_page(m, mm, at)
        if page is None:
            return None
        data += page_bytes(m, page)[at % PAGE_SIZE : at % PAGE_SIZE + size]
    return int.from_bytes(data, "little", signed=array.size == INT_SIZE)
