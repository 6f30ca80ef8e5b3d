"""How a live process touches its own memory: through the kernel, which answers -EFAULT where the process would be
killed by a signal.

Bytes go through a pipe: read(2) from it makes the kernel write to an address, write(2) to it makes the kernel read
there. Both take the fault that the process itself would take.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from numakit.abi import PAGE_SIZE
from numakit.live import calls

TOKEN_BYTES = 8


class Toucher:
    """A pipe of one process. It is never shared: a child makes its own."""

    def __init__(self) -> None:
        self._out, self._in = os.pipe()

    def store(self, address: int, data: bytes) -> int:
        """Write bytes. How many could be written before the first fault that failed."""
        stored = 0
        for at, size in pieces(address, len(data)):
            os.write(self._in, data[stored : stored + size])
            ret = calls.read(self._out, at, size)
            if ret < size:
                os.read(self._out, size - max(ret, 0))  # what is left in the pipe would be taken for the next bytes
                return stored + max(ret, 0)
            stored += size
        return stored

    def load(self, address: int, size: int) -> bytes:
        """Read bytes, as many as can be read before the first fault that fails."""
        data = b""
        for at, part in pieces(address, size):
            ret = calls.write(self._in, at, part)
            data += os.read(self._out, ret) if ret > 0 else b""
            if ret < part:
                break
        return data

    def store_token(self, address: int, token: int) -> bool:
        """Write a token to the page of an address; whether that could be done."""
        return self.store(page_of(address), token.to_bytes(TOKEN_BYTES, "little")) == TOKEN_BYTES

    def load_token(self, address: int) -> int | None:
        """The token in the page of an address, 0 for a page of zeroes; None where it cannot be read."""
        data = self.load(page_of(address), TOKEN_BYTES)
        return int.from_bytes(data, "little") if len(data) == TOKEN_BYTES else None

    def close(self) -> None:
        """Give up the pipe."""
        os.close(self._out)
        os.close(self._in)


def page_of(address: int) -> int:
    """The first address of the page of an address."""
    return address - address % PAGE_SIZE


def pieces(address: int, size: int) -> Iterator[tuple[int, int]]:
    """(address, bytes) of the parts of a range that lie in one page each: a page is written whole or not at all."""
    while size > 0:
        part = min(size, PAGE_SIZE - address % PAGE_SIZE)
        yield address, part
        address, size = address + part, size - part
